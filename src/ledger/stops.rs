//! Why a route is stopped: one reason, whose change is judged in the same transaction.

use super::sql::{self, get_reason_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::{Reason, RouteName};
use rusqlite::OptionalExtension as _;

/// What becomes of a route's stop.
#[derive(Debug)]
pub enum StopChange {
    /// It stays as it is.
    Stays,
    /// It is stopped for this; `None`: no more.
    To(Option<Reason>),
}

impl Ledger {
    /// A systemic failure stops the route (it sends nothing but locks), or its end lets it go on.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_set_stopped(
        &self,
        route: RouteName,
        reason: Option<Reason>,
    ) -> Result<(), LedgerError> {
        self.route_judge_stop(route, |_| StopChange::To(reason)).await
    }

    /// The same for who must first know why it is stopped now; nobody else stops it meanwhile.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn route_judge_stop(
        &self,
        route: RouteName,
        judge: impl FnOnce(Option<&Reason>) -> StopChange + Send + 'static,
    ) -> Result<(), LedgerError> {
        let now = time(self.env.now());
        self.write("route_judge_stop", move |tx| {
            let standing = tx
                .prepare_cached("SELECT stopped, stopped_params FROM routes WHERE route = ?1")?
                .query_row([&route.0], |row| get_reason_opt(row, "stopped", "stopped_params"))
                .optional()?
                .flatten();
            let StopChange::To(reason) = judge(standing.as_ref()) else { return Ok(()) };
            let (code, params, since) = match &reason {
                Some(reason) => (Some(sql::code(reason)), reason.params_json(), Some(now)),
                None => (None, "{}".to_owned(), None),
            };
            // A stop that goes on keeps its beginning.
            tx.prepare_cached(
                "UPDATE routes SET stopped_since = CASE WHEN ?2 IS NOT NULL AND stopped IS ?2 THEN stopped_since
                                                        ELSE ?4 END,
                        stopped = ?2, stopped_params = ?3
                 WHERE route = ?1",
            )?
            .execute((route.0, code, params, since))?;
            Ok(())
        })
        .await
    }
}
