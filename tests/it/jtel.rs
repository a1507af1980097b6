//! The jtel adapter over real HTTP: what it asks, and what it makes of the answers.

use crate::support::fault_server::{Fault, FaultServer, Received, answer, json};
use crate::wire::{client, quick, token};
use dialbridge::dialler::jtel::{JtelClient, JtelConfig, Release};
use dialbridge::dialler::{
    BatchQuery, CampaignRef, Changes, ContactRef, DiallerRead, DiallerWrite, ImportMode, Listed, WriteContext,
};
use dialbridge::domain::{CampaignId, ContactId, FieldName, OperationId, Permit, UserData, Values};
use dialbridge::remote::{CallClass, CallError, CallErrorKind};
use futures_util::StreamExt as _;
use serde_json::{Value, json as value};

const CONTACT: &str = r#"{"records":[{"ID":7,"UserData":"leads:1","Name":"N"}],"count":1,"status":200}"#;
const CONTEXT: WriteContext = WriteContext { operation: Some(OperationId(1)), still: None };

async fn dialler(
    script: impl IntoIterator<Item = Vec<u8>>,
    release: Option<&str>,
) -> (FaultServer, JtelClient) {
    let server = FaultServer::start(script.into_iter().map(Fault::Bytes)).await;
    let base = format!("{}/rest/v1.0/3", server.url());
    let mut config = JtelConfig::new(&base, chrono_tz::Europe::Berlin);
    config.release = release.and_then(Release::parse);
    let client = client(&base, quick(), token());
    (server, JtelClient::new(config, client))
}

fn ok(body: &str) -> Vec<u8> {
    json("200 OK", body)
}

fn last(server: &FaultServer) -> Received {
    server.received().pop().unwrap()
}

