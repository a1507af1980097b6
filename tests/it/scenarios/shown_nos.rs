//! The list shows a no beside a contact whose calls cannot be read: is it heard, once, and what stays of it later?

use super::write_back::field;
use crate::support::world::{Setup, WINBACK, World, minutes, seconds};
use dialbridge::control::{Command, End};
use dialbridge::domain::BlockSubject;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

const KEYS: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted\"\n\
                    opt_out_results = [\"DO_NOT_CALL\"]\nwrite_back = \"* * * * *\"";
const TOLD: &str = "[route.leads.block_fields]\ndo_not_call = \"true\"\n";

fn setup() -> Setup {
    let more: &str = format!("{TOLD}{WINBACK}").leak();
    let mut setup = Setup { connector: "sim-id", route_keys: KEYS, more, ..Setup::default() };
    setup.dialler.result_in_list = true;
    setup
}

fn says(world: &World, id: u64, result: &str) {
    let plan = CallPlan::new(Outcome::Answered).result(result, seconds(20));
    assert!(world.dialler.call(world.contact(id).id, plan));
}

/// Lists are answered, calls are not.
fn no_call_can_be_read(world: &World) {
    let fails = || Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(fails()).method(http::Method::POST).path_end("/dialler/contacts"));
    world.dialler.faults().add(Rule::new(fails()).path("/history"));
}

/// A house that knows the word by its name, in which Ada says no and only the list shows it.
async fn shown() -> (World, u64) {
    let world = World::new(setup()).await;
    let (ada, carl) = (world.record("Ada"), world.record("Carl"));
    world.sync_all().await;
    says(&world, carl, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    no_call_can_be_read(&world);
    says(&world, ada, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    (world, ada)
}

async fn why(world: &World, id: u64) -> Vec<String> {
    let rows = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    let number = BlockSubject::Number(world.number(id));
    let of = |subject: &BlockSubject| match subject {
        BlockSubject::Record(key) => key.id.as_str() == id.to_string(),
        other => *other == number,
    };
    rows.iter().filter(|row| of(&row.subject)).map(|row| row.reason.to_string()).collect()
}

fn on_winback(world: &World, id: u64) -> bool {
    world.dialler.contacts_with(&format!("winback-{id}"))[0].locked
}

async fn lift(world: &World, id: u64) {
    let mut rows = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    rows.retain(|row| row.reason.to_string().contains(&format!("contact {}", world.contact(id).id)));
    rows.sort_by_key(|row| matches!(row.subject, BlockSubject::Number(_)));
    for row in rows {
        let (client, reason) = (row.client, "asked to be called".to_owned());
        let lift = Command::BlockRemove { client, subject: row.subject, source: None, reason };
        let (end, said) = world.command(lift).await;
        assert_eq!(end, End::Done, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_that_only_the_list_shows_and_told_once() {
    let (world, ada) = shown().await;
    assert!(world.locked(ada) && on_winback(&world, ada), "{}", world.story().await);
    let reasons = why(&world, ada).await;
    assert!(reasons.len() == 2 && reasons.iter().all(|why| why.contains("the dialler shows")), "{reasons:?}");
    assert_eq!(field(&world, ada, "do_not_call"), json!(true), "{}", world.story().await);
    let (told, mark) = (world.crm_writes(), world.mark());

    world.dialler.faults().clear();
    world.live(minutes(40)).await;
    let call = world.dialler.history(world.contact(ada).id)[0].id;
    let reasons = why(&world, ada).await;
    let said = format!("said no in call {call} of ");
    assert!(reasons.len() == 2 && reasons.iter().all(|why| why.contains(&said)), "{reasons:?}");
    assert_eq!(world.crm_writes(), told, "the CRM knows it already");
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "locked is locked");
    assert!(world.told(ada).await.contains(&said));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_no_that_the_list_showed_stay_lifted_when_its_call_is_read() {
    let (world, ada) = shown().await;
    lift(&world, ada).await;
    assert_eq!(why(&world, ada).await, Vec::<String>::new());
    world.live(minutes(11)).await;
    assert_eq!(why(&world, ada).await, Vec::<String>::new(), "the list shows it still");
    world.dialler.faults().clear();
    world.live(minutes(60)).await;
    assert_eq!(why(&world, ada).await, Vec::<String>::new(), "its call says nothing else");
    // Another call is another word.
    no_call_can_be_read(&world);
    assert!(world.dialler.portal().reset(world.contact(ada).id));
    world.live(minutes(6)).await;
    says(&world, ada, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert_eq!(why(&world, ada).await.len(), 2, "{}", world.story().await);
    assert!(on_winback(&world, ada));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_that_was_corrected_before_its_call_could_be_read_left_to_a_person() {
    let (world, ada) = shown().await;
    let contact = world.contact(ada).id;
    let row = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, row, "NO_INTEREST"));
    world.dialler.faults().clear();
    world.live(minutes(30)).await;
    assert!(on_winback(&world, ada), "only a person lifts it");
    world.advance(minutes(26 * 60)).await;
    let status = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now());
    let said = status.await.expect("a status");
    assert!(said.contains("1 contacts are blocked because the dialler showed a result"), "{said}");
    lift(&world, ada).await;
    let status = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now());
    assert!(!status.await.expect("a status").contains("because the dialler showed"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_heard_that_the_list_showed_before_it_was_known_as_one() {
    let mut world = World::new(setup()).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    no_call_can_be_read(&world);
    says(&world, ada, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    assert!(!on_winback(&world, ada), "nobody knows what 5383 means");
    let route_keys = KEYS.replace("\"DO_NOT_CALL\"", "\"538/5383\"").leak();
    world.configure(&Setup { route_keys, ..setup() }).await;
    world.live(seconds(61)).await;
    assert!(world.locked(ada) && on_winback(&world, ada), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_that_was_corrected_and_corrected_back_its_calls_word_once_that_can_be_read() {
    let world = World::new(setup()).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    says(&world, ada, "DO_NOT_CALL");
    world.live(minutes(11)).await;
    let contact = world.contact(ada).id;
    let row = world.dialler.history(contact)[0].id;
    assert!(world.dialler.portal().correct_result(contact, row, "NO_INTEREST"));
    world.live(minutes(30)).await;
    no_call_can_be_read(&world);
    assert!(world.dialler.portal().correct_result(contact, row, "DO_NOT_CALL"));
    world.live(minutes(11)).await;
    world.dialler.faults().clear();
    world.live(minutes(30)).await;
    assert!(on_winback(&world, ada), "{}", world.story().await);
    world.advance(minutes(26 * 60)).await;
    let status = dialbridge::cli::status_told(&world.settings, world.ledger(), world.now());
    let said = status.await.expect("a status");
    assert!(!said.contains("because the dialler showed"), "its call says so: {said}");
    world.ends().await;
}
