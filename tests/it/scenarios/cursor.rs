//! Is every change taken exactly once, whatever the clocks, the commits and the order?

use crate::support::world::{LEADS, World, seconds};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::faults::{Action, Rule};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

/// Something that happens.
#[derive(Debug, Clone)]
enum Happens {
    Edit(usize, u16),
    /// A transaction that takes so many seconds: its time is its start.
    EditSlowly(usize, u16, u64),
    Wait(u64),
    Pull,
    /// A pull whose first answer takes so many seconds.
    SlowPull(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0..6_usize, any::<u16>()).prop_map(|(id, city)| Happens::Edit(id, city)),
        // The connector's lag is 5 s: what takes longer may be overtaken.
        (0..6_usize, any::<u16>(), 0..5_u64)
            .prop_map(|(id, city, takes)| Happens::EditSlowly(id, city, takes)),
        (0..40_u64).prop_map(Happens::Wait),
        Just(Happens::Pull),
        (0..20_u64).prop_map(Happens::SlowPull),
    ]
}

async fn cursor(world: &World) -> Option<Timestamp> {
    world.ledger().route_show(LEADS.into()).await.expect("a route").expect("known").cursor
}

async fn play(life: Vec<Happens>, skew: i64) {
    let world = World::usual().await;
    world.crm.set(|settings| settings.clock_skew_seconds = skew);
    let ids: Vec<u64> = (0..6).map(|n| world.record(&format!("Name {n}"))).collect();
    let mut before = None;
    for happens in life {
        let mut pulled = false;
        let began = world.now();
        match happens {
            Happens::Edit(id, city) => world.editor().edit(ids[id], json!({ "city": city.to_string() })),
            Happens::EditSlowly(id, city, takes) => {
                let takes = Duration::from_secs(takes);
                world.editor().edit_slowly(ids[id], json!({ "city": city.to_string() }), takes);
                // Two transactions on one record would wait for each other.
                world.advance(takes).await;
            }
            Happens::Wait(time) => world.advance(seconds(time)).await,
            Happens::Pull => pulled = true,
            Happens::SlowPull(time) => {
                let slow = Action::Latency { before: seconds(0), after: seconds(time) };
                world.crm.faults.add(Rule::new(slow).path("/api/contacts?").times(1));
                pulled = true;
            }
        }
        if pulled {
            let reports = world.pull().await.expect("a pull");
            let run = &reports[0].counts;
            prop_balance(run);
            let now = cursor(&world).await;
            // T - lag: never ahead of the CRM's clock at the beginning of the read, less its lag of 5 s.
            let most = began + TimeDelta::seconds(skew - 5);
            assert!(now <= Some(most), "{now:?} > {most}");
            assert!(now >= before, "the cursor moved backwards: {before:?} -> {now:?}");
            before = now;
        }
    }
    world.crm.faults.clear();
    world.advance(seconds(20)).await;
    world.sync_all().await;
    for id in &ids {
        let city = world.editor().field(*id, "city").expect("a city");
        assert_eq!(world.value(*id, "City"), city, "{}", world.story().await);
    }
    // Whatever is read again because of the overlap is dropped by its hash.
    let reports = world.pull().await.expect("a pull");
    let counts = &reports[0].counts;
    assert_eq!(counts.records_read, counts.unchanged, "{counts:?}");
    world.assert_at_rest().await;
}

fn prop_balance(counts: &dialbridge::ledger::Counts) {
    let c = counts;
    let sum = c.repeats + c.stale + c.unchanged + c.queued + c.adopted + c.skipped + c.blocked + c.parked;
    assert_eq!(c.records_read, sum);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_pulls(
        life in prop::collection::vec(happens(), 1..25),
        skew in prop_oneof![Just(0_i64), -4..4_i64, Just(-30), Just(30)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(play(life, skew));
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_answer_that_takes_minutes_not_taken_for_a_wrong_clock() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let slow = Action::SlowBody { chunk: 200, pause: seconds(25) };
    let rule = world.crm.faults.add(Rule::new(slow).path("/api/contacts?").times(2));
    let began = world.now();
    world.pull().await.expect("a pull");
    assert_eq!(world.crm.faults.fired(rule), 2);
    assert!(world.now() - began > TimeDelta::seconds(61), "it took {}", world.now() - began);
    world.push().await.expect("a push");
    assert_eq!(world.value(id, "City"), json!("Ulm"));
    // A clock that really is wrong stops the route.
    world.crm.set(|settings| settings.clock_skew_seconds = 600);
    let stopped = world.pull().await.expect_err("the route must stop").to_string();
    assert!(stopped.contains("NTP"), "{stopped}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_missed_after_a_record_dated_ahead_where_answers_have_no_date() {
    let world = World::usual().await;
    world.crm.set(|settings| settings.no_date = true);
    let (ahead, objects) = (world.record("Ada"), world.record("Berta"));
    let row = json!({
        "id": ahead, "name": "Ada", "phone": "+49 30 23125 001", "email": "a@b.example", "city": "Hof", "zip": "1",
        "do_not_call": false, "phone_blacklisted": false, "active": true, "modified_at": "2099-01-01T00:00:00Z",
    });
    world.editor().make_odd(ahead, row.to_string());
    world.sync_all().await;
    assert_eq!(world.value(ahead, "City"), json!("Hof"), "the test must meet its record");
    assert!(world.cursor().await.expect("a cursor") <= world.now());
    world.advance(seconds(60)).await;
    world.editor().edit(objects, json!({ "do_not_call": true }));
    world.sync_all().await;
    assert!(world.locked(objects), "{}", world.story().await);
    world.ends().await;
}
