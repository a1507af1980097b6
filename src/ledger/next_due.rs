//! When there is something to be sent next: what the push is woken for.

use super::sql::{parse_time, time};
use super::{Ledger, LedgerError};
use crate::domain::Timestamp;

impl Ledger {
    /// When the next operation may be sent, asked about, or a lock repeated, later than `after`; `None`:
    /// nothing is to be waited for. What was due by then and was not sent waits in vain (for its lane, for a
    /// campaign, for a side that is down), and must not hide what comes next.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn operations_next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
        let due: Option<String> = self
            .read("operations_next_due", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT min(at) FROM (
                            SELECT min(not_before) AS at FROM operations o
                                JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
                                WHERE o.state = 'waiting' AND o.not_before > ?1 AND (o.kind = 'lock' OR o.cause LIKE 'person:%'
                                    OR l.route IS NULL OR (r.state IN ('on', 'pilot') AND r.stopped IS NULL))
                            UNION ALL
                            SELECT min(settle_at) FROM operations WHERE state = 'uncertain' AND settle_at > ?1)",
                    )?
                    .query_row([time(after)], |row| row.get(0))
            })
            .await?;
        Ok(due.as_deref().and_then(parse_time))
    }
}
