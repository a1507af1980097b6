//! What the dialler refuses: one record, one reason for all, the token, the address, the load.

use super::house::{house, route};
use dialbridge::jobs::JobError;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

fn status(code: u16) -> Action {
    Action::Status { code, retry_after: RetryAfter::Absent, effect: Effect::None }
}

#[tokio::test(start_paused = true)]
async fn one_rejected_record_is_parked_and_harms_nobody() {
    let house = house(DiallerConfig::default()).await;
    for id in ["1", "2", "3"] {
        house.person(id, "Bonn").await;
    }
    house.sim.faults().add(Rule::new(status(400)).path("import").body("leads-2\""));
    let report = house.push().await;
    assert_eq!((report.counts.done, report.counts.parked, report.counts.parked_new), (2, 1, 1));
    assert_eq!(house.operations("2").await, ["import parked"]);
    // It waits for its next change, and then replaces what was parked.
    house.sim.faults().clear();
    house.push().await;
    assert_eq!(house.sim.len(), 2);
    house.person("2", "Ulm").await;
    house.push().await;
    assert_eq!(house.sim.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_rejections_for_one_reason_stop_the_route_and_park_nobody() {
    let house = house(DiallerConfig::default()).await;
    for id in 0..120 {
        house.person(&id.to_string(), "Bonn").await;
    }
    house.sim.faults().add(Rule::new(status(400)).path("import"));
    let ended = house.try_push().await;
    assert!(matches!(ended, Err(JobError::Stopped(_))), "{ended:?}");
    let row = house.ctx.ledger.route_show(route()).await.expect("a route").expect("known");
    assert!(row.stopped.is_some());
    assert!(house.ctx.ledger.parked_list(None, 100).await.expect("parked").is_empty());
    // Twenty pull it; what was under way then may be tried.
    assert!(house.sim.journal().count("import") < 60, "it stopped before all were tried");

    house.sim.faults().clear();
    house.ctx.ledger.route_set_stopped(route(), None).await.expect("on again");
    house.wait(60).await;
    house.push().await;
    assert_eq!(house.sim.len(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_or_address_ends_the_run_and_parks_nobody() {
    for action in [status(401), Action::Empty404] {
        let house = house(DiallerConfig::default()).await;
        for id in ["1", "2", "3"] {
            house.person(id, "Bonn").await;
        }
        let rule = house.sim.faults().add(Rule::new(action).path("import"));
        assert!(matches!(house.try_push().await, Err(JobError::Call(_))));
        assert!(house.ctx.ledger.parked_list(None, 10).await.expect("parked").is_empty());
        house.sim.faults().remove(rule);
        house.wait(60).await;
        house.push().await;
        assert_eq!(house.sim.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_wait_as_long_as_asked() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    let busy = Action::Status { code: 429, retry_after: RetryAfter::Seconds(300), effect: Effect::None };
    house.sim.faults().add(Rule::new(busy).path("import").times(1));
    assert!(house.try_push().await.is_err());
    house.wait(120).await;
    let _early = house.try_push().await;
    assert_eq!(house.sim.len(), 0, "asked to wait five minutes");
    house.wait(300).await;
    house.push().await;
    assert_eq!(house.sim.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_always_fails_while_others_succeed_is_parked() {
    let house = house(DiallerConfig::default()).await;
    for id in ["1", "2"] {
        house.person(id, "Bonn").await;
    }
    house.sim.faults().add(Rule::new(status(500)).path("import").body("leads-2\""));
    house.push_until_idle(20).await;
    assert_eq!(house.sim.journal().imports_of("leads-2").len(), 5);
    assert_eq!(house.operations("2").await, ["import parked"]);
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_a_push_are_those_of_the_defaults_file() {
    let world = crate::support::world::World::usual().await;
    let settings = &world.settings;
    let limits = dialbridge::jobs::push::PushLimits::default();
    assert_eq!(limits.schedule, settings.push.retry);
    assert_eq!(limits.retry_after_cap, settings.push.max_retry_after);
    world.ends().await;
}
