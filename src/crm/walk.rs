//! Walks a connector file's TOML with its positions and notes every mistake instead of stopping at
//! the first.
//!
//! Not serde with `deny_unknown_fields`: that gives up at the first mistake, and an administrator
//! who writes a connector wants all of them at once.

use crate::domain::suggest;
use crate::domain::{Place, Problem};
use serde_json::Value;
use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a span of time looks like, for error texts.
const DURATION: &str = "a span of time such as \"500ms\", \"90s\", \"15m\", \"2h\" or \"7d\"";

/// The mistakes found so far, and the text their lines are counted in.
pub(super) struct Notes<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Notes<'a> {
    pub fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// The line, from 1, in which a byte stands.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset.min(self.text.len())).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    pub fn add(&self, problem: Problem, span: Option<&Range<usize>>) {
        self.add_below(problem, span, 0);
    }

    /// Notes a mistake so many lines below the beginning of `span` (inside a text of several lines).
    pub fn add_below(&self, problem: Problem, span: Option<&Range<usize>>, lines: usize) {
        let line = span.map(|span| self.line(span.start) + lines);
        let place = Place { file: self.file.to_owned(), line };
        self.problems.borrow_mut().push(problem.at(place));
    }

    /// Everything noted, in the order of the file.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.place.as_ref().and_then(|place| place.line));
        problems
    }
}

/// One value with its key and place, for checks that need more than its type.
#[derive(Clone)]
pub(super) struct At<T> {
    pub key: String,
    pub span: Range<usize>,
    pub value: T,
}

/// A table being read; [`Self::done`] reports the keys nobody asked for.
pub(super) struct Section<'n, 'd> {
    pub notes: &'n Notes<'n>,
    path: String,
    span: Range<usize>,
    table: &'d DeTable<'d>,
    known: RefCell<Vec<&'static str>>,
}

impl<'n, 'd> Section<'n, 'd> {
    pub fn new(notes: &'n Notes<'n>, path: String, span: Range<usize>, table: &'d DeTable<'d>) -> Self {
        Self { notes, path, span, table, known: RefCell::default() }
    }

