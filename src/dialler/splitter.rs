//! Cuts `{"records": [...], "count": N, ...}` into its records while the bytes arrive.
//!
//! Memory holds one record, however long the list is; no blocking reader and no second copy of the
//! body. Parsing the whole document takes 4 GB for 500 MB of it (crates, 2.11). What makes it worth a
//! file of its own is what it refuses: a body that ends early is a plain success for the HTTP layer.

/// Bounds of the splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitLimits {
    /// Longest record in bytes; a longer one is skipped and reported.
    pub record_bytes: usize,
    /// Deepest nesting inside a record; a deeper one is skipped and reported.
    pub depth: usize,
    /// Longest key or value beside `records`.
    pub other_bytes: usize,
}

impl Default for SplitLimits {
    fn default() -> Self {
        Self { record_bytes: 1 << 20, depth: 32, other_bytes: 64 << 10 }
    }
}

/// Nesting at which the document as a whole is refused: the brackets could not be matched any more.
const HARD_DEPTH: usize = 1024;

/// Why a document is no list of records; nothing of it may be taken as complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// It ended before its closing bracket.
    #[error("the list is cut after {bytes} bytes and {records} records")]
    Cut {
        /// Bytes read.
        bytes: u64,
        /// Records seen.
        records: u64,
    },
    /// A byte where the grammar wants another.
    #[error("the list is no JSON at byte {at}: {why}")]
    Malformed {
        /// Position in the body.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// No `records`, two of them, or one that is no array; no usable `count`.
    #[error("the answer is no list of records: {0}")]
    Shape(&'static str),
    /// `count` and the records disagree.
    #[error("the list says count {count} and holds {seen} records")]
    Count {
        /// What it says.
        count: i64,
        /// What came.
        seen: u64,
    },
}

/// What stands beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Records seen; equal to `count`.
    pub seen: u64,
    /// The body's own `status`, where it has one.
    pub status: Option<i64>,
}

/// A record's raw bytes, or why it was skipped.
pub type RawRecord<'a> = Result<&'a [u8], &'static str>;

/// Where in the document the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    FirstKey,
    NextKey,
    Key,
    Colon,
    Value,
    InValue,
    AfterValue,
    FirstRecord,
    NextRecord,
    InRecord,
    AfterRecord,
    End,
}

/// Finds the end of one JSON value by brackets and strings alone.
#[derive(Debug, Default)]
struct Scan {
    open: Vec<u8>,
    deepest: usize,
    in_string: bool,
    escaped: bool,
    scalar: bool,
}

/// What a scan did with a piece of input.
enum Scanned {
    /// The value goes on after all of it.
    More,
    /// The value ends after so many bytes.
    Ends(usize),
    /// The brackets do not match, or are too many.
    Broken(usize, &'static str),
}

impl Scan {
    fn start(&mut self, first: u8) {
        self.open.clear();
        self.deepest = 0;
        self.in_string = false;
        self.escaped = false;
        self.scalar = !matches!(first, b'{' | b'[' | b'"');
    }

    fn feed(&mut self, bytes: &[u8]) -> Scanned {
        for (index, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.open.is_empty() {
                            return Scanned::Ends(index + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' if self.scalar => {
                    return Scanned::Ends(index);
                }
                b'"' if self.scalar => return Scanned::Broken(index, "a quote inside a number or word"),
                b'"' => self.in_string = true,
                b'{' | b'[' if !self.scalar => {
                    if self.open.len() >= HARD_DEPTH {
                        return Scanned::Broken(index, "nested too deeply");
                    }
                    self.open.push(byte);
                    self.deepest = self.deepest.max(self.open.len());
                }
                b'}' | b']' => {
                    let opened = if byte == b'}' { b'{' } else { b'[' };
                    if self.open.pop() != Some(opened) {
                        return Scanned::Broken(index, "a closing bracket that nothing opened");
                    }
                    if self.open.is_empty() {
                        return Scanned::Ends(index + 1);
                    }
                }
                _ => {}
            }
        }
        Scanned::More
    }
}

/// The splitter; fed with chunks of any size.
#[derive(Debug)]
pub struct Splitter {
    limits: SplitLimits,
    at: At,
    scan: Scan,
    buffer: Vec<u8>,
    too_long: bool,
    bom: usize,
    bytes: u64,
    key: String,
    seen: u64,
    has_records: bool,
    count: Option<i64>,
    status: Option<i64>,
}

impl Splitter {
    /// A splitter at the beginning of a document.
    pub fn new(limits: SplitLimits) -> Self {
        Self {
            limits,
            at: At::Start,
            scan: Scan::default(),
            buffer: Vec::new(),
            too_long: false,
            bom: 0,
            bytes: 0,
            key: String::new(),
            seen: 0,
            has_records: false,
            count: None,
            status: None,
        }
    }

