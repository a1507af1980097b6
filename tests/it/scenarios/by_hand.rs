//! Does a contact that a person locked through dialbridge stay locked, whatever becomes of it?

use crate::support::world::{CAMPAIGN, Setup, World, key, minutes};
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{BlockSubject, ContactId, OperationId};
use dialbridge::sim::dialler::{CallPlan, Outcome};
use serde_json::json;

async fn act(world: &World, contact: i64, act: ContactAct) -> (End, String) {
    let contact = ContactId(contact);
    world.command(Command::Contact { contact, act, reason: "asked us".to_owned() }).await
}

async fn blocked_contacts(world: &World) -> Vec<BlockSubject> {
    let blocks = world.ledger().blocks_list(None, false, 100).await.expect("a list");
    blocks.into_iter().map(|block| block.subject).collect()
}

#[tokio::test(start_paused = true)]
async fn does_it_stay_locked_when_its_record_leaves_and_comes_back() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(act(&world, contact, ContactAct::Lock).await.0, End::Done);
    assert_eq!(blocked_contacts(&world).await, [BlockSubject::Contact(ContactId(contact))]);
    let mark = world.mark();
    for refused in [ContactAct::Reset, ContactAct::Delete] {
        let (end, said) = act(&world, contact, refused).await;
        assert_eq!(end, End::Failed);
        assert!(said.contains("contacts unlock"), "{said}");
    }
    for archived in [true, false] {
        world.advance(minutes(1)).await;
        world.editor().archive(id, archived);
        world.settle_down().await;
        assert!(world.locked(id));
    }
    world.editor().edit(id, json!({ "city": "Bonn", "phone": "+49 30 23125 999" }));
    world.settle_down().await;
    assert!(world.locked(id), "{}", world.story().await);
    assert!(!world.writes(mark).contains(&"unlock"), "{:?}", world.writes(mark));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_lock_by_hand_followed_to_the_one_that_took_its_place() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    world.must(Command::Freeze { until: None, even_locks: true, reason: "a look".to_owned() }).await;
    assert_eq!(act(&world, contact, ContactAct::Lock).await.0, End::Done, "it waits");
    // As a pull does that reads the record between the word and its push.
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.advance(minutes(1)).await;
    world.pull().await.expect("a pull");
    let locks = world.ledger().operations_list(None, true, 10).await.expect("operations");
    let [lock] = &locks[..] else { panic!("{locks:?}") };
    let first = OperationId(lock.id.0 - 1);
    let shown = world.ledger().operation_followed(first).await.expect("read").expect("there");
    assert_eq!(
        (shown.id, shown.state.as_str()),
        (lock.id, "waiting"),
        "not: superseded, as if nothing came of it"
    );
    world.must(Command::Thaw { reason: "looked".to_owned() }).await;
    world.ends().await;
    let shown = world.ledger().operation_followed(first).await.expect("read").expect("there");
    assert_eq!((shown.id, shown.state.as_str(), world.locked(id)), (lock.id, "done", true));
}

#[tokio::test(start_paused = true)]
async fn does_a_contact_without_a_record_stay_locked_when_a_record_takes_it_over() {
    for met_again in [false, true] {
        let world = World::usual().await;
        let id = world.record("Ada");
        let foreign = world
            .dialler
            .put(CAMPAIGN, &[("Name", "Ada"), ("UserData", &key(id)), ("PhoneNumber1", "4930777")]);
        assert_eq!(act(&world, foreign, ContactAct::Lock).await.0, End::Done);
        assert!(world.contact(id).locked);
        if met_again {
            // Another contact was the record's before; this one takes its place.
            world.editor().archive(id, true);
            world.sync_all().await;
            world.editor().archive(id, false);
        }
        let mark = world.mark();
        world.settle_down().await;
        assert!(world.locked(id), "{}", world.story().await);
        let writes = world.writes(mark);
        assert!(!writes.contains(&"unlock") && !writes.contains(&"import"), "{writes:?}");
        assert_eq!(world.contact(id).id, foreign);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_the_person_brought_back_when_the_locked_contact_was_deleted() {
    let route_keys = "only_if = \"phone and active\"\nvanished = \"import\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(act(&world, contact, ContactAct::Lock).await.0, End::Done);
    assert!(world.dialler.portal().delete(contact));
    world.live(minutes(60)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(30)).await;
    assert_eq!(world.contacts(id).len(), 0, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_unlock_by_hand_lift_it_and_nothing_else() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(act(&world, contact, ContactAct::Lock).await.0, End::Done);
    let number = world.number(id);
    world.block_number(&number).await;
    world.live(minutes(1)).await;
    let (end, said) = act(&world, contact, ContactAct::Unlock).await;
    assert_eq!(end, End::Failed);
    assert!(said.contains("block list"), "{said}");
    assert_eq!(blocked_contacts(&world).await.len(), 2, "nothing is lifted by half");

    let remove = Command::BlockRemove {
        client: "default".to_owned(),
        subject: BlockSubject::Number(number),
        source: None,
        reason: "asked to be called".to_owned(),
    };
    assert_eq!(world.command(remove).await.0, End::Done);
    world.settle_down().await;
    assert!(world.locked(id), "what a person locked only a person unlocks");

    assert_eq!(act(&world, contact, ContactAct::Unlock).await.0, End::Done);
    assert!(!world.locked(id));
    assert_eq!(blocked_contacts(&world).await, []);
    world.settle_down().await;
    assert!(!world.locked(id));
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.settle_down().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"), "its record is kept in step again");
    world.assert_at_rest().await;
    let lifted = world.ledger().blocks_list(None, true, 100).await.expect("a list");
    assert!(lifted.iter().all(|block| block.lifted_by.is_some() && block.lifted_why.is_some()), "{lifted:?}");
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_of_others_unlocked_again_by_hand() {
    let world = World::usual().await;
    let foreign = world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber1", "4930777")]);
    world.sync_all().await;
    let locked = || world.dialler.contact(foreign).expect("a contact").locked;
    assert_eq!(act(&world, foreign, ContactAct::Lock).await.0, End::Done);
    world.settle_down().await;
    assert!(locked());
    world.block_number("+4930777").await;
    assert_eq!(act(&world, foreign, ContactAct::Unlock).await.0, End::Failed, "its number is blocked");
    assert!(locked());
    let subject = BlockSubject::Number("+4930777".to_owned());
    let reason = "a mistake".to_owned();
    let (end, _) = world
        .command(Command::BlockRemove { client: "default".to_owned(), subject, source: None, reason })
        .await;
    assert_eq!(end, End::Done);
    world.live(minutes(2)).await;
    assert!(locked(), "the lock by hand stands");
    assert_eq!(act(&world, foreign, ContactAct::Unlock).await.0, End::Done);
    assert!(!locked());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_act_by_hand_wait_behind_what_a_paused_route_holds() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = ContactId(world.contact(id).id);
    assert!(world.dialler.call(contact.0, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(1)).await;
    world.switch(RouteState::Paused).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    let mark = world.mark();
    let act = Command::Contact { contact, act: ContactAct::Reset, reason: "asked".to_owned() };
    let (end, said) = world.command(act).await;
    assert_eq!(end, End::Done, "{said}");
    assert_eq!(world.writes(mark), ["reset"], "{said}\n{}", world.story().await);
    assert_eq!(world.value(id, "City"), json!("Ulm"), "the pause holds its own");
    world.switch(RouteState::On).await;
    world.settle_down().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}
