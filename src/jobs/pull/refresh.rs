//! Deciding anew: a decision that is too old to act on is made again from a fresh read (semantics 8).

use super::{PullContext, Work};
use crate::domain::RecordId;
use crate::jobs::{JobError, identity, stops};

/// So many ids are asked for in one request.
const BATCH: usize = 200;

impl PullContext {
    /// Reads the named records by id and decides about each again, changed or not, as a run of its own. The ids
    /// that could be decided come back; the others stay as old as they were.
    ///
    /// # Errors
    /// The CRM cannot be read (then these operations wait), or the ledger cannot be written.
    pub async fn decide_anew(&self, ids: &[RecordId]) -> Result<Vec<RecordId>, JobError> {
        identity::crm(self).await?;
        let mut work = Work::begin(self, "refresh").await?;
        let mut decided = Vec::with_capacity(ids.len());
        let mut result = Ok(());
        for batch in ids.chunks(BATCH) {
            match work.in_parts(batch.to_vec(), Vec::new()).await {
                Ok(batch) => decided.extend(batch),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if let Err(error) = work.end(result).await {
            if let Some(reason) = work.missing_reason() {
                stops::stop(&self.ledger, &self.route.route, reason).await?;
            }
            return Err(error);
        }
        Ok(decided)
    }
}
