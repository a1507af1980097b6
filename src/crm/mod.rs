//! The CRM: its ports in domain words, one to read and one to write, and the adapters that a connector file drives.

mod bundled;
mod burst;
mod by_ids;
mod call;
mod connector;
mod ends;
mod errors;
mod extract;
mod find;
mod format;
mod links;
mod pages;
mod parse;
mod parse_auth;
mod parse_request;
mod parse_write;
mod shifts;
mod small;
mod steps;
mod template;
#[cfg(test)]
mod tests;
mod times;
mod walk;
mod write;
mod writer;

pub use bundled::{bundled, bundled_names};
pub use call::{Called, Caller};
pub use connector::Connector;
pub use extract::{Condition, Pointer, Test};
pub use format::{ConnectorFile, IdType, RecordShape, TimeContract};
pub use parse::parse;
pub use times::TimeForm;
pub use write::{CrmValues, CrmWrite, Safe, WriteContract};
pub use writer::Writer;

use crate::domain::{BadRecord, CallKey, Record, RecordId, Timestamp};
use crate::remote::CallError;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// What a connector declares about reading changes; the cursor's arithmetic rests on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadContract {
    /// The CRM's object (`res.partner`).
    pub object: String,
    /// How coarse the filter's times are; a window's edge is widened by it.
    pub resolution: Duration,
    /// How late a change may become visible under an older time (a transaction's start): the cursor
    /// stays so far behind the CRM's clock.
    pub lag: Duration,
    /// How far below the cursor each pull reads again.
    pub overlap: Duration,
    /// The names of the companions.
    pub companions: Vec<String>,
    /// Those of them that no record carries as a field of its own: whoever reads records sets it by
    /// [`Page::set_flag`].
    pub flags: Vec<String>,
    /// The names of values that are no fields of a record, but written by requests of their own.
    pub apart: Vec<String>,
}

/// What the token's user may be allowed to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right<'a> {
    /// Activities.
    Activities,
    /// Fields of a record.
    Fields,
    /// The value of this name, which is no field of the record.
    Apart(&'a str),
}

/// Where the next page begins; opaque to everybody but the adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);

/// The places that one reading has been to: a list whose pages lead in a circle would never end.
#[derive(Debug, Default)]
pub struct Places(HashSet<String>);

impl Places {
    /// Whether the reading has not been there before; from now on it has.
    pub fn enter(&mut self, place: &PageToken) -> bool {
        self.0.insert(place.0.clone())
    }
}

/// One page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What was read, bad ones beside good ones, in the CRM's order.
    pub records: Vec<Result<Record, BadRecord>>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<PageToken>,
    /// The CRM's own time when this page was answered (its Date header or a time query).
    pub crm_time: Option<Timestamp>,
    /// The answer's size in bytes.
    pub bytes: u64,
    /// Of one id that was asked for by itself: the record that answered in its place, because the CRM merged the two.
    pub survivor: Option<RecordId>,
}

impl Page {
    /// Nothing read yet.
    pub fn empty() -> Self {
        Self { records: Vec::new(), next: None, crm_time: None, bytes: 0, survivor: None }
    }

    /// Gives each record a field of the companion's name: true for whoever is in the set.
    pub fn set_flag(&mut self, companion: &str, members: &BTreeSet<RecordId>) {
        for record in self.records.iter_mut().flatten() {
            let is_in = members.contains(&record.id);
            record.fields.insert(companion.to_owned(), serde_json::Value::Bool(is_in));
        }
    }
}

/// Reading the CRM.
#[async_trait::async_trait]
pub trait CrmRead: Send + Sync {
    /// What the connector declares.
    fn contract(&self) -> &ReadContract;

    /// A page of all records modified at or after `since` (`None`: all), without an upper bound,
    /// paged by id wherever the CRM allows. The caller drops repeats.
    ///
    /// # Errors
    /// No trustworthy page.
    async fn changed_since(
        &self,
        since: Option<Timestamp>,
        page: Option<&PageToken>,
    ) -> Result<Page, CallError>;

    /// The named records, whatever their time; ids that no longer exist are simply not in the answer.
    /// At most 200 ids.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn fetch(&self, ids: &[RecordId]) -> Result<Page, CallError>;

    /// A companion's whole set: record ids.
    ///
    /// # Errors
    /// No trustworthy, complete answer.
    async fn companion(&self, name: &str) -> Result<BTreeSet<RecordId>, CallError>;

    /// How many records the connector's filter selects, where the CRM can say.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn count(&self) -> Result<Option<u64>, CallError>;

    /// The ids of the records that the CRM says were deleted since then, whatever else it lists; `None` where the connector
    /// declares no such list.
    ///
    /// # Errors
    /// No trustworthy, complete answer.
    async fn deleted_since(&self, _since: Timestamp) -> Result<Option<BTreeSet<RecordId>>, CallError> {
        Ok(None)
    }

    /// Whether a call's activity is there; `None` where the connector declares no such look-up.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn activity_is_there(&self, _record: &RecordId, _key: &CallKey) -> Result<Option<bool>, CallError> {
        Ok(None)
    }

    /// Whether the token's user may write, asked without writing anything; `None` where the connector declares no such
    /// question.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn may_write(&self, _what: Right<'_>) -> Result<Option<bool>, CallError> {
        Ok(None)
    }
}
