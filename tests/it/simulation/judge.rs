//! Whether the promises held: by the simulators' journals and by what the simulation did on purpose.

use super::by_hand::whoever_is_locked_by_hand_stays_so;
use super::doors::{hear, holds_are_what_was_said};
use super::ended::nobody_is_brought_back;
use super::freezing::nothing_is_written_in_a_freeze;
use super::leaving::{
    Leaving, calls_of_the_deleted_are_known, is_an_end, marks_are_where_they_belong,
    whoever_is_gone_cannot_be_called,
};
use super::life::Life;
use super::overwritten::whoever_is_overwritten_is_locked_again;
use super::paces::both_sides_are_read;
use super::past::{Past, answered_at, done, in_doubt};
use super::said_no::{doubts_have_a_reason, nobody_is_called_who_said_no};
use super::setup::Comment;
use super::strangers::no_stranger_is_called_who_said_no;
use super::told::every_call_is_told_once;
use super::truth::{Door, Holds, Objection};
use super::written::{crm_story, only_what_is_ours_is_written};
use crate::support::world::{CAMPAIGN, OTHER, key};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::ledger::{CallFilter, LeftOut, Listing};
use dialbridge::sim::dialler::{Actor, SimContact, SimRow, What};
use dialbridge::sim::journal::Asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::sync::Arc;

/// What a run has tested at all.
#[derive(Debug, Default)]
pub struct Seen {
    pub in_doubt: u64,
    pub objections: u64,
    pub dials: u64,
    pub locks_judged: u64,
    /// Those of them that are of another record than whoever said no, with the same number.
    pub shared_judged: u64,
    pub calls: u64,
    pub deaths: u64,
    /// What agents changed and the CRM was told of.
    pub edits_told: u64,
    /// Contacts of records that are gone from the CRM.
    pub records_gone: u64,
    /// Contacts that we deleted.
    pub deleted: u64,
    /// Objections that a result of a call was.
    pub said_in_calls: u64,
    /// Who was held out of another route in the end.
    pub held_out: u64,
    /// Free texts of agents that the CRM was told of.
    pub comments_told: u64,
    /// Objections that a line of a list was.
    pub listed: u64,
    /// Objections that somebody took back.
    pub lifted: u64,
    /// Noes of contacts that are nobody's.
    pub strangers: u64,
    /// Contacts of whoever said no that a portal user moved.
    pub moved: u64,
    /// Contacts of whoever said no that somebody else's CSV overwrote.
    pub overwritten: u64,
    /// Whoever can be called in the end after that.
    pub called_again: u64,
    /// Conflicts that a person decided.
    pub resolved: u64,
    /// Writes by which the CRM was told where a record stands.
    pub standings_told: u64,
    /// Reads of a whole side of which it was asked how far they lie apart.
    pub reads_judged: u64,
    /// Freezes.
    pub frozen: u64,
    /// Contacts that an operator locked.
    pub by_hand: u64,
    /// Numbers that an operator blocked for a while.
    pub for_a_while: u64,
    /// Waves that somebody let go.
    pub waves: u64,
    /// Waves that somebody put aside.
    pub rejected: u64,
    /// How often the second route left the config or came back.
    pub reconfigured: u64,
    /// Noes that a clerk took back in their field.
    pub cleared: u64,
    /// Ends of which it was asked whether anybody came back.
    pub ended: u64,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.in_doubt += other.in_doubt;
        self.objections += other.objections;
        self.dials += other.dials;
        self.locks_judged += other.locks_judged;
        self.shared_judged += other.shared_judged;
        self.calls += other.calls;
        self.deaths += other.deaths;
        self.edits_told += other.edits_told;
        self.deleted += other.deleted;
        self.records_gone += other.records_gone;
        self.said_in_calls += other.said_in_calls;
        self.held_out += other.held_out;
        self.comments_told += other.comments_told;
        self.listed += other.listed;
        self.lifted += other.lifted;
        self.strangers += other.strangers;
        self.moved += other.moved;
        self.overwritten += other.overwritten;
        self.called_again += other.called_again;
        self.resolved += other.resolved;
        self.standings_told += other.standings_told;
        self.reads_judged += other.reads_judged;
        self.frozen += other.frozen;
        self.by_hand += other.by_hand;
        self.for_a_while += other.for_a_while;
        self.waves += other.waves;
        self.rejected += other.rejected;
        self.reconfigured += other.reconfigured;
        self.cleared += other.cleared;
        self.ended += other.ended;
    }
}

