//! From one page to the next: the position behind it, by each way of paging.

use super::call::Endpoint;
use super::errors::bad_answer;
use super::format::{IdType, Listing, Paging};
use super::links;
use super::pages::Position;
use super::shifts::restarts;
use crate::domain::RecordId;
use crate::remote::{CallError, is_marked};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a page showed.
pub(super) struct Seen<'p> {
    pub raw: &'p RawValue,
    /// Of its rows, those known already left out.
    pub ids: &'p [Option<RecordId>],
    /// The offset behind its last row.
    pub end: u64,
    /// The address it was read from.
    pub asked: &'p str,
}

impl Endpoint {
    /// Where the page behind this one begins; `None` where it names none.
    pub(super) fn step(
        &self,
        what: &str,
        listing: &Listing,
        position: &Position,
        seen: &Seen<'_>,
        links: &[String],
    ) -> Result<Option<Position>, CallError> {
        match &listing.paging {
            Paging::Whole => Ok(None),
            Paging::Id => above(what, position, seen.ids, self.file.record.id_type).map(Some),
            Paging::Offset => {
                let edge = Some(edge(what, seen.ids)?);
                Ok(Some(Position::Offset { offset: seen.end, edge, restarts: restarts(position) }))
            }
            Paging::Page { first } => {
                let page = if let Position::Number { page, .. } = position { *page } else { *first } + 1;
                let edge = edge(what, seen.ids)?;
                Ok(Some(Position::Number { page, edge, restarts: restarts(position) }))
            }
            Paging::Cursor { next } => match next.value(seen.raw).filter(|token| !is_nothing(token)) {
                Some(Value::String(token)) if is_marked(&token) => Err(bad_answer(
                    what,
                    format!("what lies at {next} cannot be read, so the list has no next page"),
                )),
                token => Ok(token.map(Position::Token)),
            },
            Paging::NextUrl { next } => match next.value(seen.raw).filter(|given| !is_nothing(given)) {
                None => Ok(None),
                Some(Value::String(given)) => self.own(what, seen.asked, &given).map(Some),
                Some(_) => Err(bad_answer(what, format!("what lies at {next} is no address"))),
            },
            Paging::Link => {
                let given = links::next_of(links.iter().map(String::as_str));
                given.map(|given| self.own(what, seen.asked, &given)).transpose()
            }
        }
    }

    /// An address that an answer gave, if it leads to this CRM.
    fn own(&self, what: &str, asked: &str, given: &str) -> Result<Position, CallError> {
        links::resolve(&self.base_url, asked, given).map(Position::Url).map_err(|why| {
            bad_answer(what, format!("the address of the next page cannot be followed: {why}"))
        })
    }
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_str() == Some("")
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
pub(super) fn is_above(id: &RecordId, last: &RecordId, kind: IdType) -> bool {
    match (kind, id.as_str().parse::<i64>(), last.as_str().parse::<i64>()) {
        (IdType::Integer, Ok(id), Ok(last)) => id > last,
        (_, _, _) => id != last,
    }
}

/// The last row of a page that has an id, and how many rows it lies from the page's end, itself included.
fn edge(what: &str, ids: &[Option<RecordId>]) -> Result<(RecordId, u64), CallError> {
    let last = ids.iter().rev().enumerate().find_map(|(back, id)| Some((id.clone()?, back as u64 + 1)));
    last.ok_or_else(|| {
        bad_answer(what, "no record of a page has an id, so nothing proves that the next page follows it")
    })
}
