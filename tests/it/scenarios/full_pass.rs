//! Is everything read again when it must be, without flooding anybody and without beginning over and over?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, WaveOrder};
use dialbridge::domain::RouteName;
use dialbridge::domain::policy::Job;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

/// An edit that shows up under a time that every cursor has passed (a transaction that took hours).
async fn with_a_late_edit() -> (World, u64) {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(180)).await;
    world.sync_all().await;
    let modified = world.now() - chrono::TimeDelta::hours(2);
    world.editor().edit_as_of(id, json!({ "city": "Bonn" }), modified);
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Ulm"), "no pull from the cursor can see it");
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn does_a_full_pull_find_what_came_under_an_old_time() {
    let (world, id) = with_a_late_edit().await;
    let route = Some(RouteName::from("leads"));
    world.must(Command::Sync { job: Some(Job::Pull), route, full: true }).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn and_once_a_week_without_being_asked() {
    let (world, id) = with_a_late_edit().await;
    world.advance(Duration::from_secs(6 * 86_400)).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Ulm"), "not before its week is over");
    world.advance(Duration::from_secs(86_400)).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_changed_mapping_stand_as_one_wave() {
    let limits = "max_new_per_run = 1000\nmax_changed_per_run = 10";
    let setup = Setup { route_keys: limits, ..Setup::default() };
    let mut world = World::new(setup.clone()).await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Person {n}"))).collect();
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 30);
    // So that no ordinary pull reads them again within its overlap.
    world.advance(minutes(20)).await;
    world.sync_all().await;
    let mark = world.mark();
    let fields = "Name = \"name ~ ' (lead)'\"\nPhoneNumber1 = \"phone | phone('DE')\"\nEmail = \"email\"\n\
                  City = \"city\"\nPostalCode = \"zip\"";
    world.configure(&Setup { fields, ..setup }).await;
    world.sync_all().await;
    assert!(world.writes(mark).is_empty(), "30 changes are more than 10");
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!((waves.len(), waves[0].waiting), (1, 30));
    assert!(waves[0].source.starts_with("pass:"), "{:?}", waves[0]);
    let wave = Command::Wave { wave: waves[0].id, word: WaveOrder::Approve, reason: "a test".to_owned() };
    world.must(wave).await;
    world.sync_all().await;
    assert_eq!(world.value(ids[0], "Name"), json!("Person 0 (lead)"));
    assert_eq!(world.writes(mark).len(), 30);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_pass_go_on_where_it_was_and_hold_up_no_change() {
    let mut world = World::new(Setup { route_keys: "max_new_per_run = 5000", ..Setup::default() }).await;
    world.editor().seed(1_400, 1);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 1_400);
    world.advance(minutes(1)).await;
    // Each page takes ten seconds: a stretch of a minute reads some, not all of the 7.
    let slow = Action::Latency { before: seconds(10), after: Duration::ZERO };
    world.crm.faults.add(Rule::new(slow));
    let route = RouteName::from("leads");
    let revision = world.ledger().route_show(route.clone()).await.expect("read").and_then(|row| row.revision);
    let why = dialbridge::domain::policy::PassReason::ByHand;
    world.ledger().pass_begin(route.clone(), revision.expect("a revision"), why).await.expect("begun");
    let mark = world.crm.journal.requests_of("list").len();
    world.pull().await.expect("a pull");
    let open = world.ledger().pass_open(route.clone()).await.expect("read").expect("it goes on");
    assert!(open.token.is_some(), "its place is kept");
    world.restart().await;
    let some = world.editor().ids()[5];
    world.editor().edit(some, json!({ "city": "Bonn" }));
    for _ in 0..5 {
        world.pull().await.expect("a pull");
    }
    assert!(world.ledger().pass_open(route).await.expect("read").is_none(), "it comes to its end");
    // 7 pages of the pass and one or two of each pull: nothing was read from the beginning again.
    let pages = world.crm.journal.requests_of("list").len() - mark;
    assert!(pages <= 8 + 2 * 6, "{pages} pages");
    world.push().await.expect("a push");
    assert_eq!(world.value(some, "City"), json!("Bonn"));
    world.ends().await;
}
