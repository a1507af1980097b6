//! From an answer's bytes to records: where things lie, what is empty, what is unusable.
//!
//! Works on raw JSON, so that a record's size is known before it is built and an id keeps the very
//! digits the CRM wrote.

use super::format::{IdType, RecordShape, TimeContract};
use crate::domain::{BadRecord, Reason, ReasonCode, Record, RecordId};
use crate::remote::{MALFORMED, UNREADABLE};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The longest id that is taken: the ledger's keys are not a place for texts.
const MAX_ID_BYTES: usize = 255;

/// A JSON pointer (`/data/0/id`; empty for the whole).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// It is neither empty nor begins with a slash.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or("a JSON pointer: empty, or beginning with a slash")?;
        let steps = rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), steps })
    }

    /// What lies there; `None` if nothing does.
    pub fn raw<'a>(&self, mut here: &'a RawValue) -> Option<&'a RawValue> {
        for step in &self.steps {
            here = match here.get().as_bytes().first()? {
                b'{' => {
                    let mut members: BTreeMap<String, &'a RawValue> =
                        serde_json::from_str(here.get()).ok()?;
                    members.remove(step)?
                }
                b'[' => {
                    let items: Vec<&'a RawValue> = serde_json::from_str(here.get()).ok()?;
                    *items.get(step.parse::<usize>().ok()?)?
                }
                _ => return None,
            };
        }
        Some(here)
    }

    /// What lies there, as a value.
    pub fn value(&self, here: &RawValue) -> Option<Value> {
        serde_json::from_str(self.raw(here)?.get()).ok()
    }

    /// What lies there in a built value.
    pub fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.text)
    }

    /// The list that lies there.
    pub fn list<'a>(&self, here: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.raw(here)?.get()).ok()
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.text.is_empty() { f.write_str("the top level") } else { f.write_str(&self.text) }
    }
}

/// A question to one place of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Where to look.
    pub at: Pointer,
    /// What must be found there.
    pub test: Test,
}

/// What a [`Condition`] asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Exactly this value.
    Is(Value),
    /// Anything but this value.
    IsNot(Value),
    /// A text that begins so.
    Begins(String),
    /// Something other than null (`true`), or nothing or null (`false`).
    Present(bool),
}

impl Condition {
    /// Whether it holds; `None` if the place is not there and the test needs a value.
    pub fn holds(&self, found: Option<&Value>) -> Option<bool> {
        match &self.test {
            Test::Is(wanted) => found.map(|value| value == wanted),
            Test::IsNot(unwanted) => found.map(|value| value != unwanted),
            Test::Begins(start) => {
                found.map(|value| value.as_str().is_some_and(|text| text.starts_with(start)))
            }
            Test::Present(wanted) => Some(found.is_some_and(|value| !value.is_null()) == *wanted),
        }
    }
}

/// An id as the CRM wrote it: an integer's digits, or a text.
///
/// # Errors
/// It is missing, null, empty, a fraction, a truth value, a list or too long.
pub fn read_id(raw: Option<&RawValue>) -> Result<RecordId, Reason> {
    let no_id = || Reason::new(ReasonCode::NoId);
    let unreadable = |problem: &str| Reason::new(ReasonCode::RecordUnreadable).with("problem", problem);
    let text = raw.ok_or_else(no_id)?.get();
    let id = match text.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str::<String>(text).map_err(|_| unreadable("its id is no valid text"))?
        }
        Some(b'-' | b'0'..=b'9') if text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) => text.to_owned(),
        Some(b'-' | b'0'..=b'9') => return Err(unreadable("its id is a fraction")),
        Some(b'[' | b'{') => return Err(unreadable("its id is neither a text nor a number")),
        // null, and false: Odoo's way to write nothing.
        Some(_) | None => return Err(no_id()),
    };
    if id.contains(UNREADABLE) {
        return Err(unreadable("its id holds bytes that are no UTF-8"));
    }
    if id.contains(MALFORMED) {
        return Err(unreadable("its id is no valid JSON"));
    }
    if id.trim().is_empty() {
        return Err(no_id());
    }
    if id.len() > MAX_ID_BYTES {
        return Err(unreadable("its id is longer than 255 bytes"));
    }
    Ok(RecordId(id))
}

