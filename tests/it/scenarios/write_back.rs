//! What does the CRM learn of calls: each one once, with its last result, whatever goes wrong?

use crate::support::world::{CAMPAIGN, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, ResultsWord, WaveOrder};
use dialbridge::domain::policy::{RouteState, WaveWhat};
use dialbridge::domain::{ContactId, RouteName, WriteBackId};
use dialbridge::ledger::{Again, Untold};
use dialbridge::sim::crm::{Activity, Settings as CrmSettings};
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::Value;
use std::time::Duration;

/// Every minute, so that nothing waits for the clock.
pub(super) const KEYS: &str =
    "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"";
pub(super) const TOLD: &str = r#"
[route.leads.activity]
subject = "'Call ' ~ call ~ ': ' ~ outcome"
started = "started"
seconds = "seconds"
way     = "direction"
[route.leads.results]
NO_INTEREST = "declined"
APPOINTMENT = "appointment"
CALL_LATER  = "call again"
[route.leads.result_fields]
last_call    = "last_started"
last_outcome = "last_outcome"
calls        = "calls"
[harvest]
audit_active = "1h"
"#;
/// What a CRM can do about a create in doubt: upsert on a key, look it up, neither.
const STYLES: [&str; 3] = ["sim-id", "sim-offset", "sim-page"];

pub(super) fn setup(connector: &'static str) -> Setup {
    Setup { connector, route_keys: KEYS, more: TOLD, ..Setup::default() }
}

pub(super) async fn world(connector: &'static str) -> World {
    World::new(setup(connector)).await
}

/// A call of a few seconds whose row comes at once; the result, if there is one, some time after the row.
pub(super) fn plan(result: Option<(&str, Duration)>) -> CallPlan {
    let mut plan = CallPlan::new(Outcome::Answered);
    if let Some((key, after)) = result {
        plan = plan.result(key, after);
    }
    let short = seconds(1);
    (plan.ring, plan.talk, plan.row_delay) = (short, seconds(30), short);
    plan
}

/// Somebody with a contact, and a call that got this result at once.
pub(super) async fn called(world: &World, name: &str, key: &str) -> u64 {
    let id = world.record(name);
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, plan(Some((key, seconds(1))))));
    id
}

pub(super) fn activities(world: &World, id: u64) -> Vec<Activity> {
    world.crm.activities().into_iter().filter(|activity| activity.record == id).collect()
}

pub(super) fn subjects(world: &World, id: u64) -> Vec<String> {
    let text = |activity: &Activity| activity.fields["subject"].as_str().unwrap_or_default().to_owned();
    activities(world, id).iter().map(text).collect()
}

pub(super) fn field(world: &World, id: u64, name: &str) -> Value {
    world.editor().field(id, name).unwrap_or_default()
}

async fn open(world: &World) -> Vec<Untold> {
    world.ledger().results_untold(None, 100).await.expect("a list")
}

pub(super) async fn states(world: &World) -> Vec<(String, String, Option<String>)> {
    let rows = open(world).await;
    let code = |row: &Untold| row.reason.as_ref().map(|reason| reason.code.as_str().to_owned());
    rows.iter().map(|row| (row.kind.clone(), row.state.clone(), code(row))).collect()
}

