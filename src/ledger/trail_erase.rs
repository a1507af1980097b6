//! Values erased out of the trail of changes when they are old: it stays as provable as before.

use super::chain::{COLUMNS, Stored};
use super::sql::time;
use super::{Ledger, LedgerError};
use chrono::TimeDelta;
use rusqlite::Connection;

/// So many rows are read at once: a read is bounded in time, and the writer goes on between two.
const READ: u32 = 10_000;
/// So many rows are erased in one transaction, so that nobody waits for it.
const CHUNK: u32 = 1_000;

impl Ledger {
    /// Erases the values of changes older than `keep`; that something was changed, when, by whom and why stays, and stays
    /// proven. What the CRM was last told of a field is kept, because the next telling is compared with it; what had been there before
    /// that goes. Answers how many rows were erased.
    ///
    /// # Errors
    /// The ledger cannot be written; what was erased before stays so.
    pub async fn trail_erase(&self, keep: TimeDelta) -> Result<usize, LedgerError> {
        let before = time(self.env.now().checked_sub_signed(keep).unwrap_or_default());
        let mut erased = self.trail_erase_kept(&before).await?;
        loop {
            let until = before.clone();
            let page = self.read("trail_old", move |connection| next_old(connection, &until)).await?;
            let Some(to) = page.to else { return Ok(erased) };
            for ids in page.goes.chunks(CHUNK as usize) {
                let ids = ids.to_vec();
                erased += self.write("trail_erase", move |tx| erase(tx, &ids)).await?;
            }
            for ids in page.old.chunks(CHUNK as usize) {
                let ids = ids.to_vec();
                self.write("trail_erase", move |tx| erase_before(tx, &ids)).await?;
            }
            self.write("trail_passed", move |tx| pass(tx, to, &page.stays)).await?;
            if page.rows < READ as usize {
                return Ok(erased);
            }
        }
    }

    /// What an earlier walk passed and had to keep, and what need not be kept any more.
    async fn trail_erase_kept(&self, before: &str) -> Result<usize, LedgerError> {
        let (mut from, mut erased) = (0, 0);
        loop {
            let until = before.to_owned();
            let rows: Vec<(i64, bool)> = self
                .read("trail_kept", move |connection| {
                    connection
                        .prepare_cached(KEPT)?
                        .query_map((from, until, READ), |row| Ok((row.get("id")?, row.get("goes")?)))?
                        .collect()
                })
                .await?;
            let goes: Vec<i64> = rows.iter().filter(|(_, goes)| *goes).map(|(id, _)| *id).collect();
            for ids in goes.chunks(CHUNK as usize) {
                let ids = ids.to_vec();
                erased += self
                    .write("trail_erase", move |tx| {
                        let mut delete = tx.prepare_cached("DELETE FROM changes_kept WHERE id = ?1")?;
                        for id in &ids {
                            delete.execute([id])?;
                        }
                        erase(tx, &ids)
                    })
                    .await?;
            }
            match rows.last() {
                Some((last, _)) if rows.len() == READ as usize => from = *last,
                Some(_) | None => return Ok(erased),
            }
        }
    }
}

macro_rules! goes {
    () => {
        "c.at <= ?2 AND NOT (c.side = 'crm' AND NOT EXISTS (SELECT 1 FROM changes newer WHERE newer.link_id = c.link_id
            AND newer.write_back_id = c.write_back_id AND newer.field = c.field AND newer.id > c.id)) AS goes"
    };
}

/// The rows behind a place, in order. Walked by number, and each once: there is no index by time, because everything that
/// is sent would have to keep it.
pub(super) const OLD: &str = concat!(
    "SELECT c.id, c.at <= ?2 AS old, c.before_salt IS NOT NULL OR c.after_salt IS NOT NULL AS has_values, ",
    goes!(),
    " FROM changes c WHERE c.id > ?1 ORDER BY c.id LIMIT ?3"
);

/// Those that were passed and kept.
pub(super) const KEPT: &str = concat!(
    "SELECT c.id, ",
    goes!(),
    " FROM changes_kept k CROSS JOIN changes c ON c.id = k.id WHERE k.id > ?1 ORDER BY k.id LIMIT ?3"
);

/// How far the walk has come.
const PASSED: &str = "trail_erased_to";

/// A page of the walk.
struct OldPage {
    rows: usize,
    /// The last row that is old enough; what comes before it is passed.
    to: Option<i64>,
    goes: Vec<i64>,
    /// Passed with its values: it is what the CRM was last told, or a clock went wrong.
    stays: Vec<i64>,
    /// Those of them that are old enough.
    old: Vec<i64>,
}

fn next_old(connection: &Connection, before: &str) -> rusqlite::Result<OldPage> {
    let from: i64 = connection
        .prepare_cached("SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = ?1")?
        .query_row([PASSED], |row| row.get(0))?;
    let rows: Vec<(i64, bool, bool, bool)> = connection
        .prepare_cached(OLD)?
        .query_map((from, before, READ), |row| {
            Ok((row.get("id")?, row.get("old")?, row.get("has_values")?, row.get("goes")?))
        })?
        .collect::<Result<_, _>>()?;
    let to = rows.iter().rev().find(|(_, old, _, _)| *old).map(|(id, _, _, _)| *id);
    let (mut goes, mut stays, mut kept_old) = (Vec::new(), Vec::new(), Vec::new());
    for (id, old, has_values, goes_now) in rows.iter().filter(|(id, _, _, _)| to.is_some_and(|to| *id <= to))
    {
        match (has_values, goes_now) {
            (true, true) => goes.push(*id),
            (true, false) => {
                stays.push(*id);
                kept_old.extend(old.then_some(*id));
            }
            (false, _) => {}
        }
    }
    Ok(OldPage { rows: rows.len(), to, goes, stays, old: kept_old })
}

fn pass(tx: &Connection, to: i64, stays: &[i64]) -> rusqlite::Result<()> {
    let mut keep = tx.prepare_cached("INSERT INTO changes_kept (id) VALUES (?1) ON CONFLICT DO NOTHING")?;
    for id in stays {
        keep.execute([id])?;
    }
    tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute((PASSED, to.to_string()))?;
    Ok(())
}

/// Erases the values of these rows. One that cannot be proven any more is left as it is: it is evidence.
pub(super) fn erase(tx: &Connection, ids: &[i64]) -> rusqlite::Result<usize> {
    erase_by(
        tx,
        ids,
        "UPDATE changes SET before = NULL, before_salt = NULL, before_digest = ?2,
                after = NULL, after_salt = NULL, after_digest = ?3 WHERE id = ?1",
    )
}

/// Of these rows only what was there before: it may be somebody else's word, and nothing is compared with it.
fn erase_before(tx: &Connection, ids: &[i64]) -> rusqlite::Result<usize> {
    erase_by(
        tx,
        ids,
        "UPDATE changes SET before = NULL, before_salt = NULL, before_digest = ?2 WHERE id = ?1 AND ?3 IS NOT NULL",
    )
}

fn erase_by(tx: &Connection, ids: &[i64], update: &str) -> rusqlite::Result<usize> {
    let mut read = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM changes WHERE id = ?1"))?;
    let mut update = tx.prepare_cached(update)?;
    let mut erased = 0;
    for id in ids {
        if let Ok((before, after)) = read.query_row([id], Stored::read)?.digests() {
            erased += update.execute((id, before, after))?;
        }
    }
    Ok(erased)
}
