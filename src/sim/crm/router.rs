//! What the simulated CRM answers over HTTP.
//!
//! `GET /api/contacts` pages by id, `POST /api/contacts/search` by offset, `POST /api/contacts/feed` by a
//! token of its own (`paged` has three more ways); all see the same records through the same filter. `writes` has the
//! other half.

use super::SimCrm;
use super::settings::{Comparator, Empty, Settings};
use super::store::{Store, Version, number_of, plain};
use super::{login, paged, writes};
use crate::domain::Timestamp;
use crate::sim::wire::http_date;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) fn routes(crm: SimCrm) -> Router {
    Router::new()
        .route("/api/contacts", get(list))
        .route("/api/contacts/search", post(search))
        .route("/api/contacts/feed", post(feed))
        .route("/api/contacts/numbered", get(paged::numbered))
        .route("/api/contacts/linked", get(paged::in_body))
        .route("/api/contacts/headed", get(paged::in_header))
        .route("/api/contacts/by-ids", get(by_ids))
        .route("/api/contacts/count", get(count))
        .route("/api/contacts/blacklisted", get(blacklisted))
        .route("/api/contacts/deleted", get(deleted))
        .route("/api/contacts/by-numbers", post(by_numbers))
        .route("/api/numbers/blacklisted", get(blacklisted_numbers))
        .route("/api/time", get(time))
        .merge(writes::routes())
        .layer(from_fn_with_state(crm.clone(), admit))
        .route("/oauth/token", post(login::token))
        .with_state(crm)
}

/// Moves the Date header by the clock's skew, which the wire below knows nothing of.
pub(super) fn skewed(crm: SimCrm, router: Router) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let crm = crm.clone();
        async move {
            let mut answer = next.run(request).await;
            let now = crm.env.now() + TimeDelta::seconds(crm.settings().clock_skew_seconds);
            if crm.settings().no_date {
                answer.headers_mut().remove(header::DATE);
            } else if let Ok(date) = HeaderValue::from_str(&http_date(now)) {
                answer.headers_mut().insert(header::DATE, date);
            }
            answer
        }
    }))
}

const PAGED: &[&str] = &[
    "/api/contacts",
    "/api/contacts/search",
    "/api/contacts/feed",
    "/api/contacts/numbered",
    "/api/contacts/linked",
    "/api/contacts/headed",
];

async fn admit(State(crm): State<SimCrm>, request: Request, next: Next) -> Response {
    let settings = crm.settings();
    if !crm.admits(request.headers()) {
        return refusal(StatusCode::UNAUTHORIZED, "invalid token");
    }
    crm.store().settle(crm.env.now());
    if settings.error_in_200 {
        return Json(json!({ "success": false, "error": { "code": "BUSY", "message": "try later" } }))
            .into_response();
    }
    let paged = PAGED.contains(&request.uri().path());
    let answer = next.run(request).await;
    if paged {
        crm.page_answered();
    }
    answer
}

pub(super) fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "success": false, "error": { "code": status.as_u16(), "message": message } })))
        .into_response()
}

/// A time as the CRM shows it: cut to its precision.
fn shown(at: Timestamp, settings: &Settings) -> Timestamp {
    let micros = at.timestamp_micros();
    let cut = micros - micros.rem_euclid(settings.precision.micros());
    chrono::DateTime::from_timestamp_micros(cut).unwrap_or(at)
}

