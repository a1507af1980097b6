//! What is in doubt, settled by the connector's word: sent again under its key, asked about, or shown to a person.

use super::ends::TellKind;
use super::tell::kind_of;
use super::{JobError, Pass};
use crate::crm::Safe;
use crate::domain::{Reason, ReasonCode};
use crate::ledger::{TellEnd, ToTell, Tried};
use chrono::TimeDelta;

impl Pass<'_> {
    /// Settles one row; answers how many requests that took.
    pub(super) async fn settle(&self, row: ToTell) -> Result<i64, JobError> {
        let now = self.context.env.now();
        let (end, tried) = match (kind_of(&row), self.context.crm.contract().activities) {
            // Whole values, not increments: saying them again changes nothing.
            (TellKind::Change | TellKind::Fields, _) | (TellKind::Create, Some(Safe::Key)) => {
                (TellEnd::Again(now), None)
            }
            (TellKind::Create, Some(Safe::Find { .. })) => return self.find(row).await,
            (TellKind::Create, Some(Safe::No) | None) => {
                let reason = Reason::new(ReasonCode::InDoubt).with(
                    "problem",
                    "look whether the record has this call's activity: `results retry` tells it again, `results discard` \
                     leaves it",
                );
                (TellEnd::Parked(reason), None)
            }
        };
        self.context.ledger.write_back_end(row.id, self.run, end, tried).await?;
        Ok(0)
    }

    async fn find(&self, row: ToTell) -> Result<i64, JobError> {
        let Some(call) = row.call else { return Ok(0) };
        let now = self.context.env.now();
        let end = match self.context.crm.find_activity(&row.record, &self.key(call)).await {
            Ok(Some(activity)) => TellEnd::Done { activity: Some(activity.0) },
            Ok(None) => TellEnd::Again(now),
            Err(error) => {
                // Without an answer nothing is known; the next run asks again.
                let due = now + TimeDelta::from_std(self.quiet()).unwrap_or(TimeDelta::hours(1));
                let tried = Tried { outcome: "uncertain", detail: error.detail.clone() };
                self.context
                    .ledger
                    .write_back_end(row.id, self.run, TellEnd::Uncertain(due), Some(tried))
                    .await?;
                return Err(JobError::Call(error));
            }
        };
        self.context.ledger.write_back_end(row.id, self.run, end, None).await?;
        Ok(1)
    }
}
