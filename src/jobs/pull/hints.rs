//! Records named by hints, read by id through the same path; they move no cursor.

use super::Work;
use crate::domain::RecordId;
use crate::jobs::JobError;

/// So many ids are asked for in one request.
const BATCH: u32 = 200;

impl Work<'_> {
    /// Reads what is hinted at until nothing waits. A hint is taken in the transaction that stores what
    /// its read brought.
    pub(super) async fn hints(&mut self) -> Result<(), JobError> {
        loop {
            self.stop_if_ending()?;
            let waiting = self.context.ledger.hints_waiting(self.context.route.route.clone(), BATCH).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let rows = waiting.iter().map(|hint| hint.id).collect();
            let mut ids: Vec<RecordId> = waiting.into_iter().map(|hint| hint.record).collect();
            ids.sort();
            ids.dedup();
            self.by_id(&ids, rows).await?;
        }
    }
}
