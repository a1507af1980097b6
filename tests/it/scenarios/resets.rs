//! What happens when a contact is reset that must stay locked? A reset may unlock.

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::ContactId;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

async fn act(world: &World, id: u64, act: ContactAct) -> End {
    let contact = ContactId(world.contact(id).id);
    world.command(Command::Contact { contact, act, reason: "asked".to_owned() }).await.0
}

/// A world with one contact that was called once.
async fn called(reset_unlocks: bool) -> (World, u64) {
    let dialler = DiallerConfig { reset_unlocks, ..DiallerConfig::default() };
    let world = World::new(Setup { dialler, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(10)).await;
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_reset_that_was_locked_by_hand() {
    let (world, id) = called(true).await;
    assert_eq!(act(&world, id, ContactAct::Lock).await, End::Done);
    let mark = world.mark();
    assert_eq!(act(&world, id, ContactAct::Reset).await, End::Failed);
    world.settle_down().await;
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "it may unlock, so it is refused");
    assert!(world.locked(id));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_contact_stay_locked_when_it_is_reset_whose_record_is_not_eligible() {
    for reset_unlocks in [true, false] {
        let (world, id) = called(reset_unlocks).await;
        world.editor().archive(id, true);
        world.live(minutes(2)).await;
        assert!(world.locked(id));
        let mark = world.mark();
        assert_eq!(act(&world, id, ContactAct::Reset).await, End::Done);
        world.live(seconds(10)).await;
        assert_eq!(world.contact(id).dialling.tries_in_all(), 0);
        assert!(world.locked(id), "{}", world.story().await);
        assert_eq!(world.writes(mark), ["reset", "lock"], "no answer shows locks, so it is sent again");
        world.settle_down().await;
        assert!(world.locked(id));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn and_when_the_reset_is_in_doubt() {
    for effect in [Effect::None, Effect::Done, Effect::Late(seconds(40))] {
        let (world, id) = called(true).await;
        world.editor().archive(id, true);
        world.live(minutes(2)).await;
        assert!(world.locked(id));
        world.dialler.faults().add(Rule::new(Action::Reset(effect)).path("/reset").times(1));
        act(&world, id, ContactAct::Reset).await;
        if effect == Effect::Done {
            world.live(seconds(10)).await;
            assert!(world.locked(id), "locked at once, not only after the quiet time");
        }
        world.live(minutes(10)).await;
        assert_eq!(world.contact(id).dialling.tries_in_all(), 0, "{effect:?}");
        assert!(world.locked(id), "{effect:?}\n{}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_reset_in_doubt_sent_again_while_nobody_can_see_the_calls() {
    for seen_again in [true, false] {
        let (world, id) = called(true).await;
        world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/reset").times(1));
        let unseen = Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None };
        let unseen = world.dialler.faults().add(Rule::new(unseen).path_end("/history"));
        let mark = world.mark();
        act(&world, id, ContactAct::Reset).await;
        world.live(minutes(20)).await;
        assert_eq!(world.writes(mark), ["reset"], "a call since would be wiped: {}", world.story().await);
        if seen_again {
            world.dialler.faults().remove(unseen);
            world.live(minutes(10)).await;
            assert_eq!(world.writes(mark), ["reset", "reset"]);
            assert_eq!(world.contact(id).dialling.tries_in_all(), 0);
        } else {
            world.live(minutes(60)).await;
            assert_eq!(world.writes(mark), ["reset"]);
            let parked = world.parked().await;
            assert!(parked.len() == 1 && parked[0].contains("history"), "{parked:?}");
        }
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_that_may_be_called_left_callable_by_its_reset() {
    let (world, id) = called(true).await;
    let mark = world.mark();
    assert_eq!(act(&world, id, ContactAct::Reset).await, End::Done);
    world.live(minutes(5)).await;
    assert_eq!(world.writes(mark), ["reset"]);
    assert!(!world.locked(id));
    world.assert_at_rest().await;
}
