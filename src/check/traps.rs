//! What can be seen only where a route and its connector meet: values that an expression waits for in vain.

use super::notes::Notes;
use super::settings::{CrmSettings, RouteSettings, WriteBackSettings};
use crate::domain::{Problem, RouteName};
use crate::mapping::speaks_of_consent;
use serde_json::Value;
use std::collections::BTreeMap;

/// Warns of comparisons with a value that the connector reads as empty: `x == false` is never true where
/// false means nothing, and a condition that never holds looks like one that nobody meets. And refuses to tell a CRM what
/// its connector has no request for.
pub(super) fn check(
    crms: &BTreeMap<String, CrmSettings>,
    routes: &BTreeMap<RouteName, RouteSettings>,
    notes: &mut Notes<'_>,
) {
    one_writer_for_each_field(routes, notes);
    no_is_written_over(routes, notes);
    for route in routes.values() {
        let Some(crm) = crms.get(&route.crm) else { continue };
        let empty = &crm.connector.record.empty;
        for (key, value) in route.mapping.compared() {
            if empty.contains(&value) {
                notes.warning(never_met(&format!("route.{}.{key}", route.name), &value, &crm.connector.name));
            }
        }
        let Some(told) = &route.write_back else { continue };
        let connector = &crm.connector;
        let blocks = told.telling.block_names().all(|name| connector.takes_field(name));
        let status = told.telling.status_names().all(|name| connector.takes_field(name));
        for (table, wanted, there, request) in [
            ("activity", told.telling.has_activity(), connector.takes_activities(), "[activity.create]"),
            ("result_fields", told.telling.has_fields(), connector.takes_fields(), "[record.change]"),
            ("block_fields", !blocks, blocks, "[record.change]"),
            ("status_fields", !status, status, "[record.change]"),
            ("two_way", !route.two_way.is_empty(), connector.takes_fields(), "[record.change]"),
        ] {
            if wanted && !there {
                let given = format!("the connector {:?} has no {request}", connector.name);
                let expected = format!("a connector with {request}, or no [route.{}.{table}]", route.name);
                notes.problem(
                    Problem::new(format!("route.{}.{table}", route.name), given, expected)
                        .remedy("docs/connectors.md says how a connector writes."),
                );
            }
        }
    }
}

/// Two routes on one object that write the same field would overwrite each other's newer values with older ones.
fn one_writer_for_each_field(routes: &BTreeMap<RouteName, RouteSettings>, notes: &mut Notes<'_>) {
    let mut writers: BTreeMap<(&str, Option<&str>, &str), &RouteName> = BTreeMap::new();
    for route in routes.values() {
        let Some(told) = &route.write_back else { continue };
        let two_way = route.two_way.keys().filter_map(|field| route.mapping.plain_name(*field));
        for field in told.telling.fields().chain(told.telling.status_names()).chain(two_way) {
            let place = (route.crm.as_str(), route.object.as_deref(), field);
            let Some(other) = writers.insert(place, &route.name) else { continue };
            let given = format!("{field}, which route {other} writes too");
            let key = if told.telling.fields().any(|name| name == field) {
                format!("route.{}.result_fields.{field}", route.name)
            } else if told.telling.status_names().any(|name| name == field) {
                format!("route.{}.status_fields.{field}", route.name)
            } else {
                format!("route.{}.two_way", route.name)
            };
            notes.problem(
                Problem::new(key, given, "a field of its own for each route on one object of the CRM").remedy(
                    "Each knows its own calls only: the older one's late result would take the place of the newer one's.",
                ),
            );
        }
    }
}

/// A no in the CRM only ever tightens: what some route writes it into is written by nothing that may say the opposite.
fn no_is_written_over(routes: &BTreeMap<RouteName, RouteSettings>, notes: &mut Notes<'_>) {
    let all: Vec<_> = routes.values().filter_map(|route| Some((route, route.write_back.as_ref()?))).collect();
    for (route, told) in &all {
        let two_way = route.two_way.keys().filter_map(|field| route.mapping.plain_name(*field));
        let fields = told.telling.fields().map(|field| ("result_fields", field));
        let status = told.telling.status_names().map(|field| ("status_fields", field));
        for (table, field) in fields.chain(status).chain(two_way.map(|field| ("two_way", field))) {
            let writes_no = |(other, told): &&(&RouteSettings, &WriteBackSettings)| {
                (&other.crm, &other.object) == (&route.crm, &route.object)
                    && told.telling.block_names().any(|name| name == field)
            };
            let key = format!("route.{}.{table}", route.name);
            let on_it = |other: &&RouteSettings| {
                (&other.crm, &other.object) == (&route.crm, &route.object)
                    && other.mapping.names_of_no().contains(field)
            };
            if let Some(other) = routes.values().find(on_it) {
                let given = format!("{field}, by which block_if of route {} hears a no", other.name);
                let problem = Problem::new(key, given, "another field");
                notes.problem(problem.remedy(
                    "The next call, or an agent's edit, would write over what somebody said for good.",
                ));
            } else if let Some((other, _)) = all.iter().find(writes_no) {
                let given = format!("{field}, into which [route.{}.block_fields] writes a no", other.name);
                let problem = Problem::new(key, given, "another field, or block_fields alone");
                notes.problem(problem.remedy("The next call would write over what somebody said for good."));
            } else if speaks_of_consent(field) {
                let given = format!("{field}, which looks like consent or a ban on calling");
                let problem =
                    Problem::new(key, given, "[route.NAME.block_fields] for what a no is written into");
                let problem =
                    problem.remedy("There a no is written and never taken back by us; here it may be.");
                if table == "two_way" { notes.problem(problem) } else { notes.warning(problem) }
            } else if let Some(other) =
                routes.values().find(|other| table != "two_way" && reads(other, route, field))
            {
                let given = format!("{field}, which only_if or [fields] of route {} reads", other.name);
                let problem =
                    Problem::new(key, given, "a field that says nothing of whom to call, or which number");
                notes.warning(problem.remedy(
                    "What is told decides what is told next: a mark of an invalid number that picks another number is \
                     taken back with it, and picks the first one again.",
                ));
            }
        }
    }
}

/// Whether a route on the same object maps or decides by this field.
fn reads(other: &RouteSettings, route: &RouteSettings, field: &str) -> bool {
    (&other.crm, &other.object) == (&route.crm, &route.object)
        && other.mapping.names().iter().any(|name| name == field)
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
