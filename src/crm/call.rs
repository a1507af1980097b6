//! One request of a connector: template to URL and body, and the answer as JSON that no rule calls an error.

use super::errors::{as_error, bad_answer, met};
use super::format::{ConnectorFile, ErrorRule, Of, Template};
use super::template::{Bindings, Slot, encode};
use crate::domain::Timestamp;
use crate::remote::{CallClass, CallContext, CallError, CallErrorKind, Client, Request};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A complete answer, bounded and JSON, or nothing at all (204).
#[derive(Debug, Clone)]
pub struct Called {
    /// The body; empty where the CRM answered that there is nothing.
    pub body: Bytes,
    /// The CRM's clock as its Date header told it.
    pub server_time: Option<Timestamp>,
    /// Its `Link` headers.
    pub links: Vec<String>,
}

/// Who carries a request under the policy of one call: [`crate::remote`]'s client; a script in tests.
#[async_trait::async_trait]
pub trait Caller: Send + Sync {
    /// Sends it, repeats what may be repeated, and gives the complete answer.
    ///
    /// # Errors
    /// No trustworthy answer.
    async fn call(&self, context: CallContext, request: Request) -> Result<Called, CallError>;
}

#[async_trait::async_trait]
impl Caller for Client {
    async fn call(&self, context: CallContext, request: Request) -> Result<Called, CallError> {
        let answer = Client::call(self, context, request).await?;
        let links = answer.headers.get_all(http::header::LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok().map(str::to_owned)).collect();
        Ok(Called { body: answer.body, server_time: answer.server_time, links })
    }
}

/// A connector file at one address: everything a request needs but its placeholders' values.
pub(super) struct Endpoint {
    pub file: ConnectorFile,
    pub base_url: String,
    pub object: String,
    pub fields: Vec<String>,
    pub caller: Arc<dyn Caller>,
}

impl Endpoint {
    /// The values that every request may use.
    pub fn bindings(&self) -> Bindings {
        Bindings::from([
            (Slot::Object, Value::from(self.object.as_str())),
            (Slot::Fields, Value::from(self.fields.clone())),
        ])
    }

    /// Sends one request. `what` names it for errors.
    pub async fn call(
        &self,
        what: &str,
        template: &Template,
        bindings: &Bindings,
    ) -> Result<Called, CallError> {
        let request = self.request(what, template, bindings)?;
        self.send(what, request).await
    }

    /// The request for a page by the address that the page before gave; it is one of the CRM's own.
    pub fn address(&self, url: &str) -> Request {
        let (url, headers) = (url.to_owned(), self.file.headers.clone());
        Request { method: Method::GET, url, headers, body: None }
    }

    /// Sends a request that was built.
    pub async fn send(&self, what: &str, request: Request) -> Result<Called, CallError> {
        self.send_as(CallContext::read(what, CallClass::Harvest), request).await
    }

    /// The same for a call of another class, or a write.
    pub async fn send_as(&self, context: CallContext, request: Request) -> Result<Called, CallError> {
        let (what, write) = (context.what.clone(), context.write);
        let meant = |rule: &&ErrorRule| rule.of == Of::All || write;
        let called = self.caller.call(context, request).await?;
        let told = |error: CallError| match error.kind {
            // What cannot be believed of a write leaves open whether it was carried out.
            CallErrorKind::BadAnswer if write => CallError { kind: CallErrorKind::Uncertain, ..error },
            _ => error,
        };
        if let Some(root) = root(&what, &called.body).map_err(told)?
            && let Some((rule, text)) = met(self.file.errors.iter().filter(meant), None, root)
        {
            return Err(told(as_error(&what, rule, text)));
        }
        Ok(called)
    }

    /// A template with values in place.
    pub fn request(
        &self,
        what: &str,
        template: &Template,
        bindings: &Bindings,
    ) -> Result<Request, CallError> {
        let path = template.path.render_with(bindings, encode);
        let path = path.ok_or_else(|| bad_answer(what, "a placeholder of the path has no value"))?;
        let mut url = format!("{}{path}", self.base_url.trim_end_matches('/'));
        let mut joint = '?';
        for (name, text) in &template.query {
            // A parameter whose placeholder has no value falls away.
            if let Some(value) = text.render(bindings) {
                url.push(joint);
                url.push_str(&format!("{}={}", encode(name), encode(&value)));
                joint = '&';
            }
        }
        let body = template.body.as_ref().map(|body| Bytes::from(body.render(bindings).to_string()));
        Ok(Request { method: template.method.clone(), url, headers: self.file.headers.clone(), body })
    }
}

/// The answer's JSON, unparsed; `None` for an answer without a body, which only a 204 may be: there is nothing.
pub(super) fn root<'a>(what: &str, body: &'a Bytes) -> Result<Option<&'a RawValue>, CallError> {
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        bad_answer(what, format!("the answer is no valid JSON (line {line}, column {column})"))
    })
}
