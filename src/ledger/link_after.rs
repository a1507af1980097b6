//! What an answer makes of its link. Stored by one statement: a row of a link is long, and each statement writes all
//! of it.

use super::answer::BaseChange;
use super::holder::takes;
use super::sql::{get_json, json};
use super::{edits, sent_numbers};
use crate::domain::{Base, ContactId, LinkId, Seq};
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

/// Stores what both sides agree on, and which numbers count by that.
pub(super) fn store_base(tx: &Transaction<'_>, link: LinkId, change: &BaseChange) -> rusqlite::Result<()> {
    if let Some(base) = new_base(tx, link, change)? {
        tx.prepare_cached("UPDATE links SET base = ?2 WHERE id = ?1")?.execute((link.0, base))?;
    }
    sent_numbers::refresh(tx, link)
}

/// What a link's base becomes, as it is stored; edits of what both sides agree on now are none any more.
pub(super) fn new_base(
    tx: &Transaction<'_>,
    link: LinkId,
    change: &BaseChange,
) -> rusqlite::Result<Option<String>> {
    let base = match change {
        BaseChange::Keep => return Ok(None),
        BaseChange::Replace(base) => edits::outlive_contact(tx, link, base)?,
        BaseChange::Merge(pairs) => {
            edits::agreed(tx, link, pairs.keys().copied())?;
            let mut base: Base = tx
                .prepare_cached("SELECT base FROM links WHERE id = ?1")?
                .query_row([link.0], |row| get_json(row, "base"))?;
            base.extend(pairs.clone());
            base
        }
    };
    json(&base).map(Some)
}
