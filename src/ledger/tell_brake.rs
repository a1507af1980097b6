//! How much the CRM may be told without a person's word.

use super::held_waves::{Brake, COUNTED_FOR, Measured, TOLD, stand, standing};
use super::sql::time;
use super::waves::share;
use super::write_back_take::unapproved;
use super::{Ledger, LedgerError};
use crate::domain::{RouteName, Timestamp};
use rusqlite::Connection;

/// What may be told without a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TellBrake {
    /// So much at once.
    pub per_run: i64,
    /// So much within 24 hours, if that has a limit; objections are not counted.
    pub per_day: Option<i64>,
    /// So much at once in a hundred of the route's contacts, if that has a limit.
    pub percent: Option<i64>,
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
    let TellBrake { per_run, per_day, percent } = limits;
    let left = match per_day {
        Some(most) if count > 0 => most - told_lately(connection, route, now)?,
        Some(_) | None => i64::MAX,
    };
    let at_once = if count > 0 { share(connection, &route.0, per_run, percent)? } else { per_run };
    let bound = at_once.min(left.max(0));
    Ok(Measured { count, bound, many: count > bound })
}

/// So much was told within a day, since a person last let something go.
fn told_lately(connection: &Connection, route: &RouteName, now: Timestamp) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM write_back_attempts a JOIN routes r ON r.route = a.route
             WHERE a.route = ?1 AND a.outcome = 'done' AND a.of_objection = 0 AND a.at > max(?2, r.write_back_approved)",
        )?
        .query_row((&route.0, time(now - COUNTED_FOR)), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::super::write_back::want_fields;
    use super::*;
    use crate::domain::{Activities, Shapes};
    use crate::ledger::testing::scene;

    #[tokio::test(start_paused = true)]
    async fn what_is_told_at_once_has_a_share_where_the_config_gives_one_and_a_few_are_never_too_many() {
        let scene = scene().await;
        let route = || scene.route.clone();
        scene.ledger.write_back_set(route(), Shapes::Fields, Activities::Change).await.expect("a beginning");
        let mut links = Vec::new();
        for id in 1..=80 {
            links.push(scene.link(&id.to_string(), Some(100 + id), &[]).await);
        }
        let want = async |links: &[crate::domain::LinkId]| {
            let (now, links) = (scene.ledger.env.now(), links.to_vec());
            let wanted = scene
                .ledger
                .write("test_want", move |tx| links.iter().try_for_each(|link| want_fields(tx, *link, now)));
            wanted.await.expect("wanted");
        };
        let asked = async |percent| {
            let most = TellBrake { per_run: 100, per_day: None, percent };
            scene.ledger.write_back_brake(route(), most).await.expect("a brake")
        };
        want(&links[..20]).await;
        assert_eq!(asked(Some(1)).await, Brake::Off, "a few are never too many");
        want(&links[20..41]).await;
        assert_eq!(asked(None).await, Brake::Off);
        assert!(matches!(asked(Some(50)).await, Brake::Holds { count: 41, new: true, .. }), "more than half");
        assert_eq!(asked(Some(52)).await, Brake::Off, "no longer too many");
    }
}
