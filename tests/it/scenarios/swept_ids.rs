//! Is a record found that was deleted for good, and is a walk that shows too little believed?

use crate::support::world::{Setup, World, minutes};
use dialbridge::control::{Command, WaveOrder};
use dialbridge::domain::RouteName;
use dialbridge::domain::policy::{Job, WaveWhat};
use dialbridge::jobs::push::plan::plan;
use dialbridge::ledger::WavePlan;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

const CONDITIONS: &str =
    "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nmax_new_per_run = 5000\n";

async fn with(keys: &str, records: usize) -> (World, Vec<u64>) {
    let route_keys: &'static str = format!("{CONDITIONS}{keys}").leak();
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..records).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(20)).await;
    world.sync_all().await;
    (world, ids)
}

/// `sync pull --full`, and the pushes that follow.
async fn full(world: &World) {
    let route = Some(RouteName::from("leads"));
    let _ended = world.command(Command::Sync { job: Some(Job::Pull), route, full: true }).await;
    world.idle().await;
}

/// A pull and a push, whatever the pull says.
async fn later(world: &World) {
    world.advance(minutes(11)).await;
    let _whatever = world.pull().await;
    world.push().await.expect("a push");
}

fn locked(world: &World, ids: &[u64]) -> usize {
    ids.iter().filter(|id| world.locked(**id)).count()
}

