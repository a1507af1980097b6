//! Keys about which the dialler gives no answer, and until when they are left alone. Kept over runs in
//! memory, like a breaker: losing it costs a few requests.

use crate::domain::{FoldedUserData, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The keys at rest; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Resting(Arc<Mutex<HashMap<FoldedUserData, Timestamp>>>);

impl Resting {
    /// Leaves a key alone until then.
    pub(super) fn rest(&self, key: FoldedUserData, until: Timestamp) {
        self.keys().insert(key, until);
    }

    /// All that are left alone now.
    pub(super) fn at_rest(&self, now: Timestamp) -> Vec<FoldedUserData> {
        let mut keys = self.keys();
        keys.retain(|_, until| *until > now);
        keys.keys().cloned().collect()
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<FoldedUserData, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