#[tokio::test(start_paused = true)]
async fn is_a_call_one_activity_and_its_record_up_to_date() {
    for style in STYLES {
        let world = world(style).await;
        let id = called(&world, "Ada", "NO_INTEREST").await;
        world.live(minutes(10)).await;
        let told = activities(&world, id);
        assert_eq!(told.len(), 1, "{style}\n{}", world.story().await);
        assert_eq!(told[0].fields["way"], "out");
        assert_eq!(told[0].fields["seconds"], 31, "from its start to its end");
        assert!(subjects(&world, id)[0].ends_with(": declined"), "{:?}", subjects(&world, id));
        assert_eq!(field(&world, id, "last_outcome"), "declined");
        assert_eq!(field(&world, id, "calls"), 1);
        assert_eq!(field(&world, id, "last_call"), told[0].fields["started"]);
        let story = world.told(id).await;
        assert!(story.contains("the CRM was told of call "), "{story}");
        assert!(story.contains("in the CRM, last_outcome: ? -> \"declined\""), "{story}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_later_result_change_the_activity_that_is_there() {
    for style in STYLES {
        let world = world(style).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        assert!(world.dialler.call(contact, plan(Some(("APPOINTMENT", minutes(20))))));
        world.live(minutes(10)).await;
        let first = activities(&world, id);
        assert_eq!(first.len(), 1, "told before it has a result, {style}");
        assert!(subjects(&world, id)[0].ends_with(": "), "{:?}", subjects(&world, id));
        world.live(minutes(30)).await;
        let then = activities(&world, id);
        assert_eq!((then.len(), then[0].id), (1, first[0].id), "{style}");
        assert!(subjects(&world, id)[0].ends_with(": appointment"), "{:?}", subjects(&world, id));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_create_in_doubt_settled_by_what_the_connector_can_do() {
    for style in STYLES {
        for effect in [Effect::None, Effect::Done, Effect::Late(seconds(30))] {
            let world = world(style).await;
            let id = called(&world, "Ada", "NO_INTEREST").await;
            let rule =
                Rule::new(Action::Reset(effect)).path("/activities").method(http::Method::POST).times(1);
            world.crm.faults.add(rule);
            world.live(minutes(15)).await;
            let told = activities(&world, id).len();
            let what = format!("{style}, {effect:?}\n{}", world.story().await);
            if style == "sim-page" {
                assert_eq!(told, usize::from(effect != Effect::None), "one try, and no second one: {what}");
                let parked = ("activity".to_owned(), "parked".to_owned(), Some("in_doubt".to_owned()));
                assert!(states(&world).await.contains(&parked), "{what}");
            } else {
                assert_eq!(told, 1, "{what}");
                assert_eq!(states(&world).await, []);
                world.assert_at_rest().await;
            }
            world.ends().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_nothing_doubled_when_the_program_dies_while_it_tells() {
    for (style, slow) in [("sim-id", 0), ("sim-id", 20), ("sim-offset", 0), ("sim-offset", 20)] {
        let mut world = world(style).await;
        let id = called(&world, "Ada", "NO_INTEREST").await;
        world.live(seconds(50)).await;
        let (before, after) = (seconds(slow), seconds(20));
        let rule = Rule::new(Action::Latency { before, after }).path("/activities").times(1);
        world.crm.faults.add(rule);
        world.harvest().await.expect("a harvest");
        world.advance(seconds(5)).await;
        world.crash().await;
        world.live(minutes(15)).await;
        assert_eq!(activities(&world, id).len(), 1, "{style}, {slow}\n{}", world.story().await);
        assert_eq!(states(&world).await, []);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_calls_from_before_it_was_switched_on_left_untold() {
    let mut world = World::usual().await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(10)).await;
    world.configure(&setup("sim-id")).await;
    world.live(minutes(10)).await;
    assert_eq!(activities(&world, id).len(), 0);
    assert_eq!(world.crm_writes(), 0);
    assert!(world.dialler.inbound_call(world.contact(id).id, seconds(1)));
    // It moves no field, so the audit finds it.
    world.live(minutes(90)).await;
    assert_eq!(activities(&world, id).len(), 1, "{}", world.story().await);
    assert_eq!(activities(&world, id)[0].fields["way"], "in");
    assert_eq!(field(&world, id, "calls"), 2, "worked out from all its calls");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_result_without_a_word_for_it_held_until_there_is_one() {
    let mut world = world("sim-id").await;
    let (ada, bert) = (called(&world, "Ada", "SALE").await, world.record("Bert"));
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(bert).id, plan(Some(("NO_INTEREST", seconds(1))))));
    world.live(minutes(30)).await;
    assert_eq!((activities(&world, ada).len(), activities(&world, bert).len()), (0, 1));
    let held = |kind: &str| (kind.to_owned(), "held".to_owned(), Some("unmapped_result".to_owned()));
    assert_eq!(states(&world).await, [held("activity"), held("fields")], "{}", world.story().await);
    let more = format!("{TOLD}\n").replace("CALL_LATER", "SALE = \"wrong number\"\nCALL_LATER");
    let more: &'static str = Box::leak(more.into_boxed_str());
    world.configure(&Setup { more, ..setup("sim-id") }).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, ada).len(), 1, "{:?}\n{}", states(&world).await, world.story().await);
    assert!(subjects(&world, ada)[0].ends_with(": wrong number"), "{:?}", subjects(&world, ada));
    assert_eq!(states(&world).await, []);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_record_that_the_crm_rejects_wait_for_a_person_and_nobody_else() {
    let world = world("sim-id").await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    world.editor().reject_writes(ada, "the company is read-only");
    for id in [ada, bert] {
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.live(minutes(30)).await;
    assert_eq!((activities(&world, ada).len(), activities(&world, bert).len()), (0, 1));
    let tries = |world: &World| {
        let requests = world.crm.journal.requests();
        requests.iter().filter(|asked| asked.kind.write && asked.path.contains(&format!("/{ada}"))).count()
    };
    assert_eq!(tries(&world), 2, "its activity and its fields, each once");
    let parked = open(&world).await;
    assert_eq!(parked.len(), 2);
    assert!(parked[0].reason.as_ref().is_some_and(|reason| reason.to_string().contains("read-only")));
    world.editor().accept_writes(ada);
    let retry = ResultsWord::Retry { route: RouteName::from("leads"), again: Again::All };
    world.must(Command::Results { word: retry, reason: String::new() }).await;
    world.live(minutes(2)).await;
    assert_eq!(activities(&world, ada).len(), 1);
    assert_eq!(states(&world).await, []);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_record_that_is_gone_left_alone_for_good() {
    let world = world("sim-id").await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    world.editor().delete(id);
    world.live(minutes(30)).await;
    assert_eq!(world.crm.activities(), []);
    let tried = world.crm_writes();
    assert!((1..=2).contains(&tried), "{tried}");
    world.live(minutes(60)).await;
    assert_eq!(world.crm_writes(), tried, "not a thousand times");
    assert_eq!(states(&world).await, [], "nobody has to look");
    assert!(world.locked(id), "and its contact is not called");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_told_while_the_route_is_dry_paused_or_frozen() {
    let world = world("sim-id").await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    for state in [RouteState::Dry, RouteState::Paused] {
        world.switch(state).await;
        world.live(minutes(10)).await;
        assert_eq!(world.crm_writes(), 0, "{state}");
    }
    let freeze = Command::Freeze { reason: "audit".to_owned(), until: None, even_locks: false };
    world.must(freeze).await;
    world.switch(RouteState::On).await;
    world.live(minutes(10)).await;
    assert_eq!(world.crm_writes(), 0, "frozen");
    world.must(Command::Thaw { reason: "over".to_owned() }).await;
    world.live(minutes(10)).await;
    assert_eq!(activities(&world, id).len(), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_flood_in_steps_need_approval_where_the_day_has_a_limit() {
    let keys: &'static str = Box::leak(format!("{KEYS}\nmax_write_back_per_day = 5").into_boxed_str());
    let more: &'static str = format!("{TOLD}[route.leads.block_fields]\ndo_not_call = \"true\"\n").leak();
    let world = World::new(Setup { route_keys: keys, more, ..setup("sim-id") }).await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("P {n}"))).collect();
    let objecting: Vec<u64> = (0..4).map(|n| world.record(&format!("No {n}"))).collect();
    world.sync_all().await;
    // Whoever said no is told of, and counts in no limit.
    for id in &objecting {
        world.block_number(&world.number(*id)).await;
    }
    world.live(minutes(5)).await;
    assert_eq!(world.crm_writes(), 4, "{}", world.story().await);
    let call = async |id: u64| {
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
        world.live(minutes(10)).await;
    };
    // Its activity and its fields: four of two calls.
    for id in &ids[..2] {
        call(*id).await;
    }
    assert_eq!(world.crm.activities().len(), 2, "{}", world.story().await);
    call(ids[2]).await;
    assert_eq!(world.crm.activities().len(), 2, "two more would be six: {}", world.story().await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    let [wave] = &waves[..] else { panic!("{waves:?}") };
    assert_eq!((wave.what, wave.waiting, wave.bound), (WaveWhat::Told, 2, 1));
    let word = WaveOrder::Approve;
    world.must(Command::Wave { wave: wave.id, word, reason: "meant".to_owned() }).await;
    world.live(minutes(10)).await;
    assert_eq!(world.crm.activities().len(), 3, "{}", world.story().await);
    // From here on it is counted anew.
    call(ids[3]).await;
    assert_eq!(world.crm.activities().len(), 4, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_flood_of_calls_need_approval() {
    let keys: &'static str = Box::leak(format!("{KEYS}\nmax_write_back_per_run = 5").into_boxed_str());
    let world = World::new(Setup { route_keys: keys, ..setup("sim-id") }).await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.advance(minutes(5)).await;
    world.harvest().await.expect("a harvest");
    let _nothing = world.write_back().await;
    assert_eq!(world.crm.activities(), [], "{:?}\n{}", states(&world).await, world.story().await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    let [wave] = &waves[..] else { panic!("eight rows, five allowed: {waves:?}") };
    assert_eq!((wave.what, wave.waiting, wave.bound), (WaveWhat::Told, 8, 5));
    let told = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await;
    let told = told.expect("a status");
    assert!(told.contains("8 calls and records to be told to the CRM of route leads, more than 5"), "{told}");
    let word = WaveOrder::Approve;
    world.must(Command::Wave { wave: wave.id, word, reason: "meant".to_owned() }).await;
    // What was approved goes; what came after it is a wave of its own.
    world.live(minutes(2)).await;
    assert_eq!(world.crm.activities().len(), 4, "{}", world.story().await);
    assert_eq!(world.ledger().waves_list(None, false).await.expect("waves"), []);
    world.assert_at_rest().await;
}

/// The harvest finds more and more while the CRM is told of the few that were there when it began.
#[tokio::test(start_paused = true)]
async fn does_a_flood_need_approval_that_begins_while_the_crm_is_told_of_a_few() {
    let keys: &'static str = Box::leak(format!("{KEYS}\nmax_write_back_per_run = 5").into_boxed_str());
    let world = World::new(Setup { route_keys: keys, ..setup("sim-id") }).await;
    let ids: Vec<u64> = (0..6).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    let call = |id: u64| {
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    };
    let (before, after) = (seconds(25), seconds(0));
    let slow = world.crm.faults.add(Rule::new(Action::Latency { before, after }).method(http::Method::POST));
    ids[..2].iter().for_each(|id| call(*id));
    world.advance(seconds(20)).await;
    ids[2..].iter().for_each(|id| call(*id));
    world.advance(seconds(18)).await;
    // It wakes the write-back.
    world.harvest().await.expect("a harvest");
    world.advance(seconds(20)).await;
    world.harvest().await.expect("a harvest");
    assert_eq!(world.crm.activities().len(), 0, "the first ones are under way");
    world.idle().await;
    world.crm.faults.remove(slow);
    world.advance(seconds(40)).await;
    world.idle().await;
    assert_eq!(world.crm.activities().len(), 2, "{}", world.story().await);
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    let [wave] = &waves[..] else { panic!("{waves:?}\n{}", world.story().await) };
    assert_eq!((wave.what, wave.waiting), (WaveWhat::Told, 8));
    let word = WaveOrder::Approve;
    world.must(Command::Wave { wave: wave.id, word, reason: "meant".to_owned() }).await;
    world.live(minutes(10)).await;
    assert_eq!(world.crm.activities().len(), 6, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_result_that_goes_back_to_what_it_was_arrive() {
    let world = world("sim-id").await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(10)).await;
    let contact = world.contact(id).id;
    let row = world.dialler.history(contact)[0].id;
    for (key, word) in [("APPOINTMENT", "appointment"), ("NO_INTEREST", "declined")] {
        assert!(world.dialler.portal().correct_result(contact, row, key));
        // The audit of those called lately is what sees a correction.
        world.live(minutes(90)).await;
        assert!(subjects(&world, id)[0].ends_with(word), "{:?}", subjects(&world, id));
        assert_eq!(field(&world, id, "last_outcome"), word);
    }
    assert_eq!(activities(&world, id).len(), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_keeps_changing_a_record_because_of_us_stopped() {
    let world = world("sim-id").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    for _ in 0..20 {
        assert!(world.dialler.call(contact, plan(Some(("CALL_LATER", seconds(1))))));
        world.advance(minutes(1)).await;
        world.harvest().await.expect("a harvest");
        let _stops = world.write_back().await;
        let reset = Command::Contact {
            contact: ContactId(contact),
            act: ContactAct::Reset,
            reason: "again".to_owned(),
        };
        assert_eq!(world.command(reset).await.0, End::Done);
    }
    let parked = ("fields".to_owned(), "parked".to_owned(), Some("write_loop".to_owned()));
    assert!(states(&world).await.contains(&parked), "{:?}\n{}", states(&world).await, world.story().await);
    let writes = world.crm.journal.requests();
    let writes = writes.iter().filter(|asked| asked.kind.write && !asked.path.contains("activities")).count();
    assert_eq!(writes, 12, "within the hour");
    world.ends().await;
}

/// A call that is told, one whose result nobody mapped, and a test; answers who was told of.
async fn a_day(world: &World) -> u64 {
    let told = called(world, "Ada", "NO_INTEREST").await;
    let _held = called(world, "Bert", "SALE").await;
    let test_call = world.record("Tess");
    world.sync_all().await;
    let mut test = plan(None);
    test.test = true;
    assert!(world.dialler.call(world.contact(test_call).id, test));
    world.live(minutes(20)).await;
    told
}

#[tokio::test(start_paused = true)]
async fn does_each_day_add_up() {
    let world = world("sim-id").await;
    a_day(&world).await;
    let stranger = world.dialler.put(CAMPAIGN, &[("Name", "from a CSV"), ("PhoneNumber1", "493077777")]);
    assert!(world.dialler.call(stranger, plan(Some(("NO_INTEREST", seconds(1))))));
    world.live(minutes(20)).await;
    let (from, until) = (world.now() - chrono::TimeDelta::days(1), world.now());
    let of_leads = world.ledger().results(Some("leads".into()), from, until).await.expect("a balance");
    assert_eq!(of_leads.of_others, [(CAMPAIGN, 1)].into(), "no record's of ours, in the route's campaign");
    let results = world.ledger().results(None, from, until).await.expect("a balance");
    assert_eq!(results.of_others, of_leads.of_others);
    let leads = &results.routes["leads"];
    assert!(leads.adds_up(), "{leads:?}");
    assert_eq!((leads.calls, leads.told, leads.held), (3, 1, 1), "{leads:?}");
    assert_eq!(leads.never.get("test_call"), Some(&1));
    let rows = world.ledger().results_missing(None, from, until, 10).await.expect("a list");
    assert_eq!(rows.len(), 3, "every call that is not there, with why; nobody's, too");
    let held = rows.iter().find(|row| row.state == "held").and_then(|row| row.id).expect("held");
    let word = ResultsWord::Discard { id: WriteBackId(held) };
    world.must(Command::Results { word, reason: "entered by hand".to_owned() }).await;
    let results = world.ledger().results(None, from, until).await.expect("a balance");
    assert!(results.routes["leads"].adds_up());
    assert_eq!(results.routes["leads"].never.get("discarded"), Some(&1));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_day_add_up_whose_calls_become_fields_alone() {
    let more = "[route.leads.results]\nNO_INTEREST = \"declined\"\n[route.leads.result_fields]\nlast_outcome = \"last_outcome\"\ncalls = \"calls\"\n";
    let world = World::new(Setup { more, ..setup("sim-id") }).await;
    let told = a_day(&world).await;
    let (from, until) = (world.now() - chrono::TimeDelta::days(1), world.now());
    let results = world.ledger().results(None, from, until).await.expect("a balance");
    let leads = &results.routes["leads"];
    assert!(leads.adds_up(), "{leads:?}");
    assert_eq!((leads.calls, leads.told, leads.held, leads.not_asked), (3, 1, 1, 0), "{leads:?}");
    assert_eq!(leads.never.get("test_call"), Some(&1));
    let rows = world.ledger().results_missing(None, from, until, 10).await.expect("a list");
    let states: Vec<_> = rows.iter().map(|row| (row.state.as_str(), row.id.is_some())).collect();
    assert_eq!(states, [("held", true), ("never", false)], "with the row that can be tried again");
    // She is called again while the CRM refuses her record: what is not in it is seen for her, too.
    world.editor().reject_writes(told, "a field is missing");
    assert!(world.dialler.call(world.contact(told).id, plan(Some(("NO_INTEREST", seconds(1))))));
    let _held = called(&world, "Cleo", "SALE").await;
    world.live(minutes(20)).await;
    let results = world.ledger().results(None, from, world.now()).await.expect("a balance");
    let leads = &results.routes["leads"];
    assert!(leads.adds_up() && leads.told == 0 && leads.parked == 2, "{leads:?}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_crm_that_says_no_to_everybody_asked_no_further() {
    let world = world("sim-id").await;
    let ids: Vec<u64> = (0..40).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        world.editor().reject_writes(*id, "a field is missing");
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.advance(minutes(5)).await;
    world.harvest().await.expect("a harvest");
    for _ in 0..5 {
        let said = world.write_back().await.expect_err("most are rejected");
        assert!(said.contains("rejects most"), "{said}");
        world.advance(minutes(5)).await;
    }
    assert!((20..30).contains(&world.crm_writes()), "{}", world.crm_writes());
    ids.iter().for_each(|id| world.editor().accept_writes(*id));
    let retry = ResultsWord::Retry { route: RouteName::from("leads"), again: Again::All };
    world.must(Command::Results { word: retry, reason: "the field is there now".to_owned() }).await;
    world.write_back().await.expect("a write-back");
    assert_eq!(world.crm.activities().len(), 40);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_crm_that_is_down_cost_no_result() {
    let world = world("sim-offset").await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    let down = Action::Status { code: 503, retry_after: RetryAfter::Seconds(30), effect: Effect::None };
    let until = world.now() + chrono::TimeDelta::minutes(70);
    world.crm.faults.add(Rule::new(down).between(world.now(), until));
    world.live(minutes(3 * 60)).await;
    assert_eq!(activities(&world, id).len(), 1, "{:?}", states(&world).await);
    assert_eq!(states(&world).await, []);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_call_told_again_by_a_ledger_that_was_restored() {
    for style in STYLES {
        let mut world = world(style).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let copy = |from: &std::path::Path, to: &std::path::Path| {
            std::fs::copy(from, to).expect("copied");
        };
        world.restart_after(|folder| copy(&folder.join("ledger.sqlite"), &folder.join("kept"))).await;
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
        world.live(minutes(10)).await;
        assert_eq!(activities(&world, id).len(), 1, "{style}");
        world.restart_after(|folder| copy(&folder.join("kept"), &folder.join("ledger.sqlite"))).await;
        world.live(minutes(5)).await;
        let (end, said) = world.command(Command::Takeover { confirmed: true }).await;
        assert_eq!(end, End::Done, "{said}");
        world.live(minutes(30)).await;
        let told = activities(&world, id);
        assert_eq!(told.len(), 1, "{style}\n{}", world.story().await);
        let in_doubt = ("activity".to_owned(), "parked".to_owned(), Some("in_doubt".to_owned()));
        assert_eq!(states(&world).await.contains(&in_doubt), style == "sim-page", "{style}");
        if style != "sim-page" {
            assert_eq!(states(&world).await, [], "{style}");
            world.assert_at_rest().await;
        }
        world.ends().await;
    }
}

/// While the rows of a page are told, a harvest brings the result: it must not be lost behind what was read before.
#[tokio::test(start_paused = true)]
async fn is_a_result_lost_that_comes_while_its_page_is_told() {
    let world = world("sim-id").await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("APPOINTMENT", minutes(3))))));
    }
    world.advance(minutes(2)).await;
    let slow = Action::Latency { before: seconds(5), after: seconds(5) };
    world.crm.faults.add(Rule::new(slow).path("/activities"));
    world.harvest().await.expect("a harvest");
    // The woken write-back is under way, ten seconds for each few of them, while the results are recorded and harvested.
    for _ in 0..20 {
        world.advance(seconds(15)).await;
        world.harvest().await.expect("a harvest");
    }
    world.live(minutes(10)).await;
    for id in &ids {
        assert!(subjects(&world, *id)[0].ends_with(": appointment"), "{:?}", subjects(&world, *id));
        assert_eq!(field(&world, *id, "last_outcome"), "appointment");
        assert_eq!(activities(&world, *id).len(), 1);
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_create_in_doubt_repeated_when_there_is_something_newer_to_tell() {
    // The result comes before it is parked, and afterwards.
    for after in [seconds(45), minutes(20)] {
        newer_than_a_create_in_doubt(after).await;
    }
}

async fn newer_than_a_create_in_doubt(after: Duration) {
    let world = world("sim-page").await;
    let id = world.record("Ada");
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, plan(Some(("APPOINTMENT", after)))));
    world.advance(seconds(40)).await;
    let rule = Rule::new(Action::Reset(Effect::Done)).path("/activities").method(http::Method::POST).times(1);
    world.crm.faults.add(rule);
    world.harvest().await.expect("a harvest");
    world.advance(seconds(45)).await;
    world.harvest().await.expect("a harvest");
    world.live(minutes(60)).await;
    assert_eq!(activities(&world, id).len(), 1, "{}", world.story().await);
    let leads = || RouteName::from("leads");
    let all = ResultsWord::Retry { route: leads(), again: Again::All };
    world.must(Command::Results { word: all, reason: String::new() }).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, id).len(), 1, "what is in doubt is for somebody to look at");
    let rows = open(&world).await;
    let parked = rows.iter().find(|row| row.state == "parked").expect("still parked");
    let one = ResultsWord::Retry { route: leads(), again: Again::Row(WriteBackId(parked.id)) };
    world.must(Command::Results { word: one, reason: "it is not there".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, id).len(), 2, "by a person's word");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_connector_that_shows_late_given_its_time_after_a_death() {
    for lag in [30, 55] {
        let crm = CrmSettings { activity_lag: seconds(lag), ..CrmSettings::default() };
        let mut world = World::new(Setup { crm, ..setup("sim-offset") }).await;
        let id = called(&world, "Ada", "NO_INTEREST").await;
        world.live(seconds(50)).await;
        let slow = Action::Latency { before: seconds(25), after: seconds(20) };
        world.crm.faults.add(Rule::new(slow).path("/activities").method(http::Method::POST).times(1));
        world.harvest().await.expect("a harvest");
        world.advance(seconds(1)).await;
        world.crash().await;
        world.live(minutes(15)).await;
        assert_eq!(activities(&world, id).len(), 1, "{lag}\n{}", world.story().await);
        world.ends().await;
    }
}

/// The look-up of one record never has a usable answer; the others are told.
#[tokio::test(start_paused = true)]
async fn does_a_look_up_that_fails_hold_up_everybody_else() {
    let world = world("sim-offset").await;
    let (ada, bert) = (called(&world, "Ada", "NO_INTEREST").await, world.record("Bert"));
    let hang_up =
        Rule::new(Action::Reset(Effect::None)).path("/activities").method(http::Method::POST).times(1);
    world.crm.faults.add(hang_up);
    world.live(minutes(3)).await;
    let no_answer = Rule::new(Action::Html(Effect::None)).method(http::Method::GET);
    world.crm.faults.add(no_answer.path(&format!("/{ada}/activities")));
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(bert).id, plan(Some(("NO_INTEREST", seconds(1))))));
    world.live(minutes(40)).await;
    assert_eq!(activities(&world, bert).len(), 1, "{}", world.story().await);
    assert!(!states(&world).await.is_empty(), "the other is still in doubt, or shown to a person");
    world.ends().await;
}

/// A field that the CRM does not know stops the route's telling; once that is mended, `retry` lets it go on though
/// nothing was parked.
#[tokio::test(start_paused = true)]
async fn does_the_brake_end_by_a_persons_word_also_where_nothing_is_parked() {
    let world = world("sim-id").await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        world.editor().reject_writes(*id, "a field is missing");
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("APPOINTMENT", minutes(30))))));
    }
    world.live(minutes(10)).await;
    ids.iter().for_each(|id| world.editor().accept_writes(*id));
    // The results come: every parked row waits again.
    world.live(minutes(60)).await;
    assert!(world.write_back().await.is_err(), "the brake holds");
    let retry = ResultsWord::Retry { route: RouteName::from("leads"), again: Again::All };
    world.must(Command::Results { word: retry, reason: "mended".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(world.crm.activities().len(), 30, "{:?}", states(&world).await);
    world.ends().await;
}
