//! What a connector file says, checked: where to read, in which form, and what to make of the answer.

use super::extract::{Condition, Pointer};
use super::template::{Body, Slot, Text};
use super::times::TimeForm;
use super::write::Safe;
use crate::remote::AuthScheme;
use http::{HeaderMap, Method};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A whole connector file.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorFile {
    /// Its name, for messages.
    pub name: String,
    /// Its version; part of a route's revision (a change is a reason to read everything again).
    pub version: String,
    /// The object that is read where the route names none.
    pub object: Option<String>,
    /// How the token is sent.
    pub auth: AuthScheme,
    /// Headers of every request; a config may add to them before the connector is built.
    pub headers: HeaderMap,
    /// How a record looks, wherever it comes from.
    pub record: RecordShape,
    /// What the CRM's filter on modification times does.
    pub time: TimeContract,
    pub(super) changes: Listing,
    pub(super) deleted: Option<Deleted>,
    pub(super) fetch: Fetch,
    pub(super) count: Option<Single>,
    pub(super) clock: Option<Single>,
    pub(super) companions: BTreeMap<String, Companion>,
    pub(super) writing: Writing,
    pub(super) errors: Vec<ErrorRule>,
}

/// Whether the CRM's ids are numbers or texts in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdType {
    /// JSON numbers.
    Integer,
    /// JSON texts.
    Text,
}

/// How a record looks.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordShape {
    /// Where the id lies.
    pub id: Pointer,
    /// Its type in requests.
    pub id_type: IdType,
    /// Where the modification time lies.
    pub modified: Option<Pointer>,
    /// When the record counts as deleted.
    pub deleted: Option<Condition>,
    /// Where the fields lie, in a record that wraps them; the id stays outside then.
    pub fields: Option<Pointer>,
    /// Which values mean "nothing" besides null.
    pub empty: Vec<Value>,
    /// CRM fields requested whatever the route maps.
    pub always: Vec<String>,
    /// Larger records are handed over as bad ones.
    pub max_bytes: usize,
}

/// What the CRM's filter on modification times does.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeContract {
    /// The form in requests.
    pub form: TimeForm,
    /// The form in answers, where it is another.
    pub answer_form: TimeForm,
    /// How coarse the filter compares.
    pub resolution: Duration,
    /// Whether "since T" leaves out T itself.
    pub exclusive: bool,
    /// How late a change may show up under an older time.
    pub lag: Duration,
    /// How far below the cursor each pull reads again.
    pub overlap: Duration,
}

/// A request with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pub method: Method,
    pub path: Text,
    pub query: Vec<(String, Text)>,
    pub body: Option<Body>,
}

impl Template {
    pub fn uses(&self, slot: Slot) -> bool {
        self.slots().any(|used| used == slot)
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        let body = self.body.iter().flat_map(|body| body.slots().iter().copied());
        self.path.slots().chain(self.query.iter().flat_map(|(_, text)| text.slots())).chain(body)
    }
}

/// How the pages of a list hang together.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Paging {
    /// The answer is whole.
    Whole,
    /// Ordered by id, each page beginning above the last id.
    Id,
    /// By position in an order that may shift.
    Offset,
    /// By the number of the page, in an order that may shift.
    Page {
        /// The number of the first one.
        first: u64,
    },
    /// By a token in the body.
    Cursor { next: Pointer },
    /// By the next page's address in the body.
    NextUrl { next: Pointer },
    /// By the next page's address in the `Link` header.
    Link,
}

/// What tells that a page is the last one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// It is shorter than asked for: only where the CRM is known not to cap pages.
    Short,
    /// It is empty: one request more, and right whatever the CRM caps.
    Empty,
    /// The answer says whether there is more.
    More(Pointer),
}

/// A request whose answer is a list, page by page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listing {
    pub request: Template,
    pub records: Pointer,
    pub paging: Paging,
    pub order: Option<Order>,
    pub limit: usize,
    pub end: End,
}

/// What an answer is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The id, ascending.
    Id,
    /// The modification time, ascending.
    Modified,
    /// Nothing that can be relied on.
    None,
}

/// A list of what was deleted since a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deleted {
    pub listing: Listing,
    /// Where each row's id lies.
    pub id: Pointer,
}

/// Reading by ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fetch {
    pub request: Template,
    pub records: Pointer,
    pub batch: usize,
}

/// A request whose answer is one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Single {
    pub request: Template,
    pub at: Pointer,
}

/// A set that matters without moving a record's time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Companion {
    pub listing: Listing,
    /// Where each row's id, or its value where `join` is given, lies.
    pub value: Pointer,
    /// Looks up the ids of the records that carry the values.
    pub join: Option<Join>,
    /// Whether records carry a field of the companion's name themselves.
    pub in_record: bool,
}

