//! What counts of a companion's answer that nobody can believe?

use super::blocks::told_by_the_list_alone;
use crate::support::world::{World, minutes};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

#[tokio::test(start_paused = true)]
async fn does_who_enters_count_at_once_though_many_left() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
    ids[..20].iter().for_each(|id| world.editor().blacklist(&world.number(*id), true));
    world.sync_all().await;
    assert!(world.contacts(ids[0]).is_empty() && !world.locked(ids[25]));
    world.advance(minutes(1)).await;
    // Half of it is missing in the answer, and one is new.
    ids[..15].iter().for_each(|id| world.editor().blacklist(&world.number(*id), false));
    world.editor().blacklist(&world.number(ids[25]), true);
    let reports = world.pull().await.expect("a pull");
    assert_eq!(reports[0].companions_not_taken.len(), 1, "that it shrank is reported");
    world.push().await.expect("a push");
    assert!(world.locked(ids[25]), "entering is a fact, whatever became of the rest");
    let trouble = world.ledger().companions_in_trouble().await.expect("companions");
    assert_eq!((trouble.len(), trouble[0].failed), (1, 1));
    let remark = world.runs().await.into_iter().find_map(|run| run.remark).expect("a remark");
    assert!(remark.contains("shrank from 20 to 6"), "{remark}");
    // Read twice equal, it is believed.
    world.pull().await.expect("a pull");
    assert!(world.ledger().companions_in_trouble().await.expect("companions").is_empty());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_one_that_fails_reported_and_changes_nothing() {
    let world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().blacklist(&world.number(ada), true);
    world.sync_all().await;
    let failing = Action::Status { code: 403, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.crm.faults.add(Rule::new(failing).path("/blacklisted"));
    world.advance(minutes(1)).await;
    world.pull().await.expect("the pull goes on");
    world.push().await.expect("a push");
    assert_eq!((world.contacts(ada).len(), world.locked(berta)), (0, false));
    let trouble = world.ledger().companions_in_trouble().await.expect("companions");
    assert_eq!(trouble.len(), 1);
    assert!(world.runs().await.iter().any(|run| run.remark.is_some()));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn frees_one_answer_that_leaves_some_out_nobody_though_it_is_believed() {
    // Nothing but the list says who is on it, and a few fewer are believed at once.
    for connector in ["sim-offset", "sim-cursor"] {
        let world = World::new(told_by_the_list_alone(connector)).await;
        let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        ids.iter().for_each(|id| world.editor().blacklist(&world.number(*id), true));
        world.sync_all().await;
        let locked = || ids.iter().filter(|id| world.locked(**id)).count();
        assert_eq!(locked(), 30, "{connector}");
        world.advance(minutes(2)).await;
        // A right is missing for a moment: three are not in the answer.
        ids[..3].iter().for_each(|id| world.editor().blacklist(&world.number(*id), false));
        world.sync_all().await;
        ids[..3].iter().for_each(|id| world.editor().blacklist(&world.number(*id), true));
        assert_eq!(locked(), 30, "one answer frees nobody: {connector} {}", world.story().await);
        world.live(minutes(5)).await;
        assert_eq!(locked(), 30, "{connector}");
        // Taken off for good, they are free.
        ids[..3].iter().for_each(|id| world.editor().blacklist(&world.number(*id), false));
        world.live(minutes(10)).await;
        assert_eq!(locked(), 27, "{connector} {}", world.story().await);
        world.ends().await;
    }
}
