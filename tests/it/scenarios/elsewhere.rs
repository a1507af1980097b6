//! Is a call lost when our contact stands in a campaign that no route reads?

use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, minutes, seconds};
use dialbridge::cli::status_told;
use dialbridge::control::{Command, WaveOrder};
use dialbridge::domain::ContactId;
use dialbridge::domain::policy::WaveWhat;
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

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
        world.live(minutes(10)).await;
        assert_eq!(results(&world, contact).await, [true], "{}", world.story().await);
        // Somebody works with it there.
        assert!(world.dialler.call(contact, sold()));
        world.live(minutes(10)).await;
        assert_eq!(results(&world, contact).await.len(), 2, "{}", world.story().await);
        // And back: it is one of the campaign's list again.
        assert!(world.dialler.portal().move_to(contact, CAMPAIGN));
        assert!(world.dialler.call(contact, sold()));
        world.live(minutes(20)).await;
        assert_eq!(results(&world, contact).await.len(), 3, "{}", world.story().await);
        world.ends().await;
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
        world.ends().await;
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
    world.live(minutes(10)).await;
    assert_eq!(world.contact(id).campaign, CAMPAIGN);
    assert_eq!(results(&world, contact).await.len(), 2, "{}", world.story().await);
    world.ends().await;
}

/// A no in a call, given at once.
fn no() -> CallPlan {
    CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", seconds(1))
}

/// Without the batch read a result is known by its number only.
const HEARS: &str = "only_if = \"phone and active\"\nopt_out_results = [\"DO_NOT_CALL\", \"551/5513\"]";

#[tokio::test(start_paused = true)]
async fn is_a_no_in_a_first_call_elsewhere_heard_at_the_next_harvest() {
    for batch_read in [true, false] {
        let mut setup = Setup { route_keys: HEARS, ..idle() };
        setup.dialler.batch_read = batch_read;
        let world = World::new(setup).await;
        let ada = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(ada).id;
        assert!(world.dialler.portal().move_to(contact, OTHER));
        // Read there for the first time and never tried; then nothing for long.
        world.live(minutes(20)).await;
        world.advance(minutes(7 * 60)).await;
        world.live(minutes(20)).await;
        world.assert_at_rest().await;
        assert!(world.dialler.call(contact, no()));
        world.live(minutes(7)).await;
        assert!(world.locked(ada), "{}", world.story().await);
        assert_eq!(results(&world, contact).await, [true], "{}", world.story().await);
        world.ends().await;
    }
}

