//! What becomes of a contact whose record must not be called (any more): the route's choice, by reason.

use super::operation::named_enum;
use super::{FieldName, Reason, ReasonCode, Values};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

named_enum! {
    /// Why a record leaves, as the config names it.
    LeaveWhy {
        /// The CRM shows it and says that it is deleted or archived.
        Archived = "archived",
        /// Its id no longer exists: deleted for good, or merged into another record by a CRM that does not tell.
        Deleted = "deleted",
        /// Its id answers as another record: the CRM merged the two.
        Merged = "merged",
        /// `only_if` is false.
        Ineligible = "ineligible",
        /// A block stands against it.
        OptOut = "opt_out",
    }
}

named_enum! {
    /// What is done with the contact of a record that leaves; several may stand together.
    LeaveAct {
        /// It is out of the dialler's reach.
        Lock = "lock",
        /// Locked, and deleted when its calls have come to rest.
        Delete = "delete",
        /// Its counters and result are set back when it comes back, so that it begins anew.
        Reset = "reset",
        /// Fields get the values of `[route.NAME.mark]`.
        Mark = "mark",
        /// Its end date is long past.
        EndDate = "end_date",
        /// It stays callable.
        Keep = "keep",
    }
}

/// Whether the contact may be called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is locked.
    Locked,
    /// A contact that is there stays as it is.
    Kept,
}

/// Whether the contact is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It stays in the dialler.
    Stays,
    /// It goes when its calls have come to rest.
    Deleted,
}

/// What becomes of its counters and result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counters {
    /// They stay.
    Stay,
    /// They are set back once its record is there again, unless its result is final.
    Reset,
}

/// What one reason to leave brings about.
#[derive(Debug, Clone, PartialEq)]
pub struct Leave {
    /// Whether it may be called on.
    pub reach: Reach,
    /// Whether it is deleted.
    pub removal: Removal,
    /// Whether its counters are set back.
    pub counters: Counters,
    /// The fields it gets.
    pub marks: Values,
}

impl Leave {
    /// Locked, and nothing else: the default of every reason.
    pub const LOCK: Self = Self {
        reach: Reach::Locked,
        removal: Removal::Stays,
        counters: Counters::Stay,
        marks: Values::new(),
    };
}

/// A route's choice for every reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaving {
    /// The CRM says that it is deleted or archived.
    pub archived: Leave,
    /// Its id no longer exists.
    pub deleted: Leave,
    /// It was merged into another one.
    pub merged: Leave,
    /// `only_if` is false.
    pub ineligible: Leave,
    /// A block stands against it.
    pub opt_out: Leave,
}

impl Default for Leaving {
    fn default() -> Self {
        Self {
            archived: Leave::LOCK,
            deleted: Leave::LOCK,
            merged: Leave::LOCK,
            ineligible: Leave::LOCK,
            opt_out: Leave::LOCK,
        }
    }
}

impl Leaving {
    /// The place of a reason's choice.
    pub fn of_mut(&mut self, why: LeaveWhy) -> &mut Leave {
        match why {
            LeaveWhy::Archived => &mut self.archived,
            LeaveWhy::Deleted => &mut self.deleted,
            LeaveWhy::Merged => &mut self.merged,
            LeaveWhy::Ineligible => &mut self.ineligible,
            LeaveWhy::OptOut => &mut self.opt_out,
        }
    }

    /// What becomes of the contact of a record that is gone for this reason.
    pub fn gone(&self, reason: &Reason) -> &Leave {
        match (reason.is_merged(), reason.code == ReasonCode::RecordGone) {
            (true, _) => &self.merged,
            (false, true) => &self.deleted,
            (false, false) => &self.archived,
        }
    }
}

/// The end date of a contact that is to be called no more: past for every clock.
pub fn past() -> (FieldName, Value) {
    let field = FieldName::parse("dtEndDate").expect("it stands in the field table; a test reads it");
    (field, json!("2000-01-01T00:00:00"))
}

/// The CRM half of a pair that a mark made: an object, which no field's value is, so that it agrees with nothing else.
pub fn marked(value: &Value) -> Value {
    json!({ "left": value })
}

/// Whether a CRM half is a mark's.
pub fn is_mark(crm: &Value) -> bool {
    crm.get("left").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_a_field_that_an_update_takes() {
        let (field, _) = past();
        assert_ne!(field.spec().taken, crate::domain::Taken::Import);
        assert!(!field.is_phone());
    }

    #[test]
    fn a_mark_agrees_with_nothing_but_itself() {
        assert!(is_mark(&marked(&json!("gone"))) && !is_mark(&json!("gone")) && !is_mark(&json!(null)));
    }
}
