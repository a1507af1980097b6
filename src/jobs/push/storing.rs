//! How many answers are with the writer and not yet on disk.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Storing(AtomicUsize);

/// One of them, while it lives.
pub(super) struct Stored<'a>(&'a AtomicUsize);

impl Storing {
    /// Counts an answer that is handed to the writer next, before anything else is: whatever is leased afterwards is
    /// stored behind it, so that its operation counts as leased no more.
    pub(super) fn one(&self) -> Stored<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Stored(&self.0)
    }

    /// How many there are.
    pub(super) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Stored<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
