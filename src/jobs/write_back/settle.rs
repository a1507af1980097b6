//! What is in doubt, settled by the connector's word: sent again under its key, asked about, or shown to a person.

use super::ends::{Fate, TellKind, Waits, after_look_up, outcome};
use super::tell::kind_of;
use super::{JobError, Pass};
use crate::crm::Safe;
use crate::domain::{Reason, ReasonCode};
use crate::ledger::{TellEnd, ToTell, Tried};
use crate::remote::CallErrorKind;
use chrono::TimeDelta;
use serde_json::Map;

/// So many requests in a row without a usable answer, while others had one, are a matter of this one (semantics 25).
const TRIES: u32 = 5;

impl Pass<'_> {
    /// Settles one row; answers how many requests that took.
    pub(super) async fn settle(&self, row: ToTell) -> Result<i64, JobError> {
        let now = self.context.env.now();
        let kind = kind_of(&row);
        let by = self.context.crm.contract().activities;
        if row.doubts >= TRIES && self.context.ledger.write_back_others_succeed(row.id).await? {
            // Under a key it can be told again without a look; what only a look-up tells of cannot.
            let code = match (kind, by) {
                (TellKind::Create, Some(Safe::Find { .. } | Safe::No) | None) => ReasonCode::InDoubt,
                (TellKind::Create, Some(Safe::Key)) | (TellKind::Change | TellKind::Fields, _) => {
                    ReasonCode::NoUsableAnswer
                }
            };
            let problem = format!("{} requests in a row had no usable answer: look there", row.doubts);
            let reason = Reason::new(code).with("times", row.doubts).with("problem", problem);
            return self.settled(&row, TellEnd::Parked(reason), None, 0).await;
        }
        let end = match (kind, by) {
            // Whole values, not increments: saying them again changes nothing.
            (TellKind::Change | TellKind::Fields, _) | (TellKind::Create, Some(Safe::Key)) => {
                TellEnd::Again(now)
            }
            (TellKind::Create, Some(Safe::Find { .. })) => return self.find(row).await,
            (TellKind::Create, Some(Safe::No) | None) => {
                let problem = "look whether the record has this call's activity: `results retry --id` tells it again, \
                               `results discard` leaves it";
                TellEnd::Parked(Reason::new(ReasonCode::InDoubt).with("problem", problem))
            }
        };
        self.settled(&row, end, None, 0).await
    }

    async fn settled(
        &self,
        row: &ToTell,
        end: TellEnd,
        tried: Option<Tried>,
        requests: i64,
    ) -> Result<i64, JobError> {
        self.context.ledger.write_back_end(row.id, row.wanted, self.run, end, tried).await?;
        Ok(requests)
    }

    async fn find(&self, row: ToTell) -> Result<i64, JobError> {
        let Some(call) = row.call else { return Ok(0) };
        let now = self.context.env.now();
        match self.context.crm.find_activity(&row.record, &self.key(call)).await {
            // Of several creates it may be an earlier one, with earlier values: these are written once more.
            Ok(Some(activity)) if row.doubts > 1 && self.context.crm.contract().changes_activities => {
                self.context.ledger.write_back_found(row.id, activity.0).await?;
                self.settled(&row, TellEnd::Again(now), None, 1).await
            }
            Ok(Some(activity)) => {
                self.settled(
                    &row,
                    TellEnd::Done { activity: Some(activity.0), carried: Vec::new(), before: Map::new() },
                    None,
                    1,
                )
                .await
            }
            Ok(None) => self.settled(&row, TellEnd::Again(now), None, 1).await,
            Err(error) => {
                let quiet = self.context.quiet();
                let (fate, end, ends_run) = after_look_up(&error.kind, Waits { again: quiet, quiet }, now);
                // It stays in doubt: only an answer ends that.
                let due = now + TimeDelta::from_std(quiet).unwrap_or(TimeDelta::hours(1));
                let end = match (&fate, &error.kind) {
                    (Fate::Gone, _) => end,
                    // It reached nobody, or nobody looked: that says nothing of this one.
                    (
                        _,
                        CallErrorKind::NotSent
                        | CallErrorKind::Overtaken
                        | CallErrorKind::Refused { .. }
                        | CallErrorKind::Unauthorized
                        | CallErrorKind::WrongUrl
                        | CallErrorKind::Configuration,
                    ) => TellEnd::AskLater(due),
                    (
                        _,
                        CallErrorKind::NotFound
                        | CallErrorKind::Rejected { .. }
                        | CallErrorKind::Uncertain
                        | CallErrorKind::Unavailable
                        | CallErrorKind::BadAnswer,
                    ) => TellEnd::Uncertain(due),
                };
                let tried = Tried { outcome: outcome(&error.kind), detail: error.detail.clone() };
                self.settled(&row, end, Some(tried), 1).await?;
                if ends_run { Err(JobError::Call(error)) } else { Ok(1) }
            }
        }
    }
}
