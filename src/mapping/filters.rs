//! The filters and tests an expression may use, and the one environment that has them.
//!
//! Not minijinja's own set: its text filters turn an empty value into the text `none`, its `default`
//! leaves an empty value as it is, and `attr` reads past the rule that a missing name is an error. Here
//! every filter leaves an empty value empty.

use super::analyse::TO_TEXT;
use super::builtins::{
    abs, capitalised, cut, default, element, float, int, is_null, join, length, map, replace, round,
    scalar_text, selectattr, split, text_filter, to_text,
};
use super::dates;
use super::numbers::{Country, e164_in};
use minijinja::value::{Kwargs, Object, ObjectRepr, Rest};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use std::sync::{Arc, LazyLock};

/// The filters, sorted.
pub const FILTERS: &[&str] = &[
    "abs",
    "capitalize",
    "cut",
    "date",
    "default",
    "digits",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "map",
    "phone",
    "replace",
    "round",
    "selectattr",
    "split",
    "string",
    "title",
    "trim",
    "upper",
];

/// The tests (`x is NAME`) beside `defined` and `undefined`, which are read by ourselves.
pub const TESTS: &[&str] = &[
    "boolean",
    "endingwith",
    "eq",
    "ge",
    "gt",
    "in",
    "le",
    "lt",
    "ne",
    "none",
    "number",
    "startingwith",
    "string",
];

/// The name under which a filter finds the route's settings; no reference of ours begins with it.
pub const OPTIONS: &str = "o";

/// Steps and bytes an evaluation may cost; a sensible expression needs some dozens.
const FUEL: u64 = 50_000;

/// The route's settings that filters need.
#[derive(Debug, Clone)]
pub struct Options {
    /// The dialler's zone.
    pub zone: chrono_tz::Tz,
    /// Where a number without a country code belongs.
    pub country: Option<Country>,
}

impl Object for Options {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// Failures that decide more than "the expression failed"; found again as a minijinja error's source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The record has no such name.
    #[error("the record has no {0}")]
    Missing(String),
    /// No valid phone number.
    #[error("no valid phone number")]
    BadPhone,
    /// The value does not fit the filter; the text never holds the value.
    #[error("{0}")]
    BadValue(&'static str),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::new(ErrorKind::InvalidOperation, failure.to_string()).with_source(failure)
    }
}

/// The environment of all expressions of all routes; a route's settings come with the values.
pub static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // Errors would otherwise carry all values of the record with them.
    env.set_debug(false);
    env.add_filter("lower", text_filter(|text| text.to_lowercase().into()));
    env.add_filter("upper", text_filter(|text| text.to_uppercase().into()));
    env.add_filter("title", text_filter(|text| minijinja::filters::title(text.into()).into()));
    env.add_filter("capitalize", text_filter(|text| capitalised(text).into()));
    env.add_filter("trim", text_filter(|text| text.trim().into()));
    env.add_filter("string", text_filter(|text| text.into()));
    env.add_filter(
        "digits",
        text_filter(|text| text.matches(|c: char| c.is_ascii_digit()).collect::<String>().into()),
    );
    env.add_filter("cut", cut);
    env.add_filter("replace", replace);
    env.add_filter("split", split);
    env.add_filter("join", join);
    env.add_filter("first", |value: &Value| element(value, false));
    env.add_filter("last", |value: &Value| element(value, true));
    env.add_filter("length", length);
    env.add_filter("default", default);
    env.add_filter("int", int);
    env.add_filter("float", float);
    env.add_filter("round", round);
    env.add_filter("abs", abs);
    env.add_filter("map", map);
    env.add_filter("selectattr", selectattr);
    env.add_filter("phone", phone);
    env.add_filter("date", date);
    env.add_filter(TO_TEXT, to_text);
    env.add_test("boolean", minijinja::tests::is_boolean);
    env.add_test("endingwith", minijinja::tests::is_endingwith);
    env.add_test("eq", minijinja::tests::is_eq);
    env.add_test("ge", minijinja::tests::is_ge);
    env.add_test("gt", minijinja::tests::is_gt);
    env.add_test("in", minijinja::tests::is_in);
    env.add_test("le", minijinja::tests::is_le);
    env.add_test("lt", minijinja::tests::is_lt);
    env.add_test("ne", minijinja::tests::is_ne);
    env.add_test("none", minijinja::tests::is_none);
    env.add_test("number", minijinja::tests::is_number);
    env.add_test("startingwith", minijinja::tests::is_startingwith);
    env.add_test("string", minijinja::tests::is_string);
    env.add_test("true", |value: &Value| value.is_true());
    env.add_test("false", |value: &Value| !value.is_true());
    env
}

fn options(state: &State<'_, '_>) -> Result<Options, Error> {
    let found = state.lookup(OPTIONS);
    found
        .as_ref()
        .and_then(Value::downcast_object_ref::<Options>)
        .cloned()
        .ok_or_else(|| Failure::BadValue("the route's settings are not at hand").into())
}

