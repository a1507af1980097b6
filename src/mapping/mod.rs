//! Mapping: a CRM record into what its contact is to hold. Pure; says nothing about sending.
//!
//! A route gives per dialler field an expression over the record, two conditions and the template of the
//! join key. [`Mapping::parse`] checks them when the config is read; [`Mapping::map`] and
//! [`Mapping::hash`] are asked per record. The rules an administrator needs:
//!
//! * A name that the record does not carry is an error, never false; only `x is defined` may ask.
//!   What lies below an empty value, or behind the end of a list, is empty.
//! * Empty is null, and null is false. In a comparison null is smaller than everything else, and values
//!   of different types are never equal: `until >= today` is false for a record without a date.
//! * `today` is a text, `2026-05-01`: it compares with dates that the CRM writes with the year first.
//! * Texts are trimmed. Joined with `~`, an empty value is nothing.

mod analyse;
mod back;
mod bare;
mod before;
mod builtins;
mod compared;
mod consent;
mod dates;
mod expression;
mod filters;
pub mod fit;
mod joints;
pub mod number_list;
pub mod numbers;
pub mod parse;
mod path;
pub mod record;
pub mod template;
mod text;
mod token;
mod told;
mod told_names;
mod tree;

pub use before::{RulesBefore, Untellable};
pub use consent::speaks_of_consent;
pub use fit::TooLong;
pub use numbers::{PhoneFormat, dialler_number_to_e164, e164};
pub use parse::MappingSpec;
pub use record::{Condition, Explained, Mapped};
pub use template::Template;
pub use told::{Telling, TellingSpec};
pub use told_names::{BLOCK_NAMES, CALL_NAMES, HISTORY_NAMES, STATUS_NAMES};

use crate::domain::{Appended, FieldName, Problem, Record, RouteName};
use expression::Expression;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Raised whenever this module reads the same record and config differently than before, so that every
/// record is decided again.
const RULES_VERSION: u32 = 1;

/// A route's mapping, checked and compiled.
#[derive(Debug)]
pub struct Mapping {
    template: Template,
    only_if: Option<Expression>,
    /// The parts of it that speak of consent.
    consent: Vec<Expression>,
    block_if: Option<Expression>,
    fields: BTreeMap<FieldName, Expression>,
    fitting: fit::Fitting,
    append: Appended,
    options: minijinja::Value,
    rules: String,
    kept_rules: serde_json::Value,
    names: Vec<String>,
}

impl Mapping {
    /// Checks and compiles a route's mapping.
    ///
    /// # Errors
    /// All mistakes at once, each with its key in the config.
    pub fn parse(spec: &MappingSpec) -> Result<Self, Vec<Problem>> {
        parse::parse(spec)
    }

    /// What is allowed but looks wrong: a name that looks like consent in `only_if` (semantics 7).
    pub fn warnings(&self, route: &RouteName) -> Vec<Problem> {
        consent::warnings(route, self.only_if.as_ref())
    }

    /// The template of the join key.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The dialler fields the route maps.
    pub fn fields(&self) -> impl Iterator<Item = FieldName> {
        self.fields.keys().copied()
    }

    /// The names of all record fields the expressions use, sorted, for the connector's field list; the
    /// record's id is not among them (every connector reads it, whatever the CRM calls it).
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// As much of a record's values as deciding its conditions on another day takes: of a name that is only asked
    /// whether it holds anything (a number, mostly), that and no more; of one that is compared with fixed texts, which
    /// of them it is.
    pub fn kept(&self, record: &Record) -> serde_json::Map<String, serde_json::Value> {
        let bare = self.kept_bare();
        let mut values = serde_json::Map::new();
        for name in roots(self.conditions()) {
            let Some(value) = record.fields.get(&name) else { continue };
            let kept = match bare.get(&name) {
                Some(texts) if !value.as_str().is_some_and(|text| texts.contains(text)) => {
                    text::is_true(value).into()
                }
                Some(_) | None => value.clone(),
            };
            values.insert(name, kept);
        }
        values
    }

