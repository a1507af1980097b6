//! `plan` by itself: a dry run of everything.

use super::output::Output;
use super::plan::{in_words, shown};
use super::zone::Zone;
use crate::app::plan::{DryRun, Met, WouldTell};
use crate::app::{self, known};
use crate::control::End;
use crate::domain::HistoryId;
use crate::ledger::{KeptCount, TakenExample, TakenOver, UntoldGroup};
use std::fmt::Write as _;
use std::path::Path;

/// So many calls are named.
const EXAMPLES: usize = 5;

/// Reads, decides on a copy, and shows what would be done.
pub async fn run(config: &Path, route: Option<&str>, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = match route {
        Some(given) => Some(known::route(&settings, given)?.id.clone()),
        None => None,
    };
    let runs = app::plan::dry_run(&settings, route.as_ref()).await?;
    let zone = Zone::of(&settings);
    output.value(&runs, || {
        let texts: Vec<String> = runs.iter().map(|run| told(run, zone)).collect();
        texts.join("\n") + "\nNothing was changed. Calls that were not harvested yet are not in it.\n"
    });
    let asked = |run: &DryRun| run.not_read.is_none() && !matches!(run.met, Met::NotAsked(_));
    Ok(if runs.iter().all(asked) { End::Done } else { End::Failed })
}

fn told(run: &DryRun, zone: Zone) -> String {
    let mut text = match (&run.pulled, &run.not_read) {
        (Some(pulled), _) => format!(
            "{}: {} records would be read: {} unchanged, {} to send something for, {} not eligible, {} blocked, {} parked. With \
             what was decided before:\n",
            run.view.route,
            pulled.read,
            pulled.unchanged,
            pulled.queued,
            pulled.skipped,
            pulled.blocked,
            pulled.parked
        ),
        (None, why) => format!(
            "{}: the CRM could NOT be read: {}\nWhat was decided before:\n",
            run.view.route,
            why.as_deref().unwrap_or("it did not answer")
        ),
    };
    text.push_str(&met(&run.met));
    text.push_str(&in_words(&run.view, zone));
    text.push_str(&untold(run));
    text
}

/// Who is there already.
fn met(met: &Met) -> String {
    let without = "contacts that would be taken over stand below as imports";
    match met {
        Met::There(TakenOver { count: 0, .. }) => {
            "The dialler has nobody under the keys of new records yet.\n".to_owned()
        }
        Met::There(taken) => taken_over(taken),
        Met::NoCampaign(reason) => {
            format!("Who has the keys of new records already was not asked ({without}): {reason}\n")
        }
        Met::NotAsked(error) => {
            format!(
                "The dialler could NOT be asked who has the keys of new records already ({without}): {error}\n"
            )
        }
    }
}

fn taken_over(taken: &TakenOver) -> String {
    let TakenOver { count, locked, kept, examples } = taken;
    let mut text = format!(
        "{count} contacts that are there under the keys of records would be taken over, not made a second time ({locked} of them \
         would be locked); what would be written over is among the updates below\n"
    );
    for KeptCount { field, count } in kept {
        let _infallible =
            writeln!(text, "  {field}: {count} stay as they are there, though the record differs");
    }
    for TakenExample { user_data, contact, kept } in examples.iter().take(EXAMPLES) {
        let whom = user_data.as_deref().unwrap_or("no key");
        let stays: Vec<String> = kept
            .iter()
            .map(|field| {
                let there = field.before.as_ref().map_or_else(|| "empty".to_owned(), shown);
                format!("{} stays {there} (the record has {})", field.field, shown(&field.after))
            })
            .collect();
        let _infallible = writeln!(
            text,
            "  contact {contact}, {whom}{}{}",
            if stays.is_empty() { "" } else { ": " },
            stays.join(", ")
        );
    }
    text
}

/// What the CRM would be told.
fn untold(run: &DryRun) -> String {
    if run.untold_counts.is_empty() {
        return "The CRM would be told of no call.\n".to_owned();
    }
    let mut text = "The CRM is to be told:\n".to_owned();
    for UntoldGroup { kind, state, count } in &run.untold_counts {
        let what = if kind == "activity" { "calls" } else { "records whose fields follow from their calls" };
        let _infallible = writeln!(text, "  {count} {what}, {state}");
    }
    for told in run.told.iter().take(EXAMPLES) {
        text.push_str(&example(told));
    }
    let stuck = run.untold.iter().filter(|row| row.state != "waiting");
    for row in stuck.take(EXAMPLES) {
        let why = row.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _infallible = writeln!(text, "  record {}: {}, {}{why}", row.record, of(row.call), row.state);
    }
    text
}

fn of(call: Option<HistoryId>) -> String {
    call.map_or_else(|| "its fields".to_owned(), |call| format!("call {call}"))
}

/// One request, value by value.
fn example(told: &WouldTell) -> String {
    let mut text = format!("  record {}: {}\n", told.record, of(told.call));
    for (name, value) in &told.values {
        let _infallible = writeln!(text, "    {name} = {value}");
    }
    if let Some(reason) = &told.reason {
        let what = if told.values.is_empty() { "nothing" } else { "nothing else" };
        let _infallible = writeln!(text, "    {what} now: {reason}");
    }
    text
}
