//! Is anybody called again who was called to an end, under another record; and how does a person let them go?

use crate::support::world::{World, minutes, seconds};
use dialbridge::control::{Command, ResultsWord};
use dialbridge::domain::HistoryId;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn is_who_declined_called_again_under_a_new_record_only_by_a_persons_word() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(20)).await;
    let call = world.dialler.history(contact).last().expect("a call").id;
    // Her record is made anew, and her contact is gone.
    let phone = world.editor().field(id, "phone").expect("a number");
    world.editor().delete(id);
    assert!(world.dialler.portal().delete(contact));
    let anew = world.record("Ada anew");
    world.editor().edit(anew, json!({ "phone": phone }));
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 0, "{}", world.story().await);
    let parked = world.parked().await;
    let verb = format!("`dialbridge results reopen {call}`");
    assert!(parked.iter().any(|item| item.contains(&verb)), "{parked:?}");
    let word = ResultsWord::Reopen { call: HistoryId(call) };
    world.must(Command::Results { word, reason: "she asked for a call".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 1, "{}", world.story().await);
}
