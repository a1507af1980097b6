//! What can be seen only where a route and its connector meet: values that an expression waits for in vain.

use super::notes::Notes;
use super::settings::{CrmSettings, RouteSettings};
use crate::domain::{Problem, RouteName};
use serde_json::Value;
use std::collections::BTreeMap;

/// Warns of comparisons with a value that the connector reads as empty: `x == false` is never true where
/// false means nothing, and a condition that never holds looks like one that nobody meets.
pub(super) fn check(
    crms: &BTreeMap<String, CrmSettings>,
    routes: &BTreeMap<RouteName, RouteSettings>,
    notes: &mut Notes<'_>,
) {
    for route in routes.values() {
        let Some(crm) = crms.get(&route.crm) else { continue };
        let empty = &crm.connector.record.empty;
        for (key, value) in route.mapping.compared() {
            if empty.contains(&value) {
                notes.warning(never_met(&format!("route.{}.{key}", route.name), &value, &crm.connector.name));
            }
        }
    }
}

fn never_met(key: &str, value: &Value, connector: &str) -> Problem {
    let shown = match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    let given = format!("compares with {shown}, which the connector {connector:?} reads as empty");
    Problem::new(key, given, "NAME or not NAME").remedy(format!(
        "== {shown} is never true and != {shown} always: an empty value is null. Write `not NAME` where it must be empty."
    ))
}
