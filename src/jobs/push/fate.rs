//! What became of an operation that was taken, and which count of the run's balance that belongs to.

use crate::domain::{OperationId, RecordId, RouteName};
use crate::jobs::JobError;
use crate::ledger::Counts;

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Fate {
    Done,
    Refused,
    Uncertain,
    PutBack,
    /// The record is decided anew first.
    TooOld(RecordId),
    Parked {
        status: u16,
        text: String,
    },
}

impl Fate {
    /// Counts it.
    pub(super) fn count(&self, counts: &mut Counts) {
        match self {
            Self::Done => counts.done += 1,
            Self::Refused => counts.refused += 1,
            Self::Uncertain => counts.uncertain += 1,
            Self::PutBack | Self::TooOld(_) => counts.put_back += 1,
            Self::Parked { .. } => {
                counts.parked += 1;
                counts.parked_new += 1;
            }
        }
    }
}

/// An operation that was taken, and whether the pass must stop.
pub(super) struct Sent {
    pub(super) id: OperationId,
    pub(super) route: Option<RouteName>,
    pub(super) fate: Fate,
    pub(super) stop: Option<JobError>,
}
