//! Who is taken, where only some of those that wait may be?

use crate::support::world::{Setup, World, minutes};
use dialbridge::control::{Command, RouteWord, WaveOrder};
use dialbridge::domain::RouteName;
use dialbridge::ledger::Pilot;
use std::collections::BTreeSet;
use std::time::Duration;

fn many(world: &World, count: usize) -> Vec<u64> {
    (0..count).map(|n| world.record(&format!("Person {n}"))).collect()
}

async fn pilot(world: &World, whom: Pilot) {
    let word = RouteWord::Pilot { whom, until: None };
    world.must(Command::Route { route: RouteName::from("leads"), word, reason: "a test".to_owned() }).await;
}

fn in_dialler(world: &World, ids: &[u64]) -> usize {
    ids.iter().filter(|id| !world.contacts(**id).is_empty()).count()
}

#[tokio::test(start_paused = true)]
async fn do_pilots_of_a_crm_that_is_larger_than_a_runs_limit_need_no_approval_of_all() {
    let keys = "max_new_per_run = 5";
    for whom in [Pilot::First(2), Pilot::Records(vec!["7".into(), "8".into()])] {
        let world = World::new(Setup { route_keys: keys, on: false, ..Setup::default() }).await;
        let all = many(&world, 20);
        world.sync_all().await;
        pilot(&world, whom.clone()).await;
        world.sync_all().await;
        assert_eq!(in_dialler(&world, &all), 2, "{whom:?}: {}", world.story().await);
        // The others wait for a word, also once the route is on.
        let word = RouteWord::On;
        world
            .must(Command::Route { route: RouteName::from("leads"), word, reason: "a test".to_owned() })
            .await;
        world.advance(minutes(1)).await;
        world.sync_all().await;
        assert_eq!(in_dialler(&world, &all), 2, "{whom:?}: {}", world.story().await);
        let held = world.ledger().waves_list(None, false).await.expect("waves");
        assert_eq!(held.iter().map(|wave| wave.waiting).sum::<i64>(), 18);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_pilot_choose_nobody_of_a_wave_that_was_rejected() {
    let world = World::new(Setup { route_keys: "max_new_per_run = 5", ..Setup::default() }).await;
    let rejected = many(&world, 20);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 0, "more than 5 at once are held");
    let wave = world.ledger().waves_list(None, false).await.expect("waves")[0].id;
    world.must(Command::Wave { wave, word: WaveOrder::Reject, reason: "a test".to_owned() }).await;
    pilot(&world, Pilot::First(2)).await;
    world.advance(minutes(1)).await;
    let new = many(&world, 3);
    world.sync_all().await;
    assert_eq!((in_dialler(&world, &rejected), in_dialler(&world, &new)), (0, 2), "{}", world.story().await);
    world.ends().await;
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
    world.ends().await;
}
