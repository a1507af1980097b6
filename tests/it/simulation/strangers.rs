//! Contacts of somebody else in our campaign, called like everybody: a no by their number, or in a call, is one.

use super::doors::NO;
use super::life::Life;
use super::past::Past;
use super::said_no::deadline;
use super::truth::{Door, Objection};
use crate::support::world::CAMPAIGN;
use chrono::TimeDelta;

/// So many stand there.
const STRANGERS: usize = 3;

impl Life {
    /// A CSV of long ago.
    pub(super) fn bring_strangers(&mut self) {
        for _ in 0..STRANGERS {
            let number = format!("+49 30 7{:06}", 100_000 + self.new_name()).replace(' ', "");
            let contact = self
                .world
                .dialler
                .put(CAMPAIGN, &[("Name", "Somebody"), ("FirstName", "Kim"), ("PhoneNumber1", &number[1..])]);
            self.truth.strangers.push((contact, number));
        }
    }

    /// One of them says no, to an operator or by a list.
    pub(super) async fn stranger_objects(&mut self) {
        let (contact, number) = self.truth.strangers[self.rng.usize(..self.truth.strangers.len())].clone();
        let door = if self.rng.bool() { Door::Hand } else { Door::List };
        match door {
            Door::List => self.list(&number).await,
            _ => self.world.block_number(&number).await,
        }
        let no = Objection { record: 0, number, at: self.world.now(), door, until: None };
        self.truth.strangers_noes.push((contact, no));
    }
}

/// None of them is dialled more than a minute after their no could be known. Answers how many noes were judged.
pub fn no_stranger_is_called_who_said_no(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let mut judged = 0;
    for (contact, no) in life.truth.strangers_noes.iter().chain(&said_in_calls(life, past)) {
        let Some(deadline) = deadline(life, past, no, *contact, "") else { continue };
        judged += 1;
        for (at, _) in past.dials.iter().filter(|(at, dialled)| dialled == contact && *at > deadline) {
            wrong.push(format!("stranger {contact} was dialled at {at}, deadline {deadline}: {no:?}"));
        }
    }
    judged
}

/// What they said to agents and what was read while it stood, long enough ago to be acted on.
fn said_in_calls(life: &Life, past: &Past) -> Vec<(i64, Objection)> {
    let lately = life.world.now() - TimeDelta::minutes(3);
    let mut noes = Vec::new();
    for (contact, number) in life.truth.strangers.iter().filter(|_| life.ways.hears) {
        let recorded = past.recorded.get(contact).map(Vec::as_slice).unwrap_or_default();
        for (place, (at, row, _)) in recorded.iter().enumerate().filter(|(_, (.., result))| result == NO) {
            let until = recorded[place + 1..].iter().find(|(_, of, _)| of == row).map(|(at, ..)| *at);
            if past.history_read(*contact, *at, until).is_some_and(|read| read < lately) {
                let door = Door::Result { contact: *contact, until };
                let no = Objection { record: 0, number: number.clone(), at: *at, door, until: None };
                noes.push((*contact, no));
            }
        }
    }
    noes
}
