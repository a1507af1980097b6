//! Parked items: what needs a person, tried again on demand, put aside until it changes.

use super::decisions::{Cause, insert_operation, next_generation};
use super::hand_acts::delete_over;
use super::sql::{get_named, get_reason, get_time, time};
use super::words::{self, About};
use super::{Ledger, LedgerError, LeftOut, Listing, Said, by_hand_update, hints};
use crate::domain::{
    HistoryId, Intent, LinkId, OperationId, OperationKind, Reason, RecordId, RouteName, Timestamp,
};
use rusqlite::{OptionalExtension as _, Transaction};
use serde::Serialize;

/// A call that a reason rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedCall {
    /// Its number.
    pub call: HistoryId,
    /// When it began, or was first seen.
    pub at: Timestamp,
    /// Its result: the name, or the code where no name is known.
    pub result: Option<String>,
    /// The agent's number in the dialler.
    pub agent: Option<i64>,
}

/// A parked item for people.
#[derive(Debug, Clone, Serialize)]
pub struct ParkedItem {
    /// `record`, `operation` or `unidentified` (a record without an id); for who is skipped, the record's state.
    pub kind: String,
    /// The operation's number.
    pub operation: Option<i64>,
    /// The route.
    pub route: Option<String>,
    /// The record.
    pub record: Option<String>,
    /// Its key.
    pub user_data: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The reason as a sentence.
    pub text: String,
    /// The call that the reason names, as it is by now.
    pub call: Option<NamedCall>,
    /// Since when.
    pub since: Timestamp,
}

/// How many are parked for one reason.
#[derive(Debug, Clone, Serialize)]
pub struct ParkedCount {
    /// `record` or `operation`.
    pub kind: String,
    /// The route.
    pub route: Option<String>,
    /// The reason's code.
    pub code: String,
    /// How many.
    pub count: i64,
    /// The oldest of them.
    pub since: Timestamp,
}

impl Ledger {
    /// Parked records and operations, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn parked_list(
        &self,
        route: Option<RouteName>,
        limit: u32,
    ) -> Result<Vec<ParkedItem>, LedgerError> {
        self.left_out_list(LeftOut::Parked, route, Listing::All, limit).await
    }

    /// A parked operation waits again, as the newest of its lane. `false`: it is not parked.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operation_retry(&self, operation: i64, said: Said) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("operation_retry", move |tx| retry_operation(tx, now, operation, &said)).await
    }

    /// A parked record is read again by id at the next pull. `false`: it is not parked.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn record_retry(
        &self,
        route: RouteName,
        record: RecordId,
        said: Said,
    ) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("record_retry", move |tx| {
            let parked: Option<i64> = tx
                .prepare_cached(
                    "SELECT 1 FROM records WHERE route = ?1 AND record_id = ?2 AND state IN ('parked', 'discarded')",
                )?
                .query_row((&route.0, &record.0), |row| row.get(0))
                .optional()?;
            if parked.is_some() {
                hints::add_in(tx, now, &route, &record, "retry")?;
                words::keep(tx, now, "retry", About::Record(&route, &record), &said)?;
            }
            Ok(parked.is_some())
        })
        .await
    }

    /// Everything parked on a route (or on all) is tried again; answers how many records and operations.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn parked_retry_all(
        &self,
        route: Option<RouteName>,
        said: Said,
    ) -> Result<(i64, i64), LedgerError> {
        let now = self.env.now();
        self.write("parked_retry_all", move |tx| {
            let route = route.map(|r| r.0);
            let records = tx.execute(
                "INSERT INTO hints (route, record_id, source, at)
                 SELECT route, record_id, 'retry', ?2 FROM records
                 WHERE state = 'parked' AND (?1 IS NULL OR route = ?1)",
                (&route, time(now)),
            )?;
            tx.execute(
                "INSERT INTO words (at, verb, route, record_id, who, text)
                 SELECT ?2, 'retry', route, record_id, ?3, ?4 FROM records
                 WHERE state = 'parked' AND (?1 IS NULL OR route = ?1)",
                (&route, time(now), &said.who, &said.text),
            )?;
            let operations: Vec<i64> = tx
                .prepare_cached(
                    "SELECT o.id FROM operations o JOIN links l ON l.id = o.link_id
                     WHERE o.state = 'parked' AND (?1 IS NULL OR l.route = ?1) ORDER BY o.id",
                )?
                .query_map([&route], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for operation in &operations {
                retry_operation(tx, now, *operation, &said)?;
            }
            Ok((records as i64, operations.len() as i64))
        })
        .await
    }

    /// Puts a parked operation aside; the next decision about its record makes a new one.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn operation_discard(&self, operation: i64, said: Said) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("operation_discard", move |tx| {
            let discarded: Option<(i64, String)> = tx
                .prepare_cached(
                    "UPDATE operations SET state = 'cancelled', outcome = 'discarded', outcome_params = '{}',
                            finished_at = ?2
                     WHERE id = ?1 AND state = 'parked' RETURNING link_id, kind",
                )?
                .query_row((operation, time(now)), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((link, kind)) = &discarded
                && kind == OperationKind::Delete.as_str()
            {
                delete_over(tx, LinkId(*link), "its deletion was put aside", now)?;
            }
            if discarded.is_some() {
                words::keep(tx, now, "discard", About::Operation(operation), &said)?;
            }
            Ok(discarded.is_some())
        })
        .await
    }

    /// Puts a parked record aside until it changes in the CRM.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn record_discard(
        &self,
        route: RouteName,
        record: RecordId,
        said: Said,
    ) -> Result<bool, LedgerError> {
        let now = self.env.now();
        self.write("record_discard", move |tx| {
            let changed = tx.execute(
                "UPDATE records SET state = 'discarded', since = ?3
                 WHERE route = ?1 AND record_id = ?2 AND state = 'parked'",
                (&route.0, &record.0, time(now)),
            )?;
            if changed == 1 {
                words::keep(tx, now, "discard", About::Record(&route, &record), &said)?;
            }
            Ok(changed == 1)
        })
        .await
    }
}

fn retry_operation(
    tx: &Transaction<'_>,
    now: Timestamp,
    operation: i64,
    said: &Said,
) -> rusqlite::Result<bool> {
    let found = tx
        .prepare_cached(
            "SELECT link_id, kind, code, params, decided_at FROM operations WHERE id = ?1 AND state = 'parked'",
        )?
        .query_row([operation], |row| {
            Ok((
                LinkId(row.get("link_id")?),
                Intent {
                    kind: get_named(row, "kind", OperationKind::parse)?,
                    reason: get_reason(row, "code", "params")?,
                },
                get_time(row, "decided_at")?,
            ))
        })
        .optional()?;
    let Some((link, intent, decided_at)) = found else { return Ok(false) };
    let cause = Cause { at: now, decided_at, text: format!("person:{}", said.who), run: None };
    let generation = next_generation(tx, link)?;
    let again = insert_operation(tx, &cause, link, generation, &intent, None)?;
    by_hand_update::carry(tx, OperationId(operation), OperationId(again))?;
    words::keep(tx, now, "retry", About::Operation(again), said)?;
    tx.execute(
        "UPDATE operations SET state = 'superseded', outcome = 'newer', outcome_params = '{}' WHERE id = ?1",
        [operation],
    )?;
    Ok(true)
}
