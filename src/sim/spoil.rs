//! What a fault makes of an answer: another status, half a body, another number, nothing at all.

use super::faults::{ConnectionReset, RetryAfter};
use super::wire::http_date;
use crate::domain::Timestamp;
use crate::env::Env;
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

pub(super) fn status(code: u16, retry_after: RetryAfter, now: Timestamp) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::json!({ "status": code, "error": "simulated fault" });
    let mut answer = (status, axum::Json(body)).into_response();
    let wait = match retry_after {
        RetryAfter::Absent => return answer,
        // The plan has doubled it already.
        RetryAfter::Seconds(seconds) | RetryAfter::Doubling(seconds) => seconds.to_string(),
        RetryAfter::Epoch(seconds) => {
            (u64::try_from(now.timestamp()).unwrap_or(0).saturating_add(seconds)).to_string()
        }
        RetryAfter::Date(seconds) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let wait = chrono::TimeDelta::try_seconds(seconds).unwrap_or_default();
            http_date(now + wait)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&wait) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

pub(super) fn said(code: u16, body: &'static str) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) fn reset() -> Response {
    let body = Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) }));
    let mut answer = Response::new(body);
    answer.extensions_mut().insert(ConnectionReset);
    answer
}

fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "simulated reset")
}

pub(super) fn html() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Gateway</title></head>\
                <body><h1>Please log in</h1></body></html>";
    axum::response::Html(page).into_response()
}

async fn collected(answer: Response) -> (http::response::Parts, Bytes) {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    // A body that cannot be read here is one that another fault broke: empty is as good.
    (parts, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

pub(super) async fn latin1(answer: Response) -> Response {
    let (parts, body) = collected(answer).await;
    let mut bytes = Vec::with_capacity(body.len());
    for c in String::from_utf8_lossy(&body).chars() {
        match u8::try_from(c) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Response::from_parts(parts, Body::from(bytes))
}

pub(super) async fn truncated(answer: Response, clean: bool) -> Response {
    let (parts, body) = collected(answer).await;
    let half = body.slice(..body.len() / 2);
    if clean {
        return Response::from_parts(parts, Body::from(half));
    }
    let pieces = stream::once(async move { Ok(half) }).chain(stream::once(async {
        // Gives hyper the turn in which it flushes what came before.
        tokio::task::yield_now().await;
        Err(broken())
    }));
    Response::from_parts(parts, Body::from_stream(pieces))
}

/// Changes the number behind the last `"key":` of the body.
pub(super) async fn replaced(answer: Response, key: &str, change: impl FnOnce(u64) -> u64) -> Response {
    let (parts, body) = collected(answer).await;
    let text = String::from_utf8_lossy(&body);
    let Some(begin) = text.rfind(&format!("\"{key}\":")).map(|found| found + key.len() + 3) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let (head, tail) = text.split_at(begin);
    let tail = tail.trim_start();
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let number = tail[..digits].parse().unwrap_or(0);
    let changed = format!("{head}{}{}", change(number), &tail[digits..]);
    Response::from_parts(parts, Body::from(changed))
}

pub(super) fn slow(env: Env, answer: Response, chunk: usize, pause: Duration) -> Response {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let chunk = chunk.max(1);
    let pieces = body.into_data_stream().flat_map(move |piece| {
        let pieces: Vec<Result<Bytes, axum::Error>> = match piece {
            Ok(bytes) => (0..bytes.len())
                .step_by(chunk)
                .map(|from| Ok(bytes.slice(from..(from + chunk).min(bytes.len()))))
                .collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(pieces)
    });
    let paced = pieces.then(move |piece| {
        let env = env.clone();
        async move {
            env.sleep(pause).await;
            piece
        }
    });
    Response::from_parts(parts, Body::from_stream(paced))
}

/// A list without its elements that agrees with itself: its arrays are empty, its counts zero, no page
/// follows. What is no list stays as it is.
pub(super) async fn emptied(answer: Response) -> Response {
    rewritten(answer, |key, value| match value {
        Value::Array(elements) => elements.clear(),
        Value::Number(_) if matches!(key, "count" | "total") => *value = Value::from(0),
        Value::String(_) if key == "next" => *value = Value::Null,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    })
    .await
}

/// A list whose first element is none.
pub(super) async fn broken_element(answer: Response) -> Response {
    rewritten(answer, |_, value| {
        if let Some(first) = value.as_array_mut().and_then(|elements| elements.first_mut()) {
            *first = Value::from(7);
        }
    })
    .await
}

/// A list whose elements lack a field.
pub(super) async fn field_lost(answer: Response, name: &str) -> Response {
    rewritten(answer, |_, value| {
        for element in value.as_array_mut().into_iter().flatten() {
            if let Some(fields) = element.as_object_mut() {
                fields.remove(name);
            }
        }
    })
    .await
}

/// Changes the members of an answered object; what is none stays as it is.
async fn rewritten(answer: Response, change: impl Fn(&str, &mut Value)) -> Response {
    let (parts, body) = collected(answer).await;
    let Ok(Value::Object(mut object)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    for (key, value) in &mut object {
        change(key, value);
    }
    Response::from_parts(parts, Body::from(Value::Object(object).to_string()))
}

/// The same answer, compressed.
pub(super) async fn compressed(answer: Response) -> Response {
    let (mut parts, body) = collected(answer).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let bytes = encoder.write_all(&body).and_then(|()| encoder.finish()).unwrap_or_default();
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, Body::from(bytes))
}

/// The same answer under another content type.
pub(super) fn typed(mut answer: Response, kind: &str) -> Response {
    if let Ok(kind) = HeaderValue::from_str(kind) {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    answer
}

/// The same answer without a header.
pub(super) fn without(mut answer: Response, name: &str) -> Response {
    answer.headers_mut().remove(name);
    answer
}
