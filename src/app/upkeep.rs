//! What is done to the ledger once a day: bodies that were kept long enough are erased.

use crate::ledger::Ledger;
use crate::runtime::{Activity, Ask, Outcome, RunLog};
use chrono::TimeDelta;
use std::time::Duration;

/// In the dialler's zone: before the first call of the day.
pub(super) const WHEN: &str = "40 3 * * *";

/// The daily upkeep.
pub(super) struct UpkeepActivity {
    pub ledger: Ledger,
    pub keep_bodies: Duration,
}

#[async_trait::async_trait]
impl Activity for UpkeepActivity {
    async fn run(&self, _ask: &Ask, _log: &RunLog) -> Outcome {
        let keep = TimeDelta::from_std(self.keep_bodies).unwrap_or(TimeDelta::MAX);
        match self.ledger.bodies_prune(keep).await {
            Ok(erased) => Outcome::Done {
                run: None,
                text: format!("{erased} bodies and answers erased, kept long enough"),
                parked_new: false,
            },
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}
