//! Reconcile: both sides in full against the ledger. It cannot write: it holds the reading halves of both sides, and of
//! the ledger a book that reads. What does not agree at first is looked at again, each by itself, before it counts; what
//! is on its way anyway (an operation that waits, a change that the cursor has not passed) is no drift.

mod activities;
mod crm;
mod dialler;
mod elsewhere;
mod sample;
mod words;

pub use sample::sample;

use super::JobError;
use super::pull::PullRoute;
use crate::crm::CrmRead;
use crate::dialler::DiallerRead;
use crate::domain::{CampaignId, DriftKind, FieldName, HistoryId, LinkId, Suspect, Suspects};
use crate::env::Env;
use crate::ledger::{Mend, Question, ReconcileBook, RouteRow};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything a reconcile of one route may touch.
#[derive(Clone)]
pub struct Looker {
    /// Clock and shutdown.
    pub env: Env,
    /// The CRM, to be read.
    pub crm: Arc<dyn CrmRead>,
    /// The dialler, to be read.
    pub dialler: Arc<dyn DiallerRead>,
    /// The route.
    pub route: Arc<PullRoute>,
    /// The mapped fields that agents may change: what they hold there is no drift, the harvest sees to it.
    pub theirs: BTreeSet<FieldName>,
}

impl std::fmt::Debug for Looker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looker").field("route", &self.route.route).finish_non_exhaustive()
    }
}

/// What does not agree, of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Which kind.
    pub kind: DriftKind,
    /// How many were looked at twice and do not agree.
    pub count: u64,
    /// How many more looked so at first and were not looked at again.
    pub unconfirmed: u64,
    /// What mends it.
    pub remedy: &'static str,
    /// The first of them.
    pub examples: Vec<Suspect>,
    /// All that were confirmed.
    #[serde(skip)]
    all: Vec<Suspect>,
}

/// What a reconcile of one route came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconciled {
    /// The route.
    pub route: String,
    /// Records that the CRM named.
    pub records: u64,
    /// Contacts that the dialler listed.
    pub contacts: u64,
    /// Contacts whose histories were read.
    pub histories: u64,
    /// Activities that were looked for in the CRM.
    pub activities: u64,
    /// What does not agree.
    pub drift: Vec<Drift>,
    /// Contacts in the campaign that are nobody's.
    pub others: u64,
    /// Locks of ours that no answer of this dialler shows.
    pub locks_unverifiable: u64,
    /// What could not be compared, and why.
    pub not_compared: Vec<String>,
    /// Calls whose activities the CRM no longer has.
    #[serde(skip)]
    lost: Vec<HistoryId>,
    /// What was seen of fields that differ.
    #[serde(skip)]
    fields: Vec<(LinkId, Vec<(FieldName, Value)>)>,
}

impl Reconciled {
    /// Whether everything agrees that could be compared.
    pub fn is_clean(&self) -> bool {
        self.drift.is_empty()
    }

    /// How many things do not agree, each looked at once more (semantics 2); what was not is told beside it.
    pub fn total(&self) -> u64 {
        self.drift.iter().map(|drift| drift.count).sum()
    }

    /// The numbers by kind, for the ledger.
    pub fn numbers(&self) -> Value {
        let by_kind = self.drift.iter().map(|drift| {
            serde_json::json!({ "kind": drift.kind, "count": drift.count, "unconfirmed": drift.unconfirmed })
        });
        Value::Array(by_kind.collect())
    }

    /// What a repair marks as due.
    pub fn mend(&self) -> Mend {
        let mut mend = Mend { fields: self.fields.clone(), activities: self.lost.clone(), ..Mend::default() };
        for drift in &self.drift {
            match drift.kind {
                DriftKind::RecordUnknown
                | DriftKind::RecordDiffers
                | DriftKind::RecordOrphaned
                | DriftKind::ContactDiffers
                | DriftKind::LockMissing => {
                    mend.records.extend(drift.all.iter().filter_map(|suspect| suspect.record.clone()));
                }
                DriftKind::ContactUnlinked => {
                    mend.keys.extend(drift.all.iter().filter_map(|suspect| suspect.record.clone()));
                }
                DriftKind::CallMissing => {
                    mend.histories.extend(drift.all.iter().filter_map(|suspect| suspect.contact));
                }
                // What no run ever entered; what is held or parked has its reason, and a person's word.
                DriftKind::CallUntold => mend.never_entered = true,
                // The harvest's own business, and a person's; of activities see `lost`.
                DriftKind::ContactMissing
                | DriftKind::ContactDoubled
                | DriftKind::ContactOrphaned
                | DriftKind::ActivityMissing => {}
            }
        }
        mend
    }
}

