//! How values that are no texts are written where a text belongs, and how long a text may be.

use serde_json::Value;
use std::borrow::Cow;

/// A text longer than this (in bytes) is never processed, whatever the route says about cutting.
pub const ABSURD_BYTES: usize = 1 << 20;

/// The bound for the dialler's texts "without a limit", in characters (the largest text of a MySQL
/// `TEXT` column; the API page names none).
pub const LONG_TEXT_CHARS: usize = 65_535;

/// A truth value's text.
pub fn truthy_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// A number's text: a fraction that is a whole number loses its `.0` (CRMs write amounts as `1200.0`).
pub fn number_text(written: &str) -> &str {
    written.strip_suffix(".0").unwrap_or(written)
}

/// A scalar's text, trimmed; `None` for lists and objects. Empty for null.
pub fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => Some(Cow::Borrowed("")),
        Value::Bool(truth) => Some(Cow::Borrowed(truthy_text(*truth))),
        Value::Number(number) => Some(Cow::Owned(number_text(&number.to_string()).to_owned())),
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a condition with this result holds: null, false, 0, an empty text and an empty list do not.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_have_a_text() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(true), "true"),
            (json!(12), "12"),
            (json!(1200.0), "1200"),
            (json!(12.5), "12.5"),
            (json!("  a b "), "a b"),
        ] {
            assert_eq!(scalar(&value).as_deref(), Some(expected));
        }
        assert_eq!(scalar(&json!([1])), None);
    }

    #[test]
    fn what_is_empty_is_not_true() {
        for value in [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!([]), json!({})] {
            assert!(!is_true(&value), "{value}");
        }
        for value in [json!(true), json!(-1), json!(0.1), json!("false"), json!(" "), json!([null])] {
            assert!(is_true(&value), "{value}");
        }
    }
}
