//! Whether the CRM was told what it should be and nothing else: judged by its own history of writes.

use super::judge::record_of;
use super::life::Life;
use super::past::{Past, answered_at, done};
use super::setup::Comment;
use super::truth::{Door, Holds, Objection};
use dialbridge::domain::Timestamp;
use dialbridge::sim::crm::Effect;
use dialbridge::sim::dialler::{Actor, What};
use dialbridge::sim::journal::Asked;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All of it.
pub fn only_what_is_ours_is_written(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let requests = life.world.crm.journal.requests();
    let writes: Vec<&Asked> = requests.iter().filter(|asked| asked.kind.write).collect();
    for write in &writes {
        match write.kind.name {
            "record_change" => record_is_ours(life, past, write, wrong),
            "activity_create" | "activity_change" => {}
            other => wrong.push(format!("{other} {} is nothing the routes write", write.path)),
        }
    }
    nothing_is_written_as_it_is(life, &writes, wrong);
    activities_are_where_they_belong(life, past, wrong);
    no_call_is_told_twice(life, &writes, wrong);
    free_text_stays(life, past, wrong);
}

/// What the CRM was asked for, but for its lists.
pub fn crm_story(life: &Life) -> String {
    let mut text = String::from("of the CRM:\n");
    let lists = ["list", "search", "feed", "blacklisted", "numbered", "linked", "headed", "count", "time"];
    for asked in life.world.crm.journal.requests() {
        if !lists.contains(&asked.kind.name) {
            let (body, query) = (String::from_utf8_lossy(&asked.body), &asked.query);
            text.push_str(&format!(
                "  {} {} {query:?} {body} -> {:?}\n",
                asked.at, asked.path, asked.answered
            ));
        }
    }
    text
}

/// The fields of a write, wrapped or not.
pub fn fields_of(write: &Asked) -> Map<String, Value> {
    let body = write.json();
    let fields = body.get("fields").filter(|fields| fields.is_object()).unwrap_or(&body);
    fields.as_object().cloned().unwrap_or_default()
}

/// Every field of the write is one that the route owns, with a value that somebody gave.
fn record_is_ours(life: &Life, past: &Past, write: &Asked, wrong: &mut Vec<String>) {
    let Some(record) = write.path.rsplit('/').next().and_then(|id| id.parse::<u64>().ok()) else {
        wrong.push(format!("{} names no record", write.path));
        return;
    };
    for (field, value) in fields_of(write) {
        let said = match field.as_str() {
            "city" => life.two_way_city() && portal_wrote(life, past, record, "City", &value),
            "comment" => {
                life.ways.comment == Comment::TwoWay
                    && (portal_wrote(life, past, record, "Comment", &value)
                        || agents_wrote(past, record).any(|(_, text)| json!(text) == value))
            }
            "do_not_call" => value == json!(true) && objected_elsewhere(life, record, write.at),
            "calls" | "last_outcome" => life.ways.result_fields,
            "standing" => life.ways.status,
            _ => false,
        };
        if !said {
            wrong.push(format!("{field} {value} was written into record {record} at {}", write.at));
        }
    }
}

fn theirs(past: &Past, record: u64) -> impl Iterator<Item = i64> {
    let key = format!("leads-{record}");
    past.keys.iter().filter(move |(_, of)| **of == key).map(|(contact, _)| *contact)
}

fn portal_wrote(life: &Life, past: &Past, record: u64, field: &'static str, value: &Value) -> bool {
    theirs(past, record).any(|contact| {
        life.truth.portal_wrote.get(&(contact, field)).is_some_and(|texts| texts.contains(value))
    })
}

fn agents_wrote(past: &Past, record: u64) -> impl Iterator<Item = &(Timestamp, String)> {
    theirs(past, record).flat_map(|contact| past.comments.get(&contact).into_iter().flatten())
}

/// Whether this person said no before, elsewhere than in this record.
fn objected_elsewhere(life: &Life, record: u64, at: Timestamp) -> bool {
    let truth = &life.truth;
    truth.is_unclear(record)
        || truth.is_by_hand(record, at)
        || truth.objections.iter().any(|objection| {
            let elsewhere = match objection.door {
                Door::Hand | Door::Record | Door::List | Door::Result { .. } => true,
                Door::Field | Door::Blacklist => objection.record != record,
                // What comes back from the CRM is told to nobody, unless it was read before anybody could know that it came from us.
                Door::Told => objection.record != record && read_meanwhile(life, objection.at),
            };
            let stood = objection.at <= at && objection.until.is_none_or(|until| at <= until);
            elsewhere && stood && truth.means(objection, record) > Holds::No
        })
}

/// Whether the CRM was read while it was told of a no, or by a request that had left before: an answer that shows the no may then
/// be a clerk's own word as well.
fn read_meanwhile(life: &Life, told: Timestamp) -> bool {
    let requests = life.world.crm.journal.requests();
    let (writes, reads): (Vec<&Asked>, Vec<&Asked>) = requests.iter().partition(|asked| asked.kind.write);
    let over = |asked: &Asked| answered_at(asked).unwrap_or(Timestamp::MAX_UTC);
    let telling = writes.into_iter().filter(|write| write.at <= told && told <= over(write));
    let known = telling.map(over).max().unwrap_or(told);
    reads.into_iter().any(|read| read.at <= known && told <= over(read))
}

