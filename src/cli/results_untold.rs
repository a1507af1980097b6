//! What the CRM does not have, line by line, with what to do about each. Pure: the facts are arguments.

use super::table::table;
use super::zone::Zone;
use crate::domain::{Reason, ReasonCode, RouteName, Timestamp};
use crate::ledger::{MissingCall, Untold};
use std::fmt::Write as _;

/// What is open, of all days.
pub(super) fn untold_text(rows: &[Untold], limit: u32, zone: Zone) -> String {
    let lines = rows.iter().map(|row| {
        let facts = Facts {
            id: Some(row.id),
            route: Some(&row.route),
            state: &row.state,
            reason: row.reason.as_ref(),
            started: row.started,
            due: Some(row.due),
            last_answer: row.last_answer.as_deref(),
        };
        let call = row.call.map_or_else(|| "fields".to_owned(), |call| format!("call {call}"));
        line(&facts, call, row.route.to_string(), row.record.clone(), zone)
    });
    listed(lines.collect(), limit)
}

/// The calls of a day that are missing.
pub(super) fn missing_text(rows: &[MissingCall], limit: u32, zone: Zone) -> String {
    if rows.is_empty() {
        return "Nothing of it is missing in the CRM.\n".to_owned();
    }
    let lines = rows.iter().map(|row| {
        let facts = Facts {
            id: row.id,
            route: row.route.as_ref(),
            state: &row.state,
            reason: row.reason.as_ref(),
            started: row.started,
            due: row.due,
            last_answer: row.last_answer.as_deref(),
        };
        let campaign = || row.campaign.map_or_else(String::new, |campaign| format!("campaign {campaign}"));
        let route = row.route.as_ref().map_or_else(campaign, RouteName::to_string);
        let record = row.record.clone().unwrap_or_else(|| "none of ours".to_owned());
        line(&facts, format!("call {}", row.call), route, record, zone)
    });
    listed(lines.collect(), limit)
}

fn listed(lines: Vec<Vec<String>>, limit: u32) -> String {
    let mut text = format!(
        "\n{}",
        table(&["id", "what", "route", "record", "began", "state", "why, and what to do"], &lines)
    );
    if lines.len() >= limit as usize {
        let _infallible = writeln!(text, "Only {limit} are listed; --limit N lists more.");
    }
    text
}

/// What is said of one.
struct Facts<'a> {
    id: Option<i64>,
    route: Option<&'a RouteName>,
    state: &'a str,
    reason: Option<&'a Reason>,
    started: Option<Timestamp>,
    due: Option<Timestamp>,
    last_answer: Option<&'a str>,
}

fn line(facts: &Facts<'_>, what: String, route: String, record: String, zone: Zone) -> Vec<String> {
    let why = facts.reason.map(|reason| format!("{reason}; ")).unwrap_or_default();
    vec![
        facts.id.map_or_else(String::new, |id| id.to_string()),
        what,
        route,
        record,
        facts.started.map_or_else(String::new, |at| zone.at(at)),
        facts.state.to_owned(),
        format!("{why}{}", remedy(facts, zone)),
    ]
}

fn remedy(facts: &Facts<'_>, zone: Zone) -> String {
    let Some(route) = facts.route else {
        return "its contact is no record's: `dialbridge contacts` shows whose numbers it has".to_owned();
    };
    let due = facts.due.map_or_else(|| "the next run".to_owned(), |due| zone.at(due));
    match (facts.state, facts.reason.map(|reason| reason.code)) {
        ("waiting", _) => {
            let last = facts.last_answer.map(|answer| format!("; the last answer was {answer}"));
            format!("it is told by itself, from {due} on{}", last.unwrap_or_default())
        }
        ("sending" | "uncertain", _) => format!("it is asked about by itself at {due}"),
        ("held", Some(ReasonCode::UnmappedResult)) => {
            format!("`dialbridge results codes --route {route} --init` prints the table")
        }
        ("held", _) => "it is told by itself once that is so".to_owned(),
        ("parked", _) => {
            let id = facts.id.unwrap_or_default();
            format!(
                "mend that, then `dialbridge results retry --route {route} --id {id}`; or `results discard {id}`"
            )
        }
        (_, Some(ReasonCode::BeforeWriteBack)) => {
            let day = facts.started.map_or_else(|| "D".to_owned(), |at| zone.day_of(at).to_string());
            format!("`dialbridge backfill --route {route} --from {day} --to {day}` tells it after all")
        }
        (_, Some(ReasonCode::NotAsked)) => {
            format!("[route.{route}.activity] with `write_back` makes an activity of each call from then on")
        }
        ("gone", _) => {
            "nothing is to be done; where the record is there, `dialbridge results retry`".to_owned()
        }
        _ => "nothing is to be done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HistoryId;

    fn missing(route: Option<&str>, code: Option<ReasonCode>) -> MissingCall {
        MissingCall {
            id: None,
            call: HistoryId(51),
            campaign: Some(crate::domain::CampaignId(7)),
            route: route.map(RouteName::from),
            record: route.map(|_| "1".to_owned()),
            started: Some("2026-03-02T23:30:00Z".parse().expect("an instant")),
            state: "never".to_owned(),
            reason: code.map(Reason::from),
            due: None,
            last_answer: None,
        }
    }

    #[test]
    fn each_missing_call_says_what_would_tell_it() {
        let zone = Zone::utc();
        for (row, said) in [
            (
                missing(Some("leads"), Some(ReasonCode::BeforeWriteBack)),
                "dialbridge backfill --route leads --from 2026-03-02 --to 2026-03-02",
            ),
            (missing(Some("leads"), Some(ReasonCode::NotAsked)), "[route.leads.activity]"),
            (missing(None, None), "campaign 7"),
        ] {
            let text = missing_text(&[row], 9, zone);
            assert!(text.contains(said), "{text}");
        }
    }
}
