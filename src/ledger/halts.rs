//! Halts: a freeze, a pause or a step back to dry reaches also what was leased before it and has not left yet.

use super::Ledger;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often senders were told to stand still since the start.
#[derive(Debug, Default)]
pub(super) struct Halts {
    all: AtomicU64,
    locks: AtomicU64,
}

/// A moment between two halts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HaltMark {
    all: u64,
    locks: u64,
}

/// Whom a halt reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything but locks.
    AllButLocks,
    /// Locks too.
    EvenLocks,
}

impl Halts {
    fn mark(&self) -> HaltMark {
        HaltMark { all: self.all.load(Ordering::Acquire), locks: self.locks.load(Ordering::Acquire) }
    }
}

impl Ledger {
    /// Taken before a lease: what is leased then may leave only while no halt came since.
    pub(super) fn halt_mark(&self) -> HaltMark {
        self.halts().mark()
    }

    /// Told after the commit that makes senders stand still.
    pub(super) fn halt(&self, reach: Reach) {
        self.halts().all.fetch_add(1, Ordering::AcqRel);
        match reach {
            Reach::AllButLocks => {}
            Reach::EvenLocks => {
                self.halts().locks.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// Whether what was leased under this mark may leave; costs no read.
    pub fn halt_watch(&self, mark: HaltMark) -> impl Fn() -> bool + Send + Sync + use<> {
        let ledger = self.clone();
        move || ledger.halts().mark().all == mark.all
    }

    /// The same for a lock.
    pub fn halt_watch_locks(&self, mark: HaltMark) -> impl Fn() -> bool + Send + Sync + use<> {
        let ledger = self.clone();
        move || ledger.halts().mark().locks == mark.locks
    }
}
