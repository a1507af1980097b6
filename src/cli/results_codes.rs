//! `results codes`: every result that was seen, with the CRM's word for it.

use super::output::Output;
use super::table::table;
use super::zone::Zone;
use crate::app;
use crate::app::RouteSettings;
use crate::app::known;
use crate::control::End;
use crate::domain::Timestamp;
use crate::ledger::CodeSeen;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// A code with the word for it.
#[derive(Serialize)]
struct Mapped<'a> {
    #[serde(flatten)]
    seen: &'a CodeSeen,
    word: Option<String>,
}

/// `results codes`: of the campaigns of one route's calls, or all that were ever seen.
pub(super) async fn run(
    config: &Path,
    route: Option<&str>,
    init: bool,
    output: Output,
) -> anyhow::Result<End> {
    let settings = app::load(config)?;
    let route = route.map(|route| known::route(&settings, route)).transpose()?;
    let ledger = app::open_reading(&settings).await?;
    let rows = ledger.routes_list().await?;
    let campaign_of =
        |route: &RouteSettings| rows.iter().find(|row| row.route == route.id).and_then(|row| row.campaign);
    let seen = ledger.results_codes(route.map(|route| route.id.clone())).await?;
    if let Some(route) = route.filter(|route| seen.is_empty() && campaign_of(route).is_none()) {
        anyhow::bail!(
            "the campaign of route {} is not known yet: `dialbridge sync harvest` asks for it",
            route.name
        );
    }
    if let (Some(route), true) = (route, init) {
        super::output::print_line(table_for_config(route, &seen).trim_end());
        return Ok(End::Done);
    }
    let routes: Vec<&RouteSettings> = match route {
        Some(route) => vec![route],
        None => settings.routes.values().collect(),
    };
    // By the routes that the campaign is, or by whichever has a word for it where that was another one's.
    let words = |seen: &CodeSeen| -> Vec<&str> {
        let no = routes.iter().any(|route| is_no(route, seen)).then_some(A_NO);
        let known = routes.iter().any(|route| is_known(route, seen)).then_some(KNOWN);
        let words = routes.iter().filter_map(|route| word_of(route, seen));
        let mut words: Vec<&str> = words.chain(no).chain(known).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    let mapped: Vec<Mapped<'_>> = seen.iter().map(|seen| Mapped { seen, word: said(words(seen)) }).collect();
    output.value(&mapped, || {
        if mapped.is_empty() {
            return "No result was ever seen.".to_owned();
        }
        let zone = Zone::of(&settings);
        let rows: Vec<Vec<String>> = mapped.iter().map(|mapped| code_row(mapped, zone)).collect();
        let head =
            ["campaign", "code", "name", "export key", "type", "calls", "first", "last", "the CRM's word"];
        table(&head, &rows)
    });
    Ok(End::Done)
}

/// What is mapped to nothing of the CRM's and blocks whoever says it.
const A_NO: &str = "(a no, by opt_out_results)";

fn is_no(route: &RouteSettings, code: &CodeSeen) -> bool {
    let (key, name) = (code.export_key.as_deref(), code.name.as_deref());
    code.campaign.is_some() && route.opt_out_results.names(code.campaign, code.code, key, name)
}

/// What has a word in `[results]` of a route that tells its CRM nothing: it holds nobody out of other routes as unmapped.
const KNOWN: &str = "(it has a word; the CRM is told of no call)";

fn is_known(route: &RouteSettings, code: &CodeSeen) -> bool {
    let (key, name) = (code.export_key.as_deref(), code.name.as_deref());
    let has_word = route.hold_rules.words.names(code.campaign, code.code, key, name);
    has_word && route.write_back.is_none() && !is_no(route, code)
}

fn word_of<'a>(route: &'a RouteSettings, code: &CodeSeen) -> Option<&'a str> {
    let telling = &route.write_back.as_ref()?.telling;
    telling.word_for(code.campaign, code.code, code.export_key.as_deref(), code.name.as_deref())
}

fn said(words: Vec<&str>) -> Option<String> {
    (!words.is_empty()).then(|| words.join(", "))
}

fn code_row(mapped: &Mapped<'_>, zone: Zone) -> Vec<String> {
    let seen = mapped.seen;
    let at = |at: Option<Timestamp>| at.map_or_else(String::new, |at| zone.at(at));
    vec![
        seen.campaign.map_or_else(String::new, |campaign| campaign.to_string()),
        seen.code.to_string(),
        seen.name.clone().unwrap_or_default(),
        seen.export_key.clone().unwrap_or_default(),
        kind(seen).to_owned(),
        seen.calls.to_string(),
        at(seen.first),
        at(seen.last),
        mapped.word.clone().unwrap_or_else(|| "NOT MAPPED".to_owned()),
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
fn table_for_config(route: &RouteSettings, seen: &[CodeSeen]) -> String {
    let mut text = format!("[route.{}.results]\n", route.name);
    for code in seen {
        let campaign = code.campaign.map(|campaign| campaign.0).unwrap_or_default();
        let key = code.export_key.clone().unwrap_or_else(|| format!("{campaign}/{}", code.code));
        let name = code.name.as_deref().unwrap_or("its name is not known");
        let line = match word_of(route, code) {
            Some(word) => format!("{key:?} = {word:?}"),
            None => format!("#{key:?} = \"\""),
        };
        let no = if is_no(route, code) { ", a no by opt_out_results" } else { "" };
        let _infallible = writeln!(text, "{line}  # {name}, {}, {} calls{no}", kind(code), code.calls);
    }
    text
}
