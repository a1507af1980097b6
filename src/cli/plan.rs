//! `plan`: what would be sent and why, what of it needs approval, and a person's word on that.

use super::output::Output;
use super::route_args::{PlanArgs, PlanVerb, WaveArgs};
use super::table::table;
use super::zone::Zone;
use super::{concerns, plan_dry_run, send};
use crate::app::known::{self, Usage};
use crate::app::{self, Settings};
use crate::control::{Command, End, WaveOrder};
use crate::domain::OperationKind;
use crate::domain::policy::{RouteState, WaveWhat};
use crate::ledger::{PlanExample, PlanPart, PlanView, WavePlan, WaveRecord, WaveRow};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// `plan ...`.
pub async fn run(config: &Path, args: PlanArgs) -> anyhow::Result<End> {
    let Some(verb) = args.verb else {
        return plan_dry_run::run(config, args.route.as_deref(), Output::new(args.json.json)).await;
    };
    match verb {
        PlanVerb::List { all, json } => list(config, all, Output::new(json.json)).await,
        PlanVerb::Show { wave: Some(wave), json, .. } => one_wave(config, wave, Output::new(json.json)).await,
        PlanVerb::Show { route, wave: None, json } => {
            show(config, route.as_deref(), Output::new(json.json)).await
        }
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
        let rows: Vec<Vec<String>> = waves.iter().map(|wave| listed(wave, zone)).collect();
        let headings = ["wave", "route", "what", "wait", "in all", "limit", "from", "since", "state"];
        format!(
            "{}\n`dialbridge plan show --wave N` shows what one would do; `plan approve N --reason TEXT` lets it go, \
             `plan reject N` puts it aside.",
            table(&headings, &rows)
        )
    });
    Ok(End::Done)
}

fn listed(wave: &WaveRow, zone: Zone) -> Vec<String> {
    let word = match (&wave.who, &wave.text) {
        (Some(who), Some(text)) => format!("{} by {who}: {text}", wave.state),
        (None, _) | (_, None) => wave.state.to_string(),
    };
    vec![
        wave.id.to_string(),
        wave.route.to_string(),
        wave.what.to_string().replace('_', " "),
        wave.waiting.to_string(),
        wave.operations.to_string(),
        wave.bound.to_string(),
        wave.source.clone(),
        zone.at(wave.since),
        word,
    ]
}

/// What waits, per route.
pub async fn show(config: &Path, route: Option<&str>, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = match route {
        Some(given) => Some(known::route(&settings, given)?.id.clone()),
        None => None,
    };
    let views = app::plan::views(&settings, route).await?;
    output.value(&views, || {
        let texts: Vec<String> = views.iter().map(|view| in_words(view, Zone::of(&settings))).collect();
        texts.join("\n")
    });
    Ok(End::Done)
}

async fn one_wave(config: &Path, wave: i64, output: Output) -> anyhow::Result<End> {
    let settings: Settings = app::load(config)?;
    let Some(found) = app::plan::wave(&settings, wave).await? else {
        let text =
            format!("no wave {wave} needs approval; `dialbridge plan list --all` shows those there were");
        return Err(Usage(text).into());
    };
    output.value(&found, || wave_in_words(&found, Zone::of(&settings)));
    Ok(End::Done)
}

