//! The judge of the kill tests: everything by the simulators' own journals, the ledger only for its calls.

use super::house::{CAMPAIGN, House};
use dialbridge::domain::Timestamp;
use dialbridge::sim::dialler::What;
use dialbridge::sim::journal::Asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The config's `settle_after`.
pub const QUIET: Duration = Duration::from_secs(2);

/// One process that was killed.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    pub began: Timestamp,
    pub died: Timestamp,
}

/// What was seen right after the kills.
#[derive(Debug, Default)]
pub struct Deaths {
    all: Vec<Death>,
    /// Operations whose request was on its way when their process died, by number: each counts once.
    uncertain: BTreeSet<i64>,
}

impl Deaths {
    /// Notes a death and looks which requests it left in doubt: operations that the ledger has as being
    /// sent and whose request the dialler has seen from this process. What was only leased is none.
    pub async fn note(&mut self, house: &House, began: Timestamp) {
        let death = self.note_time(house, began);
        if !house.ledger().exists() {
            return;
        }
        let ran = house.run(&["ledger", "operations", "--json", "--limit", "100000"]).await.expect(0);
        let sent: BTreeSet<String> = house
            .dialler
            .journal()
            .requests_where(|asked| asked.kind.write && asked.at >= death.began)
            .iter()
            .map(target)
            .collect();
        for row in ran.json() {
            let key = match row["kind"].as_str() {
                Some("import") => row["user_data"].as_str().map(|key| format!("import {key}")),
                Some(kind) => row["contact"].as_i64().map(|id| format!("{kind} {id}")),
                None => None,
            };
            if row["state"] == "sending" && key.is_some_and(|key| sent.contains(&key)) {
                self.uncertain.insert(row["id"].as_i64().expect("a number"));
            }
        }
    }

    /// A verb that must end at this point; nothing of its own was under way then.
    pub async fn at(&mut self, house: &House, args: &[&str], point: &str) {
        let began = house.now();
        assert!(house.crash(args, point).await, "{point} was not met by {args:?}");
        self.note_time(house, began);
    }

    /// Notes a death that left nothing in doubt.
    pub fn note_time(&mut self, house: &House, began: Timestamp) -> Death {
        let death = Death { began, died: house.now() };
        self.all.push(death);
        death
    }

    /// How many operations really were in doubt.
    pub fn uncertain(&self) -> usize {
        self.uncertain.len()
    }

    /// How many processes were killed.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether a process died between two instants.
    fn between(&self, from: Timestamp, until: Timestamp) -> bool {
        self.all.iter().any(|death| from <= death.died && death.died <= until)
    }
}

/// What a write is about: `import UserData`, `update ID`, `lock ID`.
fn target(asked: &Asked) -> String {
    let what = match asked.kind.name {
        "import" => asked.json()["UserData"].as_str().unwrap_or_default().to_owned(),
        "update" => asked.json()["ID"].to_string(),
        _ => asked.path.split('/').rev().nth(1).unwrap_or_default().to_owned(),
    };
    format!("{} {what}", asked.kind.name)
}

/// Everything that must hold when all has become quiet.
pub async fn judge(house: &House, deaths: &Deaths) {
    nobody_is_doubled(house);
    nothing_that_was_there_is_imported(house);
    nothing_in_doubt_is_sent_unasked(house, deaths);
    every_record_has_arrived(house);
    every_call_stands_in_the_ledger_once(house).await;
    // Whatever a death cut off, the trail goes on where it was.
    house.run(&["ledger", "verify"]).await.expect(0).says("The trail is unbroken");
}

fn nobody_is_doubled(house: &House) {
    assert!(house.dialler.doubled().is_empty(), "doubled: {:?}", house.dialler.doubled());
    let twice: Vec<_> = house.dialler.journal().creations().into_iter().filter(|(_, n)| *n > 1).collect();
    assert!(twice.is_empty(), "made more than once: {twice:?}");
}

/// No import arrived for a UserData that a contact had when it arrived.
fn nothing_that_was_there_is_imported(house: &House) {
    let mut made = BTreeMap::new();
    for happened in house.dialler.journal().effects() {
        if let (What::Created { .. }, Some(key)) = (happened.effect.what, happened.effect.user_data) {
            made.insert(key.to_string(), happened.seq);
        }
    }
    for import in house.dialler.journal().requests_of("import") {
        let body = import.json();
        let key = body["UserData"].as_str().expect("a UserData");
        let there = made.get(key).is_some_and(|made| *made < import.seq);
        assert!(!there, "{key} was imported at {} though it was there", import.at);
    }
}

