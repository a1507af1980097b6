//! Reads the write half of a connector file: how activities are created, changed and found, and fields written.

use super::extract::Pointer;
use super::format::{ActivityRequests, Apart, Find, IdType, Template, Written};
use super::parse::{needed, optional, pointer, read_single, required_pointer};
use super::parse_request::{template, write_template};
use super::template::Slot;
use super::walk::{At, Section};
use super::write::Safe;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Key,
    Find,
    No,
}

const WAYS: &[(&str, Way)] = &[("key", Way::Key), ("find", Way::Find), ("no", Way::No)];

/// `[record.change]`.
pub(super) fn read_record_change(section: Section<'_, '_>) -> Option<Written> {
    let written = read_written(&section, &[Slot::Record, Slot::Values, Slot::Object]);
    require(&section, written.as_ref().map(|written| &written.request), &[Slot::Record, Slot::Values]);
    section.done();
    written
}

/// `[record.apart.NAME]`.
pub(super) fn read_apart(section: Section<'_, '_>) -> Option<Apart> {
    let request = write_template(&section, &[Slot::Record, Slot::Value, Slot::Object]);
    require(&section, request.as_ref(), &[Slot::Value]);
    let allowed = section.section("allowed").map(|section| read_single(section, &[Slot::Object]));
    section.done();
    Some(Apart { request: request?, allowed: optional(allowed)? })
}

/// A request that writes values, and which of them the CRM reads as HTML.
fn read_written(section: &Section<'_, '_>, slots: &[Slot]) -> Option<Written> {
    let request = write_template(section, slots);
    let html = section.texts("html").map(|at| at.value).unwrap_or_default();
    Some(Written { request: request?, html })
}

/// `[activity]`; `id_type` is that of the records.
pub(super) fn read_activity(section: Section<'_, '_>, id_type: IdType) -> Option<ActivityRequests> {
    let given = section.choice("id_type", &[("integer", IdType::Integer), ("text", IdType::Text)]);
    let way = section.choice("safe", WAYS);
    if !section.has("safe") {
        section.missing(
            "safe",
            "\"key\" (a second create under the same key changes the first), \"find\" (an activity can be looked for by its \
             key) or \"no\" (neither)",
        );
    }
    let way = way.map(|at| at.value);
    let visible_after = section.duration("visible_after");
    let safe = way.and_then(|way| read_safe(&section, way, visible_after));
    let create = needed(&section, "create", "how an activity is added to a record")
        .and_then(|section| read_create(section, way));
    let change = section.section("change").map(read_change);
    let find = section.section("find").map(read_find);
    let allowed = section.section("allowed").map(|section| read_single(section, &[Slot::Object]));
    if way == Some(Way::Find) && !section.has("find") {
        section
            .missing("find", "a table [activity.find]: safe = \"find\" looks for activities by their keys");
    }
    section.done();
    let (create, id) = create?;
    Some(ActivityRequests {
        safe: safe?,
        id_type: given.map_or(if id.is_some() { id_type } else { IdType::Text }, |at| at.value),
        create,
        id,
        change: optional(change)?,
        find: optional(find)?,
        allowed: optional(allowed)?,
    })
}

fn read_safe(section: &Section<'_, '_>, way: Way, visible_after: Option<At<Duration>>) -> Option<Safe> {
    match (way, visible_after) {
        (Way::Key, None) => Some(Safe::Key),
        (Way::No, None) => Some(Safe::No),
        (Way::Find, Some(at)) => Some(Safe::Find { visible_after: at.value }),
        (Way::Find, None) => {
            if !section.has("visible_after") {
                section.missing(
                    "visible_after",
                    "how long after a create the look-up certainly finds it, such as \"1m\": absent is believed only then",
                );
            }
            None
        }
        (Way::Key | Way::No, Some(at)) => {
            section.wrong("visible_after", &at.span, "given, but nothing is looked for", "safe = \"find\"");
            None
        }
    }
}

/// The request, and where its answer has the id.
fn read_create(section: Section<'_, '_>, way: Option<Way>) -> Option<(Written, Option<Pointer>)> {
    let written = read_written(&section, &[Slot::Record, Slot::Key, Slot::Values, Slot::Object]);
    let request = written.as_ref().map(|written| &written.request);
    require(&section, request, &[Slot::Record, Slot::Values]);
    if matches!(way, Some(Way::Key | Way::Find)) {
        require(&section, request, &[Slot::Key]);
    }
    let id = section.has("id").then(|| pointer(&section, "id"));
    if id.is_none() && matches!(way, Some(Way::Find | Way::No)) {
        section.missing(
            "id",
            "where the answer has the new activity's id, such as \"/id\" (only safe = \"key\" can do without: then the key \
             is the id)",
        );
    }
    section.done();
    Some((written?, optional(id)?))
}

