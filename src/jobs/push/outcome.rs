//! What becomes of an operation whose call did not answer as wished: one pure table (semantics,
//! "Outcomes of a write").

use crate::domain::OperationKind;
use crate::remote::CallErrorKind;
use std::time::Duration;

/// What to do with the operation, and with the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextState {
    /// It may have happened: asked about after the quiet time.
    Uncertain,
    /// Certainly not executed: it waits by the schedule, and the run ends, because the side is not there.
    AgainAndStop {
        /// The server's wish, where it gave one.
        retry_after: Option<Duration>,
    },
    /// Certainly not executed, because what allowed it no longer held: the gate is asked again.
    AskAnew,
    /// The side cannot be used as configured: it waits, untouched, and the run ends.
    PutBackAndStop,
    /// The remote side says no to this one: a person must look.
    Parked {
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        text: String,
    },
    /// The contact is not there under its number: looked for by key before anything is concluded.
    LookAgain,
    /// What was wished is the case already.
    Done,
}

/// The outcome of a failed call of one kind.
pub fn outcome_of(kind: OperationKind, error: &CallErrorKind) -> NextState {
    match error {
        CallErrorKind::NotSent => NextState::AgainAndStop { retry_after: None },
        CallErrorKind::Overtaken => NextState::AskAnew,
        CallErrorKind::Refused { retry_after } => NextState::AgainAndStop { retry_after: *retry_after },
        CallErrorKind::Unauthorized | CallErrorKind::WrongUrl | CallErrorKind::Configuration => {
            NextState::PutBackAndStop
        }
        CallErrorKind::Rejected { status, text } => NextState::Parked { status: *status, text: text.clone() },
        CallErrorKind::NotFound => match kind {
            // A JSON 404 on an import is about the campaign: there is no contact in the request.
            OperationKind::Import => {
                NextState::Parked { status: 404, text: "the campaign does not exist".to_owned() }
            }
            OperationKind::Update | OperationKind::Lock | OperationKind::Unlock | OperationKind::Reset => {
                NextState::LookAgain
            }
            OperationKind::Delete => NextState::Done,
        },
        // The last two are kinds of reads; should a write ever end so, it may have happened.
        CallErrorKind::Uncertain | CallErrorKind::Unavailable | CallErrorKind::BadAnswer => {
            NextState::Uncertain
        }
    }
}

/// How long an operation waits after so many tries: the schedule's step, spread by up to a fifth so that
/// what failed together does not come back together, and never less than the server asked for (capped).
pub fn wait_after(
    tries: i64,
    schedule: &[Duration],
    retry_after: Option<Duration>,
    retry_after_cap: Duration,
    chance: f64,
) -> Duration {
    let step = usize::try_from(tries.max(1) - 1).unwrap_or(usize::MAX);
    let planned = schedule.get(step).or(schedule.last()).copied().unwrap_or(Duration::from_secs(60));
    let spread = planned.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 5.0);
    spread.max(retry_after.unwrap_or_default().min(retry_after_cap))
}

/// The back-off of a lock: 1, 2, 5, 10 s, then every 30 s (semantics 8).
pub fn lock_wait(tries: i64, retry_after: Option<Duration>) -> Duration {
    let seconds = match tries {
        ..=1 => 1,
        2 => 2,
        3 => 5,
        4 => 10,
        5.. => 30,
    };
    Duration::from_secs(seconds).max(retry_after.unwrap_or_default().min(Duration::from_secs(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_have_happened_is_sent_again_unasked() {
        for kind in OperationKind::ALL {
            for error in [CallErrorKind::Uncertain, CallErrorKind::Unavailable, CallErrorKind::BadAnswer] {
                assert_eq!(outcome_of(*kind, &error), NextState::Uncertain, "{kind}: {error:?}");
            }
        }
    }

    #[test]
    fn a_wrong_token_or_address_parks_nobody() {
        for kind in OperationKind::ALL {
            for error in [CallErrorKind::Unauthorized, CallErrorKind::WrongUrl, CallErrorKind::Configuration]
            {
                assert_eq!(outcome_of(*kind, &error), NextState::PutBackAndStop, "{kind}: {error:?}");
            }
        }
    }

    #[test]
    fn a_contact_that_is_not_there_is_looked_for() {
        let not_found = CallErrorKind::NotFound;
        for kind in [OperationKind::Update, OperationKind::Lock, OperationKind::Unlock, OperationKind::Reset]
        {
            assert_eq!(outcome_of(kind, &not_found), NextState::LookAgain);
        }
        assert_eq!(outcome_of(OperationKind::Delete, &not_found), NextState::Done);
        assert!(matches!(outcome_of(OperationKind::Import, &not_found), NextState::Parked { .. }));
    }

    #[test]
    fn waits_grow_spread_and_honour_the_server() {
        let schedule = [Duration::from_secs(60), Duration::from_secs(300)];
        let cap = Duration::from_secs(600);
        assert_eq!(wait_after(1, &schedule, None, cap, 0.0), Duration::from_secs(60));
        assert_eq!(wait_after(1, &schedule, None, cap, 1.0), Duration::from_secs(72));
        assert_eq!(wait_after(9, &schedule, None, cap, 0.0), Duration::from_secs(300));
        let asked = Some(Duration::from_secs(400));
        assert_eq!(wait_after(1, &schedule, asked, cap, 0.0), Duration::from_secs(400));
        let absurd = Some(Duration::from_secs(86_400));
        assert_eq!(wait_after(1, &schedule, absurd, cap, 0.0), cap);
        let locks: Vec<u64> = (1..=6).map(|tries| lock_wait(tries, None).as_secs()).collect();
        assert_eq!(locks, [1, 2, 5, 10, 30, 30]);
    }
}
