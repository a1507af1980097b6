//! Connectors over real sockets: each way of paging and of writing, each way of proving who asks, and addresses that
//! an answer names.

use crate::support::fault_server::{Fault, FaultServer, json};
use dialbridge::crm::{Connector, CrmRead, CrmValues, CrmWrite as _, bundled, parse};
use dialbridge::domain::{CallKey, HistoryId, RecordId};
use dialbridge::env::Env;
use dialbridge::remote::http::{HttpOptions, HttpTransport};
use dialbridge::remote::{Auth, CallError, CallErrorKind, Client, ClientConfig, Side};
use dialbridge::sim::crm::{Login, Settings, SimCrm};
use dialbridge::sim::journal::Detail;
use dialbridge::sim::serve::{Serving, serve};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

const TOKEN: &str = "a-token";

async fn sim() -> (SimCrm, Serving) {
    let settings = Settings { login: Login::Token(TOKEN.to_owned()), ..Settings::default() };
    let crm = SimCrm::new(settings, Env::real(), 7, Detail::Full);
    let serving = serve(crm.router()).await.expect("a port");
    (crm, serving)
}

/// The bundled connector at this address, its secret in these files.
fn connector(style: &str, url: &str, secrets: &[PathBuf]) -> Connector {
    let file = parse(bundled(style).expect("a bundled file"), style).expect("a right file");
    let options = HttpOptions { allow_http: true, ..HttpOptions::new("crm.sales", url) };
    let (transport, _) = HttpTransport::new(options).expect("usable options");
    let (auth, _) =
        Auth::from_files(file.auth.clone(), "crm.sales.token_file", secrets).expect("usable secrets");
    let config = ClientConfig {
        base_url: Some(url.to_owned()),
        body_check: file.body_check(),
        read_tries: 1,
        ..ClientConfig::default()
    };
    let client = Client::new(Side::Crm, config, Arc::new(transport), auth, Env::real(), None);
    Connector::new(file, url, None, [], Arc::new(client), Env::real()).expect("an object")
}

struct Secrets(tempfile::TempDir);

impl Secrets {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

async fn all(connector: &Connector) -> Result<BTreeSet<RecordId>, CallError> {
    let (mut ids, mut next) = (BTreeSet::new(), None);
    loop {
        let page = connector.changed_since(None, next.as_ref()).await?;
        ids.extend(page.records.into_iter().flatten().map(|record| record.id));
        match page.next {
            Some(token) => next = Some(token),
            None => return Ok(ids),
        }
    }
}

#[tokio::test]
async fn does_every_bundled_way_read_a_real_server_to_its_end() {
    let (crm, serving) = sim().await;
    crm.editor().seed(950, 1);
    let secrets = Secrets::new();
    let token = secrets.file("token", &format!("{TOKEN}\n"));
    let pair = secrets.file("pair", &format!("sim:{TOKEN}\n"));
    for (style, secret) in [
        ("sim-id", &token),
        ("sim-offset", &token),
        ("sim-cursor", &token),
        ("sim-next", &token),
        ("sim-page", &pair),
        ("sim-link", &pair),
    ] {
        let found = all(&connector(style, &serving.url(), std::slice::from_ref(secret))).await;
        assert_eq!(found.unwrap_or_else(|error| panic!("{style}: {error}")).len(), 950, "{style}");
    }
}

#[tokio::test]
async fn does_every_bundled_way_write_to_a_real_server() {
    let (crm, serving) = sim().await;
    crm.editor().seed(5, 1);
    let secrets = Secrets::new();
    let token = secrets.file("token", &format!("{TOKEN}\n"));
    let pair = secrets.file("pair", &format!("sim:{TOKEN}\n"));
    let styles = [
        ("sim-id", &token),
        ("sim-offset", &token),
        ("sim-cursor", &token),
        ("sim-page", &pair),
        ("sim-link", &pair),
    ];
    for (call, (style, secret)) in styles.into_iter().enumerate() {
        let writer = connector(style, &serving.url(), std::slice::from_ref(secret)).writer().expect(style);
        let record = RecordId((call + 1).to_string());
        let key = CallKey::new("a", HistoryId(i64::try_from(call).expect("a few")));
        let values = |text: &str| CrmValues::from([("note".to_owned(), serde_json::json!(text))]);
        let id = writer.create_activity(&record, &key, &values("büsy")).await.expect(style);
        writer.change_activity(&record, &id, &key, &values("söld")).await.expect(style);
        writer.change_record(&record, &values("söld")).await.expect(style);
        assert_eq!(crm.activities().len(), call + 1, "{style}");
        assert_eq!(crm.activities()[call].fields["note"], serde_json::json!("söld"), "{style}");
        assert_eq!(crm.editor().field(call as u64 + 1, "note"), Some(serde_json::json!("söld")), "{style}");
    }
}

#[tokio::test]
async fn does_a_token_go_to_another_host_that_an_answer_names() {
    let elsewhere = FaultServer::start([Fault::Bytes(json("200 OK", r#"{"items":[]}"#))]).await;
    let (crm, serving) = sim().await;
    crm.editor().seed(450, 1);
    crm.set(|settings| settings.next_page_at = Some(elsewhere.url()));
    let secrets = Secrets::new();
    for (style, secret) in [("sim-next", TOKEN.to_owned()), ("sim-link", format!("sim:{TOKEN}"))] {
        let secret = secrets.file(style, &secret);
        let error = all(&connector(style, &serving.url(), &[secret])).await.expect_err("another host");
        assert_eq!(error.kind, CallErrorKind::BadAnswer, "{error}");
        assert!(error.detail.contains(&elsewhere.url()) && error.detail.contains("base_url"), "{error}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn is_the_second_secret_taken_where_the_first_is_refused() {
    let (crm, serving) = sim().await;
    crm.editor().seed(5, 1);
    let secrets = Secrets::new();
    for style in ["sim-page", "sim-link"] {
        let files = [secrets.file("old", "sim:old"), secrets.file("new", &format!("sim:{TOKEN}"))];
        assert_eq!(
            all(&connector(style, &serving.url(), &files)).await.expect("the second").len(),
            5,
            "{style}"
        );
        let error = all(&connector(style, &serving.url(), &files[..1])).await.expect_err("no good secret");
        assert_eq!(error.kind, CallErrorKind::Unauthorized, "{style}");
        assert!(error.detail.contains("old") && !error.to_string().contains("sim:old"), "{error}");
    }
}
