//! One expression of a route: compiled when the config is read, evaluated per record.
//!
//! A plain reference (`name`, `parent.name`) and a reference through `phone` never enter minijinja.

use super::analyse::{Analysis, Fault, GUARD, TEXT, TODAY, VALUE, analyse};
use super::builtins::scalar_text;
use super::filters::{ENVIRONMENT, Failure, OPTIONS, Options};
use super::numbers::{Country, e164_in};
use super::path::Path;
use super::text::{self, ABSURD_BYTES};
use super::tree::to_minijinja;
use crate::domain::{Reason, ReasonCode, Record};
use chrono::NaiveDate;
use minijinja::value::{Enumerator, Object, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::Arc;

/// The longest expression that is read.
const MAX_SOURCE_BYTES: usize = 4096;

/// What an error's text may show of a failed expression.
const MAX_PROBLEM_CHARS: usize = 200;

/// An expression with its name in the route.
#[derive(Debug)]
pub struct Expression {
    /// `only_if`, `block_if` or the dialler field.
    pub label: String,
    /// As the config has it.
    pub source: String,
    /// The references to the record, in order.
    pub paths: Arc<[Path]>,
    /// Whether it asks for the day.
    pub uses_today: bool,
    program: Program,
}

#[derive(Debug)]
enum Program {
    /// The value of the only reference.
    Path,
    /// The number in the only reference.
    Phone(Option<Country>),
    /// Everything else.
    General(Box<minijinja::Expression<'static, 'static>>),
}

/// What an expression is evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'r> {
    /// The record.
    pub record: &'r Record,
    /// The day in the route's zone.
    pub today: NaiveDate,
    /// The route's settings, as a value that costs nothing to clone.
    pub options: &'r Value,
}

impl Expression {
    /// The record's field whose value this is, where it is nothing but that (or the number in it).
    pub fn plain_name(&self) -> Option<&str> {
        match self.program {
            Program::Path | Program::Phone(_) => {
                self.paths.first().filter(|path| path.is_plain()).map(Path::root)
            }
            Program::General(_) => None,
        }
    }

    /// Compiles `source`; with it comes the analysis, for checks that depend on where it stands.
    ///
    /// # Errors
    /// All that cannot work in it.
    pub fn compile(label: &str, source: &str, options: &Options) -> Result<(Self, Analysis), Vec<Fault>> {
        if source.len() > MAX_SOURCE_BYTES {
            let given = format!("an expression of {} bytes", source.len());
            return Err(vec![Fault {
                given,
                expected: format!("at most {MAX_SOURCE_BYTES} bytes"),
                remedy: None,
            }]);
        }
        if let Err(error) = ENVIRONMENT.compile_expression(source) {
            return Err(vec![syntax_fault(source, &error)]);
        }
        let mut analysis = analyse(source);
        if !analysis.faults.is_empty() {
            return Err(std::mem::take(&mut analysis.faults));
        }
        let program = if analysis.is_path {
            Program::Path
        } else if analysis.is_phone {
            let code = analysis.filters.first().and_then(|filter| filter.text.as_deref());
            Program::Phone(code.map_or(options.country, Country::parse))
        } else {
            let compiled = ENVIRONMENT.compile_expression_owned(analysis.rewritten.clone());
            Program::General(Box::new(compiled.map_err(|error| vec![syntax_fault(source, &error)])?))
        };
        let expression = Self {
            label: label.to_owned(),
            source: source.to_owned(),
            paths: analysis.paths.clone().into(),
            uses_today: analysis.uses_today,
            program,
        };
        Ok((expression, analysis))
    }

