//! The requests of the simulated dialler that change something.

use super::DiallerSim;
use super::input::ImportParams;
use super::judge::Actor;
use super::routes::{Answer, found, json_body, no_contact, number, param, posted, user_data_param};
use super::state::{Cause, State as Memory};
use crate::sim::wire::RequestSeq;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

fn cause(sim: &DiallerSim, seq: Option<Extension<RequestSeq>>) -> Cause {
    Cause { actor: Actor::Client, request: seq.map(|Extension(RequestSeq(seq))| seq), at: sim.env().now() }
}

pub(super) async fn import(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let body = posted(&headers, &body)?;
    let flag = |name| param(query.as_deref(), name).map(|text| text.eq_ignore_ascii_case("true"));
    let params = ImportParams {
        overwrite: flag("overwriteDuplicates"),
        reset: flag("resetContact"),
        unlock: flag("unlockContact"),
    };
    let (plan, race) = sim
        .with(|memory, _| memory.plan_import(&body, params).map(|plan| (plan, memory.config.import_race)))?;
    if !race.is_zero() {
        sim.env().sleep(race).await;
    }
    let cause = cause(&sim, seq);
    sim.with(|memory, _| {
        let id = memory.carry_import(plan, cause);
        found(memory, &[id])
    })
}

pub(super) async fn update(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let body = posted(&headers, &body)?;
    let cause = cause(&sim, seq);
    sim.with(|memory, _| {
        let id = memory.update(&body, cause)?;
        found(memory, &[id])
    })
}

#[derive(Clone, Copy)]
enum Command {
    Lock,
    Unlock,
    Reset,
    Delete,
}

fn verb(text: &str) -> Option<Command> {
    match text {
        "lock" => Some(Command::Lock),
        "unlock" => Some(Command::Unlock),
        "reset" => Some(Command::Reset),
        _ => None,
    }
}

fn obey(memory: &mut Memory, cause: Cause, command: Command, id: Option<i64>) -> Answer {
    let id = id.ok_or_else(no_contact)?;
    let done = match command {
        Command::Lock => memory.set_lock(cause, id, true),
        Command::Unlock => memory.set_lock(cause, id, false),
        Command::Reset => memory.reset(cause, id),
        Command::Delete => memory.delete(cause, id),
    };
    if done { Ok(json_body(r#"{"status":200}"#)) } else { Err(no_contact()) }
}

fn obey_by_user_data(
    sim: &DiallerSim,
    seq: Option<Extension<RequestSeq>>,
    query: Option<&str>,
    command: Command,
) -> Answer {
    let key = user_data_param(query)?;
    let cause = cause(sim, seq);
    sim.with(|memory, _| {
        let found = memory.find(&key, None);
        let first = memory.first_of(&found);
        obey(memory, cause, command, first)
    })
}

pub(super) async fn delete_by_id(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    match number(&id) {
        Ok(id) => {
            let cause = cause(&sim, seq);
            sim.with(|memory, _| obey(memory, cause, Command::Delete, Some(id)))
        }
        Err(nowhere) => Ok(nowhere),
    }
}

pub(super) async fn delete_by_user_data(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    RawQuery(query): RawQuery,
) -> Answer {
    obey_by_user_data(&sim, seq, query.as_deref(), Command::Delete)
}

pub(super) async fn command_by_id(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    Path((_, id, word)): Path<(String, String, String)>,
) -> Answer {
    match (verb(&word), number(&id)) {
        (Some(command), Ok(id)) => {
            let cause = cause(&sim, seq);
            sim.with(|memory, _| obey(memory, cause, command, Some(id)))
        }
        (None, _) | (_, Err(_)) => Ok(StatusCode::NOT_FOUND.into_response()),
    }
}

pub(super) async fn command_by_user_data(
    State(sim): State<DiallerSim>,
    seq: Option<Extension<RequestSeq>>,
    Path((_, word)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    match verb(&word) {
        Some(command) => obey_by_user_data(&sim, seq, query.as_deref(), command),
        None => Ok(StatusCode::NOT_FOUND.into_response()),
    }
}
