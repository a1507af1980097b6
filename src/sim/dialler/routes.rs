//! The routes of the simulated dialler under `/rest/v1.0/{ClientsID}`.

use super::DiallerSim;
use super::commands::{
    command_by_id, command_by_user_data, delete_by_id, delete_by_user_data, import, update,
};
use super::config::{BatchMissing, BatchUnknown, NotFound};
use super::input::Refusal;
use super::json;
use super::list::contact_list;
use super::model::SimContact;
use super::state::State as Memory;
use crate::sim::journal::RequestKind;
use crate::sim::wire::query_pairs;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;

pub(super) type Answer = Result<Response, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::json!({ "status": self.status, "error": self.error });
        (status, json_body(body.to_string())).into_response()
    }
}

pub(super) fn json_body(body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    let kind = http::HeaderValue::from_static("application/json;charset=UTF-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

pub(super) fn no_contact() -> Refusal {
    Refusal::missing("DiallerContact not found")
}

/// Names a request for the journal.
pub fn classify(method: &Method, path: &str) -> RequestKind {
    let unknown = RequestKind::read("unknown");
    let mut segments = path.trim_matches('/').split('/');
    if segments.next() != Some("rest") || segments.next() != Some("v1.0") || segments.next().is_none() {
        return unknown;
    }
    let rest: Vec<&str> = segments.collect();
    match (method.as_str(), rest.as_slice()) {
        ("GET", ["dialler", "contacts"]) => RequestKind::read("list"),
        ("POST", ["dialler", "contacts"]) => RequestKind::read("batch"),
        ("GET", ["dialler", "contacts", "contact"]) => RequestKind::read("by_user_data"),
        ("GET", ["dialler", "contacts", _]) => RequestKind::read("contact"),
        ("POST", ["dialler", "contacts", "import"]) => RequestKind::write("import"),
        ("POST", ["dialler", "contacts", "update"]) => RequestKind::write("update"),
        ("GET", ["dialler", "contacts", "contact", .., "history"]) => RequestKind::read("history"),
        ("DELETE", ["dialler", "contacts", "contact", ..]) => RequestKind::write("delete"),
        ("PATCH", ["dialler", "contacts", "contact", .., "lock"]) => RequestKind::write("lock"),
        ("PATCH", ["dialler", "contacts", "contact", .., "unlock"]) => RequestKind::write("unlock"),
        ("PATCH", ["dialler", "contacts", "contact", .., "reset"]) => RequestKind::write("reset"),
        ("GET", ["dialler", "campaigns"]) => RequestKind::read("campaigns"),
        ("GET", ["dialler", "campaigns", _]) => RequestKind::read("campaign"),
        ("GET", ["users"]) => RequestKind::read("users"),
        ("GET", ["users", "user", _]) => RequestKind::read("user"),
        _ => unknown,
    }
}

/// All routes, without faults and journal.
pub(super) fn routes(sim: DiallerSim) -> Router {
    // An address that is not there is answered by axum's own 404, whose body is empty: just as jtel's.
    let api = Router::new()
        .route("/dialler/contacts", get(list).post(batch))
        .route("/dialler/contacts/{id}", get(by_id))
        .route("/dialler/contacts/contact", get(by_user_data).delete(delete_by_user_data))
        .route("/dialler/contacts/import", post(import))
        .route("/dialler/contacts/update", post(update))
        .route("/dialler/contacts/contact/{id}", delete(delete_by_id).patch(command_by_user_data))
        .route("/dialler/contacts/contact/{id}/{verb}", patch(command_by_id))
        .route("/dialler/contacts/contact/{id}/history", get(history_by_id))
        .route("/dialler/contacts/contact/history", get(history_by_user_data))
        .route("/dialler/campaigns", get(campaigns))
        .route("/dialler/campaigns/{id}", get(campaign))
        .route("/users", get(users))
        .route("/users/user/{id}", get(user))
        .route_layer(from_fn_with_state(sim.clone(), admit))
        .with_state(sim);
    Router::new().nest("/rest/v1.0/{client}", api)
}

/// 401 for a wrong token, a wrong ClientsID, or two that do not fit.
async fn admit(
    State(sim): State<DiallerSim>,
    Path(params): Path<std::collections::HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
        .to_owned();
    let client = params.get("client").and_then(|client| client.parse::<i64>().ok());
    let known =
        sim.with(|memory, _| memory.tokens.contains(&token) && client == Some(memory.config.client_id));
    if !known {
        return Refusal { status: 401, error: "Unauthorized".to_owned() }.into_response();
    }
    next.run(request).await
}

pub(super) fn param(query: Option<&str>, name: &str) -> Option<String> {
    query_pairs(query.unwrap_or_default()).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

pub(super) fn user_data_param(query: Option<&str>) -> Result<String, Refusal> {
    param(query, "userData")
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::bad("userData is mandatory"))
}

pub(super) fn posted(headers: &HeaderMap, body: &Bytes) -> Result<Value, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Refusal { status: 415, error: "Content-Type must be application/json".to_owned() });
    }
    serde_json::from_slice(body).map_err(|_| Refusal::bad("the body is no JSON"))
}

