//! What is said in calls: the no that blocks somebody for good, and results that keep people out of another route.

use super::judge::record_of;
use super::life::Life;
use super::past::{Past, answered_at, done};
use super::truth::{Door, Objection};
use super::written::fields_of;
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::crm::Effect;
use dialbridge::sim::dialler::SimRow;
use dialbridge::sim::journal::Asked;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The result by which somebody says no for good.
pub const NO: &str = "DO_NOT_CALL";

impl Past {
    /// When a contact's history was first read after an instant: by an answer that left before `until`.
    pub fn history_read(
        &self,
        contact: i64,
        after: Timestamp,
        until: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let reads = self.reads_of(contact).filter(|asked| asked.at >= after && done(asked));
        reads.filter_map(answered_at).find(|at| until.is_none_or(|until| *at < until))
    }

    /// Whether it is open what a read of a contact's history showed of what stood from `after` to `until`.
    fn perhaps_read(&self, contact: i64, after: Timestamp, until: Option<Timestamp>) -> bool {
        self.reads_of(contact).any(|asked| {
            until.is_none_or(|until| asked.at < until) && answered_at(asked).is_none_or(|at| at >= after)
        })
    }
}

/// Notes as objections the results that said no and could be read, and whoever's cannot be judged.
pub fn hear(life: &mut Life, past: &Past) {
    told_there(life);
    if !life.ways.hears {
        return;
    }
    // What was read in the last moment need not have been acted on.
    let lately = life.world.now() - TimeDelta::minutes(3);
    for (contact, recorded) in &past.recorded {
        let Some((_, record)) = past.keys.get(contact).and_then(|key| record_of(key)) else { continue };
        for (place, (at, row, _)) in recorded.iter().enumerate().filter(|(_, (.., result))| result == NO) {
            let corrected = recorded[place + 1..].iter().find(|(_, of, _)| of == row);
            let until = corrected.map(|(at, ..)| *at);
            let said = Door::Result { contact: *contact, until };
            match past.history_read(*contact, *at, until) {
                Some(read) if read < lately => {
                    let number = life.truth.number(record);
                    life.truth.objections.push(Objection {
                        record,
                        number,
                        at: *at,
                        door: said,
                        until: None,
                    });
                }
                Some(_) => drop(life.truth.unclear.insert(record)),
                None if past.perhaps_read(*contact, *at, until) => {
                    life.truth.unclear.insert(record);
                }
                None => {}
            }
        }
    }
}

/// What we told the CRM is read there like a clerk's no.
fn told_there(life: &mut Life) {
    let requests = life.world.crm.journal.requests();
    let says_no =
        |asked: &&Asked| asked.kind.write && fields_of(asked).get("do_not_call") == Some(&json!(true));
    let told: BTreeSet<u64> = requests.iter().filter(says_no).map(|asked| asked.seq).collect();
    let mut known: BTreeMap<u64, Option<Timestamp>> = BTreeMap::new();
    for happened in life.world.crm.journal.effects() {
        let (Effect::Edited(record), Some(request)) = (happened.effect, happened.request) else { continue };
        // Until a clerk takes it back it is one no, however often it is said.
        let stands = known.get(&record).is_some_and(|until| until.is_none_or(|until| happened.at < until));
        if told.contains(&request) && !stands {
            let mut cleared = life.truth.cleared.iter().filter(|(of, at)| *of == record && *at > happened.at);
            let until = cleared.next().map(|(_, at)| *at);
            known.insert(record, until);
            let number = life.truth.number(record);
            let no = Objection { record, number, at: happened.at, door: Door::Told, until };
            life.truth.objections.push(no);
        }
    }
}

/// Who is held out of the other route was called on `leads`; and who was called to such an end there is held out of it.
pub fn holds_are_what_was_said(
    life: &Life,
    past: &Past,
    held: &BTreeSet<(Option<String>, Option<String>)>,
    wrong: &mut Vec<String>,
) {
    for (route, record) in held {
        let (route, record) = (route.as_deref().unwrap_or_default(), record.as_deref().unwrap_or_default());
        // By their record or by a number of it.
        let persons = record.parse().map(|record| life.truth.sharing(record)).unwrap_or_default();
        let of_leads = |key: &str| {
            record_of(key).is_some_and(|(route, record)| route == "leads" && persons.contains(&record))
        };
        let mut theirs = past.keys.iter().filter(|(_, key)| of_leads(key)).map(|(contact, _)| contact);
        let called = theirs.any(|contact| past.recorded.contains_key(contact));
        if route != "winback" || !called {
            wrong.push(format!("record {record} is held out of {route} by no call of the other route"));
        }
    }
    if life.world.settings.routes.len() < 2 {
        return;
    }
    for id in life.world.editor().ids() {
        if let Some(row) = holding_row(life, past, id) {
            let contacts = life.world.dialler.contacts_with(&format!("winback-{id}"));
            if contacts.iter().any(|contact| !contact.locked) {
                wrong.push(format!("record {id} can be called on winback after call {row} on leads"));
            }
        }
    }
}

/// The call on `leads` that keeps a record out of the other route, where that is sure.
fn holding_row(life: &Life, past: &Past, id: u64) -> Option<i64> {
    let key = format!("leads-{id}");
    let truth = &life.truth;
    let touched = truth.portal_keys.contains(&key) || truth.reset_by_hand.contains(&id);
    // Without the batch read nobody knows what is an abort, and every result may be one.
    let batch = life.world.dialler.read(|state| state.config.batch_read);
    // A contact that is gone took its rows along.
    let gone = past.gone.keys().any(|contact| past.keys.get(contact) == Some(&key));
    if touched || gone {
        return None;
    }
    let contacts = life.world.dialler.contacts_with(&key);
    let rows: Vec<SimRow> =
        contacts.iter().flat_map(|contact| life.world.dialler.history(contact.id)).collect();
    let began = |row: &SimRow| (row.call.as_ref().map_or(row.created, |call| call.start), row.id);
    let newest = rows.iter().filter(|row| row.result.is_some()).max_by_key(|row| began(row))?;
    let (at, _, result) = past.recorded.values().flatten().rfind(|(_, row, _)| *row == newest.id)?;
    let abort = matches!(result.as_str(), "NO_INTEREST" | NO | "MAX_TRIES" | "NO_NUMBER");
    let holds = (life.ways.cool_off && (abort || !batch)) || (life.ways.unmapped && result == "NO_INTEREST");
    let settled = *at < life.world.now() - TimeDelta::hours(2);
    (holds && settled && !truth.released.contains(&newest.id)).then_some(newest.id)
}
