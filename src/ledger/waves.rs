//! Waves: what one run, or one full pass, wants to add or to change on a route. Past the route's limit a
//! wave is held: nothing more of it is sent until a person approves it. Locks belong to no wave.

use super::decisions::Cause;
use super::sql::{get_named, get_time, get_time_opt, time};
use super::{Ledger, LedgerError};
use crate::domain::policy::{WaveKind, WaveState};
use crate::domain::{LinkId, OperationKind, ReasonCode, RouteName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use serde::Serialize;

/// The source of a wave of deletions begins with it.
const DELETIONS: &str = "delete ";

/// A wave for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaveRow {
    /// Its number.
    pub id: i64,
    /// The route.
    pub route: RouteName,
    /// `run:ID` or `pass:ID`.
    pub source: String,
    /// Additions or changes.
    pub kind: WaveKind,
    /// How many operations it brought.
    pub operations: i64,
    /// How many of them wait now.
    pub waiting: i64,
    /// The limit it was measured by.
    pub bound: i64,
    /// Since when.
    pub since: Timestamp,
    /// Where it stands.
    pub state: WaveState,
    /// When a person decided.
    pub decided_at: Option<Timestamp>,
    /// Who.
    pub who: Option<String>,
    /// Why.
    pub text: Option<String>,
}

impl WaveRow {
    /// Whether it wants to delete contacts of records that left.
    pub fn deletes(&self) -> bool {
        self.source.starts_with(DELETIONS)
    }
}

/// What a person says of a wave that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveWord {
    /// It is sent.
    Approve,
    /// What of it waits is put aside until the records change.
    Reject,
}

/// How many records and links a word on a wave concerned; `None`: no wave of this number is held.
pub type WaveDecided = Option<i64>;

impl Ledger {
    /// Waves that wait for a person, oldest first; with `all`, every one that was ever held.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn waves_list(&self, route: Option<RouteName>, all: bool) -> Result<Vec<WaveRow>, LedgerError> {
        self.read("waves_list", move |connection| rows(connection, route.as_ref(), all)).await
    }

    /// Decides about a held wave.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn wave_decide(
        &self,
        wave: i64,
        word: WaveWord,
        who: String,
        text: String,
    ) -> Result<WaveDecided, LedgerError> {
        let now = time(self.env.now());
        self.write("wave_decide", move |tx| {
            let state = match word {
                WaveWord::Approve => WaveState::Approved,
                WaveWord::Reject => WaveState::Rejected,
            };
            let held = tx.execute(
                "UPDATE waves SET state = ?2, decided_at = ?3, who = ?4, text = ?5 WHERE id = ?1 AND state = 'held'",
                (wave, state.as_str(), &now, who, text),
            )?;
            if held == 0 {
                return Ok(None);
            }
            let waiting: i64 = tx.query_row(
                "SELECT count(*) FROM operations WHERE wave_id = ?1 AND state = 'waiting'",
                [wave],
                |row| row.get(0),
            )?;
            if word == WaveWord::Reject {
                tx.execute(
                    "UPDATE operations SET state = 'cancelled', outcome = ?2, finished_at = ?3
                     WHERE wave_id = ?1 AND state = 'waiting'",
                    (wave, ReasonCode::Discarded.as_str(), &now),
                )?;
            }
            Ok(Some(waiting))
        })
        .await
    }
}

