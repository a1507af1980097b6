//! The policy of one call to a remote side: what was sent, what came back, what may be repeated.
//!
//! Here: the request, the answer, the transport seam and the taxonomy of outcomes (semantics,
//! "Outcomes of a write"). `policy` holds retry, limits by class and the breaker; `http` the client.

mod answer;
mod attempt;
mod auth;
mod backoff;
mod breaker;
mod client;
mod grant;
mod hidden;
pub mod http;
mod limits;
mod mend;
mod outcome;
mod policy;
mod rate;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use answer::{Answer, BodyCheck, BodyFault, FailureCheck, StreamedAnswer};
pub use auth::{Auth, AuthScheme, ClientAuth, OAuth2, Reloaded};
pub use client::Client;
pub use mend::MALFORMED;
pub use policy::{ClientConfig, lock_backoff};
pub use text::{BadText, UNREADABLE, is_marked};

use crate::domain::OperationId;
use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;

/// One of the two systems dialbridge stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The CRM.
    Crm,
    /// The dialler.
    Dialler,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Crm => "CRM",
            Self::Dialler => "dialler",
        })
    }
}

/// Who yields to whom when slots are short; lower classes yield to higher ones (semantics 26).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallClass {
    /// Reconcile and the rolling audit.
    Audit,
    /// Harvest and pull reads.
    Harvest,
    /// Write-back into the CRM.
    WriteBack,
    /// Imports, updates, unlocks, and the reads that settle or prepare them.
    Push,
    /// Locks, and the reads that look for whom to lock: slots of their own, and a breaker and back-off each.
    Lock,
}

