//! `status` and `route list`: is it well, what is to be done, then the details.

use super::announced::{self, SCOPE_TOLD_FOR, WAVE_FROM, WAVE_OF, WAVE_TOLD_FOR};
use super::block_file_concerns;
use super::closing_words;
use super::concerns::{
    Concern, Facts, OVERWRITTEN_DAYS, THAW, Weight, companion, concerns, day_full, frozen, frozen_in_words,
    in_order, ledger_look, locks_failing, overwritten, wave,
};
use super::conflicts;
use super::harvest_concerns::{of_account, of_list, of_reads};
use super::left_out::sentence;
use super::output::Output;
use super::results_concern;
use super::results_concern::drift;
use super::sweeps::{self, ListOf};
use super::table::table;
use super::zone::{Zone, roughly};
use crate::app::{self, Settings};
use crate::control::{self, Command, End, Line};
use crate::domain::{RouteName, Timestamp};
use crate::env::Env;
use crate::ledger::{
    BlockFileRow, ConflictCount, DayFull, FailingJob, FreezeRow, HarvestShown, LastLook, Ledger, LeftOut,
    LockRound, Look, OpenCount, ParkedCount, RouteRow, Unlinked, UntoldCount, WaveRow,
};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal as _};
use std::path::Path;

/// Everything `status` says.
#[derive(Debug, Serialize)]
struct View {
    well: bool,
    daemon: &'static str,
    /// The freeze that stands; the first of the concerns then.
    frozen: Option<FreezeRow>,
    concerns: Vec<Concern>,
    waves: Vec<WaveRow>,
    days_full: Vec<DayFull>,
    routes: Vec<RouteRow>,
    failing: Vec<FailingJob>,
    parked: Vec<ParkedCount>,
    skipped: Vec<ParkedCount>,
    to_send: Vec<OpenCount>,
    beside: Vec<Beside>,
    lists: Vec<ListOf>,
    harvest: HarvestShown,
    /// What the CRM cannot be told before somebody does something.
    untold: Vec<UntoldCount>,
    /// Fields that wait for a person to say which side's value stands.
    conflicts: Vec<ConflictCount>,
    ledger_look: Option<LastLook>,
    /// The last night in which all wished locks were sent again.
    standing_locks: Option<LockRound>,
    runners: Vec<Value>,
}

/// What stands in a route's campaign and belongs to no record.
#[derive(Debug, Serialize)]
struct Beside {
    route: RouteName,
    without_a_record: Unlinked,
}

/// Routes, runs, what is parked, what waits.
pub async fn status(config: &Path, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let ledger = app::open_reading(&settings).await?;
    let now = Env::real().now();
    let view = look(&settings, &ledger, now).await?;
    let ink = if std::io::stdout().is_terminal() { Ink::Red } else { Ink::Plain };
    output.value(&view, || text(&view, Zone::of(&settings), now, ink));
    Ok(End::Done)
}

/// The same as people read it.
///
/// # Errors
/// The daemon or the ledger cannot be asked.
pub async fn told(settings: &Settings, ledger: &Ledger, now: Timestamp) -> anyhow::Result<String> {
    Ok(text(&look(settings, ledger, now).await?, Zone::of(settings), now, Ink::Plain))
}

