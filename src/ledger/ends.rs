//! What became of a route's last operations: the window of the systemic brake. It is read from the ledger,
//! so that it outlives a run: five rejections a minute are as many as three hundred in an hour.

use super::sql::get_reason;
use super::{Ledger, LedgerError};
use crate::domain::{OperationId, ReasonCode, RouteName};

/// How one operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastEnd {
    /// The dialler took it.
    Accepted,
    /// The dialler rejected it, and it is still parked for that.
    Rejected {
        /// The operation.
        id: OperationId,
        /// The HTTP status.
        status: String,
        /// The server's own words.
        text: String,
    },
}

impl Ledger {
    /// The last operations of a route that the dialler took or rejected, newest first, locks left out. What
    /// was parked and waits again, or was replaced, counts no more; nor does a rejection whose words are erased by now, because
    /// nobody can tell which others were for the same reason.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn route_last_ends(&self, route: RouteName, most: u32) -> Result<Vec<LastEnd>, LedgerError> {
        self.read("route_last_ends", move |connection| {
            connection
                .prepare_cached(
                    "SELECT o.id, o.state, o.outcome, o.outcome_params
                     FROM operations o JOIN links l ON l.id = o.link_id
                     WHERE o.state IN ('done', 'parked') AND o.kind <> 'lock' AND l.route = ?1
                       AND (o.state = 'done' OR o.outcome = ?2 AND json_extract(o.outcome_params, '$.text') IS NOT '(erased)')
                     ORDER BY o.finished_at DESC, o.id DESC LIMIT ?3",
                )?
                .query_map((&route.0, ReasonCode::Rejected.as_str(), most), |row| {
                    if row.get::<_, String>("state")? == "done" {
                        return Ok(LastEnd::Accepted);
                    }
                    let reason = get_reason(row, "outcome", "outcome_params")?;
                    let param = |name: &str| reason.params.get(name).cloned().unwrap_or_default();
                    Ok(LastEnd::Rejected {
                        id: OperationId(row.get("id")?),
                        status: param("status"),
                        text: param("text"),
                    })
                })?
                .collect()
        })
        .await
    }
}
