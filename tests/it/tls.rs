//! Who is believed on the way, over real sockets: certificates of both ends, proxies, redirects.

use crate::support::fault_server::{Fault, FaultServer, answer, json};
use crate::support::tls::{Clients, Proxy, TlsFront, file};
use crate::wire::{call, quick, token};
use dialbridge::env::Env;
use dialbridge::remote::http::{HttpOptions, HttpTransport, Identity};
use dialbridge::remote::{Answer, CallError, CallErrorKind, Client, ClientConfig, Side};
use std::sync::Arc;
use std::time::Duration;

const GOOD: &str = r#"{"records":[{"ID":1}],"count":1,"status":200}"#;

async fn server() -> FaultServer {
    FaultServer::start([Fault::Bytes(json("200 OK", GOOD))]).await
}

/// The tests' authority is believed, and nobody else.
fn options(url: &str) -> HttpOptions {
    HttpOptions { ca_file: Some(file("ca.pem")), ..HttpOptions::new("dialler", url) }
}

async fn ask(options: HttpOptions, write: bool) -> Result<Answer, CallError> {
    let url = options.base_url.clone();
    // A handshake on a loaded machine takes longer than a plain connection.
    let config = ClientConfig { request_timeout: Duration::from_secs(20), ..quick() };
    let (transport, warnings) = HttpTransport::new(options).expect("usable options");
    assert!(warnings.iter().all(|warning| warning.key.ends_with("allow_http")), "{warnings:?}");
    let client = Client::new(Side::Dialler, config, Arc::new(transport), token(), Env::real(), None);
    call(&client, &url, write).await
}

#[tokio::test]
async fn is_a_server_of_our_own_authority_believed() {
    let behind = server().await;
    let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
    for write in [false, true] {
        ask(options(&front.url()), write).await.expect("it is believed");
    }
    assert_eq!(behind.received()[0].header("x-api-key"), Some("sesame"));
}

/// What a server with this certificate is told, having shown it: nothing. The message is given back.
async fn disbelieved(certificate: &str) -> String {
    let behind = server().await;
    let front = TlsFront::start(certificate, Clients::Anybody, behind.addr).await;
    let mut said = String::new();
    for write in [false, true] {
        let error = ask(options(&front.url()), write).await.expect_err("it must not be believed");
        // Certainly not sent: a write is not in doubt for it.
        assert_eq!(error.kind, CallErrorKind::NotSent, "{error}");
        said = error.to_string();
        assert!(!said.contains("sesame") && !said.contains("Secret.Person"), "{said}");
    }
    let received = behind.received();
    assert!(
        received.iter().all(|request| request.header("x-api-key").is_none() && request.line == "GET /"),
        "only the issuer was asked for, and without a token: {received:?}"
    );
    said
}

#[tokio::test]
async fn is_a_foreign_authority_named_with_the_key_to_set() {
    let said = disbelieved("foreign").await;
    assert!(said.contains("dialbridge foreign CA"), "the issuer: {said}");
    assert!(said.contains("dialler.ca_file"), "the key to set: {said}");
}

#[tokio::test]
async fn is_a_certificate_for_another_host_refused() {
    let said = disbelieved("elsewhere").await;
    assert!(said.contains("not valid for name"), "{said}");
}

#[tokio::test]
async fn is_an_expired_certificate_refused() {
    let said = disbelieved("expired").await;
    assert!(said.contains("expired"), "{said}");
}

#[tokio::test]
async fn does_the_systems_trust_not_believe_a_foreign_authority() {
    let behind = server().await;
    let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
    let options = HttpOptions::new("dialler", front.url());
    let error = ask(options, true).await.expect_err("it must not be believed");
    assert_eq!(error.kind, CallErrorKind::NotSent, "{error}");
    assert!(error.to_string().contains("dialbridge test CA"), "{error}");
}

#[tokio::test]
async fn is_a_client_certificate_shown_where_the_server_wants_one() {
    let behind = server().await;
    let front = TlsFront::start("server", Clients::Known, behind.addr).await;
    let identity = Identity { certificate_file: file("client.pem"), key_file: file("client.key") };
    for write in [false, true] {
        let options = HttpOptions { identity: Some(identity.clone()), ..options(&front.url()) };
        ask(options, write).await.expect("known to the server");
    }
    assert_eq!(behind.received().len(), 2);
    for write in [false, true] {
        let error = ask(options(&front.url()), write).await.expect_err("unknown to the server");
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
        assert!(
            matches!(
                error.kind,
                CallErrorKind::NotSent | CallErrorKind::Uncertain | CallErrorKind::Unavailable
            ),
            "{error}"
        );
    }
    assert_eq!(behind.received().len(), 2, "nothing came through");
}

#[tokio::test]
async fn does_a_configured_proxy_carry_everything() {
    let (behind, proxy) = (server().await, Proxy::start().await);
    let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
    let through = HttpOptions { proxy: Some(proxy.url()), ..options(&front.url()) };
    ask(through, true).await.expect("through the tunnel");
    let target = front.url().trim_start_matches("https://").to_owned();
    assert_eq!(proxy.asked(), [format!("CONNECT {target} HTTP/1.1")]);
    assert_eq!(behind.received().len(), 1);

    // Plain HTTP has no tunnel: the proxy itself is asked.
    let instead = server().await;
    let base = "http://crm.invalid";
    let plain = HttpOptions { allow_http: true, proxy: Some(instead.url()), ..HttpOptions::new("crm", base) };
    ask(plain, true).await.expect("by the proxy");
    assert_eq!(instead.received()[0].line, "POST http://crm.invalid/rest?userData=Secret.Person");
}

#[tokio::test]
async fn does_a_proxy_that_is_down_send_nothing_round_it() {
    let behind = server().await;
    let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
    let dead = {
        let proxy = Proxy::start().await;
        proxy.url()
    };
    let through = HttpOptions { proxy: Some(dead), ..options(&front.url()) };
    let error = ask(through, true).await.expect_err("nobody carries it");
    assert_eq!(error.kind, CallErrorKind::NotSent, "{error}");
    assert!(behind.received().is_empty());
}

#[tokio::test]
async fn is_a_redirect_from_a_believed_server_refused() {
    let elsewhere = server().await;
    let location = format!("Location: {}/stolen", elsewhere.url());
    for status in ["301 Moved", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let behind = FaultServer::start([Fault::Bytes(answer(status, &[&location], ""))]).await;
        let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
        for write in [false, true] {
            let error = ask(options(&front.url()), write).await.expect_err("nobody follows");
            assert_eq!(error.kind, CallErrorKind::WrongUrl, "{status}: {error}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn is_plain_http_refused_unless_chosen() {
    let behind = server().await;
    let problems = HttpTransport::new(HttpOptions::new("crm.sales", behind.url())).expect_err("plain HTTP");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let said = problems[0].to_string();
    assert!(said.contains("crm.sales.base_url") && said.contains("crm.sales.allow_http"), "{said}");
    // A TLS server that is spoken to plainly is no success either.
    let front = TlsFront::start("server", Clients::Anybody, behind.addr).await;
    let plain = front.url().replace("https", "http");
    let options = HttpOptions { allow_http: true, ..HttpOptions::new("crm.sales", plain) };
    ask(options, false).await.expect_err("no HTTP is spoken there");
    assert!(behind.received().is_empty());
}
