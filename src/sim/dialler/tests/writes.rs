//! Writing: mandatory fields, duplicates, what unlocks, which fields are taken; the portal beside us.

use super::config::{
    CampaignChange, Clearing, FirstFound, ForeignFields, LongText, Omitted, Release, UserDataScope,
    WithoutOverwrite,
};
use super::*;
use serde_json::json;

fn body(user_data: &str) -> Value {
    json!({ "DiallerCampaignsID": 538, "UserData": user_data, "Name": "Neu", "PhoneNumber1": "4930200" })
}

const OVER: &str = "/dialler/contacts/import?overwriteDuplicates=true";

#[tokio::test(start_paused = true)]
async fn import_insists_on_name_campaign_and_a_number() {
    let sim = sim();
    for missing in ["Name", "DiallerCampaignsID", "PhoneNumber1"] {
        let mut body = body("a-1");
        body[missing] = Value::Null;
        let (status, answer) = post(&sim, OVER, body).await;
        assert_eq!((status, &answer["status"]), (400, &json!(400)), "{missing}");
    }
    let mut other = body("a-1");
    other["DiallerCampaignsID"] = json!(1);
    assert_eq!(post(&sim, OVER, other).await.0, 404);
    let named = json!({ "DiallerCampaignsName": "Winback", "Name": "N", "PhoneNumber6": "4930" });
    let (status, answer) = post(&sim, OVER, named).await;
    assert_eq!((status, &answer["records"][0]["DiallerCampaignsID"]), (200, &json!(551)));
    assert_eq!(post(&sim, OVER, json!([body("a-1")])).await.0, 400, "one object, not a list");
    let bare = Request::post(format!("{BASE}{OVER}")).header("Authorization", "Bearer sim-token");
    let answer = sim.router().oneshot(bare.body(Body::from("{}")).expect("a request")).await;
    assert_eq!(answer.expect("infallible").status(), 415);
}

#[tokio::test(start_paused = true)]
async fn duplicates_are_overwritten_doubled_or_returned() {
    let sim = sim();
    let (_, first) = post(&sim, OVER, body("a-1")).await;
    let mut again = body("a-1");
    again["Name"] = json!("Anders");
    let (_, second) = post(&sim, OVER, again.clone()).await;
    assert_eq!(first["records"][0]["ID"], second["records"][0]["ID"]);
    assert_eq!((second["records"][0]["Name"].as_str(), sim.len()), (Some("Anders"), 1));
    sim.configure(|config| config.without_overwrite = WithoutOverwrite::ReturnsExisting);
    let plain = "/dialler/contacts/import?overwriteDuplicates=false";
    let (_, returned) = post(&sim, plain, body("a-1")).await;
    assert_eq!((returned["records"][0]["Name"].as_str(), sim.len()), (Some("Anders"), 1));
    sim.configure(|config| config.without_overwrite = WithoutOverwrite::Doubles);
    post(&sim, plain, body("a-1")).await;
    assert_eq!(sim.doubled().get("a-1"), Some(&2));
    assert_eq!(sim.journal().imports_of("a-1").len(), 4);
    assert_eq!(sim.journal().creations().get("a-1"), Some(&2));
    assert_eq!(get(&sim, "/dialler/contacts/contact?userData=a-1").await.1["count"], 2);
}

