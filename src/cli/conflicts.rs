//! `conflicts`: fields that both sides changed, in words, and a person's word on them.

use super::args::{ConflictsVerb, SideName};
use super::concerns::{Concern, Weight};
use super::output::Output;
use super::send;
use super::table::table;
use super::zone::Zone;
use crate::app;
use crate::app::known::{self, Usage};
use crate::control::{Command, End};
use crate::domain::{ReasonCode, Take};
use crate::ledger::{Conflict, ConflictCount};
use serde_json::Value;
use std::path::Path;

/// `conflicts ...`.
pub async fn run(config: &Path, verb: ConflictsVerb) -> anyhow::Result<End> {
    match verb {
        ConflictsVerb::List { route, limit, json } => {
            list(config, route.as_deref(), limit, Output::new(json.json)).await
        }
        ConflictsVerb::Show { id, json } => show(config, id, Output::new(json.json)).await,
        ConflictsVerb::Resolve { id, take, reason } => {
            let take = match take {
                SideName::Crm => Take::Crm,
                SideName::Dialler => Take::Dialler,
            };
            send::send(config, Command::Conflict { conflict: id, take, reason }, Output::new(false)).await
        }
    }
}

async fn list(config: &Path, route: Option<&str>, limit: u32, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route =
        route.map(|route| known::route(&settings, route).map(|route| route.id.clone())).transpose()?;
    let rows = app::open_reading(&settings).await?.conflicts_list(route, limit).await?;
    output.value(&rows, || list_text(&rows, Zone::of(&settings)));
    Ok(End::Done)
}

async fn show(config: &Path, id: i64, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let found = app::open_reading(&settings).await?.conflict_show(id).await?;
    let Some(conflict) = found else {
        let text = format!("no conflict {id} waits for a person; `dialbridge conflicts list` shows which do");
        return Err(Usage(text).into());
    };
    output.value(&conflict, || show_text(&conflict, Zone::of(&settings)));
    Ok(End::Done)
}

fn list_text(rows: &[Conflict], zone: Zone) -> String {
    if rows.is_empty() {
        return "No field waits for a person.\n".to_owned();
    }
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.conflict.to_string(),
                zone.at(row.since),
                row.route.to_string(),
                row.record.clone(),
                row.field.clone(),
                spoken(row.crm.as_ref()),
                spoken(Some(&row.dialler)),
                why(row),
            ]
        })
        .collect();
    let head = ["ID", "SINCE", "ROUTE", "RECORD", "FIELD", "IN THE CRM", "IN THE DIALLER", "WHY"];
    table(&head, &lines)
}

fn show_text(row: &Conflict, zone: Zone) -> String {
    let contact = row.contact.map_or_else(|| "no contact".to_owned(), |contact| format!("contact {contact}"));
    format!(
        "Conflict {}: {} of record {} of route {} ({contact}), since {}.\n{}.\n\n  both sides last had  {}\n  the CRM has          {}\n  the dialler has      {}\n\n\
         `dialbridge conflicts resolve {} --take crm` writes the CRM's value into the dialler, `--take dialler` the dialler's into the CRM.\n",
        row.conflict,
        row.field,
        row.record,
        row.route,
        zone.at(row.since),
        why(row),
        spoken(row.agreed.as_ref()),
        spoken(row.crm.as_ref()),
        spoken(Some(&row.dialler)),
        row.conflict,
    )
}

fn why(row: &Conflict) -> String {
    match &row.reason {
        Some(reason) if reason.code == ReasonCode::Discarded => "a person did not want it told".to_owned(),
        Some(reason) => format!("the CRM does not take it: {reason}"),
        None if row.agreed == row.crm => {
            "an agent changed it, and it would destroy what the CRM has".to_owned()
        }
        None => "both sides changed it".to_owned(),
    }
}

fn spoken(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(empty)".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "(empty)".to_owned(),
        Some(Value::String(text)) => text.replace(['\r', '\n'], " "),
        Some(other) => other.to_string(),
    }
}

/// Conflicts that wait, for `status`.
pub(super) fn waiting(count: &ConflictCount) -> Concern {
    let ConflictCount { route, state, count, since } = count;
    let what = match state.as_str() {
        "refused" => format!("route {route}: the CRM does not take {count} fields as agents changed them"),
        _ => format!("route {route}: {count} fields need a person to say which side's value stands"),
    };
    Concern {
        weight: Weight::Person,
        what,
        since: Some(*since),
        remedy: format!(
            "`dialbridge conflicts list --route {route}` shows the values, `dialbridge conflicts resolve` says which stands"
        ),
    }
}
