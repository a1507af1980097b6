//! What happens when a condition turns out otherwise because the day is another?

use crate::support::world::{LEADS, Setup, World, minutes};
use dialbridge::domain::RecordId;
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

const CONSENT: &str = "only_if = \"phone and active and stage >= today\"\nblock_if = \"phone_blacklisted\"";

/// The records of which values are kept.
async fn kept(world: &World) -> Vec<String> {
    let kept = world.ledger().records_kept(LEADS.into(), RecordId(String::new()), 100).await;
    kept.expect("kept values").into_iter().map(|record| record.id.0).collect()
}

/// The CRM answers nothing at all.
fn crm_down(world: &World) {
    world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("/api"));
}

/// Half an hour before midnight in Berlin: the morning is near.
const LATE: &str = "2026-03-02T22:30:00.250Z";

/// From [`LATE`] to half past six.
async fn until_morning(world: &World) {
    world.advance(minutes(6 * 60)).await;
    world.live(minutes(60)).await;
}

#[tokio::test(start_paused = true)]
async fn is_consent_that_lapses_locked_that_morning_though_no_pull_runs_and_the_crm_is_down() {
    let world = World::new(Setup { pull: "0 12 * * *", route_keys: CONSENT, ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(ada, json!({ "stage": "2026-03-02" }));
    world.editor().edit(berta, json!({ "stage": "2026-12-31" }));
    world.sync_all().await;
    crm_down(&world);
    // From 10:00 to 05:58 on the next day, in Berlin.
    world.advance(minutes(19 * 60)).await;
    world.live(minutes(58)).await;
    assert_eq!((world.locked(ada), world.locked(berta)), (false, false), "not before the day begins");
    world.live(minutes(4)).await;
    assert_eq!((world.locked(ada), world.locked(berta)), (true, false), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_parked_record_locked_when_its_consent_lapses() {
    for rule in [CONSENT, "only_if = \"phone and active\"\nblock_if = \"stage and stage < today\""] {
        let world =
            World::new(Setup { start: LATE, pull: "0 12 * * *", route_keys: rule, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.editor().edit(id, json!({ "stage": "2026-03-02" }));
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, json!({ "city": { "a": [1] } }));
        world.sync_all().await;
        assert_eq!((world.parked().await.len(), world.locked(id)), (1, false), "a field locks nobody");
        crm_down(&world);
        until_morning(&world).await;
        assert!(world.locked(id), "{rule}\n{}", world.story().await);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_values_kept_for_dated_conditions_only_and_not_for_ever() {
    let world = World::usual().await;
    world.record("Ada");
    world.sync_all().await;
    assert_eq!(kept(&world).await, Vec::<String>::new(), "no condition of this route asks for the day");
    world.ends().await;

    let not_before = "only_if = \"phone and active and stage and stage <= today\"";
    let world = World::new(Setup { route_keys: not_before, ..Setup::default() }).await;
    let (never, later, now) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
    world.editor().edit(never, json!({ "stage": "2046-01-01" }));
    world.editor().edit(later, json!({ "stage": "2026-04-15" }));
    world.editor().edit(now, json!({ "stage": "2026-01-01" }));
    world.sync_all().await;
    assert_eq!(kept(&world).await.len(), 3);
    for _ in 0..32 {
        world.advance(minutes(24 * 60)).await;
        world.sync_all().await;
    }
    assert_eq!(kept(&world).await, [now.to_string()], "nobody keeps the dates of people who never came in");
    assert_eq!((world.contacts(never).len(), world.contacts(later).len()), (0, 0));
    // Its day comes all the same: 15 April.
    for _ in 0..13 {
        world.advance(minutes(24 * 60)).await;
        world.sync_all().await;
    }
    assert_eq!((world.contacts(never).len(), world.contacts(later).len()), (0, 1), "{}", world.now());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_of_a_number_kept_only_that_there_is_one() {
    let world =
        World::new(Setup { start: LATE, pull: "0 12 * * *", route_keys: CONSENT, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "stage": "2026-03-02" }));
    world.sync_all().await;
    let kept =
        world.ledger().records_kept(LEADS.into(), RecordId(String::new()), 100).await.expect("kept values");
    let values = json!({ "phone": true, "active": true, "stage": "2026-03-02", "phone_blacklisted": false });
    assert_eq!(json!(kept[0].values), values);
    // And that is enough to decide the next day.
    crm_down(&world);
    until_morning(&world).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_of_a_value_compared_with_fixed_texts_kept_which_of_them_it_is() {
    let route_keys = "only_if = \"phone and stage >= today and city != 'Ulm' and zip == '89073'\"";
    let world = World::new(Setup { start: LATE, pull: "0 12 * * *", route_keys, ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(ada, json!({ "stage": "2026-03-02", "city": "Hof", "zip": "89073" }));
    world.editor().edit(berta, json!({ "stage": "2026-03-02", "city": "Ulm", "zip": "95028" }));
    world.sync_all().await;
    let kept = world.ledger().records_kept(LEADS.into(), RecordId(String::new()), 100).await;
    let kept: Vec<_> = kept.expect("kept values").into_iter().map(|record| json!(record.values)).collect();
    let of = |city: serde_json::Value, zip: serde_json::Value| json!({ "phone": true, "stage": "2026-03-02", "city": city, "zip": zip });
    assert_eq!(kept, [of(json!(true), json!("89073")), of(json!("Ulm"), json!(true))]);
    assert!(!world.locked(ada) && world.contacts(berta).is_empty(), "{}", world.story().await);
    // And that is enough to decide the next day.
    crm_down(&world);
    until_morning(&world).await;
    assert!(world.locked(ada), "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_locked_for_a_value_that_an_earlier_mapping_did_not_ask_for() {
    let setup = Setup { start: LATE, pull: "0 12 * * *", route_keys: CONSENT, ..Setup::default() };
    let mut world = World::new(setup.clone()).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "stage": "2026-12-31" }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let route_keys = "only_if = \"phone and active and stage >= today and score > 1\"";
    world.configure(&Setup { route_keys, ..setup }).await;
    // The ordinary pull works; the walk over everything, which would bring the score, does not.
    let rule = world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).path("contacts?limit="));
    world.try_all().await;
    assert!(world.crm.faults.fired(rule) > 0, "the test must meet its fault");
    until_morning(&world).await;
    assert!(!world.locked(id), "nothing says no\n{}", world.story().await);
    world.crm.faults.clear();
    world.sync_all().await;
    assert!(!world.locked(id));
    world.ends().await;
}

/// Somebody whom a list blocks already comes to say no by the day: their other number is somebody else's, too.
#[tokio::test(start_paused = true)]
async fn does_a_no_that_comes_with_the_day_block_also_whose_record_is_blocked_by_others_already() {
    let rule = "only_if = \"phone and active\"\nblock_if = \"stage and stage < today\"";
    let fields =
        "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nPhoneNumber2 = \"street | phone('DE')\"";
    let setup = Setup { start: LATE, pull: "0 12 * * *", route_keys: rule, fields, ..Setup::default() };
    let world = World::new(setup).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(ada, json!({ "stage": "2026-03-02", "street": "+49 30 23125 888" }));
    world.editor().edit(berta, json!({ "stage": false, "street": false, "phone": "+49 30 23125 888" }));
    world.sync_all().await;
    world.block_number(&world.number(ada)).await;
    world.live(minutes(1)).await;
    assert_eq!((world.locked(ada), world.locked(berta)), (true, false));
    until_morning(&world).await;
    assert!(world.locked(berta), "{}", world.story().await);
    world.ends().await;
}

/// The same, long after the values were erased by which the day was known.
#[tokio::test(start_paused = true)]
async fn does_a_no_that_comes_with_a_far_day_block_although_the_record_was_out_of_reach_for_long() {
    let rule = "only_if = \"phone and active\"\nblock_if = \"stage and stage < today\"";
    let fields =
        "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nPhoneNumber2 = \"street | phone('DE')\"";
    let world = World::new(Setup { route_keys: rule, fields, ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(ada, json!({ "stage": "2026-04-20", "street": "+49 30 23125 888" }));
    world.editor().edit(berta, json!({ "stage": false, "street": false, "phone": "+49 30 23125 888" }));
    world.sync_all().await;
    world.block_number(&world.number(ada)).await;
    for _ in 0..60 {
        world.advance(minutes(24 * 60 - 10)).await;
        world.live(minutes(10)).await;
    }
    assert!(world.locked(berta), "{}", world.told(ada).await);
    world.ends().await;
}
