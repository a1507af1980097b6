//! What the simulated CRM takes over HTTP: activities of its records, by their ids or under a key, and fields.
//!
//! `POST /api/contacts/ID/activities` creates; with an `external_id` the same one again changes the first, with a
//! `reference` or neither it doubles, as most CRMs do. `PUT /api/activities/by-key/KEY` is the same with the key in the
//! path and no answer but 204. A look-up may lag behind both.

use super::SimCrm;
use super::activities::Put;
use super::router::refusal;
use super::settings::{Rejection, Rights};
use super::store::{Effect, Store};
use crate::sim::journal::RequestKind;
use crate::sim::wire::RequestSeq;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, put};
use axum::{Extension, Json, Router};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What no write may change: the CRM's own.
const OWN: &[&str] = &["id", "modified_at", "active", "phone_blacklisted"];

type Fields = Map<String, Value>;

pub(super) fn routes() -> Router<SimCrm> {
    Router::new()
        .route("/api/contacts/{id}", patch(change_record))
        .route("/api/contacts/{id}/activities", get(find).post(create))
        .route("/api/activities/{id}", patch(change))
        .route("/api/activities/by-key/{key}", put(create_by_key))
        .route("/api/rights", get(rights))
        .route("/api/numbers/blacklisted/{number}", put(blacklist))
}

/// What the token's user may do.
async fn rights(State(crm): State<SimCrm>) -> Json<Value> {
    let may = crm.settings().rights == Rights::Write;
    Json(json!({ "activities": may, "fields": may, "blacklist": may }))
}

/// A number goes onto the blacklist; it may be there already.
async fn blacklist(State(crm): State<SimCrm>, Path(number): Path<String>) -> Response {
    if crm.settings().rights == Rights::Read {
        return refusal(StatusCode::FORBIDDEN, "this token may only read");
    }
    crm.editor().blacklist(&number, true);
    StatusCode::NO_CONTENT.into_response()
}

/// The names of these requests in the journal; their paths hold ids.
pub(super) fn classify(method: &http::Method, path: &str) -> Option<RequestKind> {
    let rest = path.strip_prefix("/api/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("PATCH", ["contacts", _]) => Some(RequestKind::write("record_change")),
        ("POST", ["contacts", _, "activities"]) => Some(RequestKind::write("activity_create")),
        ("GET", ["contacts", _, "activities"]) => Some(RequestKind::read("activity_find")),
        ("PATCH", ["activities", _]) => Some(RequestKind::write("activity_change")),
        ("PUT", ["numbers", "blacklisted", _]) => Some(RequestKind::write("blacklist")),
        ("PUT", ["activities", "by-key", _]) => Some(RequestKind::write("activity_create")),
        _ => None,
    }
}

/// Why a write is not carried out; boxed, because an answer is large.
type Refused = Box<Response>;

/// The record that a write to this id changes, if whoever asks may write and it takes it.
fn writable(crm: &SimCrm, store: &Store, id: u64) -> Result<u64, Refused> {
    let settings = crm.settings();
    if settings.rights == Rights::Read {
        return Err(Box::new(refusal(StatusCode::FORBIDDEN, "this token may only read")));
    }
    let id = store.merged_into(id);
    if store.committed(id).is_none() {
        return Err(Box::new(refusal(StatusCode::NOT_FOUND, "no such record")));
    }
    match store.unwritable.get(&id) {
        None => Ok(id),
        Some(text) => Err(Box::new(rejected(crm, text))),
    }
}

fn rejected(crm: &SimCrm, text: &str) -> Response {
    let status = match crm.settings().rejection {
        Rejection::Status => StatusCode::UNPROCESSABLE_ENTITY,
        Rejection::InBody => StatusCode::OK,
    };
    let body = json!({ "success": false, "error": { "code": "INVALID", "message": text } });
    (status, Json(body)).into_response()
}

/// The values of a body that wraps them, as some CRMs want it, or of one that does not.
fn unwrapped(mut body: Fields) -> Fields {
    match body.remove("fields") {
        Some(Value::Object(fields)) => fields,
        Some(other) => {
            body.insert("fields".to_owned(), other);
            body
        }
        None => body,
    }
}

