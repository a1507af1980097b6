//! The drip: how many contacts a route may still import today.
//!
//! An import whose decision is too old is not sent but decided anew, and takes nothing of the day. So only as many of
//! those are taken as the fresh ones leave room for: else every page would have the next ones read again, and in the end
//! all that wait, for the few that may go.

use super::acts::acts;
use super::leased::Leased;
use super::sql::{json, time};
use crate::domain::{OperationKind, RouteName, Timestamp};
use rusqlite::{Connection, named_params};
use std::collections::BTreeMap;

/// A route's day: what is imported beyond `most` waits for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drip {
    /// The route.
    pub route: RouteName,
    /// When its day began.
    pub since: Timestamp,
    /// So many imports a day.
    pub most: u32,
    /// What was decided before is decided anew before it is sent.
    pub fresh_since: Timestamp,
}

/// How many imports each route with a daily limit has left.
pub(super) type LeftToday = BTreeMap<RouteName, i64>;

pub(super) fn left_today(tx: &Connection, drips: &[Drip]) -> rusqlite::Result<LeftToday> {
    let mut count = tx.prepare_cached(
        "SELECT count(*) FROM operations o JOIN links l ON l.id = o.link_id
         WHERE o.kind = 'import' AND o.leased_at >= ?2 AND l.route = ?1 AND o.state IN ('sending', 'uncertain', 'done')",
    )?;
    drips
        .iter()
        .map(|drip| {
            let sent: i64 = count.query_row((&drip.route.0, time(drip.since)), |row| row.get(0))?;
            Ok((drip.route.clone(), (i64::from(drip.most) - sent).max(0)))
        })
        .collect()
}

/// The routes that have none left, as a JSON list.
pub(super) fn full_today(left: &LeftToday) -> rusqlite::Result<String> {
    let full: Vec<&str> =
        left.iter().filter(|(_, left)| **left <= 0).map(|(route, _)| route.as_str()).collect();
    json(&full)
}

/// What a lease may take of imports today.
pub(super) struct Today {
    left: LeftToday,
    old: LeftToday,
    fresh_since: BTreeMap<RouteName, Timestamp>,
}

/// Imports of a route that need no new decision, or wait for theirs; no more than count.
const FRESH: &str = concat!(
    "SELECT count(*) FROM (SELECT 1 FROM operations o
        JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
        WHERE l.route = :route AND o.state = 'waiting' AND o.kind = 'import' AND o.cause NOT LIKE 'person:%'
          AND (o.decided_at >= :fresh OR o.not_before > :now) AND ",
    acts!(),
    " LIMIT :left)"
);

impl Today {
    pub(super) fn read(tx: &Connection, drips: &[Drip], now: Timestamp) -> rusqlite::Result<Self> {
        let left = left_today(tx, drips)?;
        let mut count = tx.prepare_cached(FRESH)?;
        let mut old = LeftToday::new();
        for Drip { route, fresh_since, .. } in drips {
            let Some(left) = left.get(route).filter(|left| **left > 0) else { continue };
            let fresh: i64 = count.query_row(
                named_params! {
                    ":route": route.0, ":fresh": time(*fresh_since), ":now": time(now), ":full": "[]", ":left": left,
                },
                |row| row.get(0),
            )?;
            old.insert(route.clone(), (left - fresh).max(0));
        }
        let fresh_since = drips.iter().map(|drip| (drip.route.clone(), drip.fresh_since)).collect();
        Ok(Self { left, old, fresh_since })
    }

    /// The routes that have no import left, as a JSON list.
    pub(super) fn full(&self) -> rusqlite::Result<String> {
        full_today(&self.left)
    }

    /// The routes of which no import may be taken that is too old, each with since when one is not, as a JSON object.
    pub(super) fn full_of_old(&self) -> rusqlite::Result<String> {
        let full = self.fresh_since.iter().filter(|(route, _)| self.old.get(*route) == Some(&0));
        json(&full.map(|(route, since)| (route.as_str(), time(*since))).collect::<BTreeMap<_, _>>())
    }

    /// Whether the day has room for it.
    pub(super) fn has_room(&self, operation: &Leased) -> bool {
        let room = |left: &LeftToday| counted(operation).is_none_or(|route| left.get(route) != Some(&0));
        room(&self.left) && (self.is_fresh(operation) || room(&self.old))
    }

    fn is_fresh(&self, operation: &Leased) -> bool {
        let since = operation.route.as_ref().and_then(|route| self.fresh_since.get(route));
        since.is_none_or(|since| operation.decided_at >= *since)
    }

    /// It is leased.
    pub(super) fn take(&mut self, operation: &Leased) {
        let Some(route) = counted(operation) else { return };
        let less = |left: &mut LeftToday| {
            if let Some(left) = left.get_mut(route) {
                *left = (*left - 1).max(0);
            }
        };
        less(&mut self.left);
        if !self.is_fresh(operation) {
            less(&mut self.old);
        }
    }
}

/// The route whose day it counts for.
fn counted(operation: &Leased) -> Option<&RouteName> {
    operation.route.as_ref().filter(|_| operation.kind == OperationKind::Import && !operation.by_hand)
}
