//! The dialler's contact fields: which request takes them, their type and length.
//!
//! Source: the "all fields" samples of import and update on the dialler's API page, lengths from the
//! CSV field lists (facts 3.5, 3.6).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Which request takes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Only `/import` takes it: it can be set once, when the contact is made.
    Import,
    /// Only `/update` takes it: sent by a second request after the import.
    Update,
    /// Both take it.
    Both,
}

/// A field's type, with its greatest length in characters where one is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text of at most so many characters.
    Text(usize),
    /// Text without a documented limit.
    LongText,
    /// A phone number slot (text 32); changing one needs a permit.
    Phone,
    /// A number.
    Number,
    /// A date and time; written without a zone, in the dialler's local time.
    DateTime,
}

/// One row of the field table.
#[derive(Debug)]
pub struct FieldSpec {
    /// The field's name, letter by letter as the API spells it.
    pub name: &'static str,
    /// Which request takes it.
    pub taken: Taken,
    /// Type and length.
    pub kind: FieldKind,
    /// Whether an empty value may be sent at all (`Name` is mandatory).
    pub clearable: bool,
}

const fn field(name: &'static str, taken: Taken, kind: FieldKind) -> FieldSpec {
    FieldSpec { name, taken, kind, clearable: true }
}

use FieldKind::{DateTime, LongText, Number, Phone, Text};
use Taken::{Both, Import, Update};

/// All fields a route may map, sorted by name.
///
/// Not here: `UserData` (the join key, made by the route's template), `ID`, `DiallerCampaignsID`
/// and `DiallerCampaignsName` (the route's campaign), and what only the dialler writes.
pub static FIELDS: &[FieldSpec] = &[
    field("AccountBIC", Both, Text(11)),
    field("AccountBank", Both, Text(32)),
    field("AccountIBAN", Both, Text(34)),
    field("AccountNationalBankCode", Both, Text(10)),
    field("AccountNumber", Both, Text(20)),
    field("AccountOwner", Both, Text(64)),
    field("Address", Both, Text(64)),
    field("Amount", Both, Number),
    field("City", Both, Text(64)),
    field("Client", Both, Text(64)),
    field("Comment", Both, LongText),
    field("Company", Both, Text(64)),
    field("Country", Both, Text(64)),
    field("Email", Both, Text(256)),
    field("ExternalSystemLink", Both, LongText),
    field("FaxNumber", Both, Text(32)),
    field("FirstName", Both, Text(64)),
    field("FollowUpDateTime", Import, DateTime),
    field("FollowUpUsersUID", Import, Text(32)),
    field("Manufacturer", Both, LongText),
    field("Model", Both, LongText),
    FieldSpec { name: "Name", taken: Both, kind: Text(64), clearable: false },
    field("PhoneNumber1", Both, Phone),
    field("PhoneNumber2", Both, Phone),
    field("PhoneNumber3", Both, Phone),
    field("PhoneNumber4", Both, Phone),
    field("PhoneNumber5", Both, Phone),
    field("PhoneNumber6", Both, Phone),
    field("PostalCode", Both, Text(10)),
    field("RandomSortOrder", Import, Number),
    field("ReferenceNumber", Both, Text(64)),
    field("Region", Update, Text(256)),
    field("ReservedUsersUID", Import, Text(32)),
    field("Salutation", Both, Text(16)),
    field("Service", Both, Text(64)),
    field("Tag", Both, LongText),
    field("Title", Both, Text(16)),
    field("UserData2", Update, Text(64)),
    field("UserData3", Update, Text(64)),
    field("Website", Both, LongText),
    field("dtBeginDate", Both, DateTime),
    field("dtEndDate", Both, DateTime),
];

/// The length of a phone slot in characters.
pub const PHONE_CHARS: usize = 32;

/// The six number slots, in order.
pub const PHONE_SLOTS: [&str; 6] =
    ["PhoneNumber1", "PhoneNumber2", "PhoneNumber3", "PhoneNumber4", "PhoneNumber5", "PhoneNumber6"];

/// The name of a field in [`FIELDS`]; cheap to copy.
#[derive(Clone, Copy)]
pub struct FieldName(&'static FieldSpec);

impl FieldName {
    /// Finds a field by its exact name.
    pub fn parse(name: &str) -> Option<Self> {
        FIELDS.iter().find(|spec| spec.name == name).map(Self)
    }

    /// The name as the API spells it.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The row of the table.
    pub fn spec(self) -> &'static FieldSpec {
        self.0
    }

    /// Whether it is one of `PhoneNumber1..6`.
    pub fn is_phone(self) -> bool {
        matches!(self.0.kind, FieldKind::Phone)
    }

    /// All fields.
    pub fn all() -> impl Iterator<Item = Self> {
        FIELDS.iter().map(Self)
    }
}

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}
impl Eq for FieldName {}
impl PartialOrd for FieldName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for FieldName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name.cmp(other.0.name)
    }
}
impl std::hash::Hash for FieldName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}
impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}
impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}
impl Serialize for FieldName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}
impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("{name} is no field of a dialler contact")))
    }
}
