//! A route's mapping as the config gives it, into one that works: all mistakes at once.

use super::analyse::{Analysis, Fault};
use super::expression::Expression;
use super::filters::{FILTERS, Options};
use super::fit::{Fitting, TooLong};
use super::numbers::{Country, PhoneFormat};
use super::template::Template;
use super::{Mapping, before, consent, dates};
use crate::domain::field::PHONE_SLOTS;
use crate::domain::{FieldKind, FieldName, Problem, RouteName, suggest};
use minijinja::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a route says about mapping.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// The route's name.
    pub route: RouteName,
    /// The UserData template; `None`: `'<route>-' ~ id`.
    pub user_data: Option<String>,
    /// Eligible now; `None`: always.
    pub only_if: Option<String>,
    /// Must not be called; `None`: never.
    pub block_if: Option<String>,
    /// Dialler field to expression.
    pub fields: BTreeMap<String, String>,
    /// The dialler's zone: dates are written in it, `today` is a day in it.
    pub time_zone: chrono_tz::Tz,
    /// Where a number without a country code belongs (`DE`), unless `phone(...)` says otherwise.
    pub country: Option<String>,
    /// How numbers are sent.
    pub phone_format: PhoneFormat,
    /// What happens to texts that are too long.
    pub too_long: TooLong,
    /// Dialler fields of which the CRM has a part only, between marks.
    pub append: BTreeSet<String>,
}

impl MappingSpec {
    /// A spec with nothing mapped and every choice at its default.
    pub fn new(route: RouteName, time_zone: chrono_tz::Tz) -> Self {
        Self {
            route,
            user_data: None,
            only_if: None,
            block_if: None,
            fields: BTreeMap::new(),
            time_zone,
            country: None,
            phone_format: PhoneFormat::default(),
            too_long: TooLong::default(),
            append: BTreeSet::new(),
        }
    }
}

struct Parser {
    prefix: String,
    options: Options,
    problems: Vec<Problem>,
}

/// See [`Mapping::parse`].
pub fn parse(spec: &MappingSpec) -> Result<Mapping, Vec<Problem>> {
    let country = spec.country.as_deref().map(|code| (code, Country::parse(code)));
    let options = Options { zone: spec.time_zone, country: country.and_then(|(_, country)| country) };
    let mut parser =
        Parser { prefix: format!("route.{}", spec.route), options: options.clone(), problems: Vec::new() };
    if let Some((code, None)) = country {
        parser.problem("country", code, "a country code of two letters, such as DE");
    }
    let template = parser.template(spec);
    let only_if = parser.condition("only_if", spec.only_if.as_deref());
    let block_if = parser.condition("block_if", spec.block_if.as_deref());
    let fields: BTreeMap<_, _> =
        spec.fields.iter().filter_map(|(name, source)| parser.field(name, source)).collect();
    parser.completeness(&spec.fields);
    match template {
        Some(template) if parser.problems.is_empty() => Ok(Mapping {
            consent: only_if.as_ref().map_or_else(Vec::new, |only_if| consent::parts(only_if, &options)),
            kept_rules: before::kept(spec),
            only_if,
            block_if,
            fields,
            options: Value::from_object(options.clone()),
            fitting: Fitting { options, phone_format: spec.phone_format, too_long: spec.too_long },
            append: spec.append.iter().filter_map(|name| FieldName::parse(name)).collect(),
            rules: rules(spec, &template),
            names: Vec::new(),
            template,
        }
        .with_names()),
        Some(_) | None => Err(parser.problems),
    }
}

/// Everything of a route that decides what comes out for a record, as one text; its hash is part of the
/// revision.
fn rules(spec: &MappingSpec, template: &Template) -> String {
    let mut rules = format!(
        "{:?}",
        (
            template,
            &spec.only_if,
            &spec.block_if,
            &spec.fields,
            spec.time_zone.name(),
            &spec.country,
            spec.phone_format.as_str(),
            spec.too_long.as_str(),
        )
    );
    if !spec.append.is_empty() {
        rules.push_str(&format!("{:?}", spec.append));
    }
    rules
}

impl Parser {
    fn problem(&mut self, key: &str, given: impl Into<String>, expected: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::new(format!("{}.{key}", self.prefix), given, expected));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn faults(&mut self, key: &str, faults: Vec<Fault>) {
        for fault in faults {
            self.problem(key, fault.given, fault.expected).remedy = fault.remedy;
        }
    }

    fn template(&mut self, spec: &MappingSpec) -> Option<Template> {
        let source = spec.user_data.as_deref().unwrap_or("route ~ '-' ~ id");
        match Template::parse(source, &spec.route) {
            Ok(template) => Some(template),
            Err(given) => {
                self.problem("user_data", given, "texts, id and route joined by ~, with the id in it")
                    .remedy = Some(format!("The default is '{}-' ~ id.", spec.route));
                None
            }
        }
    }

