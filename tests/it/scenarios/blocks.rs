//! What happens when somebody must not be called?

use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{BlockSubject, ContactId, ReasonCode};
use dialbridge::ledger::{LeftOut, Listing};
use dialbridge::sim::crm::Settings as CrmSettings;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

async fn two_routes() -> World {
    World::new(Setup { more: WINBACK, ..Setup::default() }).await
}

#[tokio::test(start_paused = true)]
async fn does_block_if_lock_the_record_and_the_number_on_every_route() {
    let world = two_routes().await;
    let (ada, her_husband, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    let number = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(her_husband, json!({ "phone": number }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(ada, json!({ "do_not_call": true }));
    world.sync_all().await;
    for (route, id, locked) in [
        ("leads", ada, true),
        ("winback", ada, true),
        ("leads", her_husband, true),
        ("winback", her_husband, true),
        ("leads", carl, false),
        ("winback", carl, false),
    ] {
        let found = world.dialler.contacts_with(&format!("{route}-{id}"));
        assert_eq!((found.len(), found[0].locked), (1, locked), "{route} {id}");
    }
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_whose_number_is_blocked() {
    let world = two_routes().await;
    let ada = world.record("Ada");
    world.block_number(&world.number(ada)).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 0);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_blacklisting_seen_that_moves_no_modification_time() {
    for connector in ["sim-id", "sim-offset", "sim-cursor", "sim-page", "sim-next", "sim-link"] {
        let world = World::new(Setup { connector, ..Setup::default() }).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        world.advance(minutes(10)).await;
        let before = world.editor().modified(ada);
        world.editor().blacklist(&world.number(ada), true);
        assert_eq!(world.editor().modified(ada), before);
        world.sync_all().await;
        assert_eq!((world.locked(ada), world.locked(berta)), (true, false), "{connector}");
        world.assert_at_rest().await;
    }
}

/// A CRM whose records do not show who is blacklisted: only its list does.
pub(super) fn told_by_the_list_alone(connector: &'static str) -> Setup {
    Setup {
        connector,
        crm: CrmSettings { shows_blacklisted: false, ..CrmSettings::default() },
        route_keys: "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted\"\nunblock = \"source\"",
        ..Setup::default()
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_companion_that_no_record_shows_a_condition_like_any_other() {
    for connector in ["sim-offset", "sim-cursor"] {
        let world = World::new(told_by_the_list_alone(connector)).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.editor().blacklist(&world.number(ada), true);
        world.sync_all().await;
        assert_eq!((world.contacts(ada).len(), world.locked(berta)), (0, false), "{connector}");
        world.editor().blacklist(&world.number(berta), true);
        world.sync_all().await;
        assert!(world.locked(berta), "{connector}");
        // An edit does not make anybody forget that the number stands on the list.
        world.editor().edit(berta, json!({ "city": "Bonn" }));
        world.advance(minutes(20)).await;
        world.sync_all().await;
        assert!(world.locked(berta), "{connector}");
        world.editor().blacklist(&world.number(berta), false);
        world.settle_down().await;
        assert!(!world.locked(berta), "withdrawn by its source, seen twice: {connector}");
        assert_eq!(world.contacts(ada).len(), 0, "{connector}");
        world.assert_at_rest().await;
    }
}

fn no_list() -> Rule {
    Rule::new(Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None })
        .path("/blacklisted")
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_before_the_companion_that_decides_was_read_once() {
    let world = World::new(told_by_the_list_alone("sim-cursor")).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().blacklist(&world.number(ada), true);
    world.crm.faults.add(no_list());
    let error = world.pull().await.expect_err("nobody can say who is blocked").to_string();
    assert!(error.contains("phone_blacklisted"), "{error}");
    world.push().await.expect("a push");
    assert_eq!(world.dialler.len(), 0);
    assert_eq!(world.parked().await, Vec::<String>::new(), "no record is to blame");
    world.crm.faults.clear();
    world.sync_all().await;
    assert_eq!((world.contacts(ada).len(), world.locked(berta)), (0, false), "it went on by itself");
    // Once it was read, a failure changes nothing: the copy holds.
    world.crm.faults.add(no_list());
    world.editor().edit(berta, json!({ "city": "Bonn" }));
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(berta, "City"), json!("Bonn"));
    assert_eq!(world.contacts(ada).len(), 0);
    world.ends().await;
}

fn by_source() -> Setup {
    Setup {
        route_keys: "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted\"\nunblock = \"source\"",
        ..Setup::default()
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_companion_that_fails_or_shrinks_free_nobody_until_it_was_read_twice() {
    let world = World::new(by_source()).await;
    let ids: Vec<u64> = (0..40).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    for id in &ids[..30] {
        world.editor().blacklist(&world.number(*id), true);
    }
    world.sync_all().await;
    let locked = || ids.iter().filter(|id| world.locked(**id)).count();
    assert_eq!(locked(), 30);

    // It cannot be read, or is another page: nobody is freed, and changes still travel.
    for action in [Action::Reset(Effect::None), Action::Html(Effect::None), Action::Truncate { clean: true }]
    {
        world.advance(minutes(1)).await;
        let rule = world.crm.faults.add(Rule::new(action).path("/blacklisted"));
        world.editor().edit(ids[35], json!({ "city": format!("Bonn {}", world.now()) }));
        let mark = world.mark();
        for _ in 0..3 {
            world.try_all().await;
        }
        assert_eq!(locked(), 30);
        assert_eq!(world.writes(mark), ["update"], "the pull goes on without its companion");
        world.crm.faults.remove(rule);
        world.sync_all().await;
    }

    // It shrinks to nothing: believed when it was read so twice.
    for id in &ids[..30] {
        world.editor().blacklist(&world.number(*id), false);
    }
    world.advance(minutes(1)).await;
    world.sync_all().await;
    assert_eq!(locked(), 30, "once is not enough");
    world.advance(minutes(1)).await;
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.sync_all().await;
    world.sync_all().await;
    assert_eq!(locked(), 0, "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_block_end_only_by_a_person_unless_the_route_says_otherwise() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.sync_all().await;
    assert_eq!(world.contacts(id).len(), 0);
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "do_not_call": false }));
    world.settle_down().await;
    assert_eq!(world.contacts(id).len(), 0, "the CRM's withdrawal is not enough");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_whose_number_is_blocked_while_its_import_is_under_way() {
    for latency in [(seconds(0), seconds(20)), (seconds(20), seconds(0)), (seconds(10), seconds(10))] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.pull().await.expect("a pull");
        let action = Action::Latency { before: latency.0, after: latency.1 };
        world.dialler.faults().add(Rule::new(action).path("/import").times(1));
        world.parts().control.runners.push.clone().expect("a push").activate("hand");
        world.advance(seconds(5)).await;
        world.block_number(&world.number(id)).await;
        world.live(minutes(3)).await;
        assert!(world.locked(id), "{latency:?}\n{}", world.story().await);
        world.settle_down().await;
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_that_is_blocked_while_its_unlock_is_under_way() {
    for latency in [(seconds(0), seconds(20)), (seconds(20), seconds(0))] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().archive(id, true);
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().archive(id, false);
        world.pull().await.expect("a pull");
        let action = Action::Latency { before: latency.0, after: latency.1 };
        world.dialler.faults().add(Rule::new(action).path("/unlock").times(1));
        world.parts().control.runners.push.clone().expect("a push").activate("hand");
        world.advance(seconds(5)).await;
        world.block_number(&world.number(id)).await;
        world.live(minutes(3)).await;
        assert!(world.locked(id), "{latency:?}\n{}", world.story().await);
        world.settle_down().await;
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_number_that_becomes_a_blocked_one_locked() {
    let world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.block_number(&world.number(ada)).await;
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let blocked = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(berta, json!({ "phone": blocked }));
    let mark = world.mark();
    world.sync_all().await;
    assert!(world.locked(berta));
    assert_eq!(world.writes(mark), ["lock"], "the blocked number is not even sent");
    world.assert_at_rest().await;
}

const CONSENT: &str = "only_if = \"phone and active and stage >= today\"\nblock_if = \"phone_blacklisted\"";

#[tokio::test(start_paused = true)]
async fn does_consent_that_ends_today_lock_this_morning_though_nothing_changed() {
    for rule in [CONSENT, "only_if = \"phone and active\"\nblock_if = \"stage and stage < today\""] {
        let world = World::new(Setup { route_keys: rule, ..Setup::default() }).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.editor().edit(ada, json!({ "stage": "2026-03-02" }));
        world.editor().edit(berta, json!({ "stage": "2026-12-31" }));
        world.sync_all().await;
        assert!(!world.locked(ada));
        world.advance(minutes(60 * 12)).await;
        world.sync_all().await;
        assert!(!world.locked(ada), "still the same day");
        // 06:30 on the next day in Berlin; the CRM answers nothing new, then nothing at all.
        world.advance(minutes(60 * 8 + 30)).await;
        world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("/api/contacts"));
        world.try_all().await;
        assert_eq!(
            (world.locked(ada), world.locked(berta)),
            (true, false),
            "{rule}\n{}",
            world.story().await
        );
        world.crm.faults.clear();
        world.sync_all().await;
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_record_locked_whose_last_edit_breaks_it_and_withdraws_consent() {
    for (what, broken) in [
        ("no name", json!({ "name": false, "do_not_call": true })),
        ("no number", json!({ "phone": "none", "do_not_call": true })),
        ("a wrong type", json!({ "city": { "a": [1] }, "do_not_call": true })),
    ] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, broken.clone());
        world.sync_all().await;
        assert!(world.locked(id), "{what}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn do_locks_go_out_while_everything_else_is_refused_or_the_route_is_paused() {
    let world = World::usual().await;
    let (ada, berta, carl) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let refused = Action::Status { code: 429, retry_after: RetryAfter::Seconds(600), effect: Effect::None };
    world.dialler.faults().add(Rule::new(refused).path("/update"));
    world.editor().edit(berta, json!({ "city": "Bonn" }));
    world.try_all().await;
    world.editor().edit(ada, json!({ "do_not_call": true }));
    let at = world.now();
    world.live(minutes(2)).await;
    let locked = world.dialler.journal().requests_of("lock");
    assert!(world.locked(ada));
    assert!((locked[0].at - at).num_seconds() <= 120, "{}", locked[0].at);
    for state in [RouteState::Paused, RouteState::Dry] {
        world.switch(state).await;
        world
            .editor()
            .edit(if state == RouteState::Dry { carl } else { berta }, json!({ "do_not_call": true }));
        world.live(minutes(2)).await;
    }
    assert!(world.locked(berta) && world.locked(carl), "no pause of a route holds a lock up");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_acts_by_hand_pass_the_gate() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = ContactId(world.contact(id).id);
    let act = |act| Command::Contact { contact, act, reason: "asked".to_owned() };
    assert_eq!(world.command(act(ContactAct::Lock)).await.0, End::Done);
    assert!(world.locked(id));
    world.assert_at_rest().await;
    assert!(world.locked(id), "what a person locked stays locked");
    assert_eq!(world.command(act(ContactAct::Unlock)).await.0, End::Done);
    assert!(!world.locked(id));
    world.block_number(&world.number(id)).await;
    world.live(minutes(1)).await;
    assert!(world.locked(id));
    for shut in [ContactAct::Unlock, ContactAct::Reset] {
        let (end, said) = world.command(act(shut)).await;
        assert_eq!(end, End::Failed, "{said}");
    }
    assert!(world.locked(id));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_lifting_a_block_bring_the_record_back_when_it_is_decided_anew() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let number = world.number(id);
    world.block_number(&number).await;
    world.live(minutes(1)).await;
    assert!(world.locked(id));
    let remove = Command::BlockRemove {
        client: "default".to_owned(),
        subject: BlockSubject::Number(number),
        source: None,
        reason: "asked to be called".to_owned(),
    };
    assert_eq!(world.command(remove).await.0, End::Done);
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(2)).await;
    assert_eq!((world.locked(id), world.value(id, "City")), (false, json!("Bonn")));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_with_a_final_result_made_callable_by_itself() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    let short = Duration::from_secs(1);
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", short);
    (plan.ring, plan.talk, plan.row_delay) = (short, short, short);
    assert!(world.dialler.call(contact, plan));
    world.live(minutes(20)).await;
    world.editor().archive(id, true);
    world.live(minutes(2)).await;
    assert!(world.locked(id));
    world.editor().archive(id, false);
    world.live(minutes(2)).await;
    assert!(world.locked(id), "its last result is final");
    // Who stays locked for which result, of which call, is in the list of those who are left out.
    let left = world.ledger().left_out_list(LeftOut::Skipped, None, Listing::All, 9).await.expect("a list");
    let [kept] = &left[..] else { panic!("{left:?}") };
    assert_eq!((kept.kind.as_str(), kept.reason.code), ("locked", ReasonCode::FinalResult));
    let call = kept.call.as_ref().expect("the call");
    assert!(call.result.as_deref() == Some("Kein Interesse") && call.agent.is_some(), "{call:?}");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_final_result_stand_that_a_person_has_reset() {
    for gone_meanwhile in [true, false] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = ContactId(world.contact(id).id);
        let short = Duration::from_secs(1);
        let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", short);
        (plan.ring, plan.talk, plan.row_delay) = (short, short, short);
        assert!(world.dialler.call(contact.0, plan));
        world.live(minutes(20)).await;
        if gone_meanwhile {
            world.editor().archive(id, true);
            world.live(minutes(2)).await;
        }
        let anew =
            Command::Contact { contact, act: ContactAct::Reset, reason: "she asks for a call".to_owned() };
        assert_eq!(world.command(anew).await.0, End::Done);
        world.live(minutes(2)).await;
        assert_eq!(world.locked(id), gone_meanwhile);
        for archived in [true, false] {
            world.editor().archive(id, archived);
            world.live(minutes(2)).await;
            assert_eq!(world.locked(id), archived, "{gone_meanwhile}\n{}", world.story().await);
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_no_blocked_number_taken_over_from_another_campaign() {
    let world = two_routes().await;
    let ada = world.record("Ada");
    let digits = world.number(ada).trim_start_matches('+').to_owned();
    // Both routes have a contact of hers already, from before our time.
    for (campaign, route) in [(CAMPAIGN, "leads"), (OTHER, "winback")] {
        let user_data = format!("{route}-{ada}");
        world.dialler.put(campaign, &[("Name", "Ada"), ("UserData", &user_data), ("PhoneNumber1", &digits)]);
    }
    world.block_number(&world.number(ada)).await;
    world.sync_all().await;
    for route in ["leads", "winback"] {
        assert!(world.dialler.contacts_with(&format!("{route}-{ada}"))[0].locked, "{route}");
    }
    assert_eq!(world.dialler.journal().imports_of(&key(ada)).len(), 0);
    world.assert_at_rest().await;
}

/// The clerk who ticks the no takes the number out, or writes another one: under whichever record, the number is hers.
#[tokio::test(start_paused = true)]
async fn is_the_number_blocked_that_the_edit_with_the_no_took_out() {
    for phone in [json!(null), json!("+493023125999")] {
        let world = World::usual().await;
        let (ada, double) = (world.record("Ada"), world.record("Ada again"));
        let number = world.editor().field(ada, "phone").expect("a number");
        world.editor().edit(double, json!({ "phone": number }));
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(ada, json!({ "do_not_call": true, "phone": phone }));
        world.live(minutes(2)).await;
        assert!(world.locked(ada) && world.locked(double), "{phone}: {}", world.story().await);
        let third = world.record("And again");
        world.editor().edit(third, json!({ "phone": number }));
        world.live(minutes(5)).await;
        assert_eq!(world.contacts(third).len(), 0, "{phone}");
        world.ends().await;
    }
}
