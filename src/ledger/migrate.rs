//! Brings a ledger to this program's schema: append-only SQL files, one transaction each.
//!
//! Own code: the known helpers cannot be linked beside this rusqlite (both claim `links = "sqlite3"`).

use rusqlite::{Connection, TransactionBehavior};

/// "dlbr": tells a ledger from any other SQLite file.
pub(super) const APPLICATION_ID: i64 = 0x646c_6272;

/// The files under `migrations/`, in order; never changed after a release.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_runs_and_routes.sql"),
    include_str!("../../migrations/0002_records_and_links.sql"),
    include_str!("../../migrations/0003_operations.sql"),
    include_str!("../../migrations/0004_contacts_and_calls.sql"),
    include_str!("../../migrations/0005_views.sql"),
    include_str!("../../migrations/0006_absent.sql"),
    include_str!("../../migrations/0007_sending.sql"),
    include_str!("../../migrations/0009_pull_memory.sql"),
    include_str!("../../migrations/0012_route_states.sql"),
];

/// The schema this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// The schema of an open file.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies what is missing. Interrupted, it goes on with the next file at the next start.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = found(connection)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(usize::try_from(from).unwrap_or(0)) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
