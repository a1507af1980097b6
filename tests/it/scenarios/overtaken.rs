//! What becomes of an operation that waits when a call ends it for good?

use crate::support::world::{LEADS, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct};
use dialbridge::domain::{ContactId, RecordId, RouteName};
use dialbridge::ledger::Said;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

async fn freeze(world: &World) {
    world.must(Command::Freeze { reason: "an audit".to_owned(), until: None, even_locks: false }).await;
}

async fn thaw(world: &World) {
    world.must(Command::Thaw { reason: "it is over".to_owned() }).await;
    world.push().await.expect("a push");
}

async fn by_hand(world: &World, id: u64, act: ContactAct) {
    let contact = ContactId(world.contact(id).id);
    world.must(Command::Contact { contact, act, reason: "agreed on the phone".to_owned() }).await;
}

/// An agent talks to the contact, says what came of it, and a harvest reads it.
async fn called(world: &World, id: u64, result: &'static str) {
    let mut plan = CallPlan::new(Outcome::Answered).result(result, seconds(1));
    (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(1), seconds(1));
    assert!(world.dialler.call(world.contact(id).id, plan));
    world.advance(seconds(30)).await;
    world.harvest().await.expect("a harvest");
}

/// A contact that is locked, and whose unlock is decided and held.
async fn unlock_held() -> (World, u64) {
    let world = World::new(Setup::default()).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.editor().archive(id, true);
    world.live(minutes(2)).await;
    assert!(world.locked(id));
    freeze(&world).await;
    world.editor().archive(id, false);
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert!(world.locked(id), "everything is frozen");
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn is_nobody_unlocked_whose_call_came_to_an_end_while_the_unlock_waited() {
    for (result, stays) in [("NO_INTEREST", true), ("CALL_LATER", false)] {
        let (world, id) = unlock_held().await;
        called(&world, id, result).await;
        let mark = world.mark();
        thaw(&world).await;
        assert_eq!(world.locked(id), stays, "{result}: {}", world.story().await);
        let sent = if stays { vec![] } else { vec!["unlock"] };
        assert_eq!(world.writes(mark), sent, "{result}");
        let told = world.told(id).await;
        assert_eq!(told.contains("its last result is final"), stays, "{result}: {told}");
        world.live(minutes(30)).await;
        assert_eq!(world.locked(id), stays, "{result}: decided anew, it stays so");
        assert_eq!(world.writes(mark), sent, "{result}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_it_told_why_the_unlock_was_not_sent_and_does_a_person_still_unlock() {
    let (world, id) = unlock_held().await;
    called(&world, id, "NO_INTEREST").await;
    thaw(&world).await;
    let operations = world.ledger().operations_list(None, false, 10).await.expect("operations");
    let unlock = operations.iter().find(|operation| operation.kind == "unlock").expect("an unlock");
    assert_eq!(unlock.state, "superseded");
    let why = unlock.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(why.starts_with("its last result is final"), "{why}");
    let call = world.dialler.history(world.contact(id).id)[0].id;
    assert!(why.ends_with(&format!("`dialbridge results reopen {call}`")), "{why}");
    by_hand(&world, id, ContactAct::Unlock).await;
    world.live(minutes(2)).await;
    assert!(!world.locked(id), "a person gave a reason: {}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_the_word_of_a_person_stand_although_the_call_came_to_an_end_meanwhile() {
    // Beside an unlock of ours that waits, too: that one is given up, theirs is not, also where it has to wait once more.
    for busy in [0, 1] {
        let (world, id) = unlock_held().await;
        by_hand(&world, id, ContactAct::Unlock).await;
        called(&world, id, "NO_INTEREST").await;
        let refuse =
            Action::Status { code: 429, retry_after: RetryAfter::Seconds(300), effect: Effect::None };
        world.dialler.faults().add(Rule::new(refuse).path("/unlock").times(busy));
        let mark = world.mark();
        world.must(Command::Thaw { reason: "it is over".to_owned() }).await;
        world.live(minutes(12)).await;
        assert!(!world.locked(id), "busy {busy}: {}", world.story().await);
        assert_eq!(world.writes(mark).len() as u64, 1 + busy, "busy {busy}");
        world.ends().await;
    }

    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    freeze(&world).await;
    by_hand(&world, id, ContactAct::Reset).await;
    called(&world, id, "NO_INTEREST").await;
    let mark = world.mark();
    thaw(&world).await;
    world.live(minutes(5)).await;
    assert_eq!(world.writes(mark), ["reset"], "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_one_of_ours_that_a_person_let_go_still_one_of_ours() {
    let (world, id) = unlock_held().await;
    let route = RouteName::from(LEADS);
    let record = RecordId(id.to_string());
    let said = Said { who: "test".to_owned(), text: "now, please".to_owned() };
    world.ledger().record_send_by_hand(route, record, said).await.expect("let go");
    called(&world, id, "NO_INTEREST").await;
    thaw(&world).await;
    world.live(minutes(5)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
}

/// Two contacts; what the second one's record has as its number is not sent yet, or in doubt, when the first one is called on
/// it and declines. The update that waits, or was in doubt and had not arrived, goes no more.
#[tokio::test(start_paused = true)]
async fn is_a_number_brought_to_nobody_on_which_somebody_declined_while_the_update_waited() {
    for (how, edited) in [("frozen", false), ("in doubt", false), ("in doubt", true)] {
        let world = World::new(Setup::default()).await;
        let (declines, id) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        let (had, mark) = (world.value(id, "PhoneNumber1"), world.mark());
        let phone = world.editor().field(declines, "phone").expect("a number");
        world.editor().edit(id, json!({ "phone": phone }));
        match how {
            "frozen" => freeze(&world).await,
            _ => {
                world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/update").times(1));
            }
        }
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        called(&world, declines, "NO_INTEREST").await;
        if edited {
            world.editor().edit(id, json!({ "city": "Bonn" }));
        }
        match how {
            "frozen" => thaw(&world).await,
            _ => world.push().await.map(|_| ()).expect("a push"),
        }
        world.live(minutes(10)).await;
        let told = || async { format!("{how} {edited}: {}", world.story().await) };
        assert!(world.locked(id), "{}", told().await);
        assert_eq!(world.value(id, "PhoneNumber1"), had, "{}", told().await);
        let sent = if how == "frozen" { vec!["lock"] } else { vec!["update", "lock"] };
        assert_eq!(world.writes(mark), sent, "{}", told().await);
        let story = world.told(id).await;
        assert!(story.contains("somebody was called to an end on its new number"), "{story}");
        world.assert_at_rest().await;
    }
}

/// A supervisor makes an appointment of what was noted as no interest; the record itself does not change any more.
#[tokio::test(start_paused = true)]
async fn is_whoever_stayed_locked_for_a_final_result_callable_once_it_is_corrected() {
    let world = World::new(Setup::default()).await;
    let id = world.record("Ada");
    world.sync_all().await;
    called(&world, id, "NO_INTEREST").await;
    world.editor().archive(id, true);
    world.live(minutes(2)).await;
    world.editor().archive(id, false);
    world.live(minutes(10)).await;
    let told = world.told(id).await;
    assert!(world.locked(id) && told.contains("its last result is final"), "{told}");
    let contact = world.contact(id).id;
    let row = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, row, "APPOINTMENT"));
    world.live(minutes(30)).await;
    assert!(!world.locked(id), "{}", world.told(id).await);
    world.assert_at_rest().await;
}
