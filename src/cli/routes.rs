//! `route` and `freeze`: whether routes act.

use super::output::{Output, print_line};
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
    let (args, word, until) = match verb {
        RouteVerb::List(json) => return status::routes(config, Output::new(json.json)).await,
        RouteVerb::On(args) => (args, RouteWord::On, None),
        RouteVerb::Dry(args) => (args, RouteWord::Dry, None),
        RouteVerb::Resume(args) => (args, RouteWord::Resume, None),
        RouteVerb::Pilot { route, records, first, until } => {
            let whom = first
                .map_or_else(|| Pilot::Records(records.into_iter().map(RecordId).collect()), Pilot::First);
            let until = end_of(config, until.as_deref())?;
            (route, RouteWord::Pilot { whom, until }, until)
        }
        RouteVerb::Pause { route, until, harvest } => {
            let until = end_of(config, until.as_deref())?;
            (route, RouteWord::Pause { until, harvest_too: harvest }, until)
        }
    };
    let RouteArgs { route, reason } = args;
    let settings = app::load(config)?;
    let route = known::route(&settings, &route)?.id.clone();
    let command = Command::Route { route, word, reason };
    let end = send::send(config, command, Output::new(false)).await?;
    if let (End::Done | End::ParkedNew, Some(until)) = (end, until) {
        print_line(&format!(
            "it ends by itself at {}; then the route is what it was before",
            Zone::of(&settings).at(until)
        ));
    }
    Ok(end)
}

/// `freeze`.
pub async fn freeze(config: &Path, args: FreezeArgs) -> anyhow::Result<End> {
    let until = end_of(config, args.until.as_deref())?;
    let command = Command::Freeze { reason: args.reason, until, even_locks: args.even_locks };
    let end = send::send(config, command, Output::new(false)).await?;
    if end == End::Done {
        let by_itself =
            |at| Ok::<_, anyhow::Error>(format!("by itself at {}", Zone::of(&app::load(config)?).at(at)));
        let ends = until.map(by_itself).transpose()?;
        let ends = ends.unwrap_or_else(|| "with `dialbridge thaw --reason TEXT`".to_owned());
        print_line(&format!("it ends {ends}; what waited is sent then"));
    }
    Ok(end)
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
        None => Ok(Some(blocks::end(text, Zone::of(&app::load(config)?))?)),
    }
}
