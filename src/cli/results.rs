//! `results`: the balance of a day in words, what the CRM does not have, and the codes with their words.

use super::args::{Day, ResultsArgs, ResultsVerb};
use super::closing_words;
use super::output::Output;
use super::send;
use super::table::table;
use super::told_again;
use super::zone::Zone;
use crate::app::known::{self, Usage};
use crate::app::{self, Settings};
use crate::control::{Command, End, ResultsWord};
use crate::domain::{CampaignId, HistoryId, ReasonCode, RouteName, Timestamp, WriteBackId};
use crate::env::Env;
use crate::ledger::{Closing, CodeSeen, DaySpan, Ledger, Results, ResultsBalance, RouteRow, Untold};
use chrono::NaiveDate;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// `results ...`.
pub async fn run(config: &Path, args: ResultsArgs) -> anyhow::Result<End> {
    match args.verb {
        None => day(config, &args).await,
        Some(ResultsVerb::Open { route, limit, json }) => {
            open(config, route.as_deref(), limit, Output::new(json.json)).await
        }
        Some(ResultsVerb::Codes { route, init, json }) => {
            codes(config, &route, init, Output::new(json.json)).await
        }
        Some(ResultsVerb::Approve { route, reason }) => {
            say(config, |settings| Ok(ResultsWord::Approve { route: id_of(settings, &route)? }), reason).await
        }
        Some(ResultsVerb::Retry { route, id, reason }) => {
            let id = id.map(WriteBackId);
            say(config, |settings| Ok(ResultsWord::Retry { route: id_of(settings, &route)?, id }), reason)
                .await
        }
        Some(ResultsVerb::Release { call, reason }) => {
            say(config, |_| Ok(ResultsWord::Release { call: HistoryId(call) }), reason).await
        }
        Some(ResultsVerb::Reopen { call, reason }) => {
            say(config, |_| Ok(ResultsWord::Reopen { call: HistoryId(call) }), reason).await
        }
        Some(ResultsVerb::Remap { code, route, plan, reason }) => {
            told_again::remap(config, code, route, plan, reason).await
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
    missing: Option<&'a [Untold]>,
}

async fn day(config: &Path, args: &ResultsArgs) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let zone = Zone::of(&settings);
    let route = args.route.as_deref().map(|route| id_of(&settings, route)).transpose()?;
    let day = match args.day {
        Day::Today => zone.day_of(Env::real().now()),
        Day::Yesterday => zone.day_of(Env::real().now()).pred_opt().unwrap_or_default(),
        Day::On(day) => day,
    };
    let span = span(zone, day)?;
    let ledger = app::open_reading(&settings).await?;
    let results = ledger.results(route.clone(), span.0, span.1).await?;
    let missing = match args.missing {
        true => Some(ledger.results_untold(route.clone(), Some(span), args.limit).await?),
        false => None,
    };
    let closings = ledger.closings_of(DaySpan { day, from: span.0, until: span.1 }).await?;
    let campaigns = campaigns(&ledger, &settings, route.as_ref()).await?;
    let shown = Shown { day, results: &results, closings: &closings, missing: missing.as_deref() };
    let over = span.1 <= Env::real().now();
    Output::new(args.json.json).value(&shown, || {
        let mut text = balance_text(day, &results);
        for campaign in campaigns.into_iter().filter(|_| over) {
            let closing = closings.iter().find(|closing| closing.campaign == campaign);
            let _infallible = writeln!(text, "{}", closing_words::in_words(campaign, closing, zone));
        }
        if let Some(missing) = &missing {
            text.push_str(&untold_text(missing, args.limit, zone));
        }
        text
    });
    Ok(End::Done)
}

/// The campaigns of the routes that are shown.
async fn campaigns(
    ledger: &Ledger,
    settings: &Settings,
    route: Option<&RouteName>,
) -> anyhow::Result<BTreeSet<CampaignId>> {
    let shown = |row: &RouteRow| {
        route.is_none_or(|route| *route == row.route)
            && settings.routes.values().any(|known| known.id == row.route)
    };
    Ok(ledger.routes_list().await?.iter().filter(|row| shown(row)).filter_map(|row| row.campaign).collect())
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
        (balance.not_asked, "of a route that makes no activities of calls".to_owned()),
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
    let drift = if balance.adds_up() { "" } else { "; THIS DOES NOT ADD UP: `dialbridge ledger check`" };
    format!("{} calls = {}{without}{drift}", balance.calls, shown.join(" + "))
}

fn never_in_words(code: &str) -> String {
    let rule = ReasonCode::parse(code).map_or_else(|| code.to_owned(), |code| code.in_general());
    format!("never told ({rule})")
}

async fn open(config: &Path, route: Option<&str>, limit: u32, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = route.map(|route| id_of(&settings, route)).transpose()?;
    let rows = app::open_reading(&settings).await?.results_untold(route, None, limit).await?;
    output.value(&rows, || {
        if rows.is_empty() {
            return "The CRM was told of everything that it can be told.".to_owned();
        }
        untold_text(&rows, limit, Zone::of(&settings))
    });
    Ok(End::Done)
}

fn untold_text(rows: &[Untold], limit: u32, zone: Zone) -> String {
    if rows.is_empty() {
        return "Nothing of it is missing in the CRM.\n".to_owned();
    }
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let call = row.call.map_or_else(|| "fields".to_owned(), |call| format!("call {call}"));
            let began = row.started.map_or_else(String::new, |at| zone.at(at));
            let why = row.reason.as_ref().map(|reason| format!("{reason}; ")).unwrap_or_default();
            vec![
                row.id.to_string(),
                call,
                row.route.to_string(),
                row.record.clone(),
                began,
                row.state.clone(),
                format!("{why}{}", remedy(row, zone)),
            ]
        })
        .collect();
    let mut text = format!(
        "\n{}",
        table(&["id", "what", "route", "record", "began", "state", "why, and what to do"], &lines)
    );
    if rows.len() >= limit as usize {
        let _infallible = writeln!(text, "Only {limit} are listed; --limit N lists more.");
    }
    text
}

