//! Is anything lost when a contact is deleted by hand?

use crate::support::world::{CAMPAIGN, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, Parked};
use dialbridge::domain::ContactId;
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

async fn act(world: &World, contact: i64, act: ContactAct) -> (End, String) {
    let contact = ContactId(contact);
    world.command(Command::Contact { contact, act, reason: "asked us".to_owned() }).await
}

async fn calls(world: &World, contact: i64) -> Vec<Option<i64>> {
    let filter = CallFilter { contact: Some(ContactId(contact)), ..CallFilter::default() };
    let calls = world.ledger().calls_list(filter, 10).await.expect("calls");
    calls.into_iter().map(|call| call.result_code).collect()
}

#[tokio::test(start_paused = true)]
async fn not_the_call_that_was_running_nor_its_late_result() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", Duration::from_secs(12 * 60));
    plan.talk = minutes(8);
    assert!(world.dialler.call(contact, plan));
    world.live(seconds(30)).await;
    let (end, said) = act(&world, contact, ContactAct::Delete).await;
    assert_eq!(end, End::Done, "{said}");
    world.live(seconds(10)).await;
    assert!(world.locked(id), "nobody is called by it any more");
    world.live(minutes(20)).await;
    assert!(world.dialler.contact(contact).is_some(), "its result was there for no quarter of an hour");
    world.live(minutes(60)).await;
    assert!(world.dialler.contact(contact).is_none(), "{}", world.story().await);
    let calls = calls(&world, contact).await;
    assert!(calls.len() == 1 && calls[0].is_some(), "{calls:?}");
    assert_eq!(world.ledger().blocks_list(None, false, 10).await.expect("blocks"), []);
    world.settle_down().await;
    assert_eq!(world.contacts(id).len(), 0, "what a person deleted is not imported again");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_whoever_a_person_locked_stay_though_the_record_is_deleted_for_good() {
    let route_keys = "only_if = \"phone and active\"\n[route.leads.leave]\ndeleted = \"delete\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..5).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    assert_eq!(act(&world, world.contact(ids[0]).id, ContactAct::Lock).await.0, End::Done);
    ids[..2].iter().for_each(|id| world.editor().delete(*id));
    for _ in 0..4 {
        world.advance(minutes(11)).await;
        world.hint(&ids[..2]).await;
        world.sync_all().await;
    }
    world.live(minutes(90)).await;
    assert!(world.locked(ids[0]), "{}", world.story().await);
    assert!(world.contacts(ids[1]).is_empty(), "nobody locked this one: {}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_contact_go_whose_lock_the_dialler_rejects() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let rejects = Action::Status { code: 409, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(rejects).path("/lock"));
    assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    world.live(minutes(120)).await;
    assert!(world.dialler.contact(contact).is_none(), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_delete_wait_for_as_long_as_the_config_says() {
    let more = "[push]\nsettle_calls = \"40m\"";
    for (more, minutes_to_go) in [("", 15), (more, 40)] {
        let world = World::new(Setup { more, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
        world.live(minutes(minutes_to_go - 1)).await;
        assert!(world.dialler.contact(contact).is_some(), "{more}: too early");
        world.live(minutes(15)).await;
        assert!(world.dialler.contact(contact).is_none(), "{more}: {}", world.story().await);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn not_the_wish_itself_while_the_crm_cannot_say_anything_about_the_record() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let reason = || "an audit".to_owned();
    let until = Some(world.now() + chrono::TimeDelta::hours(2));
    world.must(Command::Freeze { reason: reason(), until, even_locks: false }).await;
    world.crm.faults.add(Rule::new(Action::Reset(Effect::None)));
    assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    world.live(minutes(4 * 60)).await;
    assert!(
        world.dialler.contact(contact).is_none(),
        "a person's word needs no other\n{}",
        world.story().await
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn not_the_record_where_the_contact_goes_another_way() {
    let world = World::new(Setup { route_keys: "vanished = \"import\"", ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    assert!(world.dialler.portal().delete(contact));
    world.live(minutes(3 * 60)).await;
    assert_eq!(
        world.ledger().blocks_list(None, false, 10).await.expect("blocks"),
        [],
        "{}",
        world.story().await
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn not_the_record_where_a_deletion_that_was_rejected_is_put_aside() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let rejects = Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(rejects).method(http::Method::DELETE));
    assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    world.live(minutes(90)).await;
    let parked = world.ledger().parked_list(None, 10).await.expect("parked");
    let operation = parked.iter().find_map(|item| item.operation).expect("it is parked");
    let what = Parked::Operation(operation);
    world.must(Command::Discard { what, reason: "kept after all".to_owned() }).await;
    assert_eq!(world.ledger().blocks_list(None, false, 10).await.expect("blocks"), []);
    world.live(minutes(30)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn not_the_contact_where_the_person_thinks_again() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    world.live(minutes(5)).await;
    assert_eq!(act(&world, contact, ContactAct::Unlock).await.0, End::Done);
    world.live(minutes(60)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_contact_of_others_wait_for_a_harvest_that_never_reads_it() {
    let world = World::usual().await;
    let unread = world.dialler.put(4711, &[("Name", "Ada"), ("PhoneNumber1", "4930777")]);
    let read = world.dialler.put(CAMPAIGN, &[("Name", "Bert"), ("PhoneNumber1", "4930778")]);
    world.sync_all().await;
    for contact in [unread, read] {
        assert_eq!(act(&world, contact, ContactAct::Delete).await.0, End::Done);
    }
    world.live(minutes(14)).await;
    assert!(world.dialler.contact(unread).is_some() && world.dialler.contact(read).is_some());
    world.live(minutes(10)).await;
    assert!(world.dialler.contact(unread).is_none() && world.dialler.contact(read).is_none());
    world.ends().await;
}

/// Whom a portal user deleted has no numbers there any more: a block on the one the contact had holds up nobody.
#[tokio::test(start_paused = true)]
async fn is_whose_contact_vanished_with_a_blocked_number_imported_with_the_new_one() {
    let world = World::new(Setup { route_keys: "vanished = \"import\"", ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.number(id);
    world.advance(minutes(1)).await;
    assert!(world.dialler.portal().delete(world.contact(id).id));
    world.editor().edit(id, json!({ "phone": "+49 30 23125 999" }));
    world.block_number(&old).await;
    world.live(minutes(60)).await;
    assert_eq!(world.contacts(id).len(), 1, "{}", world.story().await);
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}
