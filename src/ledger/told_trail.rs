//! What the CRM was told, entered in the trail: field by field with what was there before, by which rule, and whose word it was.

use super::edits_end::CarriedEdit;
use super::sql::json;
use super::trail::{self, Added, BeforeFrom, By};
use super::write_back_end::Standing;
use super::write_back_take::Leaving;
use crate::domain::{LinkId, RunId, Take, TellRule, Timestamp, WriteBackId};
use rusqlite::{OptionalExtension as _, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Why the CRM is told of a field.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Why {
    pub rule: TellRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

/// Why it is told of each field of a request.
pub(super) type Because = BTreeMap<String, Why>;

/// Why a request tells what it tells, as it is known when it leaves: the words may be used up when it is answered.
pub(super) fn because(tx: &Transaction<'_>, row: WriteBackId, leaving: &Leaving) -> rusqlite::Result<String> {
    let person = match &leaving.person {
        Some(person) => Some(person.clone()),
        None => let_go_by(tx, row)?,
    };
    let link = tx
        .prepare_cached("SELECT link_id FROM write_backs WHERE id = ?1")?
        .query_row([row.0], |row| row.get(0));
    let decided = match link.optional()? {
        Some(link) if leaving.rules.values().any(|rule| *rule == TellRule::Owners) => {
            trail::decided_by(tx, LinkId(link), Take::Dialler)?
        }
        Some(_) | None => Vec::new(),
    };
    let carrying: BTreeMap<String, String> = serde_json::from_str(&leaving.carrying).unwrap_or_default();
    let decided: BTreeMap<&str, &String> = decided
        .iter()
        .filter_map(|(field, who)| carrying.get(field).map(|name| (name.as_str(), who)))
        .collect();
    let because: Because = leaving
        .rules
        .iter()
        .map(|(name, rule)| {
            let person = match rule {
                TellRule::Owners => decided.get(name.as_str()).map(|who| (*who).clone()),
                TellRule::Activity
                | TellRule::ResultFields
                | TellRule::StatusFields
                | TellRule::BlockFields => person.clone(),
            };
            (name.clone(), Why { rule: *rule, person })
        })
        .collect();
    json(&because)
}

/// Who had it told again, or else approved of what waited: the first word of those that were said since.
fn let_go_by(tx: &Transaction<'_>, row: WriteBackId) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached(
        "SELECT coalesce(w.let_go_by, CASE WHEN w.waits_since <= r.write_back_approved THEN
            (SELECT s.who FROM write_back_words s WHERE s.route = r.route AND s.verb = 'approve' AND s.at >= w.waits_since
             ORDER BY s.id LIMIT 1) END)
         FROM write_backs w JOIN links l ON l.id = w.link_id JOIN routes r ON r.route = l.route WHERE w.id = ?1",
    )?
    .query_row([row.0], |row| row.get(0))
    .optional()
    .map(Option::flatten)
}

/// What was there before as it was read; where it was not, what we last told, where that is known.
pub(super) fn enter(
    tx: &Transaction<'_>,
    row: WriteBackId,
    run: RunId,
    standing: &Standing,
    (carried, read): (&[CarriedEdit], &Map<String, Value>),
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut changes = Vec::new();
    for (field, value) in &standing.values {
        let because = standing.because.get(field);
        let entered = |before: Option<String>, before_from: BeforeFrom| Added {
            side: "crm",
            field,
            rule: because.map(|why| why.rule.as_str()),
            person: because.and_then(|why| why.person.clone()),
            before,
            before_from,
            after: Some(value.to_string()),
        };
        if let Some(edit) = carried.iter().find(|edit| edit.name == *field) {
            changes.push(entered(Some(edit.before.to_string()), BeforeFrom::Answer));
            continue;
        }
        let last: Option<String> = tx
            .prepare_cached(
                "SELECT after FROM changes WHERE link_id = ?1 AND write_back_id = ?2 AND field = ?3
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row((standing.link, row.0, field), |row| row.get(0))
            .optional()?
            .flatten();
        let was = read.get(field);
        // What somebody else wrote over it meanwhile is written over now.
        let says_it_already = last.as_deref() == Some(value.to_string().as_str());
        if says_it_already && !was.is_some_and(|was| says_something_else(was, value)) {
            continue;
        }
        changes.push(match (was, last) {
            (Some(was), _) => entered(Some(was.to_string()), BeforeFrom::Answer),
            (None, Some(last)) => entered(Some(last), BeforeFrom::Base),
            (None, None) => entered(None, BeforeFrom::None),
        });
    }
    trail::append(tx, now, LinkId(standing.link), By::WriteBack(row), &format!("run:{run}"), changes)
}

/// Whether a CRM that was told a value says another one now. Not where it may only say it in a way of its own: nothing in another
/// word, a number, a record by id and name, a text with tags, a time.
fn says_something_else(says: &Value, told: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
    };
    match (says, told) {
        (says, told) if is_nothing(says) && is_nothing(told) => false,
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        (Value::Number(says), Value::Number(told)) => says.as_f64() != told.as_f64(),
        (Value::String(says), Value::String(told)) => {
            let tags = [says, told].iter().any(|text| text.contains('<'));
            let day = |text: &str| {
                text.get(..10).filter(|day| day.parse::<chrono::NaiveDate>().is_ok()).map(str::to_owned)
            };
            let same_day = day(says).is_some() && day(says) == day(told);
            says.trim() != told.trim() && !tags && !same_day
        }
        (says, told) => says != told,
    }
}

#[cfg(test)]
mod tests {
    use super::says_something_else;
    use serde_json::json;

    #[test]
    fn another_way_to_say_it_is_nothing_else() {
        for (says, told, another) in [
            (json!("by a clerk"), json!("declined"), true),
            (json!(3), json!(4), true),
            (json!(true), json!(false), true),
            (json!(null), json!("declined"), true),
            (json!("declined "), json!("declined"), false),
            (json!(null), json!(false), false),
            (json!(false), json!(""), false),
            (json!(3.0), json!(3), false),
            (json!([7, "Sales"]), json!(7), false),
            (json!("<p>declined</p>"), json!("declined"), false),
            (json!("2026-03-02T10:00:00Z"), json!("2026-03-02 10:00:00"), false),
            (json!("2026-03-01 10:00:00"), json!("2026-03-02 10:00:00"), true),
        ] {
            assert_eq!(says_something_else(&says, &told), another, "{says} {told}");
        }
    }
}
