//! The body of a streamed answer, watched: least throughput, greatest length, shutdown.

use super::answer::StreamedAnswer;
use super::client::Client;
use super::outcome::{Fault, server_time};
use super::{CallContext, CallError, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

struct Watched {
    client: Client,
    context: CallContext,
    status: u16,
    body: BoxStream<'static, Result<Bytes, super::TransportError>>,
    /// Bytes so far.
    total: u64,
    /// Bytes and waiting since the present window began.
    window_bytes: u64,
    window_waited: Duration,
    ended: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Hands the body on until it ends or breaks a rule.
pub(super) fn watched(
    client: Client,
    context: CallContext,
    response: Response,
    permit: Option<OwnedSemaphorePermit>,
) -> StreamedAnswer {
    let Response { status, headers, body } = response;
    let watched = Watched {
        client,
        context,
        status: status.as_u16(),
        body,
        total: 0,
        window_bytes: 0,
        window_waited: Duration::ZERO,
        ended: false,
        _permit: permit,
    };
    let body = futures_util::stream::unfold(watched, |mut watched| async move {
        if watched.ended {
            return None;
        }
        let item = match watched.next().await {
            Ok(chunk) => Ok(chunk?),
            Err(fault) => {
                watched.ended = true;
                Err(watched.error(fault))
            }
        };
        Some((item, watched))
    });
    StreamedAnswer { status, server_time: server_time(&headers), headers, body: body.boxed() }
}

impl Watched {
    fn error(&self, fault: Fault) -> CallError {
        let inner = &self.client.inner;
        fault.into_error(inner.side, &self.context, Some(self.status), inner.config.retry_after_max)
    }

    /// The next chunk. Only time spent here counts: a slow reader is not the server's fault.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let inner = self.client.inner.clone();
        let config = &inner.config;
        loop {
            let began = inner.env.instant();
            let left = config.throughput_window.saturating_sub(self.window_waited);
            let polled = tokio::select! {
                biased;
                () = inner.env.shutdown().cancelled() => return Err(Fault::Interrupted),
                polled = tokio::time::timeout(left, self.body.next()) => polled,
            };
            self.window_waited += began.elapsed();
            let chunk = match polled {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(chunk))) => Some(chunk),
                Ok(Some(Err(error))) => return Err(Fault::Untrusted(format!("the body is cut: {error}"))),
                Err(_) => None,
            };
            let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            self.total += length;
            self.window_bytes += length;
            if self.total > config.stream_limit {
                let limit = config.stream_limit;
                return Err(Fault::Untrusted(format!("the list is longer than {limit} bytes")));
            }
            if self.window_waited >= config.throughput_window {
                let least = config.least_bytes_per_second as f64 * self.window_waited.as_secs_f64();
                if (self.window_bytes as f64) < least {
                    return Err(Fault::Undecided(format!(
                        "the answer comes too slowly: {} bytes in {} s of waiting",
                        self.window_bytes,
                        self.window_waited.as_secs()
                    )));
                }
                (self.window_bytes, self.window_waited) = (0, Duration::ZERO);
            }
            if let Some(chunk) = chunk {
                return Ok(Some(chunk));
            }
        }
    }
}
