//! What happens when a record stops being eligible, comes back, or its contact goes?

use crate::support::world::{Setup, World, key, minutes, seconds};
use dialbridge::sim::dialler::What;
use serde_json::json;

fn deeds(world: &World, id: u64) -> Vec<&'static str> {
    let contact = world.contact(id).id;
    let told = world.dialler.journal().deeds_on(contact).into_iter().filter_map(|happened| {
        Some(match happened.effect.what {
            What::Created { .. } => "created",
            What::Locked { was: false } => "locked",
            What::Unlocked { was: true } => "unlocked",
            _ => return None,
        })
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn is_a_record_locked_that_stops_being_eligible_and_unlocked_when_it_returns() {
    for (away, back) in [
        (json!({ "phone": false }), json!({ "phone": "+49 30 23125 001" })),
        (json!({ "name": false }), json!({ "name": "Ada" })),
        (json!({ "phone": "no number at all" }), json!({ "phone": "+49 30 23125 001" })),
    ] {
        let world = World::usual().await;
        let (id, other) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, away.clone());
        world.sync_all().await;
        assert!(world.locked(id) && !world.locked(other), "{away}");
        world.assert_at_rest().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, back);
        world.sync_all().await;
        assert_eq!(deeds(&world, id), ["created", "locked", "unlocked"], "{away}");
        assert_eq!(world.value(id, "PhoneNumber1"), json!("493023125001"));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_archiving_lock_and_bringing_back_unlock_with_what_changed_meanwhile() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().archive(id, true);
    world.sync_all().await;
    assert!(world.locked(id));
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().archive(id, false);
    world.sync_all().await;
    assert_eq!(deeds(&world, id), ["created", "locked", "unlocked"]);
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_that_a_portal_user_locked_left_locked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.dialler.portal().lock(world.contact(id).id);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert!(world.locked(id), "we unlock only what we locked");
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_that_somebody_deleted_not_imported_again() {
    let world = World::usual().await;
    let (id, other) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world.dialler.portal().delete(world.contact(id).id);
    // Found by an update that meets a 404, and by sweeps that miss it.
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    for _ in 0..5 {
        world.sync_all().await;
        world.advance(minutes(11)).await;
    }
    world.editor().edit(id, json!({ "city": "Hof" }));
    world.sync_all().await;
    assert_eq!(world.contacts(id).len(), 0);
    assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1);
    assert!(!world.locked(other));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_imported_again_where_the_route_says_so() {
    let world = World::new(Setup {
        route_keys: "only_if = \"phone and active\"\nvanished = \"import\"",
        ..Setup::default()
    })
    .await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.dialler.portal().delete(world.contact(id).id);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    for _ in 0..6 {
        world.sync_all().await;
        world.advance(minutes(11)).await;
    }
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_found_again_that_has_another_number_now() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.contact(id).id;
    // Deleted and made again in the portal, with our key.
    world.dialler.portal().delete(old);
    let csv = format!("Name;FirstName;PhoneNumber1;UserData\nAda;A;493023125001;{}\n", key(id));
    world.dialler.portal().import_csv(538, &csv, false);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.settle_down().await;
    assert_ne!(world.contact(id).id, old);
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_name_that_no_record_has_stop_the_route_and_import_nobody() {
    let world = World::new(Setup {
        route_keys: "only_if = \"phone and aktiv\"\nblock_if = \"phone_blacklisted\"",
        ..Setup::default()
    })
    .await;
    for n in 0..30 {
        world.record(&format!("Name {n}"));
    }
    let stopped = world.pull().await.expect_err("the route must stop");
    assert!(stopped.to_string().contains("aktiv"), "{stopped}");
    world.try_all().await;
    assert_eq!(world.dialler.journal().write_count(), 0);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_field_renamed_in_the_crm_lock_and_import_nobody() {
    let world = World::new(Setup {
        route_keys: "only_if = \"phone and active and stage == 'new'\"",
        ..Setup::default()
    })
    .await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    // From now on the field is missing: that is not "false".
    for id in &ids {
        let raw = json!({
            "id": id, "name": "Other", "phone": "+49 30 23125 900", "email": "a@b.example", "city": "Hof",
            "zip": "1", "do_not_call": false, "active": true,
            "modified_at": (world.now() + seconds(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        world.editor().make_odd(*id, raw.to_string());
        world.editor().edit(*id, json!({ "city": "Hof" }));
    }
    let mark = world.mark();
    world.pull().await.expect_err("the route must stop");
    world.try_all().await;
    assert_eq!(world.writes(mark), Vec::<&str>::new());
    assert!(ids.iter().all(|id| !world.locked(*id)));
    world.ends().await;
}
