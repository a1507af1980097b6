//! The simulated CRM's other ways of paging: by number, by an address in the body, by a `Link` header.

use super::SimCrm;
use super::router::{Window, by_time, page};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
pub(super) struct Numbered {
    modified_from: Option<String>,
    modified_before: Option<String>,
    sort: Option<String>,
    page: Option<usize>,
    per_page: Option<usize>,
}

/// Page 1 is the first.
pub(super) async fn numbered(State(crm): State<SimCrm>, Query(query): Query<Numbered>) -> Response {
    let window = match Window::read(query.modified_from.as_deref(), query.modified_before.as_deref()) {
        Ok(window) => window,
        Err(refusal) => return *refusal,
    };
    let (settings, store) = (crm.settings(), crm.store());
    let rows = by_time(&crm, &store, &settings, &window, query.sort.as_deref());
    let (total, size) = (rows.len(), query.per_page.unwrap_or(100).min(settings.page_cap).max(1));
    let number = query.page.unwrap_or(1).max(1);
    let rows = rows.into_iter().skip((number - 1) * size).take(size);
    page(&store, &settings, rows, &format!(",\"page\":{number},\"pages\":{}", total.div_ceil(size)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Linked {
    modified_since: Option<String>,
    after_id: Option<u64>,
    limit: Option<usize>,
}

/// The next page's address stands in the body.
pub(super) async fn in_body(
    State(crm): State<SimCrm>,
    headers: HeaderMap,
    Query(query): Query<Linked>,
) -> Response {
    linked(&crm, &headers, &query, "/api/contacts/linked", Place::Body)
}

/// The next page's address stands in the `Link` header.
pub(super) async fn in_header(
    State(crm): State<SimCrm>,
    headers: HeaderMap,
    Query(query): Query<Linked>,
) -> Response {
    linked(&crm, &headers, &query, "/api/contacts/headed", Place::Header)
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Body,
    Header,
}

fn linked(crm: &SimCrm, headers: &HeaderMap, query: &Linked, path: &str, place: Place) -> Response {
    let window = match Window::read(query.modified_since.as_deref(), None) {
        Ok(window) => window,
        Err(refusal) => return *refusal,
    };
    let (settings, store) = (crm.settings(), crm.store());
    let limit = query.limit.unwrap_or(100).min(settings.page_cap);
    let mut rows: Vec<_> = store
        .listed_after(query.after_id.unwrap_or(0))
        .filter(|(_, version)| window.holds(version, &settings))
        .take(limit + 1)
        .collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = format!("http://{host}");
    let origin = settings.next_page_at.as_deref().unwrap_or(&own);
    let since = query.modified_since.as_deref().map(|since| format!("&modified_since={since}"));
    let circle = settings.pages_in_a_circle && query.after_id.is_some_and(|after| after > 0);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|(id, _)| if circle { 0 } else { *id })
        .map(|id| format!("{origin}{path}?after_id={id}&limit={limit}{}", since.unwrap_or_default()));
    let rest = if place == Place::Body { format!(",\"next_url\":{}", json!(next)) } else { String::new() };
    let mut answer = page(&store, &settings, rows.into_iter(), &rest);
    if place == Place::Header && !(settings.bare_last_page && next.is_none()) {
        let links = next.iter().map(|next| format!("<{next}>; rel=\"next\""));
        let links: Vec<String> = std::iter::once(format!("<{path}>; rel=\"first\"")).chain(links).collect();
        if let Ok(links) = HeaderValue::from_str(&links.join(", ")) {
            answer.headers_mut().insert(header::LINK, links);
        }
    }
    answer
}
