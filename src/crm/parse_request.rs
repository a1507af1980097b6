//! Reads the requests of a connector file: templates, and how the pages of a list hang together.

use super::extract::Pointer;
use super::format::{End, Listing, Order, Paging, Template};
use super::parse::{number, pointer, required_pointer};
use super::template::{Body, Slot, Text};
use super::walk::{At, Section};
use crate::domain::Problem;
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Whole,
    Id,
    Offset,
    Page,
    Cursor,
    NextUrl,
    Link,
}

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
}

/// The methods that a request which only reads may use; the first is meant where there is no body.
const READS: &[(&str, Verb)] = &[("GET", Verb::Get), ("POST", Verb::Post)];
/// Those of a write.
const WRITES: &[(&str, Verb)] = &[("POST", Verb::Post), ("PUT", Verb::Put), ("PATCH", Verb::Patch)];

const STYLES: &[(&str, Style)] = &[
    ("none", Style::Whole),
    ("id", Style::Id),
    ("offset", Style::Offset),
    ("page", Style::Page),
    ("cursor", Style::Cursor),
    ("next_url", Style::NextUrl),
    ("link", Style::Link),
];

/// Reads method, path, query, body and what falls away from them; `slots` are the placeholders that
/// make sense here.
pub(super) fn template(section: &Section<'_, '_>, slots: &[Slot]) -> Option<Template> {
    request(section, slots, READS)
}

/// The same of a request that changes something.
pub(super) fn write_template(section: &Section<'_, '_>, slots: &[Slot]) -> Option<Template> {
    request(section, slots, WRITES)
}

