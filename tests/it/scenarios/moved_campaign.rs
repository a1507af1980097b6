//! What becomes of the contacts when a route gets another campaign?

use crate::support::world::{CAMPAIGN, OTHER, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct};
use dialbridge::domain::ContactId;
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

fn setup(choice: &str) -> Setup {
    let keys = format!(
        "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nmax_deleted_per_run = 1000\n{choice}"
    );
    Setup { route_keys: keys.leak(), ..Setup::default() }
}

fn campaigns(world: &World, ids: &[u64]) -> Vec<i64> {
    ids.iter().map(|id| world.contact(*id).campaign).collect()
}

#[tokio::test(start_paused = true)]
async fn does_a_route_stop_before_anybody_is_doubled_or_lost_until_a_person_has_said_which() {
    let mut world = World::new(setup("")).await;
    let ids = [world.record("Ada"), world.record("Berta")];
    world.sync_all().await;
    world.configure_campaign(OTHER).await;
    world.live(minutes(6)).await;
    let stopped = world.stopped().await.expect("it must stop");
    assert!(
        stopped.contains("551") && stopped.contains("538") && stopped.contains("campaign_change"),
        "{stopped}"
    );
    let new = world.record("Carl");
    world.editor().edit(ids[0], json!({ "do_not_call": true }));
    world.live(minutes(10)).await;
    assert_eq!(world.contacts(new).len(), 0, "{}", world.story().await);
    assert!(world.locked(ids[0]), "objections are heard all the same");
    // It was a mistake.
    world.configure(&setup("")).await;
    world.live(minutes(10)).await;
    assert_eq!(world.stopped().await, None);
    assert_eq!(campaigns(&world, &[ids[0], ids[1], new]), [CAMPAIGN; 3]);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_everybody_moved_who_may_be_called_and_no_call_lost_on_the_way() {
    let mut world = World::new(setup("campaign_change = \"move\"")).await;
    let ids: Vec<u64> = ["Fresh", "Called", "Declined", "Objects"].map(|name| world.record(name)).into();
    world.sync_all().await;
    let old: Vec<i64> = ids.iter().map(|id| world.contact(*id).id).collect();
    assert!(world.dialler.call(old[1], CallPlan::new(Outcome::NoAnswer)));
    assert!(world.dialler.call(old[2], CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(20)).await;
    world.editor().edit(ids[3], json!({ "do_not_call": true }));
    world.live(minutes(5)).await;
    // A call under way when the campaign changes, whose result comes late.
    let mut plan = CallPlan::new(Outcome::Answered).result("CALL_LATER", minutes(9));
    plan.talk = minutes(6);
    assert!(world.dialler.call(old[0], plan));
    world.configure_campaign(OTHER).await;
    world.live(minutes(10)).await;
    assert!(world.contact(ids[0]).campaign == CAMPAIGN && world.locked(ids[0]), "{}", world.story().await);
    world.live(minutes(150)).await;
    assert_eq!(campaigns(&world, &ids), [OTHER, OTHER, CAMPAIGN, CAMPAIGN], "{}", world.story().await);
    assert!(!world.locked(ids[0]) && !world.locked(ids[1]) && world.locked(ids[3]));
    assert_eq!(world.contact(ids[2]).id, old[2], "whose result is final stays as it is");
    let filter = CallFilter { contact: Some(ContactId(old[0])), ..CallFilter::default() };
    let calls = world.ledger().calls_list(filter, 10).await.expect("calls");
    assert!(calls.len() == 1 && calls[0].result_code.is_some(), "{calls:?}");
    world.settle_down().await;
    world.assert_at_rest().await;
    let new = world.record("New");
    world.live(minutes(10)).await;
    assert_eq!(world.contact(new).campaign, OTHER);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_declined_in_the_campaign_before_called_in_the_new_one_under_a_new_record() {
    let mut world = World::new(setup("campaign_change = \"move\"")).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30));
    assert!(world.dialler.call(world.contact(id).id, plan));
    world.live(minutes(20)).await;
    let phone = world.editor().field(id, "phone").expect("a number");
    world.editor().delete(id);
    let anew = world.record("Ada anew");
    world.editor().edit(anew, json!({ "phone": phone }));
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(anew).len(), 0, "{}", world.story().await);
    world.configure_campaign(OTHER).await;
    world.live(minutes(20)).await;
    let new = world.record("New");
    world.editor().edit(anew, json!({ "city": "Bonn" }));
    world.live(minutes(10)).await;
    assert_eq!(campaigns(&world, &[new]), [OTHER], "{}", world.story().await);
    assert_eq!(world.contacts(anew).len(), 0, "{}", world.story().await);
    world.ends().await;
}

