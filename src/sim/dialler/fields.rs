//! The fields of a simulated contact: what import and update take, and how values are read.
//!
//! Written from the "all fields" samples of the API page, on purpose not from the table that our own
//! client uses: a mistake there must show here.

use super::config::{Clearing, DiallerConfig, LongText, PhoneForm};
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

/// Type of a given field; texts with their column's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text of so many characters.
    Text(usize),
    /// Text without a limit.
    Unlimited,
    /// A phone number, text 32.
    Phone,
    /// A number.
    Number,
    /// A local date and time.
    Date,
}

/// A field that is given from outside.
#[derive(Debug)]
pub struct Given {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether import takes it.
    pub import: bool,
    /// Whether update takes it.
    pub update: bool,
}

const fn both(name: &'static str, kind: Kind) -> Given {
    Given { name, kind, import: true, update: true }
}
const fn import(name: &'static str, kind: Kind) -> Given {
    Given { name, kind, import: true, update: false }
}
const fn update(name: &'static str, kind: Kind) -> Given {
    Given { name, kind, import: false, update: true }
}

use Kind::{Date, Number, Phone, Text, Unlimited};

/// All given fields but `ID`, `Name`, `UserData` and the campaign, in the samples' order.
pub static GIVEN: [Given; 41] = [
    import("RandomSortOrder", Number),
    update("UserData2", Text(64)),
    update("UserData3", Text(64)),
    both("Client", Text(64)),
    both("Service", Text(64)),
    both("ReferenceNumber", Text(64)),
    both("FirstName", Text(64)),
    both("Salutation", Text(16)),
    both("Title", Text(16)),
    both("Company", Text(64)),
    both("Address", Text(64)),
    both("PostalCode", Text(10)),
    both("City", Text(64)),
    both("Country", Text(64)),
    both("AccountOwner", Text(64)),
    both("AccountBank", Text(32)),
    both("AccountNationalBankCode", Text(10)),
    both("AccountBIC", Text(11)),
    both("AccountNumber", Text(20)),
    both("AccountIBAN", Text(34)),
    both("Amount", Number),
    both("PhoneNumber1", Phone),
    both("PhoneNumber2", Phone),
    both("PhoneNumber3", Phone),
    both("PhoneNumber4", Phone),
    both("PhoneNumber5", Phone),
    both("PhoneNumber6", Phone),
    both("FaxNumber", Text(32)),
    both("Email", Text(256)),
    both("Website", Unlimited),
    both("Comment", Unlimited),
    update("Region", Text(256)),
    import("ReservedUsersUID", Text(32)),
    import("FollowUpUsersUID", Text(32)),
    import("FollowUpDateTime", Date),
    both("dtBeginDate", Date),
    both("dtEndDate", Date),
    both("Manufacturer", Unlimited),
    both("Model", Unlimited),
    both("Tag", Unlimited),
    both("ExternalSystemLink", Unlimited),
];

/// Where `PhoneNumber1` stands in [`GIVEN`]; a test holds it.
const FIRST_PHONE: u8 = 21;

/// Where `dtBeginDate` stands in [`GIVEN`].
pub const BEGIN_PLACE: u8 = 35;

/// Where `dtEndDate` stands in [`GIVEN`].
pub const END_PLACE: u8 = 36;

/// The place of a phone slot (0 to 5).
pub fn phone_place(slot: usize) -> u8 {
    FIRST_PHONE + u8::try_from(slot.min(5)).unwrap_or(0)
}

/// The slot (0 to 5) at a place, if it is one.
pub fn phone_slot(place: u8) -> Option<usize> {
    (FIRST_PHONE..FIRST_PHONE + 6).contains(&place).then(|| usize::from(place - FIRST_PHONE))
}

/// The place of a field by its name.
pub fn place(name: &str) -> Option<u8> {
    GIVEN.iter().position(|given| given.name == name).and_then(|place| u8::try_from(place).ok())
}

/// A local time without a zone, or the local part of one with an offset; `T` or a blank between.
pub fn parse_naive(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

/// Why a value was refused; the text goes into the answer's `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// What a field's value in a request means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// Store this (null: empty the field).
    Store(Value),
    /// A null or an empty text that does not clear here.
    PassOver,
}

