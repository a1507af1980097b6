//! Whom an import met where nobody should have been (semantics 5), for people.

use super::sql::{get_time, time};
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use chrono::TimeDelta;
use serde::Serialize;

/// Contacts of one route that were there before their import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverwrittenCount {
    /// The route.
    pub route: RouteName,
    /// How many.
    pub count: i64,
    /// The key of one of them.
    pub example: String,
    /// When the first of them was met.
    pub since: Timestamp,
}

impl Ledger {
    /// What imports of the last `within` met, by route.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn overwritten_counts(&self, within: TimeDelta) -> Result<Vec<OverwrittenCount>, LedgerError> {
        let from = time(self.env.now() - within);
        self.read("overwritten_counts", move |connection| {
            connection
                .prepare_cached(
                    "SELECT l.route, count(DISTINCT l.id) AS n, min(l.user_data) AS example, min(o.finished_at) AS since
                     FROM links l JOIN operations o ON o.link_id = l.id
                     WHERE l.overwritten = 1 AND l.route IS NOT NULL
                       AND o.outcome = 'overwritten' AND o.finished_at >= ?1
                     GROUP BY l.route ORDER BY l.route",
                )?
                .query_map([from], |row| {
                    Ok(OverwrittenCount {
                        route: RouteName(row.get("route")?),
                        count: row.get("n")?,
                        example: row.get::<_, Option<String>>("example")?.unwrap_or_default(),
                        since: get_time(row, "since")?,
                    })
                })?
                .collect()
        })
        .await
    }
}
