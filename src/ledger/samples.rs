//! What the hourly samples came to, kept for a week, so that a little that does not agree is not forgotten at the next one.

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;

/// So long a sample counts.
const KEPT: TimeDelta = TimeDelta::days(7);

/// What the samples of a route came to since the last reconcile, at most in a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// The route.
    pub route: RouteName,
    /// When the first thing was found that does not agree; the newest sample where nothing was.
    pub since: Timestamp,
    /// Records looked at on both sides.
    pub looked: i64,
    /// Things that do not agree.
    pub drift: i64,
}

impl Ledger {
    /// Keeps what a sample came to, and forgets those that count no longer.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn sample_keep(
        &self,
        route: RouteName,
        looked: u64,
        drift: u64,
        found: Value,
    ) -> Result<(), LedgerError> {
        let now = self.env.now();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.write("sample_keep", move |tx| {
            tx.execute("DELETE FROM samples WHERE route = ?1 AND at < ?2", (&route.0, time(now - KEPT)))?;
            tx.execute(
                "INSERT OR REPLACE INTO samples (route, at, looked, drift, found) VALUES (?1, ?2, ?3, ?4, ?5)",
                (route.0, time(now), number(looked), number(drift), found.to_string()),
            )
            .map(|_| ())
        })
        .await
    }

    /// What the samples came to, by route: those after the last reconcile, which looked at everything.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn samples_shown(&self) -> Result<Vec<Sampled>, LedgerError> {
        let from = time(self.env.now() - KEPT);
        self.read("samples_shown", move |connection| {
            connection
                .prepare_cached(
                    "SELECT s.route, coalesce(min(s.at) FILTER (WHERE s.drift > 0), max(s.at)) AS since,
                            sum(s.looked) AS looked, sum(s.drift) AS drift
                     FROM samples s LEFT JOIN reconciles r ON r.route = s.route
                     WHERE s.at >= ?1 AND (r.at IS NULL OR s.at > r.at) GROUP BY s.route ORDER BY s.route",
                )?
                .query_map([from], |row| {
                    Ok(Sampled {
                        route: RouteName(row.get("route")?),
                        since: get_time(row, "since")?,
                        looked: row.get("looked")?,
                        drift: row.get("drift")?,
                    })
                })?
                .collect()
        })
        .await
    }
}
