//! Reads a connector file: all its mistakes at once, each with its line and what would be right.

use super::extract::{Condition, Pointer, Test};
use super::format::{
    Companion, ConnectorFile, Deleted, ErrorRule, Fetch, IdType, Join, Listing, Means, Of, RecordShape,
    Single, TimeContract, Writing,
};
use super::parse_auth::{read_auth, read_headers};
use super::parse_request::{listing, template};
use super::parse_write::{read_activity, read_apart, read_record_change};
use super::template::Slot;
use super::times::TimeForm;
use super::walk::{At, Notes, Section};
use crate::domain::Problem;
use std::time::Duration;
use toml::de::DeTable;

const POINTER: &str = "a JSON pointer such as \"/data/id\" (empty for the top level)";

/// Slots of a request for a list that no time limits.
const LIST_SLOTS: &[Slot] =
    &[Slot::LastId, Slot::Offset, Slot::Page, Slot::Cursor, Slot::Limit, Slot::Object, Slot::Fields];

/// Reads a connector file. `file` is its name for messages.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str, file: &str) -> Result<ConnectorFile, Vec<Problem>> {
    let notes = Notes::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            notes.add(Problem::new("(file)", message, "valid TOML"), error.span().as_ref());
        }
        return Err(notes.into_problems());
    }
    let built = read_file(Section::new(&notes, String::new(), 0..0, table.get_ref()));
    let problems = notes.into_problems();
    match built {
        Some(built) if problems.is_empty() => Ok(built),
        _ => Err(problems),
    }
}

/// `None` only where something was noted.
fn read_file(root: Section<'_, '_>) -> Option<ConnectorFile> {
    // Everything is read before anything is missed: a `?` in between would hide later mistakes.
    let name = root.required("name", "the connector's name");
    let version = root.required("version", "the connector's version, such as \"1\"");
    let object = root.text("object", "the CRM's object that is read");
    let auth = read_auth(&root);
    let headers = read_headers(&root);
    let record = needed(&root, "record", "where a record's parts lie");
    let record_change = record.as_ref().and_then(|section| section.section("change")).map(read_record_change);
    let record_allowed = record.as_ref().and_then(|section| section.section("allowed"));
    let record_allowed = record_allowed.map(|section| read_single(section, &[Slot::Object]));
    let apart: Vec<_> = record.iter().flat_map(|section| section.sections("apart")).collect();
    let apart: Vec<_> = apart.into_iter().map(|(name, section)| (name, read_apart(section))).collect();
    let record = record.and_then(read_record);
    let time = needed(&root, "time", "what the filter on modification times does").and_then(read_time);
    let lists = read_lists(&root);
    // Companions, hints, `try` and decisions that grew old read by id: without it a route comes to a halt.
    let fetch = needed(&root, "fetch", "how records are read by their ids").and_then(read_fetch);
    let count = root.section("count").map(|section| read_single(section, &[Slot::Object]));
    let clock = root.section("clock").map(|section| read_single(section, &[]));
    let companions: Vec<_> = root
        .sections("companion")
        .into_iter()
        .map(|(name, section)| (name, read_companion(section)))
        .collect();
    let activity = root
        .section("activity")
        .map(|section| read_activity(section, record.as_ref().map_or(IdType::Text, |record| record.id_type)));
    let errors: Vec<_> = root.list("error").into_iter().map(read_error).collect();
    root.done();
    let (changes, deleted) = lists?;
    Some(ConnectorFile {
        name: name?.value,
        version: version?.value,
        object: object.map(|at| at.value),
        auth: auth?,
        headers,
        record: record?,
        time: time?,
        changes,
        deleted,
        fetch: fetch?,
        count: optional(count)?,
        clock: optional(clock)?,
        companions: companions.into_iter().map(|(name, read)| Some((name, read?))).collect::<Option<_>>()?,
        writing: Writing {
            activity: optional(activity)?,
            record: optional(record_change)?,
            record_allowed: optional(record_allowed)?,
            apart: apart.into_iter().map(|(name, read)| Some((name, read?))).collect::<Option<_>>()?,
        },
        errors: errors.into_iter().collect::<Option<_>>()?,
    })
}

/// Turns "not there" into a good `None` and "there, but wrong" into a failure.
pub(super) fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