async fn look(settings: &Settings, ledger: &Ledger, now: Timestamp) -> anyhow::Result<View> {
    let (daemon, runners) = ask(settings).await?;
    let routes = ledger.routes_list().await?;
    let failing = ledger.jobs_failing().await?;
    let parked = ledger.left_out_counts(LeftOut::Parked, None).await?;
    let to_send = ledger.operations_open_counts().await?;
    let known: Vec<&str> = settings.routes.values().map(|route| route.id.as_str()).collect();
    let differences = ledger.differences_standing().await?;
    let facts = Facts {
        differences: &differences,
        daemon_down: daemon == DOWN,
        routes: routes.iter().filter(|row| known.contains(&row.route.as_str())).collect(),
        failing: &failing,
        parked: &parked,
        to_send: &to_send,
        zone: Zone::of(settings),
    };
    let companions = ledger.companions_in_trouble().await?;
    let mut concerns = concerns(&facts);
    concerns.splice(0..0, companions.iter().map(companion));
    concerns.splice(0..0, ledger.locks_failing().await?.iter().map(locks_failing));
    let waves = ledger.waves_list(None, false).await?;
    // What a dry route decided is decided anew before it is sent: there is nothing to approve yet.
    let dry = |held: &&WaveRow| {
        !held.what.counts_dry() && facts.routes.iter().any(|row| row.route == held.route && row.is_dry())
    };
    concerns.extend(waves.iter().filter(|held| !dry(held)).map(wave));
    concerns.extend(ledger.scope_changes(SCOPE_TOLD_FOR).await?.iter().map(announced::scope));
    concerns
        .extend(ledger.block_waves(WAVE_OF, WAVE_FROM, WAVE_TOLD_FOR).await?.iter().map(announced::blocks));
    concerns.extend(ledger.left_waves(WAVE_OF, WAVE_FROM, WAVE_TOLD_FOR).await?.iter().map(announced::left));
    let lists = ledger.block_files().await?;
    let named = |row: &&BlockFileRow| app::block_files::is_named(settings, &row.client, &row.path);
    concerns.extend(lists.iter().filter(named).flat_map(|list| block_file_concerns::of(list, now)));
    let days_full = app::limits::days_full(settings, ledger, now).await?;
    concerns.extend(days_full.iter().map(day_full));
    let met = ledger.overwritten_counts(TimeDelta::days(OVERWRITTEN_DAYS)).await?;
    concerns.extend(met.iter().map(overwritten));
    let lists = sweeps::lists(ledger, &facts.routes, now).await?;
    let harvest = ledger.harvest_shown().await?;
    let account = ledger.list_cost(None).await?;
    concerns.extend(lists.iter().filter_map(|list| of_list(list, &facts.routes)));
    concerns.extend(account.iter().filter_map(|list| of_account(list, now)));
    concerns.extend(of_reads(&harvest));
    let untold = ledger.results_stuck().await?;
    concerns.extend(untold.iter().map(results_concern::untold));
    for row in &facts.routes {
        let Some((route, campaign)) =
            settings.routes.values().find(|route| route.id == row.route).zip(row.campaign)
        else {
            continue;
        };
        let seen = ledger.results_of(campaign).await?;
        concerns.extend(results_concern::unmapped(
            &results_concern::Words::of(route),
            campaign,
            &seen,
            &untold,
        ));
    }
    let conflicts = ledger.conflicts_count().await?;
    concerns.extend(conflicts.iter().map(conflicts::waiting));
    let closings = ledger.closings_last().await?;
    concerns.extend(closings.iter().filter_map(|closing| closing_words::concern(closing, now)));
    concerns.extend(ledger.reconciles_last().await?.iter().filter_map(drift));
    concerns.extend(ledger.samples_shown().await?.iter().filter_map(results_concern::sampled));
    let looked = ledger.look_last().await?;
    concerns.extend(looked.as_ref().and_then(ledger_look));
    let mut concerns = in_order(concerns);
    let freeze = ledger.freeze_now().await?;
    concerns.splice(0..0, freeze.as_ref().map(|freeze| frozen(freeze, Zone::of(settings))));
    let well = concerns.iter().all(|concern| concern.weight != Weight::Trouble);
    let skipped = ledger.left_out_counts(LeftOut::Skipped, None).await?;
    let beside = beside(ledger, &routes).await?;
    Ok(View {
        well,
        daemon,
        frozen: freeze,
        concerns,
        waves,
        days_full,
        routes,
        failing,
        parked,
        skipped,
        to_send,
        beside,
        lists,
        harvest,
        untold,
        conflicts,
        ledger_look: looked,
        standing_locks: ledger.lock_round_last().await?.filter(|round| round.wished > 0),
        runners,
    })
}