/// All verdicts; panics with the story where one fails.
pub async fn judge(life: &mut Life) -> Seen {
    let mut wrong = Vec::new();
    let past = Past::of(life);
    hear(life, &past);
    perhaps_shown(life, &past);
    let life = &*life;
    nobody_is_made_twice(life, &past, &mut wrong);
    doubt_is_asked_about(&past, &mut wrong);
    nothing_is_written_that_nobody_said(life, &past, &mut wrong);
    nothing_is_said_twice(life, &past, &mut wrong);
    let judged = nobody_is_called_who_said_no(life, &past, &mut wrong);
    let strangers = no_stranger_is_called_who_said_no(life, &past, &mut wrong);
    let overwritten = whoever_is_overwritten_is_locked_again(life, &past, &mut wrong);
    let called_again = everybody_is_where_they_belong(life, &past, &mut wrong).await;
    marks_are_where_they_belong(life, &mut wrong);
    let calls = every_call_is_known(life, &past, &mut wrong).await;
    calls_of_the_deleted_are_known(life, &past, &mut wrong).await;
    nothing_is_left_open(life, &mut wrong).await;
    every_call_is_told_once(life, &past, &mut wrong).await;
    only_what_is_ours_is_written(life, &past, &mut wrong);
    let records_gone = whoever_is_gone_cannot_be_called(life, &mut wrong);
    let reads_judged = both_sides_are_read(life, &past, &mut wrong);
    let frozen = nothing_is_written_in_a_freeze(life, &past, &mut wrong);
    let by_hand = whoever_is_locked_by_hand_stays_so(life, &past, &mut wrong);
    let ended = nobody_is_brought_back(life, &past, &mut wrong);
    doubts_have_a_reason(life, &mut wrong);
    // A result that only the audit finds is news for one more run, and for none after that.
    life.one_more_run().await;
    let written = life.world.writes_of(life.one_more_run()).await;
    wrong.extend(written.iter().map(|what| format!("written with nothing changed: {what}")));
    let checked = life.world.ledger().check_all().await.expect("the ledger is looked over");
    wrong.extend(checked.into_iter().flat_map(|checked| checked.wrong));
    if !wrong.is_empty() {
        let story = life.world.story().await;
        let told = crm_story(life);
        panic!("{}\n{story}\n{told}\n{:#?}\n{}", wrong.join("\n"), life.truth, wrong.join("\n"));
    }
    let by_result = |objection: &&Objection| matches!(objection.door, Door::Result { .. });
    let said_in_calls = life.truth.objections.iter().filter(by_result).count();
    Seen {
        in_doubt: past.writes.iter().filter(|asked| in_doubt(asked)).count() as u64,
        objections: life.truth.objections.len() as u64,
        dials: life.world.dialler.journal().dials().len() as u64,
        locks_judged: judged.contacts,
        shared_judged: judged.of_another,
        moved: judged.moved,
        strangers,
        records_gone,
        reads_judged,
        frozen,
        by_hand,
        for_a_while: life.truth.for_a_while,
        waves: life.truth.waves,
        rejected: life.truth.waves_rejected,
        reconfigured: life.truth.reconfigured,
        cleared: life.truth.cleared.len() as u64,
        ended,
        calls,
        deaths: life.truth.deaths.len() as u64,
        edits_told: told(life, "city"),
        comments_told: told(life, "comment"),
        said_in_calls: said_in_calls as u64,
        listed: life.truth.objections.iter().filter(|objection| objection.door == Door::List).count() as u64,
        lifted: life.truth.lifted,
        overwritten,
        called_again,
        resolved: life.truth.resolved,
        standings_told: told(life, "standing"),
        held_out: life.held_out().await.len() as u64,
        deleted: past.gone.values().filter(|(_, actor)| *actor == Actor::Client).count() as u64,
    }
}