pub(super) fn needed<'n, 'd>(
    parent: &Section<'n, 'd>,
    key: &'static str,
    expected: &str,
) -> Option<Section<'n, 'd>> {
    if !parent.has(key) {
        parent.missing(key, &format!("a table [{}]: {expected}", parent.key(key)));
    }
    parent.section(key)
}

/// Reads a JSON pointer; `None` where it is missing or wrong.
pub(super) fn pointer(section: &Section<'_, '_>, key: &'static str) -> Option<Pointer> {
    let at = section.any_text(key, POINTER)?;
    Pointer::parse(&at.value)
        .map_err(|expected| section.wrong(key, &at.span, format!("{:?}", at.value), expected))
        .ok()
}

pub(super) fn required_pointer(section: &Section<'_, '_>, key: &'static str) -> Option<Pointer> {
    if !section.has(key) {
        section.missing(key, POINTER);
    }
    pointer(section, key)
}

fn read_record(section: Section<'_, '_>) -> Option<RecordShape> {
    let id = required_pointer(&section, "id");
    let id_type = section.choice("id_type", &[("integer", IdType::Integer), ("text", IdType::Text)]);
    let modified = section.has("modified").then(|| pointer(&section, "modified"));
    let fields = section.has("fields").then(|| pointer(&section, "fields"));
    let deleted = section.section("deleted").map(|inner| {
        let condition = read_condition(&inner);
        inner.done();
        condition
    });
    let empty = section.json("empty");
    let always = section.texts("always");
    let most = 64 << 20;
    let max = section.number("max_bytes", "a number of bytes, at most 64 MiB", 1_024..most + 1);
    if let Some(at) = &empty
        && !at.value.is_array()
    {
        section.wrong("empty", &at.span, at.value.to_string(), "a list of values (null is always empty)");
    }
    section.done();
    Some(RecordShape {
        id: id?,
        id_type: id_type.map_or(IdType::Text, |at| at.value),
        modified: optional(modified)?,
        fields: optional(fields)?,
        deleted: optional(deleted)?,
        empty: empty.and_then(|at| at.value.as_array().cloned()).unwrap_or_default(),
        always: always.map(|at| at.value).unwrap_or_default(),
        max_bytes: max.map_or(1 << 20, |at| usize::try_from(at.value).unwrap_or(usize::MAX)),
    })
}

fn read_condition(section: &Section<'_, '_>) -> Option<Condition> {
    let at = required_pointer(section, "at");
    let is = section.json("is").map(|at| Test::Is(at.value));
    let is_not = section.json("is_not").map(|at| Test::IsNot(at.value));
    let begins = section.text("begins", "the beginning of a text").map(|at| Test::Begins(at.value));
    let present = section.flag("present").map(|at| Test::Present(at.value));
    let mut tests = [is, is_not, begins, present].into_iter().flatten();
    let test = tests.next();
    if test.is_none() || tests.next().is_some() {
        section.missing("is", "exactly one of is, is_not, begins and present");
        return None;
    }
    Some(Condition { at: at?, test: test? })
}

fn read_time(section: Section<'_, '_>) -> Option<TimeContract> {
    let form = |at: At<String>| {
        TimeForm::parse(&at.value)
            .map_err(|expected| {
                let problem = Problem::new(at.key, format!("{:?}", at.value), expected);
                section.notes.add(problem, Some(&at.span));
            })
            .ok()
    };
    let expected = "the form of times in requests, such as \"iso8601_z\"";
    let asked = section.required("format", expected).and_then(form);
    let answered = section.text("answer_format", expected).map(form);
    let resolution = section.duration("resolution");
    if !section.has("resolution") {
        section.missing("resolution", "how coarse the filter compares, such as \"1s\"");
    }
    if let Some(at) = resolution.as_ref().filter(|at| at.value.is_zero()) {
        section.wrong("resolution", &at.span, "0", "at least \"1ms\"");
    }
    let exclusive = section.choice("comparator", &[("gte", false), ("gt", true)]);
    if !section.has("comparator") {
        section.missing("comparator", "gte or gt: whether \"since T\" includes T itself");
    }
    let lag = section.duration("lag");
    let overlap = section.duration("overlap");
    if !section.has("lag") {
        section.missing("lag", "how late a change may show up under an older time, such as \"30s\"");
    }
    section.done();
    let form = asked?;
    Some(TimeContract {
        answer_form: optional(answered)?.unwrap_or_else(|| form.clone()),
        form,
        resolution: resolution?.value,
        exclusive: exclusive?.value,
        lag: lag?.value,
        overlap: overlap.map_or(Duration::from_secs(60), |at| at.value),
    })
}

