//! The adapter that a connector file drives: the CRM's read port over declared requests.

use super::burst::ReadRecord;
use super::call::{Caller, Endpoint, root};
use super::errors::bad_answer;
use super::extract::{Pointer, id_value};
use super::format::{ConnectorFile, Listing, Order, Paging, Single};
use super::pages::{Position, Rows};
use super::template::{Bindings, Slot};
use super::times::delta;
use super::writer::Writer;
use super::{CrmRead, Page, PageToken, Places, ReadContract, Right};
use crate::domain::{CallKey, RecordId, Timestamp};
use crate::env::Env;
use crate::remote::{CallClass, CallError, CallErrorKind};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A CRM behind its connector file.
pub struct Connector {
    pub(super) endpoint: Arc<Endpoint>,
    contract: ReadContract,
    env: Env,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("name", &self.endpoint.file.name).finish_non_exhaustive()
    }
}

/// What a request for records names. Of `no_fields` the CRM knows no field: asked for one, it would refuse the whole request.
fn asked_for(
    file: &ConnectorFile,
    no_fields: &[String],
    fields: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let known = fields.into_iter().filter(|field| !no_fields.contains(field));
    let all: BTreeSet<String> = file.record.always.iter().cloned().chain(known).collect();
    all.into_iter().collect()
}

impl Connector {
    /// Builds the adapter. `object` is the route's, else the file's own; `fields` are the CRM fields
    /// that the route's expressions name (the file's `always` are added).
    ///
    /// # Errors
    /// Neither the route nor the file names an object, though requests ask for one.
    pub fn new(
        file: ConnectorFile,
        base_url: &str,
        object: Option<&str>,
        fields: impl IntoIterator<Item = String>,
        caller: Arc<dyn Caller>,
        env: Env,
    ) -> Result<Self, crate::domain::Problem> {
        let object = object.map(str::to_owned).or_else(|| file.object.clone());
        let asks = file.changes.request.uses(Slot::Object) || file.writing.uses(Slot::Object);
        if object.is_none() && asks {
            return Err(crate::domain::Problem::new(
                "object",
                "neither the route nor the connector names the CRM's object",
                "object = \"...\" in the route",
            ));
        }
        let object = object.unwrap_or_default();
        let contract = ReadContract {
            object: object.clone(),
            resolution: file.time.resolution,
            lag: file.time.lag,
            overlap: file.time.overlap,
            companions: file.companions.keys().cloned().collect(),
            flags: file.flags().map(str::to_owned).collect(),
            apart: file.writing.apart.keys().cloned().collect(),
        };
        let fields = asked_for(&file, &contract.flags, fields);
        let endpoint = Endpoint { file, base_url: base_url.to_owned(), object, fields, caller };
        Ok(Self { endpoint: Arc::new(endpoint), contract, env })
    }

    /// The same CRM and object, of whose records other fields are read; `None` where each record would be a request of its own.
    pub fn of_other_fields(&self, fields: impl IntoIterator<Item = String>) -> Option<Self> {
        let Endpoint { file, base_url, object, caller, .. } = &*self.endpoint;
        if file.fetch.batch <= 1 {
            return None;
        }
        let no_fields: Vec<String> =
            self.contract.flags.iter().chain(&self.contract.apart).cloned().collect();
        let endpoint = Endpoint {
            fields: asked_for(file, &no_fields, fields),
            file: file.clone(),
            base_url: base_url.clone(),
            object: object.clone(),
            caller: caller.clone(),
        };
        Some(Self { endpoint: Arc::new(endpoint), contract: self.contract.clone(), env: self.env.clone() })
    }

    /// The other half, where the file has one.
    pub fn writer(&self) -> Option<Writer> {
        Writer::new(&self.endpoint)
    }

    /// Whether pages follow modification times: order by them, and no way to page by id.
    fn reads_by_time(&self) -> bool {
        let listing = &self.endpoint.file.changes;
        matches!(listing.paging, Paging::Offset | Paging::Page { .. })
            && listing.order == Some(Order::Modified)
            && self.endpoint.file.record.modified.is_some()
    }

    /// The CRM's own time when the read began: by a declared request, else by the Date header less
    /// what the call took, because the header is written when the answer is.
    async fn time_of(
        &self,
        server_time: Option<Timestamp>,
        began: tokio::time::Instant,
        asked: Option<Timestamp>,
    ) -> Option<Timestamp> {
        asked.or_else(|| server_time.map(|at| at - delta(self.env.instant().duration_since(began))))
    }

    /// The time that the connector's `clock` request tells; `None` where it has none.
    async fn ask_clock(&self) -> Result<Option<Timestamp>, CallError> {
        let Some(clock) = &self.endpoint.file.clock else { return Ok(None) };
        let value = self.single("the CRM's time", clock).await?;
        let read = self.endpoint.file.time.answer_form.read(&value);
        read.map(Some).map_err(|_| bad_answer("the CRM's time", format!("no time at {}", clock.at)))
    }

