//! A link's lane from a block's side: what waits is taken back, and a lock gets to its head.
//!
//! Only inside other functions' transactions: blocks, the gate's third question and settling lock here.

use super::decisions::{Cause, insert_operation, next_generation};
use super::hints;
use super::sql::{self, time};
use crate::domain::{Intent, LinkId, OperationId, OperationKind, Reason};
use rusqlite::Transaction;

/// Takes back what waits in a lane and could make the contact callable; returns how much.
///
/// An update is among it, because it may carry a number; the difference it would have sent is computed
/// from the link when the record is decided again, so nothing is lost. One by hand without a number stays: it makes
/// nobody callable, and no decision would bring it back. Nor is what a no asks for beside the lock taken back, a mark: another
/// record with the same number may say the same again, and then this one is not decided anew.
pub(super) fn cancel_callable(
    tx: &Transaction<'_>,
    link: LinkId,
    reason: &Reason,
    now: &str,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE operations SET state = 'cancelled', finished_at = ?2, outcome = ?3, outcome_params = ?4
         WHERE link_id = ?1 AND state = 'waiting' AND kind IN ('import', 'update', 'unlock', 'reset')
           AND NOT (kind = 'update' AND code = 'blocked')
           AND (given IS NULL OR EXISTS (SELECT 1 FROM json_each(given) WHERE key LIKE 'PhoneNumber%'))",
    )?
    .execute((link.0, now, sql::code(reason), reason.params_json()))
}

/// The contact must be out of the dialler's reach: wishes the lock, takes back what would undo it, and
/// queues a lock where a contact is there or may be coming to be. Returns the lock's row, if one was queued.
///
/// A contact that we locked already, with nothing under way that could have undone it, costs no request;
/// neither does one that is gone from the dialler (should it come back, it is decided anew then).
pub(super) fn lock(
    tx: &Transaction<'_>,
    link: LinkId,
    reason: &Reason,
    cause: &Cause,
) -> rusqlite::Result<Option<OperationId>> {
    // It may have been about to give the contact another number than the one that is blocked: only a decision brings it back.
    if update_waits(tx, link)? {
        hints::link_in(tx, cause.at, link, "update taken back")?;
    }
    cancel_callable(tx, link, reason, &time(cause.at))?;
    release_held(tx, link)?;
    let (has_contact, was_wished, was_locked): (bool, bool, bool) = tx
        .prepare_cached(
            "SELECT contact_id IS NOT NULL AND vanished_at IS NULL, wish = 'locked', locked_at IS NOT NULL AND wish = 'locked'
             FROM links WHERE id = ?1",
        )?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (lock_open, undoing, import_open): (bool, bool, bool) = tx
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE kind = 'lock') > 0,
                    count(*) FILTER (WHERE kind <> 'lock' AND state <> 'waiting') > 0,
                    count(*) FILTER (WHERE kind = 'import' AND state <> 'waiting') > 0
             FROM operations WHERE link_id = ?1 AND (state IN ('sending', 'uncertain') OR state = 'waiting')",
        )?
        .query_row([link.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let lock_waits = lock_waits(tx, link)?;
    let may_exist = has_contact || import_open;
    tx.prepare_cached("UPDATE links SET wish = ?2, wish_code = ?3, wish_params = ?4 WHERE id = ?1")?
        .execute((
            link.0,
            if may_exist { "locked" } else { "none" },
            sql::code(reason),
            reason.params_json(),
        ))?;
    if !was_wished {
        doubt_ends(tx, link, &time(cause.at))?;
    }
    let enough = lock_waits || (!undoing && (was_locked || lock_open));
    if !may_exist || enough {
        return Ok(None);
    }
    lock_anyway(tx, link, reason, cause).map(Some)
}

/// Whether a lock waits to be sent.
pub(super) fn lock_waits(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1 AND kind = 'lock' AND state = 'waiting')",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// What stands of a lock of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockStands {
    /// Nothing.
    Nothing,
    /// It was answered, and nothing let the contact go since.
    Answered,
    /// It waits, is under way or in doubt.
    Open,
}

pub(super) fn lock_stands(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<LockStands> {
    let answered: bool = tx
        .prepare_cached("SELECT lock_state = 'locked' FROM links WHERE id = ?1")?
        .query_row([link.0], |row| row.get(0))?;
    Ok(match (lock_is_open(tx, link)?, answered) {
        (true, _) => LockStands::Open,
        (false, true) => LockStands::Answered,
        (false, false) => LockStands::Nothing,
    })
}

/// Whether a lock waits, is under way or in doubt.
pub(super) fn lock_is_open(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1 AND kind = 'lock'
                AND state IN ('waiting', 'sending', 'uncertain'))",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// A lock in doubt that nobody wished for a while was put off until it cannot arrive any more (settling): now that one is wished
/// again it goes at once, and holds up no other.
pub(super) fn doubt_ends(tx: &Transaction<'_>, link: LinkId, now: &str) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET settle_at = ?2 WHERE link_id = ?1 AND kind = 'lock' AND state = 'uncertain' AND settle_at > ?2",
    )?
    .execute((link.0, now))?;
    Ok(())
}

/// Whether an update waits that a lock would take back.
fn update_waits(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1 AND kind = 'update' AND state = 'waiting'
            AND code <> 'blocked' AND given IS NULL)",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// Whether the reset of a record that is back waits already, or is on its way: it is the one that is wished, and made anew its
/// contact's calls would have to come to rest once more.
pub(super) fn reset_is_open(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM operations WHERE link_id = ?1 AND kind = 'reset' AND code <> 'by_hand'
                AND state IN ('waiting', 'sending', 'uncertain'))",
    )?
    .query_row([link.0], |row| row.get(0))
}

/// A lock that waits for a person, because it rests on a changed condition, goes at once when there is another cause for it; so
/// does one that was under way, or in doubt, when the others of its wave came to wait, and may have to be sent once more.
pub(super) fn release_held(tx: &Transaction<'_>, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE operations SET wave_id = NULL
         WHERE link_id = ?1 AND kind = 'lock' AND state IN ('waiting', 'sending', 'uncertain') AND wave_id IS NOT NULL",
    )?
    .execute([link.0])?;
    Ok(())
}

/// Queues a lock without asking whether one is needed.
pub(super) fn lock_anyway(
    tx: &Transaction<'_>,
    link: LinkId,
    reason: &Reason,
    cause: &Cause,
) -> rusqlite::Result<OperationId> {
    let generation = next_generation(tx, link)?;
    let intent = Intent { kind: OperationKind::Lock, reason: reason.clone() };
    insert_operation(tx, cause, link, generation, &intent, None).map(OperationId)
}

/// Queues a lock unless one waits already; for a contact that may have become callable since the last one.
pub(super) fn lock_unless_waiting(
    tx: &Transaction<'_>,
    link: LinkId,
    reason: &Reason,
    cause: &Cause,
) -> rusqlite::Result<bool> {
    if lock_waits(tx, link)? {
        return Ok(false);
    }
    lock_anyway(tx, link, reason, cause).map(|_| true)
}