pub(super) fn in_words(view: &PlanView, zone: Zone) -> String {
    let mut text = format!("Route {}\n{}\n", view.route, acts(view, zone));
    if view.all.groups.is_empty() {
        text.push_str("Nothing waits to be sent.\n");
    } else {
        text.push_str(&counts(&view.all));
    }
    // What is held has its examples below, wave by wave.
    if view.all.groups.iter().any(|group| group.held < group.count) {
        text.push_str(&examples(&view.all));
    }
    for wave in &view.waves {
        let _infallible = write!(text, "\n{}", wave_in_words(wave, zone));
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

/// Whether what follows is sent, and what lets it go.
fn acts(view: &PlanView, zone: Zone) -> String {
    if let Some(freeze) = &view.frozen {
        return concerns::frozen_in_words(freeze, zone);
    }
    let Some(row) = &view.state else {
        return format!(
            "It was never read. `dialbridge sync pull --route {}` reads and decides, and sends nothing.",
            view.route
        );
    };
    if let Some(reason) = &row.stopped {
        return format!("It is stopped and sends nothing but locks; {reason}");
    }
    match row.state {
        RouteState::On => {
            "It is on: what waits is sent with the next push, unless it needs approval.".to_owned()
        }
        RouteState::Dry => format!(
            "It is dry: of what follows only locks are sent. `dialbridge route on {} --reason TEXT` (or `route pilot`) \
             decides everything anew and sends it.",
            view.route
        ),
        RouteState::Pilot => format!(
            "It is a pilot: of what follows only locks are sent, and what belongs to the pilot's records. `dialbridge \
             route on {} --reason TEXT` sends the rest.",
            view.route
        ),
        RouteState::Paused => format!(
            "It is paused: of what follows only locks are sent. `dialbridge route resume {} --reason TEXT` sends it.",
            view.route
        ),
    }
}

fn wave_in_words(wave: &WavePlan, zone: Zone) -> String {
    let WavePlan { wave, part, route_state, records } = wave;
    let id = wave.id;
    let next = match route_state {
        Some(RouteState::Dry) if !wave.what.counts_dry() => format!(
            "-> first `dialbridge route on {} --reason TEXT`: it is decided anew then, and needs approval as it is then",
            wave.route
        ),
        Some(RouteState::On | RouteState::Pilot | RouteState::Paused | RouteState::Dry) | None => format!(
            "-> `dialbridge plan approve {id} --reason TEXT` {}; `dialbridge plan reject {id} --reason TEXT` {}",
            approved(wave.what),
            rejected(wave.what)
        ),
    };
    format!(
        "Wave {id} needs approval: {what}, from {source}, since {since}\n{counts}{examples}{records}{next}\n",
        what = concerns::wave_in_words(wave),
        source = wave.source.replace([':', '_'], " "),
        records = named(records),
        since = zone.at(wave.since),
        counts = counts(part),
        examples = examples(part),
    )
}

/// What a wave's approval does.
const fn approved(what: WaveWhat) -> &'static str {
    match what {
        WaveWhat::New
        | WaveWhat::Changed
        | WaveWhat::Removed
        | WaveWhat::RemovedByScope
        | WaveWhat::LockedByScope
        | WaveWhat::Told
        | WaveWhat::Listed => "lets it go",
        WaveWhat::Vanished => {
            "has each asked about, twice, ten minutes apart; who is not found counts as gone, and `vanished` in [route.NAME] says what follows"
        }
        WaveWhat::Missing => {
            "has each looked for once more; who is not found then leaves, as [route.NAME.leave] says"
        }
    }
}

/// What its rejection does.
const fn rejected(what: WaveWhat) -> &'static str {
    match what {
        WaveWhat::New | WaveWhat::Changed | WaveWhat::Removed | WaveWhat::RemovedByScope => {
            "puts it aside until its records change"
        }
        WaveWhat::LockedByScope => "leaves them callable until their records change",
        WaveWhat::Told => "leaves it untold; a call is told when there is something newer of it",
        WaveWhat::Listed => "leaves the CRM untold; the contacts stay locked",
        WaveWhat::Missing => "leaves them as they are until the next full pass",
        WaveWhat::Vanished => "leaves them as they are until the dialler names them again",
    }
}

/// So many are named in words; `--json` names all.
const NAMED: usize = 200;

fn named(records: &[WaveRecord]) -> String {
    let mut text = String::new();
    for WaveRecord { record, contact, call, since: _ } in records.iter().take(NAMED) {
        let record = record.as_ref().map_or_else(|| "no record".to_owned(), |id| format!("record {id}"));
        let call = call.map(|call| format!(", call {call}"));
        let contact = contact.map(|contact| format!(", contact {contact}"));
        let _infallible =
            writeln!(text, "  {record}{}{}", contact.unwrap_or_default(), call.unwrap_or_default());
    }
    if let Some(more) = records.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more, which `--json` names");
    }
    text
}

fn counts(part: &PlanPart) -> String {
    let rows: Vec<Vec<String>> = part
        .groups
        .iter()
        .map(|group| {
            let held = if group.held > 0 { format!("{} need approval", group.held) } else { String::new() };
            vec![group.count.to_string(), group.kind.to_string(), group.reason(), held]
        })
        .collect();
    let mut text = table(&["count", "would", "because", ""], &rows);
    for field in &part.fields {
        let does = match field.kind {
            OperationKind::Import => "set at import",
            OperationKind::Update
            | OperationKind::Lock
            | OperationKind::Unlock
            | OperationKind::Reset
            | OperationKind::Delete => "change",
        };
        let _infallible = writeln!(text, "  {}: {} {does}", field.field, field.count);
    }
    text
}

fn examples(part: &PlanPart) -> String {
    let mut text = String::new();
    for example in &part.examples {
        let _infallible = writeln!(text, "{}", one(example));
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

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
