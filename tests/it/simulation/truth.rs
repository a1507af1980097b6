//! What the simulation itself knows of the world: who said what and when. The judge rests on it and on the
//! simulators' journals.

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
    /// A result of a call with this contact, which stood until it was corrected.
    Result { contact: i64, until: Option<Timestamp> },
}

impl Door {
    /// Whether it is the number that is blocked, of whichever record.
    pub fn is_the_number(self) -> bool {
        match self {
            Self::Blacklist | Self::Hand | Self::List => true,
            Self::Field | Self::Record | Self::Result { .. } => false,
        }
    }
}

/// Somebody who must not be called any more.
#[derive(Debug, Clone)]
pub struct Objection {
    pub record: u64,
    pub number: String,
    pub at: Timestamp,
    pub door: Door,
}

/// Everything that was done on purpose.
#[derive(Debug, Default)]
pub struct Truth {
    /// All values that a field of a record ever had in the CRM, in order.
    pub values: BTreeMap<(u64, &'static str), Vec<Value>>,
    pub objections: Vec<Objection>,
    /// The lines of the block list.
    pub listed: Vec<String>,
    /// How many conflicts a person decided.
    pub resolved: u64,
    /// When the program was killed.
    pub deaths: Vec<Timestamp>,
    /// When the program began anew.
    pub starts: Vec<Timestamp>,
    /// Fields that a portal user wrote, with what: the CRM's next change wins, else this stays.
    pub portal_wrote: BTreeMap<(i64, &'static str), Vec<Value>>,
    /// Contacts that a portal user locked, unlocked, deleted, moved or doubled: how callable they are is
    /// no longer ours alone.
    pub portal_touched: BTreeSet<i64>,
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
    /// Records whose number changed: old and new numbers may both be blocked.
    pub renumbered: BTreeSet<u64>,
}

impl Truth {
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

    /// Whether the record itself was objected to by a door that blocks it for good.
    pub fn objected(&self, record: u64) -> bool {
        self.objections.iter().any(|objection| objection.record == record)
    }

    /// Whether route `leads` doubted its CRM then.
    pub fn doubted(&self, at: Timestamp) -> bool {
        self.doubts.iter().any(|(since, until)| *since <= at && at < *until)
    }

    /// Whether a number is one that somebody objected with.
    pub fn number_blocked(&self, number: &str) -> bool {
        self.objections.iter().any(|objection| objection.number == number)
    }
}
