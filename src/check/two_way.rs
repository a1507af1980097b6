//! Whose the fields of a route are, and which both sides may change, as far as its config can be judged alone.

use super::notes::Notes;
use crate::config::{RawRoute, Setting};
use crate::domain::{ConflictRule, FieldKind, FieldName, Kept, Owner, Problem, Taken, TwoWay, suggest};
use crate::mapping::Mapping;
use std::collections::BTreeMap;

/// Checks what a route says; every mistake in it is noted.
pub(super) fn two_way(
    name: &str,
    raw: &RawRoute,
    mapping: Option<&Mapping>,
    notes: &mut Notes<'_>,
) -> Option<TwoWay> {
    let Some(table) = &raw.two_way else { return Some(TwoWay::new()) };
    let mut fields = Some(TwoWay::new());
    for (field, rule) in &table.value {
        let key = format!("route.{name}.two_way.{field}");
        let judged = (judge_field(&key, field, mapping, notes), judge_rule(&key, &rule.value, notes));
        fields = match (fields, judged) {
            (Some(mut fields), (Some(field), Some(rule))) => {
                fields.insert(field, rule);
                Some(fields)
            }
            (_, _) => None,
        };
    }
    if !table.value.is_empty() && raw.write_back.is_none() {
        let expected = "write_back = a cron such as \"*/5 * * * *\"";
        let problem =
            Problem::new(format!("route.{name}.two_way"), "two-way fields without write_back", expected);
        notes.problem(problem.remedy("What agents change goes into the CRM with the write-back."));
    }
    fields
}

/// The mapped fields that are the dialler's after the import; every mistake in what a route says of owners is noted.
pub(super) fn kept(
    name: &str,
    raw: &RawRoute,
    mapping: Option<&Mapping>,
    notes: &mut Notes<'_>,
) -> Option<Kept> {
    let said = |table: &Option<Setting<BTreeMap<String, Setting<String>>>>, field: FieldName| {
        table.as_ref().and_then(|table| table.value.get(field.as_str())).map(|setting| setting.value.clone())
    };
    let mut right = true;
    for (field, owner) in raw.owners.iter().flat_map(|table| &table.value) {
        let key = format!("route.{name}.owners.{field}");
        let mapped = mapping.is_none_or(|mapping| mapping.fields().any(|mapped| mapped.as_str() == field));
        let problem = if !mapped {
            Problem::new(&key, format!("{field} is not mapped"), "a field that [route.NAME.fields] maps")
        } else if FieldName::parse(field).is_some_and(|field| said(&raw.two_way, field).is_some()) {
            Problem::new(
                &key,
                format!("{field} is a two-way field too"),
                "one of the two: a two-way field is both sides'",
            )
        } else if Owner::parse(&owner.value).is_none() {
            let expected = "whose it is once its contact is there: \"crm\" (its changes are sent), \"dialler\" or \"append\" (the \
                            CRM's part between marks)";
            Problem::new(&key, format!("{:?}", owner.value), expected)
        } else if owner.value == Owner::Append.as_str() && !takes_parts(field) {
            let given = format!("\"append\" for {field}, which has no room for two");
            Problem::new(&key, given, "a long text that agents write, such as Comment")
        } else {
            continue;
        };
        right = false;
        notes.problem(problem);
    }
    let owner = |field: FieldName| match said(&raw.owners, field) {
        Some(text) => Owner::parse(&text),
        None => Some(Owner::usual(field)),
    };
    let fields = mapping?.fields().filter(|field| said(&raw.two_way, *field).is_none());
    right.then(|| fields.filter(|field| owner(*field) == Some(Owner::Dialler)).collect())
}

/// Whether a field is a long text that an update takes.
fn takes_parts(name: &str) -> bool {
    FieldName::parse(name).is_some_and(|field| match (field.spec().kind, field.spec().taken) {
        (FieldKind::LongText, Taken::Both | Taken::Update) => true,
        (FieldKind::LongText, Taken::Import) => false,
        (FieldKind::Text(_) | FieldKind::Phone | FieldKind::Number | FieldKind::DateTime, _) => false,
    })
}

fn judge_field(key: &str, name: &str, mapping: Option<&Mapping>, notes: &mut Notes<'_>) -> Option<FieldName> {
    let Some(field) = FieldName::parse(name) else {
        let problem = Problem::new(
            key,
            format!("{name} is no field of a dialler contact"),
            "a field that [route.NAME.fields] maps",
        );
        let near = suggest(name, FieldName::all().map(FieldName::as_str));
        notes.problem(match near {
            Some(near) => problem.remedy(format!("Did you mean {near}?")),
            None => problem,
        });
        return None;
    };
    let wrong = match (field.spec().taken, field.spec().kind) {
        (Taken::Import, _) => Some("the dialler takes it at import only"),
        (Taken::Update | Taken::Both, FieldKind::DateTime) => {
            Some("a time, and nothing says in which form the CRM takes one back")
        }
        (
            Taken::Update | Taken::Both,
            FieldKind::Text(_) | FieldKind::LongText | FieldKind::Phone | FieldKind::Number,
        ) => None,
    };
    if let Some(wrong) = wrong {
        notes.problem(Problem::new(key, format!("{name}: {wrong}"), "a text, a number or a phone number"));
        return None;
    }
    // A mapping with mistakes of its own is told of by these.
    let mapping = mapping?;
    if mapping.plain_name(field).is_none() {
        let given = if mapping.fields().any(|mapped| mapped == field) {
            format!("{name} is mapped by more than the name of a field")
        } else {
            format!("{name} is not mapped")
        };
        let problem = Problem::new(
            key,
            given,
            format!("[route.NAME.fields] with {name} = the plain name of a CRM field"),
        );
        notes.problem(problem.remedy("Only then it is clear where in the CRM an agent's value belongs."));
        return None;
    }
    Some(field)
}

fn judge_rule(key: &str, text: &str, notes: &mut Notes<'_>) -> Option<ConflictRule> {
    let rule = ConflictRule::parse(text);
    if rule.is_none() {
        let problem = Problem::new(
            key,
            format!("{text:?}"),
            "whose value stands where both sides changed it: \"crm\", \"dialler\" or \"ask\" (a person)",
        );
        notes.problem(if text == "newest" {
            problem.remedy("Neither the dialler nor a CRM tells when a single field was changed, so nobody knows which is newer.")
        } else {
            problem
        });
    }
    rule
}