    /// The dotted name of a key in this table.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn wrong(
        &self,
        key: &str,
        span: &Range<usize>,
        given: impl Into<String>,
        expected: impl Into<String>,
    ) {
        self.notes.add(Problem::new(self.key(key), given, expected), Some(span));
    }

    pub fn missing(&self, key: &str, expected: &str) {
        self.contradicts(key, "it is missing", expected);
    }

    /// Notes what the table as a whole says wrong.
    pub fn contradicts(&self, key: &str, given: &str, expected: &str) {
        self.notes.add(Problem::new(self.key(key), given, expected), Some(&self.span));
    }

    fn get(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<At<T>> {
        let found = self.get(key)?;
        let span = found.span();
        if let Some(value) = read(found.get_ref()) {
            return Some(At { key: self.key(key), span, value });
        }
        self.wrong(key, &span, shown(found.get_ref()), expected);
        None
    }

    pub fn text(&self, key: &'static str, expected: &str) -> Option<At<String>> {
        self.typed(key, expected, |value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// As [`Self::text`], the empty text included.
    pub fn any_text(&self, key: &'static str, expected: &str) -> Option<At<String>> {
        self.typed(key, expected, |value| value.as_str().map(str::to_owned))
    }

    /// Whether the text at `span` stands in quotes that are followed by a new line.
    pub fn begins_with_newline(&self, span: &Range<usize>) -> bool {
        let source = self.notes.text.get(span.clone()).unwrap_or_default();
        source.trim_start_matches(['\'', '"', '\r']).starts_with('\n')
    }

    pub fn required(&self, key: &'static str, expected: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.missing(key, expected);
        }
        self.text(key, expected)
    }

    pub fn flag(&self, key: &'static str) -> Option<At<bool>> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    pub fn number(&self, key: &'static str, expected: &str, range: Range<u64>) -> Option<At<u64>> {
        self.typed(key, expected, |value| {
            let number = value.as_integer()?;
            let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    pub fn duration(&self, key: &'static str) -> Option<At<Duration>> {
        self.typed(key, DURATION, |value| parse_duration(value.as_str()?))
    }

    /// One of the names; the others are listed where it is none of them.
    pub fn choice<T: Copy>(&self, key: &'static str, names: &[(&'static str, T)]) -> Option<At<T>> {
        let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", all.join(", "));
        let text = self.text(key, &expected)?;
        match names.iter().find(|(name, _)| *name == text.value) {
            Some((_, value)) => Some(At { key: text.key, span: text.span, value: *value }),
            None => {
                let mut problem = Problem::new(text.key, format!("{:?}", text.value), expected);
                if let Some(near) = suggest(&text.value, all) {
                    problem = problem.remedy(format!("Did you mean {near:?}?"));
                }
                self.notes.add(problem, Some(&text.span));
                None
            }
        }
    }

    pub fn texts(&self, key: &'static str) -> Option<At<Vec<String>>> {
        self.typed(key, "a list of texts", |value| {
            value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
        })
    }

    /// Any value that JSON has too.
    pub fn json(&self, key: &'static str) -> Option<At<Value>> {
        self.typed(key, "a text, a number, true, false or a list of them", to_json)
    }

    pub fn section(&self, key: &'static str) -> Option<Section<'n, 'd>> {
        let found = self.get(key)?;
        self.as_section(self.key(key), found)
    }

    /// The tables in a table, by name.
    pub fn sections(&self, key: &'static str) -> Vec<(String, Section<'n, 'd>)> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let Some(table) = found.get_ref().as_table() else {
            self.wrong(key, &found.span(), shown(found.get_ref()), "tables, each with a name of its own");
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(name, value)| {
                let name = name.get_ref().to_string();
                let section = self.as_section(format!("{}.{name}", self.key(key)), value)?;
                Some((name, section))
            })
            .collect()
    }

    /// The tables in a list (`[[key]]`).
    pub fn list(&self, key: &'static str) -> Vec<Section<'n, 'd>> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let Some(items) = found.get_ref().as_array() else {
            self.wrong(
                key,
                &found.span(),
                shown(found.get_ref()),
                format!("tables under [[{}]]", self.key(key)),
            );
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.as_section(format!("{}[{}]", self.key(key), index + 1), item))
            .collect()
    }

    /// A table whose keys are the user's own, with texts as values.
    pub fn text_table(&self, key: &'static str) -> Vec<(String, At<String>)> {
        let Some(section) = self.section(key) else { return Vec::new() };
        let mut texts = Vec::new();
        for (name, value) in section.table {
            let (name, span) = (name.get_ref().to_string(), value.span());
            match value.get_ref().as_str() {
                Some(text) => {
                    let at = At { key: section.key(&name), span, value: text.to_owned() };
                    texts.push((name, at));
                }
                None => section.wrong(&name, &span, shown(value.get_ref()), "a text in quotes"),
            }
        }
        texts
    }

    fn as_section(&self, path: String, found: &'d Spanned<DeValue<'d>>) -> Option<Section<'n, 'd>> {
        let Some(table) = found.get_ref().as_table() else {
            let given = shown(found.get_ref());
            self.notes.add(Problem::new(path, given, "a table"), Some(&found.span()));
            return None;
        };
        Some(Section::new(self.notes, path, found.span(), table))
    }

    /// Reports the keys that nobody asked for.
    pub fn done(self) {
        let known = self.known.borrow();
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let expected = format!("one of {}", known.join(", "));
            let mut problem = Problem::new(self.key(name), "there is no such key", expected);
            if let Some(near) = suggest(name, known.iter().copied()) {
                problem = problem.remedy(format!("Did you mean {near:?}?"));
            }
            self.notes.add(problem, Some(&key.span()));
        }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}

fn to_json(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::from(text.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Value::from),
        DeValue::Boolean(flag) => Some(Value::from(*flag)),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// Reads `500ms`, `90s`, `15m`, `2h`, `7d`: as the config does, and milliseconds besides, because a
/// CRM's resolution may be one.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}