    async fn single(&self, what: &str, single: &Single) -> Result<Value, CallError> {
        let called = self.endpoint.call(what, &single.request, &self.endpoint.bindings()).await?;
        let found = root(what, &called.body)?.and_then(|root| single.at.value(root));
        found.ok_or_else(|| bad_answer(what, format!("the answer has nothing at {}", single.at)))
    }

    /// The ids or values of a companion.
    async fn companion_values(&self, name: &str) -> Result<BTreeSet<RecordId>, CallError> {
        let what = format!("companion {name}");
        let companion = self
            .endpoint
            .file
            .companions
            .get(name)
            .ok_or_else(|| bad_answer(&what, "the connector has no companion of this name"))?;
        self.values_of(&what, &companion.listing, &companion.value, &self.endpoint.bindings()).await
    }

    /// One value of each row of a list, page by page, in order.
    async fn values_of(
        &self,
        what: &str,
        listing: &Listing,
        at: &Pointer,
        bindings: &Bindings,
    ) -> Result<BTreeSet<RecordId>, CallError> {
        let read = |raw: &RawValue| {
            let id = super::extract::read_id(at.raw(raw)).ok();
            (id.clone(), id)
        };
        // What stands in a row need not be what the rows are ordered by: no place is found again by it.
        let listing = &Listing { order: Some(Order::None), ..listing.clone() };
        let (mut values, mut position, mut places) = (BTreeSet::new(), Position::Start, Places::default());
        loop {
            let page = self.endpoint.page(what, listing, bindings.clone(), &position, &read).await?;
            if page.restarted {
                values.clear();
            }
            for value in page.rows {
                // A row that cannot be read would count as "left": half an answer is none.
                let value =
                    value.ok_or_else(|| bad_answer(what, format!("a row has no usable value at {at}")))?;
                values.insert(value);
            }
            match page.next {
                Some(next) if write_token(&next).is_some_and(|place| !places.enter(&place)) => {
                    return Err(bad_answer(
                        what,
                        "its pages lead in a circle: check the paging in the connector",
                    ));
                }
                Some(next) => position = next,
                None => return Ok(values),
            }
        }
    }

    async fn joined(&self, name: &str, values: BTreeSet<RecordId>) -> Result<BTreeSet<RecordId>, CallError> {
        let what = format!("companion {name}, its records");
        let Some(join) =
            self.endpoint.file.companions.get(name).and_then(|companion| companion.join.as_ref())
        else {
            return Ok(values);
        };
        let values: Vec<Value> = values.iter().map(|value| Value::from(value.as_str())).collect();
        let mut ids = BTreeSet::new();
        for batch in values.chunks(join.batch) {
            let mut bindings = self.endpoint.bindings();
            bindings.insert(Slot::Values, Value::from(batch));
            bindings.extend(join.limit.map(|limit| (Slot::Limit, Value::from(limit))));
            let called = self.endpoint.call(&what, &join.request, &bindings).await?;
            let rows = match root(&what, &called.body)? {
                None => Vec::new(),
                Some(root) => join.records.list(root).ok_or_else(|| {
                    bad_answer(&what, format!("the answer has no list at {}", join.records))
                })?,
            };
            if join.limit.is_some_and(|limit| rows.len() >= limit) {
                // Whoever was cut off would count as free.
                return Err(bad_answer(
                    &what,
                    format!(
                        "{} records for {} values: the answer may be cut; lower `batch` or raise `limit`",
                        rows.len(),
                        batch.len()
                    ),
                ));
            }
            for row in rows {
                let id = super::extract::read_id(join.id.raw(row));
                ids.insert(id.map_err(|_| bad_answer(&what, format!("a row has no id at {}", join.id)))?);
            }
        }
        Ok(ids)
    }
}

/// A place that was kept while the connector or the CRM's address became another: rejected, so that whoever
/// kept it begins anew.
fn read_token(base_url: &str, token: Option<&PageToken>) -> Result<Position, CallError> {
    let Some(token) = token else { return Ok(Position::Start) };
    let position = serde_json::from_str(&token.0).ok().filter(|position| match position {
        Position::Url(url) => super::links::resolve(base_url, url, url).is_ok(),
        _ => true,
    });
    position.ok_or_else(|| {
        let detail = "the page's place is none of this connector at this address: begin anew";
        let kind = CallErrorKind::Rejected { status: 400, text: detail.to_owned() };
        CallError { kind, ..bad_answer("changed records", detail) }
    })
}

fn write_token(position: &Position) -> Option<PageToken> {
    serde_json::to_string(position).ok().map(PageToken)
}

