//! `ledger`: what it holds, for people and programs.

use super::args::{LedgerVerb, ListArgs, ParkedArgs};
use super::output::Output;
use super::send;
use super::story;
use super::table::table;
use crate::app;
use crate::control::{Command, End, Parked};
use crate::domain::{RecordId, RouteName, RunId, Timestamp};
use crate::ledger::{CallFilter, Ledger, OperationRow, RunRow};
use anyhow::bail;
use std::path::Path;

/// Runs one of the ledger's verbs.
pub async fn run(config: &Path, verb: LedgerVerb) -> anyhow::Result<End> {
    match verb {
        LedgerVerb::Retry(what) => {
            send::send(config, Command::Retry { what: parked(what)? }, Output::new(false)).await
        }
        LedgerVerb::Discard { what, reason } => {
            send::send(config, Command::Discard { what: parked(what)?, reason }, Output::new(false)).await
        }
        LedgerVerb::Runs(_)
        | LedgerVerb::Show { .. }
        | LedgerVerb::Contact { .. }
        | LedgerVerb::Operations { .. }
        | LedgerVerb::Parked(_)
        | LedgerVerb::Calls(_) => {
            let settings = app::load(config)?;
            let ledger = app::open_reading(&settings).await?;
            read(&ledger, verb).await
        }
    }
}

async fn read(ledger: &Ledger, verb: LedgerVerb) -> anyhow::Result<End> {
    match verb {
        LedgerVerb::Runs(list) => {
            let (output, route) = (Output::new(list.json.json), route(&list));
            let runs = ledger.runs_list(route, list.limit).await?;
            output.values(&runs, || runs_table(&runs));
        }
        LedgerVerb::Show { run, json } => match ledger.run_show(RunId(run)).await? {
            Some(row) => Output::new(json.json).value(&row, || run_text(&row)),
            None => bail!("there is no run {run}; `dialbridge ledger runs` lists them"),
        },
        LedgerVerb::Contact { user_data, json } => {
            let story = ledger.contact_story(user_data.clone()).await?;
            if story.link.is_none() && story.calls.is_empty() {
                bail!("the ledger knows no contact with the UserData {user_data}");
            }
            Output::new(json.json).value(&story, || story::text(&story));
        }
        LedgerVerb::Operations { all, list } => {
            let rows = ledger.operations_list(route(&list), !all, list.limit).await?;
            Output::new(list.json.json).values(&rows, || operations_table(&rows));
        }
        LedgerVerb::Parked(list) => parked_items(ledger, &list).await?,
        LedgerVerb::Calls(list) => {
            let filter = CallFilter { route: route(&list), ..CallFilter::default() };
            let calls = ledger.calls_list(filter, list.limit).await?;
            Output::new(list.json.json).values(&calls, || story::calls_table(&calls));
        }
        LedgerVerb::Retry(_) | LedgerVerb::Discard { .. } => bail!("a verb that changes something was read"),
    }
    Ok(End::Done)
}

async fn parked_items(ledger: &Ledger, list: &ListArgs) -> anyhow::Result<()> {
    let output = Output::new(list.json.json);
    let counts = ledger.parked_counts().await?;
    let items = ledger.parked_list(route(list), list.limit).await?;
    if output.is_json() {
        output.values(&items, String::new);
        return Ok(());
    }
    if counts.is_empty() {
        output.value(&0, || "Nothing needs a person.".to_owned());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = counts
        .iter()
        .map(|count| {
            vec![
                count.count.to_string(),
                count.kind.clone(),
                count.route.clone().unwrap_or_default(),
                count.code.clone(),
                short(count.since),
            ]
        })
        .collect();
    output.value(&0, || table(&["count", "what", "route", "reason", "oldest (UTC)"], &rows));
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            vec![
                item.operation.map_or_else(|| "record".to_owned(), |id| format!("operation {id}")),
                item.route.clone().unwrap_or_default(),
                item.record.clone().unwrap_or_default(),
                short(item.since),
                item.text.clone(),
            ]
        })
        .collect();
    output.value(&0, || format!("\n{}", table(&["what", "route", "record", "since (UTC)", "why"], &rows)));
    Ok(())
}

fn parked(what: ParkedArgs) -> anyhow::Result<Parked> {
    let ParkedArgs { operation, record, route, all } = what;
    Ok(match (operation, record, route, all) {
        (Some(id), None, _, false) => Parked::Operation(id),
        (None, Some(record), Some(route), false) => {
            Parked::Record { route: RouteName(route), record: RecordId(record) }
        }
        (None, None, route, true) => Parked::All { route: route.map(RouteName) },
        _ => bail!("say which: --operation N, or --route R --record ID, or --all"),
    })
}

fn route(list: &ListArgs) -> Option<RouteName> {
    list.route.clone().map(RouteName)
}

fn short(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn runs_table(runs: &[RunRow]) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            vec![
                run.id.to_string(),
                run.job.to_string(),
                run.route
                    .clone()
                    .or_else(|| run.campaign.map(|c| format!("campaign {c}")))
                    .unwrap_or_default(),
                short(run.started_at),
                run.state.clone(),
                run.balance(),
                run.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(&["run", "job", "of", "started (UTC)", "state", "balance", "error"], &rows)
}

fn run_text(run: &RunRow) -> String {
    let took = run.finished_at.map_or("still running".to_owned(), |end| {
        format!("took {} ms", (end - run.started_at).num_milliseconds())
    });
    format!(
        "run {}, {} {}, {}: started {} UTC ({}), {took}\n{}\n{}",
        run.id,
        run.job,
        run.route.clone().or_else(|| run.campaign.map(|c| format!("campaign {c}"))).unwrap_or_default(),
        run.state,
        short(run.started_at),
        run.cause,
        run.balance(),
        run.error.clone().unwrap_or_default(),
    )
}

fn operations_table(rows: &[OperationRow]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                row.kind.clone(),
                row.state.clone(),
                row.route.clone().unwrap_or_default(),
                row.user_data
                    .clone()
                    .or_else(|| row.contact.map(|c| format!("contact {c}")))
                    .unwrap_or_default(),
                row.attempts.to_string(),
                short(row.created_at),
                row.outcome.as_ref().unwrap_or(&row.reason).to_string(),
            ]
        })
        .collect();
    table(&["operation", "kind", "state", "route", "UserData", "tries", "made (UTC)", "why"], &rows)
}
