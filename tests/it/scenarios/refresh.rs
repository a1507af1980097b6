//! What happens to whom a decision that has grown old would make callable?

use crate::support::world::{Setup, WINBACK, World, minutes, seconds};
use dialbridge::domain::policy::RouteState;
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

/// Three records are decided, nothing is sent, and the decisions grow old.
async fn waiting() -> (World, u64, u64) {
    let world = World::usual().await;
    world.switch(RouteState::Paused).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.advance(minutes(1)).await;
    world.pull().await.expect("a pull");
    world.advance(minutes(30)).await;
    (world, ada, berta)
}

/// The route is on, and no pull says anything: only what is about to be sent is read again.
async fn pushes(world: &World) {
    world.switch(RouteState::On).await;
    for _ in 0..3 {
        world.push().await.expect("a push");
        world.advance(minutes(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_whose_record_cannot_be_read_any_more() {
    let (world, ada, berta) = waiting().await;
    // No JSON value: only the id can be told.
    world.editor().make_odd(ada, format!("{{\"id\":{ada},\"name\":\"\\ud800\",\"active\":true}}"));
    pushes(&world).await;
    assert_eq!((world.contacts(ada).len(), world.contacts(berta).len()), (0, 1), "{}", world.story().await);
    world.editor().make_plain(ada);
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.live(minutes(5)).await;
    assert_eq!(world.value(ada, "City"), json!("Bonn"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_by_an_older_version_than_the_one_that_was_seen() {
    let (world, ada, berta) = waiting().await;
    // A replica that lags answers yesterday's version, and says nothing of today.
    let yesterday = world.now() - chrono::TimeDelta::hours(24);
    world.editor().edit_as_of(ada, json!({ "city": "Bonn" }), yesterday);
    pushes(&world).await;
    assert_eq!((world.contacts(ada).len(), world.contacts(berta).len()), (0, 1), "{}", world.story().await);
    world.editor().edit(ada, json!({ "city": "Hof" }));
    world.advance(seconds(1)).await;
    world.live(minutes(5)).await;
    assert_eq!(world.value(ada, "City"), json!("Hof"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_whose_condition_cannot_be_worked_out_any_more() {
    let (world, ada, berta) = waiting().await;
    let raw = json!({ "id": ada, "name": "Ada", "phone": "+49 30 23125 001", "active": true });
    world.editor().make_odd(ada, raw.to_string());
    pushes(&world).await;
    assert_eq!((world.contacts(ada).len(), world.contacts(berta).len()), (0, 1), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_each_route_have_an_age_of_its_own() {
    let patient = "only_if = \"phone and active\"\nmax_decision_age = \"45m\"";
    let hasty = WINBACK.replace("beside ", "max_decision_age = \"20m\"\nbeside ");
    let world = World::new(Setup { route_keys: patient, more: hasty.leak(), ..Setup::default() }).await;
    world.switch(RouteState::Paused).await;
    let id = world.record("Ada");
    world.advance(minutes(1)).await;
    world.pull().await.expect("a pull");
    world.advance(minutes(30)).await;
    let unreadable = world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("/api/contacts"));
    world.switch(RouteState::On).await;
    let _held = world.push().await;
    let theirs = format!("winback-{id}");
    assert_eq!(world.contacts(id).len(), 1, "young enough for its route: {}", world.story().await);
    assert!(world.dialler.contacts_with(&theirs).is_empty(), "too old for its route");
    world.crm.faults.remove(unreadable);
    pushes(&world).await;
    assert_eq!(world.dialler.contacts_with(&theirs).len(), 1, "{}", world.story().await);
    world.ends().await;
}
