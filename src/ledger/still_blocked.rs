//! A block by a number that the contact has and its record has not: decisions about the record do not know of it.

use super::block_store::reason_of;
use super::decisions::Cause;
use super::sql::{self, time};
use super::{gate, hints, lane};
use crate::domain::{LinkId, Timestamp};
use rusqlite::Transaction;

/// The record was decided by its own numbers. Where a lock waited that stands against another one, which the contact still has,
/// or was seen to have, it stays; what corrects the number goes all the same, and its answer frees the contact.
pub(super) fn keep_lock(tx: &Transaction<'_>, cause: &Cause, link: LinkId) -> rusqlite::Result<()> {
    let Some(block) = gate::shut_for(tx, link, &time(cause.at))? else { return Ok(()) };
    let reason = reason_of(&block);
    tx.prepare_cached("UPDATE links SET wish = 'locked', wish_code = ?2, wish_params = ?3 WHERE id = ?1")?
        .execute((link.0, sql::code(&reason), reason.params_json()))?;
    lane::lock_unless_waiting(tx, link, &reason, cause).map(|_| ())
}

/// An update was answered and no block stands against the contact any more: where one did, the record, which says no by none of
/// its numbers, is decided anew.
pub(super) fn freed(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let was_blocked: bool = tx
        .prepare_cached("SELECT wish = 'locked' AND wish_code = 'blocked' FROM links WHERE id = ?1")?
        .query_row([link.0], |row| row.get(0))?;
    if was_blocked { hints::link_in(tx, now, link, "number free") } else { Ok(()) }
}
