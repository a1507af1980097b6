//! Can a list, a filter or a mapping flood a live campaign? Does everything stand still when told to?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::cli::status_told;
use dialbridge::control::{Command, End, RouteWord, WaveOrder};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{RecordId, RouteName};
use dialbridge::ledger::Pilot;
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;
use std::time::Duration;

const LIMITED: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted or do_not_call\"\n\
                       max_new_per_run = 5\nmax_changed_per_run = 3";

async fn limited() -> World {
    World::new(Setup { route_keys: LIMITED, ..Setup::default() }).await
}

fn many(world: &World, count: usize) -> Vec<u64> {
    (0..count).map(|n| world.record(&format!("Person {n}"))).collect()
}

fn reason() -> String {
    "a test".to_owned()
}

fn route(word: RouteWord) -> Command {
    Command::Route { route: RouteName::from("leads"), word, reason: reason() }
}

fn pilot(whom: Pilot) -> RouteWord {
    RouteWord::Pilot { whom, until: None }
}

fn wave(wave: i64, word: WaveOrder) -> Command {
    Command::Wave { wave, word, reason: reason() }
}

#[tokio::test(start_paused = true)]
async fn does_a_bought_list_wait_for_a_person() {
    let world = limited().await;
    let ids = many(&world, 20);
    world.sync_all().await;
    assert_eq!(world.dialler.journal().count("import"), 0, "more than 5 at once: none is sent");
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!((waves.len(), waves[0].operations, waves[0].waiting), (1, 20, 20));
    // Edited or not, nobody slips out; whoever says no is blocked all the same.
    world.advance(minutes(20)).await;
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.editor().edit(ids[1], json!({ "do_not_call": true }));
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 0);
    let mark = world.mark();
    world.push().await.expect("a push");
    world.advance(minutes(20)).await;
    world.push().await.expect("a push");
    let asked = world.dialler.journal().requests_since(mark).len();
    assert_eq!(asked, 0, "the dialler is not asked for what may not be sent");
    world.must(wave(waves[0].id, WaveOrder::Approve)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 19, "{}", world.story().await);
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"));
    assert!(world.dialler.contacts_with(&format!("leads-{}", ids[1])).is_empty());
    assert!(world.ledger().waves_list(None, false).await.expect("waves").is_empty());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_rejected_wave_stay_aside_until_a_record_changes() {
    let world = limited().await;
    let ids = many(&world, 6);
    world.sync_all().await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    world.must(wave(waves[0].id, WaveOrder::Reject)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 0);
    world.editor().edit(ids[2], json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 1, "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_many_changes_wait_while_locks_go_out() {
    let world = limited().await;
    let ids = many(&world, 5);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 5, "within the limit");
    for id in &ids {
        world.editor().edit(*id, json!({ "city": "Bonn" }));
    }
    world.editor().edit(ids[4], json!({ "do_not_call": true }));
    world.sync_all().await;
    assert_eq!(world.value(ids[0], "City"), json!("Ulm"), "4 changes are more than 3");
    assert!(world.locked(ids[4]), "a limit holds no lock");
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    world.must(wave(waves[0].id, WaveOrder::Approve)).await;
    world.sync_all().await;
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_daily_limit_let_so_many_through_each_day() {
    let keys = "max_new_per_day = 3";
    let world = World::new(Setup { route_keys: keys, ..Setup::default() }).await;
    many(&world, 8);
    world.sync_all().await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 3);
    // 10:00 in Berlin when it began: the day is over after fourteen hours.
    world.advance(Duration::from_secs(13 * 3600)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 3);
    world.advance(Duration::from_secs(2 * 3600)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 6);
    world.advance(Duration::from_secs(24 * 3600)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 8, "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_daily_limit_of_changes_hold_no_lock_and_no_word_of_a_person() {
    let keys = "block_if = \"do_not_call\"\nmax_changed_per_day = 2";
    let world = World::new(Setup { route_keys: keys, ..Setup::default() }).await;
    let ids = many(&world, 6);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 6, "what is new is no change");
    for id in &ids[..4] {
        world.editor().edit(*id, json!({ "city": "Bonn" }));
    }
    world.editor().edit(ids[4], json!({ "do_not_call": true }));
    world.sync_all().await;
    let changed = |world: &World| ids.iter().filter(|id| world.value(**id, "City") == json!("Bonn")).count();
    assert_eq!(changed(&world), 2);
    assert!(world.locked(ids[4]));
    let told = status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert!(told.contains("2 changes of route leads wait for tomorrow"), "{told}");
    let waits = *ids.iter().find(|id| world.value(**id, "City") == json!("Ulm")).expect("one that waits");
    let (route, record) = (RouteName::from("leads"), RecordId(waits.to_string()));
    world.must(Command::SendRecord { route, record, reason: reason() }).await;
    assert_eq!(world.value(waits, "City"), json!("Bonn"));
    world.advance(Duration::from_secs(24 * 3600)).await;
    world.sync_all().await;
    assert_eq!(changed(&world), 4, "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_pilot_act_for_its_records_only() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let ids = many(&world, 6);
    world.sync_all().await;
    let chosen = RecordId(ids[3].to_string());
    world.must(route(pilot(Pilot::Records(vec![chosen])))).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 1);
    world.editor().edit(ids[3], json!({ "city": "Bonn" }));
    world.editor().edit(ids[2], json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(ids[3], "City"), json!("Bonn"));
    assert_eq!(world.dialler.len(), 1);
    world.must(route(pilot(Pilot::First(2)))).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 3, "two more: {}", world.story().await);
    world.must(route(RouteWord::On)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 6);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_pilot_end_by_itself_and_keep_its_end_through_a_pause() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let ids = many(&world, 3);
    world.sync_all().await;
    let records = |id: u64| Pilot::Records(vec![RecordId(id.to_string())]);
    let state = async |world: &World| {
        let row = world.ledger().route_show(RouteName::from("leads")).await.expect("read").expect("a route");
        row.state
    };
    let until = |world: &World, hours| Some(world.now() + chrono::TimeDelta::hours(hours));
    world.must(route(RouteWord::Pilot { whom: records(ids[0]), until: until(&world, 2) })).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 1);
    world.must(route(RouteWord::Pause { until: until(&world, 1), harvest_too: false })).await;
    world.live(Duration::from_secs(90 * 60)).await;
    assert_eq!(state(&world).await, RouteState::Pilot, "the pause is over, the pilot is not");
    world.live(Duration::from_secs(3600)).await;
    assert_eq!(state(&world).await, RouteState::Dry, "what it was before");
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.live(Duration::from_secs(600)).await;
    assert_eq!(world.value(ids[0], "City"), json!("Ulm"));

    // Of a route that is on a pilot makes one that acts for a few, and then for all again.
    world.must(route(RouteWord::On)).await;
    world.must(route(RouteWord::Pilot { whom: records(ids[1]), until: until(&world, 1) })).await;
    world.live(Duration::from_secs(2 * 3600)).await;
    assert_eq!(state(&world).await, RouteState::On);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_a_dry_route_decided_decided_anew_and_not_replayed() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let ids = many(&world, 4);
    world.sync_all().await;
    world.must(Command::Freeze { reason: reason(), until: None, even_locks: false }).await;
    world.switch(RouteState::On).await;
    let open = world.ledger().operations_open_counts().await.expect("counts");
    let waiting: i64 = open.iter().map(|count| count.count).sum();
    assert_eq!(waiting, 4, "the pull that follows decides anew, each once: {open:?}");
    world.must(Command::Thaw { reason: reason() }).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), ids.len());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_freeze_hold_everything_but_locks_and_lose_nothing() {
    let world = World::usual().await;
    let ids = many(&world, 4);
    world.sync_all().await;
    let until = world.now() + chrono::TimeDelta::hours(2);
    world.must(Command::Freeze { reason: reason(), until: Some(until), even_locks: false }).await;
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.editor().edit(ids[1], json!({ "do_not_call": true }));
    let new = world.record("New");
    let mark = world.mark();
    world.live(Duration::from_secs(3600)).await;
    assert_eq!(world.writes(mark), ["lock"], "{}", world.story().await);
    assert!(world.locked(ids[1]));
    world.live(Duration::from_secs(2 * 3600)).await;
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"), "it ends by itself and all is caught up");
    assert!(!world.locked(new));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_freeze_hold_locks_only_when_told_so() {
    let world = World::usual().await;
    let ids = many(&world, 2);
    world.sync_all().await;
    world.must(Command::Freeze { reason: reason(), until: None, even_locks: true }).await;
    world.editor().edit(ids[1], json!({ "do_not_call": true }));
    let mark = world.mark();
    world.live(Duration::from_secs(3600)).await;
    assert!(world.writes(mark).is_empty());
    world.must(Command::Thaw { reason: reason() }).await;
    world.sync_all().await;
    assert!(world.locked(ids[1]));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_pause_end_by_itself_and_hold_the_harvest_only_when_told_so() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let until = Some(world.now() + chrono::TimeDelta::hours(1));
    let harvests = |world: &World| world.dialler.journal().requests_of("list").len();
    world.must(route(RouteWord::Pause { until, harvest_too: true })).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    let before = harvests(&world);
    world.live(Duration::from_secs(50 * 60)).await;
    assert_eq!(world.value(id, "City"), json!("Ulm"));
    assert_eq!(harvests(&world), before, "nothing is harvested");
    world.live(Duration::from_secs(40 * 60)).await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    assert!(harvests(&world) > before);
    world.must(route(RouteWord::Pause { until: None, harvest_too: false })).await;
    let before = harvests(&world);
    world.live(Duration::from_secs(3600)).await;
    assert!(harvests(&world) > before, "a plain pause goes on harvesting");
    world.must(route(RouteWord::Resume)).await;
    let row = world.ledger().route_show(RouteName::from("leads")).await.expect("read").expect("a route");
    assert_eq!(row.state, RouteState::On);
    world.ends().await;
}

/// A pull of three slow pages, of which the first makes a wave; a person decides about it before the others come.
async fn decided_in_the_middle(word: WaveOrder) -> World {
    let world = limited().await;
    world.editor().seed(450, 3);
    let slow = Action::Latency { before: seconds(20), after: Duration::ZERO };
    let slow = world.crm.faults.add(Rule::new(slow).path("contacts"));
    let early = async {
        let mut waves = Vec::new();
        while waves.is_empty() {
            world.env.sleep(seconds(1)).await;
            waves = world.ledger().waves_list(None, false).await.expect("waves");
        }
        assert!((6..450).contains(&waves[0].waiting), "the test must be early: {waves:?}");
        let (end, said) = world.command(wave(waves[0].id, word)).await;
        assert_eq!(end, End::Done, "{said}");
        waves[0].waiting
    };
    let (pulled, _decided) = tokio::join!(world.pull(), early);
    pulled.expect("a pull");
    world.crm.faults.remove(slow);
    world
}

#[tokio::test(start_paused = true)]
async fn is_what_comes_after_a_rejection_rejected_or_asked_about_and_never_sent() {
    let world = decided_in_the_middle(WaveOrder::Reject).await;
    world.push().await.expect("a push");
    assert_eq!(world.dialler.len(), 0, "{:?}", world.ledger().waves_list(None, true).await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.len(), 1, "the rest needs a word of its own: {waves:?}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_comes_after_an_approval_asked_about_anew() {
    let world = decided_in_the_middle(WaveOrder::Approve).await;
    world.push().await.expect("a push");
    let sent = world.dialler.len() as i64;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert!(sent > 5, "what was approved is sent");
    assert!(waves[0].waiting > 5, "what nobody saw is not approved: {waves:?}");
    world.ends().await;
}

/// The freeze comes while some requests are under way and others are taken already.
async fn frozen_in_the_middle(path: &'static str, act: impl AsyncFn(&World)) -> (World, u64) {
    let world = World::usual().await;
    act(&world).await;
    let slow = Action::Latency { before: seconds(10), after: Duration::ZERO };
    let slow = world.dialler.faults().add(Rule::new(slow).path(path));
    let mark = world.mark();
    let freeze = async {
        world.env.sleep(seconds(5)).await;
        let freeze = Command::Freeze { reason: reason(), until: None, even_locks: true };
        assert_eq!(world.command(freeze).await.0, End::Done);
    };
    let (_pushed, ()) = tokio::join!(world.push(), freeze);
    world.dialler.faults().remove(slow);
    (world, mark)
}

#[tokio::test(start_paused = true)]
async fn does_a_freeze_hold_also_what_was_taken_before_it() {
    let new = async |world: &World| {
        many(world, 30);
        world.pull().await.expect("a pull");
    };
    let (world, mark) = frozen_in_the_middle("/import", new).await;
    assert!((1..=6).contains(&world.writes(mark).len()), "what was under way: {:?}", world.writes(mark));
    world.must(Command::Thaw { reason: reason() }).await;
    world.settle_down().await;
    assert_eq!(world.dialler.len(), 30);
    world.ends().await;

    let edited = async |world: &World| {
        let ids = many(world, 30);
        world.sync_all().await;
        for id in ids {
            world.editor().edit(id, json!({ "city": "Bonn" }));
        }
        world.pull().await.expect("a pull");
    };
    let (world, mark) = frozen_in_the_middle("/update", edited).await;
    assert!((1..=6).contains(&world.writes(mark).len()), "{:?}", world.writes(mark));
    world.ends().await;

    let objecting = async |world: &World| {
        let ids = many(world, 10);
        world.sync_all().await;
        for id in ids {
            world.editor().edit(id, json!({ "do_not_call": true }));
        }
        world.pull().await.expect("a pull");
    };
    let (world, mark) = frozen_in_the_middle("/lock", objecting).await;
    assert!((1..=2).contains(&world.writes(mark).len()), "{:?}", world.writes(mark));
    world.must(Command::Thaw { reason: reason() }).await;
    world.settle_down().await;
    assert!(world.dialler.read(|state| state.contacts().all(|contact| contact.locked)));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_many_small_pulls_of_an_outage_no_flood() {
    let world = limited().await;
    let down = world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)));
    for _ in 0..4 {
        many(&world, 4);
        world.try_all().await;
        world.advance(minutes(40)).await;
    }
    world.dialler.faults().remove(down);
    world.settle_down().await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!((world.dialler.len(), waves.len()), (16, 0), "{waves:?}");
    world.assert_at_rest().await;
}