fn body(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

fn values(pairs: &[(&str, Value)]) -> Values {
    pairs.iter().map(|(name, value)| (FieldName::parse(name).unwrap(), value.clone())).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test of the client stands in for the gate")]
fn permit() -> Permit {
    Permit::granted_by_gate(1)
}

async fn list(script: impl IntoIterator<Item = Fault>) -> Vec<Result<Listed, CallError>> {
    let server = FaultServer::start(script).await;
    let base = format!("{}/rest/v1.0/3", server.url());
    let config = JtelConfig::new(&base, chrono_tz::Europe::Berlin);
    let dialler = JtelClient::new(config, client(&base, quick(), token()));
    let stream = dialler.list_contacts(Some(CampaignId(5)), CallClass::Harvest).await.unwrap();
    let items = stream.collect().await;
    assert_eq!(last(&server).line, "GET /rest/v1.0/3/dialler/contacts?diallerCampaignsID=5");
    items
}

#[tokio::test]
async fn a_list_is_handed_on_and_a_bad_element_harms_no_other() {
    let body = r#"{"filter":"","records":[{"ID":1},{"Name":"no id"},7,{"ID":2}],"count":4,"status":200}"#;
    let items: Vec<_> = list([Fault::Bytes(ok(body))]).await.into_iter().map(Result::unwrap).collect();
    let shown: Vec<_> = items
        .iter()
        .map(|item| match item {
            Listed::Contact(contact) => contact.id.0.to_string(),
            Listed::Bad(bad) => format!("{} {}", bad.position, bad.why),
        })
        .collect();
    assert_eq!(shown, ["1", "1 it has no ID", "2 it is no object", "2"]);
}

#[tokio::test]
async fn a_list_that_is_cut_or_contradicts_itself_ends_with_an_error() {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    for rest in [
        r#"{"records":[{"ID":1},{"ID":2"#,
        r#"{"records":[{"ID":1}],"count":2,"status":200}"#,
        r#"{"records":[{"ID":1}],"count":1,"status":500}"#,
        r#"{"records":[{"ID":1}],"count":1,"status":200}<html>"#,
    ] {
        let items = list([Fault::ThenClose(format!("{head}{rest}").into_bytes())]).await;
        assert!(matches!(&items[0], Ok(Listed::Contact(contact)) if contact.id.0 == 1), "{rest}");
        let error = items.last().unwrap().as_ref().unwrap_err();
        assert_eq!((items.len(), &error.kind), (2, &CallErrorKind::BadAnswer), "{rest}: {error}");
    }
}

#[tokio::test]
async fn an_import_carries_everything_and_only_what_the_release_takes() {
    let (server, dialler) = dialler([ok(CONTACT)], Some("3.39")).await;
    let key = UserData::parse("leads:1").unwrap();
    let fields = values(&[("Name", value!("N")), ("Email", Value::Null), ("Amount", value!("9.5"))]);
    let mode = ImportMode { overwrite: true, reset: None, unlock: Some(false) };
    let campaign = CampaignRef::Id(CampaignId(538));
    let contact = dialler.import(&permit(), &campaign, &key, &fields, mode, CONTEXT).await.unwrap();
    assert_eq!(contact.id, ContactId(7));
    let request = last(&server);
    let path = "/rest/v1.0/3/dialler/contacts/import?overwriteDuplicates=true&unlockContact=false";
    assert_eq!(request.line, format!("POST {path}"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        body(&request),
        value!({"DiallerCampaignsID": 538, "UserData": "leads:1", "Name": "N", "Email": null, "Amount": 9.5})
    );

    let (server, old) = self::dialler([ok(CONTACT)], Some("3.38")).await;
    let error = old.import(&permit(), &campaign, &key, &fields, mode, CONTEXT).await.unwrap_err();
    assert!(matches!(error.kind, CallErrorKind::Rejected { .. }), "{error}");
    assert!(server.received().is_empty(), "a server that ignores unlockContact=false would unlock");
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_uncertain_after_a_write() {
    let key = UserData::parse("leads:2").unwrap();
    let mode = ImportMode { overwrite: true, reset: None, unlock: None };
    let (_server, dialler) = dialler([ok(CONTACT)], None).await;
    let campaign = CampaignRef::Name("Spring".to_owned());
    let error = dialler.import(&permit(), &campaign, &key, &Values::new(), mode, CONTEXT).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Uncertain);
    let changes = Changes::plain(values(&[("Name", value!("N"))])).unwrap();
    let error = dialler.update(&ContactRef::Id(ContactId(8)), &changes, CONTEXT).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Uncertain);
    assert!(dialler.update(&ContactRef::Id(ContactId(7)), &changes, CONTEXT).await.is_ok());
}

#[tokio::test]
async fn commands_go_by_id_and_by_user_data() {
    let (server, dialler) = dialler([ok(r#"{"status":200}"#)], None).await;
    for (contact, middle, query) in [
        (ContactRef::Id(ContactId(7)), "/7", ""),
        (ContactRef::UserData("a+b".to_owned()), "", "?userData=a%2Bb"),
    ] {
        dialler.lock(&contact, CONTEXT).await.unwrap();
        dialler.unlock(&permit(), &contact, CONTEXT).await.unwrap();
        dialler.reset(&permit(), &contact, CONTEXT).await.unwrap();
        dialler.delete(&contact, CONTEXT).await.unwrap();
        let lines: Vec<_> = server.received().into_iter().map(|r| r.line).rev().take(4).collect();
        let path = format!("/rest/v1.0/3/dialler/contacts/contact{middle}");
        assert_eq!(
            lines,
            [
                format!("DELETE {path}{query}"),
                format!("PATCH {path}/reset{query}"),
                format!("PATCH {path}/unlock{query}"),
                format!("PATCH {path}/lock{query}"),
            ]
        );
    }
}

#[tokio::test]
async fn a_contact_that_is_not_there_is_none_however_it_is_said() {
    let missing = json("404 Not Found", r#"{"status":404,"error":"contact not found"}"#);
    for absent in [missing, ok(r#"{"records":[],"count":0,"status":200}"#)] {
        let (_server, dialler) = dialler([absent], None).await;
        assert_eq!(dialler.contact(ContactId(7), CallClass::Push).await.unwrap(), None);
        let key = UserData::parse("k").unwrap();
        assert_eq!(dialler.contacts_by_user_data(&key, CallClass::Push).await.unwrap(), []);
    }
    let (_server, dialler) = dialler([answer("404 Not Found", &[], "")], None).await;
    let error = dialler.contact(ContactId(7), CallClass::Push).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::WrongUrl, "an empty 404 is never an absent contact");
}

#[tokio::test]
async fn the_batch_read_is_probed_once_and_only_believed_missing_if_the_address_is_right() {
    let gone = || answer("404 Not Found", &[], "");
    let query = BatchQuery { ids: vec![ContactId(7)], user_data: vec![UserData::parse("k").unwrap()] };
    let campaigns = ok(r#"{"records":[{"ID":5,"Name":"Spring"}],"count":1,"status":200}"#);
    let (server, dialler) = dialler([gone(), campaigns, gone()], None).await;
    assert_eq!(dialler.facts().batch_read, None);
    for _ in 0..3 {
        assert_eq!(dialler.read_batch(&query, CallClass::Harvest).await.unwrap(), None);
    }
    assert_eq!(dialler.facts().batch_read, Some(false));
    assert_eq!(server.received().len(), 2, "the probe, and one proof that the address is right");

    let (_server, wrong) = self::dialler([gone()], None).await;
    let error = wrong.read_batch(&query, CallClass::Harvest).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::WrongUrl);

    let (server, offered) = self::dialler([ok(CONTACT)], None).await;
    let found = offered.read_batch(&query, CallClass::Harvest).await.unwrap().unwrap();
    assert_eq!(found[0].contact.id, ContactId(7));
    assert_eq!(body(&last(&server)), value!({"UserDataList": ["k"], "IDList": [7]}));
    assert_eq!(last(&server).line, "POST /rest/v1.0/3/dialler/contacts");
}

#[tokio::test]
async fn a_batch_read_that_refuses_unknown_keys_costs_little() {
    let none = || answer("404 Not Found", &[], r#"{"status":404,"message":"There is no Dialler Contact"}"#);
    let empty = || ok(r#"{"records":[],"count":0,"status":200}"#);
    // Of three contacts the last is gone: the batch is halved, and nobody is asked for alone who is there with another.
    let (server, dialler) = dialler([none(), ok(CONTACT), none(), empty(), none()], None).await;
    let query = BatchQuery { ids: [7, 8, 9].map(ContactId).into(), user_data: Vec::new() };
    let found = dialler.read_batch(&query, CallClass::Harvest).await.unwrap().unwrap();
    assert_eq!(found.len(), 1);
    let asked: Vec<_> = server.received().iter().map(|request| body(request)["IDList"].clone()).collect();
    assert_eq!(asked, [value!([7, 8, 9]), value!([7]), value!([8, 9]), value!([8]), value!([9])]);
    // Of keys that are met for the first time most are unknown: that is found out once.
    let (server, dialler) = self::dialler([none(), empty()], None).await;
    let keys = ["a", "b"].map(|key| UserData::parse(key).unwrap());
    let query = BatchQuery { ids: Vec::new(), user_data: keys.into() };
    let error = dialler.read_batch(&query, CallClass::Push).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotFound);
    assert_eq!(dialler.read_batch(&query, CallClass::Push).await.unwrap(), None);
    assert_eq!(server.received().len(), 1);
    // Ids are still read together.
    let query = BatchQuery { ids: vec![ContactId(7)], user_data: Vec::new() };
    assert!(dialler.read_batch(&query, CallClass::Harvest).await.unwrap().is_some());
}

#[tokio::test]
async fn history_campaigns_and_users_are_read() {
    let row = r#"{"records":[{"DiallerContactsHistoryID":9,"DiallerContactsID":7}],"count":1,"status":200}"#;
    let users = r#"{"records":[{"ID":3,"UID":"anna"},{"UID":"without"}],"count":2,"status":200}"#;
    let (server, dialler) = dialler([ok(row), ok(row), ok(users)], None).await;
    let rows = dialler.history(ContactId(7), CallClass::Harvest).await.unwrap().unwrap();
    assert_eq!(rows[0].id.0, 9);
    assert!(dialler.history_by_user_data("a b").await.unwrap().is_some());
    assert_eq!(dialler.users().await.unwrap().len(), 1);
    let lines: Vec<_> = server.received().into_iter().map(|r| r.line).collect();
    assert_eq!(
        lines,
        [
            "GET /rest/v1.0/3/dialler/contacts/contact/7/history",
            "GET /rest/v1.0/3/dialler/contacts/contact/history?userData=a%20b",
            "GET /rest/v1.0/3/users",
        ]
    );
}

#[tokio::test]
async fn contacts_are_handed_on_while_the_body_still_comes() {
    // The rest of this body never comes.
    let begun = r#"{"filter":"","records":[{"ID":1,"Name":"A"},{"ID":2,"Name":"B"},{"ID":3,"#;
    let (_server, dialler) = dialler([answer("200 OK", &["Content-Length: 1000000"], begun)], None).await;
    let mut stream = dialler.list_contacts(None, CallClass::Harvest).await.unwrap();
    for id in [1, 2] {
        let Some(Ok(Listed::Contact(contact))) = stream.next().await else { panic!("contact {id}") };
        assert_eq!(contact.id, ContactId(id));
    }
}

#[tokio::test]
async fn an_import_by_the_campaigns_name_and_with_a_reset_says_so() {
    let key = UserData::parse("leads:1").unwrap();
    let fields = values(&[("Name", value!("N"))]);
    let mode = ImportMode { overwrite: false, reset: Some(true), unlock: Some(true) };
    let (server, dialler) = dialler([ok(CONTACT)], Some("3.40")).await;
    let campaign = CampaignRef::Name("Spring leads".to_owned());
    dialler.import(&permit(), &campaign, &key, &fields, mode, CONTEXT).await.unwrap();
    assert_eq!(
        last(&server).line,
        "POST /rest/v1.0/3/dialler/contacts/import?overwriteDuplicates=false&resetContact=true&unlockContact=true"
    );
    assert_eq!(
        body(&last(&server)),
        value!({"DiallerCampaignsName": "Spring leads", "UserData": "leads:1", "Name": "N"})
    );
}

#[tokio::test]
async fn an_update_carries_its_key_and_the_given_fields_and_a_number_only_by_permit() {
    let (server, dialler) = dialler([ok(CONTACT)], None).await;
    let plain = Changes::plain(values(&[("City", Value::Null)])).unwrap();
    for (contact, key) in [
        (ContactRef::Id(ContactId(7)), value!({"ID": 7, "City": null})),
        (ContactRef::UserData("leads:1".to_owned()), value!({"UserData": "leads:1", "City": null})),
    ] {
        dialler.update(&contact, &plain, CONTEXT).await.unwrap();
        assert_eq!(last(&server).line, "POST /rest/v1.0/3/dialler/contacts/update");
        assert_eq!(body(&last(&server)), key);
    }
    for slot in 1..=6 {
        let number = format!("PhoneNumber{slot}");
        let with_number = values(&[("City", value!("Bonn")), (&number, value!("4930123"))]);
        assert_eq!(Changes::plain(with_number.clone()).unwrap_err().as_str(), number);
        let changes = Changes::with_numbers(&permit(), with_number);
        dialler.update(&ContactRef::Id(ContactId(7)), &changes, CONTEXT).await.unwrap();
        assert_eq!(body(&last(&server))[&number], value!("4930123"));
    }
}

#[tokio::test]
async fn a_read_that_answers_another_contact_is_no_answer() {
    let (_server, dialler) = dialler([ok(CONTACT)], None).await;
    assert!(dialler.contact(ContactId(7), CallClass::Push).await.unwrap().is_some());
    let error = dialler.contact(ContactId(8), CallClass::Push).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::BadAnswer, "{error}");
}

#[tokio::test]
async fn campaigns_are_read_at_their_address() {
    let campaigns = r#"{"records":[{"ID":5,"Name":"Spring"},{"Name":"without"}],"count":2,"status":200}"#;
    let (server, dialler) = dialler([ok(campaigns)], None).await;
    let found = dialler.campaigns().await.unwrap();
    assert_eq!((found.len(), found[0].id, found[0].name.as_str()), (1, CampaignId(5), "Spring"));
    assert_eq!(last(&server).line, "GET /rest/v1.0/3/dialler/campaigns");
}