/// Reads the text fields `Name` and `UserData`, and every [`Given`] one, as the server would.
///
/// # Errors
/// The type does not fit, a date cannot be read, or the text is too long and that is refused.
pub fn read(name: &str, kind: Kind, value: &Value, config: &DiallerConfig) -> Result<Meaning, Refused> {
    match (value, config.clearing) {
        (Value::Null, Clearing::Null | Clearing::Both) => return Ok(Meaning::Store(Value::Null)),
        (Value::Null, Clearing::EmptyText | Clearing::Neither) => return Ok(Meaning::PassOver),
        (Value::String(text), Clearing::EmptyText | Clearing::Both) if text.is_empty() => {
            // Only texts can hold an empty text; for numbers and dates it is no value.
            let empty = if matches!(kind, Number | Date) { Value::Null } else { value.clone() };
            return Ok(Meaning::Store(empty));
        }
        (Value::String(text), _) if text.is_empty() => return Ok(Meaning::PassOver),
        _ => {}
    }
    let refused = |what: &str| Refused(format!("{name}: {what}"));
    match kind {
        Number => match value {
            Value::Number(_) => Ok(Meaning::Store(value.clone())),
            Value::String(text) => {
                let number = text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                number.map(|n| Meaning::Store(n.into())).ok_or_else(|| refused("not a number"))
            }
            _ => Err(refused("not a number")),
        },
        Date => {
            let text = value.as_str().ok_or_else(|| refused("not a date"))?;
            let local = parse_naive(text)
                .or_else(|| {
                    Some(
                        text.parse::<DateTime<chrono::FixedOffset>>()
                            .ok()?
                            .with_timezone(&config.time_zone)
                            .naive_local(),
                    )
                })
                .ok_or_else(|| refused("not a date"))?;
            Ok(Meaning::Store(local.format("%Y-%m-%dT%H:%M:%S").to_string().into()))
        }
        Text(_) | Unlimited | Phone => {
            let mut text = match value {
                Value::String(text) => text.clone(),
                // Jackson, like most readers of JSON into text columns, takes plain values too.
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return Err(refused("not a text")),
            };
            let (limit, phone) = match kind {
                Text(limit) => (limit, false),
                Phone => (32, true),
                Unlimited | Number | Date => (usize::MAX, false),
            };
            let narrow = config.narrow.filter(|(field, _)| *field == name).map(|(_, fits)| fits);
            let limit = narrow.map_or(limit, |fits| fits.min(limit));
            if phone && config.phones == PhoneForm::StripPlus {
                text = text.trim_start_matches('+').to_owned();
            }
            fit(name, text, limit, config.long_text).map(|text| Meaning::Store(text.into()))
        }
    }
}

fn fit(name: &str, mut text: String, limit: usize, long: LongText) -> Result<String, Refused> {
    let Some((end, _)) = text.char_indices().nth(limit) else { return Ok(text) };
    match long {
        LongText::Keep => {}
        LongText::Cut => text.truncate(end),
        LongText::Reject => return Err(Refused(format!("{name}: longer than {limit} characters"))),
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_with(kind: Kind, value: Value, change: impl Fn(&mut DiallerConfig)) -> Option<Meaning> {
        let mut config = DiallerConfig::default();
        change(&mut config);
        read("F", kind, &value, &config).ok()
    }

    #[test]
    fn import_and_update_take_what_their_samples_show() {
        assert_eq!(GIVEN[usize::from(FIRST_PHONE)].name, "PhoneNumber1");
        assert_eq!([place("dtBeginDate"), place("dtEndDate")], [Some(BEGIN_PLACE), Some(END_PLACE)]);
        assert_eq!(phone_slot(place("PhoneNumber6").expect("a field")), Some(5));
        let only = |import, update| -> Vec<&str> {
            GIVEN.iter().filter(|g| g.import == import && g.update == update).map(|g| g.name).collect()
        };
        assert_eq!(
            only(true, false),
            ["RandomSortOrder", "ReservedUsersUID", "FollowUpUsersUID", "FollowUpDateTime"]
        );
        assert_eq!(only(false, true), ["UserData2", "UserData3", "Region"]);
        assert_eq!(only(false, false), Vec::<&str>::new());
    }

    #[test]
    fn what_clears_is_a_switch() {
        let stored = |value| Some(Meaning::Store(value));
        let cases = [
            (Clearing::Null, stored(Value::Null), Some(Meaning::PassOver)),
            (Clearing::EmptyText, Some(Meaning::PassOver), stored(json!(""))),
            (Clearing::Both, stored(Value::Null), stored(json!(""))),
            (Clearing::Neither, Some(Meaning::PassOver), Some(Meaning::PassOver)),
        ];
        for (clearing, null, empty) in cases {
            assert_eq!(read_with(Text(5), Value::Null, |c| c.clearing = clearing), null, "{clearing:?}");
            assert_eq!(read_with(Text(5), json!(""), |c| c.clearing = clearing), empty, "{clearing:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_refused_or_kept_by_characters() {
        let long = json!("Größere");
        let by = |long_text| read_with(Text(4), long.clone(), |c| c.long_text = long_text);
        assert_eq!(by(LongText::Cut), Some(Meaning::Store(json!("Größ"))));
        assert_eq!(by(LongText::Reject), None);
        assert_eq!(by(LongText::Keep), Some(Meaning::Store(long.clone())));
        assert_eq!(
            read_with(Text(7), long.clone(), |c| c.long_text = LongText::Reject),
            Some(Meaning::Store(long))
        );
    }

    #[test]
    fn types_are_read_leniently_where_a_server_would() {
        let plain = |kind, value| read_with(kind, value, |_| {});
        assert_eq!(plain(Text(9), json!(10115)), Some(Meaning::Store(json!("10115"))));
        assert_eq!(plain(Text(9), json!([1])), None);
        assert_eq!(plain(Number, json!("1.5")), Some(Meaning::Store(json!(1.5))));
        assert_eq!(plain(Number, json!("much")), None);
        let date = Some(Meaning::Store(json!("2020-01-01T00:00:00")));
        assert_eq!(plain(Date, json!("2020-01-01T00:00:00")), date);
        assert_eq!(plain(Date, json!("2019-12-31T23:00:00Z")), date);
        assert_eq!(plain(Date, json!("2020-13-01T00:00:00")), None);
        let plus = |phones| read_with(Phone, json!("+49301"), |c| c.phones = phones);
        assert_eq!(plus(PhoneForm::StripPlus), Some(Meaning::Store(json!("49301"))));
        assert_eq!(plus(PhoneForm::AsSent), Some(Meaning::Store(json!("+49301"))));
    }
}