/// `[read.changes]` and `[read.deleted]`.
fn read_lists(root: &Section<'_, '_>) -> Option<(Listing, Option<Deleted>)> {
    let read = needed(root, "read", "how changed records are read")?;
    let changes = needed(&read, "changes", "how changed records are read").map(|section| {
        let mut slots = LIST_SLOTS.to_vec();
        slots.extend([Slot::Since, Slot::Until, Slot::Direction]);
        let listed = listing(&section, &slots);
        if let Some(listed) = &listed
            && !listed.request.uses(Slot::Since)
        {
            section.missing("query", "{since} somewhere in query or body: else every pull reads everything");
        }
        section.done();
        listed
    });
    let deleted = read.section("deleted").map(read_deleted);
    read.done();
    Some((changes??, optional(deleted)?))
}

fn read_deleted(section: Section<'_, '_>) -> Option<Deleted> {
    let mut slots = LIST_SLOTS.to_vec();
    slots.push(Slot::Since);
    let listed = listing(&section, &slots);
    let id = required_pointer(&section, "id");
    if let Some(listed) = &listed
        && !listed.request.uses(Slot::Since)
    {
        section.missing(
            "query",
            "{since} somewhere in query or body: else every pull reads all that ever was deleted",
        );
    }
    section.done();
    Some(Deleted { listing: listed?, id: id? })
}

fn read_fetch(section: Section<'_, '_>) -> Option<Fetch> {
    let request = template(&section, &[Slot::Ids, Slot::Limit, Slot::Object, Slot::Fields]);
    let records = required_pointer(&section, "records");
    let batch = section.number("batch", "1 to 200", 1..201);
    if let Some(request) = &request
        && !request.uses(Slot::Ids)
    {
        section.missing("query", "{ids} somewhere in path, query or body");
    }
    section.done();
    Some(Fetch { request: request?, records: records?, batch: number(batch, 200) })
}

pub(super) fn read_single(section: Section<'_, '_>, slots: &[Slot]) -> Option<Single> {
    let request = template(&section, slots);
    let at = required_pointer(&section, "at");
    section.done();
    Some(Single { request: request?, at: at? })
}

fn read_companion(section: Section<'_, '_>) -> Option<Companion> {
    let listed = listing(&section, LIST_SLOTS);
    let value = required_pointer(&section, "value");
    let in_record = section.flag("in_record").is_some_and(|at| at.value);
    let join = section.section("join").map(|inner| {
        let request = template(&inner, &[Slot::Values, Slot::Limit, Slot::Object]);
        let (records, id) = (required_pointer(&inner, "records"), required_pointer(&inner, "id"));
        let batch = inner.number("batch", "1 to 1000", 1..1_001);
        let limit = inner.number("limit", "1 to 10000", 1..10_001);
        if let Some(request) = &request
            && !request.uses(Slot::Values)
        {
            inner.missing("query", "{values} somewhere in query or body");
        }
        inner.done();
        let request = request?;
        let limit = (limit.is_some() || request.uses(Slot::Limit)).then(|| number(limit, 1_000));
        Some(Join { request, records: records?, id: id?, batch: number(batch, 100), limit })
    });
    section.done();
    Some(Companion { listing: listed?, value: value?, join: optional(join)?, in_record })
}

fn read_error(section: Section<'_, '_>) -> Option<ErrorRule> {
    let status = section.number("status", "a status of 400 to 599 (without it: any 2xx)", 400..600);
    let of = section.choice("of", &[("all", Of::All), ("writes", Of::Writes)]);
    let when = read_condition(&section);
    let names = [
        ("unauthorized", Means::Unauthorized),
        ("rejected", Means::Rejected),
        ("refused", Means::Refused),
        ("not_found", Means::NotFound),
        ("untrusted", Means::Untrusted),
        ("configuration", Means::Configuration),
    ];
    let means = section.choice("means", &names);
    if !section.has("means") {
        section.missing("means", "unauthorized, rejected, refused, not_found, untrusted or configuration");
    }
    let text = section.has("text").then(|| pointer(&section, "text"));
    section.done();
    let status = status.and_then(|at| u16::try_from(at.value).ok());
    Some(ErrorRule {
        status,
        of: of.map_or(Of::All, |at| at.value),
        when: when?,
        means: means?.value,
        text: optional(text)?,
    })
}

