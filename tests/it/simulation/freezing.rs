//! A while in which nothing is written: an operator looks at something, and locks go on all the same.

use super::life::Life;
use super::past::Past;
use chrono::TimeDelta;
use dialbridge::control::{Command, End};
use dialbridge::domain::Timestamp;
use dialbridge::sim::journal::Asked;

/// What had been taken in hand before it may still leave for so long, its tries included.
const IN_HAND: TimeDelta = TimeDelta::minutes(2);

impl Life {
    /// Nothing but locks is written for some minutes.
    pub(super) async fn freeze(&mut self) {
        let until = self.world.now() + TimeDelta::seconds(self.rng.i64(180..900));
        let word = Command::Freeze { reason: "a look".to_owned(), until: Some(until), even_locks: false };
        let (end, said) = self.world.command(word).await;
        assert_eq!(end, End::Done, "{said}");
        self.truth.freezes.push((self.world.now(), until));
    }
}

/// In a freeze nothing but locks is written on either side. Answers how many freezes there were.
pub fn nothing_is_written_in_a_freeze(life: &Life, past: &Past, wrong: &mut Vec<String>) -> u64 {
    let to_the_crm = life.world.crm.journal.requests();
    let writes = past.requests.iter().chain(&to_the_crm).filter(|asked| asked.kind.write);
    for write in writes.filter(|write| write.kind.name != "lock") {
        // The last word counts: a second freeze may end before the first one.
        let frozen = life.truth.freezes.iter().rfind(|(from, _)| *from <= write.at);
        if let Some(freeze) = frozen.filter(|freeze| within(write, freeze)) {
            wrong
                .push(format!("{} {} at {} in the freeze {freeze:?}", write.kind.name, write.path, write.at));
        }
    }
    life.truth.freezes.len() as u64
}

fn within(asked: &Asked, (from, until): &(Timestamp, Timestamp)) -> bool {
    *from + IN_HAND < asked.at && asked.at < *until
}