/// How often the CRM was told of a field's value.
fn told(life: &Life, field: &str) -> u64 {
    let requests = life.world.crm.journal.requests();
    let names = |body: &Value| body.get(field).or_else(|| body.get("fields")?.get(field)).is_some();
    requests.iter().filter(|asked| asked.kind.write && names(&asked.json())).count() as u64
}

/// What a write is about: a key for imports, a contact's number else.
pub fn target(asked: &Asked) -> String {
    match asked.kind.name {
        "import" => asked.json()["UserData"].as_str().unwrap_or_default().to_owned(),
        "update" => asked.json()["ID"].to_string(),
        _ => asked.path.split('/').rev().nth(1).unwrap_or_default().to_owned(),
    }
}

fn nobody_is_made_twice(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let mut made: BTreeMap<&str, Vec<(Timestamp, i64)>> = BTreeMap::new();
    for (contact, (at, _, actor)) in &past.made {
        if *actor == Actor::Client {
            let key = past.keys.get(contact).map_or("", String::as_str);
            made.entry(key).or_default().push((*at, *contact));
        }
    }
    for (key, mut made) in made {
        made.sort();
        for pair in made.windows(2) {
            // One that we deleted ourselves may come back; there are never two.
            let first_gone = past.gone.get(&pair[0].1).filter(|(_, actor)| *actor == Actor::Client);
            let doubled = first_gone.is_none_or(|(gone, _)| *gone > pair[1].0);
            // Whoever deletes a contact whose import is still in doubt lets it be made again: nobody knew of it.
            if doubled && !life.truth.portal_keys.contains(key) {
                wrong.push(format!("{key} was made again by us: {pair:?}, {first_gone:?}"));
            }
        }
    }
    for import in past.writes.iter().filter(|asked| asked.kind.name == "import") {
        let effects = past.did.get(&import.seq).map_or(&[][..], Vec::as_slice);
        let overwrote = effects.iter().any(|what| !matches!(what, What::Created { .. }));
        if overwrote {
            wrong.push(format!(
                "{} was imported at {} over one that was there: {effects:?}",
                target(import),
                import.at
            ));
        }
    }
}

/// An import in doubt came again only after the quiet time and a question.
fn doubt_is_asked_about(past: &Past, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<String, &Asked> = BTreeMap::new();
    for import in past.writes.iter().filter(|asked| asked.kind.name == "import") {
        let Some(first) = last.insert(target(import), import) else { continue };
        if !in_doubt(first) {
            continue;
        }
        let asked = past.requests.iter().any(|read| {
            first.seq < read.seq
                && read.seq < import.seq
                && !read.kind.write
                && read.at >= first.at + TimeDelta::seconds(59)
        });
        if !asked {
            wrong.push(format!(
                "{} was sent again at {} and {} unasked",
                target(import),
                first.at,
                import.at
            ));
        }
    }
}

/// The CRM's field behind a dialler's field of route `leads`.
const FIELDS: &[(&str, &str)] = &[
    ("Name", "name"),
    ("PhoneNumber1", "phone"),
    ("Email", "email"),
    ("City", "city"),
    ("PostalCode", "zip"),
];

/// As both sides would write it: digits of a number, null for what is empty.
fn plain(field: &str, value: &Value) -> Value {
    match value {
        Value::Bool(false) | Value::Null => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(text) if field == "PhoneNumber1" => {
            json!(text.chars().filter(char::is_ascii_digit).collect::<String>())
        }
        other => other.clone(),
    }
}

pub fn record_of(key: &str) -> Option<(&str, u64)> {
    let (route, id) = key.split_once('-')?;
    Some((route, id.parse().ok()?))
}

/// A no that was corrected before a history could tell of it may have been heard by a list, and then it stands.
fn perhaps_shown(life: &mut Life, past: &Past) {
    for (contact, recorded) in &past.recorded {
        let Some((_, record)) = past.keys.get(contact).and_then(|key| record_of(key)) else { continue };
        let shown = recorded.iter().enumerate().any(|(place, (at, row, result))| {
            let corrected = recorded[place + 1..].iter().find(|(_, of, _)| of == row);
            result == "DO_NOT_CALL"
                && corrected.is_some_and(|(until, ..)| {
                    past.history_read(*contact, *at, Some(*until)).is_none()
                        && past.requests.iter().any(|asked| {
                            asked.kind.name == "list"
                                && asked.at < *until
                                && answered_at(asked).is_none_or(|answered| answered >= *at)
                        })
                })
        });
        if shown {
            life.truth.unclear.insert(record);
        }
    }
}

