//! Somebody says no on the telephone: who is not called any more, how soon, and until when?

use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, key, minutes, seconds};
use dialbridge::control::{Command, End, ResultsWord};
use dialbridge::domain::{BlockSubject, HistoryId, RecordId};
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

const NO: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted\"\n\
                  opt_out_results = [\"DO_NOT_CALL\"]";

fn heard() -> Setup {
    Setup { route_keys: NO, ..Setup::default() }
}

/// Somebody answers this contact's call and gives the result; everything of it can be read three minutes later.
fn says(world: &World, contact: i64, result: &str) {
    let plan = CallPlan::new(Outcome::Answered).result(result, seconds(20));
    assert!(world.dialler.call(contact, plan), "contact {contact} has no number");
}

/// Nothing of ours runs until shortly before the next harvest but one: whatever was said by then can be read.
async fn until_just_before_a_harvest(world: &World) {
    let into = u64::try_from(world.now().timestamp()).expect("after 1970") % 300;
    world.advance(seconds(600 - into) - seconds(5)).await;
}

/// What is blocked by results, in words.
async fn blocked(world: &World) -> Vec<String> {
    let rows = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    let mut words: Vec<String> = rows
        .iter()
        .map(|row| match &row.subject {
            BlockSubject::Record(key) => format!("{} record {}", row.source, key.id),
            other => format!("{} {}", row.source, other.spoken()),
        })
        .collect();
    words.sort();
    words
}

