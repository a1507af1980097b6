//! Does a change that a person makes to one contact arrive as given, whatever else waits or moves meanwhile?

use crate::support::world::{CAMPAIGN, Setup, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, WaveOrder};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{ContactId, LinkId};
use dialbridge::ledger::Said;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::Clearing;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::{Value, json};

async fn update(world: &World, contact: i64, values: Value) -> (End, String) {
    let Value::Object(values) = values else { panic!("an object") };
    let numbers = values
        .iter()
        .filter(|(field, _)| field.starts_with("PhoneNumber"))
        .map(|(_, value)| format!("+{}", value.as_str().expect("a number")))
        .collect();
    let values = values.into_iter().collect();
    let contact = ContactId(contact);
    world.command(Command::ContactUpdate { contact, values, numbers, reason: "asked us".to_owned() }).await
}

async fn freeze(world: &World) {
    world.must(Command::Freeze { reason: "a test".to_owned(), until: None, even_locks: false }).await;
}

async fn thaw(world: &World) {
    world.must(Command::Thaw { reason: "a test".to_owned() }).await;
}

/// The bodies of all updates since, without the contact's number.
fn updates(world: &World, mark: u64) -> Vec<Value> {
    let sent = world.writes_since(mark).into_iter().filter(|asked| asked.kind.name == "update");
    sent.map(|asked| {
        let mut body = asked.json();
        body.as_object_mut().expect("an object").remove("ID");
        body
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn does_it_arrive_though_its_record_is_edited_while_it_waits() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    freeze(&world).await;
    let (end, said) = update(&world, contact, json!({ "Comment": "calls back" })).await;
    assert_eq!(end, End::Done, "{said}");
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    let mark = world.mark();
    thaw(&world).await;
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("calls back"), "{}", world.story().await);
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    assert_eq!(updates(&world, mark), [json!({ "Comment": "calls back" }), json!({ "City": "Bonn" })]);
    let trail = world.ledger().changes_list(LinkId(1), 100).await.expect("a trail");
    let change = trail.iter().find(|change| change.field == "Comment").expect("it is in the trail");
    assert_eq!((change.before.as_deref(), change.before_from.as_str()), (Some("null"), "answer"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_it_gave_never_sent_again_by_itself() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert_eq!(update(&world, contact, json!({ "Comment": "calls back" })).await.0, End::Done);
    // An agent writes something else; our word was said once.
    assert!(world.dialler.portal().edit(contact, "Comment", json!("called back")));
    let mark = world.mark();
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.settle_down().await;
    assert_eq!(updates(&world, mark), [json!({ "City": "Bonn" })]);
    assert_eq!(world.value(id, "Comment"), json!("called back"));
    // The same field once more: it is the person's, not the record's.
    let (end, said) = update(&world, contact, json!({ "Comment": "moved away" })).await;
    assert_eq!(end, End::Done, "{said}");
    assert_eq!(world.value(id, "Comment"), json!("moved away"));
    world.assert_at_rest().await;
}

/// A world whose record has a change that a limit holds, and its contact.
async fn with_a_held_change() -> (World, u64, i64) {
    let route_keys = "only_if = \"phone and active\"\nmax_changed_per_run = 1";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids = [world.record("Ada"), world.record("Bea")];
    world.sync_all().await;
    for id in ids {
        world.editor().edit(id, json!({ "city": "Bonn" }));
    }
    world.sync_all().await;
    assert_eq!(world.value(ids[0], "City"), json!("Ulm"), "2 changes are more than 1");
    let contact = world.contact(ids[0]).id;
    (world, ids[0], contact)
}

#[tokio::test(start_paused = true)]
async fn does_it_take_along_what_a_limit_holds() {
    for rejected in [false, true] {
        let (world, id, contact) = with_a_held_change().await;
        let waves = world.ledger().waves_list(None, false).await.expect("waves");
        let word = |word| Command::Wave { wave: waves[0].id, word, reason: "a test".to_owned() };
        if rejected {
            world.must(word(WaveOrder::Reject)).await;
        }
        let mark = world.mark();
        let (end, said) = update(&world, contact, json!({ "Comment": "calls back" })).await;
        assert_eq!(end, End::Done, "{said}");
        assert!(said.contains("update: done"), "it does not wait behind what is held: {said}");
        assert_eq!(updates(&world, mark), [json!({ "Comment": "calls back" })], "rejected {rejected}");
        assert_eq!(world.value(id, "City"), json!("Ulm"));
        if !rejected {
            world.must(word(WaveOrder::Approve)).await;
            world.settle_down().await;
            assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_it_take_along_what_a_paused_route_holds() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.switch(RouteState::Paused).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    let mark = world.mark();
    let contact = world.contact(id).id;
    assert_eq!(update(&world, contact, json!({ "Comment": "calls back" })).await.0, End::Done);
    assert_eq!(updates(&world, mark), [json!({ "Comment": "calls back" })]);
    world.switch(RouteState::On).await;
    world.settle_down().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_one_in_doubt_settled_by_what_it_sent() {
    let effects = [
        ("it arrived", Effect::Done, 1, "calls back", 0),
        ("it arrived late", Effect::Late(seconds(20)), 1, "calls back", 0),
        ("it never arrived", Effect::None, 2, "calls back", 0),
    ];
    for (name, effect, sent, comment, parked) in effects {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        let fault = Action::Status { code: 502, retry_after: RetryAfter::Absent, effect };
        world.dialler.faults().add(Rule::new(fault).path("/update").times(1));
        let mark = world.mark();
        update(&world, contact, json!({ "Comment": "calls back" })).await;
        // Its record moves while nobody knows what became of it.
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.settle_down().await;
        assert_eq!(world.value(id, "Comment"), json!(comment), "{name}: {}", world.story().await);
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{name}");
        let given = updates(&world, mark).into_iter().filter(|body| body.get("Comment").is_some());
        assert_eq!(given.collect::<Vec<_>>(), vec![json!({ "Comment": "calls back" }); sent], "{name}");
        assert_eq!(world.parked().await.len(), parked, "{name}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_one_in_doubt_go_to_a_person_where_somebody_else_wrote_meanwhile() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let fault = Action::Status { code: 502, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(fault).path("/update").times(1));
    let mark = world.mark();
    update(&world, contact, json!({ "Comment": "calls back" })).await;
    assert!(world.dialler.portal().edit(contact, "Comment", json!("an agent's")));
    world.settle_down().await;
    assert_eq!(updates(&world, mark).len(), 1, "nothing is written over an agent");
    let parked = world.parked().await;
    assert!(parked.len() == 1 && parked[0].contains("neither"), "{parked:?}");
    // It stays for a person, also when its record is decided again; and a person may say it once more.
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.settle_down().await;
    assert_eq!(world.parked().await.len(), 1, "{}", world.story().await);
    world
        .ledger()
        .parked_retry_all(None, Said { who: "test".to_owned(), text: String::new() })
        .await
        .expect("tried again");
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("calls back"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_it_empty_a_field_in_the_way_this_dialler_does() {
    for clearing in [Clearing::Null, Clearing::EmptyText, Clearing::Both, Clearing::Neither] {
        let dialler = DiallerConfig { clearing, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        assert!(world.dialler.portal().edit(contact, "Comment", json!("calls back")));
        update(&world, contact, json!({ "Comment": null, "Company": "Ltd" })).await;
        world.settle_down().await;
        assert_eq!(world.value(id, "Company"), json!("Ltd"), "{clearing:?}");
        let comment = world.value(id, "Comment");
        let emptied = comment.is_null() || comment == json!("");
        assert_eq!(
            emptied,
            clearing != Clearing::Neither,
            "{clearing:?}: {comment}, {}",
            world.story().await
        );
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_number_given_by_hand_asked_for_when_it_leaves() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    freeze(&world).await;
    assert_eq!(update(&world, contact, json!({ "PhoneNumber2": "4930777" })).await.0, End::Done);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "phone": "+49 30 23125 999" }));
    world.sync_all().await;
    world.block_number("+4930777").await;
    thaw(&world).await;
    world.settle_down().await;
    assert_eq!(world.value(id, "PhoneNumber2"), Value::Null, "{}", world.story().await);
    assert!(!world.locked(id), "the blocked number never became this contact's");
    assert_eq!(world.value(id, "PhoneNumber1"), json!("493023125999"));
    // One that has arrived is the contact's: who blocks it locks the contact.
    assert_eq!(update(&world, contact, json!({ "PhoneNumber2": "4930888" })).await.0, End::Done);
    assert_eq!(world.value(id, "PhoneNumber2"), json!("4930888"));
    world.editor().edit(id, json!({ "phone": "+49 30 23125 998" }));
    world.settle_down().await;
    world.block_number("+4930888").await;
    world.live(minutes(1)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_it_reach_a_contact_that_is_locked_while_it_waits() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let foreign = world.dialler.put(CAMPAIGN, &[("Name", "Bea"), ("PhoneNumber1", "4930777")]);
    world.sync_all().await;
    let contact = world.contact(id).id;
    freeze(&world).await;
    for contact in [contact, foreign] {
        assert_eq!(update(&world, contact, json!({ "Comment": "said no" })).await.0, End::Done);
        let lock = Command::Contact {
            contact: ContactId(contact),
            act: ContactAct::Lock,
            reason: "said no".to_owned(),
        };
        assert_eq!(world.command(lock).await.0, End::Done);
    }
    thaw(&world).await;
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("said no"), "{}", world.story().await);
    assert_eq!(world.dialler.contact(foreign).expect("a contact").get("Comment"), json!("said no"));
    assert!(world.locked(id) && world.dialler.contact(foreign).expect("a contact").locked);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_refused_where_a_record_has_come_to_map_its_field() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let foreign = world.dialler.put(
        CAMPAIGN,
        &[("Name", "Ada"), ("UserData", &key(id)), ("PhoneNumber1", "4930777"), ("City", "Ulm")],
    );
    freeze(&world).await;
    assert_eq!(update(&world, foreign, json!({ "City": "Bonn" })).await.0, End::Done);
    // The record finds it by its key, and City is the record's from then on.
    world.pull().await.expect("a pull");
    let _whatever = world.push().await;
    thaw(&world).await;
    world.settle_down().await;
    assert_eq!(world.contact(id).id, foreign);
    assert_eq!(world.value(id, "City"), json!("Ulm"), "{}", world.story().await);
    world.assert_at_rest().await;
}
