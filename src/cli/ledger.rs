//! `ledger`: what it holds, for people and programs.

use super::args::{LedgerVerb, ListArgs, ParkedArgs};
use super::ledger_file;
use super::left_out;
use super::output::Output;
use super::send;
use super::story;
use super::sweeps;
use super::table::table;
use super::zone::Zone;
use crate::app::known::Usage;
use crate::app::{self, Settings, known};
use crate::control::{Command, End, Parked};
use crate::domain::{RecordId, RunId};
use crate::ledger::{CallFilter, ContactStory, Ledger, LeftOut, OperationRow, Person, RunRow};
use anyhow::bail;
use std::path::Path;

/// Runs one of the ledger's verbs.
pub async fn run(config: &Path, verb: LedgerVerb) -> anyhow::Result<End> {
    match verb {
        LedgerVerb::Retry { what, reason } => {
            let reason = reason.unwrap_or_default();
            let command = Command::Retry { what: parked(config, what)?, reason };
            send::send(config, command, Output::new(false)).await
        }
        LedgerVerb::Discard { what, reason } => {
            let command = Command::Discard { what: parked(config, what)?, reason };
            send::send(config, command, Output::new(false)).await
        }
        LedgerVerb::Runs(_)
        | LedgerVerb::Show { .. }
        | LedgerVerb::Contact { .. }
        | LedgerVerb::Operations { .. }
        | LedgerVerb::Parked { .. }
        | LedgerVerb::Skipped { .. }
        | LedgerVerb::Check(_)
        | LedgerVerb::Verify(_)
        | LedgerVerb::Backup { .. }
        | LedgerVerb::Calls(_) => {
            let settings = app::load(config)?;
            let ledger = app::open_reading(&settings).await?;
            read(&settings, &ledger, verb).await
        }
    }
}

async fn read(settings: &Settings, ledger: &Ledger, verb: LedgerVerb) -> anyhow::Result<End> {
    let zone = Zone::of(settings);
    let route = async |list: &ListArgs| known::route_in_ledger(settings, ledger, list.route.as_deref()).await;
    match verb {
        LedgerVerb::Runs(list) => {
            let runs = ledger.runs_list(route(&list).await?, list.limit).await?;
            Output::new(list.json.json).value(&runs, || runs_table(&runs, zone));
        }
        LedgerVerb::Show { run, json } => match ledger.run_show(RunId(run)).await? {
            Some(row) => Output::new(json.json).value(&row, || run_text(&row, zone)),
            None => {
                return Err(
                    Usage(format!("there is no run {run}; `dialbridge ledger runs` lists them")).into()
                );
            }
        },
        LedgerVerb::Contact { who, json } => contact(settings, ledger, who, Output::new(json.json)).await?,
        LedgerVerb::Operations { all, list } => {
            let rows = ledger.operations_list(route(&list).await?, !all, list.limit).await?;
            let nothing =
                if all { "There is no operation." } else { "Nothing waits, is on its way or in doubt." };
            Output::new(list.json.json).value(&rows, || match rows.as_slice() {
                [] => nothing.to_owned(),
                rows => operations_table(rows, zone),
            });
        }
        LedgerVerb::Parked { reason, list } => {
            let route = route(&list).await?;
            left_out::show(ledger, zone, LeftOut::Parked, route, reason, &list).await?;
        }
        LedgerVerb::Skipped { reason, list } => {
            let route = route(&list).await?;
            left_out::show(ledger, zone, LeftOut::Skipped, route, reason, &list).await?;
        }
        LedgerVerb::Calls(list) => {
            let filter = CallFilter { route: route(&list).await?, ..CallFilter::default() };
            let calls = ledger.calls_list(filter, list.limit).await?;
            Output::new(list.json.json).value(&calls, || match calls.as_slice() {
                [] => "No call was harvested yet.".to_owned(),
                calls => story::calls_table(calls, zone),
            });
        }
        LedgerVerb::Check(json) => return ledger_file::check(ledger, Output::new(json.json)).await,
        LedgerVerb::Verify(json) => return ledger_file::verify(ledger, Output::new(json.json)).await,
        LedgerVerb::Backup { file, json } => {
            ledger_file::backup(ledger, file, Output::new(json.json)).await?;
        }
        LedgerVerb::Retry { .. } | LedgerVerb::Discard { .. } => {
            bail!("a verb that changes something was read")
        }
    }
    Ok(End::Done)
}

/// One person's life.
async fn contact(settings: &Settings, ledger: &Ledger, who: String, output: Output) -> anyhow::Result<()> {
    let (person, story) = whom(settings, ledger, who).await?;
    output.value(&story, || story::text(&person, &story, Zone::of(settings)));
    Ok(())
}

/// One person's life as people read it.
///
/// # Errors
/// Nobody or several may be meant, or the ledger cannot be read.
pub async fn contact_told(settings: &Settings, ledger: &Ledger, who: String) -> anyhow::Result<String> {
    let (person, story) = whom(settings, ledger, who).await?;
    Ok(story::text(&person, &story, Zone::of(settings)))
}