/// A person lifts everything that is blocked: a record's no, then that of its numbers.
async fn lift_everything(world: &World) {
    let mut rows = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    rows.sort_by_key(|row| matches!(row.subject, BlockSubject::Number(_)));
    for row in rows {
        let remove = Command::BlockRemove {
            client: row.client,
            subject: row.subject,
            source: Some(row.source),
            reason: "asked to be called".to_owned(),
        };
        let (end, said) = world.command(remove).await;
        assert_eq!(end, End::Done, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_whoever_says_no_locked_everywhere_within_a_minute_while_the_crm_is_down() {
    let world = World::new(Setup { more: WINBACK, ..heard() }).await;
    let (ada, her_husband, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(her_husband, json!({ "phone": phone }));
    let others = world.number(ada).trim_start_matches('+').to_owned();
    let others = world.dialler.put(OTHER, &[("Name", "Ada again"), ("PhoneNumber1", &others)]);
    world.sync_all().await;
    world.crm.faults.add(Rule::new(Action::Reset(Effect::None)));
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    says(&world, world.contact(carl).id, "NO_INTEREST");
    until_just_before_a_harvest(&world).await;
    let locked = |route: &str, id: u64| world.dialler.contacts_with(&format!("{route}-{id}"))[0].locked;
    assert!(!locked("leads", her_husband) && !locked("winback", ada), "nobody knows yet");
    world.live(seconds(35)).await;
    for route in ["leads", "winback"] {
        for (id, must) in [(ada, true), (her_husband, true), (carl, false)] {
            assert_eq!(locked(route, id), must, "{route} {id}\n{}", world.story().await);
        }
    }
    assert!(world.dialler.contact(others).expect("a contact").locked, "whosever it is");
    let number = world.number(ada);
    assert_eq!(
        blocked(&world).await,
        [format!("result:leads record {ada}"), format!("result:leads the number {number}")]
    );
    let told = world.told(ada).await;
    let call = &world.dialler.history(world.contact(ada).id)[0];
    let said = format!("said no in call {} of 2026-03-02: Nie wieder anrufen", call.id);
    assert!(told.contains(&said), "{told}");
    assert!(told.contains("agent 3"), "who heard it: {told}");
    world.crm.faults.clear();
    world.advance(minutes(5)).await;
    world.settle_down().await;
    world.assert_at_rest().await;
    assert!(locked("winback", ada) && locked("winback", her_husband));
}

#[tokio::test(start_paused = true)]
async fn is_a_no_in_a_call_for_one_client_none_to_another() {
    let neighbours = WINBACK.replace("only_if", "client = \"neighbour\"\nonly_if").leak();
    let world = World::new(Setup { more: neighbours, ..heard() }).await;
    let (ada, her_husband) = (world.record("Ada"), world.record("Bert"));
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(her_husband, json!({ "phone": phone }));
    world.sync_all().await;
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert!(world.locked(her_husband));
    for id in [ada, her_husband] {
        assert!(!world.dialler.contacts_with(&format!("winback-{id}"))[0].locked, "{id}");
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_of_a_contact_that_was_moved_before_its_result_came() {
    let world = World::new(Setup { more: WINBACK, ..heard() }).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    says(&world, contact, "DO_NOT_CALL");
    world.advance(seconds(100)).await;
    assert_eq!(world.dialler.history(contact)[0].result, None, "the row is there, its result is not");
    assert!(world.dialler.portal().move_to(contact, OTHER));
    until_just_before_a_harvest(&world).await;
    world.live(minutes(11)).await;
    assert_eq!(
        world.dialler.history(contact)[0].result,
        Some(5383),
        "a result of the campaign it was called in"
    );
    assert!(world.locked(ada), "{}", world.told(ada).await);
    assert!(world.dialler.contacts_with(&format!("winback-{ada}"))[0].locked);
    assert!(!world.locked(bert));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_of_a_route_that_left_the_config() {
    let words = "beside       = \"ignore\"\nopt_out_results = [\"DO_NOT_CALL\"]";
    let more: &str = WINBACK.replace("beside       = \"ignore\"", words).leak();
    let mut world = World::new(Setup { more, ..Setup::default() }).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    world.configure(&Setup::default()).await;
    // Nobody locked who stands there, and people are called still.
    let there = world.dialler.contacts_with(&format!("winback-{ada}"))[0].id;
    says(&world, there, "DO_NOT_CALL");
    world.advance(minutes(24 * 60)).await;
    world.live(minutes(11)).await;
    assert!(world.locked(ada), "{}", world.told(ada).await);
    assert!(world.dialler.contact(there).expect("a contact").locked);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_brought_in_anew_who_said_no() {
    let world = World::new(heard()).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    let again = world.record("Ada, bought once more");
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(again, json!({ "phone": phone }));
    // Nor by a number that she gets later: the record is blocked, not only its numbers.
    world.editor().edit(ada, json!({ "phone": "+49 30 99887766" }));
    world.settle_down().await;
    assert!(world.contacts(again).is_empty(), "{}", world.story().await);
    assert!(world.locked(ada));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_what_a_person_lifted_stay_lifted() {
    let mut world = World::new(heard()).await;
    let (ada, her_husband) = (world.record("Ada"), world.record("Bert"));
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(her_husband, json!({ "phone": phone }));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    says(&world, contact, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert!(world.locked(her_husband));
    lift_everything(&world).await;
    // Blocked or not: the result is final for whoever has the number, until a person lets them go.
    world.live(minutes(2)).await;
    assert!(world.locked(her_husband), "{}", world.story().await);
    let row = world.dialler.history(contact)[0].id;
    let word = ResultsWord::Reopen { call: HistoryId(row) };
    world.must(Command::Results { word, reason: "he asked for a call".to_owned() }).await;
    // The same call is read again, and again by a program that was started anew; its result is corrected and back.
    world.live(minutes(11)).await;
    assert!(!world.locked(her_husband), "{}", world.story().await);
    for result in ["SALE", "DO_NOT_CALL"] {
        assert!(world.dialler.portal().correct_result(contact, row, result));
        world.restart().await;
        world.ledger().harvest_everything().await.expect("written");
        world.live(minutes(11)).await;
        assert_eq!(blocked(&world).await, Vec::<String>::new(), "{result}");
        assert!(!world.locked(her_husband), "{result}");
    }
    let calls = world.ledger().calls_list(CallFilter::default(), 9).await.expect("calls");
    assert_eq!(calls[0].revision, 3, "the corrections were read: {calls:?}");
    // Another call is another word.
    says(&world, contact, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert!(world.locked(her_husband), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_corrected_result_make_and_end_a_no() {
    let world = World::new(heard()).await;
    let (ada, her_husband) = (world.record("Ada"), world.record("Bert"));
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(her_husband, json!({ "phone": phone }));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    says(&world, contact, "NO_INTEREST");
    world.live(minutes(11)).await;
    assert!(!world.locked(her_husband), "no interest is not never again");
    let row = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, row, "DO_NOT_CALL"));
    world.live(minutes(11)).await;
    assert!(world.locked(her_husband), "{}", world.story().await);
    assert!(world.dialler.portal().correct_result(contact, row, "NO_INTEREST"));
    world.settle_down().await;
    assert!(world.locked(her_husband), "only a person lifts it");
    assert_eq!(blocked(&world).await.len(), 2);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_by_its_number_where_only_numbers_are_known() {
    // Else the other result, which nobody named, would hold people out.
    let keys = "only_if = \"phone and active\"\nopt_out_results = [\"538/5383\"]\nunmapped_abort = \"pass\"";
    let dialler_keys = "release = \"3.39\"\nbatch_read = \"off\"";
    let world = World::new(Setup { route_keys: keys, dialler_keys, more: WINBACK, ..Setup::default() }).await;
    let (ada, carl) = (world.record("Ada"), world.record("Carl"));
    world.sync_all().await;
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    says(&world, world.contact(carl).id, "NO_INTEREST");
    world.live(minutes(11)).await;
    for (id, must) in [(ada, true), (carl, false)] {
        let found = world.dialler.contacts_with(&format!("winback-{id}"));
        assert_eq!(found[0].locked, must, "{id}\n{}", world.story().await);
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_whose_code_gets_its_name_later() {
    let off = "release = \"3.39\"\nbatch_read = \"off\"";
    let mut world = World::new(Setup { dialler_keys: off, more: WINBACK, ..heard() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert_eq!(blocked(&world).await, Vec::<String>::new(), "nobody knows what 5383 means");
    world.configure(&Setup { more: WINBACK, ..heard() }).await;
    says(&world, world.contact(berta).id, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    for id in [ada, berta] {
        assert!(world.dialler.contacts_with(&format!("winback-{id}"))[0].locked, "{}", world.story().await);
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_word_added_later_hold_for_earlier_calls_and_one_taken_away_free_nobody() {
    let mut world = World::new(Setup { more: WINBACK, ..Setup::default() }).await;
    let (ada, carl) = (world.record("Ada"), world.record("Carl"));
    world.sync_all().await;
    says(&world, world.contact(ada).id, "DO_NOT_CALL");
    says(&world, world.contact(carl).id, "NO_INTEREST");
    world.live(minutes(11)).await;
    let on_winback = |world: &World, id| world.dialler.contacts_with(&format!("winback-{id}"))[0].locked;
    assert!(!on_winback(&world, ada), "the route has no words");
    world.configure(&Setup { more: WINBACK, ..heard() }).await;
    world.live(seconds(61)).await;
    assert!(on_winback(&world, ada) && !on_winback(&world, carl), "{}", world.story().await);
    lift_everything(&world).await;
    world.live(minutes(2)).await;
    let more = NO.replace("\"DO_NOT_CALL\"", "\"DO_NOT_CALL\", \"Kein Interesse\"").leak();
    world.configure(&Setup { more: WINBACK, route_keys: more, ..Setup::default() }).await;
    world.live(minutes(2)).await;
    assert!(!on_winback(&world, ada), "she was heard once, and a person lifted it");
    assert!(on_winback(&world, carl), "{}", world.story().await);
    world.configure(&Setup { more: WINBACK, ..heard() }).await;
    world.live(minutes(11)).await;
    assert!(on_winback(&world, carl), "a word taken away frees nobody");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_kept_that_was_said_to_a_contact_before_it_was_ours() {
    let world = World::new(heard()).await;
    let ada = key(1);
    let theirs = [("Name", "Ada"), ("UserData", ada.as_str()), ("PhoneNumber1", "493077701")];
    let contact = world.dialler.put(CAMPAIGN, &theirs);
    says(&world, contact, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert_eq!(blocked(&world).await, ["result:leads the number +493077701"]);
    assert!(world.dialler.contact(contact).expect("a contact").locked, "{}", world.story().await);
    // She comes into the CRM, with another number.
    let id = world.record("Ada");
    assert_eq!(id, 1, "the test must make the record that the contact is");
    world.live(minutes(11)).await;
    assert_eq!(world.contact(id).id, contact, "it is taken over");
    let rows = blocked(&world).await;
    assert!(rows.contains(&"result:leads record 1".to_owned()), "{rows:?}");
    assert!(world.locked(id));
    // Another record with that number is nobody to call either.
    let husband = world.record("Bert");
    world.editor().edit(husband, json!({ "phone": world.editor().field(id, "phone").expect("a number") }));
    world.ledger().hints_add("leads".into(), vec![RecordId("2".into())], "test").await.expect("hints");
    world.live(minutes(11)).await;
    assert!(world.contacts(husband).is_empty(), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_harvest_that_hangs_and_fails_hold_up_whom_it_has_read() {
    let world = World::new(heard()).await;
    let ids: Vec<u64> = (0..130).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        says(&world, world.contact(*id).id, "DO_NOT_CALL");
    }
    until_just_before_a_harvest(&world).await;
    let locked = || ids.iter().filter(|id| world.locked(**id)).count();
    assert_eq!(locked(), 0);
    // A hundred are read at once; whoever asks for the others waits for ever.
    let hangs = Action::Latency { before: minutes(20), after: seconds(0) };
    let others = Rule::new(hangs).method(http::Method::POST).path_end("/dialler/contacts").skip(1);
    world.dialler.faults().add(others);
    world.live(seconds(60)).await;
    assert_eq!(locked(), 100, "{}", world.story().await);
    world.dialler.faults().clear();
    world.live(minutes(11)).await;
    assert_eq!(locked(), 130);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_what_was_lifted_before_a_contact_was_ours_stay_lifted() {
    let world = World::new(heard()).await;
    let ada = key(1);
    let theirs = [("Name", "Ada"), ("UserData", ada.as_str()), ("PhoneNumber1", "493077701")];
    let contact = world.dialler.put(CAMPAIGN, &theirs);
    says(&world, contact, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert_eq!(blocked(&world).await.len(), 1);
    lift_everything(&world).await;
    let id = world.record("Ada");
    world.live(minutes(11)).await;
    assert_eq!(world.contact(id).id, contact, "it is taken over");
    assert_eq!(blocked(&world).await, Vec::<String>::new());
    world.ends().await;
}
