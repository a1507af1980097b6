//! Operations for people: what is open, what became of one, and what a person lets go for one record.

use super::attempts::tries;
use super::sql::{get_reason, get_reason_opt, get_time, get_time_opt};
use super::words::{self, About};
use super::{Ledger, LedgerError, Said};
use crate::domain::{ContactId, OperationId, Reason, RecordId, RouteName, Timestamp};
use rusqlite::OptionalExtension as _;
use serde::Serialize;

/// An operation for people.
#[derive(Debug, Clone, Serialize)]
pub struct OperationRow {
    /// Its number.
    pub id: OperationId,
    /// The route of its link.
    pub route: Option<String>,
    /// The record of its link.
    pub record: Option<String>,
    /// The key of its link.
    pub user_data: Option<String>,
    /// The contact it was sent to, or the link's.
    pub contact: Option<ContactId>,
    /// What it does.
    pub kind: String,
    /// Where it stands.
    pub state: String,
    /// Why it is wished.
    pub reason: Reason,
    /// Who or what caused it.
    pub cause: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Reason>,
}

const SELECT: &str = concat!(
    "SELECT o.*, l.route, l.record_id, l.user_data, coalesce(o.contact_id, l.contact_id) AS contact, ",
    tries!("o"),
    " AS tried FROM operations o JOIN links l ON l.id = o.link_id"
);

impl Ledger {
    /// Lets what waits for one record be sent whatever its route's state: a person asked for exactly it.
    /// Answers the operations.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn record_send_by_hand(
        &self,
        route: RouteName,
        record: RecordId,
        said: Said,
    ) -> Result<Vec<OperationId>, LedgerError> {
        let now = self.env.now();
        self.write("record_send_by_hand", move |tx| {
            words::keep(tx, now, "send", About::Record(&route, &record), &said)?;
            tx.prepare_cached(
                "UPDATE operations SET cause = ?3
                 WHERE state = 'waiting'
                   AND link_id = (SELECT id FROM links WHERE route = ?1 AND record_id = ?2) RETURNING id",
            )?
            .query_map((route.0, record.0, format!("person:{}", said.who)), |row| {
                row.get(0).map(OperationId)
            })?
            .collect()
        })
        .await
    }

    /// One operation; where another of its kind took its place, since a newer decision wishes the same, that one.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn operation_followed(&self, id: OperationId) -> Result<Option<OperationRow>, LedgerError> {
        self.read("operation_followed", move |connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE o.id = coalesce(
                        (SELECT max(n.id) FROM operations f JOIN operations n ON n.link_id = f.link_id AND n.kind = f.kind
                         WHERE f.id = ?1 AND f.state = 'superseded' AND n.id > f.id), ?1)"
                ))?
                .query_row([id.0], operation_row)
                .optional()
        })
        .await
    }

    /// Operations, newest first; `open_only` leaves out what has ended.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn operations_list(
        &self,
        route: Option<RouteName>,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<OperationRow>, LedgerError> {
        self.read("operations_list", move |connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE (?1 IS NULL OR l.route = ?1)
                        AND (NOT ?2 OR o.state IN ('waiting', 'sending', 'uncertain', 'parked'))
                     ORDER BY o.id DESC LIMIT ?3"
                ))?
                .query_map((route.map(|r| r.0), open_only, limit), operation_row)?
                .collect()
        })
        .await
    }
}

/// How many operations of one kind stand in one state.
#[derive(Debug, Clone, Serialize)]
pub struct OpenCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: String,
    /// How many.
    pub count: i64,
}

impl Ledger {
    /// What waits, is being sent or is uncertain, counted.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn operations_open_counts(&self) -> Result<Vec<OpenCount>, LedgerError> {
        self.read("operations_open_counts", |connection| {
            connection
                .prepare_cached(
                    "SELECT kind, state, count(*) AS n FROM operations
                     WHERE finished_at IS NULL GROUP BY kind, state ORDER BY kind, state",
                )?
                .query_map([], |row| {
                    Ok(OpenCount { kind: row.get("kind")?, state: row.get("state")?, count: row.get("n")? })
                })?
                .collect()
        })
        .await
    }
}

fn operation_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<OperationRow> {
    Ok(OperationRow {
        id: OperationId(row.get("id")?),
        route: row.get("route")?,
        record: row.get("record_id")?,
        user_data: row.get("user_data")?,
        contact: row.get::<_, Option<i64>>("contact")?.map(ContactId),
        kind: row.get("kind")?,
        state: row.get("state")?,
        reason: get_reason(row, "code", "params")?,
        cause: row.get("cause")?,
        attempts: row.get("tried")?,
        created_at: get_time(row, "created_at")?,
        finished_at: get_time_opt(row, "finished_at")?,
        outcome: get_reason_opt(row, "outcome", "outcome_params")?,
    })
}
