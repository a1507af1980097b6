//! What a key may hold, and the exact check of it.

use super::{Setting, duration};
use crate::domain::hold::{COOL_OFF_EXPECTED, CoolOff};
use std::collections::BTreeMap;
use std::time::Duration;

/// A value as a file wrote it. No coercion happens on the way here or from here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawValue {
    Text(String),
    Integer(i64),
    Number(f64),
    Bool(bool),
    List(Vec<RawValue>),
    /// A table of texts under names of the user's.
    Texts(BTreeMap<String, Setting<String>>),
    /// A date, a nested table: what no key takes. Only its kind is kept, for the error text.
    Other(&'static str),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in a range.
    Integer(i64, i64),
    /// A number in a range, with or without a fraction.
    Number(f64, f64),
    /// `true` or `false`.
    Bool,
    /// A span of time in a range, in seconds.
    Duration(u64, u64),
    /// A list of spans of time in a range, in seconds; at least one.
    Durations(u64, u64),
    /// A list of texts, none of them empty.
    TextList,
    /// A text, or a list of two (a secret that is being rotated).
    OneOrTwo,
    /// A name (text) or a number.
    NameOrNumber,
    /// A table of texts under names of the user's.
    Texts,
    /// The same, each a word or a list of words (read as one text, with commas).
    Words,
    /// The same, each a path or a list of paths (read as one text, a path a line).
    Paths,
    /// For how long people are left alone after a final result.
    CoolOff,
}

/// Whether a key must stand somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The compiled-in defaults hold it.
    Default,
    /// It may be left out.
    Optional,
    /// Nobody can guess it: some file or the environment must give it.
    Required,
}

/// A key of a section.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeySpec {
    /// Its name, in snake_case: the environment knows no capitals.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
}

/// A section of the config.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SectionSpec {
    /// `dialler`; for `[route.NAME]` just `route`.
    pub name: &'static str,
    /// Whether its tables bear names of the user's (`[route.NAME]`).
    pub named: bool,
    /// Its keys.
    pub keys: &'static [KeySpec],
}

/// A campaign, by whichever of the two the user knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOrNumber {
    /// By name.
    Name(String),
    /// By number.
    Number(i64),
}

impl RawValue {
    /// How it reads in an error text.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => {
                let cut: String = text.chars().take(60).collect();
                let dots = if cut.len() < text.len() { "..." } else { "" };
                format!("the text {cut:?}{dots}")
            }
            Self::Integer(number) => format!("the whole number {number}"),
            Self::Number(number) => format!("the number {number:?}"),
            Self::Bool(flag) => format!("{flag}"),
            Self::List(list) => format!("a list of {}", list.len()),
            Self::Texts(_) => "a table".into(),
            Self::Other(what) => format!("a {what}"),
        }
    }

    /// Only its type, for keys whose value may be a secret.
    pub(super) fn shown_without_value(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "an empty text",
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::List(list) => return format!("a list of {}", list.len()),
            Self::Texts(_) => "a table",
            Self::Other(what) => return format!("a {what}"),
        }
        .to_owned()
    }
}

impl KeySpec {
    /// How a wrong value of this key is shown: a token pasted where its file's name belongs, or an
    /// address with a password in it, must not end in a log.
    pub(super) fn shown(&self, value: &RawValue) -> String {
        let secretive = ["token", "key", "cert", "url", "proxy", "secret"];
        if secretive.iter().any(|word| self.name.contains(word)) {
            value.shown_without_value()
        } else {
            value.shown()
        }
    }
}

