//! What happens on a bad day: broken records, sides that go down, clocks that are wrong, a CRM that was set back?

use crate::support::world::{Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::domain::RouteName;
use dialbridge::sim::crm::Settings as CrmSettings;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn do_broken_records_keep_nobody_else_and_no_cursor_waiting() {
    let world = World::usual().await;
    let good: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| world.record(name)).into();
    let broken = [
        ("no name", json!({ "name": false })),
        ("no number", json!({ "phone": "none" })),
        ("ten megabytes", json!({ "name": "x".repeat(10 << 20) })),
        ("a wrong type", json!({ "city": ["Ulm"] })),
    ];
    let bad: Vec<u64> = broken.iter().map(|(what, _)| world.record(what)).collect();
    for (id, (_, edit)) in bad.iter().zip(&broken) {
        world.editor().edit(*id, edit.clone());
    }
    let nameless = world.record("without an id");
    world.editor().make_odd(nameless, r#"{ "id": null, "name": "Nobody", "active": true }"#);
    let report = world.pull().await.expect("a pull").remove(0);
    assert_eq!((report.counts.queued, report.counts.parked_new), (3, 5), "{:?}", world.parked().await);
    world.push().await.expect("a push");
    for id in &good {
        assert!(!world.locked(*id));
    }
    assert_eq!(world.dialler.len(), good.len());
    // The cursor has passed them: nothing is read again, and nothing parked anew.
    world.advance(minutes(30)).await;
    world.pull().await.expect("a pull");
    world.advance(minutes(1)).await;
    let report = world.pull().await.expect("a pull").remove(0);
    assert_eq!((report.counts.records_read, report.counts.parked_new), (0, 0));
    // Mended, they come in by themselves.
    for id in &bad {
        let mended = json!({ "name": "Mended", "city": "Ulm", "phone": format!("+49 30 23126 {id:03}") });
        world.editor().edit(*id, mended);
    }
    world.sync_all().await;
    assert_eq!(world.dialler.len(), good.len() + bad.len(), "{:?}", world.parked().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_lost_when_the_crm_goes_down_in_the_middle_of_a_pull() {
    for connector in ["sim-id", "sim-offset", "sim-cursor"] {
        let world = World::new(Setup { connector, ..Setup::default() }).await;
        world.editor().seed(450, 3);
        let rule = Rule::new(Action::Reset(Effect::None)).path("contacts").skip(2);
        let rule = world.crm.faults.add(rule);
        world.pull().await.expect_err("it must meet its fault");
        let _whatever = world.push().await;
        let there = world.dialler.len();
        assert!(there < 450, "{connector}: the test must be early, {there}");
        world.advance(minutes(90)).await;
        world.crm.faults.remove(rule);
        world.settle_down().await;
        assert_eq!(world.dialler.len(), 450, "{connector}");
        assert!(world.dialler.journal().creations().values().all(|times| *times == 1), "{connector}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nothing_lost_when_the_dialler_is_down_for_two_hours() {
    for (action, down) in [
        (Action::Reset(Effect::None), 120),
        (Action::Status { code: 503, retry_after: RetryAfter::Seconds(60), effect: Effect::None }, 30),
    ] {
        let more = "\n[push]\nretry = [\"1m\", \"5m\"]\n";
        let world = World::new(Setup { more, ..Setup::default() }).await;
        let (known, no) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        world.dialler.faults().add(Rule::new(action.clone()));
        let new: Vec<u64> = (0..5).map(|n| world.record(&format!("New {n}"))).collect();
        world.editor().edit(known, json!({ "city": "Bonn" }));
        world.editor().edit(no, json!({ "do_not_call": true }));
        world.live(minutes(down)).await;
        assert!(world.parked().await.is_empty(), "{:?}", world.parked().await);
        world.dialler.faults().clear();
        world.live(minutes(2)).await;
        assert!(world.locked(no), "locks first, and soon: {action:?}\n{}", world.story().await);
        world.live(minutes(20)).await;
        assert_eq!(world.value(known, "City"), json!("Bonn"), "{action:?}");
        for id in new {
            assert!(!world.locked(id));
            assert_eq!(world.dialler.journal().creations()[key(id).as_str()], 1);
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_crm_that_was_set_back_stop_the_route() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(60)).await;
    for id in &ids {
        world.editor().edit(*id, json!({ "city": "Bonn" }));
    }
    world.sync_all().await;
    // A restore of yesterday's backup; such a CRM shows everything again.
    world.advance(minutes(60)).await;
    let yesterday = world.now() - TimeDelta::hours(26);
    for id in &ids {
        world.editor().edit_as_of(*id, json!({ "city": "Old", "do_not_call": false }), yesterday);
    }
    world.crm.set(|settings| settings.ignores_since = true);
    let mark = world.mark();
    let stopped = world.pull().await.expect_err("the route must stop").to_string();
    assert!(stopped.contains("set back"), "{stopped}");
    world.try_all().await;
    assert_eq!(world.writes(mark), Vec::<&str>::new());
    assert!(world.parked().await.is_empty());
    // Made good again, it goes on by itself.
    for id in &ids {
        world.editor().edit(*id, json!({ "city": "Hof" }));
    }
    world.settle_down().await;
    assert!(ids.iter().all(|id| world.value(*id, "City") == json!("Hof")), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_clocks_that_are_far_apart_stop_the_route_until_they_are_set() {
    for skew in [3_600, -3_600] {
        let crm = CrmSettings { clock_skew_seconds: skew, ..CrmSettings::default() };
        let world = World::new(Setup { crm, ..Setup::default() }).await;
        let id = world.record("Ada");
        let stopped = world.pull().await.expect_err("the route must stop").to_string();
        assert!(stopped.contains("clock"), "{stopped}");
        world.try_all().await;
        assert_eq!(world.dialler.journal().write_count(), 0);
        world.crm.set(|settings| settings.clock_skew_seconds = 0);
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.settle_down().await;
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{skew}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_wrong_token_of_the_crm_stop_its_route_and_nobody_else() {
    let world = World::usual().await;
    let (known, called) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let wrong = Action::Status { code: 401, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.crm.faults.add(Rule::new(wrong));
    world.editor().edit(known, json!({ "city": "Bonn" }));
    assert!(world.dialler.call(
        world.contact(called).id,
        dialbridge::sim::dialler::CallPlan::new(dialbridge::sim::dialler::Outcome::NoAnswer),
    ));
    world.live(minutes(20)).await;
    let row = world.ledger().route_show(RouteName::from("leads")).await.expect("a route").expect("known");
    assert!(row.stopped.expect("it is stopped").to_string().contains("401"));
    assert!(world.parked().await.is_empty());
    let calls =
        world.ledger().calls_list(dialbridge::ledger::CallFilter::default(), 10).await.expect("calls");
    assert_eq!(calls.len(), 1, "calls are harvested all the same");
    world.block_number(&world.number(called)).await;
    world.live(seconds(30)).await;
    assert!(world.locked(called), "a no by hand needs no CRM");
    world.crm.faults.clear();
    world.live(minutes(3)).await;
    assert_eq!(world.value(known, "City"), json!("Bonn"), "it goes on by itself");
    world.assert_at_rest().await;
}
