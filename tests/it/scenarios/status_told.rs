//! Does the CRM learn where its records stand in the dialler, once for each change, and which numbers are invalid?

use super::write_back::field;
use crate::support::world::{CAMPAIGN, Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::dialler::{CallPlan, Outcome};
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
    assert_eq!(of(ada), [json!("callable"), json!(false), Value::Null], "{}", world.story().await);
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