/// More than ten, and more than a fifth: a list that names none of them is not believed, but whoever answers to the number
/// is read where it stands.
#[tokio::test(start_paused = true)]
async fn is_a_no_of_one_heard_who_was_moved_with_many_at_once() {
    for batch_read in [true, false] {
        let mut setup = Setup { route_keys: HEARS, ..idle() };
        setup.dialler.batch_read = batch_read;
        let world = World::new(setup).await;
        let ids: Vec<u64> = (0..50).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        world.live(minutes(20)).await;
        let contacts: Vec<i64> = ids.iter().map(|id| world.contact(*id).id).collect();
        contacts[..15].iter().for_each(|contact| assert!(world.dialler.portal().move_to(*contact, OTHER)));
        // A few were deleted as well: that they do not answer is no reason to believe it of them, nor of the others.
        contacts[15..18].iter().for_each(|contact| assert!(world.dialler.portal().delete(*contact)));
        world.live(minutes(6)).await;
        let known = world.ledger().contacts_by_key(dialbridge::domain::FoldedUserData::of("leads-16")).await;
        assert_eq!(known.expect("a list").len(), 1, "that it did not answer is no word that it is gone");
        world.live(minutes(14)).await;
        assert!(world.dialler.call(contacts[3], no()), "agents go on there");
        world.live(minutes(20)).await;
        assert!(world.locked(ids[3]), "{}", world.story().await);
        assert_eq!(results(&world, contacts[3]).await, [true], "{}", world.story().await);
        let there = ids.iter().enumerate().filter(|(n, _)| !(15..18).contains(n));
        assert_eq!(there.filter(|(_, id)| world.locked(**id)).count(), 1, "{}", world.story().await);
        assert_eq!(world.dialler.len(), 47, "nobody was imported a second time");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_no_to_a_route_heard_at_the_next_harvest_that_left_the_config() {
    let more = WINBACK.replacen("beside ", "opt_out_results = [\"DO_NOT_CALL\"]\nbeside ", 1);
    let mut world = World::new(Setup { more: more.leak(), ..idle() }).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    world.configure(&idle()).await;
    world.live(minutes(20)).await;
    world.assert_at_rest().await;
    let left = world.dialler.contacts_with(&format!("winback-{ada}"))[0].id;
    assert!(world.dialler.call(left, no()), "agents go on in its campaign");
    world.live(minutes(7)).await;
    assert!(world.locked(ada), "the client's other route calls nobody who said no: {}", world.story().await);
    assert!(world.dialler.contact(left).expect("there").locked, "{}", world.story().await);
    assert_eq!(results(&world, left).await, [true]);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_contacts_elsewhere_read_in_batches_with_each_harvest() {
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
    world.live(minutes(2 * 60)).await;
    let lists = asked(&world, mark, "list");
    assert!(lists <= 2 * 12 + 1, "{lists}: only the route's own campaign is listed");
    let mut moved: Vec<i64> = ids[..8].iter().map(|id| world.contact(*id).id).collect();
    moved.sort_unstable();
    let reads = world.dialler.journal().requests_where(|asked| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        asked.seq >= mark
            && asked.kind.name == "batch"
            && moved.iter().any(|id| body.contains(&id.to_string()))
    });
    assert!((23..=25).contains(&reads.len()), "{}: eight contacts are one request a harvest", reads.len());
    world.assert_at_rest().await;
    // Whoever was deleted there is gone here too.
    assert!(world.dialler.portal().delete(moved[0]));
    world.live(minutes(20)).await;
    let story = world.ledger().contacts_by_key(dialbridge::domain::FoldedUserData::of("leads-1")).await;
    let found = story.expect("a list");
    assert!(found.iter().all(|contact| contact.id != ContactId(moved[0])), "{found:?}");
}

/// A dozen records of ours in a campaign of others, at a dialler without the batch read: too many to be read singly, and
/// few enough to be believed missing where they were.
async fn a_dozen_among_strangers() -> (World, Vec<i64>) {
    let mut setup = Setup { route_keys: HEARS, ..idle() };
    setup.dialler.batch_read = false;
    let world = World::new(setup).await;
    let ids: Vec<u64> = (0..60).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.dialler.seed(OTHER, "theirs", 300);
    let moved: Vec<i64> = ids[..12].iter().map(|id| world.contact(*id).id).collect();
    for contact in &moved {
        assert!(world.dialler.portal().move_to(*contact, OTHER));
    }
    world.live(minutes(30)).await;
    world.assert_at_rest().await;
    (world, moved)
}

#[tokio::test(start_paused = true)]
async fn are_many_elsewhere_read_by_their_list_and_nobodys_calls_with_them() {
    let (world, moved) = a_dozen_among_strangers().await;
    let mark = world.mark();
    assert!(world.dialler.call(moved[3], sold()));
    world.live(minutes(60)).await;
    assert_eq!(results(&world, moved[3]).await, [true], "{}", world.story().await);
    let lists = asked(&world, mark, "list");
    assert!((21..=26).contains(&lists), "{lists}: two campaigns, each with every harvest");
    assert!(asked(&world, mark, "history") < 20, "nobody reads what was not called");
    for stranger in ["theirs-1", "theirs-150", "theirs-300"] {
        let calls = format!("/{}/history", world.dialler.contacts_with(stranger)[0].id);
        let read = world.dialler.journal().requests_where(|asked| asked.path.ends_with(&calls));
        assert!(read.is_empty(), "nobody has asked for a stranger's calls: {read:?}");
    }
    // Blocks find them all the same: who is seen there, and who comes later.
    let number = |key: &str| world.dialler.contacts_with(key)[0].number(0).expect("a number").to_owned();
    world.block_number(&format!("+{}", number("theirs-1"))).await;
    world.live(minutes(1)).await;
    assert!(world.dialler.contacts_with("theirs-1")[0].locked, "{}", world.story().await);
    let again = world.dialler.put(OTHER, &[("Name", "Again"), ("PhoneNumber1", &number("theirs-1"))]);
    world.live(minutes(40)).await;
    assert!(world.dialler.contact(again).expect("there").locked, "{}", world.story().await);
    assert!(!world.dialler.contacts_with("theirs-2")[0].locked);
    // Ours go home, and nobody looks there any more; whoever says no meanwhile is locked once somebody does again.
    moved.iter().for_each(|contact| assert!(world.dialler.portal().move_to(*contact, CAMPAIGN)));
    world.live(minutes(30)).await;
    world.block_number(&format!("+{}", number("theirs-2"))).await;
    world.live(minutes(10)).await;
    assert!(!world.dialler.contacts_with("theirs-2")[0].locked, "nobody of ours is there");
    moved.iter().for_each(|contact| assert!(world.dialler.portal().move_to(*contact, OTHER)));
    world.live(minutes(60)).await;
    assert!(world.dialler.contacts_with("theirs-2")[0].locked, "{}", world.story().await);
    world.ends().await;
}

/// Users 2, "in every campaign that dialbridge reads": a route went on, and who stayed in its campaign of before is read there.
#[tokio::test(start_paused = true)]
async fn is_a_stranger_with_a_blocked_number_locked_in_the_campaign_that_the_route_had_before() {
    let route_keys = "only_if = \"phone and active\"\ncampaign_change = \"keep\"";
    let mut world = World::new(Setup { route_keys, ..idle() }).await;
    let id = world.record("Ada");
    let stranger = world.dialler.put(CAMPAIGN, &[("Name", "Emil"), ("PhoneNumber1", "493023125777")]);
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(10)).await;
    world.configure_campaign(OTHER).await;
    world.live(minutes(20)).await;
    assert_eq!(world.contact(id).campaign, CAMPAIGN);
    world.block_number("+493023125777").await;
    world.live(minutes(1)).await;
    assert!(world.dialler.contact(stranger).expect("there").locked, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_campaign_that_the_dialler_does_not_list_hold_up_nobody() {
    let (world, moved) = a_dozen_among_strangers().await;
    let gone = Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None };
    let of_it = format!("diallerCampaignsID={OTHER}");
    let rule = world.dialler.faults().add(Rule::new(gone).path(&of_it));
    world.live(minutes(10)).await;
    assert!(world.dialler.call(moved[3], sold()));
    world.live(minutes(170)).await;
    assert_eq!(results(&world, moved[3]).await, [true], "{}", world.story().await);
    let asked = world.dialler.faults().fired(rule);
    assert!((2..=4).contains(&asked), "{asked}: once an hour");
    let failed = world.runs().await.into_iter().filter(|run| run.state == "failed").count();
    assert_eq!(failed, 0, "{}", world.story().await);
    let status = status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert!(status.contains(&format!("campaign {OTHER}, which no route names")), "{status}");
    world.dialler.faults().remove(rule);
    world.live(minutes(65)).await;
    let status = status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert!(!status.contains("which no route names"), "{status}");
}

/// For a while the dialler tells of none of those who were moved there: a wave, which a person rightly does not believe.
#[tokio::test(start_paused = true)]
async fn is_a_no_heard_of_one_of_many_whom_the_dialler_did_not_name_for_a_while() {
    let world = World::new(Setup { route_keys: HEARS, ..idle() }).await;
    let ids: Vec<u64> = (0..100).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let contacts: Vec<i64> = ids[..25].iter().map(|id| world.contact(*id).id).collect();
    contacts.iter().for_each(|contact| assert!(world.dialler.portal().move_to(*contact, OTHER)));
    world.live(minutes(30)).await;
    let faults = world.dialler.faults();
    let not_there = Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None };
    let batch = Rule::new(Action::EmptyList).method(http::Method::POST).path_end("dialler/contacts");
    let rules = [batch, Rule::new(not_there).path("dialler/contacts/2")].map(|rule| faults.add(rule));
    world.live(minutes(30)).await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.iter().map(|wave| wave.what).collect::<Vec<_>>(), [WaveWhat::Vanished]);
    let word = WaveOrder::Reject;
    world.must(Command::Wave { wave: waves[0].id, word, reason: "they are there".to_owned() }).await;
    rules.into_iter().for_each(|rule| faults.remove(rule));
    world.live(minutes(15)).await;
    assert!(world.dialler.call(contacts[3], no()), "agents go on there");
    world.live(minutes(20)).await;
    assert!(world.locked(ids[3]), "{}", world.story().await);
    assert_eq!(results(&world, contacts[3]).await, [true], "{}", world.story().await);
    assert_eq!(world.dialler.len(), 100, "nobody was imported a second time");
    world.ends().await;
}
