//! The bundled connector's write half against a real Odoo 19: judged by what Odoo itself shows.

use crate::support::bridge::{Bridge, Options};
use crate::support::odoo::Odoo;
use dialbridge::control::End;
use dialbridge::crm::{Connector, CrmRead as _, CrmValues, CrmWrite, bundled, parse};
use dialbridge::domain::policy::Job;
use dialbridge::domain::{CallKey, HistoryId, RecordId};
use dialbridge::env::Env;
use dialbridge::remote::http::{HttpOptions, HttpTransport};
use dialbridge::remote::{Auth, CallErrorKind, Client, ClientConfig, Side};
use serde_json::{Value, json};
use std::sync::Arc;

fn connector(odoo: &Odoo) -> Connector {
    connector_of(odoo, bundled("odoo").expect("a bundled file"))
}

fn connector_of(odoo: &Odoo, text: &str) -> Connector {
    let file = parse(text, "odoo").expect("a right file");
    let options = HttpOptions { allow_http: true, ..HttpOptions::new("crm.sales", odoo.url()) };
    let (transport, _) = HttpTransport::new(options).expect("usable options");
    let config = ClientConfig {
        base_url: Some(odoo.url().to_owned()),
        body_check: file.body_check(),
        failure_check: file.failure_check(),
        ..ClientConfig::default()
    };
    let auth = Auth::fixed(file.auth.clone(), odoo.key().to_owned().into());
    let client = Client::new(Side::Crm, config, Arc::new(transport), auth, Env::real(), None);
    Connector::new(file, odoo.url(), None, ["city".to_owned()], Arc::new(client), Env::real())
        .expect("an object")
}

/// A call's key that no earlier run of this test used.
fn fresh_key() -> CallKey {
    CallKey::new("real", HistoryId(i64::try_from(fastrand::u64(1..1 << 40)).expect("a small number")))
}

fn note(text: &str) -> CrmValues {
    CrmValues::from([("body".to_owned(), json!(text))])
}

async fn body_of(odoo: &Odoo, message: &str) -> String {
    let id: u64 = message.parse().expect("a number");
    let rows = odoo.call("mail.message", "read", json!({ "ids": [id], "fields": ["body"] })).await;
    rows[0]["body"].as_str().expect("a text").to_owned()
}

async fn followers(odoo: &Odoo, id: u64) -> Value {
    let fields = json!({ "ids": [id], "fields": ["message_follower_ids"] });
    odoo.call("res.partner", "read", fields).await[0]["message_follower_ids"].clone()
}

#[tokio::test]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_call_becomes_a_note_that_mails_nobody_moves_no_time_and_is_found_again() {
    let odoo = Odoo::running();
    let id = odoo.create(json!([{ "name": "Notes", "email": "notes@example.com" }])).await[0];
    odoo.follows_itself(id).await;
    let (mails, followed, dated) =
        (odoo.mails_about(id).await, followers(&odoo, id).await, odoo.write_date(id).await);
    let writer = connector(&odoo).writer().expect("a write half");
    let (record, key) = (RecordId(id.to_string()), fresh_key());

    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), None);
    let text = "busy; a < b & <b>c</b>";
    let note_id = writer.create_activity(&record, &key, &note(text)).await.expect("created");
    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), Some(note_id.clone()));
    assert_eq!(writer.find_activity(&record, &fresh_key()).await.expect("asked"), None);
    let shown = "a &lt; b &amp; &lt;b&gt;c&lt;/b&gt;";
    assert!(body_of(&odoo, note_id.as_str()).await.contains(shown));

    writer.change_activity(&record, &note_id, &key, &note("sold; a < b & <b>c</b>")).await.expect("changed");
    let body = body_of(&odoo, note_id.as_str()).await;
    assert!(body.contains("sold") && body.contains(shown), "{body}");
    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), Some(note_id));

    assert_eq!(odoo.mails_about(id).await, mails);
    assert_eq!(followers(&odoo, id).await, followed);
    assert_eq!(odoo.write_date(id).await, dated);
    // What the test would have seen: a comment is mailed.
    let comment =
        json!({ "ids": [id], "body": "x", "message_type": "comment", "subtype_xmlid": "mail.mt_comment" });
    odoo.call("res.partner", "message_post", comment).await;
    assert_ne!(odoo.mails_about(id).await, mails);
}

