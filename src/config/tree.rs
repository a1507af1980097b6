//! One file: its TOML with positions, checked key by key against [`SECTIONS`], all mistakes at once.
//!
//! The text is walked by hand instead of through serde: serde stops at the first wrong value, and an
//! administrator who is told one mistake per start gives up at the fourth.

use super::Setting;
use super::cool_off;
use super::keys::SECTIONS;
use super::kind::{KeySpec, Kind, Leaves, RawValue, SectionSpec};
use super::sources::SourceFile;
use crate::domain::{Place, Problem, suggest};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What one file (or the environment) says.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    /// Right values by dotted key.
    pub(super) leaves: Leaves,
    /// Where each table begins, by dotted name.
    pub(super) tables: BTreeMap<String, Place>,
    /// Whether mistakes may have swallowed keys, so that "missing" would be a wrong accusation.
    pub(super) broken: bool,
    /// The dotted keys that stand there with a wrong value: they are not missing.
    pub(super) wrong: Vec<String>,
}

/// Reads one file; the layer holds what is right in it.
pub(super) fn read(file: &SourceFile, problems: &mut Vec<Problem>) -> Layer {
    let newlines = file.text.match_indices('\n').map(|(at, _)| at).collect();
    let mut walk =
        Walk { file, newlines, layer: Layer::default(), problems: Vec::new(), bad_lines: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        walk.syntax_error(error.message(), error.span());
    }
    // With a broken header the keys below it would be taken for another table's.
    if !walk.broken_header() {
        walk.root(root.get_ref());
    }
    walk.problems.sort_by_key(|problem| problem.place.as_ref().and_then(|place| place.line));
    problems.append(&mut walk.problems);
    walk.layer
}

struct Walk<'a> {
    file: &'a SourceFile,
    /// Where each line ends, found once: every key asks for its own.
    newlines: Vec<usize>,
    layer: Layer,
    problems: Vec<Problem>,
    bad_lines: Vec<usize>,
}

