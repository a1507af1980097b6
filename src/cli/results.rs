//! `results`: the balance of a day in words, what the CRM does not have, and the codes with their words.

use super::args::{Day, ResultsArgs, ResultsVerb};
use super::closing_words;
use super::output::Output;
use super::results_codes;
use super::results_untold::{missing_text, untold_text};
use super::send;
use super::told_again;
use super::zone::Zone;
use crate::app::known::{self, Usage};
use crate::app::{self, Settings};
use crate::control::{Command, End, ResultsWord};
use crate::domain::{CampaignId, ContactId, HistoryId, ReasonCode, RouteName, Timestamp, WriteBackId};
use crate::env::Env;
use crate::ledger::{Closing, DaySpan, Ledger, MissingCall, Results, ResultsBalance, RouteRow};
use chrono::NaiveDate;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// `results ...`.
pub async fn run(config: &Path, args: ResultsArgs) -> anyhow::Result<End> {
    match args.verb {
        None if args.retry_missing => told_again::retry_missing(config, args).await,
        None => day(config, &args).await,
        Some(ResultsVerb::Open { route, limit, json }) => {
            open(config, route.as_deref(), limit, Output::new(json.json)).await
        }
        Some(ResultsVerb::Codes { route, init, json }) => {
            results_codes::run(config, route.as_deref(), init, Output::new(json.json)).await
        }
        Some(ResultsVerb::Approve { route, reason }) => {
            say(config, |settings| Ok(ResultsWord::Approve { route: id_of(settings, &route)? }), reason).await
        }
        Some(ResultsVerb::Retry(args)) => told_again::retry(config, args).await,
        Some(ResultsVerb::Release { call, reason }) => {
            say(config, |_| Ok(ResultsWord::Release { call: HistoryId(call) }), reason).await
        }
        Some(ResultsVerb::Reopen { call, contact, reason }) => {
            let word = match (call, contact) {
                (_, Some(contact)) => ResultsWord::ReopenContact { contact: ContactId(contact) },
                (call, None) => ResultsWord::Reopen { call: HistoryId(call.unwrap_or_default()) },
            };
            say(config, |_| Ok(word), reason).await
        }
        Some(ResultsVerb::Remap { code, route, plan, json, reason }) => {
            told_again::remap(config, code, route, plan.then(|| Output::new(json)), reason).await
        }
        Some(ResultsVerb::Discard { id, reason }) => {
            say(config, |_| Ok(ResultsWord::Discard { id: WriteBackId(id) }), reason).await
        }
    }
}

pub(super) async fn say(
    config: &Path,
    word: impl FnOnce(&Settings) -> anyhow::Result<ResultsWord>,
    reason: String,
) -> anyhow::Result<End> {
    let word = word(&app::load(config)?)?;
    send::send(config, Command::Results { word, reason }, Output::new(false)).await
}

pub(super) fn id_of(settings: &Settings, route: &str) -> anyhow::Result<RouteName> {
    Ok(known::route(settings, route)?.id.clone())
}

/// The answer about a day, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    day: NaiveDate,
    #[serde(flatten)]
    results: &'a Results,
    closings: &'a [Closing],
    missing: Option<&'a [MissingCall]>,
}

async fn day(config: &Path, args: &ResultsArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let route = args.route.as_deref().map(|route| id_of(&settings, route)).transpose()?;
    let day = date(args.day, zone);
    let span = span(zone, day)?;
    let ledger = app::open_reading(&settings).await?;
    let results = ledger.results(route.clone(), span.0, span.1).await?;
    let missing = match args.missing {
        true => Some(ledger.results_missing(route.clone(), span.0, span.1, args.limit).await?),
        false => None,
    };
    let closings = ledger.closings_of(DaySpan { day, from: span.0, until: span.1 }).await?;
    let shown = routes(&ledger, &settings, route.as_ref()).await?;
    let campaigns: BTreeSet<CampaignId> = shown.iter().filter_map(|row| row.campaign).collect();
    let answer = Shown { day, results: &results, closings: &closings, missing: missing.as_deref() };
    let over = span.1 <= Env::real().now();
    Output::new(args.json.json).value(&answer, || {
        let mut text = balance_text(day, &results);
        for row in &shown {
            if let Some(since) = row.write_back_since.filter(|since| *since > span.0) {
                let _infallible = writeln!(text, "{}", begins(&row.route, since, zone));
            }
        }
        for campaign in campaigns.into_iter().filter(|_| over) {
            let closing = closings.iter().find(|closing| closing.campaign == campaign);
            let _infallible = writeln!(text, "{}", closing_words::in_words(campaign, closing, zone));
        }
        if let Some(missing) = &missing {
            text.push_str(&missing_text(missing, args.limit, zone));
        }
        text
    });
    Ok(End::Done)
}

