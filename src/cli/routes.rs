//! `route` and `freeze`: whether routes act.

use super::output::Output;
use super::route_args::{FreezeArgs, RouteArgs, RouteVerb};
use super::zone::Zone;
use super::{blocks, send, status};
use crate::app::{self, known};
use crate::control::{Command, End, RouteWord};
use crate::domain::{RecordId, Timestamp};
use crate::ledger::Pilot;
use std::path::Path;

/// `route ...`.
pub async fn route(config: &Path, verb: RouteVerb) -> anyhow::Result<End> {
    let (args, word) = match verb {
        RouteVerb::List(json) => return status::routes(config, Output::new(json.json)).await,
        RouteVerb::On(args) => (args, RouteWord::On),
        RouteVerb::Dry(args) => (args, RouteWord::Dry),
        RouteVerb::Resume(args) => (args, RouteWord::Resume),
        RouteVerb::Pilot { route, records, first, until } => {
            let whom = first
                .map_or_else(|| Pilot::Records(records.into_iter().map(RecordId).collect()), Pilot::First);
            let until = end_of(config, until.as_deref())?;
            (route, RouteWord::Pilot { whom, until })
        }
        RouteVerb::Pause { route, until, harvest } => {
            let until = end_of(config, until.as_deref())?;
            (route, RouteWord::Pause { until, harvest_too: harvest })
        }
    };
    let RouteArgs { route, reason } = args;
    let route = known::route(&app::load(config)?, &route)?.id.clone();
    let command = Command::Route { route, word, reason };
    send::send(config, command, Output::new(false)).await
}

/// `freeze`.
pub async fn freeze(config: &Path, args: FreezeArgs) -> anyhow::Result<End> {
    let until = end_of(config, args.until.as_deref())?;
    let command = Command::Freeze { reason: args.reason, until, even_locks: args.even_locks };
    send::send(config, command, Output::new(false)).await
}

/// `thaw`.
pub async fn thaw(config: &Path, reason: String) -> anyhow::Result<End> {
    send::send(config, Command::Thaw { reason }, Output::new(false)).await
}

/// A span from now on ("2h"), a day or an instant.
fn end_of(config: &Path, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    match app::span_from_now(text) {
        Some(at) => Ok(Some(at)),
        None => blocks::end(text, Zone::of(&app::load(config)?)).map(Some),
    }
}