/// An id as requests need it; `None` where no record can have such an id.
pub fn id_value(id: &RecordId, kind: IdType) -> Option<Value> {
    match kind {
        IdType::Integer => id.as_str().parse::<i64>().ok().map(Value::from),
        IdType::Text => Some(Value::from(id.as_str())),
    }
}

/// One record, or why it is unusable. Whatever its own faults, its id is kept where it has one.
pub fn read_record(raw: &RawValue, shape: &RecordShape, time: &TimeContract) -> Result<Record, BadRecord> {
    if !raw.get().starts_with('{') {
        let reason = Reason::new(ReasonCode::RecordUnreadable).with("problem", "it is no JSON object");
        return Err(BadRecord { id: None, reason });
    }
    let id = read_id(shape.id.raw(raw)).map_err(|reason| BadRecord { id: None, reason })?;
    let bad = |reason| Err(BadRecord { id: Some(id.clone()), reason });
    let unreadable = |problem: String| Reason::new(ReasonCode::RecordUnreadable).with("problem", problem);
    if raw.get().contains(UNREADABLE) {
        let problem = "it holds bytes that are no UTF-8 (a text in another encoding?)";
        return bad(unreadable(problem.to_owned()));
    }
    if raw.get().contains(MALFORMED) {
        let problem =
            "a piece of it is no valid JSON (a control character, a broken escape, a quote too many?)";
        return bad(unreadable(problem.to_owned()));
    }
    if raw.get().len() > shape.max_bytes {
        return bad(Reason::new(ReasonCode::RecordTooLarge).with("max", shape.max_bytes));
    }
    let whole: Value = match serde_json::from_str(raw.get()) {
        Ok(whole) => whole,
        // The place serde names is one within the record, so nothing of its content is told.
        Err(_) => return bad(unreadable("it is no valid JSON".to_owned())),
    };
    let found = shape.modified.as_ref().and_then(|at| at.of(&whole)).filter(|value| !is_empty(value, shape));
    let modified = match found.map(|value| time.answer_form.read(value)).transpose() {
        Ok(modified) => modified,
        Err(problem) => return bad(unreadable(problem.to_owned())),
    };
    // Before emptying: where `false` means empty, `active: false` must still be seen.
    let deleted = match &shape.deleted {
        None => false,
        Some(condition) => match condition.holds(condition.at.of(&whole)) {
            Some(deleted) => deleted,
            // Never read as "not deleted": that would make somebody callable by an omission.
            None => return bad(unreadable(format!("its deleted flag at {} is missing", condition.at))),
        },
    };
    let inner = match &shape.fields {
        None => whole,
        Some(at) => at.of(&whole).cloned().unwrap_or_default(),
    };
    let Value::Object(mut fields) = inner else {
        return bad(unreadable("its fields are no JSON object".to_owned()));
    };
    // Expressions say `id` whatever the CRM calls it and wherever it lies.
    fields.entry("id").or_insert_with(|| Value::from(id.as_str()));
    Ok(Record { id, modified, deleted, fields: emptied(fields, shape) })
}

fn is_empty(value: &Value, shape: &RecordShape) -> bool {
    value.is_null() || shape.empty.contains(value)
}

/// Sets what the connector calls empty to null. The names stay: a name that a record does not carry
/// is an error in a condition, and an empty field is not a missing one.
fn emptied(mut fields: Map<String, Value>, shape: &RecordShape) -> Map<String, Value> {
    for value in fields.values_mut() {
        if shape.empty.contains(value) {
            *value = Value::Null;
        }
    }
    fields
}