    /// Takes the next chunk and hands on each record that ends in it, with its position from 0.
    ///
    /// A record's bytes are one balanced JSON value of at most the allowed length; whether it is
    /// valid JSON in itself its reader finds out.
    ///
    /// # Errors
    /// The document is no list of records; the splitter must not be used any further.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        mut record: impl FnMut(u64, RawRecord<'_>),
    ) -> Result<(), SplitError> {
        while let Some(&byte) = chunk.first() {
            let used = match self.at {
                At::Key | At::InValue | At::InRecord => self.inside(chunk, &mut record)?,
                _ if byte.is_ascii_whitespace()
                    && byte != 0x0c
                    && (self.at != At::Start || matches!(self.bom, 0 | 3)) =>
                {
                    1
                }
                _ => self.between(byte)?,
            };
            self.bytes += used as u64;
            chunk = &chunk[used..];
        }
        Ok(())
    }

    /// The end of the body.
    ///
    /// # Errors
    /// It was cut, has no `records` or `count`, or they disagree.
    pub fn finish(&self) -> Result<Tail, SplitError> {
        if self.at != At::End {
            return Err(SplitError::Cut { bytes: self.bytes, records: self.seen });
        }
        if !self.has_records {
            return Err(SplitError::Shape("it has no records"));
        }
        let count = self.count.ok_or(SplitError::Shape("it has no count"))?;
        if u64::try_from(count) != Ok(self.seen) {
            return Err(SplitError::Count { count, seen: self.seen });
        }
        Ok(Tail { seen: self.seen, status: self.status })
    }

    fn malformed<T>(&self, ahead: usize, why: &'static str) -> Result<T, SplitError> {
        Err(SplitError::Malformed { at: self.bytes + ahead as u64, why })
    }

    /// One byte of the frame. Answers how many bytes it used: none where a value begins.
    fn between(&mut self, byte: u8) -> Result<usize, SplitError> {
        const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
        let next = match (self.at, byte) {
            // Only as the very first bytes.
            (At::Start, byte) if self.bom < 3 && self.bytes == self.bom as u64 && byte == BOM[self.bom] => {
                self.bom += 1;
                At::Start
            }
            (At::Start, b'{') if matches!(self.bom, 0 | 3) => At::FirstKey,
            (At::FirstKey, b'}') | (At::AfterValue, b'}') => At::End,
            (At::FirstKey | At::NextKey, b'"') => return Ok(self.begin(At::Key, byte)),
            (At::Colon, b':') => At::Value,
            (At::Value, _) if self.key == "records" => {
                if self.has_records {
                    return Err(SplitError::Shape("it has records twice"));
                }
                if byte != b'[' {
                    return Err(SplitError::Shape("its records are no array"));
                }
                self.has_records = true;
                At::FirstRecord
            }
            (At::Value, _) => return Ok(self.begin(At::InValue, byte)),
            (At::AfterValue, b',') => At::NextKey,
            (At::FirstRecord | At::AfterRecord, b']') => At::AfterValue,
            (At::AfterRecord, b',') => At::NextRecord,
            (At::FirstRecord | At::NextRecord, _) => {
                if matches!(byte, b',' | b':' | b']' | b'}') {
                    return self.malformed(0, "a record is missing");
                }
                return Ok(self.begin(At::InRecord, byte));
            }
            (At::Start, _) => return self.malformed(0, "an object must come first"),
            (At::End, _) => return self.malformed(0, "something follows the closing bracket"),
            _ => return self.malformed(0, "a comma, colon, key or bracket was expected"),
        };
        self.at = next;
        Ok(1)
    }