/// The wave of an operation about to be queued, counted; `None`: the route has no such limit, a person or
/// a single answer wished it, or it is none that a limit holds.
pub(super) fn join(
    tx: &Transaction<'_>,
    cause: &Cause,
    link: LinkId,
    kind: OperationKind,
) -> rusqlite::Result<Option<i64>> {
    let deletes = kind == OperationKind::Delete;
    let (Some(run), Some(kind)) = (cause.run, wave_kind(kind)) else { return Ok(None) };
    // What a deletion takes does not come back: it has a limit, and a wave, of its own.
    let what = if deletes { "delete" } else { kind.as_str() };
    // What waits for a person does not slip out by being decided once more.
    if let Some(wave) = inherited(tx, cause, link, what)? {
        return Ok(Some(wave));
    }
    let found: Option<(String, Option<i64>, Option<i64>)> = tx
        .prepare_cached(
            "SELECT r.route, CASE ?2 WHEN 'new' THEN r.max_new_per_run WHEN 'delete' THEN r.max_deleted_per_run
                           ELSE r.max_changed_per_run END,
                    (SELECT pass_id FROM runs WHERE id = ?3)
             FROM links l JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row((link.0, what, run.0), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((route, Some(bound), pass)) = found else { return Ok(None) };
    let source = pass.map_or_else(|| format!("run:{run}"), |pass| format!("pass:{pass}"));
    let source = if deletes { format!("{DELETIONS}{source}") } else { source };
    counted(tx, cause, &Wave { route, source, kind, bound }).map(Some)
}

/// What an operation is counted under.
struct Wave {
    route: String,
    source: String,
    kind: WaveKind,
    bound: i64,
}

/// The number of the wave that is still open or held; where the last one of this source was decided about, a new
/// one: a person's word holds for what was there when it was given.
fn counted(tx: &Transaction<'_>, cause: &Cause, wave: &Wave) -> rusqlite::Result<i64> {
    let grown: Option<i64> = tx
        .prepare_cached(
            "UPDATE waves SET operations = operations + 1,
                    state = CASE WHEN operations + 1 > bound THEN 'held' ELSE state END
             WHERE route = ?1 AND kind = ?3 AND state IN ('open', 'held') AND (source = ?2 OR source LIKE ?2 || '#%')
             RETURNING id",
        )?
        .query_row((&wave.route, &wave.source, wave.kind.as_str()), |row| row.get(0))
        .optional()?;
    if let Some(id) = grown {
        return Ok(id);
    }
    tx.prepare_cached(
        "INSERT INTO waves (route, source, kind, operations, bound, since, state)
         SELECT ?1, CASE count(*) WHEN 0 THEN ?2 ELSE ?2 || '#' || (count(*) + 1) END, ?3, 1, ?4, ?5,
                CASE WHEN 1 > ?4 THEN 'held' ELSE 'open' END
         FROM waves WHERE route = ?1 AND kind = ?3 AND (source = ?2 OR source LIKE ?2 || '#%')
         RETURNING id",
    )?
    .query_row((&wave.route, &wave.source, wave.kind.as_str(), wave.bound, time(cause.at)), |row| row.get(0))
}

fn wave_kind(kind: OperationKind) -> Option<WaveKind> {
    match kind {
        OperationKind::Import => Some(WaveKind::New),
        OperationKind::Update | OperationKind::Unlock | OperationKind::Delete => Some(WaveKind::Changed),
        OperationKind::Lock | OperationKind::Reset => None,
    }
}

/// The wave of the operation whose place the new one takes, unsent. A held one is never left; an approved one
/// only by this very decision, because a word does not hold for what comes back months later; an open one where
/// the decision is only made anew before sending, so that many small runs are not taken for a flood.
fn inherited(tx: &Transaction<'_>, cause: &Cause, link: LinkId, what: &str) -> rusqlite::Result<Option<i64>> {
    let before: Option<(Option<i64>, bool)> = tx
        .prepare_cached(
            "SELECT o.wave_id, o.state = 'superseded'
                    AND CASE w.state WHEN 'held' THEN 1
                                     WHEN 'approved' THEN o.finished_at = ?3
                                     WHEN 'open' THEN o.finished_at = ?3
                                          AND (SELECT cause FROM runs WHERE id = ?4) = 'refresh'
                                     ELSE 0 END
             FROM operations o LEFT JOIN waves w ON w.id = o.wave_id
             WHERE o.link_id = ?1 AND CASE ?2 WHEN 'new' THEN o.kind = 'import' WHEN 'delete' THEN o.kind = 'delete'
                       ELSE o.kind IN ('update', 'unlock') END
             ORDER BY o.generation DESC, o.id DESC LIMIT 1",
        )?
        .query_row((link.0, what, time(cause.at), cause.run.map(|run| run.0)), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(before.and_then(|(wave, takes_over)| wave.filter(|_| takes_over)))
}

/// The waves of a route that need approval, oldest first.
pub(super) fn held(connection: &Connection, route: &RouteName) -> rusqlite::Result<Vec<WaveRow>> {
    rows(connection, Some(route), false)
}

fn rows(connection: &Connection, route: Option<&RouteName>, all: bool) -> rusqlite::Result<Vec<WaveRow>> {
    connection
        .prepare_cached(
            "SELECT w.*, (SELECT count(*) FROM operations o WHERE o.wave_id = w.id AND o.state = 'waiting') AS waiting
             FROM waves w
             WHERE (w.state = 'held' OR ?2 AND w.state <> 'open') AND (?1 IS NULL OR w.route = ?1)
             ORDER BY w.id",
        )?
        .query_map((route.map(|route| &route.0), all), wave_row)?
        .collect()
}

fn wave_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<WaveRow> {
    Ok(WaveRow {
        id: row.get("id")?,
        route: RouteName(row.get("route")?),
        source: row.get("source")?,
        kind: get_named(row, "kind", WaveKind::parse)?,
        operations: row.get("operations")?,
        waiting: row.get("waiting")?,
        bound: row.get("bound")?,
        since: get_time(row, "since")?,
        state: get_named(row, "state", WaveState::parse)?,
        decided_at: get_time_opt(row, "decided_at")?,
        who: row.get("who")?,
        text: row.get("text")?,
    })
}