/// A request as it goes over the wire, without authentication (the client adds that).
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`, `DELETE`.
    pub method: Method,
    /// Absolute URL with query.
    pub url: String,
    /// Headers beyond authentication, content type and accept.
    pub headers: HeaderMap,
    /// A JSON body.
    pub body: Option<Bytes>,
}

/// An answer; the body still streams.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's chunks; an error in it means that the body was cut.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

/// Why no complete answer came.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// DNS, connect or TLS failed: nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The first byte may have left: the request may have arrived.
    #[error("no complete answer: {0}")]
    Broken(String),
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What carries a request: the HTTP client, or a simulator's router called in process.
#[async_trait::async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Sends it and waits for the answer's head.
    ///
    /// # Errors
    /// Says whether anything may have been sent.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// How a call ended without the wished answer: one kind per decision the caller makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallErrorKind {
    /// Certainly not executed: nothing was sent, the breaker is open, or shutdown came first.
    NotSent,
    /// Certainly not executed: what allowed it ([`CallContext::still`]) no longer held when its turn came.
    /// Whoever gave the leave must be asked anew.
    Overtaken,
    /// Certainly not executed: 429, or 503 with Retry-After. Wait so long (already capped).
    Refused {
        /// The server's wish, where it gave one.
        retry_after: Option<Duration>,
    },
    /// 401 (or 403 on every call): the token is wrong. The side stops, nothing is parked.
    Unauthorized,
    /// Certainly not executed and never will be: 400, 403, 409, 422.
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The server's own words, cut to 300 characters. May hold personal data: ledger only.
        text: String,
    },
    /// 404 with a JSON body: the address is right, the object is not there.
    NotFound,
    /// 404 with an empty body, a redirect, 405: the address is wrong. Configuration, for every kind.
    WrongUrl,
    /// The other side does not know a field or an object that the request names, and said so in a way
    /// that its connector declares. Certainly not executed; no repeating mends it.
    Configuration,
    /// A write that may or may not have happened: time-out or reset after the first byte, 500, 502,
    /// 504, 503 without Retry-After, 2xx with a cut or foreign body.
    Uncertain,
    /// A read that failed after all its tries.
    Unavailable,
    /// A read whose answer is not to be trusted: cut body, wrong count, HTML, contradicting status.
    BadAnswer,
}

/// A failed call, with what it was about.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{side}: {what}: {detail}")]
pub struct CallError {
    /// Which side.
    pub side: Side,
    /// The decision to make.
    pub kind: CallErrorKind,
    /// What was asked (`import`, `history of contact 4711`); no personal data.
    pub what: String,
    /// What happened and what to do; no secret, no personal data.
    pub detail: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

impl CallError {
    /// The error of a call whose answer came but cannot be used by the adapter that reads it: the
    /// client itself reports everything else.
    ///
    /// `write` decides whether it means `Uncertain` or `BadAnswer`.
    pub fn unusable_answer(side: Side, context: &CallContext, detail: impl Into<String>) -> Self {
        let kind = if context.write { CallErrorKind::Uncertain } else { CallErrorKind::BadAnswer };
        Self { side, kind, what: context.what.clone(), detail: detail.into(), status: None }
    }

    /// Whether the failure says something about the side as a whole: the job ends. A read that failed for
    /// one contact or key (always 500, a broken answer) must not stop the others (semantics 25); once many
    /// different ones failed, the breaker withholds the next call, and that speaks of the side.
    pub fn speaks_of_the_side(&self) -> bool {
        match self.kind {
            CallErrorKind::NotSent
            | CallErrorKind::Refused { .. }
            | CallErrorKind::Unauthorized
            | CallErrorKind::WrongUrl
            | CallErrorKind::Configuration => true,
            CallErrorKind::Overtaken
            | CallErrorKind::Rejected { .. }
            | CallErrorKind::NotFound
            | CallErrorKind::Uncertain
            | CallErrorKind::Unavailable
            | CallErrorKind::BadAnswer => false,
        }
    }
}

/// Whether what allowed a call still holds.
pub type StillHolds = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the policy must know of a call beyond the request.
#[derive(Clone)]
pub struct CallContext {
    /// What is asked, for errors and logs; no personal data.
    pub what: String,
    /// Its class.
    pub class: CallClass,
    /// The operation it belongs to: then every HTTP try is an attempt row of its own.
    pub operation: Option<OperationId>,
    /// Whether it is a write: only what was certainly not executed is repeated.
    pub write: bool,
    /// Which contact or record it is about (a number, a key): the breaker counts distinct ones, so
    /// that one contact that always gives 500 does not shut the side (semantics 25). `None`: `what`.
    pub subject: Option<String>,
    /// Asked right before each try leaves, after whatever it waited for (a slot, the rate, a
    /// Retry-After): a block that came meanwhile must not be overtaken by a request that waited.
    pub still: Option<StillHolds>,
    /// What the body of a 2xx answer must hold beyond what every answer of the side must: part of the
    /// try's own outcome, so that the attempt says the same as the operation.
    pub expects: Option<BodyCheck>,
    /// What the body of a 4xx or 5xx answer to it says more exactly than every such answer of the side would: asked
    /// after the side's own check.
    pub refusals: Option<FailureCheck>,
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("what", &self.what)
            .field("class", &self.class)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl CallContext {
    /// A read.
    pub fn read(what: impl Into<String>, class: CallClass) -> Self {
        Self::new(what.into(), class, None, false)
    }

    /// A write, for the operation whose attempts are to be stored.
    pub fn write(what: impl Into<String>, class: CallClass, operation: Option<OperationId>) -> Self {
        Self::new(what.into(), class, operation, true)
    }

    fn new(what: String, class: CallClass, operation: Option<OperationId>, write: bool) -> Self {
        Self { what, class, operation, write, subject: None, still: None, expects: None, refusals: None }
    }

    /// Names the contact or record it is about.
    #[must_use]
    pub fn about(mut self, subject: impl std::fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }
}

/// One HTTP try, as the ledger stores it (`attempts`).
#[derive(Debug, Clone)]
pub struct Try {
    /// The operation.
    pub operation: OperationId,
    /// When the request left.
    pub sent_at: crate::domain::Timestamp,
    /// When the answer (or the error) was there.
    pub answered_at: crate::domain::Timestamp,
    /// `done`, `not_sent`, `refused`, `unauthorized`, `rejected`, `not_found`, `wrong_url`, `uncertain`.
    pub outcome: &'static str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What happened; may hold personal data (a server's own words).
    pub detail: String,
}

/// Ports that other rooms implement.
pub mod ports {
    use super::Try;

    /// Keeps every try of a write.
    pub trait CallSink: Send + Sync {
        /// Stores one try. It must neither fail the call nor hold it up: the answer is already there, and its own
        /// commit comes after this one.
        fn tried(&self, tried: Try);
    }
}
