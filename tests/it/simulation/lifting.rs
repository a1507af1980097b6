//! A no that somebody takes back, by the command that lifts a block: of a number or of a record, and of one source.

use super::life::Life;
use super::truth::{Door, Objection};
use dialbridge::control::{Command, End};
use dialbridge::domain::{BlockSubject, RecordId, RecordKey};

impl Life {
    /// Somebody takes back what an operator or a list says; what other sources say of the same stays.
    pub(super) async fn lift(&mut self) {
        let by_command = |door| matches!(door, Door::Hand | Door::Record | Door::List);
        let standing: Vec<Objection> = (self.truth.objections.iter())
            .filter(|objection| objection.stands() && by_command(objection.door))
            .cloned()
            .collect();
        if standing.is_empty() {
            return;
        }
        let no = &standing[self.rng.usize(..standing.len())];
        if no.door == Door::List {
            // A line that stands there still would block them anew with the list's next change.
            self.truth.listed.retain(|number| *number != no.number);
            self.put_list().await;
        }
        let source = self.source_of(no.door);
        let named = self.rng.bool();
        let word = Command::BlockRemove {
            client: "default".to_owned(),
            subject: subject_of(no),
            source: named.then_some(source),
            reason: "a mistake".to_owned(),
        };
        let (end, said) = self.world.command(word).await;
        // Where several say no, nobody's word is taken back whom the person did not name.
        assert!(end == End::Done || !named, "{said}: {no:?}");
        if end == End::Done {
            let now = self.world.now();
            let same = |objection: &&mut Objection| {
                let over = objection.until.is_some_and(|until| until <= now);
                !over && objection.door == no.door && subject_of(objection) == subject_of(no)
            };
            self.truth.objections.iter_mut().filter(same).for_each(|objection| objection.until = Some(now));
            self.truth.lifted += 1;
        }
    }

    fn source_of(&self, door: Door) -> String {
        match door {
            Door::List => format!("file:{}", self.world.settings.block_files[0].1.display()),
            Door::Field | Door::Told | Door::Blacklist | Door::Hand | Door::Record | Door::Result { .. } => {
                "operator".to_owned()
            }
        }
    }
}

fn subject_of(no: &Objection) -> BlockSubject {
    match no.door {
        Door::Record => record_subject(no.record),
        Door::Field | Door::Told | Door::Blacklist | Door::Hand | Door::List | Door::Result { .. } => {
            BlockSubject::Number(no.number.clone())
        }
    }
}

/// A record, as a block names it.
pub fn record_subject(id: u64) -> BlockSubject {
    let id = RecordId(id.to_string());
    BlockSubject::Record(RecordKey { crm: "sales".to_owned(), object: "contacts".to_owned(), id })
}
