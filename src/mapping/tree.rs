//! A part of a record as minijinja sees it: an object whose missing names are errors.

use super::filters::Failure;
use minijinja::value::{Enumerator, Object};
use minijinja::{Error, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Converts a value; `place` is its path, for errors.
pub fn to_minijinja(value: &Json, place: &str) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, item)| to_minijinja(item, &format!("{place}[{index}]")))
            .collect::<Vec<_>>()
            .into(),
        Json::Object(object) => {
            let names = object.iter().map(|(name, item)| {
                let value = to_minijinja(item, &format!("{place}.{name}"));
                (Arc::from(name.as_str()), value)
            });
            Value::from_object(Fields { place: place.to_owned(), names: names.collect() })
        }
    }
}

/// An item's attribute, for filters over lists; an empty item's is empty.
pub fn attribute(item: &Value, name: &str) -> Result<Value, Error> {
    if item.is_none() {
        return Ok(Value::from(()));
    }
    let fields = item.downcast_object_ref::<Fields>().ok_or(Failure::BadValue("an item is no object"))?;
    fields.names.get(name).cloned().ok_or_else(|| fields.missing(name))
}

#[derive(Debug)]
struct Fields {
    place: String,
    names: BTreeMap<Arc<str>, Value>,
}

impl Fields {
    fn missing(&self, name: &str) -> Error {
        Failure::Missing(format!("{}.{name}", self.place)).into()
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.names.get(key) {
            Some(value) => Some(value.clone()),
            None => Some(self.missing(key).into()),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names.keys().map(|name| Value::from(Arc::clone(name))).collect())
    }
}
