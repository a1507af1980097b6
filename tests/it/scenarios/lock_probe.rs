//! Does the ledger say whether a lock can be seen?

use crate::support::world::{Setup, World, seconds};
use dialbridge::ledger::LockShown;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Rule};

async fn world(lock_field: Option<&'static str>) -> (World, Vec<u64>) {
    let dialler = DiallerConfig { lock_field, ..DiallerConfig::default() };
    let world = World::new(Setup { dialler, ..Setup::default() }).await;
    let ids = ["Ada", "Berta"].map(|name| world.record(name)).to_vec();
    world.sync_all().await;
    (world, ids)
}

async fn outcomes(world: &World) -> Vec<String> {
    let operations = world.ledger().operations_list(None, false, 100).await.expect("operations");
    let locks = operations.into_iter().filter(|operation| operation.kind == "lock");
    locks.filter_map(|lock| Some(lock.outcome?.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_lock_is_looked_at_before_and_after_and_no_other() {
    for lock_field in [None, Some("bLocked")] {
        let (world, ids) = world(lock_field).await;
        let mut singles = Vec::new();
        for id in &ids {
            let mark = world.mark();
            world.block_number(&world.number(*id)).await;
            world.idle().await;
            assert!(world.locked(*id));
            let asked = world.dialler.journal().requests_where(|asked| asked.seq >= mark);
            singles.push(asked.iter().map(|asked| asked.kind.name).collect::<Vec<_>>());
        }
        assert_eq!(singles, [vec!["contact", "lock", "contact"], vec!["lock"]], "{lock_field:?}");
        let said = if lock_field.is_some() { "shows it by bLocked" } else { "not verifiable" };
        let outcomes = outcomes(&world).await;
        assert!(outcomes.len() == 2 && outcomes.iter().all(|one| one.contains(said)), "{outcomes:?}");
        for id in &ids {
            let told = world.told(*id).await;
            assert_eq!(told.contains("not verifiable"), lock_field.is_none(), "{told}");
            let shown =
                ["LOCKED by us; the dialler shows it by bLocked", "the dialler shows locks by bLocked"];
            assert!(shown.iter().all(|one| told.contains(one) == lock_field.is_some()), "{told}");
        }
        match world.ledger().lock_shown().await.expect("read") {
            LockShown::Nowhere => assert_eq!(lock_field, None),
            LockShown::By { fields } => assert!(fields.keys().eq(lock_field.iter()), "{fields:?}"),
            LockShown::Unknown => panic!("it was looked at"),
        }
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dialler_that_does_not_answer_reads_holds_no_lock_up() {
    let (world, ids) = world(Some("bLocked")).await;
    let slow = Action::Latency { before: seconds(600), after: seconds(0) };
    let number = world.contact(ids[0]).id.to_string();
    let rule = world.dialler.faults().add(Rule::new(slow).path(&format!("/dialler/contacts/{number}")));
    world.block_number(&world.number(ids[0])).await;
    world.advance(seconds(5)).await;
    assert!(world.locked(ids[0]));
    world.idle().await;
    world.dialler.faults().remove(rule);
    assert_eq!(world.ledger().lock_shown().await.expect("read"), LockShown::Unknown);
    world.block_number(&world.number(ids[1])).await;
    world.idle().await;
    assert!(matches!(world.ledger().lock_shown().await.expect("read"), LockShown::By { .. }));
    world.ends().await;
}
