//! Updates: only the difference, both halves of an import, emptied fields, vanished contacts.

use super::house::{CAMPAIGN, desired, house, number};
use dialbridge::domain::CrmSide;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::Clearing;
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn there_and_back_again_ends_with_the_last_value() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push().await;
    for city in ["Ulm", "Bonn", "Ulm", "Bonn"] {
        house.person("1", city).await;
        house.push().await;
        assert_eq!(house.field("1", "City"), json!(city));
    }
    assert_eq!(house.sim.journal().count("update"), 4);
    // Two edits between two pushes: only the last is sent, and none if it is the old value again.
    house.person("1", "Ulm").await;
    house.person("1", "Bonn").await;
    house.push().await;
    assert_eq!(house.sim.journal().count("update"), 4);
}

#[tokio::test(start_paused = true)]
async fn fields_that_import_does_not_take_follow_by_update() {
    let house = house(DiallerConfig::default()).await;
    let number = number("1");
    house.pull("1", &[("Name", "1"), ("Region", "Eifel"), ("PhoneNumber1", &number)]).await;
    house.push().await;
    assert_eq!(house.field("1", "Region"), json!("Eifel"));
    assert_eq!(house.sim.journal().count("import"), 1);
    assert_eq!(house.sim.journal().count("update"), 1);
    assert_eq!(house.operations("1").await, ["import done", "update done"]);
}

#[tokio::test(start_paused = true)]
async fn how_a_field_is_emptied_is_found_out() {
    for (clearing, sent, left) in [
        (Clearing::Null, 1, Value::Null),
        (Clearing::Both, 1, Value::Null),
        (Clearing::EmptyText, 2, json!("")),
        (Clearing::Neither, 2, json!("Bonn")),
    ] {
        let house = house(DiallerConfig { clearing, ..DiallerConfig::default() }).await;
        house.person("1", "Bonn").await;
        house.push().await;
        house.person("1", "").await;
        house.push().await;
        assert_eq!(house.field("1", "City"), left, "{clearing:?}");
        assert_eq!(house.sim.journal().count("update"), sent, "{clearing:?}");
        house.person("1", "").await;
        house.push().await;
        assert_eq!(house.sim.journal().count("update"), sent, "{clearing:?}: not tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_somebody_deleted_is_marked_and_not_made_again() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push().await;
    let id = house.contact("1").id;
    assert!(house.sim.portal().delete(id));
    house.person("1", "Ulm").await;
    house.push().await;
    house.person("1", "Bonn").await;
    house.push_until_idle(3).await;
    assert!(house.sim.contacts_with("leads-1").is_empty());
    assert_eq!(house.sim.journal().count("import"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_contact_under_a_new_number_is_linked_again() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push().await;
    assert!(house.sim.portal().delete(house.contact("1").id));
    let number = number("1");
    house.sim.put(CAMPAIGN, &[("Name", "1"), ("UserData", "leads-1"), ("PhoneNumber1", &number)]);
    house.person("1", "Ulm").await;
    house.push_until_idle(3).await;
    assert_eq!(house.field("1", "City"), json!("Ulm"));
    assert_eq!(house.sim.journal().count("import"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_decision_is_made_anew_before_anybody_is_made_callable() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.person("2", "Bonn").await;
    house.push().await;
    house.person("3", "Bonn").await;
    house.person("1", "Ulm").await;
    house.wait(20 * 60).await;
    house.crm.readable.store(false, std::sync::atomic::Ordering::Relaxed);
    house.push().await;
    assert_eq!(house.sim.len(), 2, "held, because the CRM cannot be read");
    assert_eq!(house.field("1", "City"), json!("Ulm"), "a city makes nobody callable");

    house.crm.readable.store(true, std::sync::atomic::Ordering::Relaxed);
    house.wait(120).await;
    house.push().await;
    assert_eq!(house.sim.len(), 3);
    assert!(house.crm.asked.load(std::sync::atomic::Ordering::Relaxed) >= 2);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_unlocked() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push().await;
    house.leave("1").await;
    house.push().await;
    assert!(house.contact("1").locked);
    let number = number("1");
    let back = desired(&[("Name", "1"), ("City", "Ulm"), ("PhoneNumber1", &number)]);
    house.pull_side("1", CrmSide::Eligible(back)).await;
    house.push().await;
    assert!(!house.contact("1").locked);
    assert_eq!(house.field("1", "City"), json!("Ulm"));
}
