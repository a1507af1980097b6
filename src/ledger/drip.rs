//! The drip: how many contacts a route may still import today.

use super::sql::{json, time};
use crate::domain::{RouteName, Timestamp};
use rusqlite::Connection;
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
            Ok((drip.route.clone(), i64::from(drip.most) - sent))
        })
        .collect()
}

/// The routes that have none left, as a JSON list.
pub(super) fn full_today(left: &LeftToday) -> rusqlite::Result<String> {
    let full: Vec<&str> =
        left.iter().filter(|(_, left)| **left <= 0).map(|(route, _)| route.as_str()).collect();
    json(&full)
}
