//! Does a lock hold that stands against something else than what the record itself says, whatever is decided meanwhile?

use crate::support::world::{OTHER, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct};
use dialbridge::domain::ContactId;
use dialbridge::domain::policy::RouteState;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

const NEW: &str = "+493023125999";

fn status(code: u16) -> Action {
    Action::Status { code, retry_after: RetryAfter::Absent, effect: Effect::None }
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_that_waits_outlive_a_decision_that_does_not_know_its_number() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    // An agent's own find: no record says it.
    world.dialler.portal().edit(world.contact(id).id, "PhoneNumber2", "493098765432");
    world.harvest().await.expect("a harvest");
    let rule = world.dialler.faults().add(Rule::new(status(409)).path("/lock"));
    world.block_number("+493098765432").await;
    assert!(!world.locked(id), "an agent talks to her");
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(3)).await;
    world.dialler.faults().remove(rule);
    world.live(minutes(2)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
    assert!(world.locked(id));
}

#[tokio::test(start_paused = true)]
async fn is_nobody_let_go_whose_number_went_to_somebody_who_says_no_as_long_as_they_still_have_it() {
    let world = World::usual().await;
    let (first, second) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let number = world.editor().field(first, "phone").expect("a number");
    world.advance(minutes(1)).await;
    world.dialler.faults().add(Rule::new(status(429)).path("/update"));
    // Who comes first in the page says the no, with the number that the other one's contact still has.
    world.editor().edit(second, json!({ "phone": number, "do_not_call": true }));
    world.editor().edit(first, json!({ "phone": NEW }));
    world.live(minutes(2)).await;
    assert!(world.locked(first), "{}", world.story().await);
    world.ends().await;
    assert_eq!((world.locked(first), world.locked(second)), (false, true), "{}", world.story().await);
    assert_eq!(world.value(first, "PhoneNumber1"), json!(&NEW[1..]));
}

