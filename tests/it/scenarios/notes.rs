//! What is told of a record beside its state?

use crate::support::world::{Setup, World, key, minutes};
use dialbridge::ledger::Event;
use serde_json::json;

/// The notes of a record's life: code, and whether they stand.
async fn notes(world: &World, id: u64) -> Vec<(String, String)> {
    let person = world.ledger().persons_find(key(id), None).await.expect("a search").remove(0);
    let story = world.ledger().contact_story(person).await.expect("a story");
    let notes = story.events.into_iter().filter(|event| event.kind == "note");
    let code = |event: &Event| event.reason.as_ref().map(|why| why.code.as_str().to_owned());
    notes.map(|event| (code(&event).unwrap_or_default(), event.state)).collect()
}

fn note(code: &str, state: &str) -> (String, String) {
    (code.to_owned(), state.to_owned())
}

#[tokio::test(start_paused = true)]
async fn is_a_text_that_was_cut_told_once_and_ends_when_it_fits() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "city": "x".repeat(100) }));
    world.sync_all().await;
    assert_eq!(notes(&world, id).await, [note("too_long", "stands")]);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "name": "Ada B" }));
    world.sync_all().await;
    assert_eq!(notes(&world, id).await, [note("too_long", "stands")], "told once");
    let noted: i64 = world.runs().await.iter().map(|run| run.counts.noted).sum();
    assert_eq!(noted, 1);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Ulm" }));
    world.sync_all().await;
    assert_eq!(notes(&world, id).await, [note("too_long", "ended")]);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_change_told_that_only_an_import_takes() {
    let fields =
        "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nFollowUpDateTime = \"comment | date\"";
    let world = World::new(Setup { fields, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "comment": "2026-04-01" }));
    world.sync_all().await;
    assert_eq!(notes(&world, id).await, []);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "comment": "2026-05-01" }));
    world.sync_all().await;
    assert_eq!(notes(&world, id).await, [note("import_only_field", "stands")]);
    world.assert_at_rest().await;
}
