//! What does a person's story tell of what an answer revealed?

use crate::support::world::{Setup, World, key, minutes, seconds};
use dialbridge::cli::status_told;
use dialbridge::sim::dialler::config::Clearing;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn is_a_field_told_of_that_the_dialler_does_not_empty() {
    let dialler = DiallerConfig { clearing: Clearing::Neither, ..DiallerConfig::default() };
    let world = World::new(Setup { dialler, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": false }));
    world.sync_all().await;
    world.sync_all().await;
    let told = world.told(id).await;
    assert!(told.contains(": City was emptied, but the dialler keeps its value"), "{told}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_import_told_of_that_met_somebody_and_does_it_raise_an_alarm_for_a_week() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    let status = async || status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    // Between the look for its key and the import somebody else brings the person in, and it is called.
    let slow = Action::Latency { before: seconds(20), after: seconds(0) };
    world.dialler.faults().add(Rule::new(slow).path("/import").times(1));
    let push = world.parts().control.runners.push.clone().expect("a push");
    push.activate("hand");
    world.advance(seconds(2)).await;
    let number = world.number(id);
    let (key_of, number) = (key(id), number.trim_start_matches('+').to_owned());
    let there = [("Name", "Somebody"), ("UserData", &*key_of), ("PhoneNumber1", &*number)];
    let contact = world.dialler.put(538, &there);
    let mut plan = CallPlan::new(Outcome::NoAnswer);
    (plan.ring, plan.row_delay) = (seconds(1), seconds(1));
    assert!(world.dialler.call(contact, plan));
    world.advance(seconds(30)).await;
    world.idle().await;
    assert_eq!(world.contact(id).id, contact);
    let met = format!("import done: the import met contact {contact}, which was there before");
    let told = world.told(id).await;
    assert!(told.contains(&met), "{told}");
    let alarm = "1 imports of route leads met a contact that was there before";
    let said = status().await;
    assert!(said.contains(alarm) && said.contains(&key(id)), "{said}");
    world.advance(minutes(8 * 24 * 60)).await;
    let said = status().await;
    assert!(!said.contains(alarm), "{said}");
    world.ends().await;
}
