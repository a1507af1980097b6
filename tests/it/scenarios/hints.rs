//! Does one record that cannot be read by its id keep the others waiting?

use crate::support::world::{World, minutes};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn does_one_that_spoils_every_answer_stop_no_pull() {
    let failing = Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None };
    for spoil in [None, Some(failing)] {
        let world = World::usual().await;
        let ids: Vec<u64> = (0..12).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        let spoiled = ids[10];
        match &spoil {
            // A row that nobody can take for the one that was asked for.
            None => world.editor().make_odd(spoiled, "7"),
            Some(action) => {
                let rule = Rule::new(action.clone()).path("by-ids").path(&spoiled.to_string());
                world.crm.faults.add(rule);
            }
        }
        world.hint(&ids).await;
        // Changed as its first version says: only the read by id can tell.
        world.advance(minutes(1)).await;
        world.editor().edit(ids[3], json!({ "city": "Bonn" }));
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        assert_eq!(world.value(ids[3], "City"), json!("Bonn"));
        let mark = world.crm.journal.mark();
        world.pull().await.expect("a second pull");
        let by_ids =
            world.crm.journal.requests_where(|asked| asked.seq >= mark && asked.kind.name == "by_ids");
        assert!(by_ids.is_empty(), "it waits: {by_ids:?}");
        // It never can be read, while others can: nobody knows whether it may be called.
        for _ in 0..6 {
            world.advance(minutes(20)).await;
            world.hint(&ids[..2]).await;
            world.pull().await.expect("a pull");
            world.push().await.expect("a push");
        }
        assert!(world.locked(spoiled), "{}", world.story().await);
        assert_eq!(ids.iter().filter(|id| world.locked(**id)).count(), 1);
        world.editor().make_plain(spoiled);
        world.crm.faults.clear();
        world.editor().edit(spoiled, json!({ "city": "Hof" }));
        world.sync_all().await;
        assert!(!world.locked(spoiled));
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_older_version_read_by_id_dropped_and_asked_for_again() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    let yesterday = world.now() - chrono::TimeDelta::hours(24);
    world.editor().edit_as_of(id, json!({ "city": "Ulm" }), yesterday);
    world.hint(&[id]).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.crm.set(|settings| settings.visibility_lag = minutes(60));
    world.editor().edit(id, json!({ "city": "Hof" }));
    // No list shows it: the hint that had no answer worth taking does.
    world.advance(minutes(3)).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Hof"), "{}", world.story().await);
    world.ends().await;
}
