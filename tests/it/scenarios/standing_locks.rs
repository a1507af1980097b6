//! Does a lock hold when others unlock beside us?

use crate::support::world::{Setup, World, key, minutes, seconds};
use dialbridge::domain::Timestamp;
use dialbridge::sim::dialler::config::Release;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome, What};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// Nothing changes in the CRM: it need not be asked every minute of a night.
fn quiet() -> Setup {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"";
    Setup { pull: "*/20 * * * *", route_keys, ..Setup::default() }
}

/// How many locks the dialler was sent since.
fn locks(world: &World, mark: u64) -> usize {
    world.writes(mark).iter().filter(|kind| **kind == "lock").count()
}

/// So many records, of which the first so many object and are locked.
async fn locked(setup: Setup, all: usize, objecting: usize) -> (World, Vec<u64>) {
    let world = World::new(setup).await;
    let ids: Vec<u64> = (0..all).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    for id in &ids[..objecting] {
        world.editor().edit(*id, json!({ "do_not_call": true }));
    }
    world.sync_all().await;
    assert!(ids[..objecting].iter().all(|id| world.locked(*id)));
    (world, ids)
}

#[tokio::test(start_paused = true)]
async fn is_whoever_somebody_unlocked_by_a_csv_locked_again_by_the_morning() {
    let (world, ids) = locked(quiet(), 70, 60).await;
    // What it writes is what was there: no list shows it.
    for id in &ids[..30] {
        assert!(world.dialler.portal().edit(world.contact(*id).id, "FirstName", "A"));
    }
    world.live(minutes(10)).await;
    let mut csv = "Name;FirstName;PhoneNumber1;UserData\n".to_owned();
    for (n, id) in ids[..30].iter().enumerate() {
        csv.push_str(&format!("Name {n};A;{};{}\n", &world.number(*id)[1..], key(*id)));
    }
    world.dialler.portal().import_csv(538, &csv, true);
    assert!(ids[..30].iter().all(|id| !world.locked(*id)), "all open, and no page shows it");
    let mark = world.mark();
    // Half past four in the morning, Berlin.
    world.advance(minutes(18 * 60)).await;
    world.live(minutes(31)).await;
    assert!(ids[..60].iter().all(|id| world.locked(*id)), "{}", world.story().await);
    assert!(ids[60..].iter().all(|id| !world.locked(*id)));
    assert_eq!(locks(&world, mark), 60, "each once");
    let told =
        dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert!(told.contains("Standing locks: 60 of 60 sent again"), "{told}");
    // And the next night again.
    world.dialler.portal().unlock(world.contact(ids[3]).id);
    world.advance(minutes(23 * 60)).await;
    world.live(minutes(60)).await;
    assert!(world.locked(ids[3]));
    assert_eq!(locks(&world, mark), 120, "no lock but those of the two nights");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_one_lock_that_the_dialler_rejects_keep_the_others_of_the_night() {
    let (world, ids) = locked(quiet(), 10, 8).await;
    let rejected = world.contact(ids[0]).id;
    let says = Action::Says { code: 409, body: "{\"status\":\"error\",\"error\":\"busy\"}" };
    world.dialler.faults().add(Rule::new(says).path(&format!("/contact/{rejected}/lock")));
    let mark = world.mark();
    world.advance(minutes(18 * 60)).await;
    world.live(minutes(60)).await;
    assert!(locks(&world, mark) > 60, "it is tried all the time");
    // Nothing shows it; the next night mends it.
    assert!(world.dialler.portal().unlock(world.contact(ids[5]).id));
    world.advance(minutes(23 * 60)).await;
    world.live(minutes(60)).await;
    assert!(world.locked(ids[5]), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_new_objection_in_the_night_wait_for_the_standing_locks() {
    let dialler = DiallerConfig { release: Release::From3_39, ..DiallerConfig::default() };
    let (world, ids) = locked(Setup { dialler, ..quiet() }, 120, 110).await;
    let just_begun: Timestamp = "2026-03-03T03:30:05Z".parse().expect("half past four in Berlin");
    world.advance((just_begun - world.now()).to_std().expect("ahead") - minutes(35)).await;
    world.live(minutes(30)).await;
    let slow = Action::Latency { before: seconds(0), after: seconds(1) };
    world.dialler.faults().add(Rule::new(slow));
    world.live(minutes(5)).await;
    let open = ids[115];
    let asked = world.now();
    world.block_number(&world.number(open)).await;
    world.live(seconds(30)).await;
    let contact = world.contact(open);
    assert!(contact.locked, "{}", world.story().await);
    let deeds = world.dialler.journal().deeds_on(contact.id);
    let at = deeds.iter().find(|deed| matches!(deed.effect.what, What::Locked { .. })).expect("a lock").at;
    assert!(at - asked < chrono::TimeDelta::seconds(25), "after {}", at - asked);
    let round = world.ledger().lock_round_last().await.expect("a round").expect("it began");
    assert!(round.finished_at.is_none() && round.sent < 110, "it overtook the night's: {round:?}");
    world.live(minutes(15)).await;
    let round = world.ledger().lock_round_last().await.expect("a round").expect("it began");
    assert!(round.finished_at.is_some() && round.sent == 110, "{round:?}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_locked_contact_locked_again_at_once_that_shows_somebody_elses_hand() {
    let world = World::new(quiet()).await;
    let ids: Vec<u64> = (0..5).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let contact = |n: usize| world.contact(ids[n]).id;
    for n in 0..3 {
        assert!(world.dialler.call(contact(n), CallPlan::new(Outcome::NoAnswer)));
    }
    world.live(minutes(30)).await;
    for id in &ids {
        world.editor().edit(*id, json!({ "do_not_call": true }));
    }
    world.live(minutes(25)).await;
    assert!(ids.iter().all(|id| world.locked(*id)));
    let mark = world.mark();
    let portal = world.dialler.portal();
    // Its counters go back; it is called; it gets another number; an import beside us knows another name. The last one
    // shows nothing.
    assert!(portal.reset(contact(0)) && portal.unlock(contact(0)));
    assert!(portal.unlock(contact(1)) && world.dialler.call(contact(1), CallPlan::new(Outcome::NoAnswer)));
    assert!(portal.edit(contact(2), "PhoneNumber2", "493023125999") && portal.unlock(contact(2)));
    let csv = format!(
        "Name;FirstName;PhoneNumber1;UserData\nSomebody;A;{};{}\n",
        &world.number(ids[3])[1..],
        key(ids[3])
    );
    portal.import_csv(538, &csv, true);
    assert!(!world.locked(ids[3]));
    world.live(minutes(40)).await;
    for id in &ids[..4] {
        assert!(world.locked(*id), "{id}: {}", world.story().await);
    }
    assert!((4..=6).contains(&locks(&world, mark)), "each once: {}", locks(&world, mark));
    assert!(world.told(ids[1]).await.contains("it was called"), "{}", world.told(ids[1]).await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_csv_seen_that_writes_only_into_fields_that_no_route_maps() {
    let (world, ids) = locked(quiet(), 4, 3).await;
    world.live(minutes(10)).await;
    let mark = world.mark();
    // The first is overwritten; of the second an agent writes, who works on a call of before; nobody touches the third.
    let csv = format!(
        "Name;FirstName;PhoneNumber1;UserData;Company\nName 0;A;{};{};Acme\n",
        &world.number(ids[0])[1..],
        key(ids[0])
    );
    world.dialler.portal().import_csv(538, &csv, true);
    assert!(!world.locked(ids[0]), "it is open");
    assert!(world.dialler.portal().edit(world.contact(ids[1]).id, "Comment", "was angry"));
    world.live(minutes(7)).await;
    assert!(world.locked(ids[0]), "{}", world.story().await);
    world.live(minutes(60)).await;
    assert_eq!(locks(&world, mark), 1, "once for each such writing: {}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_locked_again_by_what_we_wrote_ourselves() {
    let (world, ids) = locked(quiet(), 5, 3).await;
    let mark = world.mark();
    for id in &ids {
        world.editor().edit(*id, json!({ "city": "Bonn", "zip": "1" }));
    }
    world.live(minutes(60)).await;
    assert_eq!(locks(&world, mark), 0, "{}", world.story().await);
    world.ends().await;
}