/// A path segment that must be a number; another is an address that is not there.
pub(super) fn number(segment: &str) -> Result<i64, Response> {
    segment.parse().map_err(|_| StatusCode::NOT_FOUND.into_response())
}

pub(super) fn found(memory: &Memory, ids: &[i64]) -> Answer {
    if ids.is_empty() && memory.config.not_found == NotFound::Json404 {
        return Err(no_contact());
    }
    let list = ids.iter().filter_map(|id| memory.contact(*id)).map(Arc::as_ref);
    Ok(json_body(json::contacts(list, &memory.config)))
}

async fn list(State(sim): State<DiallerSim>, RawQuery(query): RawQuery) -> Answer {
    let campaign = param(query.as_deref(), "diallerCampaignsID").filter(|text| !text.is_empty());
    let campaign = campaign
        .map(|text| text.parse::<i64>().map_err(|_| Refusal::bad("diallerCampaignsID: not a number")))
        .transpose()?;
    let unknown = campaign.is_some_and(|id| sim.with(|memory, _| !memory.campaigns.contains_key(&id)));
    if unknown {
        return Err(Refusal::missing("DiallerCampaign not found"));
    }
    Ok(json_body(contact_list(&sim, campaign)))
}

async fn by_id(State(sim): State<DiallerSim>, Path((_, id)): Path<(String, String)>) -> Answer {
    match number(&id) {
        Ok(id) => sim.with(|memory, _| {
            let ids: Vec<i64> = memory.contact(id).iter().map(|contact| contact.id).collect();
            found(memory, &ids)
        }),
        Err(nowhere) => Ok(nowhere),
    }
}

async fn by_user_data(State(sim): State<DiallerSim>, RawQuery(query): RawQuery) -> Answer {
    let key = user_data_param(query.as_deref())?;
    sim.with(|memory, _| found(memory, &memory.find(&key, None)))
}

