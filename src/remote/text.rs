//! Answers whose text is not all UTF-8, or not all JSON. Such an answer is refused, unless its reader can tell which of
//! its records is meant: then what cannot be read is marked, and the other records are whole.

use super::mend::{MALFORMED, mended};
use super::outcome::strip_bom;
use bytes::Bytes;

/// Stands where bytes were no UTF-8. No text has this character: Unicode keeps it free for such marks.
pub const UNREADABLE: char = '\u{FFFF}';

/// Whether something stands in this text that could not be read.
pub fn is_marked(text: &str) -> bool {
    text.contains([UNREADABLE, MALFORMED])
}

/// What becomes of an answer with bytes that are no UTF-8, or with pieces that are no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadText {
    /// It is not believed.
    Refuse,
    /// The bytes become [`UNREADABLE`], the pieces [`MALFORMED`]; whoever reads the answer looks for them in each
    /// record.
    Mark,
}

impl BadText {
    pub(super) fn applied(self, body: Bytes) -> Bytes {
        match self {
            Self::Refuse => body,
            Self::Mark if std::str::from_utf8(&body).is_ok() => body,
            Self::Mark => {
                let mut marked = String::with_capacity(body.len() + 64);
                for chunk in body.utf8_chunks() {
                    marked.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        marked.push(UNREADABLE);
                    }
                }
                marked.into()
            }
        }
    }

    /// What is no JSON, with the pieces marked that make it so; `None` where it cannot be told which they are.
    pub(super) fn mended(self, body: &[u8]) -> Option<Bytes> {
        match self {
            Self::Refuse => None,
            Self::Mark => mended(std::str::from_utf8(strip_bom(body)).ok()?).map(Bytes::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_utf8_is_marked() {
        let whole = Bytes::from_static("{\"a\":\"Jörg\"}".as_bytes());
        assert_eq!(BadText::Mark.applied(whole.clone()), whole);
        let latin = Bytes::from_static(b"{\"a\":\"J\xf6rg\",\"b\":\"J\xc3\xb6rg\"}");
        let marked = BadText::Mark.applied(latin.clone());
        assert_eq!(std::str::from_utf8(&marked), Ok("{\"a\":\"J\u{FFFF}rg\",\"b\":\"Jörg\"}"));
        assert_eq!(BadText::Refuse.applied(latin.clone()), latin);
    }
}