/// How far a look goes where each thing is a request of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// As far as it costs little: some hundred activities.
    Usual,
    /// To the end, however long it takes.
    Every,
}

/// One look under way.
struct Look<'a> {
    looker: &'a Looker,
    depth: Depth,
    book: &'a ReconcileBook,
    row: RouteRow,
    campaign: CampaignId,
    found: BTreeMap<DriftKind, Drift>,
    told: Reconciled,
    /// Contacts that the dialler cannot show by themselves.
    unread: u64,
}

/// So many of each kind are shown.
const EXAMPLES: usize = 10;

/// Compares everything of one route.
///
/// # Errors
/// A side or the ledger cannot be read to the end; nothing is concluded then.
pub async fn look(looker: &Looker, book: &ReconcileBook, depth: Depth) -> Result<Reconciled, JobError> {
    let mut look = Look { depth, ..Look::begin(looker, book).await? };
    let route = &looker.route.route;
    look.crm().await?;
    look.dialler().await?;
    let told = look.suspects(Question::CallUntold).await?;
    look.add(DriftKind::CallUntold, told.count, told.first);
    look.activities().await?;
    let (others, locked) = book.beside(route.clone()).await?;
    look.told.others = others;
    look.told.locks_unverifiable = match book.lock_shown().await? {
        crate::ledger::LockShown::By { .. } => 0,
        crate::ledger::LockShown::Unknown | crate::ledger::LockShown::Nowhere => locked,
    };
    Ok(look.end())
}

impl<'a> Look<'a> {
    async fn begin(looker: &'a Looker, book: &'a ReconcileBook) -> Result<Self, JobError> {
        let route = &looker.route.route;
        let never = || {
            JobError::Stopped(format!(
                "route {route} was never read and pushed, so there is nothing to compare; `dialbridge sync --route {route}` does so"
            ))
        };
        let row = book.route(route.clone()).await?.ok_or_else(never)?;
        let campaign = row.campaign.ok_or_else(never)?;
        let told = Reconciled {
            route: route.to_string(),
            records: 0,
            contacts: 0,
            histories: 0,
            activities: 0,
            drift: Vec::new(),
            others: 0,
            locks_unverifiable: 0,
            not_compared: Vec::new(),
            lost: Vec::new(),
            fields: Vec::new(),
        };
        Ok(Self { looker, depth: Depth::Usual, book, row, campaign, found: BTreeMap::new(), told, unread: 0 })
    }

    fn end(mut self) -> Reconciled {
        self.told.drift =
            self.found.into_values().filter(|drift| drift.count + drift.unconfirmed > 0).collect();
        self.told
    }

    /// Whether the ledger's hashes are those of the mapping and the conditions as they are now.
    fn comparable(&self) -> bool {
        let revision = self.looker.route.revision.as_str();
        self.row.cursor.is_some() && self.row.revision.as_deref() == Some(revision)
    }

    async fn suspects(&self, question: Question) -> Result<Suspects, JobError> {
        let route = self.looker.route.route.clone();
        Ok(self.book.suspects(route, self.campaign, question).await?)
    }

    /// `seen`: how many looked so at first; `confirmed`: those of the first that still do.
    fn add(&mut self, kind: DriftKind, seen: u64, confirmed: Vec<Suspect>) {
        let looked_at = seen.min(crate::domain::SUSPECTS as u64);
        let drift = self.found.entry(kind).or_insert_with(|| Drift {
            kind,
            count: 0,
            unconfirmed: 0,
            remedy: kind.remedy(),
            examples: Vec::new(),
            all: Vec::new(),
        });
        drift.count += confirmed.len() as u64;
        drift.unconfirmed += seen - looked_at;
        drift.all.extend(confirmed);
        drift.examples = drift.all.iter().take(EXAMPLES).cloned().collect();
    }

    fn stop_if_ending(&self) -> Result<(), JobError> {
        if self.looker.env.shutdown().is_cancelled() { Err(JobError::ShuttingDown) } else { Ok(()) }
    }
}
