//! Whatever the other side says of a request, our secrets are in no line, no answer of a verb and no row of the ledger,
//! and nothing about people is in the log.

use super::house::{House, Ran, TOKEN};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

/// What an error repeats: the request's token, its record, its number, its whole query.
const ECHO: &str = r#"{ "success": false, "status": 400, "error": "Authorization: Bearer canary-token-4711 may not read Canaryname, +49 30 23125 471, canaryname@example.com", "message": "canary-token-4711 is no good for Canaryname", "detail": "key canary-token-4711", "error_description": "client_secret=canary-token-4711 of Canaryname" }"#;
/// As the token address says it: the standard's code, and its own words.
const CLIENT: &str = r#"{ "error": "invalid_client", "error_description": "client_secret canary-token-4711 of sim is wrong" }"#;
const SCOPE: &str = r#"{ "error": "canary-token-4711 has no scope", "client_secret": "canary-token-4711" }"#;

/// About people; the secret is looked for besides.
const PERSONAL: [&str; 4] = ["anaryname", "23125", "0-canary", "example.com"];

fn without_secret(text: &str, of: &str) {
    assert!(!text.contains("anary-to"), "the token is in {of}:\n{text}");
}

fn without_persons(text: &str, of: &str) {
    for word in PERSONAL {
        assert!(!text.contains(word), "{word:?} is in {of}:\n{text}");
    }
}

/// What a person may ask the other sides for when something is wrong; none of it may hold the token.
const ASKING: [&[&str]; 9] = [
    &["sync"],
    &["sync", "harvest"],
    &["check"],
    &["try", "--route", "leads", "1"],
    &["token", "test"],
    &["contacts", "list"],
    &["contacts", "get", "leads-1"],
    &["contacts", "history", "leads-1"],
    &["contacts", "update", "leads-1", "--set", "Street=Hafengasse 1", "--reason", "asked"],
];
/// What is read of what was kept of the errors.
const READING: [&[&str]; 7] = [
    &["status"],
    &["status", "--json"],
    &["ledger", "runs"],
    &["ledger", "runs", "--json"],
    &["ledger", "operations", "--all", "--json"],
    &["ledger", "parked", "--json"],
    &["ledger", "skipped"],
];

/// Of these nobody expects a name: what is wrong is told, not with whom.
fn tells_of_nobody(verb: &[&str]) -> bool {
    matches!(verb[0], "sync" | "status" | "check" | "token") || verb.starts_with(&["ledger", "runs"])
}

async fn ask_everything(house: &House, verbs: &[&[&str]]) -> usize {
    let mut failed = 0;
    for verb in verbs {
        let ran: Ran = house.run(verb).await;
        failed += usize::from(ran.code() != Some(0));
        without_secret(&ran.said(), &format!("{verb:?}"));
        if tells_of_nobody(verb) {
            without_persons(&ran.said(), &format!("{verb:?}"));
        }
    }
    failed
}

async fn ledger_holds_no_secret(house: &House) {
    for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let bytes = std::fs::read(house.path(file)).unwrap_or_default();
        let found = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token is in {file}");
    }
}

fn populate(house: &House) {
    let editor = house.crm.editor();
    let canary =
        json!({ "name": "Canaryname", "email": "canaryname@example.com", "phone": "+49 30 23125 471" });
    editor.edit(1, canary);
    editor.edit(2, json!({ "name": "Canaryname Bad", "phone": "0-canary-0" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_repeats_our_request_gives_nothing_away_in_any_form_of_the_log() {
    // Every refusal in one form; in the others one, because the form of the log does not know which it was.
    let forms: [(&str, &str, &[u16]); 3] =
        [("text", "trace", &[400, 403, 422]), ("json", "info", &[400]), ("json", "debug", &[422])];
    for (format, level, codes) in forms {
        let house = House::new(4).await;
        populate(&house);
        house.write_config(&format!("[log]\nformat = \"{format}\"\nlevel = \"{level}\"\n"));
        house.switched_on_whatever_is_parked().await;
        let daemon = house.daemon().await;
        house.run(&["sync"]).await;
        let mut failed = 0;
        for &code in codes {
            let says = || Rule::new(Action::Says { code, body: ECHO });
            house.crm.faults.add(says());
            failed += ask_everything(&house, &ASKING).await;
            house.crm.faults.clear();
            house.dialler.faults().add(says().method(http::Method::POST));
            house.crm.editor().edit(1, json!({ "name": format!("Canaryname {code}") }));
            failed += ask_everything(&house, &ASKING).await;
            house.dialler.faults().clear();
        }
        assert_eq!(ask_everything(&house, &READING).await, 0, "the ledger answers");
        assert!(failed > 5 * codes.len(), "the test must meet failures: {failed}");
        let log = daemon.log();
        assert!(log.lines().count() > 10, "there is a log: {log}");
        without_secret(&log, &format!("the log ({format}, {level})"));
        if level == "info" {
            without_persons(&log, "the log at the usual level");
        }
        ledger_holds_no_secret(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_address_that_repeats_the_secret_gives_nothing_away() {
    let house = House::new(2).await;
    house.write_token("crm.token", &format!("sim:{TOKEN}"));
    let text = house.config_text("[log]\nlevel = \"trace\"\n").replace("\"sim-id\"", "\"sim-link\"");
    std::fs::write(house.config(), text).expect("written");
    house.switched_on().await;
    let daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    for (code, body) in [(401, CLIENT), (400, CLIENT), (400, SCOPE), (200, SCOPE), (302, SCOPE)] {
        house.crm.faults.add(Rule::new(Action::Says { code, body }).path("/oauth/token"));
        house.crm.revoke_access();
        for verb in [&["sync", "pull"][..], &["check"], &["token", "test", "sales"], &["status"]] {
            let ran = house.run(verb).await;
            without_secret(&ran.said(), &format!("{verb:?}, {code}"));
        }
        house.run(&["sync", "pull"]).await.expect(1);
        house.crm.faults.clear();
    }
    house.env.sleep(Duration::from_millis(200)).await;
    without_secret(&daemon.log(), "the log");
    ledger_holds_no_secret(&house).await;
}
