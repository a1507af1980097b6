//! The simulated CRM's activities: what was written down beside its records.

use crate::domain::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The member of a create that is an external key: there is one activity under it at most.
const EXTERNAL: &str = "external_id";
/// The member that is only text: it can be looked for, and forbids nothing.
const REFERENCE: &str = "reference";

/// An activity of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its id.
    pub id: u64,
    /// The record it belongs to.
    pub record: u64,
    /// What was written, the latest of each member.
    pub fields: Map<String, Value>,
    /// From when look-ups find it.
    pub found_from: Timestamp,
}

impl Activity {
    /// The key it was created under, of either kind.
    pub fn key(&self) -> Option<&str> {
        self.text(EXTERNAL).or_else(|| self.text(REFERENCE))
    }

    /// Whether a look-up by this key means it.
    pub(super) fn is_under(&self, external: Option<&str>, reference: Option<&str>) -> bool {
        let is =
            |name: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| self.text(name) == Some(wanted));
        is(EXTERNAL, external) && is(REFERENCE, reference)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

/// What a create came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// A new activity, by its id.
    Created(u64),
    /// The one that was there under the external key.
    Changed(u64),
}

/// All activities.
#[derive(Debug, Default)]
pub(super) struct Activities {
    rows: BTreeMap<u64, Activity>,
    last_id: u64,
}

impl Activities {
    /// Adds one, or writes the one under the same external key anew. That key is unique at once, whenever a look-up
    /// comes to know of it.
    pub fn put(&mut self, record: u64, fields: Map<String, Value>, found_from: Timestamp) -> Put {
        let external = fields.get(EXTERNAL).and_then(Value::as_str);
        let known =
            external.and_then(|key| self.rows.values_mut().find(|row| row.text(EXTERNAL) == Some(key)));
        if let Some(known) = known {
            known.record = record;
            known.fields.extend(fields);
            return Put::Changed(known.id);
        }
        self.last_id += 1;
        let id = self.last_id;
        self.rows.insert(id, Activity { id, record, fields, found_from });
        Put::Created(id)
    }

    pub fn get(&self, id: u64) -> Option<&Activity> {
        self.rows.get(&id)
    }

    pub fn change(&mut self, id: u64, fields: Map<String, Value>) {
        if let Some(activity) = self.rows.get_mut(&id) {
            activity.fields.extend(fields);
        }
    }

    pub fn delete(&mut self, id: u64) {
        self.rows.remove(&id);
    }

    pub fn all(&self) -> impl Iterator<Item = &Activity> {
        self.rows.values()
    }
}
