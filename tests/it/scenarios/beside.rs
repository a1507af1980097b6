//! Does a route begin to fill a campaign that holds other people's contacts?

use crate::support::world::{CAMPAIGN, Setup, World, key};
use dialbridge::control::{Command, End, RouteWord};
use dialbridge::ledger::Pilot;
use dialbridge::sim::faults::{Action, Effect, Rule};

async fn switch(world: &World, word: RouteWord) -> (End, String) {
    world.command(Command::Route { route: "leads".into(), word, reason: "a test".to_owned() }).await
}

fn pause() -> RouteWord {
    RouteWord::Pause { until: None, harvest_too: false }
}

async fn world(beside: &'static str) -> (World, u64) {
    let world = World::new(Setup { beside, on: false, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn not_while_they_stand_there_and_nobody_said_that_they_may() {
    let (world, id) = world("hold").await;
    world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber1", "4930777"), ("UserData", &key(id))]);
    let other =
        world.dialler.put(CAMPAIGN, &[("Name", "Bert"), ("PhoneNumber1", "4930778"), ("UserData", "4711")]);
    let none = world.dialler.put(CAMPAIGN, &[("Name", "Carl"), ("PhoneNumber1", "4930779")]);
    for word in [RouteWord::On, RouteWord::Pilot { whom: Pilot::First(1), until: None }] {
        let (end, said) = switch(&world, word).await;
        assert_eq!(end, End::Failed, "{said}");
        for words in
            ["3 contacts", "1 carry our UserData", "1 carry another", "1 none", "beside = \"ignore\""]
        {
            assert!(said.contains(words), "{words:?}: {said}");
        }
    }
    world.try_all().await;
    assert_eq!(world.dialler.len(), 3, "the route is dry");

    // Once only such are left that we would take over, nobody would be called twice.
    for contact in [other, none] {
        assert!(world.dialler.portal().delete(contact));
    }
    world.harvest().await.expect("a harvest");
    let (end, said) = switch(&world, RouteWord::On).await;
    assert_eq!(end, End::Done, "{said}");
    world.sync_all().await;
    assert_eq!(world.contacts(id).len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn where_the_config_says_that_they_are_meant_to_be_there_it_does() {
    let (world, id) = world("ignore").await;
    world.dialler.put(CAMPAIGN, &[("Name", "Bert"), ("PhoneNumber1", "4930778"), ("UserData", "4711")]);
    assert_eq!(switch(&world, RouteWord::On).await.0, End::Done);
    world.sync_all().await;
    assert_eq!(world.contacts(id).len(), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn not_before_somebody_has_looked() {
    let (world, id) = world("hold").await;
    let unreadable =
        world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/dialler/contacts"));
    let (end, said) = switch(&world, RouteWord::On).await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(said.contains("sync harvest"), "{said}");
    assert!(said.contains("beside = \"ignore\" in [route.leads]"), "one that is never readable: {said}");
    world.dialler.faults().remove(unreadable);
    let mark = world.mark();
    let (end, said) = switch(&world, RouteWord::On).await;
    assert_eq!(end, End::Done, "{said}");
    let looked =
        world.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.name == "list");
    assert!(!looked.is_empty(), "it looked by itself");
    world.sync_all().await;
    assert_eq!(world.contacts(id).len(), 1);
    // Back from a pause nobody asks again.
    for word in [pause(), RouteWord::On, pause(), RouteWord::Resume] {
        assert_eq!(switch(&world, word).await.0, End::Done);
    }
    world.ends().await;
}
