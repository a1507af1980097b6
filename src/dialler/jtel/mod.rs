//! The jtel ACD dialler: one function per operation of its "Dialler Contacts" page.
//!
//! `read` and `write` hold the two halves of the port, `list` the streamed list, `wire` the shapes,
//! `paths` the addresses. `facts` means what else is known of the dialler.

mod list;
mod paths;
mod read;
mod wire;
mod write;

pub use paths::{Endpoint, Paths};
pub use wire::{body_check, failure_check};
pub use write::ShownRequest;

use super::splitter::SplitLimits;
use crate::remote::{Answer, CallContext, CallError, CallErrorKind, Client, Request};
use http::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8};

/// A release of the server, as the config names it (`"3.39"`): nothing on the server tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// `3` of `3.39`.
    pub major: u32,
    /// `39` of `3.39`.
    pub minor: u32,
}

impl Release {
    /// The first release with `resetContact` and `unlockContact` (API page, "Import").
    pub const IMPORT_FLAGS: Self = Self { major: 3, minor: 39 };

    /// Reads `3.39` or `3.39.2`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        parts.all(|part| part.bytes().all(|b| b.is_ascii_digit())).then_some(Self { major, minor })
    }
}

/// What the adapter must know of an installation.
#[derive(Debug, Clone)]
pub struct JtelConfig {
    /// Ends in the ClientsID: `https://acd.example.com:8443/rest/v1.0/3`.
    pub base_url: String,
    /// The server's release; `None` counts as older than 3.39.
    pub release: Option<Release>,
    /// The addresses.
    pub paths: Paths,
    /// The zone of the dialler's naive times.
    pub time_zone: chrono_tz::Tz,
    /// The language of result texts in the batch read (`languagesID`); `None` leaves it out.
    pub language: Option<i64>,
    /// Keys of one batch read; its limit is documented nowhere (facts 3.3).
    pub batch_size: usize,
    /// Whether the batch read is there; `None`: it is probed once and remembered.
    pub batch_read: Option<bool>,
    /// Bounds of the streamed list.
    pub limits: SplitLimits,
}

impl JtelConfig {
    /// Defaults for everything but the address and the zone.
    pub fn new(base_url: impl Into<String>, time_zone: chrono_tz::Tz) -> Self {
        Self {
            base_url: base_url.into(),
            release: None,
            paths: Paths::default(),
            time_zone,
            language: None,
            batch_size: 100,
            batch_read: None,
            limits: SplitLimits::default(),
        }
    }
}

/// The adapter; cheap to clone. Its [`Client`] must have been built with [`body_check`] and
/// [`failure_check`].
#[derive(Debug, Clone)]
pub struct JtelClient {
    config: Arc<JtelConfig>,
    client: Client,
    /// What is known of the batch read; see `read`.
    batch: Arc<AtomicU8>,
    /// Batch reads in a row that were refused.
    batch_refusals: Arc<AtomicU8>,
    /// Whether it refused a batch that held an unknown key.
    batch_wants_all: Arc<AtomicBool>,
    /// Whether the base URL has ever answered sensibly.
    proven: Arc<AtomicBool>,
}

impl JtelClient {
    /// The adapter over a client of the dialler's side.
    pub fn new(config: JtelConfig, client: Client) -> Self {
        let batch = Arc::new(AtomicU8::new(read::batch_state(config.batch_read)));
        Self {
            config: Arc::new(config),
            client,
            batch,
            batch_refusals: Arc::default(),
            batch_wants_all: Arc::default(),
            proven: Arc::default(),
        }
    }

    /// Whether an import may carry `resetContact` and `unlockContact`. Where not, an overwriting
    /// import unlocks whatever it overwrites.
    pub fn takes_import_flags(&self) -> bool {
        self.config.release.is_some_and(|release| release >= Release::IMPORT_FLAGS)
    }

    fn url(&self, endpoint: Endpoint, id: Option<i64>, query: &[(&str, &str)]) -> String {
        self.config.paths.url(&self.config.base_url, endpoint, id, query)
    }

    async fn send(
        &self,
        context: CallContext,
        method: Method,
        url: String,
        body: Option<serde_json::Value>,
    ) -> Result<Answer, CallError> {
        let body = body.map(|value| value.to_string().into());
        let request = Request { method, url, headers: http::HeaderMap::new(), body };
        let answer = self.client.call(context, request).await?;
        self.proven.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(answer)
    }

    /// An answer that came whole, yet does not hold what this operation answers.
    fn unusable(&self, context: &CallContext, why: &str) -> CallError {
        CallError::unusable_answer(self.client.side(), context, format!("the answer cannot be used: {why}"))
    }
}

/// `None` for an object that is not there.
fn absent_is_none<T>(outcome: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(CallError { kind: CallErrorKind::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
