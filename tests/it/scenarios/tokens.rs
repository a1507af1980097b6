//! Does a side that refuses every token for a moment keep its route down afterwards?

use crate::support::world::{TOKEN, World, minutes};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

/// Everybody is there, the second file holds a token that died long ago, and Ada has moved.
async fn two_files() -> (World, u64, u64) {
    let mut world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world.second_token("died-long-ago").await;
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.pull().await.expect("a pull");
    (world, ada, berta)
}

#[tokio::test(start_paused = true)]
async fn does_it_go_on_with_the_good_one_of_two_tokens_after_a_moment_of_401() {
    let (world, ada, berta) = two_files().await;
    world.dialler.set_tokens(&["somebody-elses"]);
    assert!(world.push().await.is_err(), "every token is refused");
    world.dialler.set_tokens(&[TOKEN]);
    world.advance(minutes(1)).await;
    world.block_number(&world.number(berta)).await;
    world.push().await.expect("a push");
    assert!(world.locked(berta));
    assert_eq!(world.value(ada, "City"), json!("Bonn"), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_it_go_on_with_the_good_one_of_two_tokens_after_a_wall_that_answered_403() {
    let (world, ada, berta) = two_files().await;
    let wall = Action::Status { code: 403, retry_after: RetryAfter::Absent, effect: Effect::None };
    let wall = world.dialler.faults().add(Rule::new(wall));
    for _ in 0..10 {
        let _forbidden = world.push().await;
        world.advance(minutes(1)).await;
    }
    world.dialler.faults().remove(wall);
    world.block_number(&world.number(berta)).await;
    for _ in 0..3 {
        world.advance(minutes(1)).await;
        let _tried = world.push().await;
    }
    assert!(world.locked(berta));
    assert_eq!(world.value(ada, "City"), json!("Bonn"), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_try_both_tokens_although_the_side_is_left_alone() {
    let (world, _, berta) = two_files().await;
    world.dialler.set_tokens(&["somebody-elses"]);
    assert!(world.push().await.is_err(), "every token is refused");
    world.dialler.set_tokens(&[TOKEN]);
    world.block_number(&world.number(berta)).await;
    let _whatever = world.push().await;
    assert!(world.locked(berta), "no time has passed: {}", world.story().await);
    world.ends().await;
}
