//! Does one small life go the same way under every switch of the simulators that nothing else turns?
//!
//! Import, a second run that writes nothing, an edit, a call and its harvest, a lock and an unlock, a block,
//! a reset by hand with another call: what must come of it depends on no switch.

use crate::support::world::{CAMPAIGN, Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::{ContactId, Timestamp};
use dialbridge::ledger::{CallFilter, CallView};
use dialbridge::sim::crm::Settings as CrmSettings;
use dialbridge::sim::dialler::config::{
    BatchMissing, BatchUnknown, CampaignChange, FirstFound, ForeignFields, ListBuild, LongText, NotFound,
    TimeForm, WithoutOverwrite,
};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome, SimCampaign};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// A date, a field that only updates take, one that only imports take, and texts.
const FIELDS: &str = "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nCity = \"city\"\n\
                      dtEndDate = \"stage\"\nRegion = \"zip\"\nReservedUsersUID = \"street\"";

async fn world(dialler: DiallerConfig, crm: CrmSettings) -> World {
    World::new(Setup { dialler, crm, fields: FIELDS, ..Setup::default() }).await
}

fn person(world: &World, name: &str) -> u64 {
    let id = world.record(name);
    world.editor().edit(id, json!({ "stage": "2027-06-30", "street": "agent3" }));
    id
}

async fn calls(world: &World, id: u64) -> Vec<CallView> {
    let filter = CallFilter { user_data: Some(key(id)), ..CallFilter::default() };
    world.ledger().calls_list(filter, 100).await.expect("calls")
}

/// Dials a record's contact and lets its row and result come; answers when it was dialled.
async fn dial(world: &World, id: u64, result: Option<&str>) -> Timestamp {
    let mut plan = CallPlan::new(Outcome::Answered);
    if let Some(result) = result {
        plan = plan.result(result, seconds(10));
    }
    let at = world.now();
    assert!(world.dialler.call(world.contact(id).id, plan));
    world.live(minutes(20)).await;
    at
}

/// An edit, and time for every lag.
async fn edit(world: &World, id: u64, fields: serde_json::Value) -> u64 {
    world.advance(minutes(1)).await;
    world.editor().edit(id, fields);
    world.advance(seconds(30)).await;
    let mark = world.mark();
    world.sync_all().await;
    mark
}

/// The life, after the first of its contacts are there.
async fn goes_its_way(world: &World, what: &str) {
    let (ada, berta, carl) = (person(world, "Ada"), person(world, "Berta"), person(world, "Carl"));
    world.advance(seconds(30)).await;
    world.sync_all().await;
    for id in [ada, berta, carl] {
        assert!(!world.locked(id), "{what}");
        let contact = world.contact(id);
        for (field, value) in [
            ("City", "Ulm"),
            ("Region", "89073"),
            ("ReservedUsersUID", "agent3"),
            ("dtEndDate", "2027-06-30T00:00:00"),
        ] {
            assert_eq!(contact.get(field), json!(value), "{what}: {field}\n{}", world.story().await);
        }
    }
    world.assert_at_rest().await;

    let mark = edit(world, ada, json!({ "city": "Bonn" })).await;
    assert_eq!((world.writes(mark), world.value(ada, "City")), (vec!["update"], json!("Bonn")), "{what}");
    let mark = edit(world, ada, json!({ "city": "x".repeat(100), "stage": "2027-07-31" })).await;
    assert_eq!(world.writes(mark), ["update"], "{what}");
    assert_eq!(world.value(ada, "dtEndDate"), json!("2027-07-31T00:00:00"), "{what}");
    world.assert_at_rest().await;

    let at = dial(world, ada, Some("CALL_LATER")).await;
    let known = calls(world, ada).await;
    assert_eq!(known.len(), 1, "{what}\n{}", world.story().await);
    assert_eq!(known[0].started, Some(at.trunc_to_millis()), "{what}");
    assert_eq!(known[0].result_code, Some(5384), "{what}");
    world.assert_at_rest().await;

    let mark = edit(world, berta, json!({ "phone": false })).await;
    assert_eq!((world.writes(mark), world.locked(berta)), (vec!["lock"], true), "{what}");
    world.assert_at_rest().await;
    let mark = edit(world, berta, json!({ "phone": "+49 30 23125 002" })).await;
    assert_eq!((world.writes(mark), world.locked(berta)), (vec!["unlock"], false), "{what}");
    edit(world, carl, json!({ "do_not_call": true })).await;
    assert!(world.locked(carl), "{what}");
    world.assert_at_rest().await;

    let contact = ContactId(world.contact(ada).id);
    let reset = Command::Contact { contact, act: ContactAct::Reset, reason: "again".to_owned() };
    assert_eq!(world.command(reset).await.0, End::Done, "{what}");
    world.live(minutes(20)).await;
    dial(world, ada, Some("SALE")).await;
    let known = calls(world, ada).await;
    assert_eq!(known.len(), 2, "{what}: what was harvested stays, whatever the dialler keeps");
    assert_eq!(known.iter().filter_map(|call| call.result_code).count(), 2, "{what}: {known:?}");
    world.assert_at_rest().await;
    assert!(world.dialler.doubled().is_empty() && world.parked().await.is_empty(), "{what}");
    let imports = world.dialler.journal().count("import");
    assert_eq!(imports, 3, "{what}: {}", world.story().await);
}

