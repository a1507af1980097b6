//! What the simulation itself knows of the world: who said what and when. The judge rests on it and on the
//! simulators' journals.

use super::by_hand::ByHand;
use super::overwritten::Overwritten;
use dialbridge::domain::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// By which door somebody said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A field of the record.
    Field,
    /// The CRM's blacklist of numbers, which moves no modification time.
    Blacklist,
    /// An operator's `block add` with the number.
    Hand,
    /// An operator's `block add` with the record.
    Record,
    /// A line of a block list in a file.
    List,
    /// What we told the CRM of a no that was said elsewhere: from then on its field says so, too, and by it the record's numbers,
    /// until a person takes that no back.
    Told,
    /// A result of a call with this contact, which stood until it was corrected.
    Result { contact: i64, until: Option<Timestamp> },
}

/// How surely a no holds against a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    No,
    /// Numbers changed beside it: nobody can tell which of them was blocked.
    Perhaps,
    Yes,
}

/// Somebody who must not be called any more.
#[derive(Debug, Clone)]
pub struct Objection {
    pub record: u64,
    pub number: String,
    pub at: Timestamp,
    pub door: Door,
    /// When somebody took it back, or when it ends.
    pub until: Option<Timestamp>,
}

impl Objection {
    /// Whether nobody has taken it back.
    pub fn stands(&self) -> bool {
        self.until.is_none()
    }
}

