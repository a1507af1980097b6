//! First sight: nothing is imported over a contact that is there, and who must not be called is locked.

use super::house::{CAMPAIGN, ELSEWHERE, house, number};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn new_records_are_imported_once_and_then_nothing_is_written() {
    let house = house(DiallerConfig::default()).await;
    for id in ["1", "2", "3"] {
        house.person(id, "Bonn").await;
    }
    let report = house.push().await;
    assert_eq!((report.counts.taken, report.counts.done), (3, 3));
    assert_eq!(house.sim.len(), 3);
    assert_eq!(house.field("2", "City"), json!("Bonn"));

    let writes = house.sim.journal().write_count();
    for id in ["1", "2", "3"] {
        assert_eq!(house.person(id, "Bonn").await.unchanged, 1);
    }
    let report = house.push().await;
    assert_eq!(report.counts.taken, 0);
    assert_eq!(house.sim.journal().write_count(), writes, "nothing changed, nothing is written");
}

#[tokio::test(start_paused = true)]
async fn a_first_load_costs_one_list_and_no_look_ups() {
    let house = house(DiallerConfig::default()).await;
    house.sim.seed(CAMPAIGN, "others", 50);
    for id in 0..150 {
        house.person(&id.to_string(), "Bonn").await;
    }
    let report = house.push().await;
    assert_eq!(report.counts.done, 150);
    let counts = house.sim.journal().counts();
    assert_eq!(counts.get("list"), Some(&1), "{counts:?}");
    assert_eq!(counts.get("import"), Some(&150));
    let asked: u64 = counts.values().sum();
    assert_eq!(asked, 151, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_bears_our_key_is_adopted_and_only_the_difference_sent() {
    let house = house(DiallerConfig::default()).await;
    let id = house.sim.put(
        CAMPAIGN,
        &[("Name", "1"), ("UserData", "leads-1"), ("City", "Ulm"), ("PhoneNumber1", &number("1"))],
    );
    house.person("1", "Bonn").await;
    house.push().await;
    assert_eq!(house.sim.len(), 1);
    assert_eq!(house.field("1", "City"), json!("Bonn"));
    assert_eq!(house.sim.journal().count("import"), 0, "never an import over a contact that is there");
    let updates = house.sim.journal().requests_of("update");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].json(), json!({ "ID": id, "City": "Bonn" }));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_clearly_ours_parks_the_record() {
    let house = house(DiallerConfig::default()).await;
    house.sim.put(ELSEWHERE, &[("Name", "x"), ("UserData", "leads-1"), ("PhoneNumber1", "49301")]);
    house.sim.put(CAMPAIGN, &[("Name", "y"), ("UserData", "LEADS-2"), ("PhoneNumber1", "49302")]);
    house.person("1", "Bonn").await;
    house.person("2", "Bonn").await;
    house.push().await;
    assert_eq!(house.sim.journal().write_count(), 0);
    let parked = house.ctx.ledger.parked_list(None, 10).await.expect("parked");
    let codes: Vec<&str> = parked.iter().map(|item| item.reason.code.as_str()).collect();
    assert_eq!(codes, ["found_elsewhere", "folded_match"]);
    house.wait(3600).await;
    house.push().await;
    assert_eq!(house.sim.journal().write_count(), 0, "an hour later neither");
}

#[tokio::test(start_paused = true)]
async fn of_several_contacts_all_but_one_are_locked_and_the_record_parked() {
    let house = house(DiallerConfig::default()).await;
    let fields = [("Name", "1"), ("UserData", "leads-1"), ("PhoneNumber1", "49301")];
    let ids: Vec<i64> = (0..3).map(|_| house.sim.put(CAMPAIGN, &fields)).collect();
    assert!(house.sim.call(ids[1], CallPlan::new(Outcome::NoAnswer)));
    house.wait(600).await;
    house.person("1", "Bonn").await;
    house.push().await;
    let locked: Vec<bool> = ids.iter().map(|id| house.sim.contact(*id).expect("there").locked).collect();
    assert_eq!(locked, [true, false, true], "kept is the one with a try");
    assert_eq!(house.ctx.ledger.parked_list(None, 10).await.expect("parked").len(), 1);
    assert_eq!(house.sim.journal().count("import"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_record_is_asked_for_and_locked_if_found() {
    let house = house(DiallerConfig::default()).await;
    let id = house.sim.put(CAMPAIGN, &[("Name", "1"), ("UserData", "leads-1"), ("PhoneNumber1", "49301")]);
    house.leave("1").await;
    house.leave("2").await;
    house.push().await;
    assert!(house.sim.contact(id).expect("there").locked);
    assert_eq!(house.sim.journal().write_count(), 1, "one lock, nothing for the one that is not there");
    let requests = house.sim.journal().counts();
    house.push().await;
    assert_eq!(house.sim.journal().counts(), requests, "asked for once");
}

#[tokio::test(start_paused = true)]
async fn without_the_batch_read_keys_are_asked_for_one_by_one() {
    let house = house(DiallerConfig { batch_read: false, ..DiallerConfig::default() }).await;
    house.sim.put(CAMPAIGN, &[("Name", "1"), ("UserData", "leads-1"), ("PhoneNumber1", "49301")]);
    house.person("1", "Bonn").await;
    house.person("2", "Bonn").await;
    house.push().await;
    assert_eq!(house.sim.len(), 2);
    assert_eq!(house.sim.journal().count("import"), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_records_with_one_folded_key_the_second_is_parked() {
    let house = house(DiallerConfig::default()).await;
    house.person("a1", "Bonn").await;
    assert_eq!(house.person("A1", "Ulm").await.parked_new, 1, "a server may take the two for one");
    house.push().await;
    assert_eq!(house.sim.journal().count("import"), 1);
    assert_eq!(house.field("a1", "City"), json!("Bonn"));
    // The first one's edits still travel, the second one's wait.
    house.person("A1", "Hof").await;
    house.person("a1", "Hamm").await;
    house.push().await;
    assert_eq!((house.field("a1", "City"), house.sim.len()), (json!("Hamm"), 1));
}