    fn condition(&mut self, key: &str, source: Option<&str>) -> Option<Expression> {
        let (expression, analysis) = self.compile(key, key, source?)?;
        self.filters(key, &analysis, None);
        Some(expression)
    }

    fn compile(&mut self, key: &str, label: &str, source: &str) -> Option<(Expression, Analysis)> {
        match Expression::compile(label, source, &self.options) {
            Ok(compiled) => Some(compiled),
            Err(faults) => {
                self.faults(key, faults);
                None
            }
        }
    }

    fn field(&mut self, name: &str, source: &str) -> Option<(FieldName, Expression)> {
        let key = format!("fields.{name}");
        let Some(field) = FieldName::parse(name) else {
            self.unknown_field(&key, name);
            return None;
        };
        let (expression, analysis) = self.compile(&key, name, source)?;
        self.filters(&key, &analysis, Some(field));
        if analysis.uses_today {
            self.problem(&key, format!("{source} uses today"), "an expression over the record alone")
                .remedy =
                Some("today is for only_if and block_if: a field would change every day.".to_owned());
        }
        Some((field, expression))
    }

    fn unknown_field(&mut self, key: &str, name: &str) {
        let (given, expected, remedy) = match name {
            "UserData" => (
                "UserData is mapped as a field".to_owned(),
                "the route's user_data".to_owned(),
                Some("UserData is the join key; it is written once, from user_data.".to_owned()),
            ),
            "ID" => (
                "ID is mapped as a field".to_owned(),
                "a field that can be written".to_owned(),
                Some("The dialler numbers its contacts itself.".to_owned()),
            ),
            "DiallerCampaignsID" | "DiallerCampaignsName" => {
                (format!("{name} is mapped as a field"), "the route's campaign".to_owned(), None)
            }
            _ => (
                format!("{name} is no field of a dialler contact that can be written"),
                "a field such as Name, PhoneNumber1, Company".to_owned(),
                suggest(name, FieldName::all().map(FieldName::as_str))
                    .map(|near| format!("Did you mean {near}?")),
            ),
        };
        self.problem(key, given, expected).remedy = remedy;
    }

    /// Checks the arguments of our own filters, as far as they are plain texts.
    fn filters(&mut self, key: &str, analysis: &Analysis, field: Option<FieldName>) {
        debug_assert!(analysis.filters.iter().all(|filter| FILTERS.contains(&filter.name.as_str())));
        for filter in &analysis.filters {
            let Some(text) = filter.text.as_deref() else { continue };
            if filter.name == "phone" && Country::parse(text).is_none() {
                self.problem(
                    key,
                    format!("phone('{text}')"),
                    "a country code of two letters, such as phone('DE')",
                );
            }
            if filter.name == "date" && !dates::is_format(text) {
                self.problem(key, format!("date('{text}')"), "a pattern such as date('%d.%m.%Y')");
            } else if filter.name == "date" && field.is_some_and(|f| f.spec().kind == FieldKind::DateTime) {
                // The text would have lost its zone and be read as UTC once more.
                self.problem(
                    key,
                    format!("date('{text}') in a field that takes a time"),
                    "the value without a pattern",
                );
            }
        }
    }

    fn completeness(&mut self, fields: &BTreeMap<String, String>) {
        if !fields.contains_key("Name") {
            self.problem("fields", "no Name", "Name = an expression; the dialler demands a name");
        }
        if !PHONE_SLOTS.iter().any(|slot| fields.contains_key(*slot)) {
            self.problem("fields", "no phone number", "at least PhoneNumber1 = an expression");
        }
    }
}

/// Compiles an expression that names no record's fields but `names` (and `id`): what a call is told with.
pub fn compile_told(
    prefix: &str,
    field: &str,
    source: &str,
    options: &Options,
    names: &[&str],
) -> Result<Expression, Vec<Problem>> {
    let mut parser = Parser { prefix: prefix.to_owned(), options: options.clone(), problems: Vec::new() };
    let compiled = parser.compile(field, field, source);
    if let Some((expression, analysis)) = &compiled {
        parser.filters(field, analysis, None);
        if analysis.uses_today {
            parser
                .problem(field, format!("{source} uses today"), "an expression over the call alone")
                .remedy = Some("What was told would change every day.".to_owned());
        }
        for path in expression.paths.iter().filter(|path| !path.is_id() && !names.contains(&path.root())) {
            let near =
                suggest(path.root(), names.iter().copied()).map(|near| format!("Did you mean {near}?"));
            parser
                .problem(field, format!("{source} names {path}"), format!("id, {}", names.join(", ")))
                .remedy = near;
        }
    }
    match compiled {
        Some((expression, _)) if parser.problems.is_empty() => Ok(expression),
        Some(_) | None => Err(parser.problems),
    }
}