#[tokio::test(start_paused = true)]
async fn does_a_record_that_was_deleted_for_good_leave_by_the_next_full_pass() {
    let (world, ids) = with("", 5).await;
    world.editor().delete(ids[0]);
    world.live(minutes(30)).await;
    assert!(!world.locked(ids[0]), "no change shows it");
    full(&world).await;
    assert_eq!(locked(&world, &ids), 0, "one absence is a question");
    later(&world).await;
    assert!(world.locked(ids[0]), "{}", world.story().await);
    assert_eq!(locked(&world, &ids), 1);
    assert!(world.told(ids[0]).await.contains("no longer exists"), "{}", world.told(ids[0]).await);
    world.assert_at_rest().await;
    // And with its contact, where the route says so.
    let (world, ids) = with("[route.leads.leave]\ndeleted = \"delete\"", 5).await;
    world.editor().delete(ids[0]);
    full(&world).await;
    world.live(minutes(90)).await;
    assert_eq!(world.contacts(ids[0]).len(), 0, "{}", world.story().await);
    assert_eq!(locked(&world, &ids[1..]), 0);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_pass_come_by_itself_as_often_as_the_route_says() {
    for (keys, days) in [("", 7), ("full_pass = \"1d\"", 1)] {
        let (world, ids) = with(keys, 3).await;
        world.editor().delete(ids[0]);
        world.advance(Duration::from_secs(days * 86_400 - 7_200)).await;
        for _ in 0..2 {
            later(&world).await;
        }
        assert!(!world.locked(ids[0]), "{days}: too soon");
        world.advance(Duration::from_secs(7_200)).await;
        for _ in 0..3 {
            later(&world).await;
        }
        assert!(world.locked(ids[0]), "{days}: {}", world.story().await);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nothing_concluded_from_a_walk_that_lacks_many_or_names_nobody() {
    let (world, ids) = with("", 40).await;
    let nobody = world.crm.faults.add(Rule::new(Action::EmptyList));
    full(&world).await;
    for _ in 0..3 {
        later(&world).await;
    }
    assert!(world.crm.faults.fired(nobody) > 0);
    assert_eq!((locked(&world, &ids), world.stopped().await), (0, None));
    world.crm.faults.clear();
    // Thirty of forty are gone: a right may have been taken away.
    ids[..30].iter().for_each(|id| world.editor().delete(*id));
    full(&world).await;
    for _ in 0..3 {
        later(&world).await;
    }
    assert_eq!(locked(&world, &ids), 0, "{}", world.story().await);
    let held = held(&world).await;
    assert_eq!((held.wave.what, held.wave.waiting, held.records.len()), (WaveWhat::Missing, 30, 30));
    // Everything else goes on.
    world.editor().edit(ids[35], json!({ "do_not_call": true }));
    world.editor().edit(ids[36], json!({ "city": "Bonn" }));
    later(&world).await;
    assert!(world.locked(ids[35]), "{}", world.story().await);
    assert_eq!((world.stopped().await, world.value(ids[36], "City")), (None, json!("Bonn")));
    // Nobody believes it: it is as it was, until the next walk says the same.
    decide(&world, held.wave.id, WaveOrder::Reject).await;
    for _ in 0..2 {
        later(&world).await;
    }
    assert_eq!(
        (locked(&world, &ids), world.ledger().waves_list(None, false).await.expect("waves").len()),
        (1, 0)
    );
    full(&world).await;
    let again = self::held(&world).await;
    assert!(again.wave.id != held.wave.id && again.records.len() == 30, "{:?}", again.wave);
    decide(&world, again.wave.id, WaveOrder::Approve).await;
    for _ in 0..3 {
        later(&world).await;
    }
    assert_eq!(locked(&world, &ids), 31, "{}", world.story().await);
    assert_eq!(world.ledger().waves_list(None, false).await.expect("waves"), []);
    world.ends().await;
}

/// Five of them are of an old stage, which no condition names yet; everything is sent.
async fn five_of_an_old_stage(keys: &str) -> (World, Vec<u64>) {
    let (world, ids) = with(keys, 8).await;
    ids[..5].iter().for_each(|id| world.editor().edit(*id, json!({ "stage": "old" })));
    world.sync_all().await;
    world.advance(minutes(20)).await;
    world.sync_all().await;
    (world, ids)
}

/// A condition that leaves them out, and the wave in which their locks wait.
async fn left_out(world: &mut World) -> WavePlan {
    narrow(world, "and active and stage == 'new'", "max_locked_by_scope = 3").await;
    held(world).await
}

/// Another condition than the one by which they came to be there.
async fn narrow(world: &mut World, condition: &str, keys: &str) {
    let narrower = CONDITIONS.replace("and active", condition);
    let route_keys: &'static str = format!("{narrower}{keys}").leak();
    world.configure(&Setup { route_keys, ..Setup::default() }).await;
    world.live(minutes(10)).await;
}

#[tokio::test(start_paused = true)]
async fn do_many_whom_only_a_changed_condition_would_lock_wait_and_whoever_objects_does_not() {
    let (mut world, ids) = five_of_an_old_stage("").await;
    let wave = left_out(&mut world).await.wave;
    assert_eq!((wave.what, wave.waiting, wave.bound), (WaveWhat::LockedByScope, 5, 3));
    assert_eq!(locked(&world, &ids), 0, "{}", world.story().await);
    // One says no, one is taken out by a change of his own, and of one something else changes.
    world.editor().edit(ids[0], json!({ "do_not_call": true }));
    world.editor().edit(ids[1], json!({ "phone": null }));
    world.editor().edit(ids[2], json!({ "city": "Bonn" }));
    later(&world).await;
    assert_eq!((locked(&world, &ids[..2]), locked(&world, &ids)), (2, 2), "{}", world.story().await);
    decide(&world, wave.id, WaveOrder::Reject).await;
    // Not by the round of the night either.
    world.advance(Duration::from_secs(86_400)).await;
    later(&world).await;
    assert_eq!(locked(&world, &ids), 2, "{}", world.story().await);
    // Nor by a look at them, or by an edit that is nothing to their being out.
    world.hint(&ids[2..5]).await;
    later(&world).await;
    world.editor().edit(ids[3], json!({ "city": "Hof" }));
    later(&world).await;
    assert_eq!(locked(&world, &ids), 2, "{}", world.story().await);
    narrow(&mut world, "and active and stage != 'old'", "max_locked_by_scope = 2").await;
    let wave = held(&world).await.wave;
    assert_eq!((wave.what, wave.waiting, locked(&world, &ids)), (WaveWhat::LockedByScope, 3, 2));
    world.advance(Duration::from_secs(86_400)).await;
    later(&world).await;
    assert_eq!(locked(&world, &ids), 2, "nobody is, before somebody says so");
    decide(&world, wave.id, WaveOrder::Approve).await;
    later(&world).await;
    assert_eq!(locked(&world, &ids), 5, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_whom_a_person_left_callable_stay_so_until_he_leaves_by_himself() {
    let (mut world, ids) = five_of_an_old_stage("").await;
    let wave = left_out(&mut world).await.wave;
    decide(&world, wave.id, WaveOrder::Reject).await;
    world.hint(&ids[..5]).await;
    later(&world).await;
    assert_eq!((locked(&world, &ids), held_waiting(&world).await), (0, 0), "{}", world.story().await);
    // One would be out by the condition of before, too; another has another number; one says no.
    world.editor().edit(ids[0], json!({ "phone": null }));
    world.editor().edit(ids[1], json!({ "phone": "+49 30 23125 999" }));
    world.editor().edit(ids[2], json!({ "do_not_call": true }));
    later(&world).await;
    assert!(ids[..3].iter().all(|id| world.locked(*id)), "{}", world.story().await);
    assert_eq!(locked(&world, &ids), 3);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_those_wait_whom_a_changed_mapping_would_lock_and_not_who_says_no_in_only_if() {
    let keys = "max_locked_by_scope = 3\n";
    let (mut world, ids) = with(keys, 6).await;
    let route_keys: &'static str = format!("{CONDITIONS}{keys}").leak();
    let fields = "Name = \"name\"\nPhoneNumber1 = \"email | phone('DE')\"";
    world.configure(&Setup { route_keys, fields, ..Setup::default() }).await;
    // He is out by a change of his own, whoever reads him first.
    world.editor().edit(ids[0], json!({ "phone": null }));
    world.live(minutes(10)).await;
    let wave = held(&world).await.wave;
    assert_eq!((wave.what, wave.waiting, locked(&world, &ids)), (WaveWhat::LockedByScope, 5, 1));
    assert!(world.locked(ids[0]), "{}", world.story().await);
    // It was a mistake: nobody waits any more. But of what looks like a no there is no wave.
    let unwanted = &["do_not_call == 'x'", "phone and active and not do_not_call"];
    let [never, condition] = unwanted;
    let route_keys: &'static str =
        format!("only_if = \"{condition}\"\nblock_if = \"{never}\"\nmax_new_per_run = 5000\n{keys}").leak();
    ids[1..6].iter().for_each(|id| world.editor().edit(*id, json!({ "do_not_call": true })));
    world.configure(&Setup { route_keys, ..Setup::default() }).await;
    world.live(minutes(10)).await;
    assert_eq!(locked(&world, &ids), 6, "{}", world.story().await);
    assert_eq!(held_waiting(&world).await, 0);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_nobody_whose_new_number_is_blocked_wait_for_a_person_with_those_of_a_changed_condition() {
    let (mut world, ids) = with("", 8).await;
    for (n, id) in ids.iter().enumerate() {
        let stage = if n < 5 { "old" } else { "new" };
        world.editor().edit(*id, json!({ "stage": stage, "city": format!("030 5550{n:03}") }));
    }
    world.sync_all().await;
    world.advance(minutes(20)).await;
    world.sync_all().await;
    world.block_number("+49305550000").await;
    assert_eq!(locked(&world, &ids), 0, "it is nobody's yet");
    let narrower = CONDITIONS.replace("and active", "and active and stage == 'new'");
    let route_keys: &'static str = format!("{narrower}max_locked_by_scope = 3").leak();
    let fields = "Name = \"name\"\nPhoneNumber1 = \"city | phone('DE')\"";
    world.configure(&Setup { route_keys, fields, ..Setup::default() }).await;
    world.live(minutes(10)).await;
    let wave = held(&world).await.wave;
    assert_eq!(
        (wave.waiting, locked(&world, &ids), world.locked(ids[0])),
        (4, 1, true),
        "{}",
        world.story().await
    );
    world.ends().await;
}

async fn held_waiting(world: &World) -> i64 {
    world.ledger().waves_list(None, false).await.expect("waves").iter().map(|wave| wave.waiting).sum()
}

/// The one wave that stands.
async fn held(world: &World) -> WavePlan {
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    let [wave] = &waves[..] else { panic!("one wave: {waves:?}\n{}", world.story().await) };
    world.ledger().plan_of_wave(wave.clone(), plan).await.expect("a plan")
}

async fn decide(world: &World, wave: i64, word: WaveOrder) {
    world.must(Command::Wave { wave, word, reason: "looked into it".to_owned() }).await;
    world.idle().await;
}

#[tokio::test(start_paused = true)]
async fn are_a_few_of_many_no_reason_to_stop() {
    let (world, ids) = with("", 300).await;
    ids[..25].iter().for_each(|id| world.editor().delete(*id));
    full(&world).await;
    for _ in 0..3 {
        later(&world).await;
    }
    assert_eq!((locked(&world, &ids), world.stopped().await), (25, None));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_changed_condition_told_as_a_change_of_scope() {
    let leave = "[route.leads.leave]\nineligible = \"delete\"";
    let (mut world, ids) = five_of_an_old_stage(leave).await;
    assert_eq!(locked(&world, &ids), 0);
    let narrower = CONDITIONS.replace("and active", "and active and stage == 'new'");
    let route_keys: &'static str = format!("{narrower}{leave}").leak();
    world.configure(&Setup { route_keys, ..Setup::default() }).await;
    world.live(minutes(120)).await;
    assert_eq!(locked(&world, &ids), 5, "{}", world.story().await);
    let told: Vec<String> = world.runs().await.iter().filter_map(|run| run.remark.clone()).collect();
    let scope = "a change of scope: by the route's new conditions 5 contacts are not eligible any more";
    assert!(told.iter().any(|remark| remark == scope), "{told:?}");
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert!(
        waves.len() == 1 && waves[0].removes_by_scope() && waves[0].waiting == 5,
        "nobody is deleted for it before a person says so, however few they are: {waves:?}"
    );
    let told = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await;
    let told = told.expect("a status");
    assert!(told.contains("route leads 5 contacts are out of reach and locked"), "{told}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_changed_mapping_that_finds_no_number_told_as_one_too() {
    let (mut world, ids) = five_of_an_old_stage("").await;
    let usual = Setup::default();
    let fields: &'static str = usual.fields.replace("\"phone |", "\"email |").leak();
    assert_ne!(fields, usual.fields);
    world.configure(&Setup { route_keys: CONDITIONS, fields, ..Setup::default() }).await;
    world.live(minutes(120)).await;
    let out = locked(&world, &ids);
    assert!(out > 0, "{}", world.story().await);
    let told = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await;
    let told = told.expect("a status");
    assert!(told.contains("contacts are out of reach and locked"), "{told}");
    world.ends().await;
}