fn add(crm: &SimCrm, record: u64, fields: Fields, request: u64) -> Result<Put, Refused> {
    let now = crm.env.now();
    let lag = TimeDelta::from_std(crm.settings().activity_lag).unwrap_or(TimeDelta::MAX);
    let mut store = crm.store();
    let record = writable(crm, &store, record)?;
    let put = store.activities.put(record, fields, now + lag);
    drop(store);
    let effect = match put {
        Put::Created(activity) => Effect::ActivityCreated { activity, record },
        Put::Changed(activity) => Effect::ActivityChanged { activity, record },
    };
    crm.journal.effect(now, Some(request), effect);
    Ok(put)
}

async fn create(
    State(crm): State<SimCrm>,
    Path(record): Path<u64>,
    Extension(RequestSeq(request)): Extension<RequestSeq>,
    Json(fields): Json<Fields>,
) -> Response {
    match add(&crm, record, fields, request) {
        Ok(Put::Created(id)) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        Ok(Put::Changed(id)) => Json(json!({ "id": id })).into_response(),
        Err(refused) => *refused,
    }
}

async fn create_by_key(
    State(crm): State<SimCrm>,
    Path(key): Path<String>,
    Extension(RequestSeq(request)): Extension<RequestSeq>,
    Json(mut fields): Json<Fields>,
) -> Response {
    let Some(record) = fields.remove("record").as_ref().and_then(Value::as_u64) else {
        return rejected(&crm, "an activity belongs to a record");
    };
    fields.insert("external_id".to_owned(), Value::from(key));
    match add(&crm, record, fields, request) {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => *refused,
    }
}

async fn change(
    State(crm): State<SimCrm>,
    Path(activity): Path<u64>,
    Extension(RequestSeq(request)): Extension<RequestSeq>,
    Json(fields): Json<Fields>,
) -> Response {
    let mut store = crm.store();
    let Some(record) = store.activities.get(activity).map(|activity| activity.record) else {
        return refusal(StatusCode::NOT_FOUND, "no such activity");
    };
    let record = match writable(&crm, &store, record) {
        Ok(record) => record,
        Err(refused) => return *refused,
    };
    store.activities.change(activity, fields);
    drop(store);
    crm.journal.effect(crm.env.now(), Some(request), Effect::ActivityChanged { activity, record });
    Json(json!({ "id": activity })).into_response()
}

#[derive(Debug, Deserialize)]
struct Wanted {
    external_id: Option<String>,
    reference: Option<String>,
}

async fn find(State(crm): State<SimCrm>, Path(record): Path<u64>, Query(wanted): Query<Wanted>) -> Response {
    let (now, store) = (crm.env.now(), crm.store());
    let record = store.merged_into(record);
    if store.committed(record).is_none() {
        return refusal(StatusCode::NOT_FOUND, "no such record");
    }
    let (external, reference) = (wanted.external_id.as_deref(), wanted.reference.as_deref());
    let found = store.activities.all().filter(|activity| {
        activity.record == record && activity.found_from <= now && activity.is_under(external, reference)
    });
    let items: Vec<Value> = found
        .map(|activity| {
            let mut row = activity.fields.clone();
            row.insert("id".to_owned(), Value::from(activity.id));
            Value::Object(row)
        })
        .collect();
    Json(json!({ "items": items })).into_response()
}

async fn change_record(
    State(crm): State<SimCrm>,
    Path(record): Path<u64>,
    Extension(RequestSeq(request)): Extension<RequestSeq>,
    Json(body): Json<Fields>,
) -> Response {
    let fields = unwrapped(body);
    let checked = writable(&crm, &crm.store(), record);
    let record = match checked {
        Ok(record) => record,
        Err(refused) => return *refused,
    };
    if let Some(own) = OWN.iter().find(|own| fields.contains_key(**own)) {
        return rejected(&crm, &format!("{own} cannot be written"));
    }
    let refused = |field: &String| crm.store().unwritable_fields.get(&(record, field.clone())).cloned();
    if let Some(text) = fields.keys().find_map(refused) {
        return rejected(&crm, &text);
    }
    crm.editor().write(record, fields, request);
    Json(json!({ "id": record })).into_response()
}
