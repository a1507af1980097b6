//! What becomes of a record whose key was found where it should not be, and of the contacts found?

use crate::support::world::{CAMPAIGN, OTHER, Setup, World, key, minutes, seconds};
use dialbridge::domain::policy::RouteState;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

/// A contact with a record's key that somebody else made.
fn put(world: &World, campaign: i64, id: u64) -> i64 {
    let key = key(id);
    let fields = [("Name", "Somebody"), ("UserData", key.as_str()), ("PhoneNumber1", "4930999")];
    world.dialler.put(campaign, &fields)
}

fn open(world: &World, id: u64) -> Vec<i64> {
    world.contacts(id).iter().filter(|contact| !contact.locked).map(|contact| contact.id).collect()
}

#[tokio::test(start_paused = true)]
async fn is_a_parked_record_that_is_edited_at_once_still_not_imported_over_what_was_found() {
    let world = World::usual().await;
    let (elsewhere, several) = (world.record("Ada"), world.record("Berta"));
    put(&world, OTHER, elsewhere);
    put(&world, CAMPAIGN, several);
    put(&world, CAMPAIGN, several);
    world.sync_all().await;
    assert_eq!(world.parked().await.len(), 2);
    world.advance(minutes(1)).await;
    for id in [elsewhere, several] {
        world.editor().edit(id, json!({ "city": "Bonn" }));
    }
    world.sync_all().await;
    assert_eq!(world.dialler.journal().count("import"), 0, "{}", world.story().await);
    assert_eq!(world.parked().await.len(), 2);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_record_that_broke_while_its_import_was_in_doubt_not_imported_over_its_contact() {
    let world = World::new(Setup {
        fields: "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nCity = \"city\"\ndtEndDate = \"comment | date\"",
        ..Setup::default()
    })
    .await;
    let id = world.record("Ada");
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/import").times(1));
    world.pull().await.expect("a pull");
    let _in_doubt = world.push().await;
    world.editor().edit(id, json!({ "comment": "no date", "city": "Bonn" }));
    world.pull().await.expect("a pull");
    assert_eq!(world.parked().await.len(), 1, "{:?}", world.parked().await);
    world.advance(minutes(2)).await;
    world.sync_all().await;
    world.editor().edit(id, json!({ "comment": false }));
    world.sync_all().await;
    assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1, "{}", world.story().await);
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    assert_eq!(world.parked().await, Vec::<String>::new());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn are_all_contacts_of_a_parked_record_locked_when_it_says_no() {
    for no in [json!({ "do_not_call": true }), json!({ "archived": true }), json!({ "phone": false })] {
        let world = World::usual().await;
        let (several, elsewhere) = (world.record("Ada"), world.record("Berta"));
        for campaign in [CAMPAIGN, CAMPAIGN, OTHER] {
            put(&world, campaign, several);
        }
        put(&world, OTHER, elsewhere);
        world.sync_all().await;
        assert_eq!((open(&world, several).len(), open(&world, elsewhere).len()), (1, 1));
        world.advance(minutes(1)).await;
        for id in [several, elsewhere] {
            match no.get("archived") {
                Some(_) => world.editor().archive(id, true),
                None => world.editor().edit(id, no.clone()),
            };
        }
        world.sync_all().await;
        assert_eq!(open(&world, several), [0; 0], "{no}: {}", world.story().await);
        assert_eq!(open(&world, elsewhere), [0; 0], "{no}: {}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_all_contacts_of_a_parked_record_locked_when_a_person_blocks_its_number() {
    let world = World::usual().await;
    let id = world.record("Ada");
    put(&world, CAMPAIGN, id);
    put(&world, CAMPAIGN, id);
    put(&world, OTHER, id);
    world.sync_all().await;
    assert_eq!(open(&world, id).len(), 1);
    world.block_number(&world.number(id)).await;
    world.push().await.expect("a push");
    assert_eq!(open(&world, id), [0; 0], "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_further_double_of_a_parked_record_locked_too() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let kept = put(&world, CAMPAIGN, id);
    put(&world, CAMPAIGN, id);
    world.sync_all().await;
    assert_eq!(open(&world, id), [kept]);
    world.advance(minutes(6)).await;
    put(&world, CAMPAIGN, id);
    world.sync_all().await;
    assert_eq!(open(&world, id), [kept], "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_double_found_where_the_links_are_older_than_the_pinned_campaign() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull before anything asked the dialler for its campaigns");
    world.switch(RouteState::On).await;
    world.sync_all().await;
    let first = world.contact(id).id;
    let csv = format!("Name;FirstName;PhoneNumber1;UserData\nAda;A;4930777;{}\n", key(id));
    world.dialler.portal().import_csv(CAMPAIGN, &csv, false);
    assert_eq!(open(&world, id).len(), 2);
    world.advance(minutes(6)).await;
    world.sync_all().await;
    assert_eq!(open(&world, id), [first], "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_import_that_takes_effect_long_after_it_was_given_up_locked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Late(minutes(30)))).path("/import").times(1));
    world.pull().await.expect("a pull");
    let _in_doubt = world.push().await;
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.settle_down().await;
    assert_eq!(world.contacts(id).len(), 0, "the dialler was asked and had none");
    world.advance(minutes(30)).await;
    world.sync_all().await;
    assert!(world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_somebody_elses_contact_with_the_key_of_a_record_that_said_no_locked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.sync_all().await;
    world.advance(minutes(6)).await;
    put(&world, CAMPAIGN, id);
    world.sync_all().await;
    assert!(world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_parked_record_heal_when_the_dialler_changes() {
    let world = World::usual().await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].iter().map(|name| world.record(name)).collect();
    let (doubled, moved, deleted) = (ids[0], ids[1], ids[2]);
    put(&world, CAMPAIGN, doubled);
    let second = put(&world, CAMPAIGN, doubled);
    let elsewhere = put(&world, OTHER, moved);
    let in_the_way = put(&world, OTHER, deleted);
    world.sync_all().await;
    assert_eq!(world.parked().await.len(), 3);
    world.dialler.portal().delete(second);
    world.dialler.portal().move_to(elsewhere, CAMPAIGN);
    world.dialler.portal().delete(in_the_way);
    world.live(minutes(60 * 7)).await;
    assert_eq!(world.parked().await, Vec::<String>::new(), "{}", world.story().await);
    for id in ids {
        assert!(!world.locked(id), "{id}");
        assert_eq!(world.value(id, "City"), json!("Ulm"), "{id}");
    }
    assert_eq!(world.dialler.journal().count("import"), 1, "only for whom nobody is there");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_double_let_go_when_the_other_is_deleted() {
    for linked_goes in [false, true] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let linked = world.contact(id).id;
        let second = put(&world, CAMPAIGN, id);
        world.advance(minutes(6)).await;
        world.sync_all().await;
        assert_eq!((open(&world, id), world.parked().await.len()), (vec![linked], 1));
        world.dialler.portal().delete(if linked_goes { linked } else { second });
        if linked_goes {
            world.editor().edit(id, json!({ "city": "Bonn" }));
        }
        world.live(minutes(45)).await;
        assert_eq!(world.parked().await, Vec::<String>::new(), "{}", world.story().await);
        let left = if linked_goes { second } else { linked };
        assert_eq!(open(&world, id), [left], "{}", world.story().await);
        assert_eq!(world.dialler.journal().count("import"), 1);
        if linked_goes {
            assert_eq!(world.value(id, "City"), json!("Bonn"));
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_deleted_double_that_no_update_meets_bring_the_other_back() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let linked = world.contact(id).id;
    let second = put(&world, CAMPAIGN, id);
    world.advance(minutes(6)).await;
    world.sync_all().await;
    world.dialler.portal().delete(linked);
    world.live(minutes(45)).await;
    assert_eq!(open(&world, id), [second], "{}", world.story().await);
    assert_eq!(world.parked().await, Vec::<String>::new());
    world.advance(seconds(30)).await;
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_that_was_said_to_a_contact_with_the_key_in_a_campaign_of_no_route() {
    // Beside others with its key, or the only one that bears it.
    for others in [2, 0] {
        let setup = Setup {
            route_keys: "only_if = \"phone and active\"\nopt_out_results = [\"DO_NOT_CALL\"]",
            ..Setup::default()
        };
        let world = World::new(setup).await;
        let id = world.record("Ada");
        let there = put(&world, OTHER, id);
        (0..others).for_each(|_| {
            put(&world, CAMPAIGN, id);
        });
        let mut no = CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", seconds(1));
        (no.ring, no.talk, no.row_delay) = (seconds(1), seconds(1), seconds(1));
        assert!(world.dialler.call(there, no));
        world.live(minutes(15)).await;
        assert_eq!(open(&world, id), [0; 0], "{others}: {}", world.story().await);
        world.assert_at_rest().await;
    }
}
