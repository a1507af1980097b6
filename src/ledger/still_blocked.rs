//! A block by a number that the contact has and its record has not: decisions about the record do not know of it.

use super::block_store::reason_of;
use super::decisions::Cause;
use super::lane::LockStands;
use super::sql::{self, time};
use super::{gate, hints, lane, overtaken};
use crate::domain::{Block, LinkId, OperationKind, Reason, Timestamp};
use rusqlite::Transaction;

/// What stands against a contact with a lock, by whichever number.
pub(super) fn against(
    tx: &Transaction<'_>,
    link: LinkId,
    stood: LockStands,
    now: Timestamp,
) -> rusqlite::Result<Option<Block>> {
    match stood {
        LockStands::Nothing => Ok(None),
        LockStands::Answered | LockStands::Open => gate::shut_for(tx, link, &time(now)),
    }
}

/// Whether the lock that stays takes it back: then it is not even queued, and counts in no wave.
pub(super) fn takes_back(block: Option<&Block>, kind: OperationKind) -> bool {
    match kind {
        OperationKind::Unlock | OperationKind::Reset => block.is_some(),
        OperationKind::Import | OperationKind::Update | OperationKind::Lock | OperationKind::Delete => false,
    }
}

/// The record was decided by its own numbers, and says that its contact may be called. Where a lock stands, or stood, against
/// another number, which the contact still has, or was seen to have, it stays, and is wished; what corrects the number goes all the
/// same, and its answer frees the contact. Left to the gate at the unlock's lease it would be nobody's wish as long as that one
/// waits: a lock in doubt would be dropped, and no night would send it again.
pub(super) fn keep_lock(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    (stood, block): (LockStands, Option<&Block>),
    notes: &[Reason],
) -> rusqlite::Result<()> {
    match stood {
        LockStands::Nothing => return Ok(()),
        LockStands::Answered | LockStands::Open => overtaken::stays_locked(tx, link, notes)?,
    }
    let Some(block) = block else { return Ok(()) };
    let now = time(cause.at);
    let reason = reason_of(block);
    tx.prepare_cached("UPDATE links SET wish = 'locked', wish_code = ?2, wish_params = ?3 WHERE id = ?1")?
        .execute((link.0, sql::code(&reason), reason.params_json()))?;
    tx.prepare_cached(
        "UPDATE operations SET state = 'cancelled', finished_at = ?2, outcome = ?3, outcome_params = ?4
         WHERE link_id = ?1 AND state = 'waiting' AND kind IN ('unlock', 'reset')",
    )?
    .execute((link.0, &now, sql::code(&reason), reason.params_json()))?;
    match stood {
        LockStands::Nothing | LockStands::Answered => Ok(()),
        LockStands::Open if lane::lock_is_open(tx, link)? => lane::doubt_ends(tx, link, &now),
        LockStands::Open => lane::lock_anyway(tx, link, &reason, cause).map(|_| ()),
    }
}

/// An import or an update ended, whichever way, or is to be sent once more: a number that was on its way may be the contact's no longer. Where it
/// was the one that is blocked, the record, which says no by none of its numbers, is decided anew.
pub(super) fn freed(tx: &Transaction<'_>, link: LinkId, now: Timestamp) -> rusqlite::Result<()> {
    let was_blocked: bool = tx
        .prepare_cached("SELECT wish = 'locked' AND wish_code = 'blocked' FROM links WHERE id = ?1")?
        .query_row([link.0], |row| row.get(0))?;
    if was_blocked && gate::shut_for(tx, link, &time(now))?.is_none() {
        hints::link_in(tx, now, link, "number free")?;
    }
    Ok(())
}
