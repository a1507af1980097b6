//! A page that cannot be read at all, because one record leaves open where it ends: what lies before that record is read
//! in smaller pages, and the record is named by the id before it.

use super::call::Endpoint;
use super::format::{Listing, Paging};
use super::pages::{Position, ReadRow, Rows};
use super::template::{Bindings, Slot};
use crate::remote::{CallError, CallErrorKind};

/// A page that cannot be read is asked for again so many times smaller.
const SMALLER: usize = 8;

/// Why a page was not read.
pub(super) enum Unread {
    /// Its answer as a whole cannot be read.
    Unreadable(CallError),
    /// Anything else: no other size would mend it.
    Otherwise(CallError),
}

impl Unread {
    pub fn of_answer(error: CallError) -> Self {
        if error.kind == CallErrorKind::BadAnswer { Self::Unreadable(error) } else { Self::Otherwise(error) }
    }
}

impl From<CallError> for Unread {
    fn from(error: CallError) -> Self {
        Self::Otherwise(error)
    }
}

impl Endpoint {
    /// Reads as many records as a page should have, in pages that grow smaller where one cannot be read. Only those
    /// above an id can be asked for in another size without another place in the list.
    pub(super) async fn in_small_pages<T: Send>(
        &self,
        what: &str,
        listing: &Listing,
        bindings: Bindings,
        position: &Position,
        read: ReadRow<'_, T>,
        mut why: CallError,
    ) -> Result<Rows<T>, CallError> {
        if listing.paging != Paging::Id || !listing.request.uses(Slot::Limit) {
            return Err(why);
        }
        let (mut small, mut position) = (listing.clone(), position.clone());
        let mut found: Option<Rows<T>> = None;
        while small.limit > 1 {
            small.limit = (small.limit / SMALLER).max(1);
            why = loop {
                match self.page_of_size(what, &small, bindings.clone(), &position, read).await {
                    Ok(page) => {
                        let page = match found.take() {
                            Some(before) => before.followed_by(page),
                            None => page,
                        };
                        match page.next.clone().filter(|_| page.rows.len() < listing.limit) {
                            Some(next) => position = next,
                            None => return Ok(page),
                        }
                        found = Some(page);
                    }
                    Err(Unread::Unreadable(error)) => break error,
                    Err(Unread::Otherwise(error)) => return Err(error),
                }
            };
        }
        found.ok_or_else(|| at_one_record(why, &position))
    }
}

impl<T> Rows<T> {
    fn followed_by(mut self, page: Self) -> Self {
        self.rows.extend(page.rows);
        Self { rows: self.rows, ..page }
    }
}

/// An answer that cannot be read though it should hold a single record.
fn at_one_record(mut error: CallError, position: &Position) -> CallError {
    let place = match position {
        Position::AfterId(id) => format!("the one record that follows id {id}"),
        Position::Start
        | Position::Offset { .. }
        | Position::Number { .. }
        | Position::Token(_)
        | Position::Url(_)
        | Position::From(_) => "the first record alone".to_owned(),
    };
    error.detail = format!(
        "{}; so it is also when only {place} is asked for. What comes before it is read, what follows waits: correct that \
         record in the CRM. If the CRM shows nothing wrong with it, a proxy or the address is at fault",
        error.detail
    );
    error
}
