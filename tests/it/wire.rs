//! Every fault on the wire gives the right kind of error, for a read and for a write, with the real
//! HTTP client.

use crate::support::fault_server::{Fault, FaultServer, answer, json};
use dialbridge::dialler::jtel;
use dialbridge::domain::OperationId;
use dialbridge::env::Env;
use dialbridge::remote::http::{HttpOptions, HttpTransport};
use dialbridge::remote::{
    Answer, Auth, AuthScheme, CallClass, CallContext, CallError, CallErrorKind, Client, ClientConfig,
    Request, Side,
};
use std::sync::Arc;
use std::time::Duration;

/// Short enough for tests, long enough for a loaded machine.
pub fn quick() -> ClientConfig {
    ClientConfig {
        request_timeout: Duration::from_millis(250),
        stream_head_timeout: Duration::from_millis(250),
        read_tries: 2,
        first_wait: Duration::from_millis(1),
        body_limit: 100_000,
        body_check: Some(jtel::body_check()),
        ..ClientConfig::default()
    }
}

pub fn client(base: &str, config: ClientConfig, auth: Auth) -> Client {
    let options = HttpOptions { allow_http: true, ..HttpOptions::new("dialler", base) };
    let (transport, _) = HttpTransport::new(options).unwrap();
    Client::new(Side::Dialler, config, Arc::new(transport), auth, Env::real(), None)
}

pub fn token() -> Auth {
    Auth::fixed(AuthScheme::Header("x-api-key".parse().unwrap()), "sesame".to_owned().into())
}

pub async fn call(client: &Client, base: &str, write: bool) -> Result<Answer, CallError> {
    let mut request = Request {
        method: http::Method::GET,
        url: format!("{base}/rest?userData=Secret.Person"),
        headers: http::HeaderMap::new(),
        body: None,
    };
    let mut context = CallContext::read("a read", CallClass::Harvest);
    if write {
        request.method = http::Method::POST;
        request.body = Some(r#"{"Name":"Person"}"#.into());
        context = CallContext::write("a write", CallClass::Push, Some(OperationId(1)));
    }
    client.call(context, request).await
}

/// What a read and a write end as, with how many requests the server saw.
async fn outcomes(fault: Fault) -> [(Result<(), CallErrorKind>, usize); 2] {
    let mut found = Vec::new();
    for write in [false, true] {
        let server = FaultServer::start([fault.clone()]).await;
        let outcome = call(&client(&server.url(), quick(), token()), &server.url(), write).await;
        if let Err(error) = &outcome {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("Secret.Person") && !text.contains("sesame"), "{text}");
        }
        found.push((outcome.map(|_| ()).map_err(|error| error.kind), server.received().len()));
    }
    found.try_into().unwrap()
}

const GOOD: &str = r#"{"records":[{"ID":1}],"count":1,"status":200}"#;

