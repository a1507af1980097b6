//! The dialler's journal as the judge reads it, and what its answers said.

use super::life::Life;
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::dialler::config::LockInPreview;
use dialbridge::sim::dialler::{Actor, What};
use dialbridge::sim::journal::{Answered, Asked};
use serde_json::Value;
use std::collections::BTreeMap;

/// The dialler's journal, read once.
pub struct Past {
    pub requests: Vec<Asked>,
    pub writes: Vec<Asked>,
    /// The key of every contact that ever was.
    pub keys: BTreeMap<i64, String>,
    /// What each request did.
    pub did: BTreeMap<u64, Vec<What>>,
    /// When each row's result was last recorded.
    pub results: BTreeMap<i64, Timestamp>,
    /// All that was recorded of contacts: when, on which row, which result.
    pub recorded: BTreeMap<i64, Vec<(Timestamp, i64, String)>>,
    /// When each contact's rows appeared.
    pub rows: BTreeMap<i64, Vec<(Timestamp, i64)>>,
    /// When contacts were deleted, and by whom.
    pub gone: BTreeMap<i64, (Timestamp, Actor)>,
    /// When each contact came to exist, and by which request.
    pub made: BTreeMap<i64, (Timestamp, Option<u64>, Actor)>,
    /// What agents wrote into contacts' free text, and that portal users did.
    pub comments: BTreeMap<i64, Vec<(Timestamp, String)>>,
    /// The places of the reads of each contact's history among the requests.
    reads: BTreeMap<i64, Vec<usize>>,
    pub dials: Vec<(Timestamp, i64)>,
}

impl Past {
    pub fn of(life: &Life) -> Self {
        let journal = life.world.dialler.journal();
        let requests = journal.requests();
        let writes = requests.iter().filter(|asked| asked.kind.write).cloned().collect();
        let (mut keys, mut did, mut made) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        let (mut results, mut comments) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        let (mut recorded, mut rows, mut gone) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for happened in journal.effects() {
            let deed = happened.effect;
            match &deed.what {
                What::Commented { text } => {
                    comments.entry(deed.contact).or_default().push((happened.at, text.clone()));
                }
                What::Updated { fields } if deed.actor == Actor::Portal && fields.contains(&"Comment") => {
                    comments.entry(deed.contact).or_default().push((happened.at, "rang ".to_owned()));
                }
                What::Deleted => drop(gone.insert(deed.contact, (happened.at, deed.actor))),
                What::RowAppeared { row } => rows.entry(deed.contact).or_default().push((happened.at, *row)),
                What::ResultRecorded { row, key, .. } => {
                    recorded.entry(deed.contact).or_default().push((happened.at, *row, key.clone()));
                }
                _ => {}
            }
            if let Some(key) = deed.user_data {
                keys.insert(deed.contact, key.to_string());
            }
            if matches!(deed.what, What::Created { .. }) {
                made.insert(deed.contact, (happened.at, happened.request, deed.actor));
            }
            if let What::ResultRecorded { row, .. } = deed.what {
                results.insert(row, happened.at);
            }
            if let Some(request) = happened.request {
                did.entry(request).or_default().push(deed.what);
            }
        }
        // Where nobody can take a contact back from an agent who looks at it, the offer is the last moment for a lock.
        let dials_on =
            life.world.dialler.read(|state| state.config.lock_in_preview) == LockInPreview::DialsOn;
        let offers = journal.offers().into_iter();
        let dials =
            offers.map(|(offered, at, contact)| (if dials_on { offered } else { at }, contact)).collect();
        let reads = reads(&requests, &life.truth.starts);
        Self { requests, writes, keys, did, results, recorded, rows, gone, made, comments, reads, dials }
    }

    /// The reads of a contact's history.
    pub fn reads_of(&self, contact: i64) -> impl Iterator<Item = &Asked> {
        self.reads.get(&contact).into_iter().flatten().map(|place| &self.requests[*place])
    }

    pub fn asked(&self, seq: u64) -> Option<&Asked> {
        let at = self.requests.binary_search_by_key(&seq, |asked| asked.seq).ok()?;
        Some(&self.requests[at])
    }
}

/// The requests that read histories, by contact. After a start the first batch of ids asks whether the dialler is the
/// one it was; nobody looks for calls in its answer.
fn reads(requests: &[Asked], starts: &[Timestamp]) -> BTreeMap<i64, Vec<usize>> {
    let by_ids = |asked: &&Asked| {
        asked.kind.name == "batch" && asked.json()["IDList"].as_array().is_some_and(|ids| !ids.is_empty())
    };
    let is_it_the_same = |asked: &Asked| {
        let since = starts.iter().rfind(|start| **start <= asked.at);
        let mut before = requests.iter().filter(|b| since.is_some_and(|s| b.at >= *s) && b.seq < asked.seq);
        since.is_some() && !before.any(|before| by_ids(&before) && done(before))
    };
    let mut reads: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, asked) in requests.iter().enumerate() {
        let named: Vec<i64> = match asked.kind.name {
            "history" => {
                asked.path.split('/').rev().nth(1).and_then(|id| id.parse().ok()).into_iter().collect()
            }
            "batch" if is_it_the_same(asked) => Vec::new(),
            "batch" => {
                asked.json()["IDList"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
            }
            _ => Vec::new(),
        };
        for contact in named {
            reads.entry(contact).or_default().push(place);
        }
    }
    reads
}

/// When it was answered.
pub fn answered_at(asked: &Asked) -> Option<Timestamp> {
    asked.answered.as_ref().map(|answered| answered.at)
}

/// Whether an answer says what was done.
pub fn clear(answered: &Answered) -> bool {
    let late = answered.fault.as_deref().is_some_and(|fault| fault.starts_with("Latency"));
    answered.status.is_some_and(|status| status < 500) && (answered.fault.is_none() || late)
}

/// Whether it was answered in time as done, or with what was asked for.
pub fn done(asked: &Asked) -> bool {
    let good =
        |answered: &Answered| answered.status == Some(200) && clear(answered) && !late(asked, answered);
    asked.answered.as_ref().is_some_and(good)
}

/// Whether a write's sender could not know what became of it: no answer in time, or none to be trusted.
pub fn in_doubt(asked: &Asked) -> bool {
    match &asked.answered {
        None => true,
        Some(answered) => !clear(answered) && !refused(answered) || late(asked, answered),
    }
}

/// Answered as not carried out: 429, and 503 with Retry-After (the table of outcomes).
fn refused(answered: &Answered) -> bool {
    let retry_after = answered.fault.as_deref().is_some_and(|fault| !fault.contains("Absent"));
    answered.status == Some(429) || (answered.status == Some(503) && retry_after)
}

/// Answered after our time-out (30 s by default).
fn late(asked: &Asked, answered: &Answered) -> bool {
    answered.at - asked.at > TimeDelta::seconds(29)
}
