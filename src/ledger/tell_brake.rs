//! How much the CRM may be told without a person's word.

use super::held_waves::{Brake, COUNTED_FOR, Measured, TOLD, stand, standing};
use super::sql::time;
use super::write_back_take::unapproved;
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use rusqlite::Connection;

/// What may be told without a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TellBrake {
    /// So much at once.
    pub per_run: i64,
    /// So much within 24 hours, if that has a limit.
    pub per_day: Option<i64>,
}

impl Ledger {
    /// Whether more waits to be told to the CRM than may go without a person's word. Where it no longer does, because less
    /// waits or the limit is another one, what waits goes by itself.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub async fn write_back_brake(&self, route: RouteName, limits: TellBrake) -> Result<Brake, LedgerError> {
        let at = self.env.now();
        let known = route.clone();
        let quiet = self.read("write_back_brake_asked", move |connection| {
            let many = to_tell(connection, &known, limits, at)?.many;
            Ok(!many && standing(connection, &known, TOLD)?.is_none())
        });
        if quiet.await? {
            return Ok(Brake::Off);
        }
        self.write("write_back_brake", move |tx| {
            let measured = to_tell(tx, &route, limits, at)?;
            stand(tx, &route, TOLD, measured, at)
        })
        .await
    }
}

fn to_tell(
    connection: &Connection,
    route: &RouteName,
    limits: TellBrake,
    now: Timestamp,
) -> rusqlite::Result<Measured> {
    let count = unapproved(connection, route, &time(now))?;
    let TellBrake { per_run, per_day } = limits;
    let left = match per_day {
        Some(most) if count > 0 => most - told_lately(connection, route, now)?,
        Some(_) | None => i64::MAX,
    };
    let bound = per_run.min(left.max(0));
    Ok(Measured { count, bound, many: count > bound })
}

/// So much was told within a day, since a person last let something go.
fn told_lately(connection: &Connection, route: &RouteName, now: Timestamp) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM write_back_attempts a JOIN routes r ON r.route = a.route
             WHERE a.route = ?1 AND a.outcome = 'done' AND a.at > max(?2, r.write_back_approved)",
        )?
        .query_row((&route.0, time(now - COUNTED_FOR)), |row| row.get(0))
}