#[tokio::test(start_paused = true)]
async fn two_imports_at_once_double_because_no_key_is_unique() {
    let sim = sim_with(|config| config.import_race = Duration::from_millis(50));
    let (first, second) = tokio::join!(post(&sim, OVER, body("a-1")), post(&sim, OVER, body("a-1")));
    assert_eq!((first.0, second.0, sim.len()), (200, 200, 2));
    post(&sim, OVER, body("a-1")).await;
    assert_eq!(sim.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_overwriting_import_unlocks_unless_told_otherwise_and_before_3_39_always() {
    let cases = [
        (Release::From3_39, "", true, false),
        (Release::From3_39, "&unlockContact=true", true, false),
        (Release::From3_39, "&unlockContact=false", false, false),
        (Release::From3_39, "&unlockContact=false&resetContact=true", false, true),
        (Release::From3_39, "&unlockContact=false&resetContact=false", false, false),
        (Release::Before3_39, "&unlockContact=false&resetContact=true", true, false),
    ];
    for (release, query, unlocks, resets) in cases {
        let sim = sim_with(|config| config.release = release);
        let id = one(&sim, "a-1");
        sim.call(id, CallPlan::new(Outcome::NoAnswer));
        wait(&sim, 60).await;
        patch(&sim, &format!("/dialler/contacts/contact/{id}/lock")).await;
        let (status, _) = post(&sim, &format!("{OVER}{query}"), body("a-1")).await;
        let contact = sim.contact(id).expect("there");
        let seen = (status, !contact.locked, contact.dialling.tries_in_all() == 0);
        assert_eq!(seen, (200, unlocks, resets), "{release:?} {query}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_match_is_over_the_tenant_or_the_campaign() {
    for (scope, change, count, campaign) in [
        (UserDataScope::Campaign, CampaignChange::Moves, 2, 551),
        (UserDataScope::Tenant, CampaignChange::Moves, 1, 538),
        (UserDataScope::Tenant, CampaignChange::Stays, 1, 551),
    ] {
        let sim = sim_with(|config| {
            config.userdata_scope = scope;
            config.campaign_change = change;
        });
        let id = sim.put(551, &[("UserData", "a-1"), ("Name", "B"), ("PhoneNumber1", "4930")]);
        post(&sim, OVER, body("a-1")).await;
        assert_eq!((sim.len(), sim.contact(id).expect("there").campaign), (count, campaign), "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn import_and_update_take_different_fields() {
    let sim = sim();
    let mut full = body("a-1");
    full["Region"] = json!("Nord");
    full["UserData2"] = json!("two");
    full["FollowUpDateTime"] = json!("2030-01-01T00:00:00");
    full["Invented"] = json!(1);
    let (_, made) = post(&sim, OVER, full.clone()).await;
    let made = &made["records"][0];
    assert_eq!((&made["Region"], &made["UserData2"]), (&Value::Null, &Value::Null));
    assert_eq!(made["FollowUpDateTime"], "2030-01-01T00:00:00");
    let id = made["ID"].as_i64().expect("an id");
    let update = json!({ "ID": id, "Region": "Nord", "FollowUpDateTime": null, "UserData": "b-1" });
    let (_, updated) = post(&sim, "/dialler/contacts/update", update.clone()).await;
    let record = &updated["records"][0];
    assert_eq!(
        (&updated["count"], &record["Region"], &record["UserData"]),
        (&json!(1), &json!("Nord"), &json!("b-1"))
    );
    assert_eq!(record["FollowUpDateTime"], "2030-01-01T00:00:00", "only import takes it");
    assert_eq!(record["Name"], "Neu", "what is not given stays");
    assert!(sim.contacts_with("a-1").is_empty());
    sim.configure(|config| config.foreign_fields = ForeignFields::Reject);
    assert_eq!(post(&sim, OVER, full).await.0, 400);
    assert_eq!(post(&sim, "/dialler/contacts/update", update).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn update_needs_a_key_and_by_user_data_meets_any_one() {
    for (first_found, index) in [(FirstFound::Oldest, 0), (FirstFound::Newest, 1)] {
        let sim = sim_with(|config| config.first_found = first_found);
        let ids = [one(&sim, "a-1"), one(&sim, "a-1")];
        let path = "/dialler/contacts/update";
        assert_eq!(post(&sim, path, json!({ "Name": "x" })).await.0, 400);
        assert_eq!(post(&sim, path, json!({ "ID": 1, "Name": "x" })).await.0, 404);
        assert_eq!(post(&sim, path, json!({ "UserData": "b", "Name": "x" })).await.0, 404);
        let (_, answer) = post(&sim, path, json!({ "UserData": "a-1", "Name": "x" })).await;
        assert_eq!(answer["records"][0]["ID"], ids[index]);
        patch(&sim, "/dialler/contacts/contact/lock?userData=a-1").await;
        assert!(sim.contact(ids[index]).expect("there").locked);
        assert!(!sim.contact(ids[1 - index]).expect("there").locked);
        let (status, answer) =
            ask(&sim, Method::DELETE, "/dialler/contacts/contact?userData=a-1", None).await;
        assert_eq!((status, answer), (200, json!({ "status": 200 })));
        assert_eq!(sim.contacts_with("a-1")[0].id, ids[1 - index]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_does_not_unlock() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.portal().lock(id);
    post(&sim, "/dialler/contacts/update", json!({ "ID": id, "PhoneNumber1": "4930300" })).await;
    assert!(sim.contact(id).expect("there").locked);
}

#[tokio::test(start_paused = true)]
async fn clearing_and_lengths_follow_their_switches() {
    let sim = sim();
    let id = sim.put(538, &[("Name", "A"), ("City", "Bonn"), ("Tag", "t"), ("PhoneNumber1", "4930")]);
    let clear = json!({ "ID": id, "City": null, "Tag": "" });
    for (clearing, city, tag) in [
        (Clearing::Neither, json!("Bonn"), json!("t")),
        (Clearing::EmptyText, json!("Bonn"), json!("")),
        (Clearing::Null, Value::Null, json!("")),
    ] {
        sim.configure(|config| config.clearing = clearing);
        let (_, answer) = post(&sim, "/dialler/contacts/update", clear.clone()).await;
        let record = &answer["records"][0];
        assert_eq!((&record["City"], &record["Tag"]), (&city, &tag), "{clearing:?}");
    }
    let long = json!({ "ID": id, "PostalCode": "12345678901" });
    let (_, cut) = post(&sim, "/dialler/contacts/update", long.clone()).await;
    assert_eq!(cut["records"][0]["PostalCode"], "1234567890");
    sim.configure(|config| config.long_text = LongText::Reject);
    assert_eq!(post(&sim, "/dialler/contacts/update", long).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn fields_left_out_of_an_overwriting_import_stay_or_go() {
    for (omitted, city) in [(Omitted::Keep, json!("Bonn")), (Omitted::Blank, Value::Null)] {
        let sim = sim_with(|config| config.omitted = omitted);
        let fields = [("UserData", "a-1"), ("Name", "A"), ("City", "Bonn"), ("Region", "Nord")];
        sim.put(538, &fields);
        let (_, answer) = post(&sim, OVER, body("a-1")).await;
        assert_eq!(answer["records"][0]["City"], city);
        assert_eq!(answer["records"][0]["Region"], "Nord", "import does not touch what it does not take");
    }
}

#[tokio::test(start_paused = true)]
async fn reset_takes_counters_and_result_and_perhaps_the_history() {
    for survives in [true, false] {
        let sim = sim_with(|config| config.history_survives_reset = survives);
        let id = one(&sim, "a-1");
        sim.call(id, CallPlan::new(Outcome::Answered).result("APPOINTMENT", Duration::ZERO));
        wait(&sim, 300).await;
        let before = sim.contact(id).expect("there");
        assert_eq!((before.dialling.tries[0], before.get("FollowUpUsersUID")), (1, json!("agent3")));
        assert_eq!(patch(&sim, &format!("/dialler/contacts/contact/{id}/reset")).await.0, 200);
        let after = sim.contact(id).expect("there");
        assert_eq!(after.dialling, model::Dialling::default());
        assert_eq!(after.get("FollowUpUsersUID"), Value::Null);
        assert_eq!(sim.history(id).len(), usize::from(survives));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_contact_takes_its_history_and_what_was_under_way_along() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, CallPlan::new(Outcome::NoAnswer));
    let path = format!("/dialler/contacts/contact/{id}");
    assert_eq!(ask(&sim, Method::DELETE, &path, None).await, (200, json!({ "status": 200 })));
    assert_eq!(ask(&sim, Method::DELETE, &path, None).await.0, 404);
    wait(&sim, 600).await;
    assert!(sim.is_empty() && sim.history(id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_portal_imports_csv_beside_us_and_so_unlocks_resets_and_doubles() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, CallPlan::new(Outcome::NoAnswer));
    wait(&sim, 60).await;
    patch(&sim, &format!("/dialler/contacts/contact/{id}/lock")).await;
    let csv = "UserData;Name;FirstName;PhoneNumber1;Title;ResetContact\n\
               a-1;Muster;Eva;4930100;A title that is too long;1\n\
               a-2;Neu;Max;4930101;;0\n\
               a-3;;Max;4930102;;0\n";
    let report = sim.portal().import_csv(538, csv, true);
    assert_eq!(report, portal::CsvReport { created: 1, overwritten: 1, refused: 1 });
    let contact = sim.contact(id).expect("there");
    assert!(!contact.locked);
    assert_eq!((contact.dialling.tries_in_all(), contact.get("Title")), (0, json!("A title that is ")));
    assert_eq!(sim.portal().import_csv(538, csv, false).created, 2);
    assert_eq!(sim.doubled().len(), 2);
    sim.call(id, CallPlan::new(Outcome::Busy));
    let after_lock = sim.journal().dials_after_lock();
    assert_eq!(after_lock.len(), 1);
    assert_eq!(after_lock[0].unlocked_by, Some(Actor::Portal));
    assert!(sim.portal().move_to(id, 551) && sim.portal().delete(id) && !sim.portal().unlock(id));
}
