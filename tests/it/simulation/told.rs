//! Whether the CRM learned of every call, once: judged by its own activities.

use super::life::Life;
use super::past::Past;
use crate::support::world::key;
use chrono::TimeDelta;
use dialbridge::domain::ReasonCode;
use dialbridge::ledger::{CallFilter, Untold};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every call of route `leads` is one activity with its last result; where the CRM has no key for it, one at the most.
pub async fn every_call_is_told_once(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let route =
        life.world.settings.routes.values().find(|route| route.name.as_str() == "leads").expect("a route");
    let Some(told) = &route.write_back else { return };
    let ledger = life.world.ledger();
    let open = ledger.results_untold(None, 10_000).await.expect("a list");
    let is = |row: &Untold, code| row.reason.as_ref().is_some_and(|reason| reason.code == code);
    // What came in this very hour may still be on its way.
    let soon = life.world.now() + TimeDelta::hours(1);
    for row in open.iter().filter(|row| row.due < soon - TimeDelta::hours(2)) {
        // Somebody has to look what became of it; and without the batch read a result has no name, and so no word.
        let waits_for_a_person = is(row, ReasonCode::InDoubt) || is(row, ReasonCode::UnmappedResult);
        if !waits_for_a_person {
            wrong.push(format!("not told: {}", json!(row)));
        }
    }
    fields_follow(life, past, &open, wrong);
    let activities = life.world.crm.activities();
    let subjects: Vec<&str> =
        activities.iter().filter_map(|activity| activity.fields.get("subject")?.as_str()).collect();
    let gone: BTreeSet<String> = life.truth.deleted.keys().map(|id| key(*id)).collect();
    let filter = CallFilter { route: Some("leads".into()), ..CallFilter::default() };
    for call in ledger.calls_list(filter, 100_000).await.expect("calls") {
        let of_it = format!("call {}: ", call.call);
        let found: Vec<&&str> = subjects.iter().filter(|subject| subject.starts_with(&of_it)).collect();
        let waits = open.iter().any(|row| row.call == Some(call.call));
        let word = call.result_code.and_then(|code| {
            told.telling.word_for(call.campaign, code, call.result_key.as_deref(), call.result.as_deref())
        });
        let mapped = call.result_code.is_none() || word.is_some();
        let expected = format!("{of_it}{}", word.unwrap_or_default());
        match found.as_slice() {
            [one] if **one == expected || waits || !mapped => {}
            [] if waits || !mapped || call.test_call => {}
            // There is nothing any more that it could be told of.
            [] | [_] if call.user_data.as_ref().is_some_and(|key| gone.contains(&key.to_string())) => {}
            other => {
                wrong.push(format!("call {}: {other:?}, expected {expected:?}, waits {waits}", call.call))
            }
        }
    }
}

/// The record says how many calls there were, where nothing of it waits.
fn fields_follow(life: &Life, past: &Past, open: &[Untold], wrong: &mut Vec<String>) {
    if !life.ways.result_fields {
        return;
    }
    for id in life.world.editor().ids() {
        let key = format!("leads-{id}");
        let mut gone = past.gone.keys().filter(|contact| past.keys.get(contact) == Some(&key));
        let waits = open.iter().any(|row| row.record == id.to_string());
        if waits || gone.next().is_some() || life.truth.portal_keys.contains(&key) {
            continue;
        }
        let contacts = life.world.dialler.contacts_with(&key);
        let rows = contacts.iter().flat_map(|contact| life.world.dialler.history(contact.id));
        let calls = rows.filter(|row| row.call.as_ref().is_some_and(|call| !call.test)).count();
        let said =
            life.world.editor().field(id, "calls").and_then(|said: Value| said.as_u64()).unwrap_or_default();
        if said != calls as u64 {
            wrong.push(format!("record {id} says {said} calls, there were {calls}"));
        }
    }
}
