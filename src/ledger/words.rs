//! What people said by hand, and why: of routes, records and operations. Append-only, and told in the person's story.

use super::sql::time;
use crate::domain::{RecordId, RouteName, Timestamp};
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