fn request(section: &Section<'_, '_>, slots: &[Slot], verbs: &[(&'static str, Verb)]) -> Option<Template> {
    let method = section.choice("method", verbs);
    let path = section.required("path", "the path below the CRM's base URL, beginning with a slash");
    if let Some(at) = path.as_ref().filter(|at| !at.value.starts_with('/')) {
        section.wrong("path", &at.span, format!("{:?}", at.value), "a path that begins with a slash");
    }
    let path = path.and_then(|at| checked_text(section, &at));
    let query: Vec<_> = section
        .text_table("query")
        .into_iter()
        .map(|(name, at)| Some((name, checked_text(section, &at)?)))
        .collect();
    let omit = read_omit(section);
    let body = section.text("body", "JSON in quotes (''' for several lines)");
    let has_body = body.is_some();
    let body = body.map(|at| read_body(section, &at, &omit));
    if let Some(method) = &method
        && method.value == Verb::Get
        && has_body
    {
        section.wrong("method", &method.span, "GET with a body", "POST, or no body");
    }
    if !has_body && !omit.is_empty() {
        section.missing("body", "a body: omit speaks of one (a query parameter falls away by itself)");
    }
    let built = Template {
        method: match method.map(|at| at.value) {
            Some(Verb::Get) => Method::GET,
            Some(Verb::Post) => Method::POST,
            Some(Verb::Put) => Method::PUT,
            Some(Verb::Patch) => Method::PATCH,
            None if has_body || verbs == WRITES => Method::POST,
            None => Method::GET,
        },
        path: path?,
        query: query.into_iter().collect::<Option<_>>()?,
        body: match body {
            None => None,
            Some(body) => Some(body?),
        },
    };
    for slot in built.slots() {
        if !slots.contains(&slot) {
            let allowed: Vec<_> = slots.iter().map(|slot| format!("{{{}}}", slot.name())).collect();
            section
                .missing("path", &format!("no {{{}}} here; it may use {}", slot.name(), allowed.join(", ")));
        }
    }
    if built.path.slots().any(Slot::may_be_absent) {
        section.missing("path", "only placeholders in the path that always have a value");
    }
    Some(built)
}

fn checked_text(section: &Section<'_, '_>, at: &At<String>) -> Option<Text> {
    Text::parse(&at.value)
        .map_err(|given| {
            let problem = Problem::new(at.key.clone(), given, "a placeholder that exists");
            section.notes.add(problem, Some(&at.span));
        })
        .ok()
}

/// `omit.since = ["/domain/0"]`.
fn read_omit(section: &Section<'_, '_>) -> BTreeMap<Slot, Vec<String>> {
    let mut omit = BTreeMap::new();
    if let Some(inner) = section.section("omit") {
        for slot in Slot::ALL.iter().copied().filter(|slot| slot.may_be_absent()) {
            if let Some(at) = inner.texts(slot.name()) {
                omit.insert(slot, at.value);
            }
        }
        inner.done();
    }
    omit
}

fn read_body(section: &Section<'_, '_>, at: &At<String>, omit: &BTreeMap<Slot, Vec<String>>) -> Option<Body> {
    let template: Value = match serde_json::from_str(&at.value) {
        Ok(template) => template,
        Err(error) => {
            let problem = Problem::new(at.key.clone(), format!("no valid JSON: {error}"), "JSON");
            // A text in ''' begins on the line after the quotes.
            let lines = if section.begins_with_newline(&at.span) { error.line() } else { error.line() - 1 };
            section.notes.add_below(problem, Some(&at.span), lines);
            return None;
        }
    };
    Body::parse(&template, omit)
        .map_err(|wrong| {
            for given in wrong {
                let problem = Problem::new(at.key.clone(), given, "a body that can be sent in every case");
                section.notes.add(problem, Some(&at.span));
            }
        })
        .ok()
}

/// Reads a request whose answer is a list, with its paging.
pub(super) fn listing(section: &Section<'_, '_>, slots: &[Slot]) -> Option<Listing> {
    let request = template(section, slots);
    let records = required_pointer(section, "records");
    let style = section.choice("paging", STYLES);
    if !section.has("paging") {
        section.missing("paging", "id, offset, page, cursor, next_url, link or none");
    }
    let order =
        section.choice("order", &[("id", Order::Id), ("modified", Order::Modified), ("none", Order::None)]);
    let limit = section.number("limit", "1 to 10000", 1..10_001);
    let next = section.has("next").then(|| pointer(section, "next")).flatten();
    let first = section.number("first_page", "the number of the first page, 0 or 1", 0..2);
    let end = read_end(section);
    let style = style?;
    let order = order.map(|at| at.value);
    check_paging(section, &style, order, request.as_ref());
    let paging = match style.value {
        Style::Whole => Paging::Whole,
        Style::Id => Paging::Id,
        Style::Offset => Paging::Offset,
        Style::Page => Paging::Page { first: first.map_or(1, |at| at.value) },
        Style::Cursor => Paging::Cursor { next: needed_next(section, next, "token")? },
        Style::NextUrl => Paging::NextUrl { next: needed_next(section, next, "address")? },
        Style::Link => Paging::Link,
    };
    Some(Listing {
        request: request?,
        records: records?,
        paging,
        order,
        limit: number(limit, 200),
        end: end?,
    })
}

fn needed_next(section: &Section<'_, '_>, next: Option<Pointer>, what: &str) -> Option<Pointer> {
    if !section.has("next") {
        section
            .missing("next", &format!("where the next page's {what} lies in the answer, such as \"/next\""));
    }
    next
}

/// `last_page = "short" | "empty"`, or `more = "/pointer"`.
fn read_end(section: &Section<'_, '_>) -> Option<End> {
    let more: Option<Option<Pointer>> = section.has("more").then(|| pointer(section, "more"));
    let last = section.choice("last_page", &[("short", true), ("empty", false)]);
    match more {
        Some(more) => Some(End::More(more?)),
        None if last.is_some_and(|at| at.value) => Some(End::Short),
        None => Some(End::Empty),
    }
}

fn check_paging(
    section: &Section<'_, '_>,
    style: &At<Style>,
    order: Option<Order>,
    request: Option<&Template>,
) {
    let wrong = |given: &str, expected: &str| section.wrong("paging", &style.span, given, expected);
    let slots = match style.value {
        Style::Whole => &[][..],
        Style::Id => &[Slot::LastId, Slot::Limit],
        Style::Offset => &[Slot::Offset, Slot::Limit],
        Style::Page => &[Slot::Page],
        Style::Cursor => &[Slot::Cursor],
        Style::NextUrl | Style::Link => &[],
    };
    if let Some(request) = request {
        for slot in slots.iter().filter(|slot| !request.uses(**slot)) {
            wrong(
                &format!("the request does not use {{{}}}", slot.name()),
                "the placeholders that this way of paging needs",
            );
        }
    }
    match (style.value, order) {
        (Style::Id, Some(Order::Id)) | (Style::Offset | Style::Page, Some(Order::Id | Order::Modified)) => {}
        (Style::Id, _) => {
            wrong("pages by id need order = \"id\"", "an answer ordered by id, and order = \"id\"")
        }
        (Style::Offset | Style::Page, _) => {
            wrong(
                "pages by offset or number need a declared order",
                "order = \"modified\" or \"id\", as the request asks for",
            );
        }
        (Style::NextUrl | Style::Link, _) => {
            if request.is_some_and(|request| request.method != Method::GET) {
                wrong(
                    "pages by an address, and a request that is no GET",
                    "a GET without a body: the address is all there is",
                );
            }
        }
        (Style::Whole | Style::Cursor, _) => {}
    }
}
