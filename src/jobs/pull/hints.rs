//! Records named by hints, read by id through the same path; they move no cursor.

use super::Work;
use crate::domain::{Record, RecordId};
use crate::jobs::JobError;
use std::collections::BTreeMap;

/// So many ids are asked for in one request.
const BATCH: u32 = 200;

impl Work<'_> {
    /// Reads what is hinted at until nothing waits. A hint is taken in the transaction that stores what
    /// its read brought.
    pub(super) async fn hints(&mut self) -> Result<(), JobError> {
        loop {
            self.stop_if_ending()?;
            let waiting = self.context.ledger.hints_waiting(self.context.route.route.clone(), BATCH).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let rows = waiting.iter().map(|hint| hint.id).collect();
            let mut ids: Vec<RecordId> = waiting.into_iter().map(|hint| hint.record).collect();
            ids.sort();
            ids.dedup();
            self.by_id(&ids, rows).await?;
        }
    }

    /// Reads the named records and decides about each, changed or not.
    pub(super) async fn by_id(&mut self, ids: &[RecordId], hints: Vec<i64>) -> Result<(), JobError> {
        let mut page = self.context.crm.fetch(ids).await?;
        self.context.flag(&mut page).await?;
        self.counts.requests += 1;
        self.counts.bytes += i64::try_from(page.bytes).unwrap_or(i64::MAX);
        let answered = page.crm_time.unwrap_or_else(|| self.context.env.now());
        let mut found: BTreeMap<RecordId, (Record, Vec<u8>)> = BTreeMap::new();
        let mut bad = Vec::new();
        for record in page.records {
            match record {
                Ok(record) => {
                    let hash =
                        self.context.route.mapping.hash(&record, &self.context.route.revision).to_vec();
                    found.insert(record.id.clone(), (record, hash));
                }
                Err(record) => bad.push(record),
            }
        }
        let unreadable: Vec<&RecordId> = bad.iter().filter_map(|bad| bad.id.as_ref()).collect();
        let gone =
            ids.iter().filter(|id| !found.contains_key(id) && !unreadable.contains(id)).cloned().collect();
        self.counts.records_read += (found.len() + bad.len()) as i64;
        self.store(found.into_values().collect(), bad, gone, hints, answered).await
    }
}
