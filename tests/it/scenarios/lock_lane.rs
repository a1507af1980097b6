//! Does anything but a lock's own failure hold a lock up?

use crate::support::world::{Setup, World, key, minutes, seconds};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

/// A second route whose campaign nobody knows: the dialler's campaigns are asked for with every push.
const UNPINNED: &str = r#"
[route.winback]
crm          = "sales"
campaign     = "Not made yet"
only_if      = "phone and active"
beside       = "ignore"
[route.winback.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
"#;

/// A push each minute of its own, so that the lane is seldom free of what fails.
fn busy() -> Setup {
    Setup { push: "* * * * *", ..Setup::default() }
}

fn hangs() -> Action {
    Action::Latency { before: minutes(20), after: seconds(0) }
}

fn status(code: u16, retry_after: RetryAfter) -> Action {
    Action::Status { code, retry_after, effect: Effect::None }
}

fn fails() -> Action {
    status(500, RetryAfter::Absent)
}

/// These say no one after the other for ten minutes; each must be locked a minute after it could be read.
async fn objections_are_kept(world: &World, ids: &[u64], what: &str) {
    let pause = minutes(10) / u32::try_from(ids.len()).expect("a few") - seconds(60);
    for id in ids {
        world.live(pause).await;
        world.editor().edit(*id, json!({ "do_not_call": true }));
        world.pull().await.expect("a pull");
        world.live(seconds(60)).await;
        assert!(world.locked(*id), "{what}: record {id}\n{}", world.story().await);
    }
}

fn met(world: &World, kind: &str) -> usize {
    let failed = |asked: &dialbridge::sim::journal::Asked| {
        asked.kind.name == kind && asked.answered.as_ref().is_none_or(|answer| answer.fault.is_some())
    };
    world.dialler.journal().requests_where(failed).len()
}

#[tokio::test(start_paused = true)]
async fn do_campaigns_that_are_not_told_hold_a_lock_up() {
    for fault in [hangs(), fails()] {
        let world = World::new(Setup { more: UNPINNED, ..busy() }).await;
        let ids: Vec<u64> = (0..7).map(|n| world.record(&format!("Name {n}"))).collect();
        world.live(minutes(3)).await;
        let what = format!("{fault:?}");
        world.dialler.faults().add(Rule::new(fault).path("/dialler/campaigns"));
        objections_are_kept(&world, &ids, &what).await;
        assert!(met(&world, "campaigns") > 3, "the test must meet its fault");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn do_keys_that_cannot_be_asked_for_hold_a_lock_up() {
    for fault in [hangs(), fails()] {
        let world = World::new(busy()).await;
        let known: Vec<u64> = (0..7).map(|n| world.record(&format!("Name {n}"))).collect();
        world.live(minutes(3)).await;
        // Imports that arrive late and unseen: asked for once they are not there, and from then on that fails.
        let unseen: Vec<u64> = (0..4).map(|n| world.record(&format!("Late {n}"))).collect();
        let late =
            world.dialler.faults().add(Rule::new(Action::Reset(Effect::Late(minutes(12)))).path("/import"));
        world.pull().await.expect("a pull");
        let _in_doubt = world.push().await;
        world.dialler.faults().remove(late);
        let mut rules = Vec::new();
        for id in &unseen {
            world.editor().edit(*id, json!({ "do_not_call": true }));
            let rule = Rule::new(fault.clone()).path(&format!("userData={}", key(*id))).skip(1);
            rules.push(world.dialler.faults().add(rule));
        }
        world.live(minutes(2)).await;
        objections_are_kept(&world, &known, &format!("{fault:?}")).await;
        let met = met(&world, "by_user_data");
        assert!(met > 4, "the test must meet its fault, and met it {met} times");
        rules.into_iter().for_each(|rule| world.dialler.faults().remove(rule));
        world.live(minutes(30)).await;
        for id in &unseen {
            assert!(world.locked(*id), "{}", world.story().await);
        }
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn do_contacts_that_are_said_not_to_be_there_hold_a_lock_up() {
    let silent = status(429, RetryAfter::Seconds(3600));
    for fault in [hangs(), fails(), silent] {
        let world = World::new(busy()).await;
        let ids: Vec<u64> = (0..11).map(|n| world.record(&format!("Name {n}"))).collect();
        world.live(minutes(3)).await;
        let (gone, known) = ids.split_at(4);
        for id in gone {
            let contact = world.contact(*id).id;
            let says = Action::Says { code: 404, body: r#"{"status": 404, "error": "no such contact"}"# };
            world.dialler.faults().add(Rule::new(says).path(&format!("/contact/{contact}/lock")));
            world.dialler.faults().add(Rule::new(fault.clone()).path_end(&format!("/contacts/{contact}")));
            world.editor().edit(*id, json!({ "do_not_call": true }));
        }
        objections_are_kept(&world, known, &format!("{fault:?}")).await;
        assert!(met(&world, "contact") > 3, "the test must meet its fault\n{}", world.story().await);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_wave_of_locks_wait_for_a_look_at_each() {
    let world = World::new(busy()).await;
    let ids: Vec<u64> = (0..200).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    for id in &ids {
        let contact = world.contact(*id).id;
        world.dialler.faults().add(Rule::new(hangs()).path_end(&format!("/contacts/{contact}")));
        world.editor().edit(*id, json!({ "do_not_call": true }));
    }
    world.pull().await.expect("a pull");
    world.live(seconds(60)).await;
    let open = ids.iter().filter(|id| !world.locked(**id)).count();
    assert_eq!(open, 0);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_lock_that_the_dialler_rejects_for_an_hour_sent_until_it_takes_it() {
    let world = World::new(Setup::default()).await;
    let ada = world.record("Ada");
    world.live(minutes(3)).await;
    let rejects = world.dialler.faults().add(Rule::new(status(409, RetryAfter::Absent)).path("/lock"));
    world.editor().edit(ada, json!({ "do_not_call": true }));
    world.live(minutes(60)).await;
    assert!(!world.locked(ada) && met(&world, "lock") > 100, "{}", world.story().await);
    let failing = world.ledger().locks_failing().await.expect("a list");
    assert_eq!(failing.iter().map(|of| (of.route.as_str(), of.count)).collect::<Vec<_>>(), [("leads", 1)]);
    world.dialler.faults().remove(rejects);
    world.live(seconds(40)).await;
    assert!(world.locked(ada), "{}", world.story().await);
    assert_eq!(world.ledger().locks_failing().await.expect("a list"), []);
    world.ends().await;
}
