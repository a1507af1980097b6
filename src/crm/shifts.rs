//! Lists by offset or by number whose rows moved under the reader: noticed by the last row read, and found again. In the
//! order of ids a row only ever moves up, because one before it went: a page or two back the last row read, or its place,
//! shows what is still unread. In any other order a row may have moved into what was read: the list is begun again.

use super::call::{Endpoint, root};
use super::errors::bad_answer;
use super::format::{IdType, Listing, Order, Paging};
use super::pages::{Position, ReadRow, rows_of};
use super::steps::is_above;
use super::template::{Bindings, Slot};
use crate::domain::RecordId;
use crate::remote::CallError;
use serde_json::Value;

/// How often a list that shifts under its reader is begun again.
const MAX_RESTARTS: u32 = 5;

/// So many pages back the last row read is looked for.
const BACK: u32 = 20;

/// The last row read before the list shifted, whose place is looked for.
#[derive(Debug, Clone)]
pub(super) struct Search {
    last: RecordId,
    kind: IdType,
    pages: u32,
}

impl Search {
    /// How many rows of a page are known; `None`: the place lies further up, or cannot be told, as where numbers do not
    /// ascend, whatever the connector says of the order.
    pub(super) fn known(&self, ids: &[Option<RecordId>], first_page: bool) -> Option<usize> {
        if self.kind == IdType::Integer && !ascend(ids) {
            return None;
        }
        let is_known = |id: &Option<RecordId>| match (self.kind, id) {
            (_, None) => false,
            (IdType::Integer, Some(id)) => !is_above(id, &self.last, self.kind),
            // How a CRM sorts texts is its own affair.
            (IdType::Text, Some(id)) => *id == self.last,
        };
        let known = ids.iter().rposition(is_known).map(|place| place + 1);
        match self.kind {
            IdType::Integer if first_page => known.or(Some(0)),
            IdType::Integer | IdType::Text => known,
        }
    }
}

/// Whether the ids of a page go up as numbers; of a single one nobody can tell.
fn ascend(ids: &[Option<RecordId>]) -> bool {
    let numbers: Option<Vec<i64>> = ids.iter().flatten().map(|id| id.as_str().parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.len() > 1 && numbers.is_sorted_by(|one, next| one < next))
}

/// Where to read instead of at a place that moved, and what is looked for there; nothing: the list is begun again.
pub(super) fn shifted(
    what: &str,
    listing: &Listing,
    kind: IdType,
    position: &Position,
    search: Option<Search>,
) -> Result<(Position, Option<Search>), CallError> {
    let last = match (&search, position) {
        (Some(search), _) => Some(search.last.clone()),
        (None, Position::Offset { edge, .. }) => edge.as_ref().map(|(last, _)| last.clone()),
        (None, Position::Number { edge: (last, _), .. }) => Some(last.clone()),
        (
            None,
            Position::Start
            | Position::AfterId(_)
            | Position::Token(_)
            | Position::Url(_)
            | Position::From(_),
        ) => None,
    };
    let pages = search.map_or(0, |search| search.pages) + 1;
    if listing.order == Some(Order::Id)
        && pages <= BACK
        && let Some(last) = last
        && let Some(back) = page_before(listing, position)
    {
        return Ok((back, Some(Search { last, kind, pages })));
    }
    Ok((again(what, position)?, None))
}

/// The page before; nothing before the first one.
fn page_before(listing: &Listing, position: &Position) -> Option<Position> {
    if begins(listing, position) {
        return None;
    }
    match position {
        Position::Offset { offset, edge, restarts } => {
            let begin = offset.saturating_sub(edge.as_ref().map_or(0, |(_, back)| *back));
            let offset = begin.saturating_sub(listing.limit as u64);
            Some(Position::Offset { offset, edge: None, restarts: *restarts })
        }
        Position::Number { page, edge, restarts } => {
            Some(Position::Number { page: page - 1, edge: edge.clone(), restarts: *restarts })
        }
        Position::Start
        | Position::AfterId(_)
        | Position::Token(_)
        | Position::Url(_)
        | Position::From(_) => None,
    }
}

/// Whether nothing lies before this page.
pub(super) fn begins(listing: &Listing, position: &Position) -> bool {
    match (position, &listing.paging) {
        (Position::Offset { offset, edge, .. }, _) => *offset <= edge.as_ref().map_or(0, |(_, back)| *back),
        (Position::Number { page, .. }, Paging::Page { first }) => page <= first,
        (_, _) => true,
    }
}

/// How many rows at the beginning of a page were read with the page before.
pub(super) fn known_again(position: &Position) -> usize {
    match position {
        Position::Offset { edge: Some((_, back)), .. } => usize::try_from(*back).unwrap_or(usize::MAX),
        Position::Offset { edge: None, .. }
        | Position::Number { .. }
        | Position::Start
        | Position::AfterId(_)
        | Position::Token(_)
        | Position::Url(_)
        | Position::From(_) => 0,
    }
}

impl Endpoint {
    /// Whether the last row read before stands where it stood: else rows moved across the edge, and one of
    /// them may never have been in a page. By offset the page itself begins with that row; by number the
    /// page before is read once more.
    pub(super) async fn stands_still<T: Send>(
        &self,
        what: &str,
        listing: &Listing,
        mut bindings: Bindings,
        position: &Position,
        ids: &[Option<RecordId>],
        read: ReadRow<'_, T>,
    ) -> Result<bool, CallError> {
        match position {
            Position::Offset { edge: Some((last, _)), .. } => Ok(ids.first() == Some(&Some(last.clone()))),
            Position::Number { page, edge: (last, back), .. } => {
                bindings.insert(Slot::Page, Value::from(page.saturating_sub(1)));
                let called = self.call(what, &listing.request, &bindings).await?;
                let raw = root(what, &called.body)?;
                let items = raw.map_or(Ok(Vec::new()), |raw| rows_of(what, listing, raw))?;
                let place = usize::try_from(*back).ok().and_then(|back| items.len().checked_sub(back));
                let there = place.and_then(|place| items.get(place)).and_then(|item| read(item).0);
                Ok(there.as_ref() == Some(last))
            }
            Position::Offset { edge: None, .. }
            | Position::Start
            | Position::AfterId(_)
            | Position::Token(_)
            | Position::Url(_)
            | Position::From(_) => Ok(true),
        }
    }
}

/// Begins a shifted list again, a few times.
fn again(what: &str, position: &Position) -> Result<Position, CallError> {
    let restarts = restarts(position);
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

/// How often the list was begun again already.
pub(super) fn restarts(position: &Position) -> u32 {
    match position {
        Position::Offset { restarts, .. } | Position::Number { restarts, .. } => *restarts,
        Position::Start
        | Position::AfterId(_)
        | Position::Token(_)
        | Position::Url(_)
        | Position::From(_) => 0,
    }
}
