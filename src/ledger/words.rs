//! What people said by hand, and why: of routes, records and operations. Append-only, and told in the person's story.

use super::sql::time;
use crate::domain::{HistoryId, RecordId, RouteName, Timestamp};
use rusqlite::{Transaction, named_params};

/// Who said something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub who: String,
    /// Why; empty where nothing was given.
    pub text: String,
}

/// What a word was about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// A route: its state from now on, until the end that was given.
    Route(&'a RouteName, Option<Timestamp>),
    /// A record.
    Record(&'a RouteName, &'a RecordId),
    /// An operation.
    Operation(i64),
}

/// Keeps a word: a route's new state, or `send`, `retry`, `discard`.
pub(super) fn keep(
    tx: &Transaction<'_>,
    at: Timestamp,
    verb: &str,
    about: About<'_>,
    said: &Said,
) -> rusqlite::Result<()> {
    let (route, record, operation, until) = match about {
        About::Route(route, until) => (Some(&route.0), None, None, until.map(time)),
        About::Record(route, record) => (Some(&route.0), Some(&record.0), None, None),
        About::Operation(id) => (None, None, Some(id), None),
    };
    tx.prepare_cached(
        "INSERT INTO words (at, verb, route, record_id, operation_id, until, who, text)
         VALUES (:at, :verb, :route, :record, :operation, :until, :who, :text)",
    )?
    .execute(named_params! {
        ":at": time(at), ":verb": verb, ":route": route, ":record": record, ":operation": operation, ":until": until,
        ":who": said.who, ":text": said.text,
    })?;
    Ok(())
}

/// What a person says of a call's result.
#[derive(Debug, Clone, Copy)]
pub(super) enum OfResult {
    /// It keeps nobody from being called again.
    KeepsNobody,
    /// It holds nobody out of other routes.
    HoldsNobody,
}

/// Keeps what a person says of a call's result, the last word in place of an older one. `false`: there is no such call, or it
/// has no result.
pub(super) fn keep_of_result(
    tx: &Transaction<'_>,
    at: Timestamp,
    call: HistoryId,
    word: OfResult,
    said: &Said,
) -> rusqlite::Result<bool> {
    let table = match word {
        OfResult::KeepsNobody => "finals_released",
        OfResult::HoldsNobody => "holds_released",
    };
    let kept = tx
        .prepare_cached(&format!(
            "INSERT INTO {table} (history_id, code, at, who, text)
             SELECT history_id, result_code, ?2, ?3, ?4 FROM calls
             WHERE history_id = ?1 AND result_code IS NOT NULL
             ON CONFLICT DO UPDATE SET at = excluded.at, who = excluded.who, text = excluded.text"
        ))?
        .execute((call.0, time(at), &said.who, &said.text))?;
    Ok(kept > 0)
}
