//! Is anybody called again who was called to an end, under another record; and how does a person let them go?

use super::write_back::field;
use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, ResultsWord};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{ContactId, HistoryId};
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::{Value, json};

/// Somebody is called and declines; the call's number.
async fn declines(world: &World, id: u64) -> i64 {
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(20)).await;
    world.dialler.history(contact).last().expect("a call").id
}

/// Another record, with the number that this one has now.
fn with_the_number_of(world: &World, id: u64) -> u64 {
    let phone = world.editor().field(id, "phone").expect("a number");
    let other = world.record("Ada anew");
    world.editor().edit(other, json!({ "phone": phone }));
    other
}

async fn reopen(world: &World, call: i64) {
    let word = ResultsWord::Reopen { call: HistoryId(call) };
    world.must(Command::Results { word, reason: "she asked for a call".to_owned() }).await;
}

#[tokio::test(start_paused = true)]
async fn is_who_declined_called_again_under_a_new_record_only_by_a_persons_word() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let call = declines(&world, id).await;
    // Her record is made anew, and her contact is gone.
    let anew = with_the_number_of(&world, id);
    world.editor().delete(id);
    assert!(world.dialler.portal().delete(world.contact(id).id));
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 0, "{}", world.story().await);
    let parked = world.parked().await;
    let verb = format!("`dialbridge results reopen {call}`");
    assert!(parked.iter().any(|item| item.contains(&verb)), "{parked:?}");
    reopen(&world, call).await;
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 1, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_declined_called_again_by_the_number_that_was_called_once_their_record_has_another() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let call = declines(&world, id).await;
    let bought = with_the_number_of(&world, id);
    world.editor().edit(id, json!({ "phone": "+49 30 23125 999" }));
    world.live(minutes(20)).await;
    assert_eq!(world.value(id, "PhoneNumber1"), json!("493023125999"), "nobody has her old number any more");
    world.editor().edit(bought, json!({ "city": "Bonn" }));
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(bought).len(), 0, "{}", world.story().await);
    reopen(&world, call).await;
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(bought).len(), 1, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_was_left_out_for_anothers_result_decided_anew_once_a_person_resets_that_contact() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    declines(&world, id).await;
    let anew = with_the_number_of(&world, id);
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 0, "{}", world.story().await);
    let (contact, act) = (ContactId(world.contact(id).id), ContactAct::Reset);
    world.must(Command::Contact { contact, act, reason: "asked us".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 1, "{}", world.story().await);
    world.ends().await;
}

/// Two records that are in the dialler, the first of which is called and declines on her number; her call.
async fn one_declined(setup: Setup) -> (World, u64, u64, i64) {
    let world = World::new(setup).await;
    let (declined, other) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let call = declines(&world, declined).await;
    (world, declined, other, call)
}

/// A record gets the number that another one has; the one it had.
fn gets_the_number_of(world: &World, id: u64, whose: u64) -> Value {
    let had = world.editor().field(id, "phone").expect("a number");
    let phone = world.editor().field(whose, "phone").expect("a number");
    world.editor().edit(id, json!({ "phone": phone }));
    had
}

