//! What both sides agree on about a contact that was there before, or that an unanswered import made?

use crate::support::world::{CAMPAIGN, OTHER, Setup, World, key, minutes};
use dialbridge::control::{Command, End};
use dialbridge::domain::policy::{Job, RouteState};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

const WITH_REGION: &str = "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nCity = \"city\"\n\
                           Comment = \"comment\"\nRegion = \"street\"";

async fn world(adopt_conflict: &'static str) -> World {
    let route_keys = match adopt_conflict {
        "keep_dialler" => "only_if = \"phone and active\"\nadopt_conflict = \"keep_dialler\"",
        _ => "only_if = \"phone and active\"",
    };
    // What is taken over is the question here, and not whose the comment is afterwards.
    let more = "[route.leads.owners]\nComment = \"crm\"\n";
    World::new(Setup { route_keys, fields: WITH_REGION, more, ..Setup::default() }).await
}

fn put(world: &World, campaign: i64, id: u64, more: &[(&str, &str)]) -> i64 {
    let key = key(id);
    let mut fields = vec![("Name", "Somebody"), ("UserData", key.as_str()), ("PhoneNumber1", "4930999")];
    fields.extend(more);
    world.dialler.put(campaign, &fields)
}

#[tokio::test(start_paused = true)]
async fn is_nothing_lost_that_was_edited_while_the_import_was_in_doubt() {
    for policy in ["keep_dialler", "crm_owned"] {
        let world = world(policy).await;
        let id = world.record("Ada");
        world.editor().edit(id, json!({ "comment": "first" }));
        world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/import").times(1));
        world.pull().await.expect("a pull");
        let _in_doubt = world.push().await;
        world.editor().edit(id, json!({ "comment": "second", "city": "Bonn" }));
        world.pull().await.expect("a pull");
        world.settle_down().await;
        assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1);
        assert_eq!(
            world.value(id, "Region"),
            json!("Hafengasse 1"),
            "{policy}: what an import does not take"
        );
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{policy}");
        assert_eq!(world.value(id, "Comment"), json!("second"), "{policy}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_an_agents_word_stay_where_the_import_was_in_doubt() {
    let world = world("crm_owned").await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "comment": "ours" }));
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/import").times(1));
    world.pull().await.expect("a pull");
    let _in_doubt = world.push().await;
    let contact = world.contact(id).id;
    world.dialler.portal().edit(contact, "Comment", "the agent's");
    world.dialler.portal().edit(contact, "City", "Hof");
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("the agent's"), "free text belongs to the dialler");
    assert_eq!(world.value(id, "City"), json!("Ulm"), "master data to the CRM");
    world.assert_at_rest().await;
}

/// Found while it must not be called, taken over by the route's rule once it may be.
#[tokio::test(start_paused = true)]
async fn does_adopt_conflict_hold_for_a_contact_that_was_found_locked_out() {
    for policy in ["keep_dialler", "crm_owned"] {
        let world = world(policy).await;
        let id = world.record("Ada");
        world.editor().archive(id, true);
        put(&world, CAMPAIGN, id, &[("Comment", "the agent's"), ("City", "Hof"), ("Region", "South")]);
        world.editor().edit(id, json!({ "comment": "ours", "street": false }));
        world.sync_all().await;
        assert!(world.locked(id));
        world.editor().archive(id, false);
        world.advance(minutes(1)).await;
        world.sync_all().await;
        let keeps = policy == "keep_dialler";
        assert!(!world.locked(id), "{}", world.story().await);
        assert_eq!(world.value(id, "Comment"), json!("the agent's"), "{policy}");
        assert_eq!(world.value(id, "City"), json!(if keeps { "Hof" } else { "Ulm" }), "{policy}");
        let region = world.value(id, "Region");
        assert_eq!(region == json!("South"), keeps, "{policy}: {region}");
        world.assert_at_rest().await;
        world.editor().edit(id, json!({ "comment": "a new word" }));
        world.sync_all().await;
        assert_eq!(world.value(id, "Comment"), json!("a new word"), "{policy}: a change after that travels");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_adopt_conflict_hold_for_a_contact_under_another_number() {
    let world = world("crm_owned").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.contact(id).id;
    world.dialler.portal().delete(old);
    let new = put(&world, CAMPAIGN, id, &[("Comment", "the agent's"), ("City", "Ulm")]);
    world.editor().edit(id, json!({ "city": "Bonn", "comment": "ours" }));
    world.settle_down().await;
    assert_eq!(world.contact(id).id, new);
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    assert_eq!(world.value(id, "Comment"), json!("the agent's"));
    assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_that_finds_several_instead_of_its_contact_lock_them_all() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.dialler.portal().delete(world.contact(id).id);
    for campaign in [CAMPAIGN, CAMPAIGN, OTHER] {
        put(&world, campaign, id, &[]);
    }
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert!(world.contacts(id).iter().all(|contact| contact.locked), "{}", world.story().await);
    assert_eq!(world.parked().await, Vec::<String>::new(), "nothing is left to a person");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_parked_because_the_campaigns_cannot_be_read() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let id = world.record("Ada");
    let ours = put(&world, CAMPAIGN, id, &[]);
    world.dialler.faults().add(
        Rule::new(Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None })
            .path("/campaigns"),
    );
    world.switch(RouteState::On).await;
    world.try_all().await;
    assert!(world.dialler.faults().fired_in_all() > 0, "the test must meet its fault");
    assert_eq!(world.parked().await, Vec::<String>::new());
    world.dialler.faults().clear();
    world.settle_down().await;
    assert_eq!(world.contact(id).id, ours);
    assert_eq!(world.value(id, "Name"), json!("Ada"), "adopted");
    assert_eq!(world.dialler.journal().count("import"), 0);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_push_that_parks_what_it_found_say_so() {
    let world = World::usual().await;
    let (parked, adopted) = (world.record("Ada"), world.record("Berta"));
    put(&world, OTHER, parked, &[]);
    put(&world, CAMPAIGN, adopted, &[]);
    world.pull().await.expect("a pull");
    let (end, said) = world.command(Command::Sync { job: Some(Job::Push), route: None, full: false }).await;
    assert_eq!(end, End::ParkedNew, "{said}");
    assert!(said.contains("1 parked"), "{said}");
    let run =
        world.runs().await.into_iter().find(|run| run.counts.parked_new > 0).expect("a run that parked");
    assert_eq!((run.counts.parked, run.counts.adopted), (1, 1));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_parked_operation_go_with_its_reason() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.dialler.faults().add(
        Rule::new(Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None })
            .path("/import")
            .times(1),
    );
    world.sync_all().await;
    assert_eq!(world.parked().await.len(), 1);
    world.editor().archive(id, true);
    world.sync_all().await;
    assert_eq!(world.parked().await, Vec::<String>::new());
    world.ends().await;
}
