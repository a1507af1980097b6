//! The dialler: its port in a read and a write half, in domain words, and the jtel adapter.
//!
//! Authority: the dialler's API page ("Dialler Contacts"); `facts` below means what else is known of it.

pub mod jtel;
pub mod splitter;

use crate::domain::{
    CampaignId, Contact, ContactId, FieldName, HistoryRow, Permit, Timestamp, UserData, Values,
};
use crate::remote::{CallClass, CallError};
use futures_util::Stream;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// A contact with its decoded result and its history (the batch read).
#[derive(Debug, Clone, PartialEq)]
pub struct ContactWithHistory {
    /// The contact's plain fields.
    pub contact: Contact,
    /// `DiallerCampaignsResultCodes`: text, export key, type flags; `None` without a result.
    pub result: Option<Map<String, Value>>,
    /// Its history rows.
    pub history: Vec<HistoryRow>,
}

/// One element of a list of contacts.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// A contact.
    Contact(Contact),
    /// An element that cannot be used: too large, too deeply nested, no object, no JSON, without an
    /// `ID`. It is counted and harms no other; but a list that holds one proves no absence.
    Bad(BadContact),
}

/// An element of a list that is no usable contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadContact {
    /// Its place in the list, from 0.
    pub position: u64,
    /// Its `ID`, where one could be read.
    pub id: Option<ContactId>,
    /// What is wrong with it; no personal data.
    pub why: String,
}

/// A list of contacts under way.
pub struct ContactList {
    items: BoxStream<'static, Result<Listed, CallError>>,
    bytes: Arc<AtomicU64>,
}

impl ContactList {
    /// A list of these; `bytes` is raised by whoever takes them off the wire.
    pub fn new(items: BoxStream<'static, Result<Listed, CallError>>, bytes: Arc<AtomicU64>) -> Self {
        Self { items, bytes }
    }

    /// So many bytes of the body have come so far, as unpacked.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Stream for ContactList {
    type Item = Result<Listed, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.as_mut().poll_next(context)
    }
}

/// What the batch read is asked for; at most 100 keys together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchQuery {
    /// Exact UserData values.
    pub user_data: Vec<UserData>,
    /// Contact ids.
    pub ids: Vec<ContactId>,
}

/// A (sub) campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its number.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
}

/// A portal user (agent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `UsersID` of history rows.
    pub id: i64,
    /// `UID` of contact fields.
    pub uid: String,
    /// What people call it; the `UID` where the answer shows no name.
    pub name: String,
}

/// What the server is like, as far as it can be found out without side effects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerFacts {
    /// The Date header of the newest answer.
    pub server_time: Option<Timestamp>,
    /// Whether the batch read is there; `None` before it was probed.
    pub batch_read: Option<bool>,
}

/// Reading the dialler. Every read is safe to repeat; the policy does so.
#[async_trait::async_trait]
pub trait DiallerRead: Send + Sync {
    /// `GET /dialler/contacts?diallerCampaignsID=`: all contacts of a campaign, or of the account.
    ///
    /// Streamed: contacts are handed on while bytes arrive. The last item is an error if the body was
    /// cut, is no JSON, or its `count` or `status` disagree; only a stream that ends without one (and
    /// without a [`Listed::Bad`]) is complete, and only a complete list may be taken as evidence of
    /// absence.
    ///
    /// # Errors
    /// The answer's head was not 200.
    async fn list_contacts(
        &self,
        campaign: Option<CampaignId>,
        class: CallClass,
    ) -> Result<ContactList, CallError>;

    /// `GET /dialler/contacts/{id}`; `None` for 404 with JSON and for 200 with count 0 (facts 7.3).
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn contact(&self, id: ContactId, class: CallClass) -> Result<Option<Contact>, CallError>;

    /// `GET /dialler/contacts/contact?userData=`, over the whole tenant, as answered: the caller must
    /// filter to the exact value, because how the server matches is not documented.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn contacts_by_user_data(
        &self,
        user_data: &UserData,
        class: CallClass,
    ) -> Result<Vec<Contact>, CallError>;

    /// `POST /dialler/contacts`: the batch read. `None` where the installation does not offer it
    /// (404 with empty body or 405; probed once, remembered); the caller then reads one by one.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn read_batch(
        &self,
        query: &BatchQuery,
        class: CallClass,
    ) -> Result<Option<Vec<ContactWithHistory>>, CallError>;

    /// `GET /dialler/contacts/contact/{id}/history`; `None` when the contact is not there.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn history(&self, id: ContactId, class: CallClass) -> Result<Option<Vec<HistoryRow>>, CallError>;

    /// `GET /dialler/contacts/contact/history?userData=`: merges contacts, so for people's eyes only
    /// (semantics 19).
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn history_by_user_data(&self, user_data: &str) -> Result<Option<Vec<HistoryRow>>, CallError>;

    /// `GET /dialler/campaigns`.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn campaigns(&self) -> Result<Vec<Campaign>, CallError>;

    /// `GET /users`.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn users(&self) -> Result<Vec<User>, CallError>;

    /// What is known of the server so far.
    fn facts(&self) -> ServerFacts;
}

