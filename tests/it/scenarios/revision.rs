//! What is read anew when the mapping changes, and who else is not what was seen before?

use crate::support::world::{Setup, World, minutes};
use chrono::TimeDelta;
use dialbridge::domain::policy::Job;
use dialbridge::sim::crm::Settings as CrmSettings;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn does_a_changed_mapping_decide_every_record_anew() {
    let mut world = World::usual().await;
    let ids: Vec<u64> = (0..3).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(60 * 24 * 7)).await;
    world.sync_all().await;
    let setup = Setup {
        fields: "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nCity = \"'in ' ~ city\"",
        ..Setup::default()
    };
    world.configure(&setup).await;
    world.sync_all().await;
    assert!(ids.iter().all(|id| world.value(*id, "City") == json!("in Ulm")), "{}", world.story().await);
    world.assert_at_rest().await;
    // And a condition nobody's record changed for.
    world.configure(&Setup { route_keys: "only_if = \"phone and score > 9\"", ..setup }).await;
    world.sync_all().await;
    assert!(ids.iter().all(|id| world.locked(*id)));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_crm_that_was_set_back_stop_the_route() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..40).map(|n| world.record(&format!("Name {n}"))).collect();
    world.advance(minutes(60 * 24)).await;
    world.editor().burst(&ids, &json!({ "city": "Bonn" }));
    world.sync_all().await;
    // Last night's copy answers; its list shows everything, as after a restore.
    let yesterday = world.now() - TimeDelta::hours(12);
    world.crm.set(|settings| settings.ignores_since = true);
    ids.iter().for_each(|id| world.editor().edit_as_of(*id, json!({ "city": "Ulm" }), yesterday));
    let mark = world.mark();
    let stopped = world.pull().await.expect_err("the route must stop").to_string();
    assert!(stopped.contains("set back"), "{stopped}");
    world.push().await.expect("a push");
    assert!(world.stopped().await.is_some());
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "nothing of the page was taken");
    world.ends().await;
}

/// A CRM whose answers are pages of ten, with so many records, set back to yesterday; what the pull said of it.
async fn set_back(records: usize) -> (World, Option<String>) {
    let crm = CrmSettings { page_cap: 10, ..CrmSettings::default() };
    let world = World::new(Setup { connector: "sim-link", crm, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..records).map(|n| world.record(&format!("Name {n}"))).collect();
    world.advance(minutes(60 * 24)).await;
    world.editor().burst(&ids, &json!({ "city": "Bonn" }));
    world.sync_all().await;
    let yesterday = world.now() - TimeDelta::hours(12);
    world.crm.set(|settings| settings.ignores_since = true);
    ids.iter().for_each(|id| world.editor().edit_as_of(*id, json!({ "city": "Hof" }), yesterday));
    let mark = world.mark();
    let said = world.pull().await.err().map(|error| error.to_string());
    world.push().await.expect("a push");
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "yesterday's versions reach nobody");
    (world, said)
}

#[tokio::test(start_paused = true)]
async fn does_one_that_was_set_back_stop_the_route_though_its_pages_are_small() {
    let (world, said) = set_back(30).await;
    assert!(said.is_some_and(|said| said.contains("set back")));
    assert!(world.stopped().await.is_some());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_small_one_that_was_set_back_stop_the_route_and_go_on_when_it_is_well_again() {
    for records in [3, 19] {
        let (world, said) = set_back(records).await;
        assert!(said.is_some_and(|said| said.contains("set back")), "{records}");
        assert!(world.stopped().await.is_some(), "{records}");
        for id in world.editor().ids() {
            world.editor().edit(id, json!({ "city": "Ulm" }));
        }
        world.settle_down().await;
        assert!(world.stopped().await.is_none());
        assert!(world.editor().ids().iter().all(|id| world.value(*id, "City") == json!("Ulm")));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_two_records_too_few_to_be_judged_and_their_old_versions_dropped() {
    let (world, said) = set_back(2).await;
    assert_eq!((said, world.stopped().await), (None, None));
    let runs = world.runs().await;
    let pull = runs.iter().find(|run| run.job == Job::Pull).expect("a pull");
    assert_eq!(pull.counts.stale, 2, "{}", world.story().await);
    assert!(world.parked().await.is_empty());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_index_that_lags_stop_no_small_route() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(30)).await;
    world.editor().burst(&ids, &json!({ "city": "Bonn" }));
    world.sync_all().await;
    // All of them in the version of half an hour ago.
    let before = world.now() - TimeDelta::minutes(30);
    world.crm.set(|settings| settings.ignores_since = true);
    ids.iter().for_each(|id| world.editor().edit_as_of(*id, json!({ "city": "Hof" }), before));
    world.pull().await.expect("single old versions prove nothing");
    assert!(world.stopped().await.is_none());
    assert!(ids.iter().all(|id| world.value(*id, "City") == json!("Bonn")));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_second_record_with_the_same_folded_key_parked_and_not_sent() {
    let world = World::new(Setup { connector: "sim-cursor", ..Setup::default() }).await;
    let (one, other) = (world.record("Ada"), world.record("Berta"));
    for (id, written) in [(one, "A1"), (other, "a1")] {
        let raw = json!({
            "id": written, "name": written, "phone": world.number(id), "email": "a@b.example", "city": "Hof",
            "zip": "1", "do_not_call": false, "active": true, "phone_blacklisted": false,
            "modified_at": world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        world.editor().make_odd(id, raw.to_string());
    }
    world.sync_all().await;
    assert_eq!(world.dialler.contacts_with("leads-A1").len(), 1, "{}", world.story().await);
    assert_eq!(world.dialler.contacts_with("leads-a1").len(), 0);
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].starts_with("a1: ") && parked[0].contains("A1"), "{parked:?}");
    world.assert_at_rest().await;
}
