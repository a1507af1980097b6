//! Is anybody called again who was called to an end, under another record; and how does a person let them go?

use crate::support::world::{World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, ResultsWord};
use dialbridge::domain::{ContactId, HistoryId};
use dialbridge::sim::dialler::{CallPlan, Outcome};
use serde_json::json;

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
}
