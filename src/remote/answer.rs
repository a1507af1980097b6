//! What a call answers: complete and bounded, or streamed; and the hook that reads a body's own verdict.

use super::CallError;
use crate::domain::Timestamp;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// A complete answer with a 2xx status, whose body is valid JSON (or empty with 204) and which the
/// [`BodyCheck`] believed.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, at most [`super::ClientConfig::body_limit`] bytes.
    pub body: Bytes,
    /// The `Date` header: the other side's clock, whole seconds.
    pub server_time: Option<Timestamp>,
}

/// An answer whose body is handed on while it arrives.
pub struct StreamedAnswer {
    /// The status, 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The `Date` header: the other side's clock, whole seconds.
    pub server_time: Option<Timestamp>,
    /// The chunks. An error is the last item: cut, slower than the least throughput, too long, or
    /// shutdown. A body that ends without one may still be cut (a body without a length ends where
    /// the connection ends): the reader must require the closing bracket.
    pub body: BoxStream<'static, Result<Bytes, CallError>>,
}

impl std::fmt::Debug for StreamedAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamedAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a 2xx body says against its own status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFault {
    /// Not to be trusted (a contradicting status, a wrong count, a foreign shape): `BadAnswer` for a
    /// read, `Uncertain` for a write. The text holds no personal data.
    Untrusted(String),
    /// An error that came with status 200: the record is not accepted. May hold personal data.
    Rejected(String),
    /// The object is not there.
    NotFound,
    /// Another server than the one meant answered: the address is wrong. The text holds no personal data.
    WrongUrl(String),
    /// The token is wrong.
    Unauthorized,
    /// Not executed, try later.
    Refused(Option<Duration>),
    /// The request names what the other side does not have (a field, an object): no repeating mends
    /// it. The text is shown and logged, so it holds no personal data.
    Configuration(String),
}

/// Reads the body of a 2xx answer (valid JSON already) for errors of its own; asked for complete
/// answers only, never for a streamed one.
pub type BodyCheck = Arc<dyn Fn(StatusCode, &[u8]) -> Result<(), BodyFault> + Send + Sync>;

/// Reads the whole body of a 4xx or 5xx answer, which may be anything, for what it says more exactly than
/// its status does; `None` leaves it at what the status means.
pub type FailureCheck = Arc<dyn Fn(StatusCode, &[u8]) -> Option<BodyFault> + Send + Sync>;
