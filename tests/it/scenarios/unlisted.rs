//! Many contacts at once that the dialler does not name any more: does anything follow before a person has seen whom?

use super::believed::{delete, there};
use crate::support::world::{LEADS, Setup, World, minutes};
use dialbridge::control::{Command, WaveOrder};
use dialbridge::domain::policy::WaveWhat;
use dialbridge::jobs::push::plan::plan;
use dialbridge::ledger::{WavePlan, WaveRow};
use dialbridge::sim::journal::Asked;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

async fn house(keys: &'static str, count: usize) -> (World, Vec<u64>) {
    let world = World::new(Setup { route_keys: keys, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..count).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.live(minutes(30)).await;
    (world, ids)
}

async fn waves(world: &World) -> Vec<WaveRow> {
    world.ledger().waves_list(None, false).await.expect("waves")
}

async fn the_wave(world: &World) -> WavePlan {
    let mut waves = waves(world).await;
    assert_eq!(waves.iter().map(|wave| wave.what).collect::<Vec<_>>(), [WaveWhat::Vanished]);
    world.ledger().plan_of_wave(waves.remove(0), plan).await.expect("its plan")
}

async fn decide(world: &World, wave: i64, word: WaveOrder) -> String {
    world.must(Command::Wave { wave, word, reason: "looked into the portal".to_owned() }).await
}

#[tokio::test(start_paused = true)]
async fn do_they_wait_as_a_wave_however_they_are_read_and_go_by_a_persons_word() {
    let (world, ids) = house("vanished = \"import\"", 60).await;
    delete(&world, &ids[..20]);
    world.harvest().await.expect("a harvest");
    let held = the_wave(&world).await;
    assert_eq!((held.wave.waiting, held.wave.bound, held.records.len()), (20, 19, 20));
    assert!(held.records.iter().all(|held| held.record.is_some() && held.contact.is_some()), "{held:?}");
    // The audit reads everybody once a day, each by itself, and finds nobody either.
    let imported = world.dialler.journal().count("import");
    world.sync_all().await;
    let (mark, singly) = (world.mark(), |asked: &Asked| asked.kind.name == "contact");
    for _ in 0..3 {
        world.advance(3 * DAY).await;
        world.sync_all().await;
        world.live(minutes(30)).await;
    }
    // Few of them are asked for by themselves while that says nothing.
    let asked = world.dialler.journal().requests_since(mark);
    let lists = asked.iter().filter(|asked| asked.kind.name == "list").count();
    assert!(asked.iter().filter(|asked| singly(asked)).count() <= 5 * lists, "{asked:?}");
    assert_eq!((there(&world, &ids).await, world.dialler.journal().count("import")), (60, imported));
    assert_eq!(waves(&world).await.len(), 1, "one wave, however often they are missed");
    let said = decide(&world, held.wave.id, WaveOrder::Approve).await;
    assert!(said.contains("20 contacts are asked about, twice, ten minutes apart"), "{said}");
    world.live(minutes(30)).await;
    assert_eq!(world.dialler.journal().count("import"), imported + 20, "{}", world.story().await);
    assert_eq!(waves(&world).await, []);
    // A few more on the same day: whom a person let go does not count.
    delete(&world, &ids[30..35]);
    world.live(minutes(30)).await;
    assert_eq!(world.dialler.journal().count("import"), imported + 25);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_nothing_follow_for_whom_a_person_does_not_believe_gone_until_another_word() {
    let (world, ids) = house("", 60).await;
    delete(&world, &ids[..20]);
    world.harvest().await.expect("a harvest");
    let held = the_wave(&world).await.wave;
    let said = decide(&world, held.id, WaveOrder::Reject).await;
    assert!(said.contains("--believe-missing"), "{said}");
    for _ in 0..3 {
        world.advance(DAY).await;
        world.live(minutes(30)).await;
    }
    assert_eq!((there(&world, &ids).await, waves(&world).await), (60, vec![]), "{}", world.story().await);
    // Others are a wave of their own, and a few of them none.
    delete(&world, &ids[20..25]);
    world.live(minutes(30)).await;
    assert_eq!((there(&world, &ids).await, waves(&world).await), (55, vec![]));
    world.must(Command::BelieveMissing { route: LEADS.into() }).await;
    world.live(minutes(30)).await;
    assert_eq!(there(&world, &ids).await, 35, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_many_small_ones_one_day() {
    let (world, ids) = house("max_vanished = 30", 300).await;
    delete(&world, &ids[..25]);
    world.live(minutes(30)).await;
    assert_eq!((there(&world, &ids).await, waves(&world).await), (275, vec![]), "too few");
    delete(&world, &ids[25..35]);
    world.live(minutes(30)).await;
    assert_eq!(the_wave(&world).await.wave.waiting, 10);
    assert_eq!(there(&world, &ids).await, 275, "{}", world.story().await);
    world.advance(DAY).await;
    world.live(minutes(60)).await;
    assert_eq!(
        (there(&world, &ids).await, waves(&world).await),
        (265, vec![]),
        "on the next day ten are few"
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_wave_over_when_they_are_there_again() {
    let (world, ids) = house("", 60).await;
    for id in &ids[..25] {
        assert!(world.dialler.portal().move_to(world.contact(*id).id, crate::support::world::OTHER));
    }
    world.harvest().await.expect("a harvest");
    world.live(minutes(30)).await;
    assert_eq!((there(&world, &ids).await, waves(&world).await), (60, vec![]), "{}", world.story().await);
    world.ends().await;
}
