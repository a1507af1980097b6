//! Request templates: placeholders such as `{since}` in a path, in query values and in a JSON body.
//!
//! A small substitution of our own rather than a template engine: a placeholder that is a whole JSON
//! text becomes the typed value (a number, a list), and nothing can be computed.

use crate::domain::suggest;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

macro_rules! slots {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What a placeholder stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Slot { $($(#[$doc])* $name),+ }

        impl Slot {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name between the braces.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

slots! {
    /// The beginning of the window; without a value in a full pass.
    Since = "since",
    /// The end of the window (exclusive); without a value while it is open.
    Until = "until",
    /// The greatest id of the page before; without a value on the first page.
    LastId = "last_id",
    /// How many records to pass over.
    Offset = "offset",
    /// The number of a page.
    Page = "page",
    /// The token that the page before gave; without a value on the first page.
    Cursor = "cursor",
    /// How many records a page may hold.
    Limit = "limit",
    /// The ids to fetch.
    Ids = "ids",
    /// The values whose records are looked up; in a write, those to be written, by their names.
    Values = "values",
    /// The names of the CRM's fields to answer with.
    Fields = "fields",
    /// One value, in a request of its own.
    Value = "value",
    /// The CRM's object.
    Object = "object",
    /// `asc` or `desc`.
    Direction = "direction",
    /// The id of the record that is written to.
    Record = "record",
    /// What the call is called in the CRM.
    Key = "key",
    /// The id of the activity that is changed.
    Activity = "activity",
}

impl Slot {
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|slot| slot.name() == name)
    }

    /// Whether a request may come without a value for it.
    pub fn may_be_absent(self) -> bool {
        matches!(self, Self::Since | Self::Until | Self::LastId | Self::Cursor)
    }
}

/// What the placeholders stand for in one request.
pub type Bindings = BTreeMap<Slot, Value>;

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Slot(Slot),
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(Vec<Piece>);

impl Text {
    /// Reads a text. Braces around anything but a lower-case name stand for themselves.
    ///
    /// # Errors
    /// Names a placeholder that does not exist.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let name = after.split_once('}').filter(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            let Some((name, tail)) = name else {
                plain.push('{');
                rest = after;
                continue;
            };
            let slot = Slot::parse(name).ok_or_else(|| unknown(name))?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Slot(slot));
            rest = tail;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The placeholders in it.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(*slot),
            Piece::Text(_) => None,
        })
    }

    /// The text with values in place; `None` if one of them is absent.
    pub fn render(&self, bindings: &Bindings) -> Option<String> {
        self.render_with(bindings, ToOwned::to_owned)
    }

    /// As [`Self::render`], with each value (not the text around it) put through `encode`.
    pub fn render_with(&self, bindings: &Bindings, encode: impl Fn(&str) -> String) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Slot(slot) => out.push_str(&encode(&as_text(bindings.get(slot)?))),
            }
        }
        Some(out)
    }
}

fn unknown(name: &str) -> String {
    let names = Slot::ALL.iter().map(|slot| slot.name());
    let near = suggest(name, names).map(|near| format!(" (did you mean {{{near}}}?)")).unwrap_or_default();
    format!("there is no placeholder {{{name}}}{near}")
}

/// A value in a query: lists are joined with commas, as most CRMs read them.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Json {
    Literal(Value),
    Exact(Slot),
    Mixed(Text),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// The member of an object that stands for the values themselves, beside what the template writes there.
const SPREAD: &str = "...";

/// A part of a body, left out where one of the placeholders it needs has no value.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    json: Json,
    needs: Vec<Slot>,
}

/// A JSON body with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    root: Node,
    slots: Vec<Slot>,
}

