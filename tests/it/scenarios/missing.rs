//! What is made of a record that the CRM does not name any more when it is asked for?

use crate::support::world::{World, minutes};
use dialbridge::control::{Command, End, RouteWord};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// A pull and a push, whatever the pull says.
async fn runs(world: &World) {
    let _whatever = world.pull().await;
    world.push().await.expect("a push");
}

#[tokio::test(start_paused = true)]
async fn is_it_locked_only_after_a_second_look_ten_minutes_later() {
    let world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world.editor().delete(ada);
    world.hint(&[ada, berta]).await;
    runs(&world).await;
    assert!(!world.locked(ada), "one absence is a question");
    for _ in 0..3 {
        world.advance(minutes(3)).await;
        world.hint(&[ada]).await;
        runs(&world).await;
        assert!(!world.locked(ada), "too soon");
    }
    world.advance(minutes(2)).await;
    runs(&world).await;
    assert_eq!((world.locked(ada), world.locked(berta)), (true, false), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_locked_who_is_there_again_at_the_second_look() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let empty = Rule::new(Action::EmptyList).path("by-ids").times(1);
    let rule = world.crm.faults.add(empty);
    world.hint(&[id]).await;
    runs(&world).await;
    assert_eq!(world.crm.faults.fired(rule), 1);
    for _ in 0..3 {
        world.advance(minutes(11)).await;
        runs(&world).await;
    }
    assert!(!world.locked(id));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_concluded_when_many_are_missing_at_once() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..40).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    // The filter of the reads by id is broken: all of them are there.
    let rule = world.crm.faults.add(Rule::new(Action::EmptyList).path("by-ids"));
    world.hint(&ids[..30]).await;
    for _ in 0..4 {
        runs(&world).await;
        let stopped = world.stopped().await.expect("the route must stop");
        assert!(stopped.contains("30 known records"), "{stopped}");
        world.advance(minutes(6)).await;
    }
    assert!(ids.iter().all(|id| !world.locked(*id)), "{}", world.story().await);
    // Objections are heard all the same.
    world.editor().edit(ids[35], json!({ "do_not_call": true }));
    runs(&world).await;
    assert!(world.locked(ids[35]));
    // Mended: the route goes on by itself.
    world.crm.faults.clear();
    let _ = rule;
    world.advance(minutes(11)).await;
    runs(&world).await;
    assert_eq!(world.stopped().await, None);
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"));
    assert_eq!(ids.iter().filter(|id| world.locked(**id)).count(), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_many_that_were_deleted_on_purpose_locked_once_a_person_says_so() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..40).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    ids[..30].iter().for_each(|id| world.editor().delete(*id));
    world.hint(&ids).await;
    for _ in 0..3 {
        runs(&world).await;
        world.advance(minutes(11)).await;
    }
    assert!(ids.iter().all(|id| !world.locked(*id)));
    let on = Command::Route { route: "leads".into(), word: RouteWord::On, reason: "cleared out".to_owned() };
    assert_eq!(world.command(on).await.0, End::Done);
    for _ in 0..2 {
        world.advance(minutes(11)).await;
        runs(&world).await;
    }
    assert_eq!(ids.iter().filter(|id| world.locked(**id)).count(), 30, "{}", world.story().await);
    assert_eq!(world.stopped().await, None);
    world.ends().await;
}
