//! What goes back into the CRM: a call as it is told, and what a record's fields are worked out from.

use super::operation::named_enum;
use super::{CampaignId, ContactId, HistoryId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

named_enum! {
    /// What a write-back writes.
    Told {
        /// A call, as an activity of the record.
        Activity = "activity",
        /// Fields of the record, worked out from all its calls.
        Fields = "fields",
    }
}

named_enum! {
    /// What a route's calls become in the CRM.
    Shapes {
        /// Activities alone.
        Activities = "activities",
        /// Fields alone.
        Fields = "fields",
        /// Both.
        Both = "both",
        /// Nothing: fields tell of objections, of where records stand and of what agents edited alone.
        Nothing = "nothing",
    }
}

named_enum! {
    /// Whether the CRM lets an activity be changed that is there.
    Activities {
        /// It does.
        Change = "change",
        /// It stays as it was made.
        Fixed = "fixed",
    }
}

named_enum! {
    /// By which part of the config the CRM is told of a value; named as it is there.
    TellRule {
        /// A call's activity.
        Activity = "activity",
        /// Follows from a record's calls.
        ResultFields = "result_fields",
        /// Where a record stands in the dialler.
        StatusFields = "status_fields",
        /// Somebody must not be called.
        BlockFields = "block_fields",
        /// A two-way field that the dialler's side changed.
        Owners = "owners",
    }
}

/// The number of a row of `write_backs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteBackId(pub i64);

/// A result as the dialler explains it; without the batch read only the code is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// `DiallerCampaignsResultCodesID`; the same thing has another number in each campaign.
    pub code: i64,
    /// Its text.
    pub name: Option<String>,
    /// The key by which a back-end knows it.
    pub export_key: Option<String>,
}

/// A call, as far as the CRM may be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// `DiallerContactsHistoryID`.
    pub call: HistoryId,
    /// The contact it belongs to, or belonged to.
    pub contact: ContactId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// `dtCallStart`; `None` where a result was recorded without a call.
    pub started: Option<Timestamp>,
    /// `dtCallEnd`.
    pub ended: Option<Timestamp>,
    /// The number as the dialler wrote it.
    pub number: Option<String>,
    /// Whether it was ours; `None` where a result was recorded without a call.
    pub outbound: Option<bool>,
    /// Whether somebody answered it.
    pub answered: bool,
    /// `CauseCodesID`.
    pub cause: Option<i64>,
    /// `StatisticsPartAID`: the dialler's own record of the call, by which its recording is found.
    pub recording: Option<i64>,
    /// `UsersID`; `None` where the system did it.
    pub agent: Option<i64>,
    /// The agent's name, where it was asked for and is known.
    pub agent_name: Option<String>,
    /// What the agent wrote beside it: what changed in the contact's Comment.
    pub note: Option<String>,
    /// When the dialler means to call the contact again.
    pub next_try: Option<Timestamp>,
    /// Its result, once there is one.
    pub result: Option<CallResult>,
    /// Whether its result or its end may still come.
    pub open: bool,
    /// Whether its texts and numbers are erased, because it is old: what the CRM was told of it stays as it is.
    pub erased: bool,
}

impl CallFacts {
    /// Whether it is under way: begun, not ended, and looked at again.
    pub fn is_under_way(&self) -> bool {
        self.open && self.started.is_some() && self.ended.is_none()
    }
}

/// All calls of a record, over every contact it ever had: late rows and their order make no difference
/// (semantics 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFacts {
    /// Calls, both ways, without test calls.
    pub calls: i64,
    /// Of these, ours.
    pub attempts: i64,
    /// Of these, answered by somebody.
    pub answered: i64,
    /// When the first began.
    pub first_started: Option<Timestamp>,
    /// The newest.
    pub last: Option<CallFacts>,
    /// When the dialler means to call the record's contact again.
    pub next_try: Option<Timestamp>,
    /// The newest that has a result.
    pub last_with_result: Option<CallFacts>,
    /// What the record does not say itself and stands against it for good.
    pub blocked: Option<BlockFacts>,
    /// Where the record stands in the dialler, on routes that tell it.
    pub standing: Option<StandingFacts>,
    /// Whether the CRM is to know what follows from the calls: one came since the route's calls go back, or a person had earlier
    /// ones told (users 10).
    pub of_calls: bool,
}

/// Somebody said no, and not in the record: the oldest block that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Since when.
    pub since: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// Who or what wrote it: `operator`, `file:NAME`, `result:ROUTE`, `crm:ROUTE` of another record.
    pub source: String,
    /// The person, where one did it.
    pub who: Option<String>,
    /// The numbers in E.164 that must not be called: all that are known of the record where it is blocked itself.
    pub numbers: Vec<String>,
}

named_enum! {
    /// Whether a route tells the CRM who must not be called.
    BlocksTold {
        /// It does.
        Told = "told",
        /// Blocks stay with us.
        Kept = "kept",
    }
}

named_enum! {
    /// Where a record stands in the dialler, as far as we know.
    InDialler {
        /// It has no contact.
        Absent = "absent",
        /// It may be called.
        Callable = "callable",
        /// Its contact is locked, or is being locked.
        Locked = "locked",
        /// Somebody else deleted its contact.
        Gone = "gone",
    }
}

/// A number that the dialler marked as invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNumber {
    /// In E.164, where it can be read.
    pub number: String,
    /// When the mark was first seen.
    pub since: Timestamp,
    /// The last cause code of its slot.
    pub cause: Option<i64>,
}

/// Where a record stands in the dialler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFacts {
    /// Where.
    pub place: InDialler,
    /// Why it is not called, in words.
    pub reason: Option<String>,
    /// Since when its contact is there.
    pub since: Option<Timestamp>,
    /// When its contact was last brought up to date by us: an import or an update that the dialler answered.
    pub synced: Option<Timestamp>,
    /// When the dialler means to call it again.
    pub next_try: Option<Timestamp>,
    /// The numbers in the six slots.
    pub numbers: Vec<Option<String>>,
    /// All numbers that the dialler ever marked as invalid for this record.
    pub invalid: Vec<InvalidNumber>,
    /// What there is of ours to be taken back.
    pub told: ToldBefore,
}

/// The CRM's fields that were told anything but no, null or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToldBefore {
    /// These.
    These(BTreeSet<String>),
    /// A request was in doubt: it may have told anything.
    Anything,
}

impl StandingFacts {
    /// Whether this goes into this field: a plain no, or nothing, only takes back what we said ourselves. A clerk's own mark
    /// that a number is invalid is not ours to undo.
    pub fn tells(&self, field: &str, value: &Value) -> bool {
        let nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(all) => all.is_empty(),
            Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
        };
        let ours = match &self.told {
            ToldBefore::These(fields) => fields.contains(field),
            ToldBefore::Anything => true,
        };
        !nothing || ours
    }

    /// The mark of the number that stands in this slot (from 1), if the dialler marked it as invalid.
    pub fn invalid_in(&self, slot: usize) -> Option<&InvalidNumber> {
        let number = slot.checked_sub(1).and_then(|at| self.numbers.get(at))?.as_ref()?;
        self.invalid.iter().find(|invalid| invalid.number == *number)
    }
}
