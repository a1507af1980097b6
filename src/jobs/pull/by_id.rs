//! Records read by their ids: what hints, companions and refreshes name.

use super::Work;
use super::store::{Batch, Changed};
use crate::crm::Page;
use crate::domain::limits::MissingLimits;
use crate::domain::{RecordId, Timestamp};
use crate::jobs::JobError;
use crate::ledger::{Brake, Hint};
use crate::remote::CallErrorKind;
use std::collections::BTreeMap;

/// So many second looks are made in one go; the rest waits for the next run.
const SECOND_LOOKS: usize = 50;

/// An answer to "these ids", sorted.
struct Answered {
    batch: Batch,
    /// Records whose version is older than the one last seen: they say nothing.
    stale: Vec<RecordId>,
    /// When they were asked for, by our clock: a decision is not younger than that.
    at: Timestamp,
}

impl Work<'_> {
    /// Reads the named records and decides about each, changed or not. The ids that were decided come back: what
    /// could not be read, came in an older version or was not named, was not.
    pub(super) async fn by_id(
        &mut self,
        ids: &[RecordId],
        hints: &[Hint],
    ) -> Result<Vec<RecordId>, JobError> {
        let Answered { mut batch, stale, at } = self.ask(ids).await?;
        let missing = batch.missing.clone();
        let (later, taken): (Vec<&Hint>, Vec<&Hint>) =
            hints.iter().partition(|hint| stale.contains(&hint.record));
        batch.hints_taken = taken.iter().map(|hint| hint.id).collect();
        let mut decided = self.store(batch, at).await?;
        if !later.is_empty() && self.struck.is_none() {
            let later = later.iter().map(|hint| hint.id).collect();
            let why = "the answer was older than the version last seen".to_owned();
            self.context.ledger.hints_postpone(later, why).await?;
        }
        decided.extend(self.second_look(missing).await?);
        Ok(decided)
    }

    async fn ask(&mut self, ids: &[RecordId]) -> Result<Answered, JobError> {
        let context = self.context;
        let at = context.env.now();
        let mut page = match context.crm.fetch(ids).await {
            // Where ids are read one by one a CRM may say so in this way.
            Err(error) if error.kind == CallErrorKind::NotFound && ids.len() == 1 => Page::empty(),
            answer => answer?,
        };
        context.flag(&mut page).await?;
        self.counts.requests += 1;
        self.counts.bytes += i64::try_from(page.bytes).unwrap_or(i64::MAX);
        self.counts.records_read += page.records.len() as i64;
        let known = context.ledger.records_known(context.route.route.clone(), ids.to_vec()).await?;
        let (mut batch, mut stale) = (Batch::default(), Vec::new());
        // One record twice in one answer: the later version counts.
        let mut changed: BTreeMap<RecordId, Changed> = BTreeMap::new();
        let (named, unidentified) = self.split(page.records);
        for record in named {
            let id = record.id().clone();
            if known.get(&id).is_some_and(|known| record.is_older(known)) {
                stale.push(id);
            } else if changed.insert(id, record).is_some() {
                self.counts.repeats += 1;
            }
        }
        self.counts.stale += stale.len() as i64;
        self.found_by_id += changed.len();
        batch.survivor = page.survivor;
        let there = |id: &RecordId| changed.contains_key(id) || stale.contains(id);
        batch.missing = ids.iter().filter(|id| !there(id)).cloned().collect();
        batch.unidentified = unidentified;
        batch.changed = changed.into_values().collect();
        Ok(Answered { batch, stale, at })
    }

    /// Whoever was missed ten minutes ago and is again is read singly; not named once more, the record is gone. Many
    /// at once are no deletions but a right that was taken away, or a filter that is broken: nothing is concluded.
    async fn second_look(&mut self, missing: Vec<RecordId>) -> Result<Vec<RecordId>, JobError> {
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        self.judge_missing().await?;
        self.hold_missing().await?;
        let (ledger, route) = (self.context.ledger.clone(), self.context.route.route.clone());
        let due = ledger.absences_due(route, missing).await?;
        let mut decided = Vec::new();
        for id in due.into_iter().take(SECOND_LOOKS) {
            if self.missing.is_some() || self.struck.is_some() {
                break;
            }
            self.stop_if_ending()?;
            let Answered { mut batch, stale: _, at } = match self.ask(std::slice::from_ref(&id)).await {
                Ok(answered) => answered,
                Err(JobError::Call(error)) if !error.speaks_of_the_side() => {
                    tracing::debug!(%error, "the second look failed and is made again");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if batch.missing.contains(&id) {
                batch.missing.clear();
                batch.gone.push(id.clone());
                decided.push(id);
            }
            decided.extend(self.store(batch, at).await?);
        }
        Ok(decided)
    }

    /// Whether answers by id do not name so many known records that they are in doubt: this is how the route reads, so it
    /// stops.
    async fn judge_missing(&mut self) -> Result<(), JobError> {
        let missing = self.context.ledger.absences_by_id(self.context.route.route.clone()).await?;
        let stays = self.missing.is_some();
        let many =
            missing >= MissingLimits::FEW && (stays || missing * 10 >= (missing + self.found_by_id) * 3);
        self.missing = many.then_some(missing);
        Ok(())
    }

    /// Whom complete walks did not name, if they are too many, waits for a person: nobody else does.
    pub(super) async fn hold_missing(&self) -> Result<(), JobError> {
        let route = &self.context.route;
        match self.context.ledger.absences_hold(route.route.clone(), route.missing).await? {
            Brake::Holds { wave, count, new: true } => tracing::warn!(
                route = %route.route,
                "{count} known records are not named by the CRM any more: nothing is concluded from it before somebody says \
                 so; `dialbridge plan show --wave {wave}` names them"
            ),
            Brake::Holds { new: false, .. } | Brake::Off => {}
        }
        Ok(())
    }

    /// The question at a run's end: whether what stopped the route before still does.
    pub(super) async fn judge_missing_again(&mut self) -> Result<(), JobError> {
        if self.missing.is_some() { self.judge_missing().await } else { Ok(()) }
    }
}