/// Every value that was sent is one that the record had in the CRM.
fn nothing_is_written_that_nobody_said(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    for write in &past.writes {
        let body = write.json();
        let key = match write.kind.name {
            "import" => body["UserData"].as_str().map(str::to_owned),
            "update" => body["ID"].as_i64().and_then(|id| past.keys.get(&id).cloned()),
            _ => continue,
        };
        let Some((_, record)) = key.as_deref().and_then(record_of) else {
            wrong.push(format!("a write for nobody of ours: {body}"));
            continue;
        };
        for (field, crm) in FIELDS {
            let Some(sent) = body.get(field) else { continue };
            let said = life.truth.values.get(&(record, crm)).map_or(&[][..], Vec::as_slice);
            if !said.iter().any(|value| plain(field, value) == plain(field, sent)) {
                wrong.push(format!("{field} {sent} was sent for record {record}, which never had it"));
            }
        }
    }
}

/// What was answered as done is not said again while nobody said otherwise.
fn nothing_is_said_twice(life: &Life, past: &Past, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<(String, String), (Value, &Asked)> = BTreeMap::new();
    for update in past.writes.iter().filter(|asked| asked.kind.name == "update") {
        let body = update.json();
        for (field, value) in body.as_object().into_iter().flatten().filter(|(field, _)| *field != "ID") {
            let before = last.insert((target(update), field.clone()), (value.clone(), update));
            let Some((said, first)) = before else { continue };
            let died = life.truth.deaths.iter().any(|death| first.at <= *death && *death <= update.at);
            // An agent may have changed it meanwhile, and a clerk back.
            let edited = field == "City"
                && body["ID"].as_i64().is_some_and(|id| life.truth.portal_wrote.contains_key(&(id, "City")));
            // What agents write into the free text stands around our part of it.
            let told = said == *value && done(first) && !died && field != "Comment";
            if told && !(edited && life.two_way_city()) {
                wrong.push(format!(
                    "{field} {value} of {} was sent at {} and {}",
                    target(update),
                    first.at,
                    update.at
                ));
            }
        }
    }
}

