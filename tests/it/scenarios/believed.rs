//! Many contacts are missing from a list at once: who says that they really are, and what follows?

use crate::support::world::{LEADS, World, key, minutes};
use dialbridge::control::{Command, End};
use dialbridge::domain::FoldedUserData;
use dialbridge::ledger::RunRow;

/// How many of the records have a contact, as far as the ledger knows.
pub(super) async fn there(world: &World, ids: &[u64]) -> usize {
    let mut there = 0;
    for id in ids {
        let found = world.ledger().contacts_by_key(FoldedUserData::of(&key(*id))).await.expect("a list");
        there += found.len();
    }
    there
}

async fn last_harvest(world: &World) -> RunRow {
    world.runs().await.into_iter().find(|run| run.sweep.is_some()).expect("a harvest")
}

pub(super) fn delete(world: &World, ids: &[u64]) {
    for id in ids {
        assert!(world.dialler.portal().delete(world.contact(*id).id));
    }
}

#[tokio::test(start_paused = true)]
async fn are_many_that_were_deleted_gone_once_a_person_says_so_and_is_the_next_wave_held_again() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..60).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.live(minutes(30)).await;
    delete(&world, &ids[..20]);
    world.harvest().await.expect("a harvest");
    let run = last_harvest(&world).await;
    let remark = run.remark.clone().expect("it says so");
    assert!(remark.contains("20 of 60 our contacts were not in a complete list"), "{remark}");
    assert_eq!(run.sweep.expect("a list").held, 20);

    let believe = Command::BelieveMissing { route: LEADS.into() };
    let (end, said) = world.command(believe).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(said.contains("20 of 60 our contacts are missing: they are asked about one by one"), "{said}");
    assert_eq!(there(&world, &ids[20..]).await, 40, "nobody else is touched");
    let remark = last_harvest(&world).await.remark.expect("who said so");
    assert!(remark.contains("by the word of test"), "{remark}");
    world.live(minutes(20)).await;
    assert_eq!(there(&world, &ids).await, 40, "{}", world.story().await);
    assert_eq!(last_harvest(&world).await.sweep.expect("a list").held, 0, "it is settled");

    // The word was for those that were missing when it was said.
    delete(&world, &ids[20..40]);
    world.harvest().await.expect("a harvest");
    assert_eq!(last_harvest(&world).await.sweep.expect("a list").held, 20);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_one_that_is_there_after_all_stay_whatever_a_person_says() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    for id in &ids[..15] {
        assert!(world.dialler.portal().move_to(world.contact(*id).id, crate::support::world::OTHER));
    }
    let believe = Command::BelieveMissing { route: LEADS.into() };
    for _ in 0..2 {
        let (end, said) = world.command(believe.clone()).await;
        assert_eq!(end, End::Done, "{said}");
        world.live(minutes(15)).await;
    }
    assert_eq!(there(&world, &ids).await, 30, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_the_word_of_a_route_that_is_not_there_refused() {
    let world = World::usual().await;
    let (end, said) = world.command(Command::BelieveMissing { route: "nobody".into() }).await;
    assert_eq!(end, End::Usage, "{said}");
    assert!(said.contains("there is no route nobody"), "{said}");
    world.ends().await;
}
