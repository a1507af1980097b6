//! A simulator's own history: every request and every effect, in one order. Tests judge by it, never by
//! dialbridge's ledger.

use crate::domain::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What sort of request it is; each simulator classifies its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKind {
    /// A short name: `import`, `lock`, `search`; `unknown` for an address that is not there.
    pub name: &'static str,
    /// Whether it is meant to change something.
    pub write: bool,
}

impl RequestKind {
    /// A request that only reads.
    pub const fn read(name: &'static str) -> Self {
        Self { name, write: false }
    }

    /// A request that changes something.
    pub const fn write(name: &'static str) -> Self {
        Self { name, write: true }
    }
}

/// How much of each request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    Full,
    /// Only the counts per kind, no request and no effect: for benchmarks, whose memory is measured.
    Counts,
}

/// How a request ended, as far as the simulator knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When the answer's head left (or the connection was broken).
    pub at: Timestamp,
    /// The status sent; `None` when the connection was broken instead.
    pub status: Option<u16>,
    /// The fault that met it, in words; `None` for an innocent answer.
    pub fault: Option<String>,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its place in the journal.
    pub seq: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// Its kind.
    pub kind: RequestKind,
    /// Its method.
    pub method: http::Method,
    /// Its path, still encoded, without the query.
    pub path: String,
    /// The query's pairs, decoded.
    pub query: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// Its answer; `None` while there is none (also when the client hung up first).
    pub answered: Option<Answered>,
}

impl Asked {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Something that changed in the simulator.
#[derive(Debug, Clone)]
pub struct Happened<E> {
    /// Its place in the journal.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The request that did it; `None` for agents, portal users and the simulator itself.
    pub request: Option<u64>,
    /// What.
    pub effect: E,
}

#[derive(Debug)]
struct Book<E> {
    detail: Detail,
    next: u64,
    asked: Vec<Asked>,
    happened: Vec<Happened<E>>,
    counts: BTreeMap<RequestKind, u64>,
}

/// The journal of one simulator, over its own kind of effects; clones share it.
#[derive(Debug)]
pub struct Journal<E>(Arc<Mutex<Book<E>>>);

impl<E> Clone for Journal<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Clone> Journal<E> {
    /// An empty journal.
    pub fn new(detail: Detail) -> Self {
        Self(Arc::new(Mutex::new(Book {
            detail,
            next: 0,
            asked: Vec::new(),
            happened: Vec::new(),
            counts: BTreeMap::new(),
        })))
    }

    fn book(&self) -> MutexGuard<'_, Book<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an arriving request (its `seq` is given here) and returns its number.
    pub fn ask(&self, mut asked: Asked) -> u64 {
        let mut book = self.book();
        let seq = book.next;
        book.next += 1;
        *book.counts.entry(asked.kind).or_default() += 1;
        if book.detail == Detail::Full {
            asked.seq = seq;
            book.asked.push(asked);
        }
        seq
    }

    /// Notes how a request was answered.
    pub fn answer(&self, seq: u64, answered: Answered) {
        let mut book = self.book();
        if let Ok(index) = book.asked.binary_search_by_key(&seq, |asked| asked.seq) {
            book.asked[index].answered = Some(answered);
        }
    }

    /// Notes an effect; `request` is the number that [`Self::ask`] gave.
    pub fn effect(&self, at: Timestamp, request: Option<u64>, effect: E) {
        let mut book = self.book();
        let seq = book.next;
        book.next += 1;
        if book.detail == Detail::Full {
            book.happened.push(Happened { seq, at, request, effect });
        }
    }

    /// Keeps only counts from now on, and forgets the rest.
    pub fn count_only(&self) {
        let mut book = self.book();
        book.detail = Detail::Counts;
        (book.asked, book.happened) = (Vec::new(), Vec::new());
    }

    /// The number the next entry gets: remember it, then ask for what came since.
    pub fn mark(&self) -> u64 {
        self.book().next
    }

    /// All requests in order.
    pub fn requests(&self) -> Vec<Asked> {
        self.book().asked.clone()
    }

