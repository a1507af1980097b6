//! What becomes of the contact of a record that leaves, as the route says: deleted, marked, set back, kept?

use crate::support::world::{Setup, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, WaveOrder};
use dialbridge::domain::{BlockSubject, ContactId};
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome, SimContact, What};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const CONDITIONS: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted or do_not_call\"\n";

/// A world whose route says this of records that leave.
async fn leaving(tables: &str) -> World {
    let route_keys: &'static str = format!("{CONDITIONS}{tables}").leak();
    World::new(Setup { route_keys, ..Setup::default() }).await
}

async fn results(world: &World, contact: i64) -> Vec<Option<i64>> {
    let filter = CallFilter { contact: Some(ContactId(contact)), ..CallFilter::default() };
    let calls = world.ledger().calls_list(filter, 10).await.expect("calls");
    calls.into_iter().map(|call| call.result_code).collect()
}

fn there(world: &World, contact: i64) -> Option<Arc<SimContact>> {
    world.dialler.contact(contact)
}

/// How often a contact was deleted, reset.
fn deeds(world: &World, contact: i64) -> (usize, usize) {
    let deeds = world.dialler.journal().deeds_on(contact);
    let count = |is: fn(&What) -> bool| deeds.iter().filter(|deed| is(&deed.effect.what)).count();
    (count(|what| matches!(what, What::Deleted)), count(|what| matches!(what, What::Reset { .. })))
}

