//! The real Odoo that `tests/real/odoo.sh start` started: what its users do to it, and what it says itself.

use dialbridge::remote::http::{HttpOptions, HttpTransport};
use dialbridge::remote::{Request, Transport as _};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running Odoo.
pub struct Odoo {
    values: BTreeMap<String, String>,
    transport: HttpTransport,
    key: String,
}

impl Odoo {
    /// The one whose `odoo.sh env` was written into the file that DIALBRIDGE_ODOO_ENV names.
    pub fn running() -> Self {
        let file = std::env::var("DIALBRIDGE_ODOO_ENV")
            .expect("DIALBRIDGE_ODOO_ENV must name a file with the output of `tests/real/odoo.sh env`");
        let text = std::fs::read_to_string(file).expect("the file that DIALBRIDGE_ODOO_ENV names");
        // The values are quoted for a shell; a backslash is all that paths and addresses ever need.
        let pair = |line: &str| {
            let (name, value) = line.split_once('=')?;
            Some((name.to_owned(), value.replace('\\', "")))
        };
        let values: BTreeMap<String, String> = text.lines().filter_map(pair).collect();
        let key = std::fs::read_to_string(&values["ODOO_KEY_FILE"]).expect("the user's key");
        let mut options = HttpOptions::new("crm.real", values["ODOO_URL"].as_str());
        options.allow_http = true;
        let (transport, _warning) = HttpTransport::new(options).expect("a client");
        Self { values, transport, key: key.trim().to_owned() }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.values["ODOO_URL"]
    }

    /// The ordinary user's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The server's process.
    pub fn pid(&self) -> &str {
        &self.values["ODOO_PID"]
    }

    /// A verb of `tests/real/odoo_do.py` and its answer.
    pub fn does(&self, words: &[&str]) -> Value {
        answer(words, self.begins(words))
    }

    /// A verb that goes on while the test does; [`answer`] waits for its end.
    pub fn begins(&self, words: &[&str]) -> Child {
        let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/odoo_do.py");
        let mut command = Command::new(&self.values["ODOO_PYTHON"]);
        command.arg(script).args(words).envs(&self.values);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the driver starts")
    }

    /// A call as the ordinary user, straight over JSON-2: for what has to be quick.
    pub async fn call(&self, model: &str, method: &str, arguments: Value) -> Value {
        self.call_with(&self.key, model, method, arguments).await
    }

    /// The customer follows their own record: whatever is a comment there, or a change that is told to followers, is mailed to
    /// them. Without that a test cannot see that a customer would be mailed.
    pub async fn follows_itself(&self, partner: u64) {
        let arguments = json!({ "ids": [partner], "partner_ids": [partner] });
        self.call("res.partner", "message_subscribe", arguments).await;
    }

    /// How many mails about a partner, to a partner, or about any logged call or blacklisted number Odoo has queued or tried
    /// to send; only an administrator may know. Tests run beside each other, and some of them have a mail about another
    /// partner sent on purpose.
    pub async fn mails_about(&self, partner: u64) -> Value {
        let key =
            std::fs::read_to_string(&self.values["ODOO_ADMIN_KEY_FILE"]).expect("the administrator's key");
        let about = json!(["&", ["model", "=", "res.partner"], ["res_id", "=", partner]]);
        let to = json!(["recipient_ids", "in", [partner]]);
        let of_ours = json!(["model", "in", ["crm.phonecall", "phone.blacklist"]]);
        let about = json!(["|", "|", to, of_ours, about[0], about[1], about[2]]);
        self.call_with(key.trim(), "mail.mail", "search_count", json!({ "domain": about })).await
    }

    async fn call_with(&self, key: &str, model: &str, method: &str, arguments: Value) -> Value {
        let mut headers = http::HeaderMap::new();
        let value = |text: String| http::HeaderValue::try_from(text).expect("a header");
        headers.insert(http::header::AUTHORIZATION, value(format!("bearer {key}")));
        headers.insert(http::header::CONTENT_TYPE, value("application/json".to_owned()));
        let url = format!("{}/json/2/{model}/{method}", self.url());
        let body = Some(arguments.to_string().into());
        let request = Request { method: http::Method::POST, url, headers, body };
        let mut response = self.transport.send(request).await.expect("Odoo answers");
        let mut body = Vec::new();
        while let Some(chunk) = response.body.next().await {
            body.extend_from_slice(&chunk.expect("a whole answer"));
        }
        let text = String::from_utf8_lossy(&body);
        assert!(response.status.is_success(), "{model}/{method}: {} {text}", response.status);
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Makes partners; their ids in the same order.
    pub async fn create(&self, partners: Value) -> Vec<u64> {
        let ids = self.call("res.partner", "create", json!({ "vals_list": partners })).await;
        serde_json::from_value(ids).expect("ids")
    }

    /// Changes partners, all in one call.
    pub async fn write(&self, ids: &[u64], values: Value) {
        self.call("res.partner", "write", json!({ "ids": ids, "vals": values })).await;
    }

    /// Partners as Odoo shows them to the ordinary user, archived ones too, by id.
    pub async fn partners(&self, domain: Value) -> BTreeMap<u64, Value> {
        let fields = [
            "name",
            "phone",
            "phone_sanitized",
            "phone_sanitized_blacklisted",
            "email",
            "city",
            "ref",
            "active",
            "write_date",
        ];
        let arguments =
            json!({ "domain": domain, "fields": fields, "order": "id", "context": { "active_test": false } });
        let Value::Array(rows) = self.call("res.partner", "search_read", arguments).await else {
            panic!("a list of partners")
        };
        rows.into_iter().map(|row| (row["id"].as_u64().expect("an id"), row)).collect()
    }

    /// When a partner was changed, as Odoo tells it.
    pub async fn write_date(&self, id: u64) -> String {
        let row = self.partners(json!([["id", "=", id]])).await;
        row[&id]["write_date"].as_str().expect("a time").to_owned()
    }
}

/// What a verb answered in the end.
pub fn answer(words: &[&str], child: Child) -> Value {
    let output = child.wait_with_output().expect("the driver ends");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the driver prints JSON")
}
