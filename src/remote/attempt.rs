//! One HTTP try: sent, timed, read whole or up to its head, and judged.

use super::answer::{Answer, FailureCheck};
use super::client::{Failed, Inner, Want};
use super::outcome::{Fault, judge_failure, judge_success, server_time, strip_bom};
use super::{CallContext, Request, Response, TransportError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::header;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// So many 403 in a row, with no other answer between them, mean that the token may do nothing here.
const FORBIDDEN_IN_A_ROW: u32 = 5;

/// How much of an error's body is read.
const ERROR_BODY: usize = 64 * 1024;

impl Inner {
    pub(super) async fn send_complete(
        &self,
        context: &CallContext,
        request: Request,
    ) -> Result<Want, Failed> {
        let limit = self.config.try_timeout(context);
        let whole = async {
            let response = self.transport.send(with_defaults(request)).await;
            let response = response.map_err(|error| Failed::without_status(error.into()))?;
            self.judge_head(&response);
            self.read_whole(context, response).await
        };
        let interrupted = async {
            self.env.shutdown().cancelled().await;
            // A write gets a little time to be answered: better than one more uncertain operation.
            if context.write {
                let until = self.env.instant() + self.config.shutdown_grace;
                tokio::time::sleep_until(until).await;
            }
        };
        tokio::select! {
            biased;
            ended = tokio::time::timeout(limit, whole) => match ended {
                Ok(tried) => tried.map(Want::Complete),
                Err(_) => Err(Failed::without_status(Fault::Undecided(
                    format!("no complete answer within {} s", limit.as_secs_f32()),
                ))),
            },
            () = interrupted => Err(Failed::without_status(Fault::Interrupted)),
        }
    }

    pub(super) async fn send_for_stream(&self, request: Request) -> Result<Want, Failed> {
        let limit = self.config.stream_head_timeout;
        let head = async {
            let response = self.transport.send(with_defaults(request)).await;
            let response = response.map_err(|error| Failed::without_status(error.into()))?;
            self.judge_head(&response);
            if response.status.is_success() {
                Ok(response)
            } else {
                Err(self.read_failure(None, response).await)
            }
        };
        tokio::select! {
            biased;
            ended = tokio::time::timeout(limit, head) => match ended {
                Ok(tried) => tried.map(Want::Stream),
                Err(_) => Err(Failed::without_status(Fault::Undecided(
                    format!("no answer within {} s", limit.as_secs_f32()),
                ))),
            },
            () = self.env.shutdown().cancelled() => Err(Failed::without_status(Fault::Interrupted)),
        }
    }

    /// Keeps what every answer tells, whatever it is.
    fn judge_head(&self, response: &Response) {
        if let Some(time) = server_time(&response.headers) {
            *self.server_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
        }
        if response.status != http::StatusCode::FORBIDDEN {
            self.forbidden.store(0, Ordering::Relaxed);
        }
    }

    async fn read_whole(&self, context: &CallContext, response: Response) -> Result<Answer, Failed> {
        if !response.status.is_success() {
            return Err(self.read_failure(context.refusals.as_ref(), response).await);
        }
        let Response { status, headers, body } = response;
        let code = Some(status.as_u16());
        let failed = |fault| Failed { fault, status: code };
        let body = match collect(body, self.config.body_limit).await {
            Collected::Whole(body) => body,
            Collected::TooLong => {
                let limit = self.config.body_limit;
                return Err(failed(Fault::Untrusted(format!("the answer is longer than {limit} bytes"))));
            }
            Collected::Cut(why, _) => {
                return Err(failed(Fault::Untrusted(format!("the body is cut: {why}"))));
            }
        };
        let mut body = self.config.bad_text.applied(body);
        if let Err(fault) = judge_success(status, &headers, &body) {
            // Only what was no JSON is mended: a status or a type that is not believed stays so.
            let mended = self.config.bad_text.mended(&body);
            body = mended
                .filter(|body| judge_success(status, &headers, body).is_ok())
                .ok_or_else(|| failed(fault))?;
        }
        let body = body.slice_ref(strip_bom(&body));
        for check in self.config.body_check.iter().chain(&context.expects) {
            check(status, &body).map_err(|fault| failed(fault.into()))?;
        }
        Ok(Answer { status, server_time: server_time(&headers), headers, body })
    }

    async fn read_failure(&self, refusals: Option<&FailureCheck>, response: Response) -> Failed {
        let Response { status, headers, body } = response;
        let (body, complete) = match collect(body, ERROR_BODY).await {
            Collected::Whole(body) => (body, true),
            Collected::TooLong => (Bytes::new(), false),
            Collected::Cut(_, body) => (body, false),
        };
        let mut checks = self.config.failure_check.iter().chain(refusals).filter(|_| complete);
        if let Some(fault) = checks.find_map(|check| check(status, strip_bom(&body))) {
            return Failed { fault: fault.into(), status: Some(status.as_u16()) };
        }
        let mut fault = judge_failure(status, &headers, &body, complete, self.env.now());
        if status == http::StatusCode::FORBIDDEN
            && self.forbidden.fetch_add(1, Ordering::Relaxed) + 1 >= FORBIDDEN_IN_A_ROW
        {
            fault = Fault::Unauthorized(
                "every call is forbidden (403): the token may not use this; check its rights".to_owned(),
            );
        }
        Failed { fault, status: Some(status.as_u16()) }
    }
}

/// A body that was read up to a limit.
enum Collected {
    Whole(Bytes),
    TooLong,
    /// Why, and what came before.
    Cut(String, Bytes),
}

async fn collect(mut body: BoxStream<'static, Result<Bytes, TransportError>>, limit: usize) -> Collected {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) if whole.len() + chunk.len() > limit => return Collected::TooLong,
            Ok(chunk) => whole.extend_from_slice(&chunk),
            Err(error) => return Collected::Cut(error.to_string(), whole.freeze()),
        }
    }
    Collected::Whole(whole.freeze())
}

pub(super) fn with_defaults(mut request: Request) -> Request {
    let json = http::HeaderValue::from_static("application/json");
    request.headers.entry(header::ACCEPT).or_insert_with(|| json.clone());
    if request.body.is_some() {
        request.headers.entry(header::CONTENT_TYPE).or_insert(json);
    }
    request
}
