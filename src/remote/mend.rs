//! An answer that is no JSON because of a piece of it: the piece is marked, and everything beside it is whole.
//!
//! Read only where the strict reader refused, so it costs the normal way nothing. What it must never do is let one
//! record swallow another: where the end of a text is guessed and brackets stand in it, or brackets do not match, or
//! something follows a closing bracket, the answer stays what it is, no JSON.

use serde::de::IgnoredAny;

/// Stands where a piece was no JSON. No text has this character: Unicode keeps it free for such marks.
pub const MALFORMED: char = '\u{FFFE}';

/// Deeper nesting is no answer of a CRM.
const DEEPEST: usize = 100;

/// The same document with what is no JSON in it marked; `None` where its brackets and texts leave open where one
/// piece ends and the next begins.
pub(super) fn mended(document: &str) -> Option<String> {
    if !document.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut mender = Mender { rest: document, out: String::with_capacity(document.len() + 64), depth: 0 };
    mender.value()?;
    mender.blanks();
    mender.rest.is_empty().then_some(mender.out)
}

/// A text in quotes, as it was found.
struct Text {
    /// In quotes, with what is no JSON in it marked.
    written: String,
    /// Whether quotes stand in it, so that where it ends is a guess.
    guessed: bool,
    /// Whether brackets do.
    holds_brackets: bool,
}

impl Text {
    /// A text whose end is a guess may have run into the next record.
    fn is_open(&self) -> bool {
        self.guessed && self.holds_brackets
    }
}

struct Mender<'d> {
    rest: &'d str,
    out: String,
    depth: usize,
}

impl<'d> Mender<'d> {
    fn next(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, bytes: usize) -> &'d str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    /// Takes over a bracket or a comma as it is.
    fn copy(&mut self) {
        let sign = self.take(1);
        self.out.push_str(sign);
    }

    fn blanks(&mut self) {
        let trimmed = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest = trimmed;
    }

    fn mark(&mut self) {
        self.out.extend(['"', MALFORMED, '"']);
    }

    /// An object, a list, or a piece that is neither.
    fn value(&mut self) -> Option<()> {
        self.blanks();
        match self.next() {
            Some('{') => self.nested('}', Self::member),
            Some('[') => self.nested(']', Self::value),
            _ => self.piece(),
        }
    }

    /// What stands between two brackets, parted by commas.
    fn nested(&mut self, end: char, part: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.copy();
        self.blanks();
        if self.next() != Some(end) {
            loop {
                part(self)?;
                self.blanks();
                if self.next() != Some(',') {
                    break;
                }
                self.copy();
            }
        }
        if self.next() != Some(end) {
            return None;
        }
        self.copy();
        self.depth -= 1;
        Some(())
    }

    /// A key, a colon and a value; anything else becomes a marked one.
    fn member(&mut self) -> Option<()> {
        self.blanks();
        let from = self.rest;
        if self.next() == Some('"') {
            let key = self.text()?;
            self.blanks();
            if !key.guessed && self.next() == Some(':') {
                self.take(1);
                self.out.push_str(&key.written);
                self.out.push(':');
                return self.value();
            }
        }
        self.rest = from;
        self.skip_piece()?;
        self.mark();
        self.out.push(':');
        self.mark();
        Some(())
    }

    /// A text, a number or a word; anything else becomes a mark.
    fn piece(&mut self) -> Option<()> {
        let from = self.rest;
        let written = if self.next() == Some('"') {
            let text = self.text()?;
            (!text.guessed).then_some(text.written)
        } else {
            let word = self.word();
            serde_json::from_str::<IgnoredAny>(word).is_ok().then(|| word.to_owned())
        };
        self.blanks();
        match (written, self.next()) {
            (Some(written), None | Some(',' | '}' | ']')) => self.out.push_str(&written),
            _ => {
                self.rest = from;
                self.skip_piece()?;
                self.mark();
            }
        }
        Some(())
    }

    /// Passes over everything up to the comma or bracket that ends a piece. No bracket may open in it, and no text in
    /// it hold one: that could be the next record's.
    fn skip_piece(&mut self) -> Option<()> {
        loop {
            match self.next() {
                None | Some('{' | '[') => return None,
                Some(',' | '}' | ']') => return Some(()),
                Some('"') => {
                    if self.text()?.holds_brackets {
                        return None;
                    }
                }
                Some(other) => {
                    self.take(other.len_utf8());
                }
            }
        }
    }

    fn word(&mut self) -> &'d str {
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '"' | '{' | '}' | '[' | ']');
        self.take(self.rest.find(ends).unwrap_or(self.rest.len()))
    }

    /// A text. A quote ends it where a comma, a colon or a closing bracket follows; another one stands in it.
    fn text(&mut self) -> Option<Text> {
        self.take(1);
        let mut text = Text { written: String::from('"'), guessed: false, holds_brackets: false };
        loop {
            let next = self.next()?;
            match next {
                '"' => {
                    self.take(1);
                    let after = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
                    if after.is_empty() || after.starts_with([',', ':', '}', ']']) {
                        text.written.push('"');
                        return (!text.is_open()).then_some(text);
                    }
                    text.guessed = true;
                    text.written.push(MALFORMED);
                }
                '\\' => match escape(self.rest) {
                    Some(bytes) => text.written.push_str(self.take(bytes)),
                    None => {
                        self.take(1);
                        text.written.push(MALFORMED);
                    }
                },
                control if control < ' ' => {
                    self.take(1);
                    text.written.push(MALFORMED);
                }
                other => {
                    text.holds_brackets |= matches!(other, '{' | '}' | '[' | ']');
                    text.written.push_str(self.take(other.len_utf8()));
                }
            }
        }
    }
}