    /// The requests from `mark` on.
    pub fn requests_since(&self, mark: u64) -> Vec<Asked> {
        self.requests_where(|asked| asked.seq >= mark)
    }

    /// The requests that satisfy a condition.
    pub fn requests_where(&self, wanted: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.book().asked.iter().filter(|asked| wanted(asked)).cloned().collect()
    }

    /// The requests of one kind.
    pub fn requests_of(&self, kind: &str) -> Vec<Asked> {
        self.requests_where(|asked| asked.kind.name == kind)
    }

    /// The requests that were meant to change something.
    pub fn writes(&self) -> Vec<Asked> {
        self.requests_where(|asked| asked.kind.write)
    }

    /// All effects in order.
    pub fn effects(&self) -> Vec<Happened<E>> {
        self.book().happened.clone()
    }

    /// The effects from `mark` on.
    pub fn effects_since(&self, mark: u64) -> Vec<Happened<E>> {
        self.effects_where(|happened| happened.seq >= mark)
    }

    /// The effects that satisfy a condition.
    pub fn effects_where(&self, wanted: impl Fn(&Happened<E>) -> bool) -> Vec<Happened<E>> {
        self.book().happened.iter().filter(|happened| wanted(happened)).cloned().collect()
    }

    /// Requests per kind since the beginning (or the last [`Self::clear`]).
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.book().counts.iter().map(|(kind, count)| (kind.name, *count)).collect()
    }

    /// How many requests of one kind came.
    pub fn count(&self, kind: &str) -> u64 {
        self.book().counts.iter().filter(|(known, _)| known.name == kind).map(|(_, count)| count).sum()
    }

    /// How many requests came that were meant to change something.
    pub fn write_count(&self) -> u64 {
        self.book().counts.iter().filter(|(kind, _)| kind.write).map(|(_, count)| count).sum()
    }

    /// Forgets everything but goes on counting its numbers.
    pub fn clear(&self) {
        let mut book = self.book();
        book.asked.clear();
        book.happened.clear();
        book.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: RequestKind, query: &[(&str, &str)]) -> Asked {
        Asked {
            seq: 0,
            at: "2026-01-01T10:00:00Z".parse().expect("a time"),
            kind,
            method: http::Method::POST,
            path: "/x".to_owned(),
            query: query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: Bytes::from_static(br#"{"a":1}"#),
            answered: None,
        }
    }

    #[test]
    fn requests_and_effects_share_one_order() {
        let journal = Journal::<&str>::new(Detail::Full);
        let first = journal.ask(asked(RequestKind::write("import"), &[("a", "b")]));
        let at = "2026-01-01T10:00:01Z".parse().expect("a time");
        journal.effect(at, Some(first), "created");
        let second = journal.ask(asked(RequestKind::read("get"), &[]));
        journal.answer(second, Answered { at, status: Some(200), fault: None });
        assert_eq!(journal.effects()[0].seq, first + 1);
        assert_eq!(journal.effects()[0].request, Some(first));
        assert_eq!(journal.requests_since(second).len(), 1);
        assert_eq!(journal.requests()[0].answered, None);
        assert_eq!(journal.requests()[1].answered.as_ref().and_then(|a| a.status), Some(200));
        assert_eq!(journal.requests()[0].param("a"), Some("b"));
        assert_eq!(journal.requests()[0].json()["a"], 1);
        assert_eq!(journal.writes().len(), 1);
        assert_eq!(journal.mark(), 3);
    }

    #[test]
    fn counting_alone_keeps_no_request() {
        let journal = Journal::<&str>::new(Detail::Counts);
        journal.ask(asked(RequestKind::write("import"), &[]));
        journal.ask(asked(RequestKind::write("import"), &[]));
        journal.ask(asked(RequestKind::read("get"), &[]));
        assert!(journal.requests().is_empty());
        assert_eq!(journal.count("import"), 2);
        assert_eq!(journal.write_count(), 2);
        assert_eq!(journal.counts()["get"], 1);
        journal.clear();
        assert_eq!(journal.count("import"), 0);
    }
}
