//! `plan` by itself: does it tell what would happen, and leave everything as it is?

use super::house::House;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

/// What must not move: requests that had an effect on the dialler, activities, runs.
async fn marks(house: &House) -> (usize, usize, usize) {
    let runs = match house.ledger().exists() {
        true => house.run(&["ledger", "runs", "--json"]).await.expect(0).json().len(),
        false => 0,
    };
    (house.dialler.journal().effects().len(), house.crm.activities().len(), runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_before_the_first_start_tells_what_would_be_imported_and_makes_no_ledger() {
    let house = House::new(6).await;
    let before = marks(&house).await;
    let plan = house.run(&["plan"]).await.expect(0);
    assert!(plan.out.contains("leads: 6 records would be read"), "{}", plan.said());
    assert!(plan.out.contains("Name: 6 set at import"), "{}", plan.said());
    assert_eq!(marks(&house).await, before);
    assert!(!house.ledger().exists(), "a dry run made a ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_changes_field_by_field_locks_and_calls_and_changes_nothing() {
    let house = House::new(6).await;
    let telling = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nsubject = \"'Call: ' ~ outcome\"\n[route.leads.fields]";
    let config = house.config_text("").replacen("[route.leads.fields]", telling, 1);
    std::fs::write(house.config(), &config).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    house.crm.editor().edit(2, json!({ "city": "Bonn" }));
    house.crm.editor().archive(3, true);
    let before = marks(&house).await;
    let plan = house.run(&["plan", "--route", "leads"]).await.expect(0);
    for told in ["City: ", "-> \"Bonn\"", "lock", " calls, waiting", "Nothing was changed"] {
        assert!(plan.out.contains(told), "{told} is not told: {}", plan.said());
    }
    let json = house.run(&["plan", "--json"]).await.expect(0).json().remove(0);
    assert_eq!((&json["pulled"]["read"], &json["pulled"]["queued"]), (&json!(2), &json!(1)), "{json}");
    assert!(json["untold"].as_array().is_some_and(|calls| !calls.is_empty()), "{json}");
    // What a changed mapping would do is the question before it is put in place.
    let other = config.replacen("= \"name\"", "= \"name ~ ' (CRM)'\"", 1);
    assert_ne!(other, config);
    std::fs::write(house.config(), &other).expect("written");
    house.run(&["plan"]).await.expect(0).says("Name: 5 change").says("(CRM)\"");
    std::fs::write(house.config(), &config).expect("written");
    assert_eq!(marks(&house).await, before, "a dry run left something behind");
    let down = Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.crm.faults.add(Rule::new(down));
    house.run(&["plan"]).await.expect(1).says("could NOT be read");
    house.run(&["plan", "list"]).await.expect(0);
}
