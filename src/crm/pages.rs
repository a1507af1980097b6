//! Pages of a list: where the next one begins, and what proves that none was skipped or repeated.

use super::call::{Called, Endpoint, root};
use super::errors::bad_answer;
use super::extract::id_value;
use super::format::{End, IdType, Listing, Paging};
use super::shifts::{Search, begins, known_again, shifted};
use super::small::Unread;
use super::steps::Seen;
use super::template::{Bindings, Slot};
use crate::domain::{RecordId, Timestamp};
use crate::remote::CallError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

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
        let mut search: Option<Search> = None;
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
            let known = match &search {
                Some(search) => search.known(&ids, begins(listing, &position)),
                None if self.stands_still(what, listing, bindings.clone(), &position, &ids, read).await? => {
                    Some(known_again(&position).min(ids.len()))
                }
                None => None,
            };
            let Some(known) = known else {
                (position, search) = shifted(what, listing, self.file.record.id_type, &position, search)?;
                restarted |= search.is_none();
                continue;
            };
            rows.drain(..known);
            // The last one stays: where all were known, the next page follows it.
            ids.drain(..known.min(ids.len().saturating_sub(1)));
            // A page by which a place is found again may hold nothing new, and not be the last one.
            let new = if search.is_some() { items.len() } else { rows.len() };
            let next = match raw {
                Some(raw) if is_more(what, listing, raw, items.len(), new)? => {
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
