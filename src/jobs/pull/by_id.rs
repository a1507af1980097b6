//! Records read by their ids: what hints, companions and refreshes name.

use super::{Work, pages};
use crate::crm::Page;
use crate::domain::{BadRecord, Record, RecordId};
use crate::jobs::JobError;
use std::collections::BTreeMap;

/// An answer to "these ids", sorted.
#[derive(Default)]
struct Answered {
    found: BTreeMap<RecordId, (Record, Vec<u8>)>,
    bad: Vec<BadRecord>,
    missing: Vec<RecordId>,
    /// Records whose version is older than the one last seen: they say nothing.
    stale: i64,
}

impl Work<'_> {
    /// Reads the named records and decides about each, changed or not. The ids that were decided come back: what
    /// could not be read, or came in an older version, was not.
    pub(super) async fn by_id(
        &mut self,
        ids: &[RecordId],
        hints: Vec<i64>,
    ) -> Result<Vec<RecordId>, JobError> {
        let page = self.context.crm.fetch(ids).await?;
        self.counts.requests += 1;
        self.counts.bytes += i64::try_from(page.bytes).unwrap_or(i64::MAX);
        let answered = page.crm_time.unwrap_or_else(|| self.context.env.now());
        let Answered { found, bad, missing, stale } = self.sort_out(ids, page).await?;
        self.counts.records_read += (found.len() + bad.len()) as i64 + stale;
        self.counts.stale += stale;
        let mut decided =
            self.store(found.into_values().collect(), bad, missing.clone(), hints, answered).await?;
        decided.extend(missing);
        Ok(decided)
    }

    async fn sort_out(&self, ids: &[RecordId], page: Page) -> Result<Answered, JobError> {
        let route = &self.context.route;
        let known = self.context.ledger.records_known(route.route.clone(), ids.to_vec()).await?;
        let mut answered = Answered::default();
        let mut named: Vec<RecordId> = Vec::new();
        for record in page.records {
            match record {
                Ok(record) => {
                    named.push(record.id.clone());
                    if known.get(&record.id).is_some_and(|known| pages::is_older(&record, known)) {
                        answered.stale += 1;
                        continue;
                    }
                    let hash = route.mapping.hash(&record, &route.revision).to_vec();
                    answered.found.insert(record.id.clone(), (record, hash));
                }
                Err(record) => {
                    named.extend(record.id.clone());
                    answered.bad.push(record);
                }
            }
        }
        answered.missing = ids.iter().filter(|id| !named.contains(id)).cloned().collect();
        Ok(answered)
    }
}