/// Who may be called can be, with the CRM's values; who may not cannot. Answers how many can be whose no was taken back.
async fn everybody_is_where_they_belong(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let mut called_again = 0;
    let conflicts = life.world.ledger().conflicts_list(None, 10_000).await.expect("a list");
    let asked: BTreeSet<String> = conflicts.into_iter().map(|conflict| conflict.record).collect();
    // Whose last call on one route means nothing to anybody is held out of the other.
    let held_out: BTreeSet<(Option<String>, Option<String>)> =
        life.held_out().await.into_iter().map(|item| (item.route, item.record)).collect();
    holds_are_what_was_said(life, past, &held_out, wrong);
    let editor = life.world.editor();
    // Only the batch read says which results are final; without it every one may be.
    let batches = life.world.dialler.journal().requests_of("batch");
    // A page of somebody else's with status 200 tells nothing.
    let told = batches.iter().any(done);
    for id in editor.ids() {
        // A number that was changed before the no was read is not the one that is blocked.
        let blocked = match life.truth.objected(id) {
            Holds::Yes => true,
            Holds::No => false,
            Holds::Perhaps => continue,
        };
        let eligible = editor.active(id) && !blocked;
        for route in ["leads", "winback"] {
            let key = format!("{route}-{id}");
            let found = life.world.dialler.contacts_with(&key);
            let touched = life.truth.portal_keys.contains(&key)
                || found.iter().any(|contact| life.truth.meddled_with(&contact.id));
            if touched || (route == "winback" && !winback(life)) {
                continue;
            }
            let open = found.iter().filter(|contact| !contact.locked).count();
            let kept = route == "leads" && life.leaving == Leaving::Kept && !blocked;
            if !eligible && open > 0 && !kept {
                wrong.push(format!("{key} can be called, blocked {blocked}"));
            }
            // What a person put aside stays as it is.
            if !eligible || life.truth.rejected.contains(&id) {
                continue;
            }
            let final_result = found.iter().any(|contact| {
                called_to_an_end(life, contact) || (!told && contact.dialling.result.is_some())
            });
            let another_ended = ended_by_another(life, past, (id, route), &found, told);
            let final_result = final_result || another_ended;
            if held_out.contains(&(Some(route.to_owned()), Some(id.to_string()))) {
                continue;
            }
            // Whom we deleted does not come back with a final result, and nobody comes who was called to an end as another.
            let gone =
                found.is_empty() && (another_ended || (route == "leads" && past.was_final(&key, told)));
            if !gone && (found.len() != 1 || (open != 1 && !final_result)) {
                let world = &life.world;
                let told = dialbridge::cli::contact_told(&world.settings, world.ledger(), key.clone()).await;
                let told = told.unwrap_or_else(|error| error.to_string());
                let left_out = left_out(life, id).await;
                wrong.push(format!("{key} cannot be called: {found:?}\n{told}\n{left_out}"));
            }
            called_again += u64::from(open == 1 && life.truth.was_taken_back(id));
            if route == "leads" {
                let new = if life.leaving == Leaving::Moves { OTHER } else { CAMPAIGN };
                for contact in &found {
                    if contact.campaign != new && !final_result {
                        wrong.push(format!("{key} is in campaign {}: {found:?}", contact.campaign));
                    }
                    // A number on which another was called to an end is not brought, and nothing with it.
                    let phone = editor.field(id, "phone").unwrap_or_default();
                    let has = contact.get("PhoneNumber1");
                    let other_number = plain("PhoneNumber1", &has) != plain("PhoneNumber1", &phone);
                    if !(another_ended && contact.locked && other_number) {
                        fields_agree(life, id, contact, &asked, wrong);
                    }
                    standing_is_told(life, id, contact, wrong);
                }
            }
        }
    }
    called_again
}

