//! A block wins: over what waits, over what is in flight, in every state of the route.

use super::house::{House, house, number, route};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{BlockSubject, RecordId, RecordKey};
use dialbridge::ledger::{NewState, Said, StateChange};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

fn record(id: &str) -> BlockSubject {
    BlockSubject::Record(RecordKey {
        crm: "sales".to_owned(),
        object: "person".to_owned(),
        id: RecordId::from(id),
    })
}

fn by_number(id: &str) -> BlockSubject {
    BlockSubject::Number(format!("+{}", number(id)))
}

async fn loaded(ids: &[&str]) -> House {
    let house = house(DiallerConfig::default()).await;
    for id in ids {
        house.person(id, "Bonn").await;
    }
    house.push().await;
    house
}

#[tokio::test(start_paused = true)]
async fn a_block_takes_back_what_waits() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.person("2", "Bonn").await;
    house.block(by_number("1")).await;
    house.block(record("2")).await;
    house.push().await;
    assert_eq!(house.sim.len(), 0);
    assert_eq!(house.sim.journal().write_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_block_takes_back_an_update_that_would_bring_its_number() {
    let house = loaded(&["1"]).await;
    house.pull("1", &[("Name", "1"), ("City", "Ulm"), ("PhoneNumber1", "4930777888")]).await;
    house.block(BlockSubject::Number("+4930777888".to_owned())).await;
    house.push().await;
    assert!(house.contact("1").locked, "{:?}", house.operations("1").await);
    assert_eq!(house.field("1", "PhoneNumber1"), json!(number("1")));
    assert_eq!(house.sim.journal().count("update"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_block_locks_whatever_the_routes_state() {
    let paused = NewState::Paused { until: None, harvest_too: false };
    for (state, wished) in
        [(RouteState::On, NewState::On), (RouteState::Dry, NewState::Dry), (RouteState::Paused, paused)]
    {
        let house = loaded(&["1", "2"]).await;
        let said = Said { who: "test".to_owned(), text: "a test".to_owned() };
        let change = StateChange { state: wished, said };
        house.ctx.ledger.route_set_state(route(), change).await.expect("a state");
        house.block(by_number("1")).await;
        house.person("2", "Ulm").await;
        house.push().await;
        assert!(house.contact("1").locked, "{state}");
        assert!(!house.contact("2").locked, "{state}");
        let updates = u64::from(state == RouteState::On);
        assert_eq!(house.sim.journal().count("update"), updates, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_during_an_import_locks_right_after_it() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    let slow = Action::Latency { before: Duration::from_secs(5), after: Duration::from_secs(5) };
    house.sim.faults().add(Rule::new(slow).path("import"));
    let block = async {
        house.wait(3).await;
        assert_eq!(house.sim.len(), 0, "the import is under way");
        house.block(by_number("1")).await;
    };
    let (report, ()) = tokio::join!(house.push(), block);
    assert!(house.contact("1").locked, "{:?}", house.operations("1").await);
    // Who is not to be called is also looked for by its key, and what is found then is locked once more.
    assert!((2..=3).contains(&report.counts.done), "{:?}", house.operations("1").await);
    assert_eq!(house.sim.journal().count("import"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_block_while_an_import_is_in_doubt_locks_what_it_left() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    let late = Effect::Late(Duration::from_secs(20));
    house.sim.faults().add(Rule::new(Action::Reset(late)).path("import").times(1));
    house.push().await;
    assert_eq!(house.sim.len(), 0, "nothing yet");
    house.block(by_number("1")).await;
    house.push_until_idle(5).await;
    assert!(house.contact("1").locked);
    assert_eq!(house.sim.journal().count("import"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_repeated_until_it_is_accepted() {
    let house = loaded(&["1"]).await;
    let failing = Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.sim.faults().add(Rule::new(failing).path("/lock").times(3));
    house.block(record("1")).await;
    let began = house.env.now();
    while !house.contact("1").locked {
        let _maybe_failed = house.try_push().await;
        house.wait(1).await;
        assert!(house.env.now() - began < chrono::TimeDelta::seconds(60), "at most a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_elsewhere_do_not_hold_a_lock_up() {
    let house = loaded(&["1", "2", "3", "4", "5", "6", "7", "8"]).await;
    let failing = Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.sim.faults().add(Rule::new(failing).path("update"));
    for id in ["2", "3", "4", "5", "6", "7", "8"] {
        house.person(id, "Ulm").await;
    }
    house.block(record("1")).await;
    let _failed = house.try_push().await;
    assert!(house.contact("1").locked);
}

#[tokio::test(start_paused = true)]
async fn a_block_that_overtakes_an_unlock_wins() {
    let house = loaded(&["1"]).await;
    house.leave("1").await;
    house.push().await;
    assert!(house.contact("1").locked);
    house.person("1", "Bonn").await;
    let slow = Action::Latency { before: Duration::from_secs(8), after: Duration::ZERO };
    house.sim.faults().add(Rule::new(slow).path("unlock"));
    let block = async {
        house.wait(2).await;
        house.block(record("1")).await;
    };
    let (_report, ()) = tokio::join!(house.push(), block);
    house.push_until_idle(3).await;
    assert!(house.contact("1").locked, "{:?}", house.operations("1").await);
}

#[tokio::test(start_paused = true)]
async fn a_lifted_block_lets_the_record_be_decided_anew() {
    let house = loaded(&["1"]).await;
    house.block(record("1")).await;
    house.push().await;
    assert!(house.contact("1").locked);
    house.lift(record("1")).await;
    let hints = house.ctx.ledger.hints_waiting(route(), 10).await.expect("hints");
    assert_eq!(hints.len(), 1);
    house.person("1", "Bonn").await;
    house.push().await;
    assert!(!house.contact("1").locked);
}