#[async_trait::async_trait]
impl CrmRead for Connector {
    fn contract(&self) -> &ReadContract {
        &self.contract
    }

    async fn changed_since(
        &self,
        since: Option<Timestamp>,
        page: Option<&PageToken>,
    ) -> Result<Page, CallError> {
        let what = "changed records";
        let listing = &self.endpoint.file.changes;
        let position = read_token(&self.endpoint.base_url, page)?;
        let asked = if page.is_none() { self.ask_clock().await? } else { None };
        let began = self.env.instant();
        let (records, next, called): (Vec<ReadRecord>, _, _) = if self.reads_by_time() {
            let from = if let Position::From(from) = position { Some(from) } else { since };
            let page = self.endpoint.time_page(what, listing, from).await?;
            (page.records, page.next, page.called)
        } else {
            let read = |raw: &RawValue| self.endpoint.read_row(raw);
            let window = self.endpoint.window(since);
            let Rows { rows, next, called, .. } =
                self.endpoint.page(what, listing, window, &position, &read).await?;
            (rows, next, called)
        };
        let crm_time = self.time_of(called.server_time, began, asked).await;
        let next = next.as_ref().and_then(write_token);
        Ok(Page { records, next, crm_time, bytes: called.body.len() as u64, survivor: None })
    }

    async fn deleted_since(&self, since: Timestamp) -> Result<Option<BTreeSet<RecordId>>, CallError> {
        let Some(deleted) = &self.endpoint.file.deleted else { return Ok(None) };
        let window = self.endpoint.window(Some(since));
        self.values_of("deleted records", &deleted.listing, &deleted.id, &window).await.map(Some)
    }

    async fn fetch(&self, ids: &[RecordId]) -> Result<Page, CallError> {
        let what = "records by id";
        let mut page = Page::empty();
        let fetch = &self.endpoint.file.fetch;
        let wanted: BTreeSet<&RecordId> = ids.iter().collect();
        let kind = self.endpoint.file.record.id_type;
        let values: Vec<Value> = wanted.iter().filter_map(|id| id_value(id, kind)).collect();
        for batch in values.chunks(fetch.batch) {
            let began = self.env.instant();
            let Some((rows, called)) = self.endpoint.by_ids(what, batch).await? else { continue };
            let crm_time = self.time_of(called.server_time, began, None).await;
            let (named, strangers): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(id, _)| id.as_ref().is_some_and(|id| wanted.contains(id)));
            if !strangers.is_empty() {
                let strangers: Vec<_> = strangers.into_iter().map(|(id, _)| id).collect();
                let survivor = strangers.first().cloned().flatten().filter(|_| ids.len() == 1);
                self.endpoint.stand_for_missing(what, batch, &named, strangers).await?;
                page.survivor = survivor;
            }
            page.records.extend(named.into_iter().map(|(_, record)| record));
            // The earliest answer's: what a later batch saw is not older.
            page.crm_time = page.crm_time.or(crm_time);
            page.bytes += called.body.len() as u64;
        }
        Ok(page)
    }

    async fn companion(&self, name: &str) -> Result<BTreeSet<RecordId>, CallError> {
        let values = self.companion_values(name).await?;
        self.joined(name, values).await
    }

    async fn count(&self) -> Result<Option<u64>, CallError> {
        let Some(count) = &self.endpoint.file.count else { return Ok(None) };
        let value = self.single("number of records", count).await?;
        value.as_u64().map(Some).ok_or_else(|| {
            bad_answer("number of records", format!("the answer has no number at {}", count.at))
        })
    }

    async fn activity_is_there(&self, record: &RecordId, key: &CallKey) -> Result<Option<bool>, CallError> {
        let activity = self.endpoint.file.writing.activity.as_ref();
        if activity.and_then(|activity| activity.find.as_ref()).is_none() {
            return Ok(None);
        }
        let found = self.endpoint.find_activity(CallClass::Audit, record, key).await?;
        Ok(Some(found.is_some()))
    }

    async fn may_write(&self, what: Right<'_>) -> Result<Option<bool>, CallError> {
        let writing = &self.endpoint.file.writing;
        let (asked, single) = match what {
            Right::Activities => {
                let activity = writing.activity.as_ref();
                ("right to add activities", activity.and_then(|activity| activity.allowed.as_ref()))
            }
            Right::Fields => ("right to write fields", writing.record_allowed.as_ref()),
            Right::Apart(name) => {
                let apart = writing.apart.get(name);
                ("right to write a value apart", apart.and_then(|apart| apart.allowed.as_ref()))
            }
        };
        let Some(single) = single else { return Ok(None) };
        let value = self.single(asked, single).await?;
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| bad_answer(asked, format!("the answer has no true or false at {}", single.at)))
    }
}
