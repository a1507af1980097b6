//! What the CRM itself says was deleted: each of these is asked for, as if a complete walk had not shown it.

use super::Work;
use super::clock::time_delta;
use crate::jobs::JobError;

impl Work<'_> {
    /// Reads the CRM's own list, where it has one, from where the changes are read. Its word alone takes nobody out: an id
    /// may be restored, or answer under another one.
    pub(super) async fn deleted(&mut self) -> Result<(), JobError> {
        let (ledger, crm) = (&self.context.ledger, &self.context.crm);
        let route = &self.context.route.route;
        // Before the first pull has come to its end nobody is there who could leave.
        let Some(cursor) = ledger.route_show(route.clone()).await?.and_then(|row| row.cursor) else {
            return Ok(());
        };
        let contract = crm.contract();
        let since = cursor - time_delta(contract.overlap) - time_delta(contract.resolution);
        let Some(deleted) = crm.deleted_since(since).await? else { return Ok(()) };
        self.counts.requests += 1;
        Ok(ledger.deletions_heard(route.clone(), deleted.into_iter().collect()).await?)
    }
}
