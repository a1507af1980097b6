//! What a full pass was shown, and whom it was not: a complete walk that does not name a known record is a question,
//! answered by a read of its own at least ten minutes later (promise 4).

use super::absent;
use super::sql::{get_named, get_time, time};
use crate::domain::policy::PassReason;
use crate::domain::{RecordId, RouteName, Timestamp};
use rusqlite::Transaction;

/// What the end of a full pass says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PassEnd {
    /// Known records that it was not shown: asked for one by one, unless they are too many.
    pub asked: i64,
    /// Contacts that are out of reach by a condition that changed: a change of scope, not of people.
    pub out_of_scope: i64,
}

/// These were shown.
pub(super) fn note(tx: &Transaction<'_>, pass: i64, seen: &[RecordId]) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare_cached("INSERT OR IGNORE INTO pass_seen (pass_id, record_id) VALUES (?1, ?2)")?;
    seen.iter().try_for_each(|id| insert.execute((pass, &id.0)).map(|_| ()))
}

/// It is over, one way or another.
pub(super) fn forget(tx: &Transaction<'_>, pass: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM pass_seen WHERE pass_id = ?1")?.execute([pass]).map(|_| ())
}

/// The last page was stored. A walk that was shown nobody at all says nothing.
pub(super) fn end(tx: &Transaction<'_>, pass: i64, now: Timestamp) -> rusqlite::Result<PassEnd> {
    let (route, why, began): (RouteName, PassReason, Timestamp) = tx
        .prepare_cached("SELECT route, why, began_at FROM full_passes WHERE id = ?1")?
        .query_row([pass], |row| {
            Ok((
                RouteName(row.get("route")?),
                get_named(row, "why", PassReason::parse)?,
                get_time(row, "began_at")?,
            ))
        })?;
    let unseen: Vec<RecordId> = tx
        .prepare_cached(
            "SELECT r.record_id FROM records r
             WHERE r.route = ?1 AND r.link_id IS NOT NULL AND r.code IS NOT 'record_gone' AND r.decided_at < ?3
               AND EXISTS (SELECT 1 FROM pass_seen s WHERE s.pass_id = ?2)
               AND NOT EXISTS (SELECT 1 FROM pass_seen s WHERE s.pass_id = ?2 AND s.record_id = r.record_id)",
        )?
        .query_map((&route.0, pass, time(began)), |row| row.get(0).map(RecordId))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &unseen {
        absent::ask_by_pass(tx, now, &route, id)?;
    }
    forget(tx, pass)?;
    let out_of_scope = match why {
        PassReason::Revision => tx
            .prepare_cached(
                "SELECT count(*) FROM records r JOIN links l ON l.id = r.link_id
                 WHERE r.route = ?1 AND r.state = 'skipped' AND r.code = 'not_eligible' AND l.contact_id IS NOT NULL
                   AND r.since >= ?3 AND r.run_id IN (SELECT id FROM runs WHERE pass_id = ?2)",
            )?
            .query_row((&route.0, pass, time(began)), |row| row.get(0))?,
        PassReason::First | PassReason::LeftDry | PassReason::ByHand | PassReason::Weekly => 0,
    };
    Ok(PassEnd { asked: unseen.len() as i64, out_of_scope })
}