/// A write that went out a second time after a death was asked about in between, and not before the quiet
/// time was over. Locks are the exception: they are repeated blindly. All edits of the tests carry values
/// of their own, so the same body to the same contact is always the same wish sent again.
fn nothing_in_doubt_is_sent_unasked(house: &House, deaths: &Deaths) {
    let requests = house.dialler.journal().requests();
    let mut last: BTreeMap<(String, Vec<u8>), &Asked> = BTreeMap::new();
    for write in requests.iter().filter(|asked| asked.kind.write && asked.kind.name != "lock") {
        let Some(first) = last.insert((target(write), write.body.to_vec()), write) else { continue };
        let what = target(write);
        assert!(
            deaths.between(first.at, write.at),
            "{what} was sent at {} and {} and nobody died in between",
            first.at,
            write.at
        );
        let rested = first.at + QUIET;
        let asked = requests.iter().any(|read| {
            rested <= read.at && first.seq < read.seq && read.seq < write.seq && asks_about(read, write)
        });
        assert!(
            asked,
            "{what} was sent at {} and again at {}, not asked about after {rested}; {:#?}",
            first.at,
            write.at,
            requests
                .iter()
                .filter(|read| first.seq <= read.seq && read.seq <= write.seq && asks_about(read, write))
                .map(|read| (read.at, read.kind.name))
                .collect::<Vec<_>>()
        );
    }
}

/// Whether a read says what became of a write: by UserData for an import, by number for all others.
fn asks_about(read: &Asked, write: &Asked) -> bool {
    match (read.kind.name, write.kind.name) {
        ("by_user_data", "import") => read.param("userData") == write.json()["UserData"].as_str(),
        ("contact", "update") => read.path.rsplit('/').next() == Some(&write.json()["ID"].to_string()),
        ("contact", _) => read.path.rsplit('/').next() == write.path.split('/').rev().nth(1),
        _ => false,
    }
}

/// Every eligible record has its contact with its values and can be called; everybody else cannot.
fn every_record_has_arrived(house: &House) {
    let editor = house.crm.editor();
    let mut lost = Vec::new();
    for id in editor.ids() {
        let found = house.dialler.contacts_with(&format!("leads-{id}"));
        let field = |name: &str| editor.field(id, name).unwrap_or_default();
        let eligible = field("x_gone") != json!(true);
        let Some(contact) = found.first() else {
            if eligible {
                lost.push(format!("record {id} has no contact"));
            }
            continue;
        };
        if contact.locked == eligible {
            lost.push(format!("record {id}: locked {}, eligible {eligible}", contact.locked));
        }
        if !eligible {
            continue;
        }
        for (dialler, crm) in [("Name", "name"), ("Email", "email"), ("City", "city"), ("PostalCode", "zip")]
        {
            if contact.get(dialler) != field(crm) {
                lost.push(format!("record {id} {dialler}: {} is not {}", contact.get(dialler), field(crm)));
            }
        }
        let digits = |v: &Value| v.as_str().unwrap_or_default().replace(|c: char| !c.is_ascii_digit(), "");
        if digits(&contact.get("PhoneNumber1")) != digits(&field("phone")) {
            lost.push(format!("record {id}: another number"));
        }
    }
    assert!(lost.is_empty(), "{} lost: {lost:#?}", lost.len());
}

async fn every_call_stands_in_the_ledger_once(house: &House) {
    let ran = house.run(&["ledger", "calls", "--json", "--limit", "100000"]).await.expect(0);
    let stored: Vec<i64> = ran.json().iter().map(|call| call["call"].as_i64().expect("a number")).collect();
    let once: BTreeSet<i64> = stored.iter().copied().collect();
    assert_eq!(stored.len(), once.len(), "calls are doubled");
    let made: BTreeSet<i64> = house.dialler.read(|state| {
        let ours = state.contacts().filter(|contact| contact.campaign == CAMPAIGN.0);
        ours.flat_map(|contact| state.rows(contact.id).iter().map(|row| row.id)).collect()
    });
    assert_eq!(once, made, "the ledger's calls are not the dialler's");
    assert!(!made.is_empty(), "nobody was called");
}
