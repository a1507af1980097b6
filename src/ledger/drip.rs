//! The drip: how many contacts a route may still import or change today.
//!
//! An operation whose decision is too old is not sent but decided anew, and takes nothing of the day. So only as many of
//! those are taken as the fresh ones leave room for: else every page would have the next ones read again, and in the end
//! all that wait, for the few that may go.

use super::acts::{acts, day};
use super::leased::Leased;
use super::sql::{json, time};
use super::{Ledger, LedgerError};
use crate::domain::policy::WaveKind;
use crate::domain::{OperationKind, RouteName, Timestamp};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use std::collections::BTreeMap;

/// One limit of a route's day: what is beyond `most` waits for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drip {
    /// The route.
    pub route: RouteName,
    /// Additions or changes.
    pub kind: WaveKind,
    /// When its day began.
    pub since: Timestamp,
    /// So many a day.
    pub most: u32,
    /// What was decided before is decided anew before it is sent.
    pub fresh_since: Timestamp,
}

/// A day's limit that is reached while something waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayFull {
    /// The route.
    pub route: RouteName,
    /// Additions or changes.
    pub kind: WaveKind,
    /// So many a day.
    pub most: u32,
    /// So many wait for the next one.
    pub waiting: i64,
}

/// Under which a limit stands in the statements: what `day!` makes of an operation.
type Key = String;

fn key(route: &RouteName, kind: WaveKind) -> Key {
    format!("{kind} {route}", route = route.0)
}

/// How many each daily limit leaves.
pub(super) type LeftToday = BTreeMap<Key, i64>;

const SENT_NEW: &str = "
    SELECT count(*) FROM operations o JOIN links l ON l.id = o.link_id
    WHERE o.kind = 'import' AND o.leased_at >= ?2 AND l.route = ?1 AND o.state IN ('sending', 'uncertain', 'done')";

const SENT_CHANGED: &str = "
    SELECT count(*) FROM operations o JOIN links l ON l.id = o.link_id
    WHERE o.kind IN ('update', 'unlock') AND o.leased_at >= ?2 AND l.route = ?1 AND o.wave_id IS NOT NULL
      AND o.state IN ('sending', 'uncertain', 'done')";

pub(super) fn left_today(tx: &Connection, drips: &[Drip]) -> rusqlite::Result<LeftToday> {
    let left = |drip: &Drip| {
        let sql = match drip.kind {
            WaveKind::New => SENT_NEW,
            WaveKind::Changed => SENT_CHANGED,
        };
        let sent: i64 =
            tx.prepare_cached(sql)?.query_row((&drip.route.0, time(drip.since)), |row| row.get(0))?;
        Ok((key(&drip.route, drip.kind), (i64::from(drip.most) - sent).max(0)))
    };
    drips.iter().map(left).collect()
}

/// The daily limits that are reached, as a JSON list.
pub(super) fn full_today(left: &LeftToday) -> rusqlite::Result<String> {
    let full: Vec<&Key> = left.iter().filter(|(_, left)| **left <= 0).map(|(key, _)| key).collect();
    json(&full)
}

impl Ledger {
    /// The daily limits that are reached while something that could leave otherwise waits.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn days_full(&self, drips: Vec<Drip>) -> Result<Vec<DayFull>, LedgerError> {
        let now = time(self.env.now());
        self.read("days_full", move |connection| {
            let left = left_today(connection, &drips)?;
            let mut count = connection.prepare_cached(WAITING)?;
            let mut full = Vec::new();
            for Drip { route, kind, most, .. } in drips {
                let key = key(&route, kind);
                if left.get(&key) != Some(&0) {
                    continue;
                }
                let params = named_params! { ":key": key, ":now": now, ":full": "[]" };
                let waiting = count.query_row(params, |row| row.get(0))?;
                if waiting > 0 {
                    full.push(DayFull { route, kind, most, waiting });
                }
            }
            Ok(full)
        })
        .await
    }
}