#[tokio::test(start_paused = true)]
async fn is_a_number_corrected_whose_correction_waited_when_the_old_one_was_blocked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.number(id);
    world.advance(minutes(1)).await;
    let rule = world.dialler.faults().add(Rule::new(status(429)).path("/update"));
    world.editor().edit(id, json!({ "phone": NEW }));
    world.pull().await.expect("a pull");
    let _refused = world.push().await;
    world.block_number(&old).await;
    world.live(minutes(2)).await;
    assert!(world.locked(id), "the contact still has it");
    world.dialler.faults().remove(rule);
    world.live(minutes(15)).await;
    assert_eq!(world.value(id, "PhoneNumber1"), json!(&NEW[1..]), "{}", world.story().await);
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_lock_that_is_answered_404_repeated_until_it_is_taken() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let rule = world.dialler.faults().add(Rule::new(status(404)).path("/lock"));
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.live(minutes(10)).await;
    assert!(!world.locked(id));
    assert_eq!(world.parked().await, Vec::<String>::new(), "it is wished as much as before");
    world.dialler.faults().remove(rule);
    world.live(minutes(3)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_that_was_taken_for_vanished_for_a_moment() {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nvanished = \"mark\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    // A gateway that leads elsewhere for the length of one update.
    let contact = world.contact(id).id;
    for path in ["/update".to_owned(), format!("/{contact}"), "contact?userData".to_owned()] {
        world.dialler.faults().add(Rule::new(status(404)).path(&path));
    }
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.pull().await.expect("a pull");
    let _lost = world.push().await;
    world.dialler.faults().clear();
    world.live(minutes(10)).await;
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.live(minutes(2)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_no_that_comes_with_the_day_block_the_numbers_of_somebody_who_never_came_in() {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"stage and stage < today\"";
    // Half an hour before midnight in Berlin.
    let start = "2026-03-02T22:30:00.250Z";
    let world = World::new(Setup { start, route_keys, ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    let number = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(ada, json!({ "stage": "2026-03-02" }));
    world.editor().archive(ada, true);
    world.editor().edit(berta, json!({ "phone": number, "stage": "2026-12-31" }));
    world.sync_all().await;
    assert_eq!((world.contacts(ada).len(), world.locked(berta)), (0, false));
    world.advance(minutes(6 * 60)).await;
    world.live(minutes(60)).await;
    assert!(world.locked(berta), "{}", world.story().await);
    world.ends().await;
}

/// Somebody says no, with a number that another record has as well; its source may take it back.
async fn no_with_a_shared_number() -> (World, u64, u64) {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nunblock = \"source\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let (ada, carl) = (world.record("Ada"), world.record("Carl"));
    let number = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(carl, json!({ "phone": number }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(ada, json!({ "do_not_call": true }));
    world.live(minutes(3)).await;
    assert_eq!((world.locked(ada), world.locked(carl)), (true, true));
    (world, ada, carl)
}

/// Each number that it was said with, one after the other.
#[tokio::test(start_paused = true)]
async fn is_a_number_free_that_its_record_gave_up_while_it_said_no_once_the_no_is_taken_back() {
    let (world, ada, carl) = no_with_a_shared_number().await;
    world.editor().edit(ada, json!({ "phone": NEW }));
    world.live(minutes(3)).await;
    assert!(world.locked(carl), "{}", world.story().await);
    world.editor().edit(ada, json!({ "do_not_call": false }));
    world.live(minutes(15)).await;
    assert!(!world.locked(carl) && !world.locked(ada), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_number_free_again_whose_record_took_its_no_back_and_changed_it_at_once() {
    let (world, ada, carl) = no_with_a_shared_number().await;
    world.editor().edit(ada, json!({ "do_not_call": false, "phone": NEW }));
    world.live(minutes(15)).await;
    assert_eq!((world.locked(ada), world.locked(carl)), (false, false), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_contact_that_moved_stand_in_nobodys_way_with_its_old_number() {
    let keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\ncampaign_change = \"move\"";
    let mut world = World::new(Setup { route_keys: keys, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.number(id);
    world.advance(minutes(1)).await;
    world.configure_campaign(OTHER).await;
    // It goes from one campaign, and comes into the other with another number than the one that is blocked by then.
    let rule = world.dialler.faults().add(Rule::new(status(503)).path("/update"));
    world.live(minutes(1)).await;
    world.editor().edit(id, json!({ "phone": NEW }));
    world.live(minutes(1)).await;
    world.block_number(&old).await;
    world.dialler.faults().remove(rule);
    world.live(minutes(60)).await;
    let contact = world.contact(id);
    assert_eq!((contact.campaign, contact.locked), (OTHER, false), "{}", world.story().await);
    world.ends().await;
}

/// Of somebody whose lock is in doubt, on a route that sends nothing else: what a clerk edits says nothing of the number an agent found.
#[tokio::test(start_paused = true)]
async fn does_a_lock_in_doubt_outlive_a_decision_that_does_not_know_its_number() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.dialler.portal().edit(world.contact(id).id, "PhoneNumber2", "493098765432");
    world.harvest().await.expect("a harvest");
    world.switch(RouteState::Paused).await;
    let rule = world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/lock"));
    world.block_number("+493098765432").await;
    assert!(!world.locked(id), "it is in doubt, and did not arrive");
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(2)).await;
    world.dialler.faults().remove(rule);
    world.live(minutes(3)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.switch(RouteState::On).await;
    world.ends().await;
    assert!(world.locked(id), "{}", world.story().await);
}

/// Whom we have locked, and whose record is eligible again: a list of somebody else's lets them go, and the number is still blocked.
#[tokio::test(start_paused = true)]
async fn is_somebody_locked_again_whose_unlock_waits_while_a_number_of_theirs_is_blocked() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.dialler.portal().edit(world.contact(id).id, "PhoneNumber2", "493098765432");
    world.harvest().await.expect("a harvest");
    world.block_number("+493098765432").await;
    world.live(seconds(10)).await;
    assert!(world.locked(id));
    world.switch(RouteState::Paused).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(2)).await;
    assert!(world.dialler.portal().unlock(world.contact(id).id));
    world.live(minutes(26 * 60)).await;
    assert!(world.locked(id), "the night sends every lock once more\n{}", world.story().await);
    world.switch(RouteState::On).await;
    world.ends().await;
    assert!(world.locked(id), "{}", world.story().await);
}

#[tokio::test(start_paused = true)]
async fn does_a_new_no_wait_behind_an_older_lock_in_doubt() {
    for by_hand in [false, true] {
        let world =
            World::new(Setup { route_keys: "only_if = \"phone and stage == 'new'\"", ..Setup::default() })
                .await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/lock").times(1));
        world.editor().edit(id, json!({ "stage": "lost" }));
        world.pull().await.expect("a pull");
        let _lost = world.push().await;
        world.editor().edit(id, json!({ "stage": "new" }));
        world.pull().await.expect("a pull");
        world.advance(seconds(5)).await;
        let _put_off = world.push().await;
        assert!(!world.locked(id));
        if by_hand {
            let (contact, act) = (ContactId(world.contact(id).id), ContactAct::Lock);
            world.must(Command::Contact { contact, act, reason: "asked us".to_owned() }).await;
        } else {
            world.block_number(&world.number(id)).await;
        }
        world.live(seconds(15)).await;
        assert!(world.locked(id), "by hand: {by_hand}\n{}", world.story().await);
        world.ends().await;
    }
}

/// The blocked number was one that the contact never came to have.
#[tokio::test(start_paused = true)]
async fn is_somebody_let_go_whose_blocked_number_never_arrived_there() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let first = world.editor().field(id, "phone").expect("a number");
    world.advance(minutes(1)).await;
    let rule = world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/update"));
    world.editor().edit(id, json!({ "phone": NEW }));
    world.pull().await.expect("a pull");
    let _lost = world.push().await;
    world.block_number(NEW).await;
    world.live(seconds(10)).await;
    assert!(world.locked(id), "it may have the number");
    world.editor().edit(id, json!({ "phone": first }));
    world.live(seconds(70)).await;
    world.dialler.faults().remove(rule);
    world.live(minutes(15)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}

/// What brings the other number waits; the next list shows that somebody changed something else.
#[tokio::test(start_paused = true)]
async fn is_a_correction_sent_that_a_sweep_took_back_for_the_old_number() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.number(id);
    world.advance(minutes(1)).await;
    world.switch(RouteState::Paused).await;
    world.editor().edit(id, json!({ "phone": NEW }));
    world.live(minutes(2)).await;
    world.block_number(&old).await;
    world.live(minutes(2)).await;
    assert!(world.dialler.portal().edit(world.contact(id).id, "PhoneNumber2", "493098765432"));
    world.live(minutes(10)).await;
    assert!(world.locked(id), "the contact still has the old one");
    world.switch(RouteState::On).await;
    world.live(minutes(30)).await;
    assert_eq!(world.value(id, "PhoneNumber1"), json!(&NEW[1..]), "{}", world.story().await);
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}

/// The import with the blocked number never arrived; the record has another one by then.
#[tokio::test(start_paused = true)]
async fn is_somebody_imported_whose_import_with_a_blocked_number_never_arrived() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let old = world.number(id);
    let rule = world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/import"));
    world.pull().await.expect("a pull");
    let _lost = world.push().await;
    world.dialler.faults().remove(rule);
    world.block_number(&old).await;
    world.advance(seconds(5)).await;
    world.editor().edit(id, json!({ "phone": NEW }));
    world.live(minutes(20)).await;
    assert_eq!(world.contacts(id).len(), 1, "{}", world.story().await);
    assert_eq!(world.value(id, "PhoneNumber1"), json!(&NEW[1..]));
    assert!(!world.locked(id), "{}", world.story().await);
    world.ends().await;
}
