//! Full passes: walks over a whole object, beside the ordinary pulls, with a place that survives restarts.

use super::sql::{get_named, get_time, time};
use super::unseen::{self, PassEnd};
use super::{Ledger, LedgerError};
use crate::domain::policy::PassReason;
use crate::domain::{ReasonCode, RecordId, RouteName, RunId, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};

/// A full pass under way.
#[derive(Debug, Clone, PartialEq)]
pub struct PassRow {
    /// Its number.
    pub id: i64,
    /// The route's revision when it began: under another one it begins again.
    pub revision: String,
    /// Why it began.
    pub why: PassReason,
    /// When.
    pub began_at: Timestamp,
    /// Where the next page begins; `None`: at the beginning.
    pub token: Option<String>,
    /// Where it goes on listening for objections, while a fault of many records holds its place.
    pub heard: Option<String>,
}

impl Ledger {
    /// The pass under way.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn pass_open(&self, route: RouteName) -> Result<Option<PassRow>, LedgerError> {
        self.read("pass_open", move |connection| {
            connection
                .prepare_cached("SELECT * FROM full_passes WHERE route = ?1 AND state = 'open'")?
                .query_row([route.0], pass_row)
                .optional()
        })
        .await
    }

    /// When the last pass of a route came to its end.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn pass_last_end(&self, route: RouteName) -> Result<Option<Timestamp>, LedgerError> {
        let end: Option<String> = self
            .read("pass_last_end", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT max(finished_at) FROM full_passes WHERE route = ?1 AND state = 'done'",
                    )?
                    .query_row([route.0], |row| row.get(0))
            })
            .await?;
        Ok(end.as_deref().and_then(super::sql::parse_time))
    }

    /// Begins a pass; one that is under way is replaced. What a changed condition locks, deletes or resets waits for a person also
    /// where somebody asks for everything once more before that pass came to its end: it stays the pass of that change.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn pass_begin(
        &self,
        route: RouteName,
        revision: String,
        why: PassReason,
    ) -> Result<PassRow, LedgerError> {
        let now = self.env.now();
        self.write("pass_begin", move |tx| begin(tx, now, &route, &revision, why)).await
    }

    /// A page of the pass is stored, which showed these: the next one begins here; `None`: that was the last, and what
    /// its end says is answered.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn pass_move(
        &self,
        pass: i64,
        next: Option<String>,
        seen: Vec<RecordId>,
    ) -> Result<Option<PassEnd>, LedgerError> {
        let now = self.env.now();
        self.write("pass_move", move |tx| {
            tx.prepare_cached(
                "UPDATE full_passes SET token = ?2, heard = NULL, pages = pages + 1,
                        state = CASE WHEN ?2 IS NULL THEN 'done' ELSE state END,
                        finished_at = CASE WHEN ?2 IS NULL THEN ?3 END
                 WHERE id = ?1 AND state = 'open'",
            )?
            .execute((pass, &next, time(now)))?;
            unseen::note(tx, pass, &seen)?;
            if next.is_none() { unseen::end(tx, pass, now).map(Some) } else { Ok(None) }
        })
        .await
    }

    /// Its place is held by a fault of many records; it listens for objections from here on. `None`: the whole
    /// object was heard, and it listens from its place again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn pass_heard(&self, pass: i64, next: Option<String>) -> Result<(), LedgerError> {
        self.write("pass_heard", move |tx| {
            tx.prepare_cached("UPDATE full_passes SET heard = ?2 WHERE id = ?1 AND state = 'open'")?
                .execute((pass, next))?;
            Ok(())
        })
        .await
    }

    /// The pass begins at its beginning again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn pass_rewind(&self, pass: i64) -> Result<(), LedgerError> {
        self.write("pass_rewind", move |tx| {
            tx.prepare_cached(
                "UPDATE full_passes SET token = NULL, heard = NULL WHERE id = ?1 AND state = 'open'",
            )?
            .execute([pass])?;
            Ok(())
        })
        .await
    }

    /// The run reads for this pass: what it brings belongs to the pass's wave.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn run_joins_pass(&self, run: RunId, pass: i64) -> Result<(), LedgerError> {
        self.write("run_joins_pass", move |tx| {
            tx.prepare_cached("UPDATE runs SET pass_id = ?2 WHERE id = ?1")?.execute((run.0, pass))?;
            Ok(())
        })
        .await
    }
}

fn begin(
    tx: &Transaction<'_>,
    now: Timestamp,
    route: &RouteName,
    revision: &str,
    why: PassReason,
) -> rusqlite::Result<PassRow> {
    let of_a_change: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM full_passes WHERE route = ?1 AND state = 'open' AND revision = ?2 AND why = ?3)",
        )?
        .query_row((&route.0, revision, PassReason::Revision.as_str()), |row| row.get(0))?;
    let why = if of_a_change { PassReason::Revision } else { why };
    tx.prepare_cached(
        "DELETE FROM pass_seen WHERE pass_id IN (SELECT id FROM full_passes WHERE route = ?1 AND state = 'open')",
    )?
    .execute([&route.0])?;
    tx.prepare_cached(
        "UPDATE full_passes SET state = 'replaced', finished_at = ?2 WHERE route = ?1 AND state = 'open'",
    )?
    .execute((&route.0, time(now)))?;
    tx.prepare_cached(
        "INSERT INTO full_passes (route, revision, why, began_at, state) VALUES (?1, ?2, ?3, ?4, 'open') RETURNING *",
    )?
    .query_row((&route.0, revision, why.as_str(), time(now)), pass_row)
}

/// A route leaves `dry`: what it decided is not replayed but decided anew, by a pass over everything.
/// `false`: it was never read, so nothing was decided, and its first pull reads everything anyway.
pub(super) fn decide_anew(tx: &Transaction<'_>, now: Timestamp, route: &RouteName) -> rusqlite::Result<bool> {
    let revision: Option<String> = tx
        .prepare_cached("SELECT revision FROM routes WHERE route = ?1")?
        .query_row([&route.0], |row| row.get(0))?;
    let Some(revision) = revision else { return Ok(false) };
    // Without its hash a record counts as changed; it is met by what is decided then.
    tx.prepare_cached(
        "UPDATE records SET hash = x'', meet = 'done' WHERE route = ?1 AND link_id IN (
             SELECT o.link_id FROM operations o JOIN links l ON l.id = o.link_id
             WHERE l.route = ?1 AND o.state = 'waiting' AND o.kind IN ('import', 'update', 'unlock')
               AND o.cause NOT LIKE 'person:%')",
    )?
    .execute([&route.0])?;
    tx.prepare_cached(
        "UPDATE operations SET state = 'superseded', outcome = ?2, finished_at = ?3
         WHERE state = 'waiting' AND kind IN ('import', 'update', 'unlock') AND cause NOT LIKE 'person:%'
           AND link_id IN (SELECT id FROM links WHERE route = ?1)",
    )?
    .execute((&route.0, ReasonCode::Newer.as_str(), time(now)))?;
    begin(tx, now, route, &revision, PassReason::LeftDry)?;
    Ok(true)
}

fn pass_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<PassRow> {
    Ok(PassRow {
        id: row.get("id")?,
        revision: row.get("revision")?,
        why: get_named(row, "why", PassReason::parse)?,
        began_at: get_time(row, "began_at")?,
        token: row.get("token")?,
        heard: row.get("heard")?,
    })
}