/// How long the escape is that `rest` begins with, if it is one.
fn escape(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' if bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(document: &str) -> Option<Value> {
        mended(document).map(|text| serde_json::from_str(&text).expect("what is mended is JSON"))
    }

    /// A page of two, the first as it is given.
    fn page(first: &str) -> String {
        format!("{{\"items\":[{first},{{\"id\":2,\"name\":\"Berta\"}}],\"more\":false}}")
    }

    #[test]
    fn what_is_no_json_is_marked_and_its_record_keeps_its_id() {
        for broken in [
            "{\"id\":1,\"name\":\"A\u{1}da\"}",
            "{\"id\":1,\"name\":\"A\nda\"}",
            r#"{"id":1,"name":"C:\data"}"#,
            r#"{"id":1,"name":"\u12"}"#,
            r#"{"id":1,"name":NaN}"#,
            r#"{"id":1,"score":01,"name":"x"}"#,
            r#"{"id":1,"name":}"#,
            r#"{"id":1,"name"}"#,
            r#"{"id":1,}"#,
            r#"{"id":1,"name":"Ada "the first" Berg"}"#,
            r#"{"id":1,"name":"a 5" pipe","x":"\"y\""}"#,
            r#"{"id":1,"name":"C:\","x":1}"#,
            r#"{"id":1,"name":"Ada,"x":1}"#,
            r#"{"id":1,name:"x"}"#,
            r#"{"id":1,"tags":["a",,undefined]}"#,
        ] {
            assert!(serde_json::from_str::<Value>(&page(broken)).is_err(), "{broken}");
            let whole = read(&page(broken)).unwrap_or_else(|| panic!("{broken}"));
            assert_eq!(whole["items"][0]["id"], json!(1), "{broken}: {whole}");
            assert!(whole["items"][0].to_string().contains(MALFORMED), "{broken}: {whole}");
            assert_eq!(whole["items"][1], json!({ "id": 2, "name": "Berta" }), "{broken}");
            assert_eq!(whole["more"], json!(false));
        }
    }

    #[test]
    fn a_piece_that_is_no_record_at_all_is_an_element_of_its_own() {
        for broken in ["nul", "", "NaN", "'x'"] {
            let whole = read(&page(broken)).unwrap_or_else(|| panic!("{broken}"));
            assert_eq!(whole["items"], json!(["\u{FFFE}", { "id": 2, "name": "Berta" }]), "{broken}");
        }
    }

    #[test]
    fn where_a_piece_ends_is_never_guessed_across_a_record() {
        for broken in [
            r#"{"id":1,"name":"Ada}"#,
            r#"{"id":1,"name":"Ada {B" C"}"#,
            r#"{"id":1,"name":"Ada""#,
            r#"{"id":1"#,
            r#""id":1}"#,
            r#"{"id":1}{"id":7}"#,
            r#"{"id":1]"#,
            r#"{"id":1,}"name":"x"}"#,
            r#"{"id":1,{"name":"x"}"#,
        ] {
            assert_eq!(read(&page(broken)), None, "{broken}");
        }
        for document in ["", "NaN", "<html>[]</html>", "[1,2", "[1] x", "{\"a\":1}}", "Warning: x {\"a\":1}"]
        {
            assert_eq!(read(document), None, "{document}");
        }
        assert_eq!(read(&format!("{}{}", "[".repeat(4000), "]".repeat(4000))), None);
    }

    fn record(id: usize) -> impl Strategy<Value = Value> {
        let text = "[a-c\"\\\\{}\\[\\],: \n\u{fc}]{0,8}";
        let field = prop_oneof![
            text.prop_map(Value::from),
            any::<i16>().prop_map(Value::from),
            Just(json!(null)),
            prop::collection::vec(text.prop_map(Value::from), 0..3).prop_map(Value::from),
            text.prop_map(|text| json!({ "value": text })),
        ];
        prop::collection::vec(field, 0..4).prop_map(move |fields| {
            let mut record = json!({ "id": id });
            for (n, field) in fields.into_iter().enumerate() {
                record[format!("f{n}")] = field;
            }
            record
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn one_spoilt_place_harms_no_other_record(
            records in (record(0), record(1), record(2), record(3)),
            place in any::<prop::sample::Index>(),
            spoilt in prop::sample::select(vec!["", "\"", "\\", "{", "}", "[", "]", ",", ":", "\n", "x", "7", "\u{1}"]),
            replaces in any::<bool>(),
        ) {
            let records = [records.0, records.1, records.2, records.3];
            let written: Vec<String> = records.iter().map(Value::to_string).collect();
            let at: Vec<usize> = written[1].char_indices().map(|(at, _)| at).collect();
            let at = *place.get(&at);
            let (head, tail) = written[1].split_at(at);
            let tail = if replaces { &tail[tail.chars().next().map_or(0, char::len_utf8)..] } else { tail };
            let document =
                format!("{{\"items\":[{},{head}{spoilt}{tail},{},{}]}}", written[0], written[2], written[3]);
            if serde_json::from_str::<Value>(&document).is_ok() {
                return Ok(());
            }
            let Some(whole) = read(&document) else { return Ok(()) };
            let found = whole["items"].as_array().expect("a list");
            for other in [0, 2, 3] {
                prop_assert!(found.contains(&records[other]), "{other} in {document}: {whole}");
            }
        }

        #[test]
        fn what_is_json_stays_what_it_is(one in record(0), other in record(1)) {
            let document = json!({ "items": [one, other], "n": -1.5e3 });
            for text in [document.to_string(), format!("{document:#}")] {
                prop_assert_eq!(read(&text), Some(document.clone()));
            }
        }
    }
}
