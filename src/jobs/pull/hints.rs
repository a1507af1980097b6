//! Records named by hints, read by id through the same path; they move no cursor.

use super::Work;
use super::store::{Batch, Changed};
use crate::domain::{Reason, ReasonCode, RecordId};
use crate::jobs::JobError;
use crate::ledger::Hint;
use crate::remote::CallError;

/// So many ids are asked for in one request.
const BATCH: u32 = 200;

/// After so many requests in a row without an answer the rest of a batch waits: more than it takes to find the one
/// among 200 that spoils every answer it is in.
const IN_VAIN: usize = 12;

/// A record that alone could not be read so often, while others could, is parked as unreadable.
const UNREADABLE_FROM: i64 = 2;

impl Work<'_> {
    /// Reads what is hinted at until nothing waits that can be read. A hint is taken in the transaction that stores
    /// what its read brought; one that cannot be answered waits, and keeps nobody else waiting.
    pub(super) async fn hints(&mut self) -> Result<(), JobError> {
        // Who of a held wave is there again is found by any read, and what that means for the others is asked here.
        self.hold_missing().await?;
        // What was struck is not answered.
        while self.struck.is_none() {
            self.stop_if_ending()?;
            let waiting = self.context.ledger.hints_waiting(self.context.route.route.clone(), BATCH).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let ids = waiting.iter().map(|hint| hint.record.clone()).collect();
            self.in_parts(ids, waiting).await?;
        }
        Ok(())
    }

    /// Reads these by id, and in halves what cannot be read, until the one is found that spoils the answer: it
    /// harms nobody else. `hints` are those that name them. The ids that were decided come back.
    pub(super) async fn in_parts(
        &mut self,
        mut ids: Vec<RecordId>,
        mut hints: Vec<Hint>,
    ) -> Result<Vec<RecordId>, JobError> {
        ids.sort();
        ids.dedup();
        let (mut parts, mut decided, mut in_vain) = (vec![ids], Vec::new(), 0);
        while let Some(mut part) = parts.pop()
            && self.struck.is_none()
        {
            let named: Vec<Hint> =
                hints.extract_if(.., |hint| part.binary_search(&hint.record).is_ok()).collect();
            if in_vain >= IN_VAIN {
                let rows = named.iter().map(|hint| hint.id).collect();
                self.context.ledger.hints_postpone(rows, "nothing could be read by id".to_owned()).await?;
                continue;
            }
            match self.by_id(&part, &named).await {
                Ok(ids) => {
                    in_vain = 0;
                    decided.extend(ids);
                }
                Err(JobError::Call(error)) if !error.speaks_of_the_side() => {
                    self.stop_if_ending()?;
                    in_vain += 1;
                    if part.len() > 1 {
                        tracing::debug!(%error, ids = part.len(), "what cannot be read by id is read in halves");
                        let other = part.split_off(part.len() / 2);
                        parts.extend([part, other]);
                        hints.extend(named);
                    } else {
                        self.unanswered(named, &error).await?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(decided)
    }

    /// One record that cannot be read by its id.
    async fn unanswered(&mut self, hints: Vec<Hint>, error: &CallError) -> Result<(), JobError> {
        let rows: Vec<i64> = hints.iter().map(|hint| hint.id).collect();
        let tries = hints.iter().map(|hint| hint.tries).max().unwrap_or_default();
        tracing::warn!(route = %self.context.route.route, %error, tries, "a record cannot be read by its id");
        if let Some(hint) = hints.first()
            && tries >= UNREADABLE_FROM
            && self.found_by_id > 0
        {
            let problem = "it cannot be read by its id, while others can";
            let reason = Reason::new(ReasonCode::RecordUnreadable).with("problem", problem);
            self.counts.records_read += 1;
            let changed = vec![Changed::Unreadable(hint.record.clone(), reason)];
            let batch = Batch { changed, hints_taken: rows, ..Batch::default() };
            self.store(batch, self.context.env.now()).await?;
            return Ok(());
        }
        Ok(self.context.ledger.hints_postpone(rows, error.to_string()).await?)
    }
}