trait Millis {
    fn trunc_to_millis(self) -> Self;
}

impl Millis for Timestamp {
    fn trunc_to_millis(self) -> Self {
        Timestamp::from_timestamp_millis(self.timestamp_millis()).expect("in range")
    }
}

/// The life under one switch of the dialler.
async fn under(what: &str, change: impl FnOnce(&mut DiallerConfig)) {
    let mut dialler = DiallerConfig::default();
    change(&mut dialler);
    goes_its_way(&world(dialler, CrmSettings::default()).await, what).await;
}

#[tokio::test(start_paused = true)]
async fn when_nothing_is_special() {
    under("usual", |_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn when_times_carry_an_offset_or_are_utc() {
    under("offset", |dialler| dialler.time_form = TimeForm::Offset).await;
    under("UTC", |dialler| dialler.time_form = TimeForm::Utc).await;
}

#[tokio::test(start_paused = true)]
async fn when_fields_that_a_request_does_not_take_and_long_texts_are_rejected() {
    under("foreign fields", |dialler| dialler.foreign_fields = ForeignFields::Reject).await;
    under("long texts", |dialler| dialler.long_text = LongText::Reject).await;
}

#[tokio::test(start_paused = true)]
async fn when_imports_behave_otherwise() {
    under("stays", |dialler| dialler.campaign_change = CampaignChange::Stays).await;
    under("newest", |dialler| dialler.first_found = FirstFound::Newest).await;
    under("any", |dialler| dialler.first_found = FirstFound::Any).await;
    under("returns", |dialler| dialler.without_overwrite = WithoutOverwrite::ReturnsExisting).await;
    under("race", |dialler| dialler.import_race = seconds(2)).await;
}

#[tokio::test(start_paused = true)]
async fn when_a_reset_takes_the_history_or_leaves_the_lock() {
    under("history goes", |dialler| dialler.history_survives_reset = false).await;
    under("lock stays", |dialler| dialler.reset_unlocks = false).await;
}

#[tokio::test(start_paused = true)]
async fn when_the_batch_read_is_bounded_strict_or_missing() {
    under("limit", |dialler| dialler.batch_limit = Some(1)).await;
    under("fails", |dialler| dialler.batch_unknown = BatchUnknown::Fail).await;
    under("leaves out", |dialler| dialler.batch_shows = Some(1)).await;
    for missing in [BatchMissing::Status405, BatchMissing::Empty404] {
        under("missing", |dialler| {
            dialler.batch_read = false;
            dialler.batch_missing = missing;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_answers_show_more_or_less() {
    under("lock shown", |dialler| dialler.lock_field = Some("bLocked")).await;
    under("no campaign", |dialler| dialler.campaign_in_answers = false).await;
    under("result in list", |dialler| dialler.result_in_list = true).await;
    under("empty list", |dialler| dialler.not_found = NotFound::EmptyList).await;
    under("walking", |dialler| dialler.list_build = ListBuild::Walking).await;
}

#[tokio::test(start_paused = true)]
async fn when_contacts_without_user_data_match_each_other() {
    let dialler = DiallerConfig { empty_userdata_matches: true, ..DiallerConfig::default() };
    let world = world(dialler, CrmSettings::default()).await;
    let nobodys = world.dialler.put(CAMPAIGN, &[("Name", "Nobody"), ("PhoneNumber1", "4930999")]);
    let before = world.dialler.contact(nobodys).expect("there");
    goes_its_way(&world, "empty").await;
    assert_eq!(world.dialler.contact(nobodys).expect("there"), before, "nobody's contact is left alone");
}

#[tokio::test(start_paused = true)]
async fn when_the_bodies_come_slowly() {
    let world = world(DiallerConfig::default(), CrmSettings::default()).await;
    let slowly = || Rule::new(Action::SlowBody { chunk: 1_000, pause: std::time::Duration::from_millis(50) });
    world.dialler.faults().add(slowly());
    world.crm.faults.add(slowly());
    goes_its_way(&world, "slow").await;
}

#[tokio::test(start_paused = true)]
async fn when_the_crm_shows_changes_late_or_ignores_the_filter() {
    let late = CrmSettings { visibility_lag: seconds(4), ..CrmSettings::default() };
    goes_its_way(&world(DiallerConfig::default(), late).await, "late").await;
    let ignores = CrmSettings { ignores_since: true, ..CrmSettings::default() };
    goes_its_way(&world(DiallerConfig::default(), ignores).await, "ignores").await;
}

#[tokio::test(start_paused = true)]
async fn is_a_count_that_is_wrong_no_answer_and_nothing_lost_by_it() {
    let world = world(DiallerConfig::default(), CrmSettings::default()).await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| person(&world, name)).into();
    world.advance(seconds(30)).await;
    world.sync_all().await;
    let wrong = Rule::new(Action::WrongNumber { key: "count".to_owned() });
    world.dialler.faults().add(wrong);
    let contact = world.contact(ids[0]).id;
    let plan = CallPlan::new(Outcome::Answered).result("SALE", seconds(10));
    assert!(world.dialler.call(contact, plan));
    world.editor().edit(ids[1], json!({ "city": "Bonn" }));
    let new = person(&world, "Dora");
    world.live(minutes(20)).await;
    assert!(calls(&world, ids[0]).await.is_empty(), "no such list is believed");
    world.dialler.faults().clear();
    // Longer than the longest wait of an operation.
    world.live(minutes(5 * 60)).await;
    assert_eq!(calls(&world, ids[0]).await.len(), 1);
    assert_eq!(world.value(ids[1], "City"), json!("Bonn"), "{}", world.story().await);
    assert_eq!(world.contact(new).get("Name"), json!("Dora"));
    assert!(world.dialler.doubled().is_empty());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_caller_who_closes_their_contact_seen_without_any_try() {
    let world = World::new(Setup {
        more: "\n[harvest]\naudit_active = \"1h\"\naudit_rest = \"1h\"\n",
        ..Setup::default()
    })
    .await;
    let mut campaign = SimCampaign::new(CAMPAIGN, "Spring leads");
    campaign.close_on_inbound = true;
    world.dialler.add_campaign(campaign);
    let id = world.record("Ada");
    world.sync_all().await;
    assert!(world.dialler.inbound_call(world.contact(id).id, seconds(30)));
    world.live(minutes(180)).await;
    let known = calls(&world, id).await;
    assert_eq!(known.len(), 1, "found by the audit: no field of the list has moved");
    assert_eq!((known[0].direction.as_deref(), known[0].result_code), (Some("in"), Some(5388)));
    // Its result is final: locked and eligible again, it is not called again by itself.
    world.editor().archive(id, true);
    world.live(minutes(2)).await;
    world.editor().archive(id, false);
    world.live(minutes(2)).await;
    assert!(world.locked(id));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_version_older_than_the_one_we_saw_not_taken_for_news() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(10)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    // An index that lags shows yesterday's version under yesterday's time.
    let yesterday = world.now() - TimeDelta::hours(24);
    world.editor().edit_as_of(id, json!({ "city": "Ulm" }), yesterday);
    world.assert_at_rest().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    // Whoever edits it after that is heard.
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Köln" }));
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Köln"));
    world.assert_at_rest().await;
}
