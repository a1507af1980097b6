//! What an operation of somebody's story waits for: the same order in which `acts` asks, in words.

use super::sql::{get_named, get_time, time};
use crate::domain::operation::named_enum;
use crate::domain::{OperationKind, Timestamp};
use rusqlite::{Connection, named_params};
use serde::{Deserialize, Serialize};
use std::fmt;

named_enum! {
    /// What holds an operation that waits.
    WaitsFor {
        /// The ledger, or a side, is not what it was.
        Takeover = "takeover",
        /// Everything is frozen.
        Thaw = "thaw",
        /// A block list of its client is being taken: it may say no to this very contact.
        List = "list",
        /// A systemic failure stopped its route.
        Stopped = "stopped",
        /// Its route is dry.
        Dry = "dry",
        /// Its route is paused.
        Paused = "paused",
        /// Its route is a pilot, and this record is none of it.
        Pilot = "pilot",
        /// Its wave needs approval.
        Approval = "approval",
        /// A deletion, or the reset of who is back: its contact's calls are to come to rest, and to be read.
        Calls = "calls",
        /// It is tried again later.
        Later = "later",
        /// Another operation of the same contact goes first.
        Turn = "turn",
        /// Nothing but the next push, or the next day where the day's limit is reached.
        Push = "push",
    }
}

/// An operation that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its number.
    pub operation: i64,
    /// What it would do.
    pub kind: OperationKind,
    /// What for.
    pub waits_for: WaitsFor,
    /// When it is tried at the earliest.
    pub not_before: Timestamp,
    /// Its wave, if that needs approval.
    pub wave: Option<i64>,
}

const WAITING: &str = "
    SELECT o.id, o.kind, o.not_before, CASE w.state WHEN 'held' THEN w.id END AS wave,
           CASE WHEN o.kind <> 'lock' AND EXISTS (SELECT 1 FROM differences x WHERE x.ended_at IS NULL) THEN 'takeover'
                WHEN EXISTS (SELECT 1 FROM freezes f WHERE f.ended_at IS NULL AND (f.until IS NULL OR f.until > :now)
                             AND (o.kind <> 'lock' OR f.even_locks)) THEN 'thaw'
                WHEN o.kind NOT IN ('lock', 'delete') AND EXISTS (SELECT 1 FROM block_files t
                     WHERE t.taking_since IS NOT NULL AND (t.client = l.client OR l.route IS NULL)) THEN 'list'
                WHEN o.kind <> 'lock' AND o.cause NOT LIKE 'person:%' AND r.stopped IS NOT NULL THEN 'stopped'
                WHEN o.kind <> 'lock' AND o.cause NOT LIKE 'person:%' AND r.state IN ('dry', 'paused') THEN r.state
                WHEN o.kind <> 'lock' AND o.cause NOT LIKE 'person:%' AND r.state = 'pilot' AND NOT EXISTS
                     (SELECT 1 FROM pilots p WHERE p.route = l.route AND p.record_id = l.record_id) THEN 'pilot'
                WHEN o.cause NOT LIKE 'person:%' AND w.state = 'held' AND (r.state IS NOT 'pilot' OR o.kind = 'lock') THEN 'approval'
                WHEN o.not_before > :now AND o.calls_rest IS NOT NULL THEN 'calls'
                WHEN o.not_before > :now THEN 'later'
                WHEN EXISTS (SELECT 1 FROM operations b WHERE b.link_id = o.link_id AND b.id <> o.id
                             AND (b.state IN ('sending', 'uncertain')
                                  OR b.state = 'waiting' AND b.kind = 'reset' AND o.kind <> 'lock'
                                     AND o.cause NOT LIKE 'person:%' AND (b.generation, b.id) < (o.generation, o.id)))
                    THEN 'turn'
                ELSE 'push' END AS waits_for
    FROM operations o JOIN links l ON l.id = o.link_id LEFT JOIN routes r ON r.route = l.route
         LEFT JOIN waves w ON w.id = o.wave_id
    WHERE o.link_id = :link AND o.state = 'waiting' ORDER BY o.generation, o.id";

/// What of a link waits, and what for.
pub(super) fn of_link(connection: &Connection, link: i64, now: Timestamp) -> rusqlite::Result<Vec<Waiting>> {
    connection
        .prepare_cached(WAITING)?
        .query_map(named_params! { ":link": link, ":now": time(now) }, |row| {
            Ok(Waiting {
                operation: row.get("id")?,
                kind: get_named(row, "kind", OperationKind::parse)?,
                waits_for: get_named(row, "waits_for", WaitsFor::parse)?,
                not_before: get_time(row, "not_before")?,
                wave: row.get("wave")?,
            })
        })?
        .collect()
}