    /// The value for a record.
    ///
    /// # Errors
    /// `MissingName` where a name that is needed is not in the record, `BadPhone`, `TooLong` for an
    /// absurdly long input, `BadValue` and `ExpressionFailed` for the rest.
    pub fn evaluate<'r>(&self, inputs: &Inputs<'r>) -> Result<Cow<'r, Json>, Reason> {
        match (&self.program, &*self.paths) {
            (Program::Path, [path]) => path.find(inputs.record).map_err(|_| self.missing(&path.to_string())),
            (Program::Phone(country), [path]) => {
                let value = path.find(inputs.record).map_err(|_| self.missing(&path.to_string()))?;
                self.phone(&value, *country).map(Cow::Owned)
            }
            (Program::General(program), _) => self.general(program, inputs).map(Cow::Owned),
            (Program::Path | Program::Phone(_), _) => Err(self.failed("it is no single reference")),
        }
    }

    /// The references that a record does not carry.
    pub fn missing_in(&self, record: &Record) -> Vec<String> {
        self.paths.iter().filter(|path| path.find(record).is_err()).map(ToString::to_string).collect()
    }

    fn phone(&self, value: &Json, country: Option<Country>) -> Result<Json, Reason> {
        let Some(text) = text::scalar(value) else {
            return Err(self.bad_value("a list or an object has no text"));
        };
        if text.is_empty() {
            return Ok(Json::Null);
        }
        e164_in(&text, country).map(Json::from).ok_or_else(|| self.bad_phone())
    }

    fn general(
        &self,
        program: &minijinja::Expression<'static, 'static>,
        inputs: &Inputs<'_>,
    ) -> Result<Json, Reason> {
        let values = self.paths.iter().map(|path| self.input(path, inputs)).collect::<Result<_, _>>()?;
        let scope = Scope {
            values,
            paths: Arc::clone(&self.paths),
            today: inputs.today,
            options: inputs.options.clone(),
        };
        let result = program.eval(Value::from_object(scope)).map_err(|error| self.reason(&error))?;
        self.json(&result)
    }

    /// A reference's value; `None` if the record has none, which is an error only where it is used.
    fn input(&self, path: &Path, inputs: &Inputs<'_>) -> Result<Option<Value>, Reason> {
        let Ok(value) = path.find(inputs.record) else { return Ok(None) };
        match value.as_str() {
            Some(text) if text.len() > ABSURD_BYTES => Err(too_long(&path.to_string(), text, ABSURD_BYTES)),
            Some(_) | None => Ok(Some(to_minijinja(&value, &path.to_string()))),
        }
    }

    fn json(&self, value: &Value) -> Result<Json, Reason> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
            ValueKind::Bool => Ok(Json::Bool(value.is_true())),
            ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
            ValueKind::Number => match value.as_i64().filter(|_| value.is_integer()) {
                Some(whole) => Ok(Json::from(whole)),
                None => f64::try_from(value.clone())
                    .ok()
                    .and_then(serde_json::Number::from_f64)
                    .map(Json::Number)
                    .ok_or_else(|| self.bad_value("the result is no number that can be written")),
            },
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
                serde_json::to_value(value).map_err(|_| self.bad_value("the result cannot be written"))
            }
            _ => Err(self.bad_value("the result is no value")),
        }
    }

    fn reason(&self, error: &Error) -> Reason {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(this) = cause {
            match this.downcast_ref::<Failure>() {
                Some(Failure::Missing(name)) => return self.missing(name),
                Some(Failure::BadPhone) => return self.bad_phone(),
                Some(Failure::BadValue(problem)) => return self.bad_value(problem),
                None => cause = this.source(),
            }
        }
        if error.kind() == ErrorKind::OutOfFuel {
            return self.failed("it takes too many steps or too long texts");
        }
        // The kind alone where there is no detail: an error's Display adds a place that says nothing.
        self.failed(error.detail().unwrap_or(&error.kind().to_string()))
    }

    fn missing(&self, name: &str) -> Reason {
        Reason::new(ReasonCode::MissingName).with("key", &self.label).with("name", name)
    }

    fn bad_phone(&self) -> Reason {
        Reason::new(ReasonCode::BadPhone).with("field", &self.label)
    }

    fn bad_value(&self, problem: &str) -> Reason {
        Reason::new(ReasonCode::BadValue).with("field", &self.label).with("problem", problem)
    }

    fn failed(&self, problem: &str) -> Reason {
        let problem: String = problem.chars().take(MAX_PROBLEM_CHARS).collect();
        Reason::new(ReasonCode::ExpressionFailed).with("key", &self.label).with("problem", problem)
    }
}