/// Without the batch read nothing but a look at it by its number shows what agents change there.
#[tokio::test(start_paused = true)]
async fn is_who_stayed_behind_called_to_an_end_still_listened_to_and_moved_once_it_is_open_again() {
    let mut setup = setup("campaign_change = \"move\"\nwrite_back = \"* * * * *\"");
    setup.more = "[route.leads.two_way]\nCity = \"crm\"\n[harvest]\naudit_active = \"1h\"\n";
    setup.dialler.batch_read = false;
    setup.dialler.result_in_list = true;
    let mut world = World::new(setup).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.contact(id).id;
    assert!(world.dialler.call(old, CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(30))));
    world.live(minutes(20)).await;
    world.configure_campaign(OTHER).await;
    world.live(minutes(20)).await;
    assert_eq!(world.contact(id).id, old, "whose result is final stays as it is");
    assert!(world.dialler.portal().edit(old, "City", "Bonn"));
    world.live(minutes(90)).await;
    assert_eq!(world.editor().field(id, "city"), Some(json!("Bonn")), "{}", world.story().await);
    let told = world.told(id).await;
    assert!(
        told.contains("Last result: result code 5382, 2026-03-02") && told.contains(", by agent 3 ("),
        "{told}"
    );
    let act = ContactAct::Reset;
    world.must(Command::Contact { contact: ContactId(old), act, reason: "asked us".to_owned() }).await;
    world.live(minutes(60)).await;
    assert_eq!(campaigns(&world, &[id]), [OTHER], "{}", world.story().await);
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_contacts_stay_where_they_are_and_new_ones_go_into_the_new_campaign() {
    let mut world = World::new(setup("campaign_change = \"keep\"")).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.configure_campaign(OTHER).await;
    world.live(minutes(10)).await;
    let new = world.record("Berta");
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(10)).await;
    assert_eq!(campaigns(&world, &[id, new]), [CAMPAIGN, OTHER], "{}", world.story().await);
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_import_in_doubt_settled_in_the_campaign_into_which_it_was_sent() {
    let mut world = World::new(setup("campaign_change = \"move\"")).await;
    let fault = Rule::new(Action::Reset(Effect::Done)).path("/import").times(1);
    world.dialler.faults().add(fault);
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    let _in_doubt = world.push().await;
    assert_eq!(world.dialler.faults().fired_in_all(), 1, "the test must meet its fault");
    world.configure_campaign(OTHER).await;
    world.harvest().await.expect("a harvest");
    let stopped = world.stopped().await.expect("not before it is settled");
    assert!(stopped.contains("goes on by itself"), "{stopped}");
    world.live(minutes(40)).await;
    assert_eq!(campaigns(&world, &[id]), [OTHER], "{}", world.story().await);
    assert_eq!((world.contacts(id).len(), world.locked(id)), (1, false), "{}", world.story().await);
    assert_eq!(world.stopped().await, None, "it goes on by itself");
    world.settle_down().await;
    world.assert_at_rest().await;
}

/// She was talking when the campaign changed, and said no to the offer.
#[tokio::test(start_paused = true)]
async fn does_whoever_is_called_to_an_end_after_the_change_stay_where_that_was() {
    let mut world = World::new(setup("campaign_change = \"move\"")).await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", minutes(9));
    plan.talk = minutes(6);
    assert!(world.dialler.call(contact, plan));
    world.configure_campaign(OTHER).await;
    world.live(minutes(180)).await;
    assert_eq!(campaigns(&world, &[ada, bert]), [CAMPAIGN, OTHER], "{}", world.story().await);
    assert_eq!(world.contact(ada).id, contact);
    world.ends().await;
}
