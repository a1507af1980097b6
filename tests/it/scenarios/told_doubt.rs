//! What does the CRM say in the end, where an answer was lost, or a record could not be found for a while?

use super::write_back::{activities, called, field, plan, states, subjects, world};
use crate::support::world::{World, minutes, seconds};
use dialbridge::control::Command;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use dialbridge::sim::journal::Asked;
use std::time::Duration;

/// How the answer to a telling that arrived is lost.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// The connection breaks.
    OnTheWay,
    /// The program dies before it comes.
    WithTheProgram,
}

async fn frozen(world: &World, frozen: bool) {
    let reason = "looked at".to_owned();
    let command = if frozen {
        Command::Freeze { reason, until: None, even_locks: false }
    } else {
        Command::Thaw { reason }
    };
    world.must(command).await;
}

/// The result is corrected, and the audit of those called lately has seen it, while nothing is told.
async fn corrected(world: &World, id: u64, key: &str) {
    frozen(world, true).await;
    let contact = world.contact(id).id;
    let row = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, row, key));
    world.live(minutes(90)).await;
}

fn tell_now(world: &World) {
    world.parts().control.runners.write_backs.values().for_each(|runner| runner.activate("hand"));
}

/// Told "declined"; then "appointment" arrives, and nobody knows; then it is "declined" again, before anybody asked.
#[tokio::test(start_paused = true)]
async fn does_the_crm_keep_what_was_taken_back_while_it_was_in_doubt() {
    for lost in [Lost::OnTheWay, Lost::WithTheProgram] {
        for of_call in [true, false] {
            let mut world = world("sim-id").await;
            let id = called(&world, "Ada", "NO_INTEREST").await;
            world.live(minutes(10)).await;
            assert_eq!(field(&world, id, "last_outcome"), "declined");
            corrected(&world, id, "APPOINTMENT").await;
            let action = match lost {
                Lost::OnTheWay => Action::Reset(Effect::Done),
                Lost::WithTheProgram => Action::Latency { before: Duration::ZERO, after: seconds(20) },
            };
            let rule = Rule::new(action).times(1);
            world.crm.faults.add(if of_call {
                rule.path("/activities")
            } else {
                rule.path(&format!("/contacts/{id}")).method(http::Method::PATCH)
            });
            frozen(&world, false).await;
            tell_now(&world);
            world.advance(seconds(5)).await;
            if let Lost::WithTheProgram = lost {
                world.crash().await;
            }
            let arrived = if of_call {
                subjects(&world, id)[0].ends_with(": appointment")
            } else {
                field(&world, id, "last_outcome") == "appointment"
            };
            assert!(arrived, "{lost:?} {of_call}\n{}", world.story().await);
            corrected(&world, id, "NO_INTEREST").await;
            frozen(&world, false).await;
            world.live(minutes(30)).await;
            let said = (subjects(&world, id), field(&world, id, "last_outcome"));
            assert!(
                said.0[0].ends_with(": declined") && said.1 == "declined",
                "{lost:?} {of_call} {said:?}\n{}",
                world.story().await
            );
            assert_eq!(activities(&world, id).len(), 1);
            assert_eq!(states(&world).await, []);
            world.ends().await;
        }
    }
}

fn not_found() -> Action {
    Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None }
}

#[tokio::test(start_paused = true)]
async fn is_a_call_told_whose_record_could_not_be_found_for_some_minutes() {
    for style in ["sim-id", "sim-offset", "sim-page"] {
        let world = world(style).await;
        let id = called(&world, "Ada", "NO_INTEREST").await;
        let until = world.now() + chrono::TimeDelta::minutes(20);
        world.crm.faults.add(Rule::new(not_found()).path("/activities").between(world.now(), until));
        world.live(minutes(19)).await;
        assert_eq!(activities(&world, id).len(), 0, "{style}");
        world.live(minutes(120)).await;
        assert_eq!(activities(&world, id).len(), 1, "{style}\n{}", world.story().await);
        assert_eq!(states(&world).await, []);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_record_that_is_read_but_never_written_tried_a_few_times_and_no_more() {
    let world = world("sim-id").await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    world.crm.faults.add(Rule::new(not_found()).path("/activities"));
    world.live(minutes(8 * 60)).await;
    let tried = world.crm_writes();
    assert!((3..=8).contains(&tried), "{tried}");
    world.live(minutes(4 * 60)).await;
    assert_eq!(world.crm_writes(), tried, "not for ever");
    // Something newer to tell is a reason to try again.
    world.crm.faults.clear();
    corrected(&world, id, "APPOINTMENT").await;
    frozen(&world, false).await;
    world.live(minutes(10)).await;
    assert!(subjects(&world, id)[0].ends_with(": appointment"), "{}", world.story().await);
    world.ends().await;
}

/// Four look-ups without an answer take eight minutes; nobody else waits for them.
#[tokio::test(start_paused = true)]
async fn do_questions_about_doubts_that_nobody_answers_hold_up_what_waits() {
    let world = world("sim-offset").await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("P {n}"))).collect();
    let last = world.record("Last");
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    let lost = Rule::new(Action::Reset(Effect::None)).path("/activities").method(http::Method::POST);
    world.crm.faults.add(lost.times(4));
    world.advance(minutes(2)).await;
    world.harvest().await.expect("a harvest");
    let _refused_or_not = world.write_back().await;
    let slow = Action::Latency { before: seconds(40), after: Duration::ZERO };
    world.crm.faults.add(Rule::new(slow).path("/activities").method(http::Method::GET));
    assert!(world.dialler.call(world.contact(last).id, plan(Some(("NO_INTEREST", seconds(1))))));
    world.advance(minutes(10)).await;
    let began = world.now();
    world.harvest().await.expect("a harvest");
    world.write_back().await.expect("a write-back");
    let asked = |id: u64, write: bool| {
        let requests = world.crm.journal.requests();
        let of =
            |asked: &&Asked| asked.kind.write == write && asked.path.contains(&format!("/{id}/activities"));
        requests.iter().find(of).map(|asked| asked.at)
    };
    let told = asked(last, true).expect("told");
    assert!(told - began < chrono::TimeDelta::seconds(150), "{told} {began}");
    // Every one of them has its turn.
    world.live(minutes(10)).await;
    assert!(ids.iter().all(|id| asked(*id, false).is_some()), "{}", world.story().await);
    world.crm.faults.clear();
    world.live(minutes(60)).await;
    assert!(ids.iter().all(|id| activities(&world, *id).len() == 1), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_left_to_a_person_because_the_crm_was_down_while_it_was_asked_about() {
    let world = world("sim-offset").await;
    let (ada, bert) =
        (called(&world, "Ada", "NO_INTEREST").await, called(&world, "Bert", "NO_INTEREST").await);
    // The first create arrives, and nobody knows; the other one is told right after it. Then the CRM is down.
    let lost = Rule::new(Action::Reset(Effect::Done)).path("/activities").method(http::Method::POST).times(1);
    world.crm.faults.add(lost);
    world.harvest().await.expect("a harvest");
    tell_now(&world);
    world.advance(seconds(5)).await;
    for action in [
        Action::Status { code: 429, retry_after: RetryAfter::Absent, effect: Effect::None },
        Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None },
    ] {
        let down = world.crm.faults.add(Rule::new(action));
        world.live(minutes(60)).await;
        world.crm.faults.remove(down);
        world.live(minutes(60)).await;
        assert_eq!(states(&world).await, [], "{}", world.story().await);
    }
    assert_eq!((activities(&world, ada).len(), activities(&world, bert).len()), (1, 1));
    world.ends().await;
}