/// Whether the dialler may call the contact on this number now.
fn callable_on(world: &World, id: u64, number: &str) -> bool {
    let contact = world.contact(id);
    !contact.locked && contact.get("PhoneNumber1") == json!(number.trim_start_matches('+'))
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_whose_record_gets_the_number_of_somebody_who_declined() {
    let more = "[route.leads.status_fields]\nstanding = \"status ~ (': ' ~ reason if reason else '')\"\n";
    let keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"";
    let (world, declined, other, call) =
        one_declined(Setup { route_keys: keys, more, ..Setup::default() }).await;
    let (mark, number) = (world.mark(), world.value(other, "PhoneNumber1"));
    let had = gets_the_number_of(&world, other, declined);
    world.live(minutes(5)).await;
    assert!(world.locked(other), "{}", world.story().await);
    assert_eq!(world.value(other, "PhoneNumber1"), number, "the number never comes to the dialler");
    assert_eq!(world.writes(mark), ["lock"], "{}", world.story().await);
    let told = world.told(other).await;
    let why = format!("`dialbridge results reopen {call}`");
    assert!(
        told.contains("somebody was called to an end on its new number") && told.contains(&why),
        "{told}"
    );
    let standing = field(&world, other, "standing");
    assert!(
        standing.as_str().is_some_and(|text| text.starts_with("locked: somebody was called to an end")),
        "{standing}"
    );
    assert!(world.parked().await.iter().any(|item| item.contains(&why)), "{:?}", world.parked().await);
    world.assert_at_rest().await;
    // Another change of the record does not bring it along.
    world.editor().edit(other, json!({ "city": "Bonn" }));
    world.live(minutes(5)).await;
    assert_eq!(world.writes(mark), ["lock"], "{}", world.story().await);
    // It was a slip of the pen.
    world.editor().edit(other, json!({ "phone": had }));
    world.live(minutes(5)).await;
    assert!(!world.locked(other), "{}", world.story().await);
    assert_eq!(world.value(other, "City"), json!("Bonn"));
    assert!(!world.locked(declined), "her own result stands by itself");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_persons_word_bring_the_number_of_somebody_who_declined() {
    for word in ["reopen", "reset", "corrected"] {
        let (world, declined, other, call) = one_declined(Setup::default()).await;
        let hers = world.contact(declined).id;
        gets_the_number_of(&world, other, declined);
        world.live(minutes(5)).await;
        assert!(world.locked(other), "{}", world.story().await);
        let mark = world.mark();
        match word {
            "reopen" => reopen(&world, call).await,
            "reset" => {
                let (contact, act) = (ContactId(hers), ContactAct::Reset);
                world.must(Command::Contact { contact, act, reason: "asked us".to_owned() }).await;
            }
            _ => assert!(world.dialler.portal().correct_result(hers, call, "APPOINTMENT")),
        }
        world.live(minutes(30)).await;
        assert!(callable_on(&world, other, &world.number(declined)), "{word}: {}", world.story().await);
        assert!(world.writes(mark).ends_with(&["update", "unlock"]), "{word}: {:?}", world.writes(mark));
        world.assert_at_rest().await;
    }
}

/// The lock is answered late, and the program dies meanwhile.
#[tokio::test(start_paused = true)]
async fn is_nobody_ever_callable_on_the_number_of_somebody_who_declined_while_the_lock_is_on_its_way() {
    let (mut world, declined, other, _) = one_declined(Setup::default()).await;
    let number = world.number(declined);
    let busy = Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(busy).path("/lock"));
    let mark = world.mark();
    gets_the_number_of(&world, other, declined);
    for minute in 0..6 {
        if minute % 2 == 1 {
            world.crash().await;
        }
        world.live(minutes(1)).await;
        assert!(!callable_on(&world, other, &number), "{}", world.story().await);
    }
    world.dialler.faults().clear();
    world.live(minutes(5)).await;
    assert!(world.locked(other), "{}", world.story().await);
    assert!(world.writes(mark).iter().all(|kind| *kind == "lock"), "{:?}", world.writes(mark));
    world.assert_at_rest().await;
}

/// Her result stands in the dialler, whatever number she has: to lock her would only keep her record's changes from it.
#[tokio::test(start_paused = true)]
async fn is_who_declined_herself_given_another_number_and_back() {
    let (world, declined, _, _) = one_declined(Setup::default()).await;
    let had = world.editor().field(declined, "phone").expect("a number");
    for phone in [json!("+49 30 23125 999"), had] {
        world.editor().edit(declined, json!({ "phone": phone }));
        world.live(minutes(5)).await;
        let number = world.number(declined);
        assert!(callable_on(&world, declined, &number), "not locked: {}", world.story().await);
        assert!(world.contact(declined).is_final(), "her result stands");
    }
    world.ends().await;
}

/// Nobody lets go whose result became final while their unlock waited: that they are locked stays a wish of ours.
#[tokio::test(start_paused = true)]
async fn does_a_final_result_that_meets_a_waiting_unlock_leave_a_lock_that_stands() {
    let world =
        World::new(Setup { route_keys: "only_if = \"phone and stage == 'new'\"", ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(12 * 60));
    plan.row_delay = seconds(1);
    assert!(world.dialler.call(contact, plan));
    world.editor().edit(id, json!({ "stage": "lost" }));
    world.live(minutes(10)).await;
    assert!(world.locked(id));
    world.switch(RouteState::Paused).await;
    world.editor().edit(id, json!({ "stage": "new" }));
    world.live(minutes(40)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(5)).await;
    world.switch(RouteState::On).await;
    world.live(minutes(5)).await;
    assert!(world.locked(id), "{}", world.story().await);
    assert!(world.dialler.portal().unlock(contact));
    world.live(minutes(26 * 60)).await;
    assert!(world.locked(id), "the night sends every lock once more\n{}", world.story().await);
    // She did not say that: her result is corrected, and she is called again.
    let call = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, call, "CALL_LATER"));
    world.live(minutes(90)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}

/// The list showed that something had happened; before anybody could read what, somebody deleted the contact.
#[tokio::test(start_paused = true)]
async fn is_somebody_imported_again_whose_last_call_nobody_could_read() {
    let keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nvanished = \"import\"";
    let world = World::new(Setup { route_keys: keys, ..Setup::default() }).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    world.live(minutes(10)).await;
    let contact = world.contact(ada).id;
    let broken =
        || Rule::new(Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None });
    let batch = world.dialler.faults().add(broken().method(http::Method::POST).path_end("dialler/contacts"));
    let alone = world.dialler.faults().add(broken().path(&format!("/{contact}/history")));
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(10)).await;
    for id in [ada, bert] {
        assert!(world.dialler.portal().delete(world.contact(id).id));
    }
    world.dialler.faults().remove(batch);
    world.dialler.faults().remove(alone);
    world.live(minutes(60)).await;
    assert_eq!((world.contacts(ada).len(), world.contacts(bert).len()), (0, 1), "{}", world.story().await);
    let parked = world.parked().await.join("\n");
    assert!(parked.contains("calls_lost") || parked.contains("before its last calls were read"), "{parked}");
    let word = ResultsWord::ReopenContact { contact: ContactId(contact) };
    let (end, said) =
        world.command(Command::Results { word: word.clone(), reason: "she asked for it".to_owned() }).await;
    assert_eq!(end, End::Done, "{said}");
    world.live(minutes(10)).await;
    assert_eq!(world.contacts(ada).len(), 1, "{}", world.story().await);
    let (end, said) = world.command(Command::Results { word, reason: "again".to_owned() }).await;
    assert_eq!(end, End::Failed, "{said}");
    world.ends().await;
}