impl Walk<'_> {
    fn line(&self, offset: usize) -> usize {
        self.newlines.partition_point(|at| *at < offset) + 1
    }

    fn place(&self, span: &Range<usize>) -> Place {
        Place { file: self.file.name.clone(), line: Some(self.line(span.start)) }
    }

    /// A line with a syntax error has had its message; what the parser made of it is a guess.
    fn report(&mut self, span: &Range<usize>, problem: Problem) {
        let place = self.place(span);
        if !place.line.is_some_and(|line| self.bad_lines.contains(&line)) {
            self.problems.push(problem.at(place));
        }
    }

    fn syntax_error(&mut self, message: &str, span: Option<Range<usize>>) {
        self.layer.broken = true;
        let span = span.unwrap_or(0..0);
        // An error at the end of a line is found on the newline or behind it.
        let line = self.line(span.start);
        if self.bad_lines.contains(&line) {
            return;
        }
        self.bad_lines.push(line);
        let what = match message.split_once(", expected ") {
            Some((what, expected)) => (what, expected.to_owned()),
            None => (message, "TOML".to_owned()),
        };
        let place = self.place(&span);
        let problem = match message {
            "duplicate key" => {
                let key = self.file.text.get(span).unwrap_or_default().trim();
                Problem::new("TOML", format!("{key} stands there twice"), "each key once in its table")
            }
            _ if message.starts_with("string values must be quoted") => {
                Problem::new("TOML", "a text without quotes", "KEY = \"text\"")
            }
            _ => Problem::new("TOML", what.0, what.1),
        };
        self.problems.push(problem.at(place));
    }

    fn broken_header(&self) -> bool {
        let header = |line: &usize| {
            self.file.text.lines().nth(line - 1).is_some_and(|text| text.trim_start().starts_with('['))
        };
        self.bad_lines.iter().any(header)
    }

    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root {
            let name: &str = key.get_ref();
            let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
                self.unknown_section(key.span(), name, value.get_ref());
                continue;
            };
            match (section.named, value.get_ref()) {
                (false, DeValue::Table(table)) => self.table(section, name.to_owned(), value.span(), table),
                (true, DeValue::Table(tables)) => self.named_tables(section, tables),
                (_, other) => {
                    self.layer.broken = true;
                    let expected = if section.named { format!("[{name}.NAME]") } else { format!("[{name}]") };
                    let given = match other {
                        DeValue::Array(_) if section.named => format!("[[{name}]]"),
                        other => raw(other).shown_without_value(),
                    };
                    self.report(&key.span(), Problem::new(name, given, format!("tables {expected}")));
                }
            }
        }
    }

    fn unknown_section(&mut self, span: Range<usize>, name: &str, value: &DeValue<'_>) {
        let is_table = matches!(value, DeValue::Table(_) | DeValue::Array(_));
        let problem = if is_table {
            let header = |section: &SectionSpec| {
                if section.named { format!("[{}.NAME]", section.name) } else { format!("[{}]", section.name) }
            };
            let known: Vec<String> = SECTIONS.iter().map(header).collect();
            let near = suggest(name, SECTIONS.iter().map(|section| section.name));
            did_you_mean(Problem::new(name, "no such section", known.join(", ")), near)
        } else {
            Problem::new(name, "a key outside of every section", "keys below a header such as [dialler]")
        };
        // A mistyped [dialler] is not a missing one as well.
        self.layer.broken |= is_table;
        self.report(&span, problem);
    }

    fn named_tables(&mut self, section: &SectionSpec, tables: &DeTable<'_>) {
        for (key, value) in tables {
            let name: &str = key.get_ref();
            let dotted = format!("{}.{name}", section.name);
            let DeValue::Table(table) = value.get_ref() else {
                let expected = format!("a name: [{}.NAME]", section.name);
                self.layer.broken = true;
                self.report(&key.span(), Problem::new(dotted, "a key where a table belongs", expected));
                continue;
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
                let expected = "a name of 1 to 40 letters, digits and '-': it becomes part of UserData";
                self.layer.broken = true;
                self.report(&key.span(), Problem::new(section.name, format!("the name {name:?}"), expected));
                continue;
            }
            self.table(section, dotted, value.span(), table);
        }
    }

    fn table(&mut self, section: &SectionSpec, dotted: String, span: Range<usize>, table: &DeTable<'_>) {
        self.layer.tables.insert(dotted.clone(), self.place(&span));
        for (key, value) in table {
            let name: &str = key.get_ref();
            match section.keys.iter().find(|spec| spec.name == name) {
                Some(spec) => self.value(spec, format!("{dotted}.{name}"), value),
                None => self.unknown_key(section, &dotted, key.span(), name),
            }
        }
    }

    fn value(&mut self, spec: &KeySpec, dotted: String, value: &Spanned<DeValue<'_>>) {
        let read = match (spec.kind, value.get_ref()) {
            (Kind::Texts | Kind::Words | Kind::Paths, DeValue::Table(table)) => {
                self.texts(spec.kind, &dotted, table)
            }
            (Kind::CoolOff, DeValue::Table(table)) => {
                cool_off::in_one_text(table).map_or_else(|| raw(value.get_ref()), RawValue::Text)
            }
            (_, value) => raw(value),
        };
        if matches!(&read, RawValue::Texts(texts) if texts.is_empty()) {
            // As good as not there: where it is required, it is missing.
        } else if spec.kind.accepts(&read) {
            let place = self.place(&value.span());
            self.layer.leaves.insert(dotted, Setting { value: read, place });
        } else {
            self.layer.wrong.push(dotted.clone());
            self.report(&value.span(), Problem::new(dotted, spec.shown(&read), spec.kind.expected()));
        }
    }

    fn texts(&mut self, kind: Kind, dotted: &str, table: &DeTable<'_>) -> RawValue {
        let mut texts = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let read = match raw(value.get_ref()) {
                RawValue::List(list) if kind == Kind::Words => joined(list, ", "),
                RawValue::List(list) if kind == Kind::Paths => joined(list, "\n"),
                read => read,
            };
            match read {
                RawValue::Text(text) => {
                    texts.insert(name, Setting { value: text, place: self.place(&value.span()) });
                }
                other => {
                    let expected = match kind {
                        Kind::Paths => "a path in quotes, or a list of paths",
                        Kind::Words => "a word in quotes, or a list of words",
                        _ => "a text in quotes",
                    };
                    let problem = Problem::new(format!("{dotted}.{name}"), other.shown(), expected);
                    self.report(&value.span(), problem);
                }
            }
        }
        RawValue::Texts(texts)
    }

    fn unknown_key(&mut self, section: &SectionSpec, dotted: &str, span: Range<usize>, name: &str) {
        let near = suggest(name, section.keys.iter().map(|spec| spec.name));
        let problem = Problem::new(format!("{dotted}.{name}"), "no such key", keys_of(section));
        let secret = ["token", "password", "api_key", "secret"].contains(&name);
        let problem = if secret {
            problem.remedy("Secrets stand in files of their own: token_file = \"PATH\"")
        } else {
            did_you_mean(problem, near)
        };
        self.report(&span, problem);
    }
}

/// The keys of a section, as what is expected where an unknown one stands.
pub(super) fn keys_of(section: &SectionSpec) -> String {
    let names: Vec<&str> = section.keys.iter().map(|spec| spec.name).collect();
    format!("one of {}", names.join(", "))
}

/// Adds the nearest name.
pub(super) fn did_you_mean(problem: Problem, near: Option<&str>) -> Problem {
    match near {
        Some(near) => problem.remedy(format!("Did you mean {near}?")),
        None => problem,
    }
}

/// A list of words as one text; anything else stays what it is.
fn joined(list: Vec<RawValue>, between: &str) -> RawValue {
    let words: Option<Vec<&str>> = list
        .iter()
        .map(|item| match item {
            RawValue::Text(word) => Some(word.as_str()),
            _ => None,
        })
        .collect();
    match words {
        Some(words) if !words.is_empty() => RawValue::Text(words.join(between)),
        _ => RawValue::List(list),
    }
}

/// A value without its position; what no key takes keeps only its kind.
fn raw(value: &DeValue<'_>) -> RawValue {
    match value {
        DeValue::String(text) => RawValue::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => RawValue::Integer(number),
            Err(_) => RawValue::Other("number that is too large"),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => RawValue::Number(number),
            Err(_) => RawValue::Other("number that is too large"),
        },
        DeValue::Boolean(flag) => RawValue::Bool(*flag),
        DeValue::Array(items) => RawValue::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Datetime(_) => RawValue::Other("date or time without quotes"),
        DeValue::Table(_) => RawValue::Other("table"),
    }
}
