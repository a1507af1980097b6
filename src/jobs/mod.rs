//! The jobs: pull, push, settle, harvest. Each takes no input but the state of the ledger and of the two
//! sides, so that timer, hint, hand and restart are one path (promise 6).

use crate::ledger::LedgerError;
use crate::remote::CallError;

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
