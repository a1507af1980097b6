//! What happens when the dialler's token may see less than before, in the middle of everything?

use crate::support::world::{Setup, World, minutes};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// Whoever vanished is imported again: the policy under which it would hurt most.
const IMPORT: &str = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nvanished = \"import\"";

/// Twenty-five contacts, all called lately: their histories are due again and again.
async fn called(batch_read: bool) -> (World, Vec<u64>) {
    let dialler = DiallerConfig { batch_read, ..DiallerConfig::default() };
    let world = World::new(Setup { dialler, route_keys: IMPORT, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..25).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, CallPlan::new(Outcome::Answered)));
    }
    world.live(minutes(6)).await;
    (world, ids)
}

#[tokio::test(start_paused = true)]
async fn is_nobody_taken_for_gone_whose_calls_are_waited_for() {
    for batch_read in [true, false] {
        let (world, ids) = called(batch_read).await;
        let mark = world.mark();
        // Nothing is to be seen any more, and every answer agrees with itself.
        world.dialler.faults().add(Rule::new(Action::EmptyList));
        world.live(minutes(90)).await;
        world.dialler.faults().clear();
        world.live(minutes(20)).await;
        let imports = world.writes_since(mark).iter().filter(|asked| asked.kind.name == "import").count();
        assert_eq!(imports, 0, "batch read: {batch_read}\n{}", world.story().await);
        assert!(world.dialler.doubled().is_empty());
        for id in &ids {
            world.contact(*id);
        }
        // Every call is told in the end, and an edit finds its contact.
        world.editor().edit(ids[0], json!({ "city": "Bonn" }));
        world.live(minutes(10)).await;
        let filter = dialbridge::ledger::CallFilter::default();
        assert_eq!(world.ledger().calls_list(filter, 100).await.expect("calls").len(), 25);
        assert_eq!(world.value(ids[0], "City"), json!("Bonn"));
        world.assert_at_rest().await;
    }
}
