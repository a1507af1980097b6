//! What an answer makes of its link. Stored by one statement: a row of a link is long, and each statement writes all
//! of it.

use super::holder::takes;
use crate::domain::{ContactId, LinkId, Seq};
use rusqlite::{Transaction, named_params};

/// Nothing by default.
#[derive(Default)]
pub(super) struct LinkAfter {
    /// The contact that it has from now on, given up by whoever had it before; `None`: as before.
    pub(super) contact: Option<ContactId>,
    /// What both sides agree on now, as it is stored; `None`: as before.
    pub(super) base: Option<String>,
    /// Whether we have it locked, and since when; `None`: as before.
    pub(super) lock: Option<(&'static str, Option<String>)>,
    /// Whether what the record wishes is all there; `None`: as before.
    pub(super) complete: Option<bool>,
    /// When its contact was brought up to date; `None`: as before.
    pub(super) synced: Option<String>,
}

macro_rules! after {
    () => {
        "answered_seq = :answered, complete = coalesce(:complete, complete), base = coalesce(:base, base),
         synced_at = coalesce(:synced, synced_at),
         lock_state = coalesce(:lock, lock_state), locked_at = CASE WHEN :lock IS NULL THEN locked_at ELSE :locked_at END,
         overseen_rest = CASE WHEN :lock = 'open' THEN NULL ELSE overseen_rest END
         WHERE id = :link"
    };
}

const KEEPS: &str = concat!("UPDATE links SET ", after!());

/// A text of its own: one that names the contact writes its indexes anew, whether it changes or not.
const TAKES: &str = concat!("UPDATE links SET ", takes!(), ", ", after!());

impl LinkAfter {
    /// What is sent counts anew once this is stored, which is the caller's.
    pub(super) fn store(self, tx: &Transaction<'_>, link: LinkId, answered: Seq) -> rusqlite::Result<()> {
        let (lock_state, locked_at) = self.lock.unzip();
        let locked_at = locked_at.flatten();
        let after = named_params! {
            ":link": link.0, ":answered": answered.0, ":complete": self.complete, ":base": self.base,
            ":lock": lock_state, ":locked_at": locked_at, ":synced": self.synced,
        };
        match self.contact {
            None => tx.prepare_cached(KEEPS)?.execute(after)?,
            Some(ContactId(contact)) => {
                let taking: Vec<_> = after.iter().copied().chain([(":contact", &contact as _)]).collect();
                tx.prepare_cached(TAKES)?.execute(taking.as_slice())?
            }
        };
        Ok(())
    }
}