impl Kind {
    /// Whether `value` is of this kind and in range; no coercion.
    pub(super) fn accepts(self, value: &RawValue) -> bool {
        let span = |text: &str, least: u64, most: u64| {
            duration::parse(text).is_some_and(|span| (least..=most).contains(&span.as_secs()))
        };
        match (self, value) {
            (Self::Text | Self::OneOrTwo | Self::NameOrNumber, RawValue::Text(text)) => {
                !text.trim().is_empty()
            }
            (Self::Choice(words), RawValue::Text(text)) => words.contains(&text.as_str()),
            (Self::Integer(least, most), RawValue::Integer(number)) => (least..=most).contains(number),
            (Self::Number(least, most), RawValue::Number(number)) => (least..=most).contains(number),
            // A whole number below 2^53 loses nothing as a float.
            (Self::Number(least, most), RawValue::Integer(number)) => {
                number.unsigned_abs() < 1 << 53 && (least..=most).contains(&(*number as f64))
            }
            (Self::Bool, RawValue::Bool(_)) => true,
            (Self::Duration(least, most), RawValue::Text(text)) => span(text, least, most),
            (Self::Durations(least, most), RawValue::List(list)) => {
                !list.is_empty()
                    && list.iter().all(|item| matches!(item, RawValue::Text(text) if span(text, least, most)))
            }
            (Self::OneOrTwo, RawValue::List(list)) => {
                (1..=2).contains(&list.len())
                    && list.iter().all(|item| matches!(item, RawValue::Text(text) if !text.trim().is_empty()))
            }
            (Self::TextList, RawValue::List(list)) => {
                list.iter().all(|item| matches!(item, RawValue::Text(text) if !text.trim().is_empty()))
            }
            (Self::NameOrNumber, RawValue::Integer(number)) => *number > 0,
            (Self::Texts | Self::Words | Self::Paths, RawValue::Texts(_)) => true,
            (Self::CoolOff, RawValue::Text(text)) => text.parse::<CoolOff>().is_ok(),
            _ => false,
        }
    }

    /// Whether it is a table whose names are the user's.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Texts | Self::Words | Self::Paths)
    }

    /// What would be right.
    pub(super) fn expected(self) -> String {
        let spans = |least, most| {
            let [least, most] = [least, most].map(|seconds| duration::write(Duration::from_secs(seconds)));
            format!("from {least} to {most}")
        };
        match self {
            Self::Text => "a text that is not empty, in quotes".into(),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Integer(least, most) => format!("a whole number from {least} to {most}, without quotes"),
            Self::Number(least, most) => format!("a number from {least} to {most}, without quotes"),
            Self::Bool => "true or false, without quotes".into(),
            Self::Duration(least, most) => format!("{}, {}", duration::EXPECTED, spans(least, most)),
            Self::Durations(least, most) => {
                format!("a list of spans of time such as [\"1m\", \"2h\"], each {}", spans(least, most))
            }
            Self::TextList => "a list of texts such as [\"one\", \"another\"], none of them empty".into(),
            Self::OneOrTwo => "the path of a file in quotes, or a list of two such paths".into(),
            Self::NameOrNumber => "a name in quotes, or a number above 0".into(),
            Self::Texts => "a table of texts (Name = \"expression\")".into(),
            Self::Words => "a table of words, or of lists of words (name = [\"one\", \"another\"])".into(),
            Self::Paths => "a table of paths, or of lists of paths (name = [\"/one\", \"/another\"])".into(),
            Self::CoolOff => COOL_OFF_EXPECTED.into(),
        }
    }

    /// Reads the text of an environment variable as this kind; `None` where it is none.
    ///
    /// Lists are not for the environment; `token_file` takes one path there.
    pub(super) fn parse_variable(self, text: &str) -> Option<RawValue> {
        let value = match self {
            Self::Text | Self::Choice(_) | Self::Duration(..) | Self::OneOrTwo | Self::CoolOff => {
                RawValue::Text(text.to_owned())
            }
            Self::Integer(..) => RawValue::Integer(text.parse().ok()?),
            Self::Number(..) => RawValue::Number(text.parse().ok()?),
            Self::Bool => RawValue::Bool(text.parse().ok()?),
            // In a variable `2811` could be either; the number is what a script means.
            Self::NameOrNumber => match text.parse() {
                Ok(number) => RawValue::Integer(number),
                Err(_) => RawValue::Text(text.to_owned()),
            },
            Self::Durations(..) | Self::TextList | Self::Texts | Self::Words | Self::Paths => return None,
        };
        self.accepts(&value).then_some(value)
    }
}

