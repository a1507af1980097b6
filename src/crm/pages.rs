//! Pages of a list: where the next one begins, and what proves that none was skipped or repeated.

use super::call::{Called, Endpoint, root};
use super::errors::bad_answer;
use super::extract::id_value;
use super::format::{End, IdType, Listing, Paging};
use super::template::{Bindings, Slot};
use crate::domain::{RecordId, Timestamp};
use crate::remote::CallError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// How often a list that shifts under its reader is begun again.
const MAX_RESTARTS: u32 = 5;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Position {
    /// At the beginning.
    #[default]
    Start,
    /// Above this id.
    AfterId(RecordId),
    /// At an offset; `edge` is the last row read that has an id, and how far it lies below `offset`.
    Offset { offset: u64, edge: Option<(RecordId, u64)>, restarts: u32 },
    /// At the CRM's own token.
    Token(Value),
    /// At this modification time (see [`super::burst`]).
    From(Timestamp),
}

/// One page, read row by row with the caller's reader.
pub(super) struct Rows<T> {
    pub rows: Vec<T>,
    pub next: Option<Position>,
    /// The list shifted and was begun again: what was read of it before may have gaps.
    pub restarted: bool,
    pub called: Called,
}

/// Reads the id of a row, for paging, together with whatever the caller makes of it.
pub(super) type ReadRow<'r, T> = &'r (dyn Fn(&RawValue) -> (Option<RecordId>, T) + Send + Sync);

impl Endpoint {
    /// Reads one page of a list.
    pub async fn page<T: Send>(
        &self,
        what: &str,
        listing: &Listing,
        mut bindings: Bindings,
        position: &Position,
        read: ReadRow<'_, T>,
    ) -> Result<Rows<T>, CallError> {
        bindings.insert(Slot::Limit, Value::from(listing.limit));
        let mut position = position.clone();
        let mut restarted = false;
        loop {
            let mut bindings = bindings.clone();
            let begin = bind(&mut bindings, &position, self.file.record.id_type);
            let called = self.call(what, &listing.request, &bindings).await?;
            let raw = root(what, &called.body)?;
            let items = listing.records.list(raw).ok_or_else(|| {
                bad_answer(
                    what,
                    format!(
                        "the answer has no list at {}: check `records` in the connector",
                        listing.records
                    ),
                )
            })?;
            let (mut ids, mut rows): (Vec<_>, Vec<_>) = items.iter().map(|item| read(item)).unzip();
            if let Position::Offset { edge: Some((last, back)), restarts, .. } = &position {
                // The last row read before must stand where it stood: else rows moved across the
                // edge, and one of them may never have been in a page.
                if ids.first() != Some(&Some(last.clone())) {
                    position = again(what, *restarts)?;
                    restarted = true;
                    continue;
                }
                let known = usize::try_from(*back).unwrap_or(usize::MAX).min(ids.len());
                ids.drain(..known);
                rows.drain(..known);
            }
            let more = is_more(what, listing, raw, items.len(), rows.len())?;
            let next = match &listing.paging {
                _ if !more => None,
                Paging::Whole => None,
                Paging::Id => Some(above(what, &position, &ids, self.file.record.id_type)?),
                Paging::Offset => Some(behind(what, &position, begin + items.len() as u64, &ids)?),
                Paging::Cursor { next } => {
                    let token =
                        next.value(raw).filter(|token| !matches!(token, Value::Null | Value::Bool(false)));
                    token.filter(|token| token.as_str() != Some("")).map(Position::Token)
                }
            };
            if next.as_ref() == Some(&position) {
                return Err(bad_answer(
                    what,
                    "the page after this one is this one: the CRM ignores the paging",
                ));
            }
            return Ok(Rows { rows, next, restarted, called });
        }
    }
}

