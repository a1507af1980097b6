//! What an operator says by hand of a contact, which stays locked and stays there whatever becomes of its record, and for a while of
//! a number.

use super::judge::target;
use super::life::Life;
use super::past::Past;
use super::said_no::deadline;
use super::setup::one;
use super::truth::{Door, Objection};
use chrono::TimeDelta;
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::{BlockSubject, ContactId, Timestamp};

/// A contact that was locked so.
#[derive(Debug, Clone, Copy)]
pub struct ByHand {
    pub record: u64,
    pub contact: i64,
    pub at: Timestamp,
}

impl Life {
    pub(super) async fn lock_by_hand(&mut self) {
        let id = one(&mut self.rng, &self.world.editor().ids());
        let Some(contact) = self.world.contacts(id).first().map(|contact| contact.id) else { return };
        let (act, reason) = (ContactAct::Lock, "asked us".to_owned());
        let word = Command::Contact { contact: ContactId(contact), act, reason };
        if let (End::Done, _) = self.world.command(word).await {
            self.truth.locked_by_hand.push(ByHand { record: id, contact, at: self.world.now() });
        }
    }

    /// A no with an end, which comes by itself; one without an end that an operator said of the number stands all the same.
    pub(super) async fn block_for_a_while(&mut self) {
        let record = one(&mut self.rng, &self.world.editor().ids());
        let (number, at) = (self.truth.number(record), self.world.now());
        let until = Some(at + TimeDelta::seconds(self.rng.i64(60..7_200)));
        let word = Command::BlockAdd {
            client: "default".to_owned(),
            subjects: vec![BlockSubject::Number(number.clone())],
            reason: "on holiday".to_owned(),
            source: "operator".to_owned(),
            until,
        };
        if let (End::Done, _) = self.world.command(word).await {
            self.truth.objections.push(Objection { record, number, at, door: Door::Hand, until });
            self.truth.for_a_while += 1;
        }
    }
}

/// Nobody is dialled any more than a minute after it, nobody is deleted, and in the end each is locked; how many were judged.
pub fn whoever_is_locked_by_hand_stays_so(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let mut judged = 0;
    for by_hand in &life.truth.locked_by_hand {
        let ByHand { record, contact, at } = *by_hand;
        let Some(key) = past.keys.get(&contact) else { continue };
        if life.truth.portal_touched.contains(&contact) || life.truth.portal_keys.contains(key) {
            continue;
        }
        // As a block by an operator, but that it names the contact and asks for no number.
        let said = Objection { record, number: String::new(), at, door: Door::Hand, until: None };
        let Some(deadline) = deadline(life, past, &said, contact, key) else { continue };
        judged += 1;
        let dials = past.dials.iter().filter(|(at, dialled)| *dialled == contact && *at > deadline);
        wrong.extend(
            dials.map(|(at, _)| format!("{key} was dialled at {at}, deadline {deadline}: {by_hand:?}")),
        );
        let deletes = past.writes.iter().filter(|write| {
            write.kind.name == "delete" && target(write) == contact.to_string() && write.at > at
        });
        wrong.extend(deletes.map(|write| format!("{key} was deleted at {}: {by_hand:?}", write.at)));
        let open = life.world.dialler.contact(contact).is_some_and(|contact| !contact.locked);
        if open {
            wrong.push(format!("{key} can be called: {by_hand:?}"));
        }
    }
    judged
}