#[tokio::test]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_written_field_comes_back_as_a_change_and_gone_and_wrong_are_told_apart() {
    let odoo = Odoo::running();
    let ids =
        odoo.create(json!([{ "name": "Fields", "email": "fields@example.com" }, { "name": "Gone" }])).await;
    odoo.follows_itself(ids[0]).await;
    let (connector, gone) = (connector(&odoo), RecordId(ids[1].to_string()));
    let writer = connector.writer().expect("a write half");
    let (record, mails) = (RecordId(ids[0].to_string()), odoo.mails_about(ids[0]).await);
    let city = CrmValues::from([("city".to_owned(), json!("Bremen"))]);
    writer.change_record(&record, &city).await.expect("written");
    let page = connector.fetch(std::slice::from_ref(&record)).await.expect("read");
    assert_eq!(page.records[0].as_ref().expect("a good one").fields["city"], json!("Bremen"));
    assert_eq!(odoo.mails_about(ids[0]).await, mails);

    odoo.call("res.partner", "unlink", json!({ "ids": [ids[1]] })).await;
    let error = writer.create_activity(&gone, &fresh_key(), &note("busy")).await.expect_err("gone");
    assert_eq!(error.kind, CallErrorKind::NotFound, "{error}");
    let error = writer.change_record(&gone, &city).await.expect_err("gone");
    assert_eq!(error.kind, CallErrorKind::NotFound, "{error}");

    let odd = CrmValues::from([("no_such_value".to_owned(), json!("x"))]);
    let error = writer.create_activity(&record, &fresh_key(), &odd).await.expect_err("wrong");
    assert_eq!(error.kind, CallErrorKind::Configuration, "{error}");
    let error = writer.change_record(&record, &odd).await.expect_err("no such field");
    assert!(
        matches!(&error.kind, CallErrorKind::Rejected { status: 500, text } if text == "no_such_value"),
        "{error:?}"
    );
    let wrong = CrmValues::from([("country_id".to_owned(), json!(999_999_999))]);
    let error = writer.change_record(&record, &wrong).await.expect_err("no such country");
    assert!(matches!(error.kind, CallErrorKind::Rejected { status: 422, .. }), "{error}");
}

/// The notes that tell of a call, on one partner.
async fn told(odoo: &Odoo, id: u64) -> Vec<Value> {
    let domain = json!([["model", "=", "res.partner"], ["res_id", "=", id], ["body", "ilike", "Call of"]]);
    let asked = json!({ "domain": domain, "fields": ["body", "subtype_id", "write_date"] });
    odoo.call("mail.message", "search_read", asked).await.as_array().expect("a list").clone()
}

/// The first TOML of docs/connectors.md below this heading that begins so.
fn documented(begins: &str) -> String {
    let text = include_str!("../../docs/connectors.md");
    let section = text.split_once("## Odoo: calls as `crm.phonecall`").expect("the section").1;
    let blocks =
        section.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    blocks.into_iter().find(|block| block.starts_with(begins)).expect("the block").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_call_becomes_a_phonecall_as_the_documents_say() {
    let odoo = Odoo::running();
    let reference = format!("Phoned{}", Env::real().random_below(10_000_000));
    let partner = json!({ "name": reference, "ref": reference, "phone": "030 91827365", "email": "phoned@example.com" });
    let id = odoo.create(json!([partner])).await[0];
    odoo.follows_itself(id).await;
    let mails = odoo.mails_about(id).await;
    let only_if = format!("phone and active and ref == '{reference}'");
    let words = "[route.leads.results]\nNO_INTEREST = \"declined\"\nCALL_LATER = \"later\"\n";
    let route = format!("write_back = \"0 0 29 2 *\"\n{words}{}", documented("[route.leads.activity]"));
    let tables = phonecalls();
    let connector = tables.each_ref().map(|(bundled, documented)| (*bundled, documented.as_str()));
    let options = Options { only_if: &only_if, route: &route, connector: &connector, ..Options::default() };
    let bridge = Bridge::new(&odoo, options).await;
    bridge.synced().await;
    bridge.called(id, "NO_INTEREST").await;
    for _ in 0..2 {
        bridge.synced().await;
    }
    let fields = json!(["name", "direction", "state", "partner_phone", "duration", "date"]);
    let asked = json!({ "domain": [["partner_id", "=", id]], "fields": fields });
    let shown = async || {
        let calls = odoo.call("crm.phonecall", "search_read", asked.clone()).await;
        calls.as_array().expect("a list").clone()
    };
    let calls = shown().await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0]["name"], json!("Call: declined"));
    assert_eq!((&calls[0]["direction"], &calls[0]["state"]), (&json!("out"), &json!("done")));
    assert_eq!(calls[0]["partner_phone"], json!("493091827365"));
    let today = Env::real().now().format("%Y-%m-%d ").to_string();
    assert!(calls[0]["date"].as_str().is_some_and(|date| date.starts_with(&today)), "{}", calls[0]["date"]);
    // The result was entered wrongly: the same call says another thing.
    let contact = bridge.contact(id).expect("a contact").id;
    let row = bridge.dialler.history(contact)[0].id;
    assert!(bridge.dialler.portal().correct_result(contact, row, "CALL_LATER"));
    for _ in 0..2 {
        bridge.synced().await;
    }
    let corrected = shown().await;
    assert_eq!((corrected.len(), &corrected[0]["name"]), (1, &json!("Call: later")), "{corrected:?}");
    assert_eq!(odoo.mails_about(id).await, mails);
}