    /// The names of the record by which `block_if` hears a no.
    pub fn names_of_no(&self) -> BTreeSet<String> {
        roots(self.block_if.iter()).into_iter().collect()
    }

    /// Changes whenever anything does that `block_if` reads of the record; `None` where there is no `block_if`.
    pub fn no_rests_on(&self, record: &Record) -> Option<Vec<u8>> {
        let mut hash = Sha256::new();
        for name in roots(self.block_if.iter()) {
            let value = record.fields.get(&name).map(ToString::to_string).unwrap_or_default();
            for part in [name, value] {
                hash.update(part.as_bytes());
                hash.update([0]);
            }
        }
        self.block_if.as_ref().map(|_| hash.finalize().to_vec())
    }

    /// The names of which no more is kept than whether they hold anything, or which of these texts they are.
    fn kept_bare(&self) -> BTreeMap<String, BTreeSet<String>> {
        let sources: Vec<&str> = self.conditions().map(|expression| expression.source.as_str()).collect();
        bare::bare(&sources)
    }

    /// Whether a condition depends on the day, so that records are decided again daily.
    pub fn uses_today(&self) -> bool {
        self.conditions().any(|expression| expression.uses_today)
    }

    /// The fixed values that the expressions compare with, as (key below the route, value).
    pub fn compared(&self) -> Vec<(String, serde_json::Value)> {
        let conditions = self.conditions().map(|expression| (expression.label.clone(), expression));
        let fields =
            self.fields.values().map(|expression| (format!("fields.{}", expression.label), expression));
        conditions
            .chain(fields)
            .flat_map(|(key, expression)| {
                compared::compared(&expression.source).into_iter().map(move |value| (key.clone(), value))
            })
            .collect()
    }

    /// What the expressions name and `record` does not carry, as (key, name).
    pub fn missing_names(&self, record: &Record) -> Vec<(String, String)> {
        let missing = |expression: &Expression| {
            let names = expression.missing_in(record);
            names.into_iter().map(|name| (expression.label.clone(), name)).collect::<Vec<_>>()
        };
        self.expressions().flat_map(missing).collect()
    }

    /// The route's revision: changes whenever the same record could come out differently.
    ///
    /// `connector` is the connector's version. Sixteen hex digits of a SHA-256.
    pub fn revision(&self, connector: &str) -> String {
        let mut hash = Sha256::new();
        let version = RULES_VERSION.to_string();
        for part in [&self.rules, numbers::METADATA_VERSION, &version, connector] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash by which a record counts as unchanged: the fields the route uses, the deleted flag and
    /// the `revision` (from [`Self::revision`]).
    pub fn hash(&self, record: &Record, revision: &str) -> [u8; 32] {
        // One buffer, one hash: feeding the hash piece by piece costs more than the copy.
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(revision.as_bytes());
        bytes.extend_from_slice(if record.deleted { b"\n-\n" } else { b"\n+\n" });
        for name in &self.names {
            match record.fields.get(name) {
                // Absent and null decide differently: the first is an error.
                None => bytes.push(b'?'),
                // A JSON value ends where it ends: no two lists of values give the same text.
                Some(value) => {
                    let written = serde_json::to_writer(&mut bytes, value).is_ok();
                    debug_assert!(written, "a value that was parsed can be written");
                }
            }
            let _infallible_for_a_vec = bytes.write_all(b"\n");
        }
        Sha256::digest(&bytes).into()
    }

    fn conditions(&self) -> impl Iterator<Item = &Expression> {
        self.block_if.iter().chain(&self.only_if)
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.conditions().chain(self.fields.values())
    }

    fn with_names(mut self) -> Self {
        self.names = roots(self.expressions()).into_iter().collect();
        self
    }
}

fn roots<'e>(expressions: impl Iterator<Item = &'e Expression>) -> BTreeSet<String> {
    expressions
        .flat_map(|expression| expression.paths.iter())
        .filter(|path| !path.is_id())
        .map(|path| path.root().to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod told_tests;