/// The reason for a text that does not fit; never holds the text.
pub fn too_long(field: &str, text: &str, max: usize) -> Reason {
    Reason::new(ReasonCode::TooLong)
        .with("field", field)
        .with("length", text.chars().count())
        .with("max", max)
}

fn syntax_fault(source: &str, error: &Error) -> Fault {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Fault {
        given: format!("{source} cannot be read: {detail}"),
        expected: "an expression such as  name,  first ~ ' ' ~ last,  phone | phone('DE')".to_owned(),
        remedy: source.contains("{{").then(|| "Write the expression without {{ and }}.".to_owned()),
    }
}

/// The variables of one evaluation.
#[derive(Debug)]
struct Scope {
    values: Vec<Option<Value>>,
    paths: Arc<[Path]>,
    today: NaiveDate,
    options: Value,
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            TODAY => return Some(Value::from(self.today.to_string())),
            OPTIONS => return Some(self.options.clone()),
            _ => {}
        }
        let mut rest = key.chars();
        let kind = rest.next()?;
        let number: usize = rest.as_str().parse().ok()?;
        let value = self.values.get(number)?;
        match (kind, value) {
            (GUARD, value) => Some(Value::from(value.is_some())),
            (VALUE, Some(value)) => Some(value.clone()),
            (TEXT, Some(value)) if value.as_str().is_some() => Some(value.clone()),
            (TEXT, Some(value)) => Some(scalar_text(value).map_or_else(Value::from, Value::from)),
            // An invalid value fails the evaluation at the moment it is looked up: nothing can read it
            // as false, not even a comparison.
            (VALUE | TEXT, None) => {
                Some(Error::from(Failure::Missing(self.paths[number].to_string())).into())
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordId;
    use serde_json::json;

    fn options() -> Options {
        Options { zone: chrono_tz::Europe::Berlin, country: Country::parse("DE") }
    }

    fn evaluate(source: &str) -> Result<Json, Reason> {
        let Json::Object(fields) = json!({
            "name": "Anna", "empty": null, "no": false, "yes": true, "n": 3, "x": 2.5, "whole": 3.0,
            "phone": "030 123456", "parent": {"name": "P", "tags": ["a", "b"]}, "country_id": [49, "Germany"],
            "numbers": [{"type": "work", "no": "1"}, {"type": "home", "no": "2"}], "until": "2026-05-01",
            "long": "x".repeat(ABSURD_BYTES + 1),
        }) else {
            unreachable!()
        };
        let record = Record { id: RecordId::from("42"), modified: None, deleted: false, fields };
        let (expression, _) = Expression::compile("key", source, &options()).expect("compiles");
        let options = Value::from_object(options());
        let today = NaiveDate::from_ymd_opt(2026, 4, 1).unwrap();
        expression.evaluate(&Inputs { record: &record, today, options: &options }).map(Cow::into_owned)
    }

    #[test]
    fn values_keep_their_type() {
        for (source, expected) in [
            ("name", json!("Anna")),
            ("n + 1", json!(4)),
            ("x * 2", json!(5.0)),
            ("not yes", json!(false)),
            ("empty or name", json!("Anna")),
            ("name if no", json!(null)),
            ("parent.name ~ '!'", json!("P!")),
            ("country_id[1]", json!("Germany")),
            ("empty[1] or 'x'", json!("x")),
            ("'b' in parent.tags", json!(true)),
            ("parent.tags", json!(["a", "b"])),
            ("[parent.tags, n]", json!([["a", "b"], 3])),
            ("numbers | selectattr('type', 'eq', 'home') | map(attribute='no') | first", json!("2")),
            ("numbers[n - 3].no", json!("1")),
            ("id", json!(42)),
            ("'https://x/' ~ id", json!("https://x/42")),
            ("name ~ ' ' ~ empty", json!("Anna ")),
            ("empty|upper ~ whole ~ (no) ~ yes", json!("3falsetrue")),
            ("phone | phone('DE')", json!("+4930123456")),
            ("phone | phone", json!("+4930123456")),
            ("(empty | phone) or phone | phone", json!("+4930123456")),
            ("until >= today", json!(true)),
            ("until | date('%d.%m.') ~ today", json!("01.05.2026-04-01")),
            ("null is none", json!(true)),
        ] {
            assert_eq!(evaluate(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_name_the_record_does_not_carry_is_never_false() {
        for source in [
            "gone",
            "not gone",
            "gone == true",
            "gone != 'x'",
            "name and gone",
            "no or gone",
            "gone | default('x')",
            "gone is none",
            "gone in ['a']",
            "'x' ~ gone",
            "gone | phone('DE')",
            "[gone] | join",
            "gone.further",
            "parent.gone == 1",
            "name.part",
            "(parent).gone == 1",
            "numbers | map(attribute='gone') | join",
            "numbers[n - 3].gone == 1",
            "numbers | selectattr('gone', 'ne', 'x') | length",
            "{'a': gone}",
            "numbers[gone]",
        ] {
            let reason = evaluate(source).expect_err(source);
            assert_eq!(reason.code, ReasonCode::MissingName, "{source}: {reason}");
            assert!(reason.params["name"].contains("gone") || source == "name.part", "{source}: {reason}");
            assert_eq!(reason.params["key"], "key");
        }
    }

    #[test]
    fn what_is_not_looked_at_does_not_matter() {
        for (source, expected) in [
            ("yes or gone", true),
            ("no and gone", false),
            ("gone is defined", false),
            ("gone is not defined", true),
            ("parent.gone is undefined", true),
            ("gone.further is defined", false),
            ("empty is defined", true),
            ("gone is defined and gone == 1", false),
            ("yes if yes else gone", true),
        ] {
            assert_eq!(evaluate(source), Ok(json!(expected)), "{source}");
        }
    }

    #[test]
    fn failures_have_their_reason() {
        for (source, code) in [
            ("name | phone('DE')", ReasonCode::BadPhone),
            ("empty or name | phone('DE')", ReasonCode::BadPhone),
            ("name | date", ReasonCode::BadValue),
            ("name ~ parent", ReasonCode::BadValue),
            ("name + 1", ReasonCode::ExpressionFailed),
            ("long | upper", ReasonCode::TooLong),
            ("'x' * 100000000", ReasonCode::ExpressionFailed),
            ("parent | phone", ReasonCode::BadValue),
            ("1 / 0", ReasonCode::ExpressionFailed),
        ] {
            let reason = evaluate(source).expect_err(source);
            assert_eq!(reason.code, code, "{source}: {reason}");
            assert!(reason.params_json().len() < 500);
        }
    }

    #[test]
    fn syntax_errors_are_found_when_compiled() {
        for (source, part) in
            [("a +", "cannot be read"), ("{{ a }}", "cannot be read"), ("", "cannot be read")]
        {
            let faults = Expression::compile("key", source, &options()).err().unwrap();
            assert!(faults[0].given.contains(part), "{faults:?}");
        }
        let long = "a".repeat(MAX_SOURCE_BYTES + 1);
        assert!(Expression::compile("key", &long, &options()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_source_is_compiled_or_refused(source in "[a-z'()|~.\\[\\]0-9 =!<>+*/{}:,-]{0,40}|(a|b\\.c|is|not|defined|~|\\||upper|phone|'x'|\\(|\\)|or|if|else| ){0,12}") {
            let _outcome = Expression::compile("key", &source, &options());
        }
    }
}
