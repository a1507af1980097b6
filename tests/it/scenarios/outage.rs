//! What is sent after an outage of hours?

use crate::support::world::{World, minutes};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn is_what_waited_decided_anew_before_anything_but_locks_is_sent() {
    let mut world = World::usual().await;
    let (ada, berta, carl) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let busy = Action::Status { code: 429, retry_after: RetryAfter::Seconds(60), effect: Effect::None };
    let down = world.dialler.faults().add(Rule::new(busy).path("/update"));
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.editor().edit(carl, json!({ "city": "Bonn" }));
    world.pull().await.expect("a pull");
    let _refused = world.push().await;

    world.advance(minutes(90)).await;
    world.editor().edit(ada, json!({ "city": "Hof" }));
    world.editor().archive(carl, true);
    world.dialler.faults().remove(down);
    let unreadable = world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("/api/contacts"));
    world.restart().await;
    world.block_number(&world.number(berta)).await;
    let mark = world.mark();
    let _held = world.push().await;
    assert_eq!(world.writes(mark), ["lock"], "nothing but a lock rests on what was known before");

    world.crm.faults.remove(unreadable);
    // The push alone has them decided anew; it waits for no schedule of the pull.
    for _ in 0..3 {
        world.advance(minutes(2)).await;
        world.push().await.expect("a push");
    }
    assert_eq!(world.value(ada, "City"), json!("Hof"), "{}", world.story().await);
    assert!(world.locked(carl));
    let mut writes = world.writes(mark);
    writes.sort_unstable();
    assert_eq!(writes, ["lock", "lock", "update"], "what had become wrong was never sent");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_waited_for_half_an_hour_sent_as_it_was_decided() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let busy = Action::Status { code: 429, retry_after: RetryAfter::Seconds(60), effect: Effect::None };
    let down = world.dialler.faults().add(Rule::new(busy).path("/update"));
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.pull().await.expect("a pull");
    let _refused = world.push().await;
    world.advance(minutes(30)).await;
    world.dialler.faults().remove(down);
    world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("/api/contacts"));
    world.push().await.expect("a push");
    assert_eq!(world.value(id, "City"), json!("Bonn"), "the CRM need not answer for it");
    world.ends().await;
}
