//! Whether a list whose pages are named by the `Link` header has come to its end: a proxy on the way may take the header
//! away, and then the first page looks like the last.

use super::call::{Endpoint, root};
use super::errors::bad_answer;
use super::format::Listing;
use super::links;
use super::pages::{Position, rows_of};
use super::template::{Bindings, Slot};
use crate::remote::CallError;
use serde_json::Value;

impl Endpoint {
    /// A full page that came without any `Link` header: the end, or an error.
    ///
    /// Behind a page that had one it is an error: whoever names pages names at least the one before (the few that name
    /// only the next one meet this where the last page is exactly full, and a `limit` that is one off ends it). Of a
    /// first page the list itself is asked, in smaller pages: then the header must come. Where the connector cannot ask
    /// so, or the CRM does not heed it, nothing speaks against the end.
    pub(super) async fn ends_without_links(
        &self,
        what: &str,
        listing: &Listing,
        mut bindings: Bindings,
        position: &Position,
    ) -> Result<(), CallError> {
        if matches!(position, Position::Url(_)) {
            return Err(stripped(what, listing.limit, "the page before it had one"));
        }
        let half = listing.limit / 2;
        if half == 0 || !listing.request.uses(Slot::Limit) {
            return Ok(());
        }
        bindings.insert(Slot::Limit, Value::from(half));
        let called = self.call(what, &listing.request, &bindings).await?;
        // An answer without a body is a list without rows.
        let Some(raw) = root(what, &called.body)? else { return Ok(()) };
        let rows = rows_of(what, listing, raw)?;
        if rows.len() == half && links::next_of(called.links.iter().map(String::as_str)).is_none() {
            return Err(stripped(
                what,
                listing.limit,
                "there is none either where half as many are asked for",
            ));
        }
        Ok(())
    }
}

fn stripped(what: &str, limit: usize, besides: &str) -> CallError {
    bad_answer(
        what,
        format!(
            "a page of {limit} records is as full as was asked for and came without a Link header, and {besides}: it is \
             not believed that nothing follows. Let the proxy in between pass the header Link through; where the CRM \
             itself leaves it out of a last page, change `limit` in the connector by one"
        ),
    )
}