/// The routes that are shown.
async fn routes(
    ledger: &Ledger,
    settings: &Settings,
    route: Option<&RouteName>,
) -> anyhow::Result<Vec<RouteRow>> {
    let mut rows = ledger.routes_list().await?;
    rows.retain(|row| {
        route.is_none_or(|route| *route == row.route)
            && settings.routes.values().any(|known| known.id == row.route)
    });
    Ok(rows)
}

/// Where the day, or a part of it, lies before a route's calls went back at all.
fn begins(route: &RouteName, since: Timestamp, zone: Zone) -> String {
    format!(
        "  {route}: calls that began before {} are not told; `dialbridge backfill --route {route} --from D --to D` tells them \
         after all",
        zone.at(since)
    )
}

pub(super) fn date(day: Day, zone: Zone) -> NaiveDate {
    let today = || zone.day_of(Env::real().now());
    match day {
        Day::Today => today(),
        Day::Yesterday => today().pred_opt().unwrap_or_default(),
        Day::On(day) => day,
    }
}

pub(super) fn span(zone: Zone, day: NaiveDate) -> anyhow::Result<(Timestamp, Timestamp)> {
    let beginning = |day: Option<NaiveDate>| day.and_then(|day| zone.day_start(day));
    beginning(Some(day))
        .zip(beginning(day.succ_opt()))
        .ok_or_else(|| Usage(format!("{day} is no day of this zone")).into())
}

fn balance_text(day: NaiveDate, results: &Results) -> String {
    let mut text = format!("Calls that began on {day}, as the ledger has them:\n");
    if results.routes.is_empty() {
        text.push_str("  none of a record of ours\n");
    }
    for (route, balance) in &results.routes {
        let _infallible = writeln!(text, "  {route}: {}", in_words(balance));
    }
    for (campaign, calls) in &results.of_others {
        let _infallible =
            writeln!(text, "  campaign {campaign}: {calls} of contacts that are no record's of ours");
    }
    text
}

/// One equation, its zeros left out.
fn in_words(balance: &ResultsBalance) -> String {
    let never = balance.never.iter().map(|(code, calls)| (*calls, never_in_words(code)));
    let parts = [
        (balance.told, "told to the CRM".to_owned()),
        (balance.waiting, "waiting".to_owned()),
        (balance.held, "held".to_owned()),
        (balance.uncertain, "in doubt".to_owned()),
        (balance.parked, "parked".to_owned()),
        (balance.gone, "whose record is gone from the CRM".to_owned()),
        (balance.not_asked, "of a route that tells the CRM of no calls".to_owned()),
    ];
    let shown: Vec<String> = parts
        .into_iter()
        .chain(never)
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, what)| format!("{calls} {what}"))
        .collect();
    let without = match balance.without_result {
        0 => String::new(),
        some => format!("; {some} have no result yet"),
    };
    let older = match balance.told_older {
        0 => String::new(),
        some => format!("; of {some} that were told the CRM has an older content"),
    };
    let drift = if balance.adds_up() { "" } else { "; THIS DOES NOT ADD UP: `dialbridge ledger check`" };
    format!("{} calls = {}{older}{without}{drift}", balance.calls, shown.join(" + "))
}

fn never_in_words(code: &str) -> String {
    let rule = ReasonCode::parse(code).map_or_else(|| code.to_owned(), |code| code.in_general());
    format!("never told ({rule})")
}

async fn open(config: &Path, route: Option<&str>, limit: u32, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = route.map(|route| id_of(&settings, route)).transpose()?;
    let rows = app::open_reading(&settings).await?.results_untold(route, limit).await?;
    output.value(&rows, || {
        if rows.is_empty() {
            return "The CRM was told of everything that it can be told.".to_owned();
        }
        untold_text(&rows, limit, Zone::of(&settings))
    });
    Ok(End::Done)
}
