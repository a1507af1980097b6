//! A contact's life for people: what stands now, then everything in order of time, in sentences.

use super::table::table;
use super::zone::Zone;
use crate::domain::{OperationKind, ReasonCode, RouteName, Timestamp};
use crate::ledger::{CallView, ContactStory, Event, LinkStory, LockShown, Person, Waiting, WaitsFor};

/// Calls as a table.
pub(super) fn calls_table(calls: &[CallView], zone: Zone) -> String {
    let rows: Vec<Vec<String>> = calls
        .iter()
        .map(|call| {
            vec![
                call.call.to_string(),
                call.started.map(|at| zone.at(at)).unwrap_or_default(),
                call.contact.to_string(),
                call.user_data.clone().unwrap_or_default(),
                if call.answered { "answered".to_owned() } else { "not reached".to_owned() },
                call.agent.map(|agent| agent.to_string()).unwrap_or_default(),
                result(call),
            ]
        })
        .collect();
    table(&["call", "started", "contact", "UserData", "", "agent", "result"], &rows)
}

fn result(call: &CallView) -> String {
    match (&call.result, call.result_code) {
        (Some(name), _) => name.clone(),
        (None, Some(code)) => format!("result code {code}"),
        (None, None) => match call.result_state.as_str() {
            "waiting" => "no result yet".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// People to choose from.
pub(super) fn persons_table(persons: &[Person]) -> String {
    let rows: Vec<Vec<String>> = persons
        .iter()
        .map(|person| {
            vec![
                person.contact.map(|contact| contact.to_string()).unwrap_or_default(),
                person.route.clone().unwrap_or_else(|| "no record of ours".to_owned()),
                person.record.clone().unwrap_or_default(),
                person.user_data.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(&["contact", "route", "record", "UserData"], &rows)
}

/// What stands now, then what happened.
pub(super) fn text(person: &Person, story: &ContactStory, zone: Zone) -> String {
    let mut text = match &story.link {
        Some(link) => now(link, &story.lock_shown, zone),
        None => format!(
            "contact {} with UserData {} has no record of ours\n",
            person.contact.map_or_else(|| "?".to_owned(), |contact| contact.to_string()),
            person.user_data.as_deref().unwrap_or("-"),
        ),
    };
    text.extend(last_result(&story.calls, zone));
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for event in &story.events {
        if let Some(told) = tell(event, zone) {
            lines.push((event.at, told));
        }
    }
    lines.extend(story.calls.iter().map(|call| (call.started.unwrap_or(call.first_seen), tell_call(call))));
    // Stable: what happened in one instant keeps its order.
    lines.sort_by_key(|(at, _)| *at);
    text.push('\n');
    let mut last = None;
    for (at, line) in lines {
        let when = if last == Some(at) { String::new() } else { zone.at(at) };
        text.push_str(&format!("{when:<25}  {line}\n"));
        last = Some(at);
    }
    text
}

fn now(link: &LinkStory, shown: &LockShown, zone: Zone) -> String {
    let contact = link.contact.map_or_else(|| "no contact yet".to_owned(), |id| format!("contact {id}"));
    let mut text = format!(
        "{}: record {} of route {}, {contact}\n",
        link.user_data.as_deref().unwrap_or("(no UserData)"),
        link.record,
        RouteName(link.route.clone()),
    );
    if let Some(at) = link.vanished {
        text.push_str(&format!(
            "The contact was deleted in the dialler by somebody else, found {}.\n",
            zone.at(at)
        ));
    }
    if link.contacts.len() > 1 {
        let all: Vec<String> = link.contacts.iter().map(ToString::to_string).collect();
        text.push_str(&format!("Contacts it had, oldest first: {}.\n", all.join(", ")));
    }
    text.push_str(&match link.wish.as_str() {
        "callable" => "Now: may be called.\n".to_owned(),
        "locked" => {
            // Some reasons begin so themselves.
            let why = link.wish_why.to_string();
            let why = why.strip_prefix("must not be called: ").unwrap_or(&why);
            format!("Now: must not be called: {why}.\n")
        }
        _ => format!("Now: not to be in the dialler: {}.\n", link.wish_why),
    });
    if link.lock_state == "locked" {
        let since = link.locked_at.map(|at| format!(" at {}", zone.at(at))).unwrap_or_default();
        text.push_str(&format!("Locked by us{since}{}.\n", lock_seen(shown)));
    }
    if let (Some(state), Some(why)) = (&link.record_state, &link.record_why) {
        let since = link.record_since.map(|at| format!(" since {}", zone.at(at))).unwrap_or_default();
        text.push_str(&format!("The record is {state}{since}: {why}.\n"));
    }
    text.extend(link.waiting.iter().map(|waiting| waits(waiting, link, zone)));
    text
}

/// What is to be sent, and what lets it go.
fn waits(waiting: &Waiting, link: &LinkStory, zone: Zone) -> String {
    let route = RouteName(link.route.clone());
    let why = match waiting.waits_for {
        WaitsFor::Takeover => "all routes are paused (identity); `dialbridge status` says why".to_owned(),
        WaitsFor::Thaw => "everything is frozen; `dialbridge thaw` ends that".to_owned(),
        WaitsFor::List => {
            "a block list is being taken; `dialbridge status` says which if it takes long".to_owned()
        }
        WaitsFor::Stopped => format!("route {route} is stopped; `dialbridge status` says why"),
        WaitsFor::Dry => format!("route {route} is dry; `dialbridge route on {route}` sends it"),
        WaitsFor::Paused => format!("route {route} is paused; `dialbridge route resume {route}` sends it"),
        WaitsFor::Pilot => format!("route {route} is a pilot, and this record is none of it"),
        WaitsFor::Approval => {
            let wave = waiting.wave.unwrap_or_default();
            format!("wave {wave} needs approval; `dialbridge plan show --wave {wave}`")
        }
        WaitsFor::Calls => {
            let done = if waiting.kind == OperationKind::Reset { "set back" } else { "deleted" };
            let again = zone.at(waiting.not_before);
            format!("nobody is {done} before the calls are over and read; it is looked at again at {again}")
        }
        WaitsFor::Later => format!("it is tried again at {}", zone.at(waiting.not_before)),
        WaitsFor::Turn => {
            "something else of this contact is under way or in doubt, and goes first".to_owned()
        }
        WaitsFor::Push => {
            "it goes with the next push, or on the next day where the route's daily limit is reached"
                .to_owned()
        }
    };
    format!("Its {} (operation {}) waits: {why}.\n", waiting.kind, waiting.operation)
}

/// What can be known of a lock beyond that the dialler took it.
fn lock_seen(shown: &LockShown) -> String {
    match shown {
        LockShown::Unknown => {
            ", not verifiable: no answer has shown yet whether locks can be seen".to_owned()
        }
        LockShown::Nowhere => ", not verifiable: the dialler shows no lock in any answer".to_owned(),
        LockShown::By { fields } => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            format!("; the dialler shows locks by {}", names.join(", "))
        }
    }
}

fn tell(event: &Event, zone: Zone) -> Option<String> {
    let why = event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let by = by(&event.cause);
    Some(match event.kind.as_str() {
        "operation" => {
            let waits = match event.state.as_str() {
                "waiting" => " (still waits)",
                "sending" => " (on its way)",
                "uncertain" => " (IN DOUBT: asked about after the quiet time)",
                _ => "",
            };
            format!("{} wished{why}{by}{waits}", event.what)
        }
        "ended" => match (event.what.as_str(), event.state.as_str()) {
            // How it ended says whether the dialler shows it.
            ("lock", "done") => match &event.reason {
                Some(reason) => reason.to_string().replacen("locked", "LOCKED", 1),
                None => "LOCKED by us".to_owned(),
            },
            (what, state) => format!("{what} {state}{why}"),
        },
        "attempt" if event.state == "done" => return None,
        "attempt" => {
            let details = event.before.as_deref().unwrap_or_default();
            format!("{} was tried: {} {details}", event.what, event.state)
        }
        "told" => {
            let activity = event.after.as_deref().map(|id| format!(", activity {id}")).unwrap_or_default();
            match (event.state.as_str(), event.before.as_deref()) {
                ("done", _) => format!("the CRM was told of {}{activity}", event.what),
                (state, details) => {
                    format!(
                        "the CRM was to be told of {}: {state} {}",
                        event.what,
                        details.unwrap_or_default()
                    )
                }
            }
        }
        "edited" => {
            format!("an agent changed {} to {}", event.what, event.after.as_deref().unwrap_or("empty"))
        }
        "conflict" => {
            let values = format!(
                "the CRM has {}, the dialler {}",
                event.before.as_deref().unwrap_or("nothing"),
                event.after.as_deref().unwrap_or("nothing"),
            );
            let put_aside = event.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Discarded);
            let stands = if put_aside { "is NOT TOLD to the CRM" } else { "WAITS FOR A PERSON" };
            format!("{} {stands} (conflict {}): {values}{why}", event.what, event.cause)
        }
        "untold" => format!("{} is {} for the CRM{why}", event.what, event.state),
        "change" if event.state == "crm" => format!(
            "  in the CRM, {}: {} -> {}",
            event.what,
            event.before.as_deref().unwrap_or("?"),
            event.after.as_deref().unwrap_or("empty"),
        ),
        "change" => format!(
            "  {}: {} -> {}",
            event.what,
            event.before.as_deref().unwrap_or("empty"),
            event.after.as_deref().unwrap_or("empty"),
        ),
        "block" => {
            let whom = event
                .after
                .as_deref()
                .map_or("the record".to_owned(), |number| format!("the number {number}"));
            let until = event.before.as_deref().and_then(|until| until.parse().ok());
            let until = until.map(|at| format!(", until {}", zone.at(at))).unwrap_or_default();
            format!("BLOCKED {whom}{why}{by}{until}")
        }
        "note" if event.what == "answer" => format!("  noted of the answer{why} ({})", event.state),
        "note" => format!("noted of the record{why} ({})", event.state),
        "lifted" => {
            let whom = event
                .after
                .as_deref()
                .map_or("the record".to_owned(), |number| format!("the number {number}"));
            format!("block on {whom} lifted: {}{by}", event.before.as_deref().unwrap_or("its end had come"))
        }
        "word" | "route" | "wave" | "freeze" => said(event, zone),
        _ => format!("{} {}{why}", event.kind, event.what),
    })
}

/// What a person said, until when, and why.
fn said(event: &Event, zone: Zone) -> String {
    let what = match (event.kind.as_str(), event.what.as_str(), event.state.as_str()) {
        ("word", "send", _) => "SENT BY HAND, whatever the route's state".to_owned(),
        ("word", "conflict", field) => {
            let (field, side) = field.rsplit_once(' ').unwrap_or((field, ""));
            format!("{field}: the value of the {} STANDS", if side == "crm" { "CRM" } else { "dialler" })
        }
        ("word", "retry", _) => "to be TRIED AGAIN".to_owned(),
        ("word", _, _) => "PUT ASIDE until it changes".to_owned(),
        ("route", state, route) => {
            format!("route {} set to {}", RouteName(route.to_owned()), state.to_uppercase())
        }
        ("wave", wave, state) => format!("wave {wave} {}", state.to_uppercase()),
        (_, _, "ended") => "THAWED".to_owned(),
        (_, reach, _) => format!("FROZEN, {reach}"),
    };
    let until = event.before.as_deref().and_then(|until| until.parse().ok());
    let until = until.map(|at| format!(", until {}", zone.at(at))).unwrap_or_default();
    let why = event.after.as_deref().filter(|text| !text.is_empty());
    let why = why.map(|text| format!(": {text}")).unwrap_or_default();
    format!("{what}{until}{why}{}", by(&event.cause))
}

/// Who or what caused it, in words.
fn by(cause: &str) -> String {
    match cause.split_once(':') {
        Some(("run", run)) => format!(" (run {run})"),
        Some(("person", who)) => format!(" (by {who})"),
        Some(("settle", operation)) => format!(" (after asking about operation {operation})"),
        Some((source, of)) => format!(" (by {source} {of})"),
        None if cause == "gate" => " (by the block list)".to_owned(),
        None => format!(" (by {cause})"),
    }
}

/// The newest call that has a result: when, and by whom.
fn last_result(calls: &[CallView], zone: Zone) -> Option<String> {
    let at = |call: &CallView| call.started.unwrap_or(call.first_seen);
    let with_result = calls.iter().filter(|call| call.result_code.is_some() && !call.test_call);
    let call = with_result.max_by_key(|call| (at(call), call.call))?;
    let by = call.agent.map_or_else(|| "by the system".to_owned(), |agent| format!("by agent {agent}"));
    Some(format!("Last result: {}, {}, {by} (call {}).\n", result(call), zone.at(at(call)), call.call))
}

fn tell_call(call: &CallView) -> String {
    let number = call.number.as_deref().map(|number| format!(", {number}")).unwrap_or_default();
    let agent = call.agent.map(|agent| format!(", agent {agent}")).unwrap_or_default();
    let test = if call.test_call { ", test call" } else { "" };
    let reached = if call.answered { "answered" } else { "not reached" };
    let direction = match call.direction.as_deref() {
        Some("in") => "CALL in",
        _ => "CALLED",
    };
    format!("{direction}{number}{test}: {reached}{agent}; {} (call {})", result(call), call.call)
}