impl Body {
    /// Reads a template. `omit` names, by JSON pointer, the parts that fall away with a placeholder
    /// that has no value; an object's member whose value is just the placeholder falls away by itself.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(template: &Value, omit: &BTreeMap<Slot, Vec<String>>) -> Result<Self, Vec<String>> {
        let mut reader = BodyReader { omit, slots: Vec::new(), covered: Vec::new(), wrong: Vec::new() };
        for pointer in omit.values().flatten() {
            if template.pointer(pointer).is_none() {
                reader.wrong.push(format!("the body has nothing at {pointer:?}"));
            }
        }
        let root = reader.node(template, "", false);
        if reader.wrong.is_empty() { Ok(Self { root, slots: reader.slots }) } else { Err(reader.wrong) }
    }

    /// The placeholders in it.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The body with values in place.
    pub fn render(&self, bindings: &Bindings) -> Value {
        render(&self.root.json, bindings)
    }
}

struct BodyReader<'a> {
    omit: &'a BTreeMap<Slot, Vec<String>>,
    slots: Vec<Slot>,
    /// The placeholders whose absence drops the part that is being read, from the root down.
    covered: Vec<Slot>,
    wrong: Vec<String>,
}

impl BodyReader<'_> {
    fn node(&mut self, value: &Value, path: &str, member: bool) -> Node {
        let listed = |(slot, paths): (&Slot, &Vec<String>)| paths.iter().any(|p| p == path).then_some(*slot);
        let mut needs: Vec<Slot> = self.omit.iter().filter_map(listed).collect();
        let exact = value.as_str().and_then(exact_slot);
        if member && let Some(slot) = exact.filter(|slot| slot.may_be_absent()) {
            needs.push(slot);
        }
        let depth = self.covered.len();
        self.covered.extend(&needs);
        let json = self.json(value, path);
        self.covered.truncate(depth);
        Node { json, needs }
    }

    fn json(&mut self, value: &Value, path: &str) -> Json {
        match value {
            Value::String(text) => self.text(text, path),
            Value::Array(items) => Json::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| self.node(item, &format!("{path}/{i}"), false))
                    .collect(),
            ),
            Value::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|(name, item)| {
                        if name == SPREAD && item.as_str().and_then(exact_slot) != Some(Slot::Values) {
                            self.wrong.push(format!(
                                "{SPREAD:?} at {path:?} stands for {{values}} and nothing else"
                            ));
                        }
                        let escaped = name.replace('~', "~0").replace('/', "~1");
                        (name.clone(), self.node(item, &format!("{path}/{escaped}"), true))
                    })
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Json::Literal(value.clone()),
        }
    }

    fn text(&mut self, text: &str, path: &str) -> Json {
        let parsed = match Text::parse(text) {
            Ok(parsed) => parsed,
            Err(wrong) => {
                self.wrong.push(wrong);
                return Json::Literal(Value::Null);
            }
        };
        for slot in parsed.slots() {
            self.slots.push(slot);
            if slot.may_be_absent() && !self.covered.contains(&slot) {
                let name = slot.name();
                self.wrong.push(format!(
                    "{{{name}}} at {path:?} has no value at times, and nothing says what to leave out then: \
                     name the part in omit.{name}"
                ));
            }
        }
        match parsed.0.as_slice() {
            [Piece::Slot(slot)] => Json::Exact(*slot),
            [] | [Piece::Text(_)] => Json::Literal(Value::from(text)),
            _ => Json::Mixed(parsed),
        }
    }
}

fn exact_slot(text: &str) -> Option<Slot> {
    Slot::parse(text.strip_prefix('{')?.strip_suffix('}')?)
}