/// Why a record is left out, by our ledger: for a message.
async fn left_out(life: &Life, id: u64) -> String {
    let mut found = Vec::new();
    for state in [LeftOut::Skipped, LeftOut::Parked] {
        let listed = life.world.ledger().left_out_list(state, None, Listing::All, 10_000).await;
        let of_it = listed.expect("a list").into_iter();
        found.extend(of_it.filter(|item| item.record.as_deref() == Some(id.to_string().as_str())));
    }
    found
        .iter()
        .map(|item| format!("{} {}: {}", item.since, item.route.as_deref().unwrap_or("?"), item.text))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether its result is final, or its newest call's is: where results overlap, the last that was recorded may be an
/// older call's.
fn called_to_an_end(life: &Life, contact: &SimContact) -> bool {
    let rows = life.world.dialler.history(contact.id);
    let began = |row: &&SimRow| (row.call.as_ref().map_or(row.created, |call| call.start), row.id);
    let newest = rows.iter().filter(|row| row.result.is_some()).max_by_key(began);
    contact.is_final() || newest.and_then(|row| row.result_type).is_some_and(|kind| kind.is_final())
}

/// Whether a call of another contact of the person ended it in a campaign of the route: somebody had moved one there, or another
/// record has the same number.
fn ended_by_another(
    life: &Life,
    past: &Past,
    (id, route): (u64, &str),
    found: &[Arc<SimContact>],
    told: bool,
) -> bool {
    let campaigns: &[i64] = match (route, life.leaving) {
        ("winback", _) => &[OTHER],
        (_, Leaving::Moves) => &[CAMPAIGN, OTHER],
        _ => &[CAMPAIGN],
    };
    let persons = life.truth.sharing(id);
    let its_only_one = |contact: i64| matches!(found, [one] if one.id == contact);
    let mut others = past.keys.iter().filter(|(contact, key)| {
        !its_only_one(**contact) && record_of(key).is_some_and(|(_, record)| persons.contains(&record))
    });
    others.any(|(contact, _)| {
        let ends = |row: &SimRow| {
            campaigns.contains(&row.campaign) && row.result_type.is_some_and(|kind| kind.is_final() || !told)
        };
        let ended = |(_, _, result): &(Timestamp, i64, String)| is_an_end(result, told);
        // Whoever is gone took the rows along.
        let recorded = || past.recorded.get(contact).into_iter().flatten();
        life.world.dialler.history(*contact).iter().any(ends)
            || (past.gone.contains_key(contact) && recorded().any(ended))
    })
}

fn winback(life: &Life) -> bool {
    life.world.settings.routes.len() > 1
}

fn fields_agree(
    life: &Life,
    id: u64,
    contact: &SimContact,
    asked: &BTreeSet<String>,
    wrong: &mut Vec<String>,
) {
    let free_text = (life.ways.comment == Comment::TwoWay).then_some(&("Comment", "comment"));
    for (field, crm) in FIELDS.iter().chain(free_text) {
        let said = life.world.editor().field(id, crm).unwrap_or_default();
        let has = plain(field, &contact.get(field));
        let portal = life.truth.portal_wrote.get(&(contact.id, *field)).map_or(&[][..], Vec::as_slice);
        // What both sides may change is the same on both, or a person is asked.
        let two_way = (*field == "City" && life.two_way_city()) || *field == "Comment";
        let may_differ = if two_way { asked.contains(&id.to_string()) } else { portal.contains(&has) };
        if has != plain(field, &said) && !may_differ {
            wrong.push(format!("{} {field}: {has}, in the CRM {said}", key(id)));
        }
    }
}

/// The CRM says of who may be called that they may, and of nobody else.
fn standing_is_told(life: &Life, id: u64, contact: &SimContact, wrong: &mut Vec<String>) {
    let told = life.world.editor().field(id, "standing").unwrap_or_default();
    if life.ways.status && (told == json!("callable")) == contact.locked {
        wrong.push(format!("record {id} is told to be {told}, its contact is locked: {}", contact.locked));
    }
}

/// Every history row that could be read for a while stands in the ledger, with its result.
async fn every_call_is_known(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let known: BTreeMap<i64, Option<i64>> = life
        .world
        .ledger()
        .calls_list(CallFilter::default(), 100_000)
        .await
        .expect("calls")
        .into_iter()
        .map(|call| (call.call.0, call.result_code))
        .collect();
    let both = winback(life) || life.leaving == Leaving::Moves;
    let swept: BTreeSet<i64> = if both { [CAMPAIGN, OTHER].into() } else { [CAMPAIGN].into() };
    let rows: Vec<(i64, i64, Option<i64>)> = life.world.dialler.read(|state| {
        let ours = state.contacts().filter(|contact| {
            // What somebody else put into a campaign that the route has left is not looked for there.
            let left = life.leaving == Leaving::Moves && contact.campaign == CAMPAIGN;
            let theirs = past.made.get(&contact.id).is_some_and(|(_, _, actor)| *actor == Actor::Portal);
            swept.contains(&contact.campaign)
                && !(left && theirs)
                && contact.user_data.as_deref().and_then(record_of).is_some()
        });
        ours.flat_map(|contact| state.rows(contact.id).iter().map(|row| (contact.id, row.id, row.result)))
            .collect()
    });
    // The audit's round takes an hour; a result that is younger may still be on its way.
    let settled = life.world.now() - TimeDelta::hours(2);
    for (contact, row, result) in &rows {
        let recorded = past.results.get(row);
        // Not in what was read of the journal: recorded while this was being judged.
        let young = recorded.is_none_or(|at| *at > settled);
        match known.get(row) {
            None => wrong.push(format!("call {row} of contact {contact} is not in the ledger")),
            Some(stored) if stored != result && !young => {
                wrong.push(format!(
                    "call {row} of contact {contact} has result {result:?} since {recorded:?}, in the ledger {stored:?}"
                ));
            }
            Some(_) => {}
        }
    }
    rows.len() as u64
}

/// No operation waits or is in doubt.
async fn nothing_is_left_open(life: &Life, wrong: &mut Vec<String>) {
    let open = life.world.ledger().operations_list(None, true, 1000).await.expect("operations");
    // What is parked waits for a person; everything else must have come to its end.
    for operation in open.into_iter().filter(|operation| operation.state != "parked") {
        wrong.push(format!("left open: {}", json!(operation)));
    }
}
