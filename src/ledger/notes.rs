//! Notes: what is told of a record beside its state, once. A note stands until a version of the record gives no
//! reason for it any more.

use super::sql::{self, time};
use crate::domain::{Reason, RecordId, RouteName, RunId, Timestamp};
use rusqlite::Transaction;
use std::collections::BTreeSet;

/// Keeps what is noted of a record now; says how much of it is new.
pub(super) fn keep(
    tx: &Transaction<'_>,
    now: Timestamp,
    run: RunId,
    route: &RouteName,
    record: &RecordId,
    notes: &[&Reason],
) -> rusqlite::Result<i64> {
    let stand: BTreeSet<(String, String)> = tx
        .prepare_cached(
            "SELECT code, params FROM record_notes WHERE route = ?1 AND record_id = ?2 AND ended_at IS NULL",
        )?
        .query_map((&route.0, &record.0), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let noted: BTreeSet<(String, String)> =
        notes.iter().map(|reason| (sql::code(reason).to_owned(), reason.params_json())).collect();
    for (code, params) in stand.difference(&noted) {
        tx.prepare_cached(
            "UPDATE record_notes SET ended_at = ?5
             WHERE route = ?1 AND record_id = ?2 AND code = ?3 AND params = ?4 AND ended_at IS NULL",
        )?
        .execute((&route.0, &record.0, code, params, time(now)))?;
    }
    let mut new = 0;
    for (code, params) in noted.difference(&stand) {
        tx.prepare_cached(
            "INSERT INTO record_notes (route, record_id, code, params, since, run_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((&route.0, &record.0, code, params, time(now), run.0))?;
        new += 1;
    }
    Ok(new)
}