/// From values to record ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Join {
    pub request: Template,
    pub records: Pointer,
    pub id: Pointer,
    pub batch: usize,
    /// So many records or more in one answer: the CRM may have cut it.
    pub limit: Option<usize>,
}

/// A request that writes values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub request: Template,
    /// The values that the CRM reads as HTML: what is text must be written as such.
    pub html: Vec<String>,
}

/// What can be written, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Writing {
    pub activity: Option<ActivityRequests>,
    /// Writes fields of a record.
    pub record: Option<Written>,
    /// Whether it may, asked without writing any.
    pub record_allowed: Option<Single>,
    /// Values of a record that are no fields of it, by their names.
    pub apart: BTreeMap<String, Apart>,
}

/// A value that stands elsewhere than in the record, such as its number's place on a list: a request of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Apart {
    pub request: Template,
    /// Whether it may be written, asked without doing it.
    pub allowed: Option<Single>,
}

/// How activities are written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ActivityRequests {
    pub safe: Safe,
    /// The type of an activity's id in requests.
    pub id_type: IdType,
    pub create: Written,
    /// Where the answer to a create has the activity's id; `None`: the CRM knows it by the call's key.
    pub id: Option<Pointer>,
    pub change: Option<Written>,
    pub find: Option<Find>,
    /// Whether activities may be added, asked without adding one.
    pub allowed: Option<Single>,
}

/// The look-up of an activity by its call's key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Find {
    pub request: Template,
    pub records: Pointer,
    pub id: Pointer,
    /// Where a row has what holds the key: a CRM that ignores the question is not believed.
    pub key: Pointer,
}

impl Writing {
    /// Whether a request of it uses this placeholder.
    pub fn uses(&self, slot: Slot) -> bool {
        let activity = self.activity.iter().flat_map(|activity| {
            let find = activity.find.as_ref().map(|find| &find.request);
            let written = std::iter::once(&activity.create).chain(&activity.change);
            let allowed = activity.allowed.as_ref().map(|single| &single.request);
            written.map(|written| &written.request).chain(find).chain(allowed)
        });
        let allowed = self.record_allowed.as_ref().map(|single| &single.request);
        let apart = self.apart.values().flat_map(|apart| {
            std::iter::once(&apart.request).chain(apart.allowed.as_ref().map(|single| &single.request))
        });
        activity
            .chain(self.record.as_ref().map(|written| &written.request))
            .chain(allowed)
            .chain(apart)
            .any(|request| request.uses(slot))
    }
}

/// What an error in an answer's body means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// The token is wrong.
    Unauthorized,
    /// The request is not accepted.
    Rejected,
    /// Not executed; later it may be.
    Refused,
    /// The object is not there.
    NotFound,
    /// The answer is not to be trusted.
    Untrusted,
    /// The request names a field or an object that the CRM does not have.
    Configuration,
}

/// Whose answers an error rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Every request's.
    All,
    /// Those of writes, and of nothing that is read: there, the same words may come from one record among many.
    Writes,
}

/// An error that only the body tells, or tells more exactly than the status.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ErrorRule {
    /// The status it comes with; without it: any 2xx.
    pub status: Option<u16>,
    pub of: Of,
    pub when: Condition,
    pub means: Means,
    /// Where the CRM's own words lie.
    pub text: Option<Pointer>,
}

impl ConnectorFile {
    /// Whether calls can become activities by it.
    pub fn takes_activities(&self) -> bool {
        self.writing.activity.is_some()
    }

    /// How late a look-up may come to show an activity.
    pub fn visible_after(&self) -> Duration {
        match self.writing.activity.as_ref().map(|activity| activity.safe) {
            Some(Safe::Find { visible_after }) => visible_after,
            Some(Safe::Key | Safe::No) | None => Duration::ZERO,
        }
    }

    /// Whether it can write fields of a record.
    pub fn takes_fields(&self) -> bool {
        self.writing.record.is_some()
    }

    /// Whether it can write this value of a record.
    pub fn takes_field(&self, name: &str) -> bool {
        self.takes_fields() || self.is_apart(name)
    }

    /// Whether the value is no field of the record, but written by a request of its own.
    pub fn is_apart(&self, name: &str) -> bool {
        self.writing.apart.contains_key(name)
    }

    /// The names of the companions.
    pub fn companions(&self) -> impl Iterator<Item = &str> {
        self.companions.keys().map(String::as_str)
    }

    /// The companions whose name is no field of the CRM: the set alone says who is in it.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        self.companions.iter().filter(|(_, companion)| !companion.in_record).map(|(name, _)| name.as_str())
    }
}
