//! `route`, `plan` and `freeze`: whether routes act, what they would do, what needs approval.

use super::output::Output;
use super::route_args::{FreezeArgs, PlanVerb, RouteArgs, RouteVerb, WaveArgs};
use super::table::table;
use super::zone::Zone;
use super::{blocks, send, status};
use crate::app::{self, known};
use crate::control::{Command, End, RouteWord, WaveOrder};
use crate::domain::{RecordId, Timestamp};
use crate::ledger::{PlanExample, PlanView};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// `route ...`.
pub async fn route(config: &Path, verb: RouteVerb) -> anyhow::Result<End> {
    let (args, word) = match verb {
        RouteVerb::List(json) => return status::routes(config, Output::new(json.json)).await,
        RouteVerb::On(args) => (args, RouteWord::On),
        RouteVerb::Dry(args) => (args, RouteWord::Dry),
        RouteVerb::Resume(args) => (args, RouteWord::Resume),
        RouteVerb::Pilot { route, records, first } => {
            let word = first.map_or_else(
                || RouteWord::Pilot(records.into_iter().map(RecordId).collect()),
                RouteWord::PilotFirst,
            );
            (route, word)
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

/// `plan ...`.
pub async fn plan(config: &Path, verb: PlanVerb) -> anyhow::Result<End> {
    match verb {
        PlanVerb::List { all, json } => list(config, all, Output::new(json.json)).await,
        PlanVerb::Show { route, json } => show(config, route.as_deref(), Output::new(json.json)).await,
        PlanVerb::Approve(args) => decide(config, args, WaveOrder::Approve).await,
        PlanVerb::Reject(args) => decide(config, args, WaveOrder::Reject).await,
    }
}

async fn decide(config: &Path, args: WaveArgs, word: WaveOrder) -> anyhow::Result<End> {
    let command = Command::Wave { wave: args.wave, word, reason: args.reason };
    send::send(config, command, Output::new(false)).await
}

async fn list(config: &Path, all: bool, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let waves = app::open_reading(&settings).await?.waves_list(None, all).await?;
    let zone = Zone::of(&settings);
    output.value(&waves, || {
        if waves.is_empty() {
            return "Nothing needs approval.".to_owned();
        }
        let rows: Vec<Vec<String>> = waves
            .iter()
            .map(|wave| {
                vec![
                    wave.id.to_string(),
                    wave.route.to_string(),
                    wave.kind.to_string(),
                    wave.waiting.to_string(),
                    wave.operations.to_string(),
                    wave.bound.to_string(),
                    wave.source.clone(),
                    zone.at(wave.since),
                    wave.state.to_string(),
                ]
            })
            .collect();
        let headings = ["wave", "route", "what", "wait", "in all", "limit", "from", "since", "state"];
        format!(
            "{}\n`dialbridge plan show --route R` shows what they would do; `plan approve WAVE --reason TEXT` lets one go.",
            table(&headings, &rows)
        )
    });
    Ok(End::Done)
}

/// What waits, per route.
pub async fn show(config: &Path, route: Option<&str>, output: Output) -> anyhow::Result<End> {
    let route = match route {
        Some(given) => Some(known::route(&app::load(config)?, given)?.id.clone()),
        None => None,
    };
    let views = app::plan::views(config, route).await?;
    output.value(&views, || views.iter().map(in_words).collect());
    Ok(End::Done)
}

fn in_words(view: &PlanView) -> String {
    let mut text = format!("Route {}\n", view.route);
    if view.groups.is_empty() {
        text.push_str("Nothing waits to be sent.\n");
    } else {
        let rows: Vec<Vec<String>> = view
            .groups
            .iter()
            .map(|group| {
                let held =
                    if group.held > 0 { format!("{} need approval", group.held) } else { String::new() };
                vec![group.count.to_string(), group.kind.to_string(), group.reason(), held]
            })
            .collect();
        text.push_str(&table(&["count", "would", "because", ""], &rows));
    }
    for example in &view.examples {
        let _infallible = writeln!(text, "{}", one(example));
    }
    if !view.aside.is_empty() {
        let rows: Vec<Vec<String>> = view
            .aside
            .iter()
            .map(|group| vec![group.count.to_string(), group.state.clone(), group.reason()])
            .collect();
        let _infallible = write!(text, "\nLeft aside:\n{}", table(&["count", "state", "because"], &rows));
    }
    text
}

fn one(example: &PlanExample) -> String {
    let whom = example.user_data.as_deref().or(example.record.as_deref()).unwrap_or("a contact of nobody's");
    let fields: Vec<String> = example
        .fields
        .iter()
        .map(|field| match &field.before {
            Some(before) => format!("{}: {} -> {}", field.field, shown(before), shown(&field.after)),
            None => format!("{}: {}", field.field, shown(&field.after)),
        })
        .collect();
    format!("  {} {whom} ({}) {}", example.kind, example.text, fields.join(", "))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A span from now on ("2h"), a day or an instant.
fn end_of(config: &Path, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    match app::span_from_now(text) {
        Some(at) => Ok(Some(at)),
        None => blocks::end(text, Zone::of(&app::load(config)?)).map(Some),
    }
}