fn written(at: Timestamp, settings: &Settings) -> String {
    let form =
        if settings.precision.micros() < 1_000_000 { "%Y-%m-%dT%H:%M:%S%.3fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    shown(at, settings).format(form).to_string()
}

/// The window of a list request.
#[derive(Debug, Default)]
pub(super) struct Window {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Window {
    pub(super) fn read(since: Option<&str>, until: Option<&str>) -> Result<Self, Box<Response>> {
        let read = |text: Option<&str>| {
            let parsed = text.map(|text| text.parse::<Timestamp>()).transpose();
            parsed.map_err(|_| Box::new(refusal(StatusCode::BAD_REQUEST, "a time is no ISO 8601 time")))
        };
        Ok(Self { since: read(since)?, until: read(until)? })
    }

    /// Compares as coarse as the CRM shows, whatever microseconds it stores.
    pub(super) fn holds(&self, version: &Version, settings: &Settings) -> bool {
        let at = shown(version.modified, settings);
        let since = self.since.map(|since| shown(since, settings)).filter(|_| !settings.ignores_since);
        let from = since.is_none_or(|since| match settings.comparator {
            Comparator::Inclusive => at >= since,
            Comparator::Exclusive => at > since,
        });
        from && self.until.is_none_or(|until| at < shown(until, settings))
    }
}

/// Writes rows by hand: an odd row is any text, and an answer may be large.
pub(super) fn page<'v>(
    store: &Store,
    settings: &Settings,
    rows: impl Iterator<Item = (u64, &'v Version)>,
    rest: &str,
) -> Response {
    let mut rows = rows.peekable();
    if rows.peek().is_none() && settings.empty == Empty::NoContent {
        return StatusCode::NO_CONTENT.into_response();
    }
    let mut body = String::from("{\"items\":[");
    for (index, (id, version)) in rows.enumerate() {
        if index > 0 {
            body.push(',');
        }
        match store.odd_rows.iter().rev().find(|(odd, _)| *odd == id) {
            Some((_, raw)) => body.push_str(raw),
            None => body.push_str(&row(store, settings, id, version).to_string()),
        }
    }
    let _ = write!(body, "]{rest}}}");
    let mut answer = Response::new(Body::from(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn row(store: &Store, settings: &Settings, id: u64, version: &Version) -> Value {
    let most = settings.fields_cap.unwrap_or(usize::MAX);
    let mut fields: Map<String, Value> =
        version.fields.iter().take(most).map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.insert("id".to_owned(), json!(id));
    fields.insert("modified_at".to_owned(), json!(written(version.modified, settings)));
    fields.insert("active".to_owned(), json!(version.active));
    if settings.shows_blacklisted {
        fields.insert("phone_blacklisted".to_owned(), json!(store.is_blacklisted(version)));
    }
    Value::Object(fields)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    modified_since: Option<String>,
    after_id: Option<u64>,
    limit: Option<usize>,
}

async fn list(State(crm): State<SimCrm>, Query(query): Query<ListQuery>) -> Response {
    let window = match Window::read(query.modified_since.as_deref(), None) {
        Ok(window) => window,
        Err(refusal) => return *refusal,
    };
    let (settings, store) = (crm.settings(), crm.store());
    let limit = query.limit.unwrap_or(100).min(settings.page_cap);
    let rows = store
        .listed_after(query.after_id.unwrap_or(0))
        .filter(|(_, version)| window.holds(version, &settings))
        .take(limit);
    page(&store, &settings, rows, "")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    modified_from: Option<String>,
    modified_before: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Search {
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
    sort: Option<String>,
}

async fn search(State(crm): State<SimCrm>, Json(search): Json<Search>) -> Response {
    let filter = &search.filter;
    let window = match Window::read(filter.modified_from.as_deref(), filter.modified_before.as_deref()) {
        Ok(window) => window,
        Err(refusal) => return *refusal,
    };
    let (settings, store) = (crm.settings(), crm.store());
    let rows = by_time(&crm, &store, &settings, &window, search.sort.as_deref());
    let (total, limit) = (rows.len(), search.limit.unwrap_or(100).min(settings.page_cap));
    let rows = rows.into_iter().skip(search.offset).take(limit);
    page(&store, &settings, rows, &format!(",\"total\":{total}"))
}

/// What the window holds, in the order asked for.
pub(super) fn by_time<'s>(
    crm: &SimCrm,
    store: &'s Store,
    settings: &Settings,
    window: &Window,
    sort: Option<&str>,
) -> Vec<(u64, &'s Version)> {
    let mut rows: Vec<_> =
        store.listed_after(0).filter(|(_, version)| window.holds(version, settings)).collect();
    let sort = sort.unwrap_or("id asc");
    if sort.starts_with("modified_at") {
        if settings.unstable_ties {
            // Only what the CRM shows is sorted by; ties stand as the moment wants it.
            let shift = crm.env.random_below(rows.len() as u64);
            rows.rotate_left(usize::try_from(shift).unwrap_or(0));
            rows.sort_by_key(|(_, version)| shown(version.modified, settings));
        } else {
            rows.sort_by_key(|(id, version)| (version.modified, *id));
        }
    }
    if sort.ends_with("desc") {
        rows.reverse();
    }
    rows
}

#[derive(Debug, Deserialize)]
struct Feed {
    since: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// The last id of a token that is still known.
fn read_token(crm: &SimCrm, settings: &Settings, token: &str) -> Option<u64> {
    let (id, given) = token.strip_prefix("c-")?.split_once('-')?;
    let age = u64::try_from(crm.env.now().timestamp() - given.parse::<i64>().ok()?).ok()?;
    let known = settings.page_token_life.is_none_or(|life| age <= life.as_secs());
    id.parse().ok().filter(|_| known)
}

/// The token is the last id and when it was given, wrapped so that nobody takes it for an id.
async fn feed(State(crm): State<SimCrm>, Json(feed): Json<Feed>) -> Response {
    let window = match Window::read(feed.since.as_deref(), None) {
        Ok(window) => window,
        Err(refusal) => return *refusal,
    };
    let (settings, store) = (crm.settings(), crm.store());
    let Some(after) = feed.cursor.as_deref().map_or(Some(0), |token| read_token(&crm, &settings, token))
    else {
        return refusal(StatusCode::BAD_REQUEST, "unknown cursor");
    };
    let limit = feed.limit.unwrap_or(100).min(settings.page_cap);
    let mut rows: Vec<_> = store
        .listed_after(after)
        .filter(|(_, version)| window.holds(version, &settings))
        .take(limit + 1)
        .collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let given = crm.env.now().timestamp();
    let token = rows.last().filter(|_| more).map(|(id, _)| format!("c-{id}-{given}"));
    let rest = format!(",\"next\":{}", json!(token));
    page(&store, &settings, rows.into_iter(), &rest)
}

#[derive(Debug, Deserialize)]
struct Ids {
    ids: String,
}

async fn by_ids(State(crm): State<SimCrm>, Query(Ids { ids }): Query<Ids>) -> Response {
    let (settings, store) = (crm.settings(), crm.store());
    let ids: BTreeSet<u64> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
    let ids: BTreeSet<u64> = ids.into_iter().map(|id| store.merged_into(id)).collect();
    let rows = ids.iter().filter_map(|id| Some((*id, store.committed(*id)?)));
    page(&store, &settings, rows, "")
}

async fn count(State(crm): State<SimCrm>) -> Json<Value> {
    Json(json!({ "total": crm.store().listed_after(0).count() }))
}

/// What was deleted since a time, in order of id.
async fn deleted(State(crm): State<SimCrm>, Query(query): Query<ListQuery>) -> Response {
    let since = query.modified_since.as_deref().and_then(|since| since.parse::<Timestamp>().ok());
    let (now, store) = (crm.env.now(), crm.store());
    let limit = query.limit.unwrap_or(100).min(crm.settings().page_cap);
    let rows = store.deleted.range(query.after_id.unwrap_or(0) + 1..);
    let rows = rows.filter(|(_, at)| **at <= now && since.is_none_or(|since| **at >= since)).take(limit);
    let ids: Vec<_> = rows.map(|(id, at)| json!({ "id": id, "deleted_at": at })).collect();
    items(&crm.settings(), &ids)
}

async fn blacklisted(State(crm): State<SimCrm>, Query(query): Query<ListQuery>) -> Response {
    let store = crm.store();
    let limit = query.limit.unwrap_or(100).min(crm.settings().page_cap);
    let rows = store.listed_after(query.after_id.unwrap_or(0));
    let ids: Vec<_> = rows
        .filter(|(_, version)| store.is_blacklisted(version))
        .take(limit)
        .map(|(id, _)| json!({ "id": id }))
        .collect();
    items(&crm.settings(), &ids)
}

async fn blacklisted_numbers(State(crm): State<SimCrm>) -> Response {
    let numbers: Vec<_> =
        crm.store().blacklisted_numbers().map(|number| json!({ "number": number })).collect();
    items(&crm.settings(), &numbers)
}

fn items(settings: &Settings, items: &[Value]) -> Response {
    match settings.empty {
        Empty::NoContent if items.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Empty::NoContent | Empty::List => Json(json!({ "items": items })).into_response(),
    }
}

#[derive(Debug, Deserialize)]
struct Numbers {
    numbers: Vec<String>,
}

async fn by_numbers(State(crm): State<SimCrm>, Json(Numbers { numbers }): Json<Numbers>) -> Response {
    let wanted: BTreeSet<String> = numbers.iter().map(|number| plain(number)).collect();
    let store = crm.store();
    let ids: Vec<_> = store
        .listed_after(0)
        .filter(|(_, version)| number_of(version).is_some_and(|number| wanted.contains(&number)))
        .map(|(id, _)| json!({ "id": id }))
        .collect();
    items(&crm.settings(), &ids)
}

async fn time(State(crm): State<SimCrm>) -> Json<Value> {
    let now = crm.env.now() + TimeDelta::seconds(crm.settings().clock_skew_seconds);
    Json(json!({ "now": now.format("%Y-%m-%dT%H:%M:%SZ").to_string() }))
}