#[tokio::test]
async fn an_answer_that_does_not_come_whole_is_uncertain_after_a_write() {
    let cut_gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56];
    let long_header = format!("X-Long: {}", "x".repeat(600_000));
    let drip = [answer("200 OK", &["Content-Length: 100000"], ""), vec![b' '; 1000]].concat();
    let cases = [
        ("reset after reading", Fault::ThenReset(Vec::new()), CallErrorKind::Unavailable),
        ("closed without an answer", Fault::ThenClose(Vec::new()), CallErrorKind::Unavailable),
        ("half open", Fault::Silence, CallErrorKind::Unavailable),
        ("slow loris", Fault::Drip(drip, Duration::from_millis(20)), CallErrorKind::Unavailable),
        ("no HTTP", Fault::ThenClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()), CallErrorKind::Unavailable),
        (
            "huge header",
            Fault::ThenClose(answer("200 OK", &[&long_header], GOOD)),
            CallErrorKind::Unavailable,
        ),
        ("500", Fault::Bytes(json("500 Oops", r#"{"status":500}"#)), CallErrorKind::Unavailable),
        ("502", Fault::Bytes(answer("502 Bad Gateway", &[], "<html>")), CallErrorKind::Unavailable),
        ("503", Fault::Bytes(answer("503 Busy", &[], "")), CallErrorKind::Unavailable),
        ("504", Fault::Bytes(answer("504 Late", &[], "")), CallErrorKind::Unavailable),
        (
            "short length",
            Fault::ThenClose(answer("200 OK", &["Content-Length: 500"], GOOD)),
            CallErrorKind::BadAnswer,
        ),
        (
            "reset in the body",
            Fault::ThenReset(answer("200 OK", &["Content-Length: 500"], GOOD)),
            CallErrorKind::BadAnswer,
        ),
        (
            "cut chunk",
            Fault::ThenClose(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"rec".to_vec()),
            CallErrorKind::BadAnswer,
        ),
        (
            "cut gzip",
            Fault::Bytes(answer("200 OK", &["Content-Encoding: gzip"], cut_gzip)),
            CallErrorKind::BadAnswer,
        ),
        (
            "cut without a length",
            Fault::ThenClose(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"records\":[{\"ID\":1}".to_vec(),
            ),
            CallErrorKind::BadAnswer,
        ),
        (
            "HTML",
            Fault::Bytes(answer("200 OK", &["Content-Type: text/html"], "<html>log in")),
            CallErrorKind::BadAnswer,
        ),
        ("empty", Fault::Bytes(json("200 OK", "")), CallErrorKind::BadAnswer),
        (
            "bad UTF-8",
            Fault::Bytes(answer("200 OK", &[], b"{\"status\":200,\"a\":\"\xff\"}")),
            CallErrorKind::BadAnswer,
        ),
        (
            "count",
            Fault::Bytes(json("200 OK", r#"{"records":[],"count":1,"status":200}"#)),
            CallErrorKind::BadAnswer,
        ),
        (
            "status",
            Fault::Bytes(json("200 OK", r#"{"records":[],"count":0,"status":500}"#)),
            CallErrorKind::BadAnswer,
        ),
        ("in part", Fault::Bytes(json("207 Multi-Status", GOOD)), CallErrorKind::BadAnswer),
        ("out of a cache", Fault::Bytes(answer("304 Not Modified", &[], "")), CallErrorKind::BadAnswer),
        ("too long", Fault::Bytes(json("200 OK", &" ".repeat(100_001))), CallErrorKind::BadAnswer),
    ];
    let outcomes = cases.map(|(name, fault, kind)| async move { (name, kind, outcomes(fault).await) });
    for (name, kind, found) in futures_util::future::join_all(outcomes).await {
        assert_eq!(found[0], (Err(kind), 2), "a read, {name}");
        assert_eq!(found[1], (Err(CallErrorKind::Uncertain), 1), "a write, {name}");
    }
}

#[tokio::test]
async fn a_reset_before_the_request_was_read_is_uncertain_too() {
    for (write, kind) in [(false, CallErrorKind::Unavailable), (true, CallErrorKind::Uncertain)] {
        let server = FaultServer::start([Fault::ResetUnread]).await;
        let outcome = call(&client(&server.url(), quick(), token()), &server.url(), write).await;
        assert_eq!(outcome.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn an_answer_about_the_request_means_the_same_for_both_and_is_not_repeated() {
    let rejected = |status, text: &str| CallErrorKind::Rejected { status, text: text.to_owned() };
    let absurd = CallErrorKind::Refused { retry_after: Some(Duration::from_secs(3600)) };
    let error = r#"{"status":400,"error":"PhoneNumber missing"}"#;
    for (fault, kind) in [
        (json("400 Bad", error), rejected(400, "PhoneNumber missing")),
        (json("409 Conflict", r#"{"status":409,"error":"exists"}"#), rejected(409, "exists")),
        (json("422 No", "why not"), rejected(422, "why not")),
        (answer("404 Not Found", &[], ""), CallErrorKind::WrongUrl),
        (json("404 Not Found", r#"{"status":404,"error":"no contact"}"#), CallErrorKind::NotFound),
        (answer("405 No", &[], ""), CallErrorKind::WrongUrl),
        (answer("401 No", &[], ""), CallErrorKind::Unauthorized),
        (answer("429 Slow", &["Retry-After: 99999999"], ""), absurd.clone()),
        (answer("503 Slow", &["Retry-After: Fri, 31 Dec 2999 23:59:59 GMT"], ""), absurd),
    ] {
        let shown = String::from_utf8_lossy(&fault).into_owned();
        for found in outcomes(Fault::Bytes(fault)).await {
            assert_eq!(found, (Err(kind.clone()), 1), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refusal_within_the_cap_is_waited_for_also_by_a_write() {
    let date = ["Date: Mon, 23 Nov 2026 09:00:00 GMT", "Retry-After: Mon, 23 Nov 2026 09:00:00 GMT"];
    for refusal in [
        answer("429 Slow", &["Retry-After: 0"], ""),
        answer("503 Slow", &date, ""),
        answer("429 Slow", &[], ""),
    ] {
        let server = FaultServer::start([Fault::Bytes(refusal), Fault::Bytes(json("200 OK", GOOD))]).await;
        assert!(call(&client(&server.url(), quick(), token()), &server.url(), true).await.is_ok());
        assert_eq!(server.received().len(), 2);
        assert_eq!(server.connections(), 1, "the connection is used again");
    }
}

#[tokio::test]
async fn nothing_listens() {
    let server = FaultServer::start([Fault::Silence]).await;
    let url = server.url();
    drop(server);
    for write in [false, true] {
        let error = call(&client(&url, quick(), token()), &url, write).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::NotSent, "{error}");
    }
}

#[tokio::test]
async fn oddities_that_harm_nobody() {
    let bom = [b"\xef\xbb\xbf".as_slice(), GOOD.as_bytes()].concat();
    let twice = [json("200 OK", GOOD), json("200 OK", GOOD)].concat();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut zipped, GOOD.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    for fault in [
        Fault::Bytes(answer("200 OK", &["Content-Type: text/plain"], GOOD)),
        Fault::Bytes(answer("200 OK", &[], bom)),
        Fault::ThenClose(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{GOOD}").into_bytes()),
        Fault::Bytes(twice),
        Fault::Bytes(answer("200 OK", &["Content-Encoding: gzip"], zipped)),
    ] {
        let server = FaultServer::start([fault.clone()]).await;
        let client = client(&server.url(), quick(), token());
        for write in [true, false, true] {
            let outcome = call(&client, &server.url(), write).await;
            assert!(outcome.is_ok(), "{fault:?}: {outcome:?}");
        }
        assert_eq!(server.received().len(), 3, "each request once");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_nothing() {
    let server = FaultServer::start([Fault::ThenClose(json("200 OK", GOOD))]).await;
    let client = client(&server.url(), quick(), token());
    for _ in 0..3 {
        assert!(call(&client, &server.url(), true).await.is_ok());
        tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.unwrap_err();
    }
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_redirect_takes_no_token_anywhere() {
    let elsewhere = FaultServer::start([Fault::Bytes(json("200 OK", GOOD))]).await;
    for status in ["302 Found", "307 Temporary Redirect"] {
        let location = format!("Location: {}/stolen", elsewhere.url());
        let server = FaultServer::start([Fault::Bytes(answer(status, &[&location], ""))]).await;
        for write in [false, true] {
            let error =
                call(&client(&server.url(), quick(), token()), &server.url(), write).await.unwrap_err();
            assert_eq!(error.kind, CallErrorKind::WrongUrl);
        }
        assert_eq!(server.received()[0].header("x-api-key"), Some("sesame"));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn of_two_token_files_the_one_that_works_is_found_and_the_dead_one_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["old", "new"].map(|name| dir.path().join(name));
    for file in &files {
        std::fs::write(file, file.file_name().unwrap().as_encoded_bytes()).unwrap();
    }
    let (auth, _) = Auth::from_files(AuthScheme::Bearer, "dialler.token_file", &files).unwrap();
    let refusal = Fault::Bytes(answer("401 No", &[], ""));
    let good = Fault::Bytes(json("200 OK", GOOD));
    let server = FaultServer::start([refusal.clone(), good.clone(), good, refusal]).await;
    let client = client(&server.url(), quick(), auth);
    for _ in 0..2 {
        assert!(call(&client, &server.url(), true).await.is_ok());
    }
    let used: Vec<_> =
        server.received().iter().map(|r| r.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(used, ["Bearer old", "Bearer new", "Bearer new"]);
    assert_eq!(client.auth().refused_files(), &files[..1]);
    let error = call(&client, &server.url(), true).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unauthorized);
    assert!(error.detail.contains("old") && error.detail.contains("new"), "{error}");
    assert_eq!(server.received().len(), 4, "no hammering");
}

#[tokio::test]
async fn plain_http_and_bad_files_are_said_all_at_once() {
    let bad = HttpOptions {
        ca_file: Some("/nonexistent/ca.pem".into()),
        proxy: Some("http://".to_owned()),
        ..HttpOptions::new("dialler", "http://acd.example.com/rest")
    };
    let keys: Vec<_> = HttpTransport::new(bad).unwrap_err().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["dialler.base_url", "dialler.ca_file", "dialler.proxy"]);
    let by_choice =
        HttpOptions { allow_http: true, ..HttpOptions::new("dialler", "http://acd.example.com/rest") };
    assert_eq!(HttpTransport::new(by_choice).unwrap().1[0].key, "dialler.allow_http");
}
