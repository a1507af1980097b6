//! The ends of the runs that one activation made: noted as the ledger stores them, told in the log afterwards.

use crate::domain::policy::Job;
use crate::domain::{Counts, RunId};
use chrono::TimeDelta;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a run ended, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnding {
    /// It came to its end.
    Done,
    /// It stopped on the way.
    Failed,
}

/// A run that ended, as its row in the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnded {
    /// Its number.
    pub run: RunId,
    /// Its job.
    pub job: Job,
    /// How it ended.
    pub ending: RunEnding,
    /// How long it took.
    pub took: TimeDelta,
    /// What it counted.
    pub counts: Counts,
}

/// Where the ends of an activation's runs are noted; clones share it. What was noted is there also when the
/// activation fails, panics or is broken off.
#[derive(Debug, Clone, Default)]
pub struct RunLog(Arc<Mutex<Vec<RunEnded>>>);

impl RunLog {
    fn noted(&self) -> MutexGuard<'_, Vec<RunEnded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run's end was stored; a second end of the same run replaces the first.
    pub fn ended(&self, ended: RunEnded) {
        let mut noted = self.noted();
        noted.retain(|other| other.run != ended.run);
        noted.push(ended);
    }

    /// A run found nothing to do and has no row any more.
    pub fn forgotten(&self, run: RunId) {
        self.noted().retain(|other| other.run != run);
    }

    /// Everything noted, in the order of the ends.
    pub(super) fn all(&self) -> Vec<RunEnded> {
        self.noted().clone()
    }
}
