//! What a record should look like in the dialler, and what both sides last agreed on.

use super::FieldName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One mapped field: what the CRM side has, and what the dialler is sent for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesiredValue {
    /// The value the expression gave, normalised; compared with the CRM half of the base only.
    pub crm: Value,
    /// What the dialler gets: cut, formatted.
    pub send: Value,
}

impl DesiredValue {
    /// A value that both sides write alike.
    pub fn same(value: Value) -> Self {
        Self { crm: value.clone(), send: value }
    }

    /// An empty field.
    pub fn empty() -> Self {
        Self::same(Value::Null)
    }

    /// Whether the field is to be empty in the dialler.
    pub fn is_empty(&self) -> bool {
        self.send.is_null()
    }
}

/// A record under a route's mapping: one entry for every mapped field, empty ones included (they may
/// have to be cleared).
pub type Desired = BTreeMap<FieldName, DesiredValue>;

/// What both sides had when they last agreed on a field.
///
/// A pair, because the two never hold equal values (`+49 30 1` and `4930 1`, cut texts, a server that
/// trims): each side is compared with its own half only (semantics 9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The CRM side's value.
    pub crm: Value,
    /// What the dialler answered.
    pub dialler: Value,
}

/// The agreed pairs of a link, by field; empty for a link that never agreed on anything.
pub type Base = BTreeMap<FieldName, Pair>;
