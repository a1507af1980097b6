//! Records whose conditions depend on the date, with the values the ledger keeps for them.

use super::sql::{get_json, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{RecordId, RouteName, Timestamp};
use chrono::NaiveDate;

/// A record as far as a dated decision needs it.
#[derive(Debug, Clone)]
pub struct KeptRecord {
    /// Its id.
    pub id: RecordId,
    /// The hash of the version these values come from.
    pub hash: Vec<u8>,
    /// That version's modification time.
    pub modified: Option<Timestamp>,
    /// Its key; a record parked for its key has none.
    pub user_data: Option<String>,
    /// The values its dated conditions use.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// How it stands.
    pub standing: Standing,
    /// Since when its state has been what it is.
    pub since: Timestamp,
}

/// How a record with kept values stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may be called, whatever else is the matter with it: a parked record's contact too.
    Callable,
    /// A condition keeps it out.
    Waiting,
    /// It says no itself, maybe besides others.
    Blocked,
    /// Somebody else's word stands against it: a number, a list, another record.
    BlockedByOthers,
    /// Out of reach for another reason.
    Apart,
}

fn standing(state: &str, code: Option<&str>, wish: Option<&str>, says_no: bool) -> Standing {
    match (state, code, wish) {
        // Before the wish: a contact that the route keeps when its record leaves is callable all the same.
        ("skipped", Some("not_eligible"), _) => Standing::Waiting,
        ("linked", _, _) | (_, _, Some("callable")) => Standing::Callable,
        ("blocked", _, _) if says_no => Standing::Blocked,
        ("blocked", _, _) => Standing::BlockedByOthers,
        (_, _, _) => Standing::Apart,
    }
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
            let mut statement = connection.prepare_cached(
                "SELECT r.record_id, r.hash, r.modified, coalesce(r.user_data, l.user_data) AS user_data, r.kept, r.state,
                        r.code, r.since, CASE WHEN l.vanished_at IS NULL THEN l.wish END AS wish,
                        EXISTS (SELECT 1 FROM blocks b WHERE b.kind = 'record' AND b.record_id = r.record_id AND b.crm = o.crm
                                AND b.object = o.object AND b.client = o.client AND b.source = 'crm:' || r.route
                                AND b.lifted_at IS NULL) AS says_no
                 FROM records r JOIN routes o ON o.route = r.route LEFT JOIN links l ON l.id = r.link_id
                 WHERE r.route = ?1 AND r.record_id > ?2 AND r.kept IS NOT NULL
                 ORDER BY r.record_id LIMIT ?3",
            )?;
            statement
                .query_map((route.0, after.0, limit), |row| {
                    let (state, code): (String, Option<String>) = (row.get("state")?, row.get("code")?);
                    let wish: Option<String> = row.get("wish")?;
                    Ok(KeptRecord {
                        id: RecordId(row.get("record_id")?),
                        hash: row.get("hash")?,
                        modified: get_time_opt(row, "modified")?,
                        user_data: row.get("user_data")?,
                        values: get_json(row, "kept")?,
                        standing: standing(&state, code.as_deref(), wish.as_deref(), row.get("says_no")?),
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// Erases the values kept of these records, each as of a version's hash, and notes the day on which they are to
    /// be read again, where there is one.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn kept_erase(
        &self,
        route: RouteName,
        records: Vec<(RecordId, Vec<u8>, Option<NaiveDate>)>,
    ) -> Result<(), LedgerError> {
        self.write("kept_erase", move |tx| {
            let mut statement = tx.prepare_cached(
                "UPDATE records SET kept = NULL, again_on = ?4
                 WHERE route = ?1 AND record_id = ?2 AND hash = ?3 AND state <> 'linked'",
            )?;
            for (id, hash, again_on) in &records {
                statement.execute((&route.0, &id.0, hash, again_on.map(|day| day.to_string())))?;
            }
            Ok(())
        })
        .await
    }

    /// Whose day has come, though nothing is kept of them any more, is to be read by id.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn erased_ask(&self, route: RouteName, today: NaiveDate) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("erased_ask", move |tx| {
            let today = today.to_string();
            tx.execute(
                "INSERT INTO hints (route, record_id, source, at)
                 SELECT route, record_id, 'dated', ?3 FROM records WHERE route = ?1 AND again_on <= ?2",
                (&route.0, &today, now),
            )?;
            tx.execute(
                "UPDATE records SET again_on = NULL WHERE route = ?1 AND again_on <= ?2",
                (&route.0, today),
            )
        })
        .await
        .map(|_| ())
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
        let now = time(self.env.now());
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