fn render(json: &Json, bindings: &Bindings) -> Value {
    let wanted = |node: &&Node| node.needs.iter().all(|slot| bindings.contains_key(slot));
    match json {
        Json::Literal(value) => value.clone(),
        Json::Exact(slot) => bindings.get(slot).cloned().unwrap_or_default(),
        Json::Mixed(text) => text.render(bindings).map_or(Value::Null, Value::from),
        Json::Array(nodes) => nodes.iter().filter(wanted).map(|node| render(&node.json, bindings)).collect(),
        Json::Object(members) => {
            let mut object = Map::new();
            for (name, node) in members.iter().filter(|(_, node)| wanted(&node)) {
                match (name.as_str(), render(&node.json, bindings)) {
                    // What the template writes itself stays: it says which record, and which call.
                    (SPREAD, Value::Object(values)) => {
                        for (name, value) in values {
                            object.entry(name).or_insert(value);
                        }
                    }
                    (name, value) => {
                        object.insert(name.to_owned(), value);
                    }
                }
            }
            Value::Object(object)
        }
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn omit(entries: &[(Slot, &str)]) -> BTreeMap<Slot, Vec<String>> {
        let mut map = BTreeMap::<Slot, Vec<String>>::new();
        for (slot, pointer) in entries {
            map.entry(*slot).or_default().push((*pointer).to_owned());
        }
        map
    }

    #[test]
    fn a_whole_placeholder_is_typed_and_one_inside_a_text_is_text() {
        let template = json!({ "ids": "{ids}", "limit": "{limit}", "order": "x {direction}", "n": 1 });
        let body = Body::parse(&template, &BTreeMap::new()).unwrap();
        let bindings = Bindings::from([
            (Slot::Ids, json!([1, 2])),
            (Slot::Limit, json!(50)),
            (Slot::Direction, json!("asc")),
        ]);
        let expected = json!({ "ids": [1, 2], "limit": 50, "order": "x asc", "n": 1 });
        assert_eq!(body.render(&bindings), expected);
    }

    #[test]
    fn what_needs_an_absent_value_is_left_out() {
        let template = json!({
            "domain": [["write_date", ">=", "{since}"], ["id", ">", "{last_id}"]],
            "cursor": "{cursor}",
        });
        let omit = omit(&[(Slot::Since, "/domain/0"), (Slot::LastId, "/domain/1")]);
        let body = Body::parse(&template, &omit).unwrap();
        assert_eq!(body.render(&Bindings::new()), json!({ "domain": [] }));
        let bindings = Bindings::from([(Slot::LastId, json!(7))]);
        assert_eq!(body.render(&bindings), json!({ "domain": [["id", ">", 7]] }));
    }

    #[test]
    fn an_absent_value_without_an_omission_and_a_wrong_omission_are_reported_together() {
        let template = json!({ "domain": [["write_date", ">=", "{since}"]], "x": "{snice}" });
        let wrong = Body::parse(&template, &omit(&[(Slot::LastId, "/domain/4")])).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong.iter().any(|text| text.contains("did you mean {since}?")), "{wrong:?}");
    }

    #[test]
    fn values_stand_beside_what_the_template_writes_and_never_in_its_place() {
        let template = json!({ "...": "{values}", "whose": "{record}", "in": { "fields": "{values}" } });
        let body = Body::parse(&template, &BTreeMap::new()).unwrap();
        let values = json!({ "note": "busy", "whose": 9, "a": 1 });
        let bindings = Bindings::from([(Slot::Values, values.clone()), (Slot::Record, json!(17))]);
        let expected = json!({ "a": 1, "in": { "fields": values }, "note": "busy", "whose": 17 });
        assert_eq!(body.render(&bindings), expected);
        let wrong = Body::parse(&json!({ "...": "{record}" }), &BTreeMap::new()).unwrap_err();
        assert!(wrong[0].contains("stands for {values}"), "{wrong:?}");
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        let text = Text::parse("{\"a\":{since}} {}").unwrap();
        let bindings = Bindings::from([(Slot::Since, json!("T"))]);
        assert_eq!(text.render(&bindings).unwrap(), "{\"a\":T} {}");
        assert_eq!(text.render(&Bindings::new()), None);
    }

    #[test]
    fn query_values_are_encoded_and_lists_joined() {
        let text = Text::parse("id in ({ids})").unwrap();
        let bindings = Bindings::from([(Slot::Ids, json!(["a b", 2]))]);
        assert_eq!(encode(&text.render(&bindings).unwrap()), "id%20in%20%28a%20b%2C2%29");
    }
}
