//! Does a blocked number find everybody who bears it, ours or not, whenever it came to them?

use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, minutes};
use dialbridge::control::{Command, End};
use dialbridge::domain::BlockSubject;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

const NEW: &str = "+493023125999";

/// A record whose contact has a number that no sweep has seen yet.
async fn imported() -> (World, u64, String) {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    let number = world.number(id);
    (world, id, number)
}

#[tokio::test(start_paused = true)]
async fn do_the_old_and_the_new_number_count_while_a_change_is_in_doubt() {
    for effect in [Effect::None, Effect::Done] {
        for blocks_the_old in [true, false] {
            let (world, id, old) = imported().await;
            world.advance(minutes(1)).await;
            world.editor().edit(id, json!({ "phone": NEW }));
            world.dialler.faults().add(Rule::new(Action::Reset(effect)).path("/update").times(1));
            world.pull().await.expect("a pull");
            world.push().await.expect("a push");
            world.block_number(if blocks_the_old { &old } else { NEW }).await;
            world.idle().await;
            assert!(world.locked(id), "old {blocks_the_old}, {effect:?}: {}", world.story().await);
            world.ends().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn does_the_old_number_count_until_the_new_one_was_taken() {
    let (world, id, old) = imported().await;
    world.advance(minutes(1)).await;
    let busy = Action::Status { code: 429, retry_after: RetryAfter::Seconds(600), effect: Effect::None };
    world.dialler.faults().add(Rule::new(busy).path("/update"));
    world.editor().edit(id, json!({ "phone": NEW }));
    world.pull().await.expect("a pull");
    let _refused = world.push().await;
    world.block_number(&old).await;
    world.live(minutes(1)).await;
    assert!(world.locked(id), "the contact still has it");
    world.ends().await;

    // Once the change was answered the old number is somebody else's.
    let (world, id, old) = imported().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "phone": NEW }));
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    world.block_number(&old).await;
    world.settle_down().await;
    assert!(!world.locked(id));
    world.block_number(NEW).await;
    world.idle().await;
    assert!(world.locked(id));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_of_others_locked_in_every_campaign_that_we_read() {
    let world = World::new(Setup { more: WINBACK, ..Setup::default() }).await;
    let mine = world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber2", "0049 30 777")]);
    let other = world.dialler.put(OTHER, &[("Name", "Ada"), ("PhoneNumber1", "030 777")]);
    let somebody = world.dialler.put(OTHER, &[("Name", "Bert"), ("PhoneNumber1", "030 778")]);
    let unread = world.dialler.put(4711, &[("Name", "Ada"), ("PhoneNumber1", "030 777")]);
    world.sync_all().await;
    let locked = |id: i64| world.dialler.contact(id).expect("a contact").locked;
    let mark = world.mark();
    world.block_number("+4930777").await;
    world.idle().await;
    assert_eq!((locked(mine), locked(other), locked(somebody), locked(unread)), (true, true, false, false));
    assert_eq!(world.writes(mark), ["lock", "lock"]);
    world.assert_at_rest().await;

    // Lifted, nobody else's rule brings them back: we locked them, so we unlock them.
    let subject = BlockSubject::Number("+4930777".to_owned());
    let reason = "a mistake".to_owned();
    let (end, said) = world
        .command(Command::BlockRemove { client: "default".to_owned(), subject, source: None, reason })
        .await;
    assert_eq!(end, End::Done, "{said}");
    world.live(minutes(2)).await;
    assert_eq!((locked(mine), locked(other)), (false, false), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_to_which_the_number_comes_after_the_block() {
    let world = World::usual().await;
    world.block_number("+4930777").await;
    let edited = world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber1", "4930778")]);
    world.sync_all().await;
    let new = world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber1", "030777")]);
    assert!(world.dialler.portal().edit(edited, "PhoneNumber3", "+49 30 777"));
    world.harvest().await.expect("a harvest");
    world.idle().await;
    for contact in [edited, new] {
        assert!(world.dialler.contact(contact).expect("a contact").locked, "{}", world.story().await);
    }
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn are_contacts_of_others_left_alone_where_the_config_says_report() {
    let world = World::new(Setup { more: "[blocks]\nforeign = \"report\"\n", ..Setup::default() }).await;
    let foreign = world.dialler.put(CAMPAIGN, &[("Name", "Ada"), ("PhoneNumber1", "4930777")]);
    world.sync_all().await;
    let add = Command::BlockAdd {
        client: "default".to_owned(),
        subjects: vec![BlockSubject::Number("+4930777".to_owned())],
        reason: "said no".to_owned(),
        source: "operator".to_owned(),
        until: None,
    };
    let (end, said) = world.command(add).await;
    assert_eq!(end, End::Done);
    assert!(said.contains("1 contacts of others bear a blocked number"), "{said}");
    world.settle_down().await;
    assert!(!world.dialler.contact(foreign).expect("a contact").locked);
    let ours = world.record("Ada");
    world.editor().edit(ours, json!({ "phone": "+49 30 777" }));
    world.settle_down().await;
    assert_eq!(world.contacts(ours).len(), 0, "ours are blocked all the same");
    world.ends().await;
}
