//! The jobs: pull, push, settle, harvest. Each takes no input but the state of the ledger and of the two
//! sides, so that timer, hint, hand and restart are one path (promise 6).

pub mod block_files;
pub mod campaigns;
pub mod glimpse;
pub mod harvest;
pub mod identity;
pub mod local_time;
pub mod pull;
pub mod push;
pub mod reconcile;
pub mod refusal;
pub mod settle;
pub mod stops;
pub mod trial;
pub mod write_back;

use crate::domain::Reason;
use crate::ledger::LedgerError;
use crate::remote::{CallError, CallErrorKind};

/// Why a job ended before its end. What it stored stays; the next run goes on from there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JobError {
    /// A side could not be used.
    #[error("{0}")]
    Call(CallError),
    /// The ledger could not be used.
    #[error("{0}")]
    Ledger(LedgerError),
    /// A systemic failure: the route was stopped. The text says what to do.
    #[error("{0}")]
    Stopped(String),
    /// The side is not the one that the ledger knows: nothing is read from it or sent to it.
    #[error("{0}")]
    Identity(String),
    /// The program is ending.
    #[error("ended by shutdown; the next run goes on from here")]
    ShuttingDown,
}

impl From<CallError> for JobError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<LedgerError> for JobError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Why a route stops, if this failure is one of the kind that no waiting mends: a wrong token, a wrong
/// address, a systemic failure. A side that is merely down is none: the next run goes on by itself.
pub fn stop_reason(error: &JobError) -> Option<Reason> {
    let systemic = |text: String| Some(stops::by_pull(text));
    match error {
        JobError::Stopped(text) => systemic(text.clone()),
        JobError::Call(call) => match call.kind {
            CallErrorKind::Unauthorized | CallErrorKind::WrongUrl | CallErrorKind::Configuration => {
                systemic(call.to_string())
            }
            CallErrorKind::NotSent
            | CallErrorKind::Overtaken
            | CallErrorKind::Refused { .. }
            | CallErrorKind::Rejected { .. }
            | CallErrorKind::NotFound
            | CallErrorKind::Uncertain
            | CallErrorKind::Unavailable
            | CallErrorKind::BadAnswer => None,
        },
        JobError::Ledger(_) | JobError::Identity(_) | JobError::ShuttingDown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;

    #[test]
    fn a_pull_ends_only_the_stops_that_a_pull_made() {
        let ours = stop_reason(&JobError::Stopped("most records are older".to_owned())).expect("it stops");
        assert_eq!(stops::Kind::of(&ours), stops::Kind::Pull);
        let by_push = Reason::new(ReasonCode::Systemic).with("text", "the dialler rejected many records");
        assert_eq!(stops::Kind::of(&by_push), stops::Kind::Person, "the next pull would send them all again");
        assert_eq!(stops::Kind::of(&ReasonCode::CampaignChanged.into()), stops::Kind::Campaign);
        assert_eq!(stop_reason(&JobError::ShuttingDown), None);
    }
}