/// Puts the position's values in place and tells at which offset the request begins.
fn bind(bindings: &mut Bindings, position: &Position, ids: IdType) -> u64 {
    let mut begin = 0;
    match position {
        // A time is the window's own beginning: whoever reads by time has put it in place.
        Position::Start | Position::From(_) => {}
        Position::AfterId(id) => {
            bindings.extend(id_value(id, ids).map(|value| (Slot::LastId, value)));
        }
        Position::Offset { offset, edge, .. } => {
            begin = offset.saturating_sub(edge.as_ref().map_or(0, |(_, back)| *back));
        }
        Position::Token(token) => {
            bindings.insert(Slot::Cursor, token.clone());
        }
    }
    bindings.insert(Slot::Offset, Value::from(begin));
    begin
}

/// Begins a shifted list again, a few times.
fn again(what: &str, restarts: u32) -> Result<Position, CallError> {
    if restarts >= MAX_RESTARTS {
        return Err(bad_answer(
            what,
            format!(
                "records moved between the pages {} times in a row, so that some may have been passed over: \
                 raise `limit` in the connector, or use one that pages by id",
                restarts + 1
            ),
        ));
    }
    Ok(Position::Offset { offset: 0, edge: None, restarts: restarts + 1 })
}

fn is_more(
    what: &str,
    listing: &Listing,
    raw: &RawValue,
    received: usize,
    new: usize,
) -> Result<bool, CallError> {
    match (&listing.paging, &listing.end) {
        // The token alone says whether there is more.
        (Paging::Cursor { .. }, End::Short | End::Empty) => Ok(true),
        (_, End::Short) => Ok(received >= listing.limit && new > 0),
        (_, End::Empty) => Ok(new > 0),
        (paging, End::More(at)) => match at.value(raw) {
            Some(Value::Bool(more)) => Ok(more && (new > 0 || matches!(paging, Paging::Cursor { .. }))),
            _ => Err(bad_answer(what, format!("the answer does not say at {at} whether there is more"))),
        },
    }
}

/// The position above a page's last id.
fn above(
    what: &str,
    position: &Position,
    ids: &[Option<RecordId>],
    kind: IdType,
) -> Result<Position, CallError> {
    if let Position::AfterId(last) = position
        && ids.iter().flatten().any(|id| !is_above(id, last, kind))
    {
        return Err(bad_answer(
            what,
            "the page holds ids that are not above the last one: the CRM ignores the id filter or the order",
        ));
    }
    let last = ids.iter().flatten().next_back().ok_or_else(|| {
        bad_answer(what, "no record of a full page has an id, so the next page has no beginning")
    })?;
    if ids.iter().flatten().any(|id| id != last && is_above(id, last, kind) && kind == IdType::Integer) {
        return Err(bad_answer(what, "the page is not ordered by id: the CRM ignores the order"));
    }
    Ok(Position::AfterId(last.clone()))
}

/// Whether `id` may stand above `last`. How a CRM sorts texts is its own affair: there, only the same
/// id again is certainly wrong.
fn is_above(id: &RecordId, last: &RecordId, kind: IdType) -> bool {
    match (kind, id.as_str().parse::<i64>(), last.as_str().parse::<i64>()) {
        (IdType::Integer, Ok(id), Ok(last)) => id > last,
        (_, _, _) => id != last,
    }
}

/// The position behind a page, with its last row as the edge to be met again.
fn behind(
    what: &str,
    position: &Position,
    offset: u64,
    ids: &[Option<RecordId>],
) -> Result<Position, CallError> {
    let restarts = match position {
        Position::Offset { restarts, .. } => *restarts,
        Position::Start | Position::AfterId(_) | Position::Token(_) | Position::From(_) => 0,
    };
    let back = ids.iter().rev().position(Option::is_some);
    let back = back.ok_or_else(|| {
        bad_answer(what, "no record of a page has an id, so nothing proves that the next page follows it")
    })?;
    let last = ids.len() - 1 - back;
    Ok(Position::Offset { offset, edge: ids[last].clone().map(|id| (id, back as u64 + 1)), restarts })
}
