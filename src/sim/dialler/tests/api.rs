//! Reading: envelopes, both kinds of 404, tokens, the batch read, times.

use super::config::{BatchUnknown, ListBuild, NotFound, TimeForm, UserDataMatch};
use super::*;
use crate::sim::faults::{Action, Effect, Rule};
use crate::sim::journal::Detail;
use futures_util::StreamExt;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn the_list_comes_in_its_envelope_by_name_and_whole() {
    let sim = sim();
    for name in ["Zander", "Adler", "Meise"] {
        sim.put(538, &[("Name", name), ("PhoneNumber1", "4930100")]);
    }
    sim.put(551, &[("Name", "Bussard")]);
    let (status, list) = get(&sim, "/dialler/contacts?diallerCampaignsID=538&unknown=1").await;
    assert_eq!(status, 200);
    let names = |list: &Value| -> Vec<String> {
        let records = list["records"].as_array().expect("records");
        records.iter().map(|record| record["Name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&list), ["Adler", "Meise", "Zander"]);
    for (key, value) in [
        ("filter", json!("")),
        ("limitStart", json!(0)),
        ("limitPageSize", json!(-1)),
        ("count", json!(3)),
        ("orderBy", json!("Name")),
        ("ascending", json!(true)),
        ("status", json!(200)),
    ] {
        assert_eq!(list[key], value, "{key}");
    }
    let (_, all) = get(&sim, "/dialler/contacts").await;
    assert_eq!(names(&all), ["Adler", "Bussard", "Meise", "Zander"]);
    let record = list["records"][0].as_object().expect("an object");
    assert_eq!(record.len(), 72, "every field is there, null or not");
    assert_eq!(record["bPhoneNumber1Invalid"], Value::Null);
    assert_eq!(record["nTriesPhoneNumber6"], 0);
    assert!(!record.keys().any(|key| key.to_lowercase().contains("lock")), "no answer shows the lock");
    assert!(!record.contains_key("DiallerCampaignsResultCodesID"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_there_has_an_empty_404_and_an_object_a_json_404() {
    let sim = sim();
    for path in ["/dialler/contact", "/dialler/contacts/17/history", "/dialler/contacts/abc", "/nothing"] {
        let (status, body) = bytes_of(send(&sim, Method::GET, path, None).await).await;
        assert_eq!((status, body.as_slice()), (404, b"".as_slice()), "{path}");
    }
    let request = Request::get("/rest/v2.0/3/dialler/contacts").body(Body::empty()).expect("a request");
    let (status, body) = bytes_of(sim.router().oneshot(request).await.expect("infallible")).await;
    assert_eq!((status, body.len()), (404, 0));
    for path in [
        "/dialler/contacts/17",
        "/dialler/contacts/contact?userData=x",
        "/dialler/contacts/contact/17/history",
        "/dialler/contacts/contact/history?userData=x",
        "/dialler/contacts?diallerCampaignsID=1",
        "/dialler/campaigns/1",
        "/users/user/1",
    ] {
        let (status, body) = get(&sim, path).await;
        assert_eq!((status, &body["status"]), (404, &json!(404)), "{path}");
        assert!(body["error"].is_string());
    }
    for path in ["/dialler/contacts/contact/17/lock", "/dialler/contacts/contact/reset?userData=x"] {
        assert_eq!(patch(&sim, path).await.0, 404);
    }
    assert_eq!(get(&sim, "/dialler/contacts/contact").await.0, 400, "userData is mandatory");
}

#[tokio::test(start_paused = true)]
async fn nothing_found_may_also_be_an_empty_list_but_not_for_histories() {
    let sim = sim_with(|config| config.not_found = NotFound::EmptyList);
    for path in ["/dialler/contacts/17", "/dialler/contacts/contact?userData=x"] {
        assert_eq!(get(&sim, path).await, (200, json!({ "records": [], "count": 0, "status": 200 })));
    }
    assert_eq!(get(&sim, "/dialler/contacts/contact/17/history").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_or_tenant_is_a_401_and_a_new_token_kills_the_old() {
    let sim = sim();
    one(&sim, "a-1");
    assert_eq!(get(&sim, "/dialler/contacts").await.0, 200);
    sim.set_tokens(&["other"]);
    assert_eq!(get(&sim, "/dialler/contacts").await.0, 401);
    sim.set_tokens(&["other", "sim-token"]);
    assert_eq!(get(&sim, "/dialler/contacts").await.0, 200);
    let elsewhere = Request::get("/rest/v1.0/4/users").header("Authorization", "Bearer sim-token");
    let answer = sim.router().oneshot(elsewhere.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.expect("infallible").status(), 401);
    let bare = Request::get("/rest/v1.0/3/users").body(Body::empty()).expect("a request");
    assert_eq!(sim.router().oneshot(bare).await.expect("infallible").status(), 401);
}

#[tokio::test(start_paused = true)]
async fn user_data_match_as_the_switch_says() {
    let cases = [
        (UserDataMatch::Exact, [1, 0, 0, 0]),
        (UserDataMatch::CaseInsensitive, [1, 1, 0, 0]),
        (UserDataMatch::CaseInsensitiveTrimmed, [1, 1, 1, 0]),
        (UserDataMatch::Like, [1, 1, 0, 1]),
    ];
    for (how, expected) in cases {
        let sim = sim_with(|config| config.userdata_match = how);
        one(&sim, "Leads+1");
        for (asked, count) in ["Leads%2B1", "LEADS%2b1", "leads%2B1%20", "lead%25"].iter().zip(expected) {
            let (_, body) = get(&sim, &format!("/dialler/contacts/contact?userData={asked}")).await;
            assert_eq!(body["count"].as_u64().unwrap_or(0), count, "{how:?} {asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_batch_read_gives_contact_result_and_history_or_is_not_there() {
    let sim = sim();
    let (first, second) = (one(&sim, "a-1"), one(&sim, "a-2"));
    sim.call(first, CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", Duration::from_secs(30)));
    wait(&sim, 200).await;
    let query = json!({ "UserDataList": ["a-1", "gone"], "IDList": [second, first, 99] });
    let (status, answer) = post(&sim, "/dialler/contacts?languagesID=2", query.clone()).await;
    assert_eq!((status, &answer["count"]), (200, &json!(2)));
    let record = &answer["records"][0];
    assert_eq!(record["ID"], first);
    assert_eq!(record["Name"], "Muster");
    let result = &record["DiallerCampaignsResultCodes"];
    assert_eq!(result["ID"], record["DiallerCampaignsResultCodesID"]);
    assert_eq!(
        (&result["ExportKey"], &result["Content"], &result["bAborted"], &result["bDone"]),
        (&json!("DO_NOT_CALL"), &json!("Do not call again"), &json!(true), &json!(false))
    );
    let row = &record["DiallerContactsHistory"][0];
    assert_eq!(row["StatisticsPartA"]["ID"], row["StatisticsPartAID"]);
    assert_eq!(answer["records"][1]["DiallerCampaignsResultCodes"], Value::Null);
    assert_eq!(answer["records"][1]["DiallerContactsHistory"], json!([]));

    sim.configure(|config| config.batch_limit = Some(4));
    assert_eq!(post(&sim, "/dialler/contacts", query.clone()).await.0, 400);
    sim.configure(|config| {
        config.batch_limit = None;
        config.batch_unknown = BatchUnknown::Fail;
    });
    assert_eq!(post(&sim, "/dialler/contacts", query.clone()).await.0, 404);
    sim.configure(|config| config.batch_read = false);
    assert_eq!(post(&sim, "/dialler/contacts", query).await, (405, Value::Null));
    assert_eq!(sim.journal().count("batch"), 4);
}

#[tokio::test(start_paused = true)]
async fn times_are_naive_local_unless_a_release_writes_them_otherwise() {
    let sim = sim();
    let id =
        sim.put(538, &[("Name", "A"), ("PhoneNumber1", "4930100"), ("dtEndDate", "2026-07-01T00:00:00")]);
    sim.call(id, CallPlan::new(Outcome::NoAnswer));
    wait(&sim, 60).await;
    let cases = [
        (TimeForm::Naive, "2026-01-12T14:00:10", "2026-07-01T00:00:00", "2026-01-12T12:00:30.000"),
        (
            TimeForm::Offset,
            "2026-01-12T14:00:10+01:00",
            "2026-07-01T00:00:00+02:00",
            "2026-01-12T12:00:30.000+01:00",
        ),
        (TimeForm::Utc, "2026-01-12T13:00:10Z", "2026-06-30T22:00:00Z", "2026-01-12T11:00:30.000Z"),
    ];
    for (form, next, end, created) in cases {
        sim.configure(|config| config.time_form = form);
        let (_, contact) = get(&sim, &format!("/dialler/contacts/{id}")).await;
        assert_eq!(contact["records"][0]["dtNextTry"], next);
        assert_eq!(contact["records"][0]["dtEndDate"], end);
        let (_, rows) = get(&sim, &format!("/dialler/contacts/contact/{id}/history")).await;
        assert_eq!(rows["records"][0]["dtCreatedDiallerContactsHistory"], created);
    }
}

#[tokio::test(start_paused = true)]
async fn campaigns_and_users_are_lists_too() {
    let sim = sim();
    let (_, campaigns) = get(&sim, "/dialler/campaigns").await;
    assert_eq!((&campaigns["count"], &campaigns["records"][0]["Name"]), (&json!(2), &json!("Spring leads")));
    let (_, users) = get(&sim, "/users").await;
    assert_eq!((&users["orderBy"], &users["records"][0]["UID"]), (&json!("UID"), &json!("agent3")));
    assert_eq!(get(&sim, "/dialler/campaigns/538").await.1["records"][0]["ID"], 538);
    assert_eq!(get(&sim, "/users/user/3").await.1["records"][0]["UID"], "agent3");
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_is_as_old_as_its_request_or_shifts_under_the_reader() {
    for (build, expected) in [(ListBuild::Snapshot, [1, 1]), (ListBuild::Walking, [0, 2])] {
        let sim = sim_with(|config| config.list_build = build);
        sim.seed(538, "a", 6_000);
        let (early, late) = (sim.contacts_with("a-1")[0].id, sim.contacts_with("a-6000")[0].id);
        let answer = send(&sim, Method::GET, "/dialler/contacts", None).await;
        let mut body = answer.into_body().into_data_stream();
        let mut bytes = body.next().await.expect("a first piece").expect("bytes").to_vec();
        // The first goes behind the reader's place to its end, the last before it.
        sim.portal().edit(early, "Name", "Zz");
        sim.portal().edit(late, "Name", "Aa");
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.expect("bytes"));
        }
        let list: Value = serde_json::from_slice(&bytes).expect("JSON");
        let records = list["records"].as_array().expect("records");
        assert_eq!(list["count"], records.len());
        let seen = |id: i64| records.iter().filter(|record| record["ID"] == id).count();
        assert_eq!([seen(late), seen(early)], expected, "{build:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lock_and_the_result_show_where_switched_on() {
    let sim = sim_with(|config| {
        config.lock_field = Some("bLocked");
        config.result_in_list = true;
    });
    let id = one(&sim, "a-1");
    patch(&sim, &format!("/dialler/contacts/contact/{id}/lock")).await;
    let (_, list) = get(&sim, "/dialler/contacts").await;
    assert_eq!(list["records"][0]["bLocked"], true);
    assert_eq!(list["records"][0]["DiallerCampaignsResultCodesID"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn requests_are_classified_and_faults_come_before_the_effect() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.faults().add(Rule::new(Action::Reset(Effect::None)).path("/lock").nth(1));
    let lock = format!("/dialler/contacts/contact/{id}/lock");
    drop(send(&sim, Method::PATCH, &lock, None).await);
    assert!(!sim.contact(id).expect("there").locked);
    patch(&sim, &lock).await;
    patch(&sim, "/dialler/contacts/contact/lock?userData=a-1").await;
    assert!(sim.contact(id).expect("there").locked);
    get(&sim, &format!("/dialler/contacts/contact/{id}/history")).await;
    get(&sim, "/dialler/contacts/contact/history?userData=a-1").await;
    get(&sim, "/elsewhere").await;
    let counts = sim.journal().counts();
    assert_eq!((counts["lock"], counts["history"], counts["unknown"]), (3, 2, 1));
    assert_eq!(sim.journal().writes().len(), 3);
    let deeds = sim.journal().deeds_on(id);
    let by_request: Vec<_> = deeds.iter().filter_map(|deed| deed.request).collect();
    assert_eq!(by_request.len(), 2, "one lock never arrived");
}

#[tokio::test(start_paused = true)]
async fn a_counting_journal_keeps_nothing_else() {
    let env = Env::simulated("2026-01-12T11:00:00Z".parse().expect("a time"), 1);
    let sim = DiallerSim::with_detail(DiallerConfig::default(), env, Detail::Counts);
    sim.seed(538, "a", 10);
    get(&sim, "/users").await;
    assert_eq!((sim.len(), sim.journal().effects().len(), sim.journal().count("users")), (10, 0, 1));
}
