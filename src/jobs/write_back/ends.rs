//! What becomes of one telling: one pure table from the outcome of its request (semantics, "Outcomes of a write").

use crate::domain::{Counts, Reason, ReasonCode};
use crate::ledger::TellEnd;
use crate::remote::CallErrorKind;
use chrono::TimeDelta;
use std::time::Duration;

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TellKind {
    /// A new activity: the one request that doubles when it is repeated blindly.
    Create,
    /// A change of one that is there, by its id.
    Change,
    /// Fields of the record.
    Fields,
}

/// How one row of a run ended, for its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Told.
    Done,
    /// The CRM knows already.
    Unchanged,
    /// It cannot be told yet.
    Held,
    /// Certainly not executed; it waits.
    Refused,
    /// It may have happened.
    Uncertain,
    /// The CRM says no: a person must look.
    Rejected,
    /// A person must look, for another reason.
    Parked,
    /// The record is gone.
    Gone,
    /// It was not sent, and waits as before.
    PutBack,
}

impl Fate {
    /// Adds it to a run's balance.
    pub(super) fn count(self, counts: &mut Counts) {
        counts.taken += 1;
        let (of, asked) = match self {
            Self::Done => (&mut counts.done, 1),
            Self::Unchanged => (&mut counts.unchanged, 0),
            Self::Held => (&mut counts.held, 0),
            Self::Refused => (&mut counts.refused, 1),
            Self::Uncertain => (&mut counts.uncertain, 1),
            Self::Rejected => (&mut counts.parked, 1),
            Self::Parked => (&mut counts.parked, 0),
            Self::Gone => (&mut counts.gone, 1),
            Self::PutBack => (&mut counts.put_back, 0),
        };
        *of += 1;
        counts.requests += asked;
        if matches!(self, Self::Rejected | Self::Parked) {
            counts.parked_new += 1;
        }
    }
}

/// When what did not happen, or may have, is looked at again.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Until the next try.
    pub again: Duration,
    /// Until what is in doubt is asked about.
    pub quiet: Duration,
}

/// What a failed request means for its row, and whether the run ends with it: a side that is not there, or cannot be
/// used as configured, would answer the next row no better.
pub fn fate_of(
    kind: TellKind,
    error: &CallErrorKind,
    waits: Waits,
    now: crate::domain::Timestamp,
) -> (Fate, TellEnd, bool) {
    let after = |wait: Duration| now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
    match error {
        CallErrorKind::NotSent => (Fate::Refused, TellEnd::Again(after(waits.again)), true),
        CallErrorKind::Refused { retry_after } => {
            let wait = retry_after.unwrap_or_default().max(waits.again);
            (Fate::Refused, TellEnd::Again(after(wait)), true)
        }
        CallErrorKind::Overtaken => (Fate::PutBack, TellEnd::Again(now), false),
        CallErrorKind::Unauthorized | CallErrorKind::WrongUrl | CallErrorKind::Configuration => {
            (Fate::PutBack, TellEnd::Again(now), true)
        }
        CallErrorKind::Rejected { status, text } => {
            let reason = Reason::new(ReasonCode::Rejected).with("status", status).with("text", text);
            (Fate::Rejected, TellEnd::Parked(reason), false)
        }
        CallErrorKind::NotFound => match kind {
            // Of an activity: somebody removed it, or its record. It is not put there again.
            TellKind::Create | TellKind::Change | TellKind::Fields => (Fate::Gone, TellEnd::Gone, false),
        },
        // The last two are kinds of reads; should a write ever end so, it may have happened.
        CallErrorKind::Uncertain | CallErrorKind::Unavailable | CallErrorKind::BadAnswer => {
            (Fate::Uncertain, TellEnd::Uncertain(after(waits.quiet)), false)
        }
    }
}

/// What a look-up that failed means for its row, and whether the run ends with it. One record whose look-up has no usable
/// answer holds up nobody else.
pub fn after_look_up(
    error: &CallErrorKind,
    waits: Waits,
    now: crate::domain::Timestamp,
) -> (Fate, TellEnd, bool) {
    let after = |wait: Duration| now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
    match error {
        CallErrorKind::NotFound => (Fate::Gone, TellEnd::Gone, false),
        CallErrorKind::Unauthorized | CallErrorKind::WrongUrl | CallErrorKind::Configuration => {
            (Fate::PutBack, TellEnd::Again(after(waits.again)), true)
        }
        CallErrorKind::NotSent | CallErrorKind::Refused { .. } => {
            (Fate::PutBack, TellEnd::Again(after(waits.again)), true)
        }
        CallErrorKind::Overtaken
        | CallErrorKind::Rejected { .. }
        | CallErrorKind::Uncertain
        | CallErrorKind::Unavailable
        | CallErrorKind::BadAnswer => (Fate::PutBack, TellEnd::Again(after(waits.quiet)), false),
    }
}

/// As `attempts.outcome` calls it.
pub(super) fn outcome(error: &CallErrorKind) -> &'static str {
    match error {
        CallErrorKind::NotSent | CallErrorKind::Overtaken => "not_sent",
        CallErrorKind::Refused { .. } => "refused",
        CallErrorKind::Unauthorized => "unauthorized",
        CallErrorKind::Rejected { .. } => "rejected",
        // It says nothing about this call: the brake on rejections does not count it.
        CallErrorKind::Configuration => "configuration",
        CallErrorKind::NotFound => "not_found",
        CallErrorKind::WrongUrl => "wrong_url",
        CallErrorKind::Uncertain | CallErrorKind::Unavailable | CallErrorKind::BadAnswer => "uncertain",
    }
}
