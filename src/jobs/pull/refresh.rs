//! Deciding anew: a decision that is too old to act on is made again from a fresh read (semantics 8).

use super::{PullContext, Work, pages};
use crate::domain::RecordId;
use crate::domain::policy::Job;
use crate::jobs::JobError;
use crate::ledger::{Counts, RunEnd, RunStart};

impl PullContext {
    /// Reads the named records by id and decides about each again, changed or not, as a run of its own. The ids
    /// that could be decided come back; the others stay as old as they were.
    ///
    /// # Errors
    /// The CRM cannot be read (then these operations wait), or the ledger cannot be written.
    pub async fn decide_anew(&self, ids: &[RecordId]) -> Result<Vec<RecordId>, JobError> {
        let start = RunStart {
            job: Job::Pull,
            route: Some(self.route.route.clone()),
            campaign: None,
            cause: "refresh",
        };
        let run = self.ledger.run_start(start).await?;
        let mut work = Work {
            context: self,
            run,
            counts: Counts::default(),
            not_taken: Vec::new(),
            brake: pages::Brake::default(),
        };
        let mut decided = Vec::with_capacity(ids.len());
        let mut result = Ok(());
        for batch in ids.chunks(200) {
            match work.by_id(batch, Vec::new()).await {
                Ok(batch) => decided.extend(batch),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let end = match &result {
            Ok(()) => RunEnd::Done,
            Err(error) => RunEnd::Failed(error.to_string()),
        };
        self.ledger.run_finish(run, end, work.counts).await?;
        result.map(|()| decided)
    }
}
