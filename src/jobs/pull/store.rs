//! From what was read to what is stored: mapping, the systemic brake, one transaction.

use super::brake::{self, Strike};
use super::{PullContext, Work, examine, unreadable};
use crate::domain::{Reason, Record, RecordId, RunId, Timestamp};
use crate::jobs::JobError;
use crate::ledger::{Counts, KnownRecord, PageStore, PulledRecord};
use chrono::TimeDelta;
use sha2::Digest as _;

/// A record to be decided.
pub(super) enum Changed {
    /// With its hash.
    Record(Box<Record>, Vec<u8>),
    /// Nothing but its id could be read.
    Unreadable(RecordId, Reason),
}

impl Changed {
    pub(super) fn id(&self) -> &RecordId {
        match self {
            Self::Record(record, _) => &record.id,
            Self::Unreadable(id, _) => id,
        }
    }

    /// Whether it is a version from before the one last seen: a lagging index must not bring yesterday back.
    pub(super) fn is_older(&self, known: &KnownRecord) -> bool {
        self.age_behind(known) > TimeDelta::zero()
    }

    /// By how much it is older than the version last seen; nothing or less where it is not, or nobody can tell.
    pub(super) fn age_behind(&self, known: &KnownRecord) -> TimeDelta {
        let has = match self {
            Self::Record(record, _) => record.modified,
            Self::Unreadable(..) => None,
        };
        known.modified.zip(has).map_or(TimeDelta::zero(), |(had, has)| had - has)
    }
}

/// What one answer brings.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changed: Vec<Changed>,
    /// Records of which not even the id can be read: counted and shown.
    pub(super) unidentified: Vec<Reason>,
    /// Ids that were asked for and not named.
    pub(super) missing: Vec<RecordId>,
    /// Ids that a second look did not find either.
    pub(super) gone: Vec<RecordId>,
    /// The record into which the one that is gone was merged, where the CRM tells.
    pub(super) survivor: Option<RecordId>,
    /// Hints that are answered by it.
    pub(super) hints_taken: Vec<i64>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.changed.is_empty()
            && self.unidentified.is_empty()
            && self.missing.is_empty()
            && self.gone.is_empty()
            && self.hints_taken.is_empty()
    }
}

impl Work<'_> {
    /// Maps, decides and stores; shared by pages, hints and refreshes. The records that could be decided come back.
    ///
    /// Once the brake has struck, only what it must not hold is stored: objections, and who certainly must be locked.
    pub(super) async fn store(&mut self, batch: Batch, asked: Timestamp) -> Result<Vec<RecordId>, JobError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.context.env.now();
        let route = &self.context.route;
        let pulled: Vec<PulledRecord> = batch
            .changed
            .iter()
            .map(|changed| match changed {
                Changed::Record(record, hash) => {
                    self.judged(record, examine(route, record, hash.clone(), now))
                }
                Changed::Unreadable(id, reason) => unreadable(route, id, reason.clone()),
            })
            .collect();
        if self.struck.is_none() {
            self.struck = self.judge_page(&pulled, &batch.unidentified).await?;
        }
        if self.struck.is_some() {
            let held_not = pulled.into_iter().filter(brake::must_be_stored).collect();
            let page = page_store(self.context, self.run, held_not, Batch::default(), asked);
            let counts = self.context.ledger.page_store(page).await?;
            add(&mut self.counts, &counts);
            return Ok(Vec::new());
        }
        let decided = pulled
            .iter()
            .filter(|record| !matches!(record.crm, crate::domain::CrmSide::Unusable(_)))
            .filter(|record| brake::rejected(record).is_none())
            .map(|record| record.id.clone())
            .collect();
        let page = page_store(self.context, self.run, pulled, batch, asked);
        let counts = self.context.ledger.page_store(page).await?;
        add(&mut self.counts, &counts);
        Ok(decided)
    }

    /// Whether so many of these and of the records decided before them were rejected for one reason that something
    /// else is at fault; what was decided in earlier runs counts.
    async fn judge_page(
        &self,
        pulled: &[PulledRecord],
        unidentified: &[Reason],
    ) -> Result<Option<Strike>, JobError> {
        let mut page: Vec<Option<Reason>> =
            pulled.iter().map(|record| brake::rejected(record).cloned()).collect();
        page.extend(unidentified.iter().cloned().map(Some));
        let rejected = page.iter().flatten().count();
        if rejected == 0 {
            return Ok(None);
        }
        let least = brake::AT_LEAST.saturating_sub(rejected);
        let ids = pulled.iter().map(|record| record.id.clone()).collect();
        let route = self.context.route.route.clone();
        let before = self.context.ledger.records_last(route, ids, brake::WINDOW, least).await?;
        let before: Vec<Option<Reason>> =
            before.into_iter().map(|reason| reason.filter(brake::can_be_systemic)).collect();
        Ok(brake::judge(&before, &page))
    }
}

pub(super) fn page_store(
    context: &PullContext,
    run: RunId,
    records: Vec<PulledRecord>,
    batch: Batch,
    asked: Timestamp,
) -> PageStore {
    PageStore {
        route: context.route.route.clone(),
        client: context.route.client.clone(),
        crm: context.route.crm.clone(),
        object: context.route.object.clone(),
        policy: context.route.policy.clone(),
        unblock: context.route.unblock,
        run,
        decided_at: asked,
        records,
        missing: batch.missing,
        gone: batch.gone,
        survivor: batch.survivor,
        unidentified: batch.unidentified.into_iter().map(|reason| (digest(&reason), reason)).collect(),
        hints_taken: batch.hints_taken,
        decide: crate::sync::decide,
    }
}

/// A name for a record that has none, so that the same one is not counted anew at every pull.
fn digest(reason: &Reason) -> Vec<u8> {
    let mut hash = sha2::Sha256::new();
    hash.update([0]);
    hash.update(reason.code.as_str().as_bytes());
    hash.update(reason.params_json().as_bytes());
    hash.finalize().to_vec()
}

pub(super) fn add(total: &mut Counts, page: &Counts) {
    total.stale += page.stale;
    total.unchanged += page.unchanged;
    total.queued += page.queued;
    total.adopted += page.adopted;
    total.skipped += page.skipped;
    total.blocked += page.blocked;
    total.parked += page.parked;
    total.parked_new += page.parked_new;
    total.noted += page.noted;
}