async fn batch(
    State(sim): State<DiallerSim>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let missing = sim.with(|memory, _| (!memory.config.batch_read).then_some(memory.config.batch_missing));
    match missing {
        Some(BatchMissing::Status405) => {
            return Ok((StatusCode::METHOD_NOT_ALLOWED, Body::empty()).into_response());
        }
        Some(BatchMissing::Empty404) => return Ok(StatusCode::NOT_FOUND.into_response()),
        None => {}
    }
    let body = posted(&headers, &body)?;
    let array = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let (keys, ids) = (array("UserDataList"), array("IDList"));
    let language = param(query.as_deref(), "languagesID").and_then(|text| text.parse().ok()).unwrap_or(1);
    sim.with(|memory, _| {
        if memory.config.batch_limit.is_some_and(|limit| keys.len() + ids.len() > limit) {
            return Err(Refusal::bad("too many keys"));
        }
        let by_id = ids
            .iter()
            .map(|id| id.as_i64().and_then(|id| memory.contact(id)).map(|c| vec![c.id]).unwrap_or_default());
        let by_key =
            keys.iter().map(|key| key.as_str().map(|key| memory.find(key, None)).unwrap_or_default());
        let hits: Vec<Vec<i64>> = by_key.chain(by_id).collect();
        if memory.config.batch_unknown == BatchUnknown::Fail && hits.iter().any(Vec::is_empty) {
            return Err(no_contact());
        }
        let mut met = std::collections::HashSet::new();
        let contacts = hits.into_iter().flatten().filter(|id| met.insert(*id));
        let shown = memory.config.batch_shows.unwrap_or(usize::MAX);
        let contacts = contacts.filter_map(|id| memory.contact(id)).take(shown);
        Ok(json_body(json::small(contacts, |out, one: &Arc<SimContact>| {
            let result = one.dialling.result.and_then(|id| memory.result_code(id));
            let extra = json::batch_extra(one, result, memory.rows(one.id), language, &memory.config);
            json::contact(out, one, &memory.config, &extra);
        })))
    })
}

fn histories(memory: &Memory, ids: &[i64]) -> Answer {
    if ids.is_empty() {
        return Err(no_contact());
    }
    let rows = ids.iter().flat_map(|id| memory.rows(*id));
    Ok(json_body(json::small(rows, |out, row| {
        out.extend_from_slice(json::row(row, &memory.config).to_string().as_bytes());
    })))
}

async fn history_by_id(State(sim): State<DiallerSim>, Path((_, id)): Path<(String, String)>) -> Answer {
    match number(&id) {
        Ok(id) => sim.with(|memory, _| {
            let ids: Vec<i64> = memory.contact(id).iter().map(|contact| contact.id).collect();
            histories(memory, &ids)
        }),
        Err(nowhere) => Ok(nowhere),
    }
}

async fn history_by_user_data(State(sim): State<DiallerSim>, RawQuery(query): RawQuery) -> Answer {
    let key = user_data_param(query.as_deref())?;
    sim.with(|memory, _| histories(memory, &memory.find(&key, None)))
}

async fn campaigns(State(sim): State<DiallerSim>) -> Response {
    sim.with(|memory, _| {
        let mut known: Vec<_> = memory.campaigns.values().collect();
        known.sort_by(|a, b| a.name.cmp(&b.name));
        let records: Vec<Value> = known.into_iter().map(|one| json::campaign(one, &memory.config)).collect();
        json_body(json::list(&records, "Name"))
    })
}

async fn campaign(State(sim): State<DiallerSim>, Path((_, id)): Path<(String, String)>) -> Answer {
    match number(&id) {
        Ok(id) => sim.with(|memory, _| {
            let known =
                memory.campaigns.get(&id).ok_or_else(|| Refusal::missing("DiallerCampaign not found"))?;
            let record = json::campaign(known, &memory.config).to_string();
            Ok(json_body(json::small(std::iter::once(record), |out, one| {
                out.extend_from_slice(one.as_bytes())
            })))
        }),
        Err(nowhere) => Ok(nowhere),
    }
}

async fn users(State(sim): State<DiallerSim>) -> Response {
    sim.with(|memory, _| {
        let records: Vec<Value> = memory.users.iter().map(json::user).collect();
        json_body(json::list(&records, "UID"))
    })
}

async fn user(State(sim): State<DiallerSim>, Path((_, id)): Path<(String, String)>) -> Answer {
    match number(&id) {
        Ok(id) => sim.with(|memory, _| {
            let known = memory.users.iter().find(|user| user.id == id);
            let record = json::user(known.ok_or_else(|| Refusal::missing("User not found"))?).to_string();
            Ok(json_body(json::small(std::iter::once(record), |out, one| {
                out.extend_from_slice(one.as_bytes())
            })))
        }),
        Err(nowhere) => Ok(nowhere),
    }
}
