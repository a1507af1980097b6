//! Who is taken, where only some of those that wait may be?

use crate::support::world::{Setup, World, minutes};
use dialbridge::control::{Command, RouteWord};
use dialbridge::domain::RouteName;
use dialbridge::ledger::Pilot;
use std::collections::BTreeSet;
use std::time::Duration;

fn many(world: &World, count: usize) -> Vec<u64> {
    (0..count).map(|n| world.record(&format!("Person {n}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn does_a_pilot_choose_those_that_may_be_sent() {
    let world = World::new(Setup { route_keys: "max_new_per_run = 5", ..Setup::default() }).await;
    let held = many(&world, 20);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 0, "more than 5 at once are held");
    let word = RouteWord::Pilot { whom: Pilot::First(2), until: None };
    let reason = "a test".to_owned();
    world.must(Command::Route { route: RouteName::from("leads"), word, reason }).await;
    world.advance(minutes(1)).await;
    let new = many(&world, 3);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 2, "{}", world.story().await);
    assert!(held.iter().all(|id| world.contacts(*id).is_empty()));
    assert_eq!(new.iter().filter(|id| !world.contacts(**id).is_empty()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn are_only_those_read_again_that_may_go_today() {
    let world = World::new(Setup { route_keys: "max_new_per_day = 3", ..Setup::default() }).await;
    let all = many(&world, 60);
    world.sync_all().await;
    for day in 1..=2 {
        assert_eq!(world.dialler.len(), day * 3);
        world.advance(Duration::from_secs(24 * 3600)).await;
        // Whoever waits was decided about yesterday: too long ago to be made callable by it.
        let mark = world.crm.journal.mark();
        world.sync_all().await;
        assert_eq!(world.dialler.len(), (day + 1) * 3, "{}", world.story().await);
        let read = world.crm.journal.requests_where(|asked| asked.seq >= mark && asked.kind.name == "by_ids");
        let ids = |asked: &dialbridge::sim::journal::Asked| {
            asked.param("ids").unwrap_or_default().split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        let read: BTreeSet<String> = read.iter().flat_map(ids).collect();
        assert_eq!(read.len(), 3, "of {} only those that may go are read again", all.len());
    }
}
