//! A dialler contact and a row of its history, as the dialler's JSON gives them.

use super::{CampaignId, ContactId, HistoryId};
use serde_json::{Map, Value};

/// A contact as answered: every field is kept, also unknown ones (facts 3.6: the full list of JSON
/// fields is documented nowhere, booleans come as null or false).
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// `ID`.
    pub id: ContactId,
    /// `DiallerCampaignsID`, where the answer carries it.
    pub campaign: Option<CampaignId>,
    /// `UserData`, to the letter.
    pub user_data: Option<String>,
    /// All fields, these included.
    pub fields: Map<String, Value>,
}

impl Contact {
    /// Reads the fixed fields out of one answered object; `None` without an integer `ID`.
    pub fn from_fields(fields: Map<String, Value>) -> Option<Self> {
        let id = fields.get("ID").and_then(Value::as_i64)?;
        Some(Self {
            id: ContactId(id),
            campaign: fields.get("DiallerCampaignsID").and_then(Value::as_i64).map(CampaignId),
            user_data: fields.get("UserData").and_then(Value::as_str).map(str::to_owned),
            fields,
        })
    }

    /// A field, with `null` for one that is not there.
    pub fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }

    /// The sum of `nTriesPhoneNumber1..6`; `null` counts as 0.
    pub fn tries(&self) -> i64 {
        (1..=6).filter_map(|n| self.get(&format!("nTriesPhoneNumber{n}")).as_i64()).sum()
    }

    /// The recorded result (`DiallerCampaignsResultCodesID`), where the answer carries one.
    pub fn result_code(&self) -> Option<i64> {
        self.get("DiallerCampaignsResultCodesID").as_i64()
    }

    /// The numbers in the six slots, as the dialler writes them, empty ones left out.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        super::field::PHONE_SLOTS
            .iter()
            .filter_map(|slot| Some((*slot, self.get(slot).as_str()?)))
            .filter(|(_, number)| !number.trim().is_empty())
    }
}

/// A call or a recorded result (`DiallerContactsHistory`), facts section 4.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// `DiallerContactsHistoryID`.
    pub id: HistoryId,
    /// `DiallerContactsID`, where the answer carries it (the batch read nests rows in their contact).
    pub contact: Option<ContactId>,
    /// All fields as answered.
    pub fields: Map<String, Value>,
}

impl HistoryRow {
    /// Reads the fixed fields out of one answered object; `None` without an integer id.
    pub fn from_fields(fields: Map<String, Value>) -> Option<Self> {
        let id = fields.get("DiallerContactsHistoryID").and_then(Value::as_i64)?;
        Some(Self {
            id: HistoryId(id),
            contact: fields.get("DiallerContactsID").and_then(Value::as_i64).map(ContactId),
            fields,
        })
    }

    /// A field, with `null` for one that is not there.
    pub fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }
}
