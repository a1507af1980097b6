//! Pages of a list: where the next one begins, and what proves that none was skipped or repeated.

use super::call::{Called, Endpoint, root};
use super::errors::bad_answer;
use super::extract::id_value;
use super::format::{End, IdType, Listing, Paging};
use super::small::Unread;
use super::steps::Seen;
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
    /// At a page's number; `edge` is the last row of the page before that has an id, and how many rows
    /// follow it there.
    Number { page: u64, edge: (RecordId, u64), restarts: u32 },
    /// At the CRM's own token.
    Token(Value),
    /// At an address of the CRM's own.
    Url(String),
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
    /// Reads one page of a list. What lies before a record that spoils every answer it is in is read all the same, where
    /// smaller pages can be asked for.
    pub async fn page<T: Send>(
        &self,
        what: &str,
        listing: &Listing,
        bindings: Bindings,
        position: &Position,
        read: ReadRow<'_, T>,
    ) -> Result<Rows<T>, CallError> {
        match self.page_of_size(what, listing, bindings.clone(), position, read).await {
            Ok(rows) => Ok(rows),
            Err(Unread::Otherwise(error)) => Err(error),
            Err(Unread::Unreadable(error)) => {
                self.in_small_pages(what, listing, bindings, position, read, error).await
            }
        }
    }

    /// Reads one page, as large as the listing says.
    pub(super) async fn page_of_size<T: Send>(
        &self,
        what: &str,
        listing: &Listing,
        bindings: Bindings,
        position: &Position,
        read: ReadRow<'_, T>,
    ) -> Result<Rows<T>, Unread> {
        let mut position = position.clone();
        let mut restarted = false;
        loop {
            let mut bindings = bindings.clone();
            let begin = bind(&mut bindings, listing, &position, self.file.record.id_type);
            let request = match &position {
                Position::Url(url) => self.address(url),
                _ => self.request(what, &listing.request, &bindings)?,
            };
            let asked = request.url.clone();
            let called = self.send(what, request).await.map_err(Unread::of_answer)?;
            let raw = root(what, &called.body)?;
            let items = raw.map_or(Ok(Vec::new()), |raw| rows_of(what, listing, raw))?;
            let (mut ids, mut rows): (Vec<_>, Vec<_>) = items.iter().map(|item| read(item)).unzip();
            if !self.stands_still(what, listing, bindings.clone(), &position, &ids, read).await? {
                position = again(what, &position)?;
                restarted = true;
                continue;
            }
            if let Position::Offset { edge: Some((_, back)), .. } = &position {
                let known = usize::try_from(*back).unwrap_or(usize::MAX).min(ids.len());
                ids.drain(..known);
                rows.drain(..known);
            }
            let next = match raw {
                Some(raw) if is_more(what, listing, raw, items.len(), rows.len())? => {
                    let seen = Seen { raw, ids: &ids, end: begin + items.len() as u64, asked: &asked };
                    let next = self.step(what, listing, &position, &seen, &called.links)?;
                    let bare = listing.paging == Paging::Link && called.links.is_empty();
                    if next.is_none() && bare && items.len() >= listing.limit {
                        self.ends_without_links(what, listing, bindings, &position).await?;
                    }
                    next
                }
                // An answer without a body (204) is a list without rows, and its end.
                Some(_) | None => None,
            };
            if next.as_ref() == Some(&position) {
                let why = "the page after this one is this one: the CRM ignores the paging";
                return Err(bad_answer(what, why).into());
            }
            return Ok(Rows { rows, next, restarted, called });
        }
    }

    /// Whether the last row read before stands where it stood: else rows moved across the edge, and one of
    /// them may never have been in a page. By offset the page itself begins with that row; by number the
    /// page before is read once more.
    async fn stands_still<T: Send>(
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

pub(super) fn rows_of<'a>(
    what: &str,
    listing: &Listing,
    raw: &'a RawValue,
) -> Result<Vec<&'a RawValue>, CallError> {
    listing.records.list(raw).ok_or_else(|| {
        let at = &listing.records;
        bad_answer(what, format!("the answer has no list at {at}: check `records` in the connector"))
    })
}

/// Puts the position's values in place and tells at which offset the request begins.
fn bind(bindings: &mut Bindings, listing: &Listing, position: &Position, ids: IdType) -> u64 {
    let mut begin = 0;
    let mut page = if let Paging::Page { first } = &listing.paging { *first } else { 1 };
    match position {
        // A time is the window's own beginning: whoever reads by time has put it in place. An address
        // holds everything itself.
        Position::Start | Position::From(_) | Position::Url(_) => {}
        Position::AfterId(id) => {
            bindings.extend(id_value(id, ids).map(|value| (Slot::LastId, value)));
        }
        Position::Offset { offset, edge, .. } => {
            begin = offset.saturating_sub(edge.as_ref().map_or(0, |(_, back)| *back));
        }
        Position::Number { page: number, .. } => page = *number,
        Position::Token(token) => {
            bindings.insert(Slot::Cursor, token.clone());
        }
    }
    bindings.insert(Slot::Limit, Value::from(listing.limit));
    bindings.insert(Slot::Offset, Value::from(begin));
    bindings.insert(Slot::Page, Value::from(page));
    begin
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

fn is_more(
    what: &str,
    listing: &Listing,
    raw: &RawValue,
    received: usize,
    new: usize,
) -> Result<bool, CallError> {
    // Where the answer names the next page, that alone says whether there is one.
    let named = matches!(listing.paging, Paging::Cursor { .. } | Paging::NextUrl { .. } | Paging::Link);
    match &listing.end {
        End::Short | End::Empty if named => Ok(true),
        End::Short => Ok(received >= listing.limit && new > 0),
        End::Empty => Ok(new > 0),
        End::More(at) => match at.value(raw) {
            Some(Value::Bool(more)) => Ok(more && (new > 0 || named)),
            _ => Err(bad_answer(what, format!("the answer does not say at {at} whether there is more"))),
        },
    }
}