fn read_change(section: Section<'_, '_>) -> Option<Written> {
    let slots = [Slot::Activity, Slot::Record, Slot::Key, Slot::Values, Slot::Object];
    let written = read_written(&section, &slots);
    require(&section, written.as_ref().map(|written| &written.request), &[Slot::Activity, Slot::Values]);
    section.done();
    written
}

fn read_find(section: Section<'_, '_>) -> Option<Find> {
    let request = template(&section, &[Slot::Record, Slot::Key, Slot::Object]);
    require(&section, request.as_ref(), &[Slot::Key]);
    let (records, id) = (required_pointer(&section, "records"), required_pointer(&section, "id"));
    let key = required_pointer(&section, "key");
    section.done();
    Some(Find { request: request?, records: records?, id: id?, key: key? })
}

/// Placeholders without which the request would not say what it is for; values only a body can hold.
fn require(section: &Section<'_, '_>, request: Option<&Template>, slots: &[Slot]) {
    let Some(request) = request else { return };
    for slot in slots {
        if *slot == Slot::Values {
            if !request.body.as_ref().is_some_and(|body| body.slots().contains(slot)) {
                section.missing(
                    "body",
                    "{values} in the body: \"fields\": \"{values}\", or \"...\": \"{values}\" beside others",
                );
            }
        } else if !request.uses(*slot) {
            section.missing("path", &format!("{{{}}} somewhere in path, query or body", slot.name()));
        }
    }
    let outside = request.path.slots().chain(request.query.iter().flat_map(|(_, text)| text.slots()));
    if outside.into_iter().any(|slot| slot == Slot::Values) {
        section.contradicts("path", "{values} in an address", "them in the body alone");
    }
}

#[cfg(test)]
mod tests {
    use crate::crm::{bundled, parse};

    /// What is wrong with the bundled file once its write half is this one.
    fn problems(half: &str) -> Vec<String> {
        let text = bundled("sim-next").expect("a bundled file without a write half");
        let text = format!("{text}\n{half}");
        let problems = parse(&text, "mine.toml").err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    const RIGHT: &str = r#"
[activity]
safe = "key"

[activity.create]
path = "/notes"
body = '{ "about": "{record}", "ref": "{key}", "...": "{values}" }'
id   = "/id"
"#;

    #[test]
    fn a_short_write_half_is_enough() {
        assert_eq!(problems(RIGHT), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_of_a_write_half_is_named_with_what_would_be_right() {
        let wrong = r#"
[activity]
safe          = "kye"
visible_after = "soon"

[activity.create]
method = "GET"
path   = "/notes"
body   = '{ "about": "{recrod}" }'

[activity.change]
path = "/notes/{activity}"
query = { all = "{values}" }

[activity.find]
path = "/notes"
query = { since = "{since}" }
"#;
        let shown = problems(wrong).join("\n");
        for part in [
            "activity.safe: \"kye\"",
            "Did you mean \"key\"?",
            "activity.visible_after: \"soon\"",
            "activity.create.method: \"GET\"",
            "POST, PUT, PATCH",
            "did you mean {record}?",
            "activity.change.body: it is missing",
            "activity.change.path: {values} in an address",
            "{key} somewhere",
            "no {since} here",
            "activity.find.records",
            "activity.find.key",
        ] {
            assert!(shown.contains(part), "{part}:\n{shown}");
        }
    }

    #[test]
    fn a_value_apart_must_be_in_its_request_and_nothing_else_may() {
        let right = "[record.apart.list]\npath = \"/list/{value}\"\n";
        assert_eq!(problems(right), Vec::<String>::new());
        let shown = problems("[record.apart.list]\npath = \"/list/{values}\"\n").join("\n");
        assert!(shown.contains("no {values} here") && shown.contains("{value} somewhere"), "{shown}");
    }

    #[test]
    fn what_a_word_of_safety_needs_is_asked_for() {
        let with = |from: &str, to: &str| {
            assert!(RIGHT.contains(from), "{from}");
            problems(&RIGHT.replacen(from, to, 1)).join("\n")
        };
        assert!(with("\"ref\": \"{key}\", ", "").contains("{key} somewhere"));
        let find = with("\"key\"", "\"find\"");
        assert!(
            find.contains("activity.visible_after: it is missing") && find.contains("[activity.find]"),
            "{find}"
        );
        assert!(with("\"key\"", "\"no\"\nvisible_after = \"1m\"").contains("nothing is looked for"));
        assert!(with("id   = \"/id\"\n", "").is_empty(), "under a key, the key is the id");
        assert!(with("\"key\"", "\"no\"").is_empty());
        let nameless = RIGHT.replace("\"key\"", "\"no\"").replace("id   = \"/id\"\n", "");
        assert!(problems(&nameless).join("\n").contains("activity.create.id: it is missing"));
        assert!(with("safe = \"key\"", "").contains("activity.safe: it is missing"));
    }
}