/// What is replaced in the bundled connector, and by what, as docs/connectors.md says.
fn phonecalls() -> [(&'static str, String); 2] {
    let bundled = bundled("odoo").expect("a bundled file");
    let from = bundled.find("[activity]\n").expect("the bundled tables");
    let until = bundled.find("# Without the tracking").expect("what follows them");
    let allowed = bundled.find("[activity.allowed]").expect("the question");
    let behind = allowed + bundled[allowed..].find("\n\n").expect("its end");
    [(&bundled[from..until], documented("[activity]")), (&bundled[allowed..behind], String::new())]
}

/// What keeps a call from standing there twice after an answer that was lost.
#[tokio::test]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_phonecall_is_found_again_by_its_key_and_changed_in_its_place() {
    let odoo = Odoo::running();
    let id = odoo.create(json!([{ "name": "Phoned by key", "email": "by-key@example.com" }])).await[0];
    let bundled = bundled("odoo").expect("a bundled file").to_owned();
    let text = phonecalls().iter().fold(bundled, |text, (theirs, ours)| text.replacen(theirs, ours, 1));
    let writer = connector_of(&odoo, &text).writer().expect("a write half");
    let (record, key) = (RecordId(id.to_string()), fresh_key());
    let values = |name: &str| {
        let date = json!("2026-03-02 10:00:00");
        let values =
            [("name", json!(name)), ("direction", json!("out")), ("duration", json!(0.5)), ("date", date)];
        CrmValues::from(values.map(|(name, value)| (name.to_owned(), value)))
    };
    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), None);
    let made = writer.create_activity(&record, &key, &values("Call: none yet")).await.expect("created");
    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), Some(made.clone()));
    assert_eq!(writer.find_activity(&record, &fresh_key()).await.expect("asked"), None);
    writer.change_activity(&record, &made, &key, &values("Call: declined")).await.expect("changed");
    let asked = json!({ "domain": [["partner_id", "=", id]], "fields": ["name"] });
    let calls = odoo.call("crm.phonecall", "search_read", asked).await;
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
    assert_eq!(calls[0]["name"], json!("Call: declined"));
    assert_eq!(writer.find_activity(&record, &key).await.expect("asked"), Some(made));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_call_goes_the_whole_way_back_once_without_an_echo_and_nobody_is_mailed() {
    let odoo = Odoo::running();
    let reference = format!("Told{}", Env::real().random_below(10_000_000));
    let partner =
        json!({ "name": reference, "ref": reference, "phone": "030 91827364", "email": "told@example.com" });
    let id = odoo.create(json!([partner])).await[0];
    odoo.call("res.partner", "message_subscribe", json!({ "ids": [id], "partner_ids": [id] })).await;
    let mails = odoo.mails_about(id).await;
    let only_if = format!("phone and active and ref == '{reference}'");
    let route = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nbody = \"'Call of ' ~ started_local ~ ': ' ~ outcome\"\n\
                 [route.leads.results]\nNO_INTEREST = \"declined & done\"\n[route.leads.result_fields]\n\
                 function = \"last_outcome\"";
    let options = Options { only_if: &only_if, route, ..Options::default() };
    let bridge = Bridge::new(&odoo, options).await;
    bridge.synced().await;
    bridge.called(id, "NO_INTEREST").await;
    bridge.synced().await;

    let notes = told(&odoo, id).await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    let body = notes[0]["body"].as_str().expect("a text");
    assert!(body.contains(": declined &amp; done"), "{body}");
    assert_eq!(notes[0]["subtype_id"][1], json!("Note"), "nobody outside is told of it");
    let partner = odoo.partners(json!([["id", "=", id]])).await;
    assert_eq!(partner.len(), 1);
    let written = odoo.call("res.partner", "read", json!({ "ids": [id], "fields": ["function"] })).await;
    assert_eq!(written[0]["function"], json!("declined & done"));

    // It comes back as a changed record, again and again within the overlap: neither side is written to.
    let (dated, writes) = (odoo.write_date(id).await, bridge.dialler.journal().write_count());
    for _ in 0..3 {
        bridge.synced().await;
    }
    assert_eq!(bridge.dialler.journal().write_count(), writes);
    assert_eq!(odoo.write_date(id).await, dated);
    assert_eq!(told(&odoo, id).await, notes);
    assert_eq!(odoo.mails_about(id).await, mails);
    let day = bridge.binary(&["results", "--day", "today", "--missing"]);
    assert!(day.text.contains("leads: 1 calls = 1 told to the CRM"), "{}", day.text);

    // A record that is gone is not told a thousand times.
    bridge.called(id, "NO_INTEREST").await;
    odoo.call("res.partner", "unlink", json!({ "ids": [id] })).await;
    bridge.synced().await;
    let (end, said) = bridge.run(Job::WriteBack).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(bridge.binary(&["results", "open"]).text.contains("told of everything"));
}