/// A number in any writing into E.164 with its plus; empty stays empty, anything else is an error.
fn phone(state: &State<'_, '_>, value: &Value, country: Option<&str>) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let country = match country {
        Some(code) => Some(Country::parse(code).ok_or(Failure::BadValue("phone: unknown country"))?),
        None => options(state)?.country,
    };
    let text = scalar_text(value)?;
    if text.trim().is_empty() {
        return Ok(Value::from(()));
    }
    e164_in(&text, country).map(Value::from).ok_or_else(|| Failure::BadPhone.into())
}

/// A CRM's time in the dialler's zone: with a pattern as that text, without one as ISO 8601 with the
/// offset, so that reading it again gives the same instant. `from='Europe/Berlin'` names the zone of
/// times that carry none (otherwise UTC).
fn date(state: &State<'_, '_>, value: &Value, rest: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    if is_null(value) || value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(Value::from(()));
    }
    let zone = options(state)?.zone;
    let naive_zone = match kwargs.get::<Option<&str>>("from")? {
        Some(name) => name.parse().map_err(|_| Failure::BadValue("date: unknown time zone"))?,
        None => chrono_tz::UTC,
    };
    kwargs.assert_all_used()?;
    let instant = value
        .as_str()
        .and_then(|text| dates::parse(text, zone, naive_zone))
        .ok_or(Failure::BadValue("it is no date (2026-05-01 or 2026-05-01T10:00:00Z)"))?;
    match rest.first() {
        None => Ok(instant.to_rfc3339().into()),
        Some(format) => {
            let format = format.as_str().filter(|format| dates::is_format(format));
            let format = format.ok_or(Failure::BadValue("date: unknown pattern"))?;
            Ok(instant.format(format).to_string().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(source: &str) -> Result<String, String> {
        let options = Options { zone: chrono_tz::Europe::Berlin, country: Country::parse("DE") };
        let context = Value::from_pairs([(OPTIONS, Value::from_object(options))]);
        let expression = ENVIRONMENT.compile_expression(source).map_err(|error| error.to_string())?;
        expression
            .eval(context)
            .map(|value| serde_json::to_string(&value).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_listed_name_is_there_and_sorted() {
        assert!(FILTERS.is_sorted() && TESTS.is_sorted());
        for name in FILTERS {
            let error = eval(&format!("none | {name}")).err().unwrap_or_default();
            assert!(!error.contains("unknown filter"), "{name}");
        }
        for name in TESTS {
            let error = eval(&format!("none is {name}")).err().unwrap_or_default();
            assert!(!error.contains("unknown test"), "{name}");
        }
    }

    #[test]
    fn empty_stays_empty() {
        for filter in [
            "lower",
            "upper",
            "title",
            "capitalize",
            "trim",
            "string",
            "digits",
            "cut(3)",
            "replace('a','b')",
            "split(',')",
            "join(',')",
            "first",
            "last",
            "int",
            "float",
            "round",
            "abs",
            "phone",
            "date",
            "date('%Y')",
        ] {
            assert_eq!(eval(&format!("none | {filter}")).as_deref(), Ok("null"), "{filter}");
        }
        assert_eq!(eval("none | length").as_deref(), Ok("0"));
        assert_eq!(eval("none | t").as_deref(), Ok("\"\""));
    }

    #[test]
    fn filters_do_what_they_say() {
        for (source, expected) in [
            ("'ÄB' | lower", "\"äb\""),
            ("'anna maria' | title", "\"Anna Maria\""),
            ("'aNNA' | capitalize", "\"Anna\""),
            ("'Größe' | cut(3)", "\"Grö\""),
            ("'+49 (0)30' | digits", "\"49030\""),
            ("['a', none, ' ', 'b', 3.0] | join('-')", "\"a-b-3\""),
            ("'a,b' | split(',') | last", "\"b\""),
            ("[] | first", "null"),
            ("'' | default('x')", "\"x\""),
            ("0 | default('x')", "0"),
            ("'12' | int", "12"),
            ("12.9 | int", "12"),
            ("'1.5' | float", "1.5"),
            ("2.5 | round", "3"),
            ("2.345 | round(2)", "2.35"),
            ("-3 | abs", "3"),
            ("'030 123456' | phone", "\"+4930123456\""),
            ("'01 4567890' | phone('AT')", "\"+4314567890\""),
            ("'2026-05-01 10:00:00' | date('%d.%m.%Y %H:%M')", "\"01.05.2026 12:00\""),
            ("'2026-05-01 10:00:00' | date", "\"2026-05-01T12:00:00+02:00\""),
            ("'2026-05-01 10:00:00' | date(from='Europe/Berlin')", "\"2026-05-01T10:00:00+02:00\""),
            ("'x' | date | default(1) if false else 'no'", "\"no\""),
        ] {
            assert_eq!(eval(source).as_deref(), Ok(expected), "{source}");
        }
        for source in
            ["'12a' | phone", "'soon' | date", "'1' | phone('XX')", "'a' | int", "[1] | upper", "1/0 | int"]
        {
            assert!(eval(source).is_err(), "{source}");
        }
    }

    #[test]
    fn fuel_ends_what_does_not_end() {
        assert!(eval("('x' * 100000000) | length").is_err());
    }
}
