//! Does the CRM learn where its records stand in the dialler, once for each change, and which numbers are invalid?

use super::write_back::field;
use crate::support::world::{CAMPAIGN, Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::{Command, WaveOrder};
use dialbridge::domain::Timestamp;
use dialbridge::domain::policy::Job;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use dialbridge::sim::journal::Asked;
use serde_json::{Value, json};

const KEYS: &str = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"";
const TOLD: &str = "[route.leads.status_fields]\nstanding = \"status ~ (': ' ~ reason if reason else '')\"\n\
                    phone_invalid = \"number1_invalid\"\nin_since = \"since\"\n\
                    [route.leads.result_fields]\ncalls = \"calls\"\n";

/// A call that finds out that the number is invalid.
fn dead() -> CallPlan {
    let mut dead = CallPlan::new(Outcome::InvalidNumber);
    (dead.ring, dead.talk, dead.row_delay) = (seconds(1), seconds(0), seconds(1));
    dead
}

#[tokio::test(start_paused = true)]
async fn is_the_crm_told_where_a_record_stands_and_which_number_is_invalid() {
    let world = World::new(Setup { route_keys: KEYS, more: TOLD, ..Setup::default() }).await;
    let (ada, bert, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    world.sync_all().await;
    world.live(minutes(2)).await;
    let of = |id| ["standing", "phone_invalid", "calls"].map(|name| field(&world, id, name));
    // Of calls nothing is said: there was none.
    assert_eq!(of(ada), [json!("callable"), Value::Null, Value::Null], "{}", world.story().await);
    assert!(field(&world, ada, "in_since").is_string());
    // Our own writes come back as changed records, and cost nothing.
    let (mark, written) = (world.mark(), world.editor().modified(ada));
    world.live(minutes(5)).await;
    assert_eq!((world.writes(mark), world.editor().modified(ada)), (vec![], written));

    world.editor().edit(ada, json!({ "do_not_call": true }));
    assert!(world.dialler.call(world.contact(bert).id, dead()));
    let declines = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30));
    assert!(world.dialler.call(world.contact(carl).id, declines));
    world.live(minutes(10)).await;
    world.editor().archive(carl, true);
    world.live(minutes(10)).await;
    let [standing, ..] = of(ada);
    assert!(standing.as_str().is_some_and(|text| text.starts_with("locked: ")), "{standing}");
    assert_eq!(of(bert)[1..], [json!(true), json!(1)], "{}", world.story().await);

    // Sales corrects the number: the dialler keeps the slot's mark, and it says nothing about the new one.
    world.editor().edit(bert, json!({ "phone": "030 2312 9999" }));
    // Carl is eligible again, and stays locked for another reason.
    world.editor().archive(carl, false);
    world.live(minutes(20)).await;
    let [standing, ..] = of(carl);
    assert!(
        standing.as_str().is_some_and(|text| text.starts_with("locked: its last result is final")),
        "{standing} {}",
        world.told(carl).await
    );
    assert_eq!(of(bert)[1], json!(false), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_told_when_a_contact_was_last_brought_up_to_date() {
    let more = "[route.leads.status_fields]\nstanding = \"status ~ ' ' ~ synced\"\n";
    let world = World::new(Setup { route_keys: KEYS, more, ..Setup::default() }).await;
    let id = world.record("Ada");
    let mut before = Value::Null;
    for name in ["Ada", "Ada B"] {
        world.editor().edit(id, json!({ "name": name }));
        world.sync_all().await;
        world.live(minutes(5)).await;
        let told = field(&world, id, "standing");
        assert!(
            told.as_str().is_some_and(|text| text.starts_with("callable 2026-")) && told != before,
            "{told}"
        );
        before = told;
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nobody_told_callable_who_is_back_and_not_unlocked_yet() {
    let keys = format!("{KEYS}\nmax_deleted_per_run = 1\n[route.leads.leave]\narchived = \"reset\"").leak();
    let world = World::new(Setup { route_keys: keys, more: TOLD, ..Setup::default() }).await;
    let ids = [world.record("Ada"), world.record("Berta")];
    world.sync_all().await;
    for away in [true, false] {
        ids.iter().for_each(|id| world.editor().archive(*id, away));
        world.live(minutes(40)).await;
    }
    let standing = || ids.map(|id| field(&world, id, "standing").as_str().unwrap_or_default().to_owned());
    assert!(ids.iter().all(|id| world.locked(*id)), "their resets wait for a person");
    let still = "locked: may be called again once the dialler is told so";
    assert!(standing().iter().all(|text| text.starts_with(still)), "{:?}", standing());
    let wave = world.ledger().waves_list(None, false).await.expect("waves")[0].id;
    let reason = "they go on where they stopped".to_owned();
    world.must(Command::Wave { wave, word: WaveOrder::Reject, reason }).await;
    world.live(minutes(40)).await;
    assert_eq!(standing(), ["callable", "callable"], "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_clerks_own_mark_of_an_invalid_number_left_alone() {
    let told = "[route.leads.result_fields]\ncalls = \"calls\"\n";
    let mut world = World::new(Setup { route_keys: KEYS, more: told, ..Setup::default() }).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.editor().edit(ada, json!({ "phone_invalid": true }));
    world.sync_all().await;
    world.configure(&Setup { route_keys: KEYS, more: TOLD, ..Setup::default() }).await;
    world.live(minutes(5)).await;
    assert_eq!(field(&world, ada, "standing"), json!("callable"), "{}", world.story().await);
    assert_eq!(field(&world, ada, "phone_invalid"), json!(true), "nobody of ours said so");
    // What we said ourselves is taken back.
    assert!(world.dialler.call(world.contact(bert).id, dead()));
    world.live(minutes(10)).await;
    assert_eq!(field(&world, bert, "phone_invalid"), json!(true), "{}", world.story().await);
    world.editor().edit(bert, json!({ "phone": "030 2312 9998" }));
    world.live(minutes(20)).await;
    assert_eq!(field(&world, bert, "phone_invalid"), json!(false), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_mark_of_ours_taken_back_whose_telling_lost_its_answer() {
    let world = World::new(Setup { route_keys: KEYS, more: TOLD, ..Setup::default() }).await;
    let bert = world.record("Bert");
    world.sync_all().await;
    world.live(minutes(5)).await;
    let lost = Rule::new(Action::Reset(Effect::Done)).path(&format!("/api/contacts/{bert}"));
    let lost = world.crm.faults.add(lost);
    assert!(world.dialler.call(world.contact(bert).id, dead()));
    world.live(minutes(6)).await;
    assert_eq!(field(&world, bert, "phone_invalid"), json!(true), "{}", world.story().await);
    // Corrected before any telling came back as done.
    world.editor().edit(bert, json!({ "phone": "030 2312 9997" }));
    world.sync_all().await;
    world.crm.faults.remove(lost);
    world.live(minutes(30)).await;
    assert_eq!(field(&world, bert, "phone_invalid"), json!(false), "{}", world.story().await);
    world.assert_at_rest().await;
}

/// Somebody else dialled the contact before we came to know it.
#[tokio::test(start_paused = true)]
async fn is_a_mark_told_that_was_there_before_its_contact_was_ours() {
    let more = "[route.leads.status_fields]\nstanding = \"status\"\nphone_invalid = \"number1_invalid\"\n\
                in_since = \"number1_invalid_since\"\ncalls = \"number1_invalid_cause\"\n";
    let world = World::new(Setup { route_keys: KEYS, more, ..Setup::default() }).await;
    let first = world.record("Bert");
    world.sync_all().await;
    // With a second number, so that the first one's end is not hers.
    let (user_data, numbers) = (key(first + 1), ["493023125002", "493023125999"]);
    let contact = world.dialler.put(
        CAMPAIGN,
        &[
            ("Name", "Ada"),
            ("UserData", &user_data),
            ("PhoneNumber1", numbers[0]),
            ("PhoneNumber2", numbers[1]),
        ],
    );
    assert!(world.dialler.call(contact, dead()));
    // Nobody looks meanwhile: it is marked when it is first seen.
    world.advance(minutes(5)).await;
    world.live(minutes(20)).await;
    let (before, id) = (world.now(), world.record("Ada"));
    assert_eq!((id, world.number(id).as_str()), (first + 1, "+493023125002"));
    world.live(minutes(20)).await;
    assert_eq!(world.contact(id).id, contact);
    assert_eq!(field(&world, id, "phone_invalid"), json!(true), "{}", world.story().await);
    assert_eq!(field(&world, id, "calls"), json!(1), "its cause code");
    let since = field(&world, id, "in_since");
    let known = since.as_str().and_then(|since| since.parse::<Timestamp>().ok());
    assert!(known.is_some_and(|since| since < before), "{since}");
    world.assert_at_rest().await;
}

/// A call with a result that nobody mapped cannot be told; where the record stands is no news because of that.
#[tokio::test(start_paused = true)]
async fn is_where_a_record_stands_told_again_because_its_calls_cannot_be_told() {
    let more = "[route.leads.status_fields]\nstanding = \"status\"\n\
                [route.leads.result_fields]\nlast_outcome = \"last_outcome\"\n\
                [route.leads.results]\nCALL_LATER = \"again\"\n";
    let world = World::new(Setup { route_keys: KEYS, more, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let called = async |result| {
        let mut plan = CallPlan::new(Outcome::Answered).result(result, seconds(1));
        (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(30), seconds(1));
        assert!(world.dialler.call(world.contact(id).id, plan));
        world.live(minutes(20)).await;
    };
    called("CALL_LATER").await;
    let of = |name| field(&world, id, name);
    assert_eq!([of("standing"), of("last_outcome")], [json!("callable"), json!("again")]);
    let told = world.crm_writes();
    called("APPOINTMENT").await;
    assert_eq!(of("standing"), json!("callable"), "{}", world.story().await);
    assert_eq!(world.crm_writes(), told, "{}", world.story().await);
    // It is when it changes, and the calls still are not.
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.live(minutes(10)).await;
    assert_eq!([of("standing"), of("last_outcome")], [json!("locked"), json!("again")]);
    world.assert_at_rest().await;
}

const ASIDE: &str = "only_if = \"active\"\nwrite_back = \"* * * * *\"";
const NO_TOLD: &str = "[route.leads.status_fields]\nstanding = \"status ~ (': ' ~ reason if reason else '')\"\n\
                       [route.leads.block_fields]\ndo_not_call = \"true\"\n";

/// One has no usable number, one no name, one said no before she ever came, and one is not the route's business.
async fn aside(world: &World) -> [u64; 4] {
    let [ada, bert, carla, dora] = ["Ada", "Bert", "Carla", "Dora"].map(|name| world.record(name));
    world.editor().edit(ada, json!({ "phone": "none" }));
    world.editor().edit(bert, json!({ "name": "" }));
    world.block_number(&world.number(carla)).await;
    world.editor().archive(dora, true);
    [ada, bert, carla, dora]
}

#[tokio::test(start_paused = true)]
async fn is_it_told_of_records_that_never_came_to_the_dialler_once_and_why() {
    let world = World::new(Setup { route_keys: ASIDE, more: NO_TOLD, ..Setup::default() }).await;
    let [ada, bert, carla, dora] = aside(&world).await;
    world.live(minutes(5)).await;
    let of = |id| field(&world, id, "standing");
    let stands = |id, begins: &str| of(id).as_str().is_some_and(|told| told.starts_with(begins));
    for (id, begins) in
        [(ada, "absent: no usable phone"), (bert, "absent: "), (carla, "absent: must not be called")]
    {
        assert!(stands(id, begins), "{} {}", of(id), world.told(id).await);
    }
    assert_eq!(of(dora), Value::Null, "whom the route's conditions leave out is not told of");
    assert!(world.dialler.is_empty());
    let told = world.crm_writes();
    world.live(minutes(20)).await;
    assert_eq!(world.crm_writes(), told, "once: {}", world.story().await);

    // A no comes for somebody whom a missing name keeps out: the ledger knows the number.
    world.block_number(&world.number(bert)).await;
    let mark = world.crm.journal.mark();
    world.write_back().await.expect("a write-back");
    assert_eq!(field(&world, bert, "do_not_call"), json!(true), "{}", world.story().await);
    assert!(stands(bert, "absent: must not be called"), "{}", of(bert));
    // But for the look at what is written over.
    let reads = |asked: &Asked| !asked.kind.write && asked.kind.name != "by_ids";
    let asked = world.crm.journal.requests_where(|asked| asked.seq >= mark && reads(asked));
    assert!(asked.is_empty(), "though no pull ran: {asked:?}");

    // She gets a number and is imported.
    world.editor().edit(ada, json!({ "phone": "030 2312 9999" }));
    world.live(minutes(20)).await;
    assert_eq!(of(ada), json!("callable"), "{}", world.told(ada).await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_told_of_those_who_stood_aside_before_the_route_began_to_tell() {
    let world = |more| Setup { route_keys: ASIDE, more, ..Setup::default() };
    let mut before = World::new(world("[route.leads.result_fields]\ncalls = \"calls\"\n")).await;
    let [ada, bert, carla, dora] = aside(&before).await;
    before.live(minutes(5)).await;
    let of = |world: &World, id| field(world, id, "standing");
    assert_eq!(of(&before, ada), Value::Null);
    before.configure(&world(NO_TOLD)).await;
    before.live(minutes(5)).await;
    let told = [ada, bert, carla]
        .map(|id| of(&before, id).as_str().is_some_and(|told| told.starts_with("absent: ")));
    assert_eq!(told, [true; 3], "{}", before.story().await);
    assert_eq!(of(&before, dora), Value::Null);
    before.assert_at_rest().await;
}

/// What a call said goes after its time; where its record stands is news all the same.
#[tokio::test(start_paused = true)]
async fn is_where_a_record_stands_told_whose_calls_are_erased() {
    let world = World::new(Setup { route_keys: KEYS, more: TOLD, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let plan = CallPlan::new(Outcome::Answered).result("CALL_LATER", seconds(30));
    assert!(world.dialler.call(world.contact(id).id, plan));
    world.live(minutes(20)).await;
    let of = || ["standing", "calls"].map(|name| field(&world, id, name));
    assert_eq!(of(), [json!("callable"), json!(1)], "{}", world.story().await);
    assert_eq!(world.ledger().calls_erase(TimeDelta::zero()).await.expect("erased"), 1);
    world.editor().edit(id, json!({ "do_not_call": true }));
    world.live(minutes(10)).await;
    let [standing, calls] = of();
    assert!(standing.as_str().is_some_and(|text| text.starts_with("locked: ")), "{standing}");
    assert_eq!(calls, json!(1), "the CRM keeps what it was told of the call");
    let told = world.crm_writes();
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(10)).await;
    assert_eq!(world.crm_writes(), told, "once: {}", world.story().await);
    world.assert_at_rest().await;
}

/// What follows from calls is told of those since the route's calls go back (users 10), whatever else the record's row is there for.
#[tokio::test(start_paused = true)]
async fn is_nothing_told_of_calls_before_or_of_nobodys_calls_because_the_row_is_there_for_another_thing() {
    let mut world = World::usual().await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    for id in [ada, bert] {
        world.editor().edit(id, json!({ "calls": 7 }));
    }
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(ada).id, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(20)).await;
    let two_way = "[route.leads.two_way]\nCity = \"crm\"\n[route.leads.block_fields]\nno_to = \"source\"\n";
    let more: &'static str = format!("{TOLD}{two_way}").leak();
    world.configure(&Setup { route_keys: KEYS, more, ..Setup::default() }).await;
    world.live(minutes(10)).await;
    assert!(world.dialler.portal().edit(world.contact(bert).id, "City", "Hof"));
    world.block_number(&world.number(ada)).await;
    world.live(minutes(20)).await;
    for id in [ada, bert] {
        assert_ne!(field(&world, id, "standing"), json!(null), "{}", world.story().await);
        assert_eq!(field(&world, id, "calls"), json!(7), "{}", world.story().await);
    }
    assert_eq!((field(&world, bert, "city"), field(&world, ada, "no_to")), (json!("Hof"), json!("operator")));
    // The next call tells of all there were.
    assert!(world.dialler.call(world.contact(bert).id, CallPlan::new(Outcome::NoAnswer)));
    world.live(minutes(20)).await;
    assert_eq!(field(&world, bert, "calls"), json!(1), "{}", world.story().await);
    world.ends().await;
}

/// A clean-up: of whom the CRM has no more it need not be told where they stand.
#[tokio::test(start_paused = true)]
async fn does_a_clean_up_in_the_crm_stop_the_telling() {
    let world = World::new(Setup { route_keys: KEYS, more: TOLD, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..60).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.live(minutes(10)).await;
    for id in &ids[..19] {
        world.editor().delete(*id);
    }
    let route = Some("leads".into());
    world.must(Command::Sync { job: Some(Job::Pull), route, full: true }).await;
    world.live(minutes(60)).await;
    assert_eq!(ids.iter().filter(|id| world.locked(**id)).count(), 19, "{}", world.story().await);
    let asked = world
        .crm
        .journal
        .requests()
        .iter()
        .filter(|asked| asked.answered.as_ref().is_some_and(|answer| answer.status == Some(404)))
        .count();
    assert_eq!(asked, 0);
    world.ends().await;
}