#[tokio::test(start_paused = true)]
async fn is_it_deleted_only_after_its_running_call_and_late_result_were_read() {
    let world = leaving("[route.leads.leave]\narchived = \"delete\"").await;
    let (id, other) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let contact = world.contact(id).id;
    let mut plan = CallPlan::new(Outcome::Answered).result("CALL_LATER", Duration::from_secs(12 * 60));
    plan.talk = minutes(8);
    assert!(world.dialler.call(contact, plan));
    world.live(seconds(30)).await;
    world.editor().archive(id, true);
    world.live(minutes(2)).await;
    assert!(world.locked(id), "at once: {}", world.story().await);
    world.live(minutes(18)).await;
    assert!(there(&world, contact).is_some(), "its result was there for no quarter of an hour");
    let told = world.told(id).await;
    assert!(told.contains("waits: nobody is deleted before the calls are over and read"), "{told}");
    world.live(minutes(60)).await;
    assert!(there(&world, contact).is_none(), "{}", world.story().await);
    assert_eq!(deeds(&world, contact).0, 1);
    assert_eq!(results(&world, contact).await.len(), 1);
    assert!(!world.locked(other));
    world.settle_down().await;
    world.assert_at_rest().await;
    // It comes back: a new contact, because nobody said no.
    world.editor().archive(id, false);
    world.settle_down().await;
    assert_ne!(world.contact(id).id, contact, "{}", world.story().await);
    assert!(!world.locked(id));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_declined_before_not_brought_back_by_its_records_return() {
    let world = leaving("[route.leads.leave]\narchived = \"delete\"").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(30)).await;
    world.editor().archive(id, true);
    world.live(minutes(90)).await;
    assert!(there(&world, contact).is_none(), "{}", world.story().await);
    world.editor().archive(id, false);
    world.live(minutes(30)).await;
    assert_eq!(world.contacts(id).len(), 0, "its last result is final");
    assert!(world.parked().await.iter().any(|line| line.contains("final")), "{:?}", world.parked().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_record_that_comes_back_in_time_keep_its_contact() {
    let world = leaving("[route.leads.leave]\narchived = \"delete\"").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    world.editor().archive(id, true);
    world.live(minutes(5)).await;
    assert!(world.locked(id));
    world.editor().archive(id, false);
    world.live(minutes(120)).await;
    assert_eq!(world.contact(id).id, contact, "{}", world.story().await);
    assert!(!world.locked(id));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_wave_of_deletions_stop_at_its_brake_with_everybody_locked() {
    let world = leaving("max_deleted_per_run = 2\n[route.leads.leave]\narchived = \"delete\"").await;
    let ids: Vec<u64> = (0..5).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let contacts: Vec<i64> = ids.iter().map(|id| world.contact(*id).id).collect();
    for id in &ids {
        world.editor().archive(*id, true);
    }
    world.live(minutes(120)).await;
    assert!(ids.iter().all(|id| world.locked(*id)), "{}", world.story().await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.len(), 1, "{waves:?}");
    assert!(waves[0].removes() && (waves[0].waiting, waves[0].bound) == (5, 2), "{waves:?}");
    world
        .must(Command::Wave { wave: waves[0].id, word: WaveOrder::Approve, reason: "moved out".to_owned() })
        .await;
    world.live(minutes(60)).await;
    assert!(contacts.iter().all(|contact| there(&world, *contact).is_none()), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_objection_end_the_contacts_time_as_well_and_its_lifting_give_it_back() {
    let world = leaving("[route.leads.leave]\nopt_out = [\"lock\", \"end_date\", \"mark\"]\n[route.leads.mark]\nTag = \"said no\"").await;
    let (by_hand, in_crm) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let number = world.number(by_hand);
    world.block_number(&number).await;
    world.editor().edit(in_crm, json!({ "do_not_call": true }));
    world.live(minutes(1)).await;
    assert!(world.locked(by_hand), "the lock waits for no mark");
    world.live(minutes(5)).await;
    for id in [by_hand, in_crm] {
        assert!(world.locked(id));
        assert_eq!(world.value(id, "dtEndDate"), json!("2000-01-01T00:00:00"), "{}", world.story().await);
        assert_eq!(world.value(id, "Tag"), json!("said no"));
    }
    world.assert_at_rest().await;
    let remove = Command::BlockRemove {
        client: "default".to_owned(),
        subject: BlockSubject::Number(number),
        source: None,
        reason: "a mistake".to_owned(),
    };
    world.must(remove).await;
    world.live(minutes(10)).await;
    assert!(!world.locked(by_hand) && world.locked(in_crm), "{}", world.story().await);
    for field in ["dtEndDate", "Tag"] {
        let value = world.value(by_hand, field);
        assert!(value.is_null() || value == json!(""), "{field}: {value}");
    }
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_objected_deleted_and_never_made_again() {
    let world = leaving("[route.leads.leave]\nopt_out = \"delete\"").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    world.block_number(&world.number(id)).await;
    world.live(minutes(90)).await;
    assert!(there(&world, contact).is_none(), "{}", world.story().await);
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(30)).await;
    assert_eq!(world.contacts(id).len(), 0, "{}", world.story().await);
    // Nor one that a person has locked by hand: that is left to that person.
    let held = world.record("Berta");
    world.sync_all().await;
    let contact = ContactId(world.contact(held).id);
    let act = Command::Contact { contact, act: ContactAct::Lock, reason: "asked us".to_owned() };
    assert_eq!(world.command(act).await.0, End::Done);
    world.live(minutes(90)).await;
    assert!(world.locked(held), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_both_get_the_mark_who_say_no_with_one_number() {
    let tables = "[route.leads.leave]\nopt_out = [\"lock\", \"mark\"]\n[route.leads.mark]\nTag = \"left\"";
    let world = leaving(tables).await;
    let ids = [world.record("Ada"), world.record("Berta"), world.record("Carla")];
    for id in ids {
        world.editor().edit(id, json!({ "phone": "+49 30 23125 900" }));
    }
    world.sync_all().await;
    // All of them are read in one page: each says the same of their number.
    world.editor().blacklist("+493023125900", true);
    world.settle_down().await;
    for id in ids {
        assert!(world.locked(id), "{}", world.story().await);
        assert_eq!(world.value(id, "Tag"), json!("left"), "{id}: {}", world.story().await);
    }
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_is_kept_called_on_until_a_block_comes() {
    let world = leaving("[route.leads.leave]\nineligible = [\"keep\", \"mark\"]\n[route.leads.mark]\nTag = \"no longer a lead\"").await;
    let (id, new) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(new, json!({ "phone": false }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "phone": false, "city": "Bonn" }));
    world.live(minutes(10)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    assert_eq!(world.value(id, "Tag"), json!("no longer a lead"));
    assert_eq!(world.value(id, "City"), json!("Ulm"), "what it changed meanwhile is not sent");
    assert_eq!(world.contacts(new).len(), 0, "nobody is imported for it");
    world.assert_at_rest().await;
    world.block_number("+493023125001").await;
    world.live(minutes(2)).await;
    assert!(world.locked(id), "a block always locks: {}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_kept_record_that_vanishes_in_the_dialler_stay_gone() {
    let world = leaving("vanished = \"import\"\n[route.leads.leave]\nineligible = \"keep\"").await;
    let (id, other) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "phone": false }));
    world.sync_all().await;
    let imports = world.dialler.journal().imports_of(&key(id)).len();
    world.dialler.portal().delete(world.contact(id).id);
    world.live(minutes(90)).await;
    assert_eq!(world.contacts(id).len(), 0, "{}", world.story().await);
    assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), imports);
    assert!(!world.locked(other));
    world.ends().await;
}

/// A world whose route resets who was ineligible, with a dialler that keeps no history over a reset.
async fn resetting() -> World {
    let route_keys: &'static str =
        format!("{CONDITIONS}[route.leads.leave]\nineligible = [\"reset\", \"mark\"]\n[route.leads.mark]\nTag = \"left\"")
            .leak();
    let dialler = DiallerConfig { history_survives_reset: false, ..DiallerConfig::default() };
    World::new(Setup { route_keys, dialler, ..Setup::default() }).await
}

/// Somebody in that world, called with this result a while ago, and what became of it is in the ledger.
async fn called_before(world: &World, result: &str) -> (u64, i64) {
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result(result, seconds(5))));
    world.live(minutes(30)).await;
    (id, contact)
}

fn leaves(world: &World, id: u64) {
    world.editor().edit(id, json!({ "phone": false }));
}

fn returns(world: &World, id: u64) {
    world.editor().edit(id, json!({ "phone": "+49 30 23125 001" }));
}

async fn by_hand(world: &World, contact: i64, act: ContactAct) -> End {
    let contact = ContactId(contact);
    world.command(Command::Contact { contact, act, reason: "asked us".to_owned() }).await.0
}

#[tokio::test(start_paused = true)]
async fn is_a_no_lost_that_an_agent_entered_right_before_its_record_left() {
    for back_before_the_harvest in [false, true] {
        let world = resetting().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(5));
        (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(30), seconds(1));
        assert!(world.dialler.call(contact, plan));
        world.advance(minutes(2)).await;
        leaves(&world, id);
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        assert!(world.locked(id), "{}", world.story().await);
        if !back_before_the_harvest {
            world.harvest().await.expect("a harvest");
        }
        returns(&world, id);
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        world.live(minutes(90)).await;
        let told = || world.story();
        assert_eq!(deeds(&world, contact).1, 0, "{back_before_the_harvest}: {}", told().await);
        let results = results(&world, contact).await;
        assert!(results.len() == 1 && results[0].is_some(), "{results:?} {}", told().await);
        assert!(world.locked(id), "{back_before_the_harvest}: {}", told().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_contact_that_is_set_back_stay_locked_and_begin_anew_when_its_record_returns() {
    let world = resetting().await;
    let (id, contact) = called_before(&world, "CALL_LATER").await;
    let mark = world.mark();
    leaves(&world, id);
    world.live(minutes(90)).await;
    assert_eq!(deeds(&world, contact).1, 0, "it may unlock: {}", world.story().await);
    assert!(world.locked(id));
    assert_eq!(world.value(id, "Tag"), json!("left"), "a mark waits for no reset");
    assert_eq!(world.writes(mark), ["lock", "update"]);
    world.assert_at_rest().await;
    let mark = world.mark();
    returns(&world, id);
    world.live(minutes(5)).await;
    assert!(world.locked(id) && deeds(&world, contact).1 == 0, "{}", world.story().await);
    let told = world.told(id).await;
    assert!(told.contains("waits: nobody is set back before the calls are over and read"), "{told}");
    // What changes meanwhile begins no new wait.
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(20)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    let again = world.contact(id);
    assert_eq!(
        (again.id, again.dialling.tries_in_all()),
        (contact, 0),
        "the same contact, from the beginning"
    );
    let opens: Vec<_> = world.writes(mark).into_iter().filter(|kind| *kind != "update").collect();
    assert_eq!(opens, ["reset", "unlock"], "{}", world.story().await);
    assert_eq!(results(&world, contact).await.len(), 1, "the ledger keeps what the dialler wiped");
    world.settle_down().await;
    world.assert_at_rest().await;
    // An edit of who is back, and another leaving under another reason: nothing is owed any more.
    world.editor().archive(id, true);
    world.live(minutes(5)).await;
    world.editor().archive(id, false);
    world.live(minutes(5)).await;
    assert!(!world.locked(id) && deeds(&world, contact).1 == 1, "once: {}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_reset_given_up_when_the_record_leaves_again_or_a_person_unlocks_meanwhile() {
    for by_a_person in [false, true] {
        let world = resetting().await;
        let (id, contact) = called_before(&world, "CALL_LATER").await;
        leaves(&world, id);
        world.live(minutes(10)).await;
        returns(&world, id);
        world.live(minutes(5)).await;
        assert!(world.locked(id), "{}", world.story().await);
        if by_a_person {
            assert_eq!(by_hand(&world, contact, ContactAct::Unlock).await, End::Done);
            world.live(minutes(1)).await;
            assert!(!world.locked(id), "a person waits for no rule: {}", world.story().await);
            world.live(minutes(60)).await;
            assert_eq!(deeds(&world, contact).1, 0, "it is called already: {}", world.story().await);
        } else {
            leaves(&world, id);
            world.live(minutes(60)).await;
            assert!(world.locked(id) && deeds(&world, contact).1 == 0, "{}", world.story().await);
            returns(&world, id);
            world.live(minutes(30)).await;
            assert_eq!(deeds(&world, contact).1, 1, "still owed: {}", world.story().await);
        }
        assert!(!world.locked(id), "{}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_crash_while_the_calls_are_looked_at_send_no_reset_and_leave_none_in_doubt() {
    let mut world = resetting().await;
    let (id, contact) = called_before(&world, "CALL_LATER").await;
    // A call that the ledger does not know: a reset that may have left before it would need a person.
    let mut plan = CallPlan::new(Outcome::Answered).result("CALL_LATER", seconds(5));
    (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(30), seconds(1));
    assert!(world.dialler.call(contact, plan));
    world.advance(minutes(2)).await;
    leaves(&world, id);
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    returns(&world, id);
    world.pull().await.expect("a pull");
    let slow = Action::Latency { before: Duration::ZERO, after: seconds(20) };
    world.dialler.faults().add(Rule::new(slow).path_end("/history"));
    world.parts().control.runners.push.clone().expect("a push").activate("hand");
    world.advance(seconds(5)).await;
    world.crash().await;
    world.dialler.faults().clear();
    world.live(minutes(5)).await;
    assert_eq!(deeds(&world, contact).1, 0, "{}", world.story().await);
    world.live(minutes(90)).await;
    assert_eq!(world.parked().await, Vec::<String>::new());
    assert_eq!(deeds(&world, contact).1, 1, "{}", world.story().await);
    assert!(!world.locked(id), "{}", world.story().await);
    assert_eq!(results(&world, contact).await.len(), 2);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_many_who_are_back_stay_locked_until_a_person_decides_about_their_resets() {
    let world = leaving("max_deleted_per_run = 1\n[route.leads.leave]\narchived = \"reset\"").await;
    let ids = [world.record("Ada"), world.record("Berta")];
    world.sync_all().await;
    for away in [true, false] {
        ids.iter().for_each(|id| world.editor().archive(*id, away));
        world.live(minutes(40)).await;
        assert!(ids.iter().all(|id| world.locked(*id)), "{}", world.story().await);
    }
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert!(waves.len() == 1 && waves[0].removes(), "{waves:?}");
    let reason = "they go on where they stopped".to_owned();
    world.must(Command::Wave { wave: waves[0].id, word: WaveOrder::Reject, reason }).await;
    world.live(minutes(40)).await;
    let resets = ids.map(|id| deeds(&world, world.contact(id).id).1);
    let free = ids.iter().all(|id| !world.locked(*id));
    assert!(free && resets == [0, 0], "{resets:?} {}", world.story().await);
    world.assert_at_rest().await;
}

/// Some installations answer 404 for the history of somebody whom nobody has called.
#[tokio::test(start_paused = true)]
async fn is_somebody_deleted_who_was_never_called_and_has_no_history_to_show() {
    let world = leaving("[route.leads.leave]\narchived = \"delete\"").await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let none = Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(none).path("/history"));
    world.editor().archive(id, true);
    world.live(minutes(120)).await;
    assert_eq!(world.contacts(id).len(), 0, "{}", world.story().await);
    world.dialler.faults().clear();
    world.ends().await;
}
