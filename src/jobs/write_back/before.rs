//! What the CRM's fields had before they are told: read for a page of records by one request, so that the trail says what was
//! written over. Where each record would be a request of its own, or the CRM does not answer, the trail says what was told last.

use super::Pass;
use crate::domain::RecordId;
use crate::ledger::ToTell;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So long it may take: what is told waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The fields of the records of a page.
#[derive(Debug, Default)]
pub(super) struct Before {
    read: Mutex<BTreeMap<RecordId, Map<String, Value>>>,
    /// It could not be read in time: what else this run tells waits no more.
    given_up: AtomicBool,
}

impl Before {
    /// What a record had; empty where nobody could tell. Once it was told of it has something else.
    pub(super) fn take(&self, record: &RecordId) -> Map<String, Value> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(record).unwrap_or_default()
    }

    fn put(&self, read: BTreeMap<RecordId, Map<String, Value>>) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }
}

impl Pass<'_> {
    /// Reads the records whose fields may be told. That it cannot be read keeps nobody from being told.
    pub(super) async fn look_before(&self, rows: &[ToTell]) {
        let Some(crm) = &self.context.before else { return };
        let fields = rows.iter().filter(|row| row.call.is_none());
        let mut ids: Vec<RecordId> = fields.map(|row| row.record.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() || self.before.given_up.load(Ordering::Relaxed) {
            return;
        }
        let asked = tokio::time::timeout(PATIENCE, crm.fetch(&ids)).await;
        let read = match asked
            .map_err(|late| late.to_string())
            .and_then(|read| read.map_err(|e| e.to_string()))
        {
            Ok(page) => page.records.into_iter().flatten().map(|record| (record.id, record.fields)).collect(),
            Err(error) => {
                tracing::debug!(%error, "what fields had before they are told cannot be read; this run asks no more");
                self.before.given_up.store(true, Ordering::Relaxed);
                BTreeMap::new()
            }
        };
        self.before.put(read);
    }
}
