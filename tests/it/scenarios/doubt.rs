//! What happens when it is not known whether something arrived?

use crate::support::world::{CAMPAIGN, Setup, WINBACK, World, key, minutes, seconds};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::{Release, UserDataMatch, UserDataScope};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

const NONE: Duration = Duration::ZERO;

fn status(code: u16, effect: Effect) -> Action {
    Action::Status { code, retry_after: RetryAfter::Absent, effect }
}

/// Answers that leave the client in doubt although the work was done, or is going to be.
fn done_all_the_same() -> Vec<Action> {
    vec![
        Action::Reset(Effect::Done),
        Action::Reset(Effect::Late(seconds(20))),
        Action::Reset(Effect::Late(seconds(50))),
        // Longer than request_timeout, which is 30 s: before the work, and behind it.
        Action::Latency { before: seconds(40), after: NONE },
        Action::Latency { before: NONE, after: seconds(40) },
        status(500, Effect::Done),
        status(502, Effect::Late(seconds(30))),
        status(503, Effect::Done),
        Action::Html(Effect::Done),
        Action::Truncate { clean: true },
        Action::Truncate { clean: false },
        Action::ContradictingStatus,
    ]
}

/// Every import that came again was asked about before, and after a quiet time.
fn assert_asked_before_repeating(world: &World, id: u64) {
    let journal = world.dialler.journal();
    let imports = journal.imports_of(&key(id));
    for pair in imports.windows(2) {
        let asked = journal.requests_where(|asked| {
            asked.seq > pair[0].seq
                && asked.seq < pair[1].seq
                && !asked.kind.write
                && asked.at >= pair[0].at + chrono::TimeDelta::seconds(59)
        });
        assert!(!asked.is_empty(), "sent again without a question: {} {}", pair[0].at, pair[1].at);
    }
}

