//! Whom do the other routes of a client leave alone because of a call, and for how long?

use super::write_back::{KEYS, TOLD, plan};
use crate::support::world::{CAMPAIGN, Setup, WINBACK, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, ResultsWord};
use dialbridge::domain::{ContactId, HistoryId, RouteName};
use dialbridge::ledger::{LeftOut, Listing};
use dialbridge::sim::dialler::{DiallerConfig, SimContact};
use serde_json::json;
use std::sync::Arc;

fn setup(route_keys: &str, words: &str) -> Setup {
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let more = TOLD.replace("CALL_LATER", &format!("{words}\nCALL_LATER"));
    Setup {
        route_keys: leak(format!("{KEYS}\n{route_keys}")),
        more: leak(format!("{more}{WINBACK}")),
        ..Setup::default()
    }
}

fn on(world: &World, route: &str, id: u64) -> Option<Arc<SimContact>> {
    world.dialler.contacts_with(&format!("{route}-{id}")).first().cloned()
}

fn locked(world: &World, route: &str, id: u64) -> bool {
    on(world, route, id).expect("a contact").locked
}

/// Somebody is called on route `leads` and gives this result at once; answers the call's number.
async fn says(world: &World, id: u64, result: &str) -> i64 {
    let contact = world.contact(id).id;
    assert!(world.dialler.call(contact, plan(Some((result, seconds(1))))));
    world.advance(seconds(40)).await;
    world.dialler.history(contact).last().expect("a call").id
}

