//! Is a call lost when our contact stands in a campaign that no route reads?

use crate::support::world::{CAMPAIGN, OTHER, Setup, World, minutes, seconds};
use dialbridge::domain::ContactId;
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};

/// Nothing changes in the CRM: it need not be asked every minute of two days.
fn idle() -> Setup {
    Setup { pull: "0 * * * *", route_keys: "only_if = \"phone and active\"", ..Setup::default() }
}

/// A call with a result, soon.
fn sold() -> CallPlan {
    CallPlan { row_delay: seconds(20), ..CallPlan::new(Outcome::Answered) }.result("SALE", seconds(90))
}

/// Of a contact's calls in the ledger: whether each has its result.
async fn results(world: &World, contact: i64) -> Vec<bool> {
    let calls = world.ledger().calls_list(CallFilter::default(), 1_000).await.expect("calls");
    let of_it = calls.into_iter().filter(|call| call.contact == ContactId(contact));
    of_it.map(|call| call.result_code.is_some()).collect()
}

/// What the dialler was asked for since, by kind.
fn asked(world: &World, mark: u64, kind: &str) -> usize {
    world.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.name == kind).len()
}

#[tokio::test(start_paused = true)]
async fn are_calls_of_a_contact_read_that_somebody_moved_to_another_campaign() {
    for batch_read in [true, false] {
        let mut setup = idle();
        setup.dialler.batch_read = batch_read;
        let world = World::new(setup).await;
        let id = world.record("Ada");
        world.record("Berta");
        world.sync_all().await;
        let contact = world.contact(id).id;
        assert!(world.dialler.portal().move_to(contact, OTHER));
        world.live(minutes(20)).await;
        assert!(world.dialler.call(contact, sold()), "it is dialled there");
        world.advance(minutes(22 * 60)).await;
        world.live(minutes(2 * 60)).await;
        assert_eq!(results(&world, contact).await, [true], "{}", world.story().await);
        // Somebody works with it there: the next call is not a day late.
        assert!(world.dialler.call(contact, sold()));
        world.live(minutes(70)).await;
        assert_eq!(results(&world, contact).await.len(), 2, "{}", world.story().await);
        // And back: it is one of the campaign's list again.
        assert!(world.dialler.portal().move_to(contact, CAMPAIGN));
        assert!(world.dialler.call(contact, sold()));
        world.live(minutes(20)).await;
        assert_eq!(results(&world, contact).await.len(), 3, "{}", world.story().await);
    }
}

#[tokio::test(start_paused = true)]
async fn are_calls_of_one_read_that_was_moved_before_any_list_named_it() {
    for batch_read in [true, false] {
        let mut setup = idle();
        setup.dialler.batch_read = batch_read;
        let world = World::new(setup).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.record("Carl");
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        let (moved, deleted) = (world.contact(ada).id, world.contact(berta).id);
        assert!(world.dialler.portal().move_to(moved, OTHER));
        assert!(world.dialler.portal().delete(deleted));
        assert!(world.dialler.call(moved, sold()), "it is dialled there");
        world.live(minutes(40)).await;
        assert_eq!(results(&world, moved).await, [true], "{}", world.story().await);
        let told = world.told(berta).await;
        assert!(told.contains("deleted") || told.contains("gone"), "that it was deleted is noticed: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn are_calls_in_the_old_campaign_read_after_the_route_got_another_one() {
    let route_keys = "only_if = \"phone and active\"\ncampaign_change = \"keep\"";
    let mut world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(10)).await;
    world.configure_campaign(OTHER).await;
    world.live(minutes(20)).await;
    assert!(world.dialler.call(contact, sold()), "agents go on in the old one");
    world.live(minutes(70)).await;
    assert_eq!(world.contact(id).campaign, CAMPAIGN);
    assert_eq!(results(&world, contact).await.len(), 2, "{}", world.story().await);
}

#[tokio::test(start_paused = true)]
async fn is_a_no_in_a_first_call_elsewhere_heard_within_the_hour() {
    let route_keys = "only_if = \"phone and active\"\nopt_out_results = [\"DO_NOT_CALL\"]";
    let world = World::new(Setup { route_keys, ..idle() }).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(ada).id;
    assert!(world.dialler.portal().move_to(contact, OTHER));
    // Read there for the first time and never tried; then nothing for long.
    world.live(minutes(20)).await;
    world.advance(minutes(7 * 60)).await;
    world.live(minutes(20)).await;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", seconds(1))));
    world.live(minutes(75)).await;
    assert!(world.locked(ada), "{}", world.story().await);
}

#[tokio::test(start_paused = true)]
async fn are_contacts_elsewhere_read_in_batches_and_no_oftener_than_the_audit_may() {
    let world = World::new(idle()).await;
    let ids: Vec<u64> = (0..50).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    // A stranger's campaign: nobody reads what is not ours there.
    world.dialler.seed(OTHER, "theirs", 300);
    for id in &ids[..8] {
        assert!(world.dialler.portal().move_to(world.contact(*id).id, OTHER));
    }
    world.live(minutes(30)).await;
    let mark = world.mark();
    world.live(minutes(8 * 60)).await;
    let lists = asked(&world, mark, "list");
    assert!(lists <= 8 * 12 + 1, "{lists}: only the route's own campaign is listed");
    // The rolling audit of the others, and one read an hour of those eight, who may be called there.
    let mut moved: Vec<i64> = ids[..8].iter().map(|id| world.contact(*id).id).collect();
    moved.sort_unstable();
    let reads = world.dialler.journal().requests_where(|asked| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        asked.seq >= mark
            && asked.kind.name == "batch"
            && moved.iter().any(|id| body.contains(&id.to_string()))
    });
    assert!((7..=9).contains(&reads.len()), "{}: eight contacts are one request an hour", reads.len());
    // Whoever was deleted there is gone here too.
    assert!(world.dialler.portal().delete(moved[0]));
    world.advance(minutes(23 * 60)).await;
    world.live(minutes(2 * 60)).await;
    let story = world.ledger().contacts_by_key(dialbridge::domain::FoldedUserData::of("leads-1")).await;
    let found = story.expect("a list");
    assert!(found.iter().all(|contact| contact.id != ContactId(moved[0])), "{found:?}");
}
