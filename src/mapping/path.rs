//! A path into a record: `phone`, `parent.name`, `country_id[1]`, `record['Home Phone']`.

use crate::domain::Record;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// One step below a record's field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A name in an object; one that is not there is an error.
    Name(String),
    /// A place in a list, from the end if negative; one beyond the end is empty.
    Index(i64),
}

/// Where a value stands in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    root: String,
    steps: Vec<Step>,
}

/// The record does not have what the path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing;

impl Path {
    /// A path to a field of the record.
    pub fn new(root: impl Into<String>) -> Self {
        Self { root: root.into(), steps: Vec::new() }
    }

    /// Adds a name.
    pub fn push_name(&mut self, name: &str) {
        self.steps.push(Step::Name(name.to_owned()));
    }

    /// Adds a place in a list.
    pub fn push_index(&mut self, index: i64) {
        self.steps.push(Step::Index(index));
    }

    /// The record's field.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether it names a field of the record and no part of one, nor the id.
    pub fn is_plain(&self) -> bool {
        self.steps.is_empty() && !self.is_id()
    }

    /// Whether it is the record's id (whatever the CRM calls that field).
    pub fn is_id(&self) -> bool {
        self.root == "id" && self.steps.is_empty()
    }

    /// The value; what lies below an empty value is empty.
    ///
    /// # Errors
    /// The record has no such field, or an object on the way no such name, or a plain value is asked for
    /// a part of it.
    pub fn find<'r>(&self, record: &'r Record) -> Result<Cow<'r, Value>, Missing> {
        if self.is_id() {
            return Ok(Cow::Owned(id_value(record)));
        }
        let mut value = record.fields.get(&self.root).ok_or(Missing)?;
        for step in &self.steps {
            value = match (step, value) {
                (_, Value::Null) => return Ok(Cow::Owned(Value::Null)),
                (Step::Name(name), Value::Object(object)) => object.get(name).ok_or(Missing)?,
                (Step::Index(index), Value::Array(list)) => match place(*index, list.len()) {
                    Some(at) => &list[at],
                    None => return Ok(Cow::Owned(Value::Null)),
                },
                (Step::Name(_), Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_))
                | (Step::Index(_), Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_)) =>
                {
                    return Err(Missing);
                }
            };
        }
        Ok(Cow::Borrowed(value))
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// A whole number stays one, so that it can be compared; everything else is the text the CRM wrote
/// (`007` is no number).
fn id_value(record: &Record) -> Value {
    let text = record.id.as_str();
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        Ok(_) | Err(_) => Value::from(text),
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordId;
    use serde_json::json;

    fn record(id: &str) -> Record {
        let Value::Object(fields) = json!({
            "id": 99, "name": "A", "parent": {"name": "P", "up": null}, "none": null, "list": [7, "seven"]
        }) else {
            unreachable!()
        };
        Record { id: RecordId::from(id), modified: None, deleted: false, fields }
    }

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let record = record("42");
        let path = |root: &str, steps: &[Step]| {
            Path { root: root.into(), steps: steps.to_vec() }.find(&record).map(Cow::into_owned)
        };
        let name = |text: &str| Step::Name(text.into());
        assert_eq!(path("name", &[]), Ok(json!("A")));
        assert_eq!(path("nme", &[]), Err(Missing));
        assert_eq!(path("parent", &[name("name")]), Ok(json!("P")));
        assert_eq!(path("parent", &[name("nme")]), Err(Missing));
        assert_eq!(path("parent", &[name("up"), name("name")]), Ok(Value::Null));
        assert_eq!(path("none", &[Step::Index(1)]), Ok(Value::Null));
        assert_eq!(path("list", &[Step::Index(1)]), Ok(json!("seven")));
        assert_eq!(path("list", &[Step::Index(-1)]), Ok(json!("seven")));
        assert_eq!(path("list", &[Step::Index(2)]), Ok(Value::Null));
        assert_eq!(path("list", &[Step::Index(-3)]), Ok(Value::Null));
        assert_eq!(path("name", &[Step::Index(0)]), Err(Missing));
        assert_eq!(path("name", &[name("x")]), Err(Missing));
    }

    #[test]
    fn the_id_is_the_records_own() {
        let id = |text: &str| Path::new("id").find(&record(text)).unwrap().into_owned();
        assert_eq!(id("42"), json!(42));
        assert_eq!(id("007"), json!("007"));
        assert_eq!(id("0035g00000ABCDEFG"), json!("0035g00000ABCDEFG"));
    }
}
