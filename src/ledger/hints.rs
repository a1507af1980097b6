//! Hints: "look at this record", whoever said so. They name ids, are read by id through the ordinary
//! path and move no cursor (semantics 6).

use super::sql::time;
use super::{Ledger, LedgerError};
use crate::domain::{LinkId, RecordId, RouteName, Timestamp};
use chrono::TimeDelta;
use rusqlite::Transaction;

/// A hint that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Its row.
    pub id: i64,
    /// The record it names.
    pub record: RecordId,
    /// How often it could not be answered.
    pub tries: i64,
}

/// So many minutes a hint waits that could not be answered, by its tries.
const WAITS: [i64; 4] = [1, 5, 15, 60];

impl Ledger {
    /// Notes that records are to be looked at.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn hints_add(
        &self,
        route: RouteName,
        ids: Vec<RecordId>,
        source: &'static str,
    ) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("hints_add", move |tx| ids.iter().try_for_each(|id| add_in(tx, now, &route, id, source)))
            .await
    }

    /// What waits and is to be answered now, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn hints_waiting(&self, route: RouteName, limit: u32) -> Result<Vec<Hint>, LedgerError> {
        let now = time(self.env.now());
        self.read("hints_waiting", move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, record_id, tries FROM hints
                     WHERE route = ?1 AND taken_at IS NULL AND (not_before IS NULL OR not_before <= ?3)
                     ORDER BY id LIMIT ?2",
                )?
                .query_map((route.0, limit, now), |row| {
                    Ok(Hint { id: row.get(0)?, record: RecordId(row.get(1)?), tries: row.get(2)? })
                })?
                .collect()
        })
        .await
    }

    /// These could not be answered: each waits, the longer the oftener, and keeps nobody else waiting.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn hints_postpone(&self, hints: Vec<i64>, why: String) -> Result<(), LedgerError> {
        let now = self.env.now();
        self.write("hints_postpone", move |tx| {
            let mut statement = tx.prepare_cached(
                "UPDATE hints SET tries = tries + 1, failure = ?2,
                        not_before = CASE tries WHEN 0 THEN ?3 WHEN 1 THEN ?4 WHEN 2 THEN ?5 ELSE ?6 END
                 WHERE id = ?1",
            )?;
            let [first, second, third, later] = WAITS.map(|minutes| time(now + TimeDelta::minutes(minutes)));
            for hint in hints {
                statement.execute((hint, &why, &first, &second, &third, &later))?;
            }
            Ok(())
        })
        .await
    }
}

/// The source of a hint at a record that a telling did not meet.
pub(super) const FROM_WRITE_BACK: &str = "write_back";

/// It is answered; which record it named, and who said so.
pub(super) fn take_in(
    tx: &Transaction<'_>,
    now: Timestamp,
    hint: i64,
) -> rusqlite::Result<(RecordId, String)> {
    tx.prepare_cached("UPDATE hints SET taken_at = ?2 WHERE id = ?1 RETURNING record_id, source")?
        .query_row((hint, time(now)), |row| Ok((RecordId(row.get(0)?), row.get(1)?)))
}

pub(super) fn add_in(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    record: &RecordId,
    source: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO hints (route, record_id, source, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((&route.0, &record.0, source, time(now)))?;
    Ok(())
}

/// The same, not to be taken before a time.
pub(super) fn add_later(
    tx: &Transaction<'_>,
    now: Timestamp,
    not_before: Timestamp,
    route: &RouteName,
    record: &RecordId,
    source: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at, not_before) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((&route.0, &record.0, source, time(now), time(not_before)))?;
    Ok(())
}

/// The record of a link whose contact somebody deleted, or brought back: it is decided anew, because what becomes
/// of it is the route's choice and the record itself did not change.
pub(super) fn vanished_in(tx: &Transaction<'_>, now: Timestamp, link: LinkId) -> rusqlite::Result<()> {
    link_in(tx, now, link, "vanished")
}

/// The record of a link of which the CRM said, when it was told something, that it is not there: whether the whole record
/// is gone is pull's to find out (semantics 27), unless that is known.
pub(super) fn not_there_in(tx: &Transaction<'_>, now: Timestamp, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT l.route, l.record_id, 'write_back', ?2 FROM links l
         WHERE l.id = ?1 AND l.route IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM records r WHERE r.route = l.route AND r.record_id = l.record_id
                           AND r.code IN ('record_deleted', 'record_gone'))",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// The record of a link that was locked for a block, now that no block stands against its contact: the blocked
/// number is gone from the dialler.
pub(super) fn freed_in(tx: &Transaction<'_>, now: Timestamp, link: LinkId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT route, record_id, 'number gone', ?2 FROM links
         WHERE id = ?1 AND route IS NOT NULL AND wish = 'locked' AND wish_code = 'blocked'",
    )?
    .execute((link.0, time(now)))?;
    Ok(())
}

/// The record of a link, if it has one.
pub(super) fn link_in(
    tx: &Transaction<'_>,
    now: Timestamp,
    link: LinkId,
    source: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO hints (route, record_id, source, at)
         SELECT route, record_id, ?3, ?2 FROM links WHERE id = ?1 AND route IS NOT NULL",
    )?
    .execute((link.0, time(now), source))?;
    Ok(())
}