const DOWN: &str = "not running";

/// Asks the daemon; a person who may read but not command still gets the rest.
async fn ask(settings: &Settings) -> anyhow::Result<(&'static str, Vec<Value>)> {
    let mut runners = Vec::new();
    let asked = control::ask(&settings.control_socket, &Command::Status, |line| {
        if let Line::Data(value) = line {
            runners.push(value);
        }
    })
    .await;
    match asked {
        Ok(Some(_)) => Ok(("running", runners)),
        Ok(None) => Ok((DOWN, runners)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Ok(("not to be asked: its socket is not for this user", runners))
        }
        Err(error) => Err(error.into()),
    }
}

/// How the first line stands out.
#[derive(Debug, Clone, Copy)]
enum Ink {
    /// Not at all.
    Plain,
    /// In red, on a terminal.
    Red,
}

/// Everything stands still: nobody must have to look for that.
fn frozen_line(freeze: &FreezeRow, zone: Zone, now: Timestamp, ink: Ink) -> String {
    let since = format!("since {}, {}", zone.at(freeze.since), roughly(now - freeze.since));
    let line = format!("{} ({since}). {THAW}.", frozen_in_words(freeze, zone));
    match ink {
        Ink::Plain => format!("{line}\n"),
        Ink::Red => format!("\u{1b}[1;31m{line}\u{1b}[0m\n"),
    }
}

fn things(count: usize, one: &str, many: &str, what: &str) -> String {
    if count == 1 { format!("1 thing {one}{what}") } else { format!("{count} things {many}{what}") }
}

fn text(view: &View, zone: Zone, now: Timestamp, ink: Ink) -> String {
    let mut text = String::new();
    if let Some(freeze) = &view.frozen {
        text.push_str(&frozen_line(freeze, zone, now, ink));
    }
    // The freeze has been told.
    let concerns = &view.concerns[usize::from(view.frozen.is_some())..];
    let of = |weight: Weight| concerns.iter().filter(|concern| concern.weight == weight).count();
    text.push_str(&match (of(Weight::Trouble), of(Weight::Person), &view.frozen) {
        (0, 0, Some(_)) => "All else is well.\n".to_owned(),
        (0, 0, None) => "All is well.\n".to_owned(),
        (0, waiting, _) => format!("It is well; {}.\n", things(waiting, "waits", "wait", " for a person")),
        (trouble, 0, _) => format!("NOT WELL: {}.\n", things(trouble, "is", "are", " wrong")),
        (trouble, waiting, _) => {
            let waits = things(waiting, "waits", "wait", " for a person");
            format!("NOT WELL: {}, {waits}.\n", things(trouble, "is", "are", " wrong"))
        }
    });
    if !concerns.is_empty() {
        text.push_str("\nWhat to do\n");
    }
    for (number, concern) in (1..).zip(concerns) {
        let since = concern
            .since
            .map(|at| format!(" (since {}, {})", zone.at(at), roughly(now - at)))
            .unwrap_or_default();
        text.push_str(&format!("{number}. {}{since}\n   -> {}\n", concern.what, concern.remedy));
    }
    text.push('\n');
    text.push_str(&routes_table(&view.routes, zone));
    for (what, counts) in [("Parked", &view.parked), ("Skipped", &view.skipped)] {
        if !counts.is_empty() {
            let rows: Vec<Vec<String>> = counts.iter().map(counted).collect();
            text.push_str(&format!("\n{what}:\n{}", table(&["count", "what", "route", "why"], &rows)));
        }
    }
    if view.to_send.is_empty() {
        text.push_str("\nNothing waits to be sent.\n");
    } else {
        let row = |open: &OpenCount| vec![open.count.to_string(), open.kind.clone(), open.state.clone()];
        let rows: Vec<Vec<String>> = view.to_send.iter().map(row).collect();
        text.push_str(&format!("\nTo be sent:\n{}", table(&["count", "kind", "state"], &rows)));
    }
    text.extend(view.beside.iter().map(beside_line));
    if !view.lists.is_empty() {
        text.push('\n');
    }
    text.extend(view.lists.iter().map(|list| sweeps::line(list, zone)));
    text.push_str(&format!("\nDaemon: {}.\n", view.daemon));
    if let Some(LastLook { at, look: Look::Sound }) = &view.ledger_look {
        text.push_str(&format!("Ledger: looked over {}, sound.\n", zone.at(*at)));
    }
    text.extend(view.standing_locks.as_ref().map(|round| standing_locks(round, zone)));
    for runner in &view.runners {
        text.push_str(&runner_line(runner, zone));
    }
    text
}