/// No write says what is there, unless nobody could know that the one before it had arrived.
fn nothing_is_written_as_it_is(life: &Life, writes: &[&Asked], wrong: &mut Vec<String>) {
    let effects = life.world.crm.journal.effects();
    for happened in effects {
        let (Effect::Unchanged(record), Some(request)) = (happened.effect, happened.request) else {
            continue;
        };
        let Some(place) = writes.iter().position(|write| write.seq == request) else { continue };
        let write = writes[place];
        // The last write that said the same of it, perhaps beside more: what somebody's no says goes by itself, and of what is in
        // doubt only the part is sent again that nobody can read back.
        let said = fields_of(write);
        let before = writes[..place].iter().rfind(|before| {
            let all = fields_of(before);
            before.path == write.path && said.iter().all(|(name, value)| all.get(name) == Some(value))
        });
        let known = before.is_none_or(|before| done(before) && !died_between(life, before.at, write.at));
        // Of a no that a clerk has written down as well, the other is told all the same.
        let told_both = said.contains_key("do_not_call")
            && life.truth.objections.iter().any(|no| match no.door {
                Door::Field => no.record == record,
                // Every record with a number on the list says so of itself.
                Door::Blacklist => life.truth.means(no, record) > Holds::No,
                Door::Hand | Door::Record | Door::List | Door::Told | Door::Result { .. } => false,
            });
        if known && !told_both && !another_no(life, record, write.at) {
            wrong.push(format!(
                "record {record} was told at {} what it said: {}",
                happened.at,
                String::from_utf8_lossy(&write.body)
            ));
        }
    }
}

/// Whether there was another no than the one that was told before: somebody else's, with a number that the record came to have, or
/// one after the first had been taken back here. The CRM may have taken that one back as well.
fn another_no(life: &Life, record: u64, at: Timestamp) -> bool {
    let taken_back = life
        .truth
        .objections
        .iter()
        .any(|no| no.until.is_some_and(|until| until <= at) && life.truth.means(no, record) > Holds::No);
    let of_another = |no: &Objection| no.record != record && life.truth.means(no, record) > Holds::No;
    taken_back || (life.truth.renumbered.contains(&record) && life.truth.objections.iter().any(of_another))
}

fn died_between(life: &Life, from: Timestamp, to: Timestamp) -> bool {
    life.truth.deaths.iter().any(|death| from <= *death && *death <= to)
}

/// An activity stands at the record whose contact was called on `leads`, with what was written beside such a call.
fn activities_are_where_they_belong(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let rows: BTreeMap<i64, i64> =
        past.rows.iter().flat_map(|(contact, rows)| rows.iter().map(|(_, row)| (*row, *contact))).collect();
    for activity in life.world.crm.activities() {
        let subject = activity.fields.get("subject").and_then(Value::as_str).unwrap_or_default();
        let contact = call_of(subject).and_then(|call| rows.get(&call));
        let of = contact.and_then(|contact| record_of(past.keys.get(contact)?));
        if of != Some(("leads", activity.record)) {
            wrong.push(format!("{subject:?} stands at record {}, not at {of:?}", activity.record));
        }
        let Some(note) = activity.fields.get("body").and_then(Value::as_str).filter(|note| !note.is_empty())
        else {
            continue;
        };
        let agents = agents_wrote(past, activity.record).any(|(_, text)| note.contains(text.as_str()));
        if !agents && !note.contains("rang ") {
            wrong.push(format!("{subject:?} of record {} has the note {note:?}", activity.record));
        }
    }
}

fn call_of(subject: &str) -> Option<i64> {
    subject.strip_prefix("call ")?.split_once(": ")?.0.parse().ok()
}

/// What was answered as written is not written again unless there is something new.
fn no_call_is_told_twice(life: &Life, writes: &[&Asked], wrong: &mut Vec<String>) {
    let mut last: BTreeMap<i64, (Map<String, Value>, &Asked)> = BTreeMap::new();
    for write in writes.iter().filter(|write| write.kind.name.starts_with("activity")) {
        let mut fields = fields_of(write);
        fields.retain(|name, _| matches!(name.as_str(), "subject" | "body"));
        let Some(call) = fields.get("subject").and_then(Value::as_str).and_then(call_of) else { continue };
        let before = last.insert(call, (fields.clone(), write));
        let again = before.filter(|(said, first)| {
            *said == fields && done(first) && !died_between(life, first.at, write.at)
        });
        if let Some((_, first)) = again {
            wrong.push(format!("call {call} was told at {} and {}: {fields:?}", first.at, write.at));
        }
    }
}

/// What agents wrote into the free text is not written over by us, unless the route has it told to the CRM.
fn free_text_stays(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    for happened in life.world.dialler.journal().effects() {
        let deed = happened.effect;
        let ours = deed.actor == Actor::Client
            && matches!(&deed.what, What::Updated { fields } if fields.contains(&"Comment"));
        match life.ways.comment {
            _ if !ours => {}
            Comment::TwoWay => {}
            Comment::Unmapped | Comment::Dialler => {
                wrong.push(format!(
                    "the free text of contact {} was changed at {}",
                    deed.contact, happened.at
                ));
            }
            Comment::Append => {
                let body =
                    happened.request.and_then(|seq| past.asked(seq)).map(Asked::json).unwrap_or_default();
                let sent = body["Comment"].as_str().unwrap_or_default();
                let at =
                    happened.request.and_then(|seq| past.asked(seq)).map_or(happened.at, |asked| asked.at);
                let mut written = past.comments.get(&deed.contact).into_iter().flatten();
                // Nobody can see what is written between the look and the update.
                let last = written.rfind(|(wrote, _)| *wrote <= happened.at);
                let seen = last.filter(|(wrote, _)| *wrote < at - chrono::TimeDelta::minutes(3));
                if let Some((wrote, text)) = seen.filter(|(_, text)| !sent.contains(text.as_str())) {
                    wrong.push(format!(
                        "contact {}: {text:?} of {wrote} was written over with {sent:?} at {}",
                        deed.contact, happened.at
                    ));
                }
            }
        }
    }
}