/// Everything that was done on purpose.
#[derive(Debug, Default)]
pub struct Truth {
    /// All values that a field of a record ever had in the CRM, in order.
    pub values: BTreeMap<(u64, &'static str), Vec<Value>>,
    pub objections: Vec<Objection>,
    /// The lines of the block list.
    pub listed: Vec<String>,
    /// How many words a person took back.
    pub lifted: u64,
    /// How many noes had an end.
    pub for_a_while: u64,
    /// How many waves a person let go.
    pub waves: u64,
    /// How many a person put aside.
    pub waves_rejected: u64,
    /// Records of which something was put aside with a wave.
    pub rejected: BTreeSet<u64>,
    /// Whose no a clerk took back in its field, and when.
    pub cleared: Vec<(u64, Timestamp)>,
    /// How often the second route left the config or came back.
    pub reconfigured: u64,
    /// How many conflicts a person decided.
    pub resolved: u64,
    /// When the program was killed.
    pub deaths: Vec<Timestamp>,
    /// When the program began anew.
    pub starts: Vec<Timestamp>,
    /// Fields that a portal user wrote, with what: the CRM's next change wins, else this stays.
    pub portal_wrote: BTreeMap<(i64, &'static str), Vec<Value>>,
    /// Contacts that a portal user locked, unlocked, deleted or doubled: how callable they are is no longer ours alone.
    pub portal_touched: BTreeSet<i64>,
    /// Contacts that a portal user moved to another campaign.
    pub moved: BTreeSet<i64>,
    /// Contacts of somebody else in our campaign, with their numbers.
    pub strangers: Vec<(i64, String)>,
    /// What they said to an operator or by a list.
    pub strangers_noes: Vec<(i64, Objection)>,
    /// Contacts that somebody else's CSV overwrote.
    pub overwritten: Vec<Overwritten>,
    /// Contacts that an operator locked.
    pub locked_by_hand: Vec<ByHand>,
    /// Records of whose contact a portal user did anything else but edit it.
    pub meddled: BTreeSet<u64>,
    /// UserData of which a portal user deleted or doubled a contact.
    pub portal_keys: BTreeSet<String>,
    /// Records of which it cannot be told whether their no could be read before it was corrected.
    pub unclear: BTreeSet<u64>,
    /// Calls that a person said keep nobody out of other routes.
    pub released: BTreeSet<i64>,
    /// Records whose contact a person wanted to begin anew.
    pub reset_by_hand: BTreeSet<u64>,
    /// Records that are gone from the CRM, and since when.
    pub deleted: BTreeMap<u64, Timestamp>,
    /// From when to when route `leads` doubted that its CRM is the one it was.
    pub doubts: Vec<(Timestamp, Timestamp)>,
    /// From when to when an operator let nothing but locks be written.
    pub freezes: Vec<(Timestamp, Timestamp)>,
    /// Records whose number changed: old and new numbers may both be blocked.
    pub renumbered: BTreeSet<u64>,
}

impl Truth {
    /// Whether a portal user did anything to a contact but edit it.
    pub fn meddled_with(&self, contact: &i64) -> bool {
        self.portal_touched.contains(contact) || self.moved.contains(contact)
    }

    /// Notes what a field has now.
    pub fn says(&mut self, record: u64, field: &'static str, value: Value) {
        self.values.entry((record, field)).or_default().push(value);
    }

    /// The number that a record has, or had when it went.
    pub fn number(&self, record: u64) -> String {
        let phone =
            self.values.get(&(record, "phone")).and_then(|values| values.last()).and_then(Value::as_str);
        phone.unwrap_or_default().split_whitespace().collect()
    }

    /// All numbers that a record ever had. Its first value was there for no instant.
    fn numbers(&self, record: u64) -> impl Iterator<Item = String> {
        let values = self.values.get(&(record, "phone")).into_iter().flat_map(|values| values.iter().skip(1));
        values.filter_map(Value::as_str).map(|phone| phone.split_whitespace().collect())
    }

    /// Whether two records ever had one number, which makes them one person.
    pub fn share(&self, one: u64, other: u64) -> bool {
        let numbers: BTreeSet<String> = self.numbers(one).collect();
        self.numbers(other).any(|number| numbers.contains(&number))
    }

    /// The records that ever had a number of this one; itself too.
    pub fn sharing(&self, record: u64) -> Vec<u64> {
        let records: BTreeSet<u64> = self.values.keys().map(|(record, _)| *record).collect();
        records.into_iter().filter(|other| *other == record || self.share(record, *other)).collect()
    }

    /// What one no means for a record: whoever shares the number that it blocks must not be called either.
    pub fn means(&self, objection: &Objection, record: u64) -> Holds {
        let own = objection.record == record;
        let has_the_number = self.number(record) == objection.number;
        let surely = |it| if it { Holds::Yes } else { Holds::Perhaps };
        match objection.door {
            Door::Field | Door::Told | Door::Record | Door::Result { .. } if own => Holds::Yes,
            Door::Record => Holds::No,
            // The numbers that the record had when its no was read.
            Door::Field | Door::Told | Door::Result { .. } if self.share(objection.record, record) => {
                let changed = [objection.record, record].iter().any(|one| self.renumbered.contains(one));
                // Whoever is deleted before anybody reads their no has said it to nobody.
                let read = match objection.door {
                    Door::Field | Door::Told => !self.deleted.contains_key(&objection.record),
                    Door::Record | Door::Blacklist | Door::Hand | Door::List | Door::Result { .. } => true,
                };
                // Where a person took back what the CRM was told of, it holds whom it was told of, and nobody else.
                let ours = objection.door == Door::Told && self.anything_taken_back(objection.record);
                surely(has_the_number && !changed && read && !ours)
            }
            Door::Hand | Door::List | Door::Blacklist if has_the_number => Holds::Yes,
            Door::Hand | Door::List | Door::Blacklist
                if own || self.numbers(record).any(|number| number == objection.number) =>
            {
                Holds::Perhaps
            }
            // Who is on the list is asked before the record is read, which may have another number by then.
            Door::Blacklist
                if self.renumbered.contains(&objection.record) && self.share(objection.record, record) =>
            {
                Holds::Perhaps
            }
            Door::Field | Door::Told | Door::Result { .. } | Door::Hand | Door::List | Door::Blacklist => {
                Holds::No
            }
        }
    }

    /// Whether a person took back a no of somebody who ever had a number of this record.
    fn anything_taken_back(&self, record: u64) -> bool {
        self.objections.iter().any(|objection| !objection.stands() && self.share(objection.record, record))
    }

    /// Whether somebody's no stands against a record.
    pub fn objected(&self, record: u64) -> Holds {
        let standing = self.objections.iter().filter(|objection| objection.stands());
        let all = standing.map(|objection| self.means(objection, record)).max();
        let heard = all.unwrap_or(Holds::No);
        let perhaps = self.is_unclear(record) || self.is_by_hand(record, Timestamp::MAX_UTC);
        if heard == Holds::No && perhaps { Holds::Perhaps } else { heard }
    }

    /// Whether an operator locked a contact of this person until then. It holds for that contact, and is judged by itself.
    pub fn is_by_hand(&self, record: u64, until: Timestamp) -> bool {
        let locked = self.locked_by_hand.iter().filter(|by_hand| by_hand.at <= until);
        locked.map(|by_hand| by_hand.record).any(|one| one == record || self.share(one, record))
    }

    /// Whether somebody's no held against a record and was taken back.
    pub fn was_taken_back(&self, record: u64) -> bool {
        let mut taken_back = self.objections.iter().filter(|objection| !objection.stands());
        taken_back.any(|objection| self.means(objection, record) == Holds::Yes)
    }

    /// Whether it cannot be told if the record, or another one with its number, said no in a call that could be read.
    pub fn is_unclear(&self, record: u64) -> bool {
        self.unclear.iter().any(|unclear| *unclear == record || self.share(*unclear, record))
    }

    /// Whether route `leads` doubted its CRM then.
    pub fn doubted(&self, at: Timestamp) -> bool {
        self.doubts.iter().any(|(since, until)| *since <= at && at < *until)
    }
}
