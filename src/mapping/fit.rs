//! An expression's value into a dialler field: type, length, the form in which it is sent.

use super::dates;
use super::expression::too_long;
use super::filters::Options;
use super::numbers::{PhoneFormat, e164_in};
use super::text::{self, ABSURD_BYTES, LONG_TEXT_CHARS};
use crate::domain::field::PHONE_CHARS;
use crate::domain::{DesiredValue, FieldKind, FieldName, Reason, ReasonCode};
use serde_json::{Number, Value};

/// What happens to a text that is longer than the dialler's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooLong {
    /// It is cut, which is shown once. Numbers and UserData are never cut.
    #[default]
    Cut,
    /// The record is parked.
    Park,
}

impl TooLong {
    /// The names in the config.
    pub const NAMES: [&str; 2] = ["cut", "park"];

    /// The name in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Park => "park",
        }
    }

    /// Reads a name of the config.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "cut" => Some(Self::Cut),
            "park" => Some(Self::Park),
            _ => None,
        }
    }
}

/// How a route's values are fitted.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// Zone and country.
    pub options: Options,
    /// The form of numbers.
    pub phone_format: PhoneFormat,
    /// What happens to long texts.
    pub too_long: TooLong,
}

/// A fitted value, with what was lost on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Both halves.
    pub value: DesiredValue,
    /// The text was cut.
    pub cut: Option<Reason>,
}

impl Fitting {
    /// Fits `value` into `field`.
    ///
    /// Texts are trimmed; an empty one is null. Whole numbers, fractions (`12.5`; `3.0` as `3`) and
    /// truth values (`true`, `false`) become text where a text belongs.
    ///
    /// # Errors
    /// `BadPhone`, `BadValue` (wrong type), `TooLong` (by the route's choice, and always above a
    /// mebibyte). Reasons never hold the value.
    pub fn fit(&self, field: FieldName, value: &Value) -> Result<Fitted, Reason> {
        let bad =
            |problem: &str| Reason::new(ReasonCode::BadValue).with("field", field).with("problem", problem);
        let Some(text) = text::scalar(value) else {
            return Err(bad("a list or an object does not fit into a field"));
        };
        if text.len() > ABSURD_BYTES {
            let max = match field.spec().kind {
                FieldKind::Text(max) => max,
                FieldKind::Phone => PHONE_CHARS,
                FieldKind::LongText | FieldKind::Number | FieldKind::DateTime => LONG_TEXT_CHARS,
            };
            return Err(too_long(field.as_str(), &text, max));
        }
        if text.is_empty() {
            return Ok(Fitted { value: DesiredValue::empty(), cut: None });
        }
        let whole = |value| Ok(Fitted { value, cut: None });
        match field.spec().kind {
            FieldKind::Text(max) => self.text(field, &text, max),
            FieldKind::LongText => self.text(field, &text, LONG_TEXT_CHARS),
            FieldKind::Phone => {
                let number = e164_in(&text, self.options.country)
                    .ok_or_else(|| Reason::new(ReasonCode::BadPhone).with("field", field))?;
                let send = Value::from(self.phone_format.write(&number));
                whole(DesiredValue { crm: Value::from(number), send })
            }
            FieldKind::Number => match number(value, &text) {
                Some(number) => whole(DesiredValue::same(Value::Number(number))),
                None => Err(bad("it is no number")),
            },
            FieldKind::DateTime => {
                let instant = value
                    .as_str()
                    .and_then(|text| dates::parse(text, self.options.zone, chrono_tz::UTC))
                    .ok_or_else(|| bad("it is no date (2026-05-01 or 2026-05-01T10:00:00Z)"))?;
                whole(DesiredValue {
                    crm: Value::from(&*text),
                    send: Value::from(dates::dialler_form(&instant)),
                })
            }
        }
    }

    fn text(&self, field: FieldName, text: &str, max: usize) -> Result<Fitted, Reason> {
        // As many bytes as characters fit: then no counting is needed.
        if text.len() <= max || text.chars().count() <= max {
            return Ok(Fitted { value: DesiredValue::same(Value::from(text)), cut: None });
        }
        let reason = too_long(field.as_str(), text, max);
        match self.too_long {
            TooLong::Park => Err(reason),
            TooLong::Cut => {
                let cut: String = text.chars().take(max).collect();
                let value = DesiredValue { crm: Value::from(text), send: Value::from(cut.trim_end()) };
                Ok(Fitted { value, cut: Some(reason) })
            }
        }
    }
}

