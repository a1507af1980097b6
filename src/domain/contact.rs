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

/// A number as we write it into the dialler, and as it echoes it, in E.164: with its country, and `+`, `00` or nothing
/// before it. `None` for one without a country: which one is meant only the house knows.
pub fn e164_as_sent(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let with_country = digits.strip_prefix("00").unwrap_or(&digits);
    let readable = !with_country.is_empty() && !with_country.starts_with('0');
    readable.then(|| format!("+{with_country}"))
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

#[cfg(test)]
mod tests {
    use super::e164_as_sent;

    #[test]
    fn what_was_sent_is_read_back_and_what_needs_a_country_is_not() {
        for text in ["+4930123", "4930123", "004930123", "+49 30 123"] {
            assert_eq!(e164_as_sent(text).as_deref(), Some("+4930123"), "{text}");
        }
        for text in ["030123", "", "none", "+"] {
            assert_eq!(e164_as_sent(text), None, "{text}");
        }
    }
}