/// Takes a checked value out of its raw form; `None` only for a kind that the key does not take.
pub(super) trait FromRaw: Sized {
    fn from_raw(value: &RawValue) -> Option<Self>;
}

impl FromRaw for String {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromRaw for u32 {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Integer(number) => Self::try_from(*number).ok(),
            _ => None,
        }
    }
}

impl FromRaw for f64 {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Number(number) => Some(*number),
            RawValue::Integer(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl FromRaw for bool {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl FromRaw for Duration {
    fn from_raw(value: &RawValue) -> Option<Self> {
        String::from_raw(value).and_then(|text| duration::parse(&text))
    }
}

impl FromRaw for NameOrNumber {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Text(text) => Some(Self::Name(text.clone())),
            RawValue::Integer(number) => Some(Self::Number(*number)),
            _ => None,
        }
    }
}

impl FromRaw for BTreeMap<String, Setting<String>> {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::Texts(texts) => Some(texts.clone()),
            _ => None,
        }
    }
}

impl<T: FromRaw> FromRaw for Vec<T> {
    fn from_raw(value: &RawValue) -> Option<Self> {
        match value {
            RawValue::List(list) => list.iter().map(T::from_raw).collect(),
            one => T::from_raw(one).map(|one| vec![one]),
        }
    }
}

/// Settings by key: dotted (`route.leads.pull`) in a layer, plain (`pull`) in one table.
pub(super) type Leaves = BTreeMap<String, Setting<RawValue>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_coerced() {
        let port = Kind::Integer(1, 65_535);
        assert!(port.accepts(&RawValue::Integer(8080)));
        for wrong in [
            RawValue::Number(1.9),
            RawValue::Text("8080".into()),
            RawValue::Bool(true),
            RawValue::Integer(99_999),
            RawValue::Integer(-1),
        ] {
            assert!(!port.accepts(&wrong), "{wrong:?}");
        }
        assert!(!Kind::Text.accepts(&RawValue::Integer(12_345)));
        assert!(!Kind::Bool.accepts(&RawValue::Text("yes".into())));
        assert!(!Kind::Duration(1, 60).accepts(&RawValue::Integer(30)));
    }

    #[test]
    fn ranges_hold_at_both_ends() {
        let kind = Kind::Duration(60, 3_600);
        for (text, right) in [("59s", false), ("1m", true), ("1h", true), ("3601s", false)] {
            assert_eq!(kind.accepts(&RawValue::Text(text.into())), right, "{text}");
        }
        assert!(Kind::Number(0.1, 10.0).accepts(&RawValue::Integer(10)));
        assert!(!Kind::Number(0.1, 10.0).accepts(&RawValue::Number(f64::NAN)));
    }

    #[test]
    fn a_list_of_texts_is_a_list_also_where_it_is_one() {
        let list = |items: &[&str]| {
            RawValue::List(items.iter().map(|item| RawValue::Text((*item).into())).collect())
        };
        assert!(
            Kind::TextList.accepts(&list(&[])) && Kind::TextList.accepts(&list(&["DO_NOT_CALL", "538/5383"]))
        );
        let number = RawValue::List(vec![RawValue::Integer(5383)]);
        for wrong in [RawValue::Text("DO_NOT_CALL".into()), list(&["DO_NOT_CALL", " "]), number] {
            assert!(!Kind::TextList.accepts(&wrong), "{wrong:?}");
        }
        assert_eq!(Kind::TextList.parse_variable("[\"DO_NOT_CALL\"]"), None);
    }

    #[test]
    fn a_secret_pasted_into_the_config_is_not_shown() {
        let key = KeySpec { name: "token_file", kind: Kind::OneOrTwo, need: Need::Required };
        assert!(!key.shown(&RawValue::Integer(123_456)).contains("123456"));
    }
}
