//! Does a fault of all records stop the route, and one of a few stop nobody?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::domain::Timestamp;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// A row without the field that the route's condition names.
fn lacking(world: &World, id: u64) -> String {
    lacking_since(world.now() + seconds(1), id)
}

fn lacking_since(modified: Timestamp, id: u64) -> String {
    let modified = modified.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "id": id, "name": "Other", "phone": format!("+49 30 23125 {id:03}"), "email": "a@b.example", "city": "Hof",
        "zip": "1", "do_not_call": false, "active": true, "modified_at": modified,
    })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn does_a_fault_that_comes_record_by_record_stop_the_route_over_many_pulls() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..60).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let mut stopped = None;
    for (n, id) in ids.iter().enumerate() {
        world.advance(minutes(1)).await;
        world.editor().make_odd(*id, lacking(&world, *id));
        world.editor().edit(*id, json!({ "city": "Hof" }));
        if let Err(error) = world.pull().await {
            stopped = Some((n, error.to_string()));
            break;
        }
    }
    // Of 60 records that were ever decided, 20 are at least 30 %.
    let (n, text) = stopped.expect("the route must stop");
    assert_eq!(n, 19, "{text}");
    assert!(text.contains("phone_blacklisted"), "{text}");
    assert!(world.stopped().await.is_some());
    // What was stored before goes on being a person's; the CRM is mended, and the route goes on by itself.
    world.advance(minutes(1)).await;
    for id in &ids[..20] {
        world.editor().make_plain(*id);
        world.editor().edit(*id, json!({ "city": "Bonn" }));
    }
    world.sync_all().await;
    assert_eq!(world.stopped().await, None);
    assert!(ids.iter().all(|id| !world.locked(*id)), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn are_objections_beside_it_stored_all_the_same() {
    let world = World::usual().await;
    // More than a page of 200.
    let ids: Vec<u64> = (0..230).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().burst(&ids, &json!({ "city": "Hof" }));
    ids[..70].iter().for_each(|id| world.editor().make_odd(*id, lacking(&world, *id)));
    let (objects, leaves, edited) = (ids[100], ids[220], ids[225]);
    world.editor().edit(objects, json!({ "do_not_call": true }));
    world.editor().archive(leaves, true);
    world.editor().edit(edited, json!({ "city": "Bonn" }));
    world.pull().await.expect_err("the route must stop");
    world.try_all().await;
    let locked: Vec<u64> = ids.iter().copied().filter(|id| world.locked(*id)).collect();
    assert_eq!(locked, [objects, leaves], "{}", world.story().await);
    assert_eq!(world.value(edited, "City"), json!("Ulm"), "all else waits");
    for id in &ids[..70] {
        world.editor().make_plain(*id);
        world.editor().edit(*id, json!({ "city": "Bonn" }));
    }
    world.sync_all().await;
    assert_eq!(world.value(edited, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_records_that_cannot_be_read_stop_the_route_when_they_are_many() {
    let world = World::usual().await;
    for n in 0..40 {
        let id = world.record(&format!("Name {n}"));
        if n % 3 == 0 {
            world.editor().make_odd(id, if n % 2 == 0 { "7".to_owned() } else { format!("{{\"id\":{id}}}") });
        }
    }
    // A third of them, but fourteen only.
    world.pull().await.expect("a pull");
    for n in 0..60 {
        let id = world.record(&format!("Name {n}"));
        world.editor().make_odd(id, "7");
    }
    world.pull().await.expect_err("the route must stop");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_objections_heard_that_only_a_new_mapping_sees_though_it_is_wrong_for_many() {
    let keys = "max_new_per_run = 2000\nonly_if = \"phone and active\"";
    let setup = Setup { route_keys: keys, ..Setup::default() };
    let mut world = World::new(setup.clone()).await;
    // Eight pages of 200; the objection stands on the last.
    let ids: Vec<u64> = (0..1_500).map(|n| world.record(&format!("Name {n}"))).collect();
    let objects = ids[1_490];
    world.editor().edit(objects, json!({ "do_not_call": true }));
    world.sync_all().await;
    assert!(!world.locked(objects), "this mapping does not ask for it");
    world.advance(minutes(20)).await;
    world.sync_all().await;
    // Under their old times: no ordinary pull reads them.
    for id in &ids[..100] {
        let modified = world.editor().modified(*id).expect("a time") + seconds(1);
        world.editor().make_odd(*id, lacking_since(modified, *id));
    }
    let keys = "max_new_per_run = 2000\nonly_if = \"phone and active and not phone_blacklisted\"\nblock_if = \"do_not_call\"";
    world.configure(&Setup { route_keys: keys, ..setup }).await;
    // Each page takes so long that one stretch hears a part of them only.
    let slow = Action::Latency { before: seconds(15), after: std::time::Duration::ZERO };
    world.crm.faults.add(Rule::new(slow));
    for _ in 0..4 {
        world.pull().await.expect_err("the mapping is wrong for many");
        world.advance(minutes(1)).await;
    }
    let _whatever = world.push().await;
    assert!(world.locked(objects), "{:?}", world.stopped().await);
    let locked = ids.iter().filter(|id| world.locked(**id)).count();
    assert!(locked <= 101, "{locked}");
    world.ends().await;
}