    fn begin(&mut self, at: At, first: u8) -> usize {
        self.at = at;
        self.buffer.clear();
        self.too_long = false;
        self.scan.start(first);
        0
    }

    /// Bytes of a key, a value or a record.
    fn inside(
        &mut self,
        chunk: &[u8],
        record: &mut impl FnMut(u64, RawRecord<'_>),
    ) -> Result<usize, SplitError> {
        let (used, ends) = match self.scan.feed(chunk) {
            Scanned::More => (chunk.len(), false),
            Scanned::Ends(used) => (used, true),
            Scanned::Broken(ahead, why) => return self.malformed(ahead, why),
        };
        let in_record = self.at == At::InRecord;
        let limit = if in_record { self.limits.record_bytes } else { self.limits.other_bytes };
        if self.buffer.len() + used > limit {
            if !in_record {
                return Err(SplitError::Shape("a key or value beside the records is too long"));
            }
            self.too_long = true;
            self.buffer.clear();
        }
        if !self.too_long {
            self.buffer.extend_from_slice(&chunk[..used]);
        }
        if ends {
            if in_record {
                self.record_ended(record);
            } else {
                self.other_ended()?;
            }
        }
        Ok(used)
    }

    fn record_ended(&mut self, record: &mut impl FnMut(u64, RawRecord<'_>)) {
        let raw = if self.too_long {
            Err("it is longer than a record may be")
        } else if self.scan.deepest > self.limits.depth {
            Err("it is nested too deeply")
        } else {
            Ok(self.buffer.as_slice())
        };
        record(self.seen, raw);
        self.seen += 1;
        self.at = At::AfterRecord;
    }

    fn other_ended(&mut self) -> Result<(), SplitError> {
        if self.at == At::Key {
            match serde_json::from_slice(&self.buffer) {
                Ok(key) => self.key = key,
                Err(_) => return self.malformed(0, "a key that is no text"),
            }
            self.at = At::Colon;
            return Ok(());
        }
        self.at = At::AfterValue;
        let number = match serde_json::from_slice::<serde_json::Value>(&self.buffer) {
            Ok(value) => value.as_i64(),
            Err(_) => return self.malformed(0, "a value that is no JSON"),
        };
        let slot = match self.key.as_str() {
            "count" => &mut self.count,
            "status" => &mut self.status,
            _ => return Ok(()),
        };
        if slot.is_some() || number.is_none() {
            return Err(SplitError::Shape("its count or status is no whole number, or stands there twice"));
        }
        *slot = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn split(body: &[u8], cuts: &[usize]) -> Result<(Vec<Result<Value, String>>, Tail), SplitError> {
        let limits = SplitLimits { record_bytes: 4000, depth: 8, other_bytes: 1000 };
        let mut splitter = Splitter::new(limits);
        let mut records = Vec::new();
        let mut from = 0;
        let ends = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([body.len()]);
        let mut ends: Vec<_> = ends.collect();
        ends.sort_unstable();
        for end in ends {
            splitter.push(&body[from..end], |position, raw| {
                assert_eq!(position, records.len() as u64);
                records.push(match raw {
                    Ok(raw) => serde_json::from_slice(raw).map_err(|error| error.to_string()),
                    Err(why) => Err(why.to_owned()),
                });
            })?;
            from = end;
        }
        Ok((records, splitter.finish()?))
    }

    fn json(depth: u32) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\]:, ü\n\u{1f4de}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(depth, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a\"\\\\}]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// A document: keys before and after the records, in any order, with blanks and perhaps a BOM.
    fn document() -> impl Strategy<Value = (Vec<u8>, Vec<Value>)> {
        let others = prop::collection::btree_map("[b-q]{1,4}", json(2), 0..3);
        (prop::collection::vec(json(3), 0..5), others, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
            |(records, others, pretty, bom, order)| {
                let mut parts: Vec<(String, Value)> = others.into_iter().collect();
                parts.push(("count".to_owned(), Value::from(records.len())));
                parts.push(("status".to_owned(), Value::from(200)));
                parts.push(("records".to_owned(), Value::from(records.clone())));
                let turn = order as usize % parts.len();
                parts.rotate_left(turn);
                let body: Vec<String> = parts
                    .iter()
                    .map(|(key, value)| {
                        let text = if pretty { format!("{value:#}") } else { value.to_string() };
                        format!("{}{}{text}", Value::from(key.as_str()), if pretty { " :\n\t" } else { ":" })
                    })
                    .collect();
                let text = format!("{{{}}}", body.join(if pretty { " ,\r\n" } else { "," }));
                let mut bytes = if bom { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
                bytes.extend(text.bytes());
                (bytes, records)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn agrees_with_serde_json_however_the_body_is_chunked(
            (body, records) in document(),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let (found, tail) = split(&body, &cuts).unwrap();
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(&found, &records);
            prop_assert_eq!(tail, Tail { seen: records.len() as u64, status: Some(200) });
        }

        #[test]
        fn one_changed_byte_is_never_taken_for_something_serde_json_refuses(
            (mut body, _) in document(),
            at in any::<usize>(),
            byte in prop::sample::select(b"{}[],:\"\\ 0a\xff".to_vec()),
        ) {
            let at = at % body.len();
            body[at] = byte;
            let Ok((found, _)) = split(&body, &[at]) else { return Ok(()) };
            let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
            if found.iter().all(Result::is_ok) {
                let whole: Value = serde_json::from_slice(text).unwrap();
                prop_assert_eq!(whole["records"].as_array().unwrap().len(), found.len());
            }
        }
    }

    const SAMPLE: &str =
        r#"{"filter": "", "records": [{"ID": 1, "Name": "a]}\"" }, {"ID": 2}], "count": 2, "status": 200}"#;

    #[test]
    fn cut_at_every_byte_is_an_error() {
        for end in 0..SAMPLE.len() {
            let outcome = split(&SAMPLE.as_bytes()[..end], &[]);
            assert!(matches!(outcome, Err(SplitError::Cut { .. })), "{end}: {outcome:?}");
        }
        assert_eq!(split(SAMPLE.as_bytes(), &[]).unwrap().1.seen, 2);
    }

    #[test]
    fn a_record_too_long_or_too_deep_or_no_json_is_skipped_and_the_rest_goes_on() {
        let long = "x".repeat(4000);
        let deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
        let body =
            format!(r#"{{"records":[{{"ID":1}},{{"a":"{long}"}},{deep},{{x}},nul,{{"ID":2}}],"count":6}}"#);
        let (found, tail) = split(body.as_bytes(), &[100]).unwrap();
        let good: Vec<_> = found.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false, false, false, true]);
        assert_eq!(tail.seen, 6);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (body, part) in [
            (r#"{"records":[],"count":0,"status":200} x"#, "follows"),
            (r#"{"records":[],"count":0}{"records":[]}"#, "follows"),
            (r#"{"records":[],"records":[],"count":0}"#, "twice"),
            (r#"{"records":[],"count":0,"count":0}"#, "twice"),
            (r#"{"records":null,"count":0}"#, "no array"),
            (r#"{"count":0,"status":200}"#, "no records"),
            (r#"{"records":[]}"#, "no count"),
            (r#"{"records":[{"ID":1}],"count":2}"#, "count 2"),
            (r#"{"records":[{"ID":1}],"count":"1"}"#, "whole number"),
            (r#"{"records":[{"ID":1},],"count":1}"#, "missing"),
            (r#"{"records":[{"ID":1]],"count":1}"#, "nothing opened"),
            (r#"{"a":tru,"records":[],"count":0}"#, "no JSON"),
            (r#"{"records":[],"count":0,}"#, "expected"),
            (r#"[{"ID":1}]"#, "object must come first"),
            ("<html><body>log in</body></html>", "object must come first"),
            ("{\"a\u{0}\":1}", "no text"),
        ] {
            let error = split(body.as_bytes(), &[]).expect_err(body).to_string();
            assert!(error.contains(part), "{body}: {error}");
        }
    }
}
