//! Fields that both sides may change, and what the dialler's side was seen to have changed.

use super::FieldName;
use super::operation::named_enum;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

named_enum! {
    /// Whose value stands where both sides changed a two-way field.
    ///
    /// There is no "newest": neither the dialler's contacts nor a CRM's records tell when a single field was changed.
    ConflictRule {
        /// The CRM's.
        Crm = "crm",
        /// The dialler's.
        Dialler = "dialler",
        /// A person is asked.
        Ask = "ask",
    }
}

named_enum! {
    /// Which side's value a person took.
    Take {
        /// The CRM's.
        Crm = "crm",
        /// The dialler's.
        Dialler = "dialler",
    }
}

named_enum! {
    /// Whose a mapped field is once its contact is there.
    Owner {
        /// The CRM's: its changes are sent.
        Crm = "crm",
        /// The dialler's: it is sent at the first import and never again.
        Dialler = "dialler",
        /// Both sides': the CRM's part stands between two marks, what agents write around it stays.
        Append = "append",
    }
}

impl Owner {
    /// Whose a field is where nobody says otherwise: the free text that agents write is theirs (users 29).
    pub fn usual(field: FieldName) -> Self {
        if field.as_str() == "Comment" { Self::Dialler } else { Self::Crm }
    }
}

/// The mapped fields of a route of which the CRM has a part only.
pub type Appended = BTreeSet<FieldName>;

/// The mapped fields of a route that are the dialler's after the import.
pub type Kept = BTreeSet<FieldName>;

/// The two-way fields of a route, each with what decides a conflict.
pub type TwoWay = BTreeMap<FieldName, ConflictRule>;

/// A person's word on a conflict. It holds for the values it was said of, and for no newer ones.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictWord {
    /// Whose value stands.
    pub take: Take,
    /// The CRM's value then, in the form of the base's CRM half.
    pub against: Value,
}

/// A two-way field that was seen in the dialler with another value than both sides last agreed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// What it holds there.
    pub dialler: Value,
    /// What decides if the CRM changed it too.
    pub rule: ConflictRule,
    /// What a person said of it.
    pub word: Option<ConflictWord>,
    /// Which contact holds it.
    pub on: SeenOn,
}

/// On which contact of its link an edit was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenOn {
    /// The present one.
    Contact,
    /// One that the link had before, and that is gone: the present one holds what both sides last agreed on.
    ContactBefore,
}

/// The edits of one contact that both sides have not come to agree on yet.
pub type Edits = BTreeMap<FieldName, Edit>;
