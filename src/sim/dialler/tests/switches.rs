//! What the reference leaves open and a switch decides, and what must not depend on any.

use super::config::{BatchMissing, UserDataScope};
use super::*;
use crate::sim::faults::{Action, Rule};
use serde_json::json;

fn body(user_data: &str) -> Value {
    json!({ "DiallerCampaignsID": 538, "UserData": user_data, "Name": "Neu", "PhoneNumber1": "4930200" })
}

const OVER: &str = "/dialler/contacts/import?overwriteDuplicates=true";

#[tokio::test(start_paused = true)]
async fn a_reset_unlocks_or_does_not_but_an_import_that_resets_decides_for_itself() {
    for unlocks in [true, false] {
        let sim = sim_with(|config| config.reset_unlocks = unlocks);
        let id = one(&sim, "a-1");
        sim.portal().lock(id);
        let path = format!("{OVER}&resetContact=true&unlockContact=false");
        assert_eq!(post(&sim, &path, body("a-1")).await.0, 200);
        assert!(sim.contact(id).expect("there").locked, "unlockContact=false");
        patch(&sim, &format!("/dialler/contacts/contact/{id}/reset")).await;
        assert_eq!(sim.contact(id).expect("there").locked, !unlocks);
        let unlocked = |what: &What| matches!(what, What::Unlocked { was: true });
        let noted = sim.journal().effects_where(|happened| unlocked(&happened.effect.what)).len();
        assert_eq!(noted, usize::from(unlocks));
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_resets_keeps_the_follow_up_of_its_own_body() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, CallPlan::new(Outcome::Answered).result("APPOINTMENT", Duration::ZERO));
    wait(&sim, 300).await;
    let mut anew = body("a-1");
    anew["FollowUpDateTime"] = json!("2030-01-01T00:00:00");
    let (status, answer) = post(&sim, &format!("{OVER}&resetContact=true"), anew).await;
    let record = &answer["records"][0];
    assert_eq!((status, &record["nTriesPhoneNumber1"]), (200, &json!(0)));
    assert_eq!(record["FollowUpDateTime"], "2030-01-01T00:00:00");
    assert_eq!(record["FollowUpUsersUID"], Value::Null, "the old follow-up is gone");
}

#[tokio::test(start_paused = true)]
async fn csv_looks_where_imports_look_and_records_results() {
    for (scope, created) in [(UserDataScope::Campaign, 1), (UserDataScope::Tenant, 0)] {
        let sim = sim_with(|config| config.userdata_scope = scope);
        let id = one(&sim, "a-1");
        let csv = "UserData;Name;FirstName;PhoneNumber1\na-1;Muster;Eva;4930100\n";
        assert_eq!(sim.portal().import_csv(551, csv, true).created, created, "{scope:?}");
        let csv = "UserData;Name;FirstName;PhoneNumber1;ResultCodesExportKey\n\
                   a-1;Muster;Eva;4930100;NO_INTEREST\na-2;Neu;Max;4930101;NO_SUCH_CODE\n";
        sim.portal().import_csv(538, csv, true);
        let contact = sim.contact(id).expect("there");
        assert_eq!((contact.dialling.result, contact.is_final()), (Some(5382), true));
        let rows = sim.history(id);
        assert_eq!((rows.len(), rows[0].call.is_none(), rows[0].result), (1, true, Some(5382)));
        assert_eq!(sim.contacts_with("a-2")[0].dialling.result, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_whose_client_hangs_up_is_carried_out_all_the_same() {
    let sim = sim_with(|config| config.import_race = Duration::from_secs(5));
    let hung_up = tokio::time::timeout(Duration::from_secs(1), post(&sim, OVER, body("a-1"))).await;
    assert!(hung_up.is_err() && sim.is_empty());
    wait(&sim, 10).await;
    assert_eq!(sim.contacts_with("a-1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_carry_all_three_user_data() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.portal().edit(id, "UserData2", "two");
    sim.call(id, CallPlan::new(Outcome::NoAnswer));
    wait(&sim, 60).await;
    let (_, answer) = get(&sim, &format!("/dialler/contacts/contact/{id}/history")).await;
    let row = &answer["records"][0];
    assert_eq!(
        (&row["UserData"], &row["UserData2"], &row["UserData3"]),
        (&json!("a-1"), &json!("two"), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn answers_may_lack_the_campaign() {
    let sim = sim_with(|config| config.campaign_in_answers = false);
    let id = one(&sim, "a-1");
    let batch = json!({ "IDList": [id] });
    for (_, answer) in [
        get(&sim, "/dialler/contacts").await,
        get(&sim, &format!("/dialler/contacts/{id}")).await,
        post(&sim, "/dialler/contacts", batch).await,
        post(&sim, OVER, body("a-2")).await,
    ] {
        let record = answer["records"][0].as_object().expect("a contact");
        assert!(record.contains_key("ID") && !record.contains_key("DiallerCampaignsID"), "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_batch_read_is_405_or_an_empty_404() {
    for (missing, status) in [(BatchMissing::Status405, 405), (BatchMissing::Empty404, 404)] {
        let sim = sim_with(|config| {
            config.batch_read = false;
            config.batch_missing = missing;
        });
        let answer = post(&sim, "/dialler/contacts", json!({ "IDList": [1] })).await;
        assert_eq!(answer, (status, Value::Null));
    }
}

#[tokio::test(start_paused = true)]
async fn agents_find_the_one_who_is_callable_among_thousands() {
    let sim = sim();
    sim.seed(538, "a", 9_000);
    for contact in sim.read(|state| state.contacts().map(|contact| contact.id).collect::<Vec<_>>()) {
        sim.portal().lock(contact);
    }
    let id = one(&sim, "b-1");
    let agents = AgentsConfig { agents: 1, inbound: None, ..AgentsConfig::default() };
    sim.start_agents(agents);
    // Five walks of 2,000, at most a minute apart.
    wait(&sim, 400).await;
    sim.tick();
    assert_eq!(sim.journal().dials().first().map(|(_, contact, _)| *contact), Some(id));
}

#[tokio::test(start_paused = true)]
async fn a_list_may_be_empty_and_agree_with_itself() {
    let sim = sim();
    sim.seed(538, "a", 30);
    let rule = sim.faults().add(Rule::new(Action::EmptyList).path("/dialler/contacts?"));
    let (status, answer) = get(&sim, "/dialler/contacts?diallerCampaignsID=538").await;
    assert_eq!((status, &answer["records"], &answer["count"]), (200, &json!([]), &json!(0)));
    assert_eq!((&answer["status"], &answer["orderBy"]), (&json!(200), &json!("Name")));
    assert_eq!(get(&sim, "/dialler/contacts/contact?userData=a-1").await.1["count"], 1);
    sim.faults().remove(rule);
    sim.faults().add(Rule::new(Action::ContentType("text/html".to_owned())));
    let answer = send(&sim, Method::GET, "/dialler/contacts/contact?userData=a-1", None).await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert!(bytes_of(answer).await.1.starts_with(b"{\"records\""));
}
