//! Writing into the CRM: the port, and what a connector promises of it.
//!
//! A call becomes an activity of its record; results become fields of the record itself. Every request leaves in the
//! class write-back.

use crate::domain::{Activities, ActivityId, CallKey, RecordId};
use crate::remote::CallError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Values by the CRM's own field names.
pub type CrmValues = BTreeMap<String, Value>;

/// What becomes of the create of an activity that may or may not have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    /// It is sent again: under the same key the CRM updates, it never doubles.
    Key,
    /// It is asked about; absent is believed only so long after it was sent.
    Find {
        /// How late an activity may become visible.
        visible_after: Duration,
    },
    /// Neither: a person looks, after one try.
    No,
}

/// What a connector's write half can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteContract {
    /// How safely activities are created; `None`: it takes none.
    pub activities: Option<Safe>,
    /// Whether an activity can be changed once it is there.
    pub changes_activities: bool,
    /// Whether an activity can be found by its call's key.
    pub finds_activities: bool,
    /// Whether fields of a record can be written.
    pub changes_records: bool,
}

impl WriteContract {
    /// What becomes of an activity once it is there.
    pub fn once_there(&self) -> Activities {
        if self.changes_activities { Activities::Change } else { Activities::Fixed }
    }
}

/// Writing into the CRM.
///
/// How an error is to be taken, by its [`kind`](crate::remote::CallErrorKind): `Uncertain` may or may not have had its
/// effect; `NotFound` means that the record is gone (of a change: the activity, or its record); `Rejected` is the CRM's
/// word on this record; `Refused` and `NotSent` had no effect and may be sent again; `Unauthorized`, `WrongUrl` and
/// `Configuration` speak of the side. What the contract does not offer is answered with `Configuration`, and nothing is sent.
#[async_trait::async_trait]
pub trait CrmWrite: Send + Sync {
    /// What the connector can do.
    fn contract(&self) -> &WriteContract;

    /// Adds an activity to a record. With [`Safe::Key`] the same key again changes the first one and gives its id.
    ///
    /// # Errors
    /// Not certainly done. A done one whose answer names no id is `Uncertain` too.
    async fn create_activity(
        &self,
        record: &RecordId,
        key: &CallKey,
        values: &CrmValues,
    ) -> Result<ActivityId, CallError>;

    /// Writes values into an activity; what is not named stays. May be sent again.
    ///
    /// # Errors
    /// Not certainly done.
    async fn change_activity(
        &self,
        record: &RecordId,
        activity: &ActivityId,
        key: &CallKey,
        values: &CrmValues,
    ) -> Result<(), CallError>;

    /// The record's activity under this key, if the CRM shows one by now.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn find_activity(&self, record: &RecordId, key: &CallKey) -> Result<Option<ActivityId>, CallError>;

    /// Writes fields of a record; what is not named stays. May be sent again, with values computed anew.
    ///
    /// # Errors
    /// Not certainly done.
    async fn change_record(&self, record: &RecordId, values: &CrmValues) -> Result<(), CallError>;
}