/// Several who may be meant are listed, and nobody is guessed.
async fn whom(settings: &Settings, ledger: &Ledger, who: String) -> anyhow::Result<(Person, ContactStory)> {
    let number = app::number_to_e164(settings, &who);
    let mut found = ledger.persons_find(who.clone(), number).await?;
    match found.len() {
        0 => bail!(
            "the ledger knows nobody by {who}: neither a UserData nor a contact's number, a record's id or a phone number"
        ),
        1 => {
            let person = found.remove(0);
            let story = ledger.contact_story(person.clone()).await?;
            Ok((person, story))
        }
        several => bail!(
            "{several} may be meant by {who}; name one by its UserData or its contact's number:\n{}",
            story::persons_table(&found)
        ),
    }
}

fn parked(config: &Path, what: ParkedArgs) -> anyhow::Result<Parked> {
    let ParkedArgs { operation, record, route, all } = what;
    let route = match route {
        Some(route) => Some(known::route(&app::load(config)?, &route)?.id.clone()),
        None => None,
    };
    Ok(match (operation, record, route, all) {
        (Some(id), None, _, false) => Parked::Operation(id),
        (None, Some(record), Some(route), false) => Parked::Record { route, record: RecordId(record) },
        (None, None, route, true) => Parked::All { route },
        _ => bail!("say which: --operation N, or --route R --record ID, or --all"),
    })
}

fn of(run: &RunRow) -> String {
    run.route.clone().or_else(|| run.campaign.map(|c| format!("campaign {c}"))).unwrap_or_default()
}

fn runs_table(runs: &[RunRow], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let what = run.error.clone().unwrap_or_else(|| without_zeros(&run.balance()));
            let swept = run.sweep.as_ref().map(|sweep| format!("; {}", sweeps::of_run(sweep, zone)));
            let what = what + &swept.unwrap_or_default();
            let job = format!("{} {}", run.job, of(run));
            vec![run.id.to_string(), job, zone.at(run.started_at), run.state.clone(), what]
        })
        .collect();
    if rows.is_empty() {
        "No run yet.".to_owned()
    } else {
        table(&["run", "job", "started", "state", "what"], &rows)
    }
}

/// A balance for a line: what is zero goes without saying.
fn without_zeros(balance: &str) -> String {
    let Some((total, parts)) = balance.split_once(" = ") else { return balance.to_owned() };
    let (parts, rest) = parts.split_once("; ").unwrap_or((parts, ""));
    let said = |parts: &str, by: &str| -> Vec<String> {
        parts
            .split(by)
            .filter(|part| !part.starts_with("0 ") && !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let sum = said(parts, " + ").join(" + ");
    let mut text = if sum.is_empty() { total.to_owned() } else { format!("{total} = {sum}") };
    for part in said(rest, ", ") {
        text.push_str(&format!(", {part}"));
    }
    text
}

fn run_text(run: &RunRow, zone: Zone) -> String {
    let took = run.finished_at.map_or("still running".to_owned(), |end| {
        format!("took {} ms", (end - run.started_at).num_milliseconds())
    });
    let swept = run
        .sweep
        .as_ref()
        .map(|sweep| format!("\n{}\n{}", sweeps::of_run(sweep, zone), sweeps::reads_of_run(sweep)));
    let said: Vec<&str> = run.remark.as_deref().into_iter().chain(run.error.as_deref()).collect();
    format!(
        "run {}, {} {}, {}\nstarted {} ({}), {took}, {} requests\n{}{}\n{}",
        run.id,
        run.job,
        of(run),
        run.state,
        zone.at(run.started_at),
        run.cause,
        run.counts.requests,
        run.balance(),
        swept.unwrap_or_default(),
        said.join("\n"),
    )
}

fn operations_table(rows: &[OperationRow], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let whom = row.user_data.clone().or_else(|| row.contact.map(|c| format!("contact {c}")));
            vec![
                row.id.to_string(),
                row.kind.clone(),
                row.state.clone(),
                whom.unwrap_or_default(),
                row.attempts.to_string(),
                zone.at(row.created_at),
                row.outcome.as_ref().unwrap_or(&row.reason).to_string(),
            ]
        })
        .collect();
    table(&["number", "kind", "state", "UserData", "tries", "made", "why"], &rows)
}

#[cfg(test)]
mod tests {
    use super::without_zeros;

    #[test]
    fn what_is_zero_goes_without_saying() {
        let balance = "19 read = 0 repeats + 0 stale + 15 queued + 4 skipped";
        assert_eq!(without_zeros(balance), "19 read = 15 queued + 4 skipped");
        assert_eq!(
            without_zeros("3 listed = 3 unchanged + 0 due; 0 calls new, 2 changed"),
            "3 listed = 3 unchanged, 2 changed"
        );
        assert_eq!(without_zeros("0 taken = 0 done + 0 refused"), "0 taken");
    }
}
