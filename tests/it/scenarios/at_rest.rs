//! Is every scenario asked whether a further run writes nothing, and is one noticed that does?

use crate::support::world::World;
use serde_json::json;

#[tokio::test(start_paused = true)]
#[should_panic(expected = "never asked whether a further run writes nothing")]
async fn does_a_scenario_fail_that_was_never_asked() {
    let world = World::usual().await;
    world.record("Ada");
    world.sync_all().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "written since it was found at rest")]
async fn does_a_scenario_fail_that_went_on_writing_after_it_was_asked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.ends().await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
}

#[tokio::test(start_paused = true)]
async fn is_every_write_of_a_run_seen_on_either_side() {
    let world = World::usual().await;
    let id = world.record("Ada");
    assert_eq!(world.writes_of(world.sync_all()).await, ["dialler: import"]);
    let told = async { world.second_crm.editor().edit(id, json!({})) };
    assert_eq!(world.writes_of(told).await, Vec::<String>::new(), "a clerk's edit is no write of ours");
    world.ends().await;
}
