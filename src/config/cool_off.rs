//! `cool_off = { days = 90, after = ["abort"], across = "client" }`: read into the one text it also has in the environment.

use super::kind::{FromRaw, RawValue};
use crate::domain::hold::CoolOff;
use toml::de::{DeTable, DeValue};

/// The table as one text; `None` where it says anything else.
pub(super) fn in_one_text(table: &DeTable<'_>) -> Option<String> {
    let (mut days, mut after) = (None, "abort".to_owned());
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("days", DeValue::Integer(number)) => days = Some(number.as_str().to_owned()),
            ("after", DeValue::Array(words)) => {
                let words: Option<Vec<&str>> = words.iter().map(|word| word.get_ref().as_str()).collect();
                after = words?.join(",");
            }
            // Blocks know no wider reach, and results no narrower one.
            ("across", DeValue::String(across)) if across == "client" => {}
            _ => return None,
        }
    }
    Some(format!("{} days after {after}", days?))
}

impl FromRaw for CoolOff {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
