//! What an answer makes of its link, beside the contact. Stored by one statement: a row of a link is long, and each
//! statement writes all of it.

use crate::domain::{LinkId, Seq};
use rusqlite::Transaction;

/// Nothing by default.
#[derive(Default)]
pub(super) struct LinkAfter {
    /// What both sides agree on now, as it is stored; `None`: as before.
    pub(super) base: Option<String>,
    /// Whether we have it locked, and since when; `None`: as before.
    pub(super) lock: Option<(&'static str, Option<String>)>,
    /// Whether what the record wishes is all there; `None`: as before.
    pub(super) complete: Option<bool>,
}

impl LinkAfter {
    /// What is sent counts anew once this is stored, which is the caller's.
    pub(super) fn store(self, tx: &Transaction<'_>, link: LinkId, answered: Seq) -> rusqlite::Result<()> {
        let (lock_state, locked_at) = self.lock.unzip();
        tx.prepare_cached(
            "UPDATE links SET answered_seq = ?2, complete = coalesce(?3, complete), base = coalesce(?4, base),
                    lock_state = coalesce(?5, lock_state), locked_at = CASE WHEN ?5 IS NULL THEN locked_at ELSE ?6 END
             WHERE id = ?1",
        )?
        .execute((link.0, answered.0, self.complete, self.base, lock_state, locked_at.flatten()))?;
        Ok(())
    }
}