const WAITING: &str = concat!(
    "SELECT count(*) FROM operations o JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
     WHERE o.state = 'waiting' AND o.cause NOT LIKE 'person:%' AND ",
    day!(),
    " = :key AND ",
    acts!()
);

/// What a lease may take today of what a daily limit counts. What is put back is not given back: the next pass
/// counts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    left: LeftToday,
    old: LeftToday,
    fresh_since: BTreeMap<Key, Timestamp>,
}

/// What needs no new decision, or waits for its; no more than count.
const FRESH: &str = concat!(
    "SELECT count(*) FROM (SELECT 1 FROM operations o
        JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
        WHERE l.route = :route AND o.state = 'waiting' AND ",
    day!(),
    " = :key AND o.cause NOT LIKE 'person:%'
          AND (o.decided_at >= :fresh OR o.not_before > :now) AND ",
    acts!(),
    " LIMIT :left)"
);

impl Today {
    pub(super) fn read(tx: &Connection, drips: &[Drip], now: Timestamp) -> rusqlite::Result<Self> {
        let left = left_today(tx, drips)?;
        let mut count = tx.prepare_cached(FRESH)?;
        let mut old = LeftToday::new();
        for Drip { route, kind, fresh_since, .. } in drips {
            let key = key(route, *kind);
            let Some(left) = left.get(&key).filter(|left| **left > 0) else { continue };
            let fresh: i64 = count.query_row(
                named_params! {
                    ":route": route.0, ":key": key, ":fresh": time(*fresh_since), ":now": time(now), ":full": "[]",
                    ":left": left,
                },
                |row| row.get(0),
            )?;
            let rest = (left - fresh).max(0);
            old.insert(key, rest);
        }
        let fresh_since = drips.iter().map(|drip| (key(&drip.route, drip.kind), drip.fresh_since)).collect();
        Ok(Self { left, old, fresh_since })
    }

    /// The daily limits that are reached, as a JSON list.
    pub(super) fn full(&self) -> rusqlite::Result<String> {
        full_today(&self.left)
    }

    /// The daily limits under which nothing may be taken that is too old, each with since when one is not, as a JSON
    /// object.
    pub(super) fn full_of_old(&self) -> rusqlite::Result<String> {
        let full = self.fresh_since.iter().filter(|(key, _)| self.old.get(*key) == Some(&0));
        json(&full.map(|(key, since)| (key, time(*since))).collect::<BTreeMap<_, _>>())
    }

    /// Whether the day has room for it.
    pub(super) fn has_room(&self, operation: &Leased) -> bool {
        let Some(key) = counted(operation) else { return true };
        let room = |left: &LeftToday| left.get(&key) != Some(&0);
        room(&self.left) && (self.is_fresh(&key, operation) || room(&self.old))
    }

    fn is_fresh(&self, key: &Key, operation: &Leased) -> bool {
        self.fresh_since.get(key).is_none_or(|since| operation.decided_at >= *since)
    }

    /// It is leased.
    pub(super) fn take(&mut self, operation: &Leased) {
        let Some(key) = counted(operation) else { return };
        let less = |left: &mut LeftToday| {
            if let Some(left) = left.get_mut(&key) {
                *left = (*left - 1).max(0);
            }
        };
        less(&mut self.left);
        if !self.is_fresh(&key, operation) {
            less(&mut self.old);
        }
    }
}

/// The limit for which it counts.
fn counted(operation: &Leased) -> Option<Key> {
    let route = operation.route.as_ref().filter(|_| !operation.by_hand)?;
    let kind = match (operation.kind, operation.in_wave) {
        (OperationKind::Import, _) => WaveKind::New,
        (OperationKind::Update | OperationKind::Unlock, true) => WaveKind::Changed,
        (OperationKind::Update | OperationKind::Unlock, false) => return None,
        (OperationKind::Lock | OperationKind::Reset | OperationKind::Delete, _) => return None,
    };
    Some(key(route, kind))
}