/// A contact by its number, or by its UserData (then "the first one found" where several have it:
/// dialbridge itself always resolves to one ID first).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactRef {
    /// By number.
    Id(ContactId),
    /// By UserData.
    UserData(String),
}

/// The campaign of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignRef {
    /// `DiallerCampaignsID`.
    Id(CampaignId),
    /// `DiallerCampaignsName`.
    Name(String),
}

/// What an import does with a contact that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportMode {
    /// `overwriteDuplicates`; always true for dialbridge's own imports.
    pub overwrite: bool,
    /// `resetContact` (3.39+); `None` leaves the parameter out.
    pub reset: Option<bool>,
    /// `unlockContact` (3.39+); `None` leaves the parameter out, and then an overwriting import unlocks.
    pub unlock: Option<bool>,
}

/// Fields for `/update`; with a number in them only by permit.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes(Values);

impl Changes {
    /// Changes without any number.
    ///
    /// # Errors
    /// Names the number that would need a permit.
    pub fn plain(values: Values) -> Result<Self, FieldName> {
        match values.keys().find(|field| field.is_phone()) {
            Some(field) => Err(*field),
            None => Ok(Self(values)),
        }
    }

    /// Changes that may hold numbers.
    pub fn with_numbers(_permit: &Permit, values: Values) -> Self {
        Self(values)
    }

    /// The values.
    pub fn values(&self) -> &Values {
        &self.0
    }
}

/// The operation a write belongs to, and what must still hold when it leaves.
#[derive(Clone)]
pub struct WriteContext {
    /// Stored with every try.
    pub operation: Option<crate::domain::OperationId>,
    /// See [`crate::remote::CallContext::still`].
    pub still: Option<crate::remote::StillHolds>,
}

impl std::fmt::Debug for WriteContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteContext").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Writing to the dialler. An error of kind `Uncertain` means that it may have happened.
///
/// All of it by number or by UserData; the pages tell the answers: import and update answer the contact as it is stored, the other
/// four `{"status": 200}` and nothing of the contact, so that a lock can be sent and not seen. A contact that is not there is a 404 with
/// JSON, `NotFound`; one without (a wrong base URL) is `WrongUrl`. A value the dialler refuses is a 400, `Rejected`.
#[async_trait::async_trait]
pub trait DiallerWrite: Send + Sync {
    /// `POST /dialler/contacts/import`: one contact; answers with the contact as stored.
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`].
    async fn import(
        &self,
        permit: &Permit,
        campaign: &CampaignRef,
        user_data: &UserData,
        values: &Values,
        mode: ImportMode,
        context: WriteContext,
    ) -> Result<Contact, CallError>;

    /// `POST /dialler/contacts/update`: only the given fields change; answers with the contact. By number the page would let the
    /// UserData be changed, too; this cannot, since it is the key by which both sides know a contact (semantics 10).
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`]; `NotFound` when the contact is gone.
    async fn update(
        &self,
        contact: &ContactRef,
        changes: &Changes,
        context: WriteContext,
    ) -> Result<Contact, CallError>;

    /// `PATCH .../lock`: the dialler no longer offers the contact. Needs nothing but the reference; answers a status alone.
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`]; `NotFound` when the contact is gone.
    async fn lock(&self, contact: &ContactRef, context: WriteContext) -> Result<(), CallError>;

    /// `PATCH .../unlock`: the dialler may offer it again, whoever locked it. Answers a status alone.
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`]; `NotFound` when the contact is gone.
    async fn unlock(
        &self,
        permit: &Permit,
        contact: &ContactRef,
        context: WriteContext,
    ) -> Result<(), CallError>;

    /// `PATCH .../reset`: counters to 0, result removed, "as if it was just imported". Answers a status alone.
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`]; `NotFound` when the contact is gone.
    async fn reset(
        &self,
        permit: &Permit,
        contact: &ContactRef,
        context: WriteContext,
    ) -> Result<(), CallError>;

    /// `DELETE .../contact/{id}`: all related data with it, its history too. Answers a status alone.
    ///
    /// # Errors
    /// See [`crate::remote::CallErrorKind`]; `NotFound` when it is gone already.
    async fn delete(&self, contact: &ContactRef, context: WriteContext) -> Result<(), CallError>;
}
