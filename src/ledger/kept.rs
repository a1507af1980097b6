//! Records whose conditions depend on the date, with the values the ledger keeps for them.

use super::sql::{get_json, get_time_opt};
use super::{Ledger, LedgerError};
use crate::domain::{RecordId, RouteName, Timestamp};

/// A record as far as a dated decision needs it.
#[derive(Debug, Clone)]
pub struct KeptRecord {
    /// Its id.
    pub id: RecordId,
    /// The hash of the version these values come from.
    pub hash: Vec<u8>,
    /// That version's modification time.
    pub modified: Option<Timestamp>,
    /// Its key.
    pub user_data: String,
    /// The values its dated conditions use.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// Its numbers, as the link has them.
    pub numbers: Vec<String>,
    /// Whether the last decision let it be called.
    pub linked: bool,
    /// Whether the last decision found it blocked.
    pub blocked: bool,
}

impl Ledger {
    /// The next records of a route with kept values, in order of id after `after`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records_kept(
        &self,
        route: RouteName,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<KeptRecord>, LedgerError> {
        self.read("records_kept", move |connection| {
            let mut numbers =
                connection.prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?;
            let mut statement = connection.prepare_cached(
                "SELECT record_id, hash, modified, user_data, kept, link_id, state FROM records
                 WHERE route = ?1 AND record_id > ?2 AND kept IS NOT NULL AND user_data IS NOT NULL
                 ORDER BY record_id LIMIT ?3",
            )?;
            let mut rows = statement.query((route.0, after.0, limit))?;
            let mut kept = Vec::new();
            while let Some(row) = rows.next()? {
                let link: Option<i64> = row.get("link_id")?;
                let state: String = row.get("state")?;
                kept.push(KeptRecord {
                    id: RecordId(row.get("record_id")?),
                    hash: row.get("hash")?,
                    modified: get_time_opt(row, "modified")?,
                    user_data: row.get("user_data")?,
                    values: get_json(row, "kept")?,
                    numbers: match link {
                        Some(link) => {
                            numbers.query_map([link], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
                        }
                        None => Vec::new(),
                    },
                    linked: state == "linked",
                    blocked: state == "blocked",
                });
            }
            Ok(kept)
        })
        .await
    }
}

impl Ledger {
    /// How many records stand in each state but `linked`, and why.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn records_by_reason(&self) -> Result<Vec<(String, Option<String>, i64)>, LedgerError> {
        self.read("records_by_reason", |connection| {
            connection
                .prepare_cached(
                    "SELECT state, code, count(*) FROM records WHERE state <> 'linked'
                     GROUP BY state, code ORDER BY state, code",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
        .await
    }

    /// How many blocks are in force.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn blocks_count(&self) -> Result<i64, LedgerError> {
        let now = super::sql::time(self.env.now());
        self.read("blocks_count", move |connection| {
            connection.query_row(
                "SELECT count(*) FROM blocks WHERE lifted_at IS NULL AND (until IS NULL OR until > ?1)",
                [now],
                |row| row.get(0),
            )
        })
        .await
    }
}