pub(super) fn number(at: Option<At<u64>>, default: usize) -> usize {
    at.map_or(default, |at| usize::try_from(at.value).unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::AuthScheme;

    const RIGHT: &str = r#"
name    = "mine"
version = "1"

[record]
id       = "/id"
modified = "/changed"

[time]
format     = "iso8601_z"
resolution = "1s"
comparator = "gte"
lag        = "30s"

[read.changes]
path    = "/contacts"
query   = { since = "{since}", after = "{last_id}", limit = "{limit}" }
records = "/items"
paging  = "id"
order   = "id"

[fetch]
path    = "/contacts"
query   = { ids = "{ids}" }
records = "/items"
"#;

    #[test]
    fn a_short_file_is_enough() {
        let file = parse(RIGHT, "mine.toml").unwrap();
        assert_eq!(file.record.max_bytes, 1 << 20);
        assert_eq!(file.auth, AuthScheme::Bearer);
        assert_eq!(file.changes.request.method, http::Method::GET);
    }

    #[test]
    fn ten_mistakes_are_ten_problems_with_their_lines() {
        let wrong = r#"
nmae    = "mine"
version = 7

[auth]
kind = "header"

[record]
id      = "id"
deleted = { at = "/active", is = false, present = true }

[time]
format     = "rfc"
resolution = "1 second"
comparator = "=>"
lag        = "30s"

[read.changes]
path    = "/contacts"
query   = { since = "{snice}" }
records = "/items"
paging  = "pages"
order   = "id"
"#;
        let problems = parse(wrong, "mine.toml").unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let line = |line: usize, part: &str| {
            let start = format!("mine.toml:{line}: ");
            assert!(
                shown.iter().any(|text| text.starts_with(&start) && text.contains(part)),
                "line {line}, {part:?}: {shown:#?}"
            );
        };
        line(2, "Did you mean \"name\"?");
        line(3, "version: 7");
        line(5, "auth.header");
        line(9, "record.id");
        line(10, "exactly one of");
        line(13, "time.format");
        line(14, "time.resolution");
        line(15, "time.comparator");
        line(20, "did you mean {since}?");
        line(22, "read.changes.paging");
        assert!(shown.iter().any(|text| text.contains("fetch: it is missing")), "{shown:#?}");
        // And the name itself, which is missing under its right spelling.
        assert_eq!(problems.len(), 12, "{shown:#?}");
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let with = |from: &str, to: &str| {
            let text = RIGHT.replace(from, to);
            assert_ne!(text, RIGHT, "{from}");
            let problems = parse(&text, "mine.toml").unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(with("order   = \"id\"", "order = \"none\"").contains("need order = \"id\""));
        assert!(with("after = \"{last_id}\", ", "").contains("does not use {last_id}"));
        assert!(with("since = \"{since}\", ", "").contains("{since} somewhere"));
        assert!(with("\"id\"\norder", "\"cursor\"\norder").contains("{cursor}"));
        assert!(
            with("limit = \"{limit}\" }", "limit = \"{limit}\", x = \"{ids}\" }").contains("no {ids} here")
        );
        assert!(
            with("path    = \"/contacts\"", "path = \"/contacts/{last_id}\"").contains("always have a value")
        );
        let body = "method = \"POST\"\nbody = '''\n{ \"a\": [ \"{since}\" ],\n  \"b\": }\n'''\nrecords";
        let broken = with("records", body);
        assert!(broken.contains("mine.toml:21: read.changes.body: no valid JSON"), "{broken}");
        let uncovered = with("records", "body = '{ \"a\": [ \"{since}\" ] }'\nrecords");
        assert!(uncovered.contains("name the part in omit.since"), "{uncovered}");
        assert!(with("[record]", "[record").contains("mine.toml:5"), "a syntax error");
    }

    #[test]
    fn no_header_value_is_shown() {
        let text = RIGHT.replace("[record]", "[headers]\nX-Secret = \"s3\\u0007cret\"\n\n[record]");
        let problems = parse(&text, "mine.toml").unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(!problems[0].to_string().contains("cret\""), "{}", problems[0]);
    }
}
