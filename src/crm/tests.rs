//! The engine against scripted answers: what goes out, and answers that contradict their request.

use super::{Called, Caller, Connector, CrmRead, bundled, parse};
use crate::domain::{RecordId, Timestamp};
use crate::env::Env;
use crate::remote::{BodyFault, CallContext, CallError, CallErrorKind, Request, Side};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Stands for a 404 with a JSON body.
const GONE: &str = "gone";

/// Answers in turn (the last one for ever) and keeps what was asked.
struct Script {
    answers: Mutex<Vec<Value>>,
    asked: Mutex<Vec<Request>>,
}

impl Script {
    fn new(mut answers: Vec<Value>) -> Arc<Self> {
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn asked(&self, index: usize) -> (String, Value) {
        let request = self.asked.lock().unwrap()[index].clone();
        let body = request.body.map(|body| serde_json::from_slice(&body).unwrap()).unwrap_or_default();
        (request.url, body)
    }
}

#[async_trait::async_trait]
impl Caller for Script {
    async fn call(&self, _: CallContext, request: Request) -> Result<Called, CallError> {
        self.asked.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        let answer = answer.expect("an answer");
        if answer == json!(GONE) {
            let (kind, what) = (CallErrorKind::NotFound, "script".to_owned());
            return Err(CallError { side: Side::Crm, kind, what, detail: String::new(), status: Some(404) });
        }
        let body = answer.to_string().into();
        Ok(Called { body, server_time: None, links: Vec::new() })
    }
}

fn connector(name: &str, limit: (&str, &str), script: &Arc<Script>) -> Connector {
    let text = bundled(name).unwrap().replacen(limit.0, limit.1, 1);
    let file = parse(&text, name).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let fields = ["name".to_owned(), "phone".to_owned()];
    Connector::new(file, "https://crm.example.com", None, fields, script.clone(), Env::real()).unwrap()
}

fn partner(id: u64) -> Value {
    json!({ "id": id, "name": "Name", "phone": false, "active": true, "write_date": "2026-03-02 10:00:00" })
}

fn since() -> Option<Timestamp> {
    Some("2026-03-02T09:59:59.9Z".parse().unwrap())
}

const TWO: (&str, &str) = ("limit     = 500", "limit = 2");

#[tokio::test]
async fn odoo_is_asked_by_time_and_id_with_archived_records() {
    let script = Script::new(vec![json!([partner(3), partner(7)]), json!([partner(9)])]);
    let odoo = connector("odoo", TWO, &script);
    let first = odoo.changed_since(since(), None).await.unwrap();
    let last = odoo.changed_since(since(), first.next.as_ref()).await.unwrap();
    assert_eq!((first.records.len(), last.records.len(), last.next), (2, 1, None));
    let (url, body) = script.asked(0);
    assert_eq!(url, "https://crm.example.com/json/2/res.partner/search_read");
    let expected = json!({
        "domain": [["write_date", ">=", "2026-03-02 09:59:59"]],
        "fields": ["active", "name", "phone", "write_date"],
        "order": "id",
        "limit": 2,
        "context": { "active_test": false },
    });
    assert_eq!(body, expected);
    assert_eq!(
        script.asked(1).1["domain"],
        json!([["write_date", ">=", "2026-03-02 09:59:59"], ["id", ">", 7]])
    );
    assert_eq!(first.records[0].as_ref().unwrap().fields["phone"], Value::Null);

    let script = Script::new(vec![json!([partner(3)])]);
    let odoo = connector("odoo", TWO, &script);
    odoo.changed_since(None, None).await.unwrap();
    assert_eq!(script.asked(0).1["domain"], json!([]), "everything");
    odoo.fetch(&[RecordId::from("3"), RecordId::from("no number")]).await.unwrap();
    assert_eq!(script.asked(1).1["domain"], json!([["id", "in", [3]]]));
}

#[tokio::test]
async fn a_server_that_ignores_what_was_asked_is_not_believed() {
    let refuse = async |answers: Vec<Value>| {
        let script = Script::new(answers);
        let odoo = connector("odoo", TWO, &script);
        let mut token = None;
        for _ in 0..10 {
            match odoo.changed_since(since(), token.as_ref()).await {
                Ok(page) => token = page.next,
                Err(error) => {
                    assert_eq!(error.kind, CallErrorKind::BadAnswer);
                    return error.detail;
                }
            }
            assert!(token.is_some(), "the list ended");
        }
        panic!("it was believed ten times")
    };
    let same = vec![json!([partner(3), partner(7)])];
    assert!(refuse(same).await.contains("ignores the id filter"));
    let unordered = vec![json!([partner(7), partner(3)])];
    assert!(refuse(unordered).await.contains("not ordered by id"));
    let nameless = vec![json!([{ "id": null }, { "id": false }])];
    assert!(refuse(nameless).await.contains("has an id"));
    let no_list = vec![json!({ "result": [] })];
    assert!(refuse(no_list).await.contains("no list"));

    let script = Script::new(vec![json!([partner(3), partner(4)])]);
    let error = connector("odoo", TWO, &script).fetch(&[RecordId::from("3")]).await.unwrap_err();
    assert!(error.detail.contains("ignores the ids"), "{error}");

    // A companion with a row that has no id is half an answer.
    let script = Script::new(vec![json!([3, false])]);
    let companion = connector("odoo", TWO, &script).companion("phone_sanitized_blacklisted").await;
    assert_eq!(companion.unwrap_err().kind, CallErrorKind::BadAnswer);
}

#[tokio::test]
async fn ids_stay_as_the_crm_wrote_them_and_a_fraction_is_none() {
    let raw = r#"[{ "id": 9007199254740993, "active": true }, { "id": 1.5, "active": true }]"#;
    let script = Script::new(vec![serde_json::from_str(raw).unwrap()]);
    let page = connector("odoo", TWO, &script).changed_since(None, None).await.unwrap();
    assert_eq!(page.records[0].as_ref().unwrap().id.as_str(), "9007199254740993");
    assert!(page.records[1].is_err());
}

#[tokio::test]
async fn odoos_blacklist_is_read_as_bare_ids_page_by_page() {
    let script = Script::new(vec![json!([3, 7]), json!([9])]);
    let odoo = connector("odoo", ("limit     = 5000", "limit = 2"), &script);
    let ids = odoo.companion("phone_sanitized_blacklisted").await.unwrap();
    assert_eq!(ids, ["3", "7", "9"].map(RecordId::from).into());
    let (url, body) = script.asked(1);
    assert_eq!(url, "https://crm.example.com/json/2/res.partner/search");
    assert_eq!(body["domain"][1], json!(["id", ">", 7]));
    assert_eq!(body["context"], json!({ "active_test": false }));
}

#[tokio::test]
async fn a_companion_that_no_record_carries_is_not_asked_for_as_a_field() {
    let asked = async |change: (&str, &str)| {
        let script = Script::new(vec![json!([])]);
        let file = parse(&bundled("odoo").unwrap().replacen(change.0, change.1, 1), "odoo").unwrap();
        let fields = ["name".to_owned(), "phone_sanitized_blacklisted".to_owned()];
        let odoo = Connector::new(file, "https://crm.example.com", None, fields, script.clone(), Env::real())
            .unwrap();
        odoo.changed_since(None, None).await.unwrap();
        script.asked(0).1["fields"].clone()
    };
    let carried = json!(["active", "name", "phone_sanitized_blacklisted", "write_date"]);
    assert_eq!(asked(("in_record = true", "in_record = true")).await, carried);
    assert_eq!(asked(("in_record = true", "")).await, json!(["active", "name", "write_date"]));
}

#[test]
fn odoos_500_for_an_unknown_field_is_a_matter_of_configuration() {
    let file = parse(bundled("odoo").unwrap(), "odoo").unwrap();
    assert!(file.body_check().is_none(), "Odoo's errors have a status of their own");
    let check = file.failure_check().unwrap();
    let told = |status: u16, name: &str, message: &str| {
        let body = json!({ "name": name, "message": message, "debug": "Traceback" }).to_string();
        check(http::StatusCode::from_u16(status).unwrap(), body.as_bytes())
    };
    // As a real Odoo 19 words them.
    let unknown = "Invalid field 'do_not_call' on 'res.partner'";
    let Some(BodyFault::Configuration(text)) = told(500, "builtins.ValueError", unknown) else {
        panic!("a field nobody has is no illness of the server")
    };
    assert!(text.contains("do_not_call") && !text.contains("Traceback"), "{text}");
    let model = told(404, "werkzeug.exceptions.NotFound", "the model 'res.partnerx' does not exist");
    assert!(matches!(model, Some(BodyFault::Configuration(_))), "{model:?}");
    let access = told(403, "odoo.exceptions.AccessError", "You are not allowed to access 'Kim' records");
    let Some(BodyFault::Configuration(text)) = access else { panic!("a right that is missing") };
    assert!(!text.contains("Kim"), "{text}");
    // These stay what their status means.
    assert_eq!(told(500, "psycopg2.pool.PoolError", "The Connection Pool Is Full"), None);
    assert_eq!(told(404, "odoo.exceptions.MissingError", "Record does not exist or has been deleted."), None);
    assert_eq!(told(200, "builtins.ValueError", unknown), None);
    assert_eq!(check(http::StatusCode::INTERNAL_SERVER_ERROR, b"<html>"), None);
}

#[tokio::test]
async fn a_token_of_another_connector_is_refused() {
    let script = Script::new(vec![json!([])]);
    let error = connector("odoo", TWO, &script)
        .changed_since(None, Some(&super::PageToken("c-17".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_crm_without_a_list_of_ids_is_asked_one_by_one() {
    let text = bundled("sim-id").unwrap().replacen(
        "path    = \"/api/{object}/by-ids\"\nquery   = { ids = \"{ids}\" }\nrecords = \"/items\"\nbatch   = 200",
        "path    = \"/api/{object}/{ids}\"\nrecords = \"/item\"\nbatch   = 1",
        1,
    );
    let file = parse(&text, "sim-id").unwrap_or_else(|problems| panic!("{problems:#?}"));
    let script = Script::new(vec![json!({ "item": { "id": 3, "active": true } }), json!(GONE)]);
    let crm = Connector::new(file, "https://crm.example.com", None, [], script.clone(), Env::real()).unwrap();
    let page = crm.fetch(&[RecordId::from("3"), RecordId::from("7")]).await.unwrap();
    assert_eq!(page.records.len(), 1, "one is there, one is gone");
    assert_eq!(script.asked(0).0, "https://crm.example.com/api/contacts/3");
    assert_eq!(script.asked(1).0, "https://crm.example.com/api/contacts/7");
}

#[tokio::test]
async fn an_answer_that_may_be_cut_frees_nobody() {
    let text = bundled("sim-offset").unwrap().replacen(
        "body    = '{ \"numbers\": \"{values}\" }'",
        "body    = '{ \"numbers\": \"{values}\", \"limit\": \"{limit}\" }'\nlimit   = 2",
        1,
    );
    let file = parse(&text, "sim-offset").unwrap_or_else(|problems| panic!("{problems:#?}"));
    let numbers = json!({ "items": [{ "number": "+4930" }] });
    let set = async |found: Value| {
        let script = Script::new(vec![numbers.clone(), json!({ "items": found })]);
        let crm =
            Connector::new(file.clone(), "https://crm.example.com", None, [], script.clone(), Env::real());
        let set = crm.unwrap().companion("phone_blacklisted").await;
        assert_eq!(script.asked(1).1, json!({ "numbers": ["+4930"], "limit": 2 }));
        set
    };
    assert_eq!(set(json!([{ "id": 3 }])).await.unwrap(), ["3"].map(RecordId::from).into());
    let error = set(json!([{ "id": 3 }, { "id": 4 }])).await.unwrap_err();
    assert!(error.detail.contains("may be cut"), "{error}");
}
