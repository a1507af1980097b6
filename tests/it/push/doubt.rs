//! In doubt: nothing that may have happened is sent again without having asked, after the quiet time.

use super::house::{House, house};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

fn failures(effect: Effect) -> Vec<Action> {
    vec![
        Action::Status { code: 500, retry_after: RetryAfter::Absent, effect },
        Action::Status { code: 504, retry_after: RetryAfter::Absent, effect },
        Action::Reset(effect),
        Action::Html(effect),
    ]
}

/// After each import that was in doubt, the key was asked for before another one went out, and not before
/// the quiet time was over.
fn judge_imports(house: &House, user_data: &str) {
    let requests = house.sim.journal().requests();
    let imports: Vec<_> = house.sim.journal().imports_of(user_data);
    for pair in imports.windows(2) {
        let asked = requests.iter().find(|request| {
            request.seq > pair[0].seq
                && request.seq < pair[1].seq
                && request.param("userData") == Some(user_data)
        });
        let asked = asked.expect("it was asked for in between");
        assert!(asked.at - pair[0].at >= chrono::TimeDelta::seconds(60), "after the quiet time");
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_happened_is_found_and_not_repeated() {
    for action in failures(Effect::Done) {
        let house = house(DiallerConfig::default()).await;
        house.person("1", "Bonn").await;
        house.sim.faults().add(Rule::new(action.clone()).path("import").times(1));
        let report = house.push().await;
        assert_eq!(report.counts.uncertain, 1, "{action:?}");
        house.push().await;
        assert_eq!(house.operations("1").await, ["import uncertain"], "not before the quiet time");
        house.push_until_idle(5).await;
        assert_eq!(house.sim.journal().count("import"), 1, "{action:?}");
        assert_eq!(house.field("1", "City"), json!("Bonn"));
        // What was found is the base: the next edit sends the difference.
        house.person("1", "Ulm").await;
        house.push().await;
        assert_eq!(house.field("1", "City"), json!("Ulm"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_did_not_happen_is_sent_once_more() {
    for action in failures(Effect::None) {
        let house = house(DiallerConfig::default()).await;
        house.person("1", "Bonn").await;
        house.sim.faults().add(Rule::new(action.clone()).path("import").times(1));
        house.push_until_idle(6).await;
        assert_eq!(house.sim.journal().count("import"), 2, "{action:?}");
        assert_eq!(house.sim.len(), 1);
        judge_imports(&house, "leads-1");
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_happens_late_is_not_doubled() {
    for seconds in [5, 30, 55] {
        for action in failures(Effect::Late(Duration::from_secs(seconds))) {
            let house = house(DiallerConfig::default()).await;
            house.person("1", "Bonn").await;
            house.sim.faults().add(Rule::new(action.clone()).path("import").times(1));
            house.push_until_idle(6).await;
            assert_eq!(house.sim.journal().count("import"), 1, "{action:?} {seconds}");
            assert_eq!(house.sim.len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_in_doubt_is_asked_about_field_by_field() {
    for (effect, sent) in [(Effect::Done, 1), (Effect::None, 2)] {
        for action in failures(effect) {
            let house = house(DiallerConfig::default()).await;
            house.person("1", "Bonn").await;
            house.push().await;
            house.person("1", "Ulm").await;
            house.sim.faults().add(Rule::new(action.clone()).path("update").times(1));
            house.push_until_idle(6).await;
            assert_eq!(house.field("1", "City"), json!("Ulm"));
            assert_eq!(house.sim.journal().count("update"), sent, "{action:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_leaves_what_it_sent_in_doubt() {
    for (before, after) in [(30, 0), (0, 30)] {
        let house = house(DiallerConfig::default()).await;
        house.person("1", "Bonn").await;
        let slow = Action::Latency { before: Duration::from_secs(before), after: Duration::from_secs(after) };
        house.sim.faults().add(Rule::new(slow).path("import").times(1));
        let died = tokio::time::timeout(Duration::from_secs(3), house.try_push()).await;
        assert!(died.is_err(), "it was dropped while the import was under way");
        house.push_until_idle(6).await;
        assert_eq!(house.sim.journal().count("import"), 1, "the work was done all the same");
        assert_eq!(house.sim.len(), 1);
        judge_imports(&house, "leads-1");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unlock_in_doubt_is_decided_again() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push().await;
    house.leave("1").await;
    house.push().await;
    house.person("1", "Bonn").await;
    house.sim.faults().add(Rule::new(Action::Reset(Effect::None)).path("unlock").times(1));
    house.push().await;
    assert!(house.contact("1").locked);
    house.leave("1").await;
    house.push_until_idle(6).await;
    assert!(house.contact("1").locked, "it is no longer wished");
    assert_eq!(house.sim.journal().count("unlock"), 1);
}