fn remedy(row: &Untold, zone: Zone) -> String {
    let code = row.reason.as_ref().map(|reason| reason.code);
    match (row.state.as_str(), code) {
        ("waiting", _) => {
            let last = row.last_answer.as_ref().map(|answer| format!("; the last answer was {answer}"));
            format!("it is told by itself, from {} on{}", zone.at(row.due), last.unwrap_or_default())
        }
        ("sending" | "uncertain", _) => format!("it is asked about by itself at {}", zone.at(row.due)),
        ("held", Some(ReasonCode::UnmappedResult)) => {
            format!("`dialbridge results codes --route {} --init` prints the table", row.route)
        }
        ("held", _) => "it is told by itself once that is so".to_owned(),
        ("parked", _) => format!(
            "mend that, then `dialbridge results retry --route {} --id {}`; or `results discard {}`",
            row.route, row.id, row.id
        ),
        _ => "nothing is to be done".to_owned(),
    }
}

/// A code with the word for it.
#[derive(Serialize)]
struct Mapped<'a> {
    #[serde(flatten)]
    seen: &'a CodeSeen,
    word: Option<&'a str>,
}

async fn codes(config: &Path, route: &str, init: bool, output: Output) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = known::route(&settings, route)?;
    let ledger = app::open_reading(&settings).await?;
    let row = ledger.route_show(route.id.clone()).await?;
    let Some(campaign) = row.and_then(|row| row.campaign) else {
        anyhow::bail!(
            "the campaign of route {} is not known yet: `dialbridge sync harvest` asks for it",
            route.name
        );
    };
    let seen = ledger.results_codes(Some(campaign)).await?;
    let word = |code: &CodeSeen| {
        let telling = &route.write_back.as_ref()?.telling;
        telling.word_for(code.campaign, code.code, code.export_key.as_deref(), code.name.as_deref())
    };
    if init {
        super::output::print_line(table_for_config(&route.name, &seen, &word).trim_end());
        return Ok(End::Done);
    }
    let mapped: Vec<Mapped<'_>> = seen.iter().map(|seen| Mapped { seen, word: word(seen) }).collect();
    output.value(&mapped, || {
        if mapped.is_empty() {
            return "No result was ever seen in this campaign.".to_owned();
        }
        let zone = Zone::of(&settings);
        let rows: Vec<Vec<String>> = mapped.iter().map(|mapped| code_row(mapped, zone)).collect();
        table(&["code", "name", "export key", "type", "calls", "first", "last", "the CRM's word"], &rows)
    });
    Ok(End::Done)
}

fn code_row(mapped: &Mapped<'_>, zone: Zone) -> Vec<String> {
    let seen = mapped.seen;
    let at = |at: Option<Timestamp>| at.map_or_else(String::new, |at| zone.at(at));
    vec![
        seen.code.to_string(),
        seen.name.clone().unwrap_or_default(),
        seen.export_key.clone().unwrap_or_default(),
        kind(seen).to_owned(),
        seen.calls.to_string(),
        at(seen.first),
        at(seen.last),
        mapped.word.map_or_else(|| "NOT MAPPED".to_owned(), str::to_owned),
    ]
}

fn kind(seen: &CodeSeen) -> &'static str {
    let is = |flag: Option<bool>| flag == Some(true);
    if is(seen.done) {
        "done"
    } else if is(seen.aborted) {
        "abort"
    } else if is(seen.appointment) {
        "appointment"
    } else if is(seen.delay) {
        "delay"
    } else {
        "unknown"
    }
}

/// Ready to be put into the config; what is not mapped is left for a person.
fn table_for_config<'a>(
    route: &RouteName,
    seen: &'a [CodeSeen],
    word: &dyn Fn(&'a CodeSeen) -> Option<&'a str>,
) -> String {
    let mut text = format!("[route.{route}.results]\n");
    for code in seen {
        let campaign = code.campaign.map(|campaign| campaign.0).unwrap_or_default();
        let key = code.export_key.clone().unwrap_or_else(|| format!("{campaign}/{}", code.code));
        let name = code.name.as_deref().unwrap_or("its name is not known");
        let line = match word(code) {
            Some(word) => format!("{key:?} = {word:?}"),
            None => format!("#{key:?} = \"\""),
        };
        let _infallible = writeln!(text, "{line}  # {name}, {}, {} calls", kind(code), code.calls);
    }
    text
}
