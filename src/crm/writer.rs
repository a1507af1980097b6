//! The adapter that a connector file's write half drives: the CRM's write port over declared requests.

use super::call::{Endpoint, root};
use super::extract::{id_value, read_id};
use super::find::{error, lacking};
use super::format::{ActivityRequests, Of, Template, Written};
use super::template::{Bindings, Slot};
use super::write::{CrmValues, CrmWrite, Safe, WriteContract};
use crate::domain::{ActivityId, CallKey, RecordId};
use crate::remote::{CallClass, CallContext, CallError, CallErrorKind};
use serde_json::Value;
use std::sync::Arc;

/// The write half of a CRM behind its connector file.
pub struct Writer {
    endpoint: Arc<Endpoint>,
    contract: WriteContract,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("contract", &self.contract).finish_non_exhaustive()
    }
}

impl Writer {
    /// `None` where the connector can write nothing.
    pub(super) fn new(endpoint: &Arc<Endpoint>) -> Option<Self> {
        let writing = &endpoint.file.writing;
        let activity = writing.activity.as_ref();
        let contract = WriteContract {
            activities: activity.map(|activity| activity.safe),
            changes_activities: activity
                .is_some_and(|activity| activity.change.is_some() || activity.safe == Safe::Key),
            finds_activities: activity.is_some_and(|activity| activity.find.is_some()),
            changes_records: writing.record.is_some() || !writing.apart.is_empty(),
        };
        (activity.is_some() || writing.record.is_some() || !writing.apart.is_empty())
            .then(|| Self { endpoint: endpoint.clone(), contract })
    }

    fn activity(&self, what: &str) -> Result<&ActivityRequests, CallError> {
        self.endpoint.file.writing.activity.as_ref().ok_or_else(|| lacking(what, "[activity]"))
    }

    /// Sends a write; its answer's body.
    async fn write(
        &self,
        what: &str,
        record: &RecordId,
        written: &Written,
        mut bindings: Bindings,
        values: &CrmValues,
    ) -> Result<bytes::Bytes, CallError> {
        bindings.insert(Slot::Values, object(values, &written.html));
        self.send(what, record, &written.request, &bindings).await
    }

    async fn send(
        &self,
        what: &str,
        record: &RecordId,
        template: &Template,
        bindings: &Bindings,
    ) -> Result<bytes::Bytes, CallError> {
        let file = &self.endpoint.file;
        let context = CallContext {
            expects: file.body_check_of(Of::Writes),
            refusals: file.failure_check_of(Of::Writes),
            ..CallContext::write(what, CallClass::WriteBack, None).about(record)
        };
        let request = self.endpoint.request(what, template, bindings)?;
        Ok(self.endpoint.send_as(context, request).await?.body)
    }

    /// Values that are no fields of the record: one request each, a list item by item. Said again they change nothing,
    /// so that a failure in between may begin anew.
    async fn change_apart(&self, what: &str, record: &RecordId, values: &CrmValues) -> Result<(), CallError> {
        for (name, value) in values {
            let Some(apart) = self.endpoint.file.writing.apart.get(name) else { continue };
            let items = match value {
                Value::Null => &[],
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for item in items {
                let mut bindings = self.endpoint.about(what, record)?;
                bindings.insert(Slot::Value, item.clone());
                self.send(what, record, &apart.request, &bindings).await?;
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl CrmWrite for Writer {
    fn contract(&self) -> &WriteContract {
        &self.contract
    }

    async fn create_activity(
        &self,
        record: &RecordId,
        key: &CallKey,
        values: &CrmValues,
    ) -> Result<ActivityId, CallError> {
        let what = format!("new activity of {key}");
        let requests = self.activity(&what)?;
        let mut bindings = self.endpoint.about(&what, record)?;
        bindings.insert(Slot::Key, Value::from(key.as_str()));
        let body = self.write(&what, record, &requests.create, bindings, values).await?;
        let Some(at) = &requests.id else { return Ok(ActivityId(key.as_str().to_owned())) };
        let id = root(&what, &body)?.and_then(|root| read_id(at.raw(root)).ok());
        id.map(|id| ActivityId(id.0)).ok_or_else(|| {
            let detail = format!("answered, but with no id at {at}: whether the activity is there is open");
            error(&what, CallErrorKind::Uncertain, detail)
        })
    }

    async fn change_activity(
        &self,
        record: &RecordId,
        activity: &ActivityId,
        key: &CallKey,
        values: &CrmValues,
    ) -> Result<(), CallError> {
        let what = format!("changed activity of {key}");
        let requests = self.activity(&what)?;
        let written = match (&requests.change, requests.safe) {
            (Some(change), _) => change,
            // Under the same key a create is a change.
            (None, Safe::Key) => &requests.create,
            (None, Safe::Find { .. } | Safe::No) => return Err(lacking(&what, "[activity.change]")),
        };
        let id = id_value(&RecordId(activity.0.clone()), requests.id_type).ok_or_else(|| {
            let detail =
                "this CRM's activities have numbers, and what is kept is none: see id_type in its connector";
            let kind = CallErrorKind::Rejected { status: 0, text: detail.to_owned() };
            error(&what, kind, detail)
        })?;
        let mut bindings = self.endpoint.about(&what, record)?;
        bindings.insert(Slot::Activity, id);
        bindings.insert(Slot::Key, Value::from(key.as_str()));
        self.write(&what, record, written, bindings, values).await.map(drop)
    }

    async fn find_activity(&self, record: &RecordId, key: &CallKey) -> Result<Option<ActivityId>, CallError> {
        self.endpoint.find_activity(CallClass::WriteBack, record, key).await
    }

    async fn change_record(&self, record: &RecordId, values: &CrmValues) -> Result<(), CallError> {
        let what = format!("fields of record {record}");
        let is_apart = |name: &str| self.endpoint.file.is_apart(name);
        let (apart, values): (CrmValues, CrmValues) =
            values.clone().into_iter().partition(|(name, _)| is_apart(name));
        self.change_apart(&what, record, &apart).await?;
        if values.is_empty() && !apart.is_empty() {
            return Ok(());
        }
        let written = self.endpoint.file.writing.record.as_ref();
        let written = written.ok_or_else(|| lacking(&what, "[record.change]"))?;
        let bindings = self.endpoint.about(&what, record)?;
        self.write(&what, record, written, bindings, &values).await.map(drop)
    }
}

/// The values as the body takes them; those that are HTML there say their text, whatever is in it.
fn object(values: &CrmValues, html: &[String]) -> Value {
    let written = |name: &String, value: &Value| match value {
        Value::String(text) if html.contains(name) => Value::from(as_html(text)),
        _ => value.clone(),
    };
    Value::Object(values.iter().map(|(name, value)| (name.clone(), written(name, value))).collect())
}

fn as_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\n' => html.push_str("<br>"),
            '\r' => {}
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_what_it_says_where_the_crm_reads_html() {
        let values = CrmValues::from([
            ("body".to_owned(), Value::from("a < b & \"c\"\r\n<b>d</b>")),
            ("subject".to_owned(), Value::from("a < b")),
            ("count".to_owned(), Value::from(3)),
        ]);
        let html = ["body".to_owned(), "count".to_owned()];
        let expected = serde_json::json!({
            "body": "a &lt; b &amp; &quot;c&quot;<br>&lt;b&gt;d&lt;/b&gt;", "subject": "a < b", "count": 3,
        });
        assert_eq!(object(&values, &html), expected);
    }
}