async fn why(world: &World, route: &str, id: u64) -> String {
    let route = Some(RouteName::from(route));
    let left = world.ledger().left_out_list(LeftOut::Skipped, route, Listing::All, 100).await;
    let of = left.expect("a list").into_iter().find(|item| item.record == Some(id.to_string()));
    of.map(|item| item.reason.to_string()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn is_whoever_was_called_for_a_route_that_left_the_config_left_alone_by_the_others() {
    let rule = "cool_off     = { days = 90, after = [\"done\"], across = \"client\" }\nbeside ";
    let mut world =
        World::new(Setup { more: WINBACK.replacen("beside ", rule, 1).leak(), ..Setup::default() }).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    world.configure(&Setup::default()).await;
    // Nobody locked who stands there, and people are called still.
    let there = on(&world, "winback", ada).expect("a contact").id;
    assert!(world.dialler.call(there, plan(Some(("SALE", seconds(1))))));
    world.live(minutes(40)).await;
    assert!(locked(&world, "leads", ada), "{}", world.told(ada).await);
    assert!(!locked(&world, "leads", bert));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_got_a_result_that_nobody_mapped_left_alone_until_it_is_mapped() {
    let mut world = World::new(setup("", "")).await;
    let (ada, bert, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    world.sync_all().await;
    let call = says(&world, ada, "DO_NOT_CALL").await;
    says(&world, bert, "SALE").await;
    says(&world, carl, "NO_INTEREST").await;
    world.live(minutes(20)).await;
    for (id, held) in [(ada, true), (bert, false), (carl, false)] {
        assert_eq!(locked(&world, "winback", id), held, "{id}\n{}", world.story().await);
        assert!(!locked(&world, "leads", id), "her own route goes by its own rules");
    }
    let said = why(&world, "winback", ada).await;
    let expected =
        format!("held out: call {call} of 2026-03-02 on route leads ended with Nie wieder anrufen");
    assert!(said.starts_with(&expected), "{said}");

    // The same person under another record: not even imported.
    let again = world.record("Ada again");
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(again, json!({ "phone": phone }));
    world.live(minutes(5)).await;
    assert!(on(&world, "winback", again).is_none(), "{}", why(&world, "winback", again).await);
    let mark = world.mark();
    world.live(minutes(10)).await;
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "deciding it once is enough");

    world.configure(&setup("", "DO_NOT_CALL = \"never again\"")).await;
    world.live(minutes(10)).await;
    assert!(!locked(&world, "winback", ada), "{}", world.told(ada).await);
    assert!(on(&world, "winback", again).is_some(), "{}", world.told(again).await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_person_or_another_result_end_it() {
    let world = World::new(setup("", "")).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    let call = says(&world, ada, "DO_NOT_CALL").await;
    let corrected = says(&world, bert, "MAX_TRIES").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada) && locked(&world, "winback", bert));
    let word = ResultsWord::Release { call: HistoryId(call) };
    let said = world.must(Command::Results { word, reason: "a wrong click".to_owned() }).await;
    assert!(said.contains("1 records"), "{said}");
    assert!(world.dialler.portal().correct_result(world.contact(bert).id, corrected, "NO_INTEREST"));
    world.live(minutes(90)).await;
    for id in [ada, bert] {
        assert!(!locked(&world, "winback", id), "{}", world.told(id).await);
    }
    let word = ResultsWord::Release { call: HistoryId(4711) };
    let (_, said) = world.command(Command::Results { word, reason: "who".to_owned() }).await;
    assert!(said.contains("no call 4711"), "{said}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_nobody_who_wants_it_so_hold_anybody_out() {
    let world = World::new(setup("unmapped_abort = \"pass\"", "")).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    says(&world, ada, "DO_NOT_CALL").await;
    world.live(minutes(20)).await;
    assert!(!locked(&world, "winback", ada));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_it_begin_with_the_first_result_that_is_a_no_though_the_crm_is_told_of_none() {
    let world = World::new(Setup {
        route_keys: "only_if = \"phone and active\"\nopt_out_results = [\"DO_NOT_CALL\"]",
        more: WINBACK,
        ..Setup::default()
    })
    .await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    says(&world, ada, "NO_INTEREST").await;
    says(&world, bert, "SALE").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada) && !locked(&world, "winback", bert), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_declined_left_alone_where_no_type_of_a_result_is_known() {
    let dialler = DiallerConfig { batch_read: false, ..DiallerConfig::default() };
    let keys = "cool_off = { days = 2, after = [\"abort\"], across = \"client\" }";
    let world = World::new(Setup { dialler, ..setup(keys, "\"538/5382\" = \"declined\"") }).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    says(&world, ada, "NO_INTEREST").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada) && !locked(&world, "winback", bert), "{}", world.story().await);
    assert!(
        why(&world, "winback", ada).await.starts_with("left alone until 2026-03-04"),
        "{}",
        why(&world, "winback", ada).await
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_somebody_left_alone_for_as_long_as_the_route_says() {
    let keys = "cool_off = { days = 2, after = [\"abort\"], across = \"client\" }";
    let world = World::new(setup(keys, "")).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    let call = says(&world, ada, "NO_INTEREST").await;
    says(&world, bert, "APPOINTMENT").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada) && !locked(&world, "winback", bert), "{}", world.story().await);
    let said = why(&world, "winback", ada).await;
    let expected = format!(
        "left alone until 2026-03-04: call {call} of 2026-03-02 on route leads ended with Kein Interesse"
    );
    assert_eq!(said, expected);
    for (hours, held) in [(24, true), (24, true), (24, false)] {
        world.advance(minutes(hours * 60)).await;
        world.sync_all().await;
        world.sync_all().await;
        assert_eq!(locked(&world, "winback", ada), held, "{}\n{}", world.now(), world.told(ada).await);
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_somebody_left_alone_by_the_number_that_was_called_once_their_record_has_another() {
    let world =
        World::new(setup("cool_off = { days = 2, after = [\"abort\"], across = \"client\" }", "")).await;
    let ada = world.record("Ada");
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.sync_all().await;
    let call = says(&world, ada, "NO_INTEREST").await;
    world.live(minutes(20)).await;
    world.editor().edit(ada, json!({ "phone": "+49 30 23125 999" }));
    world.live(minutes(20)).await;
    let bought = world.record("Bought");
    world.editor().edit(bought, json!({ "phone": phone }));
    world.live(minutes(10)).await;
    assert!(on(&world, "winback", bought).is_none(), "{}", world.story().await);
    let said = why(&world, "winback", bought).await;
    assert!(said.starts_with(&format!("left alone until 2026-03-04: call {call}")), "{said}");
    for _ in 0..3 {
        world.advance(minutes(24 * 60)).await;
        world.sync_all().await;
        world.sync_all().await;
    }
    assert!(on(&world, "winback", bought).is_some(), "{}", world.told(bought).await);
    world.ends().await;
}

/// A record's contact on route `leads` is called on the number that its record had until a moment ago.
#[tokio::test(start_paused = true)]
async fn is_whoever_has_the_number_that_was_called_held_out_at_once() {
    let world = World::new(setup("", "")).await;
    let (ada, bought) = (world.record("Ada"), world.record("Bought"));
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.sync_all().await;
    world.editor().edit(ada, json!({ "phone": "+49 30 23125 999" }));
    says(&world, ada, "DO_NOT_CALL").await;
    world.editor().edit(bought, json!({ "phone": phone }));
    world.pull().await.expect("a pull");
    assert!(!locked(&world, "winback", bought), "nobody knows of the call yet");
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", bought), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_was_held_out_decided_anew_once_a_person_resets_the_contact_that_was_called() {
    let world = World::new(setup("", "")).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    says(&world, ada, "DO_NOT_CALL").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada), "{}", world.story().await);
    let (contact, act) = (ContactId(world.contact(ada).id), ContactAct::Reset);
    world.must(Command::Contact { contact, act, reason: "asked us".to_owned() }).await;
    world.live(minutes(10)).await;
    assert!(!locked(&world, "winback", ada), "{}", world.told(ada).await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_waits_for_a_person_because_of_a_changed_condition_held_out_all_the_same() {
    let usual = setup("", "");
    let mut world = World::new(setup("", "")).await;
    let ada = world.record("Ada");
    world.editor().edit(ada, json!({ "stage": "old" }));
    world.sync_all().await;
    world.advance(minutes(20)).await;
    world.sync_all().await;
    let condition = "only_if      = \"phone and active\"";
    let narrower = "only_if      = \"phone and active and stage == 'new'\"\nmax_locked_by_scope = 0";
    let more: &'static str = usual.more.replace(condition, narrower).leak();
    world.configure(&Setup { more, ..usual }).await;
    world.live(minutes(10)).await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!((waves.len(), locked(&world, "winback", ada)), (1, false), "{}", world.story().await);
    says(&world, ada, "DO_NOT_CALL").await;
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada), "{}", world.story().await);
    world.ends().await;
}

/// Somebody in the campaign who is nobody's record: the same person is a record of the other route.
#[tokio::test(start_paused = true)]
async fn is_whoever_got_such_a_result_as_a_contact_of_nobody_left_alone_by_the_other_routes() {
    let mut world =
        World::new(setup("cool_off = { days = 90, after = [\"done\"], across = \"client\" }", "")).await;
    let (ada, bert, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    for id in [ada, bert, carl] {
        world.editor().archive(id, true);
    }
    let campaign = CAMPAIGN;
    let strangers = [ada, bert, carl].map(|id| {
        world.dialler.put(campaign, &[("Name", "from a CSV"), ("PhoneNumber1", &world.number(id)[1..])])
    });
    world.sync_all().await;
    let mut call_of_ada = 0;
    for (stranger, result) in strangers.into_iter().zip(["DO_NOT_CALL", "SALE", "CALL_LATER"]) {
        assert!(world.dialler.call(stranger, plan(Some((result, seconds(1))))));
        world.advance(seconds(40)).await;
        if call_of_ada == 0 {
            call_of_ada = world.dialler.history(stranger).last().expect("a call").id;
        }
    }
    world.live(minutes(20)).await;
    for id in [ada, bert, carl] {
        world.editor().archive(id, false);
    }
    world.live(minutes(5)).await;
    for (id, held) in [(ada, true), (bert, true), (carl, false)] {
        assert_eq!(
            on(&world, "winback", id).is_none(),
            held,
            "{id} {}\n{}",
            why(&world, "winback", id).await,
            world.story().await
        );
    }
    // A person lets one of them go, a word the other two.
    let word = ResultsWord::Release { call: HistoryId(call_of_ada) };
    world.must(Command::Results { word, reason: "a wrong click".to_owned() }).await;
    world.live(minutes(10)).await;
    assert!(on(&world, "winback", ada).is_some(), "{}", why(&world, "winback", ada).await);
    world.configure(&setup("", "")).await;
    world.live(minutes(10)).await;
    assert!(on(&world, "winback", bert).is_some(), "{}", why(&world, "winback", bert).await);
    world.ends().await;
}

/// Somebody whom the other route calls already, held out by a result of a contact of nobody with her number.
async fn held_by_a_stranger() -> (World, u64, i64) {
    let world = World::new(setup("", "")).await;
    let ada = world.record("Ada");
    world.editor().edit(ada, json!({ "phone": "+49 30 23125 777" }));
    let number = "493023125777";
    let stranger = world.dialler.put(CAMPAIGN, &[("Name", "from a CSV"), ("PhoneNumber1", number)]);
    world.sync_all().await;
    assert!(!locked(&world, "winback", ada));
    assert!(world.dialler.call(stranger, plan(Some(("DO_NOT_CALL", seconds(1))))));
    world.live(minutes(20)).await;
    assert!(locked(&world, "winback", ada), "{}", world.story().await);
    (world, ada, stranger)
}

/// The same, for whom the other route calls already.
#[tokio::test(start_paused = true)]
async fn is_whoever_is_called_already_held_out_once_a_contact_of_nobody_gets_such_a_result() {
    let (world, ada, stranger) = held_by_a_stranger().await;
    let call = world.dialler.history(stranger)[0].id;
    assert!(world.dialler.portal().correct_result(stranger, call, "CALL_LATER"));
    world.live(minutes(90)).await;
    assert!(!locked(&world, "winback", ada), "{}", world.story().await);
    world.ends().await;
}

/// A person's reset says that what was said before binds nobody any more, whoever's contact it is.
#[tokio::test(start_paused = true)]
async fn is_whoever_a_contact_of_nobody_holds_out_let_go_once_a_person_resets_that_contact() {
    let (world, ada, stranger) = held_by_a_stranger().await;
    let (contact, act) = (ContactId(stranger), ContactAct::Reset);
    world.must(Command::Contact { contact, act, reason: "a wrong click".to_owned() }).await;
    world.live(minutes(60)).await;
    assert!(!locked(&world, "winback", ada), "{}", world.story().await);
    world.ends().await;
}
