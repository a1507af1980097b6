//! How the last reconcile of each route ended.

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use serde::Serialize;
use serde_json::Value;

/// How the last reconcile of a route ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReconcileLast {
    /// The route.
    pub route: RouteName,
    /// When.
    pub at: Timestamp,
    /// So many things do not agree.
    pub drift: i64,
    /// So many more looked so at first, and were not looked at again.
    pub unconfirmed: i64,
}

impl Ledger {
    /// Keeps how a reconcile ended, in place of the one before.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn reconcile_keep(
        &self,
        route: RouteName,
        drift: u64,
        found: Value,
    ) -> Result<(), LedgerError> {
        let at = time(self.env.now());
        let drift = i64::try_from(drift).unwrap_or(i64::MAX);
        self.write("reconcile_keep", move |tx| {
            tx.execute(
                "INSERT INTO reconciles (route, at, drift, found) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (route) DO UPDATE SET at = excluded.at, drift = excluded.drift, found = excluded.found",
                (route.0, at, drift, found.to_string()),
            )
            .map(|_| ())
        })
        .await
    }

    /// How the last reconciles ended, by route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn reconciles_last(&self) -> Result<Vec<ReconcileLast>, LedgerError> {
        self.read("reconciles_last", |connection| {
            connection
                .prepare_cached("SELECT route, at, drift,
                            (SELECT coalesce(sum(value ->> 'unconfirmed'), 0) FROM json_each(found)) AS unconfirmed
                     FROM reconciles ORDER BY route")?
                .query_map([], |row| {
                    Ok(ReconcileLast {
                        route: RouteName(row.get("route")?),
                        at: get_time(row, "at")?,
                        drift: row.get("drift")?,
                        unconfirmed: row.get("unconfirmed")?,
                    })
                })?
                .collect()
        })
        .await
    }
}