/// A number, or a text that is one in JSON's own writing (`12.50`); `1.234,56` is not guessed at.
fn number(value: &Value, text: &str) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(_) => match text.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+')) => {
                Number::from_f64(text.parse().ok()?)
            }
            Err(_) => None,
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Country;
    use super::*;
    use serde_json::json;

    fn fitting(too_long: TooLong) -> Fitting {
        let options = Options { zone: chrono_tz::Europe::Berlin, country: Country::parse("DE") };
        Fitting { options, phone_format: PhoneFormat::DigitsWithoutPlus, too_long }
    }

    fn fit(field: &str, value: Value) -> Result<(Value, Value), Reason> {
        fitting(TooLong::Cut)
            .fit(FieldName::parse(field).unwrap(), &value)
            .map(|fitted| (fitted.value.crm, fitted.value.send))
    }

    #[test]
    fn values_take_the_fields_type() {
        for (field, value, crm, send) in [
            ("Name", json!(" Anna "), json!("Anna"), json!("Anna")),
            ("Name", json!("  "), json!(null), json!(null)),
            ("Name", json!(12.0), json!("12"), json!("12")),
            ("Comment", json!(true), json!("true"), json!("true")),
            ("PhoneNumber1", json!("030 123456"), json!("+4930123456"), json!("4930123456")),
            ("PhoneNumber1", json!(4930123456i64), json!("+4930123456"), json!("4930123456")),
            ("PhoneNumber1", json!(null), json!(null), json!(null)),
            ("Amount", json!(12.5), json!(12.5), json!(12.5)),
            ("Amount", json!("12.50"), json!(12.5), json!(12.5)),
            ("Amount", json!(" 7 "), json!(7), json!(7)),
            ("Amount", json!(""), json!(null), json!(null)),
            (
                "dtEndDate",
                json!("2026-05-01 10:00:00"),
                json!("2026-05-01 10:00:00"),
                json!("2026-05-01T12:00:00"),
            ),
            ("dtEndDate", json!("2026-05-01"), json!("2026-05-01"), json!("2026-05-01T00:00:00")),
        ] {
            assert_eq!(fit(field, value.clone()), Ok((crm, send)), "{field} {value}");
        }
    }

    #[test]
    fn the_wrong_type_is_refused() {
        for (field, value, code) in [
            ("Name", json!(["a"]), ReasonCode::BadValue),
            ("PhoneNumber1", json!("12"), ReasonCode::BadPhone),
            ("PhoneNumber1", json!("0".repeat(40)), ReasonCode::BadPhone),
            ("Amount", json!("1.234,56"), ReasonCode::BadValue),
            ("Amount", json!("1e5"), ReasonCode::BadValue),
            ("Amount", json!(true), ReasonCode::BadValue),
            ("dtEndDate", json!("soon"), ReasonCode::BadValue),
            ("dtEndDate", json!(20260501), ReasonCode::BadValue),
        ] {
            let reason = fit(field, value.clone()).expect_err(field);
            assert_eq!(reason.code, code, "{field} {value}");
        }
    }

    #[test]
    fn long_texts_are_cut_or_parked() {
        let name = FieldName::parse("Name").unwrap();
        let long = json!("ä".repeat(63) + " b");
        let fitted = fitting(TooLong::Cut).fit(name, &long).unwrap();
        assert_eq!(fitted.value.send, json!("ä".repeat(63)));
        assert_eq!(fitted.value.crm, long);
        let reason = fitted.cut.unwrap();
        assert_eq!((&*reason.params["length"], &*reason.params["max"]), ("65", "64"));
        assert_eq!(fitting(TooLong::Park).fit(name, &long).unwrap_err(), reason);
        assert_eq!(fitting(TooLong::Park).fit(name, &json!("ä".repeat(64))).unwrap().cut, None);
    }

    #[test]
    fn an_absurd_text_is_refused_and_not_kept() {
        for field in ["Name", "Comment", "PhoneNumber1", "Amount", "dtEndDate"] {
            let reason = fit(field, json!("9".repeat(10_000_000))).unwrap_err();
            assert_eq!(reason.code, ReasonCode::TooLong, "{field}");
            assert!(reason.params_json().len() < 200);
        }
    }

    #[test]
    fn names_of_the_policy_are_read_back() {
        for name in TooLong::NAMES {
            assert_eq!(TooLong::parse(name).map(TooLong::as_str), Some(name));
        }
    }
}