#[tokio::test(start_paused = true)]
async fn does_an_import_that_arrived_unseen_make_no_second_contact() {
    // Every two of the three switches meet in every way.
    for (userdata_match, userdata_scope, release) in [
        (UserDataMatch::Exact, UserDataScope::Campaign, Release::From3_39),
        (UserDataMatch::Exact, UserDataScope::Tenant, Release::Before3_39),
        (UserDataMatch::CaseInsensitiveTrimmed, UserDataScope::Campaign, Release::Before3_39),
        (UserDataMatch::CaseInsensitiveTrimmed, UserDataScope::Tenant, Release::From3_39),
        (UserDataMatch::Like, UserDataScope::Campaign, Release::From3_39),
        (UserDataMatch::Like, UserDataScope::Tenant, Release::Before3_39),
    ] {
        let dialler = DiallerConfig { userdata_match, userdata_scope, release, ..DiallerConfig::default() };
        let dialler_keys = if release == Release::From3_39 { "release = \"3.39\"" } else { "" };
        let world = World::new(Setup { dialler, dialler_keys, ..Setup::default() }).await;
        let ids: Vec<u64> = done_all_the_same()
            .into_iter()
            .enumerate()
            .map(|(n, action)| {
                let id = world.record(&format!("Name {n}"));
                let rule = Rule::new(action).path("/import").body(&format!("{}\"", key(id)));
                world.dialler.faults().add(rule.times(1));
                id
            })
            .collect();
        world.try_all().await;
        world.settle_down().await;
        assert!(world.dialler.faults().fired_in_all() >= ids.len() as u64, "the test must meet its faults");
        for id in ids {
            assert!(!world.contact(id).locked);
            let imports = world.dialler.journal().imports_of(&key(id)).len();
            assert_eq!(imports, 1, "found and adopted, not sent again: {}", world.value(id, "Name"));
        }
        assert_eq!(world.dialler.doubled().len(), 0);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_import_that_never_arrived_sent_again_after_asking() {
    let world = World::usual().await;
    let actions = [Action::Reset(Effect::None), status(500, Effect::None), Action::Html(Effect::None)];
    let ids: Vec<u64> = actions
        .into_iter()
        .map(|action| {
            let id = world.record("Ada");
            world
                .dialler
                .faults()
                .add(Rule::new(action).path("/import").body(&format!("{}\"", key(id))).times(2));
            id
        })
        .collect();
    world.try_all().await;
    world.settle_down().await;
    for id in ids {
        assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 3);
        assert_asked_before_repeating(&world, id);
        assert!(!world.contact(id).locked);
    }
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_crash_while_importing_make_no_second_contact() {
    for before in [NONE, seconds(3)] {
        let mut world = World::usual().await;
        let ids: Vec<u64> = (0..20).map(|n| world.record(&format!("Name {n}"))).collect();
        world.pull().await.expect("a pull");
        world.dialler.faults().add(Rule::new(Action::Latency { before, after: seconds(3) }).path("/import"));
        world.parts().control.runners.push.clone().expect("a push").activate("hand");
        world.advance(seconds(2)).await;
        world.crash().await;
        world.dialler.faults().clear();
        world.settle_down().await;
        for id in ids {
            assert!(!world.contact(id).locked);
            assert_asked_before_repeating(&world, id);
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_somebody_locked_who_says_no_while_the_import_is_in_doubt() {
    for action in done_all_the_same() {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.dialler.faults().add(Rule::new(action.clone()).path("/import").times(1));
        world.pull().await.expect("a pull");
        let _in_doubt = world.push().await;
        world.editor().edit(id, json!({ "do_not_call": true }));
        world.try_all().await;
        world.settle_down().await;
        assert!(world.locked(id), "{action:?}\n{}", world.story().await);
        assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_somebody_locked_who_says_no_though_the_route_of_the_import_in_doubt_left_the_config() {
    let mut world = World::new(Setup { more: WINBACK, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/import").times(2));
    let _in_doubt = world.push().await;
    let there = |world: &World| world.dialler.contacts_with(&format!("winback-{id}"));
    assert_eq!(there(&world).len(), 1, "made, and nobody heard of it");
    world.configure(&Setup::default()).await;
    world.block_number(&world.number(id)).await;
    world.settle_down().await;
    assert!(there(&world)[0].locked, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_win_over_an_unlock_in_doubt() {
    for action in [
        Action::Reset(Effect::Done),
        Action::Reset(Effect::None),
        Action::Reset(Effect::Late(seconds(30))),
        Action::Latency { before: seconds(50), after: NONE },
    ] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().archive(id, true);
        world.sync_all().await;
        assert!(world.locked(id));
        world.advance(minutes(1)).await;
        world.dialler.faults().add(Rule::new(action.clone()).path("/unlock").times(1));
        world.editor().archive(id, false);
        world.pull().await.expect("a pull");
        let _in_doubt = world.push().await;
        world.editor().archive(id, true);
        world.pull().await.expect("a pull");
        let mark = world.mark();
        let _whatever = world.push().await;
        assert!(world.writes(mark).contains(&"lock"), "it does not wait for the quiet time: {action:?}");
        world.settle_down().await;
        assert!(world.locked(id), "{action:?}\n{}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_that_was_not_answered_go_out_until_it_is() {
    for action in
        [Action::Reset(Effect::None), status(500, Effect::None), Action::Html(Effect::None), Action::Empty404]
    {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.dialler.faults().add(Rule::new(action.clone()).path("/lock").times(3));
        world.editor().edit(id, json!({ "do_not_call": true }));
        world.live(minutes(3)).await;
        assert!(world.locked(id), "{action:?}\n{}", world.story().await);
        world.settle_down().await;
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_second_contact_that_somebody_else_made_found_and_locked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let csv = format!("Name;FirstName;PhoneNumber1;UserData\nAda;A;4930777;{}\n", key(id));
    world.dialler.portal().import_csv(CAMPAIGN, &csv, false);
    assert_eq!(world.contacts(id).len(), 2);
    world.advance(minutes(20)).await;
    for _ in 0..3 {
        world.sync_all().await;
        world.advance(minutes(6)).await;
    }
    let open = world.contacts(id).iter().filter(|contact| !contact.locked).count();
    assert_eq!(open, 1, "all but one are locked");
    world.assert_at_rest().await;
}
