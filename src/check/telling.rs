//! How a route's calls go back into the CRM, as far as its config can be judged alone.

use super::notes::Notes;
use super::offline::Validators;
use super::settings::{AgentsTold, WriteBackSettings};
use crate::config::{RawRoute, Setting};
use crate::domain::{Problem, RouteName};
use crate::mapping::{Telling, TellingSpec};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Checks what a route says; every mistake in it is noted. `Some(None)`: its calls stay with us.
pub(super) fn telling(
    name: &str,
    raw: &RawRoute,
    zone: Option<Tz>,
    validators: &Validators<'_>,
    notes: &mut Notes<'_>,
) -> Option<Option<WriteBackSettings>> {
    let key = |key: &str| format!("route.{name}.{key}");
    let spec = TellingSpec {
        route: RouteName::from(name),
        zone: zone.unwrap_or(Tz::UTC),
        activity: texts(raw.activity.as_ref()),
        fields: texts(raw.result_fields.as_ref()),
        blocks: texts(raw.block_fields.as_ref()),
        status: texts(raw.status_fields.as_ref()),
        results: texts(raw.results.as_ref()),
    };
    // Judged also where nothing is told yet: a mistake would show on the day it is switched on.
    let telling = notes.take(Telling::parse(&spec).map(|telling| (telling, Vec::new())));
    let Some(schedule) = &raw.write_back else {
        if let Some(table) = unused(&spec) {
            let given = format!("[route.{name}.{table}] without write_back");
            let problem = Problem::new(key(table), given, "write_back = a cron such as \"*/5 * * * *\"");
            notes.warning(problem.remedy("Without it no call goes back into the CRM."));
        }
        return Some(None);
    };
    if let Err(why) = (validators.cron)(&schedule.value, zone.unwrap_or(Tz::UTC)) {
        let expected = "five fields (minute hour day month weekday), such as \"*/5 * * * *\"";
        notes.problem(Problem::new(key("write_back"), why, expected));
    }
    let two_way = raw.two_way.as_ref().is_some_and(|table| !table.value.is_empty());
    let tables = [&spec.activity, &spec.fields, &spec.blocks, &spec.status];
    if tables.iter().all(|table| table.is_empty()) && !two_way {
        let expected = format!(
            "[route.{name}.activity], [route.{name}.result_fields], [route.{name}.block_fields], \
             [route.{name}.status_fields] or [route.{name}.two_way] with what the CRM is told"
        );
        notes.problem(Problem::new(key("write_back"), "nothing to tell the CRM", expected));
        return None;
    }
    Some(Some(WriteBackSettings {
        schedule: schedule.value.clone(),
        max_per_run: *raw.max_write_back_per_run,
        max_per_day: raw.max_write_back_per_day.as_ref().map(|most| most.value),
        max_percent: raw.max_write_back_percent.as_ref().map(|most| most.value),
        max_own_changes: *raw.max_own_changes,
        telling: Arc::new(telling?),
        agents: if *raw.agents { AgentsTold::ByName } else { AgentsTold::ByNumber },
    }))
}

fn texts(table: Option<&Setting<BTreeMap<String, Setting<String>>>>) -> BTreeMap<String, String> {
    let entries = table.iter().flat_map(|table| &table.value);
    entries.map(|(name, text)| (name.clone(), text.value.clone())).collect()
}

fn unused(spec: &TellingSpec) -> Option<&'static str> {
    let tables = [
        ("activity", &spec.activity),
        ("result_fields", &spec.fields),
        ("block_fields", &spec.blocks),
        ("status_fields", &spec.status),
        ("results", &spec.results),
    ];
    tables.into_iter().find(|(_, table)| !table.is_empty()).map(|(name, _)| name)
}