fn standing_locks(round: &LockRound, zone: Zone) -> String {
    let LockRound { began_at, wished, sent, finished_at } = round;
    let until = match finished_at {
        Some(at) => format!("until {}", zone.at(*at)),
        None => "still under way".to_owned(),
    };
    format!("Standing locks: {sent} of {wished} sent again from {}, {until}.\n", zone.at(*began_at))
}

fn counted(count: &ParkedCount) -> Vec<String> {
    let route = count.route.clone().unwrap_or_default();
    vec![count.count.to_string(), count.kind.clone(), route, sentence(&count.code)]
}

fn runner_line(runner: &Value, zone: Zone) -> String {
    let text = |key: &str| runner[key].as_str().unwrap_or_default();
    let at = |key: &str| {
        runner[key].as_str().and_then(|at| at.parse().ok()).map(|at| zone.at(at)).unwrap_or_default()
    };
    let what = match (text("state"), text("last")) {
        ("running", _) => format!("since {}", at("running_since")),
        (_, "done") => format!("last {}: {}", at("last_ended"), text("text")),
        (_, "failed") => format!("last {} FAILED: {}", at("last_ended"), text("text")),
        _ => "has not run since the start".to_owned(),
    };
    format!("{}: {}, {what}\n", text("runner"), text("state"))
}

/// Contacts of the routes' campaigns without a link, where there are any.
async fn beside(ledger: &Ledger, routes: &[RouteRow]) -> anyhow::Result<Vec<Beside>> {
    let mut found = Vec::new();
    for row in routes {
        if let Some(unlinked) = ledger.route_unlinked(row.route.clone()).await?
            && unlinked != Unlinked::default()
        {
            found.push(Beside { route: row.route.clone(), without_a_record: unlinked });
        }
    }
    Ok(found)
}

fn beside_line(beside: &Beside) -> String {
    let Unlinked { ours, another, none } = beside.without_a_record;
    format!(
        "\nBeside route {}: {} contacts in its campaign without a record of ours; {ours} carry our UserData, {another} another, \
         {none} none.\n",
        beside.route,
        ours + another + none
    )
}

/// The routes alone.
pub async fn routes(config: &Path, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let ledger = app::open_reading(&settings).await?;
    let routes = ledger.routes_list().await?;
    output.value(&routes, || routes_table(&routes, Zone::of(&settings)));
    Ok(End::Done)
}

fn routes_table(routes: &[RouteRow], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = routes
        .iter()
        .map(|row| {
            let state =
                if row.stopped.is_some() { format!("{}, STOPPED", row.state) } else { row.state.to_string() };
            let until = row.ends_at().map(|at| format!(", until {},", zone.at(at))).unwrap_or_default();
            vec![
                row.route.to_string(),
                state,
                row.campaign_name.clone().unwrap_or_else(|| "not resolved yet".to_owned()),
                row.cursor.map_or("never pulled".to_owned(), |at| zone.at(at)),
                row.write_back_since.map_or_else(String::new, |at| zone.at(at)),
                format!("{}{until} {}: {}", zone.at(row.state_since), row.state_who, row.state_text),
            ]
        })
        .collect();
    table(&["route", "state", "campaign", "read up to", "calls told since", "state set"], &rows)
}
