//! A contact's story and calls, for people.

use super::table::table;
use crate::domain::Timestamp;
use crate::ledger::{CallView, ContactStory};

fn short(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Calls as a table.
pub(super) fn calls_table(calls: &[CallView]) -> String {
    let rows: Vec<Vec<String>> = calls
        .iter()
        .map(|call| {
            vec![
                call.call.to_string(),
                call.started.map(short).unwrap_or_default(),
                call.contact.to_string(),
                call.user_data.clone().unwrap_or_default(),
                call.direction.clone().unwrap_or_default(),
                if call.answered { "answered".to_owned() } else { "not reached".to_owned() },
                call.result.clone().unwrap_or_else(|| call.result_state.clone()),
                call.agent.map(|agent| agent.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["call", "started (UTC)", "contact", "UserData", "direction", "", "result", "agent"], &rows)
}

/// Link first, then what happened, then the calls.
pub(super) fn text(story: &ContactStory) -> String {
    let mut text = String::new();
    if let Some(link) = &story.link {
        text.push_str(&format!(
            "record {} of route {}, contact {}\n",
            link.record,
            link.route,
            link.contact.map_or_else(|| "none".to_owned(), |id| id.to_string())
        ));
        text.push_str(&format!("wish: {} ({}); lock: {}\n", link.wish, link.wish_why, link.lock_state));
        if let Some(at) = link.vanished {
            text.push_str(&format!("deleted in the dialler by somebody else, found {} UTC\n", short(at)));
        }
        if link.contacts.len() > 1 {
            let earlier: Vec<String> = link.contacts.iter().map(ToString::to_string).collect();
            text.push_str(&format!("contacts it had: {}\n", earlier.join(", ")));
        }
    }
    let rows: Vec<Vec<String>> = story
        .events
        .iter()
        .map(|event| {
            vec![
                short(event.at),
                event.kind.clone(),
                event.what.clone(),
                event.state.clone(),
                event.why.clone(),
                event.details.clone(),
            ]
        })
        .collect();
    text.push_str(&format!("\n{}", table(&["when (UTC)", "", "what", "", "why", "details"], &rows)));
    if !story.calls.is_empty() {
        text.push_str(&format!("\n{}", calls_table(&story.calls)));
    }
    text
}
