//! What somebody else wrote into a contact that is to be out of reach, as lists show it (users 7).

use super::standing::{Foreign, foreign_hand};
use crate::domain::{Base, ContactId, Timestamp};
use rusqlite::Transaction;

/// What a locked contact should show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LockedBase {
    /// What both sides agreed on.
    pub base: Base,
    /// The digest of what somebody else was seen to have written over that.
    pub overseen: Option<Vec<u8>>,
    /// The digest of what it showed besides; `None`: it was not looked at yet.
    pub rest: Option<Vec<u8>>,
}

/// What a locked contact shows now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overseen {
    /// The digest of what is not as both sides agreed.
    pub fields: Option<Vec<u8>>,
    /// The digest of what it shows besides.
    pub rest: Vec<u8>,
    /// Whether somebody else wrote it.
    pub by_others: bool,
}

/// A list shows a locked contact otherwise than before: where that is somebody else's hand it is locked again, once for each such
/// writing.
pub(super) fn store(
    tx: &Transaction<'_>,
    contact: ContactId,
    news: &Overseen,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let stored = tx
        .prepare_cached(
            "UPDATE links SET overseen = ?2, overseen_rest = ?3 WHERE contact_id = ?1 AND route IS NOT NULL
                AND (overseen IS NOT ?2 OR overseen_rest IS NOT ?3)",
        )?
        .execute((contact.0, &news.fields, &news.rest))?;
    if stored > 0 && news.by_others { foreign_hand(tx, contact, Foreign::Fields, now) } else { Ok(()) }
}
