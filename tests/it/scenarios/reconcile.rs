//! Does reconcile find what went past everything else, name nothing that is right, write nothing, and mend by the
//! ordinary ways?

use super::write_back::{activities, called as told_called, plan as told_plan, world as told_world};
use crate::support::world::{CAMPAIGN, LEADS, OTHER, Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::cli::status_told;
use dialbridge::control::{Command, End, LostActivities};
use dialbridge::domain::{DriftKind, RecordId, RouteName};
use dialbridge::jobs::JobError;
use dialbridge::jobs::reconcile::{Depth, Reconciled, look};
use dialbridge::runtime::Outcome as RunOutcome;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

async fn look_so_far(world: &World, depth: Depth) -> Result<Reconciled, JobError> {
    let book = world.ledger().reconcile_book().await.expect("a book");
    look(&world.parts().control.lookers[&RouteName::from(LEADS)], &book, depth).await
}

async fn try_look(world: &World) -> Result<Reconciled, JobError> {
    look_so_far(world, Depth::Usual).await
}

/// A look that must come to its end and write nothing.
fn repair(route: Option<RouteName>) -> Command {
    Command::Reconcile { route, activities: LostActivities::AsTheyAre }
}

async fn looked(world: &World) -> Reconciled {
    let mark = world.mark();
    let found = try_look(world).await.expect("both sides answer");
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "a look writes nothing");
    found
}

fn kinds(found: &Reconciled) -> Vec<(DriftKind, u64)> {
    found.drift.iter().map(|drift| (drift.kind, drift.count)).collect()
}

async fn called(world: &World, id: u64) {
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(1));
    plan.row_delay = seconds(1);
    called_so(world, id, plan).await;
}

async fn called_so(world: &World, id: u64, plan: CallPlan) {
    assert!(world.dialler.call(world.contact(id).id, plan));
    world.advance(minutes(2)).await;
    world.sync_all().await;
    // Until the ladder has nothing left to read.
    for rung in [3, 20, 180, 25 * 60, 25 * 60] {
        world.advance(minutes(rung)).await;
        world.sync_all().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_it_find_nothing_where_nothing_is_wrong() {
    let world = World::usual().await;
    let ids: Vec<u64> = ["Ada", "Berta", "Cilly", "Doris"].map(|name| world.record(name)).to_vec();
    world.sync_all().await;
    world.block_number(&world.number(ids[1])).await;
    world.editor().archive(ids[2], true);
    world.dialler.put(CAMPAIGN, &[("Name", "Somebody else's"), ("PhoneNumber1", "49301")]);
    called(&world, ids[0]).await;
    // An agent's note is no business of the CRM's, and what was edited a moment ago is on its way.
    world.dialler.portal().edit(world.contact(ids[3]).id, "Comment", "calls back");
    world.editor().edit(ids[3], json!({ "city": "Bonn" }));
    let fresh = world.record("Emma");
    let found = looked(&world).await;
    assert_eq!(kinds(&found), [], "{}", found.in_words());
    assert_eq!((found.records, found.contacts, found.histories, found.others), (5, 5, 1, 1));
    assert_eq!(found.locks_unverifiable, 2, "{found:?}");
    assert!(world.contacts(fresh).is_empty(), "nothing was imported by a look");
    let (end, said) = world.command(repair(None)).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(said.contains("everything agrees"), "{said}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_agents_may_change_taken_for_drift() {
    let more = "[route.leads.two_way]\nCity = \"ask\"\n[route.leads.owners]\nEmail = \"dialler\"\n";
    let route_keys = "only_if = \"phone and active\"\nwrite_back = \"* * * * *\"";
    let world = World::new(Setup { route_keys, more, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(20)).await;
    for (field, value) in [("City", "Bonn"), ("Email", "new@example.com"), ("Name", "Somebody")] {
        world.dialler.portal().edit(world.contact(id).id, field, value);
    }
    let found = looked(&world).await;
    let told = found.in_words();
    assert!(told.contains("Name") && !told.contains("City") && !told.contains("Email"), "{told}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_went_past_the_pull_found_and_mended() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("Name {n}"))).collect();
    let row = json!({ "name": "Late", "phone": "+49 30 23125 777", "email": "a@example.com", "city": "Ulm", "zip": "89073",
        "do_not_call": false });
    let late = world.editor().import(vec![row], minutes(300));
    world.sync_all().await;
    let long_ago = world.now() + TimeDelta::minutes(1);
    for _ in 0..4 {
        world.advance(minutes(100)).await;
        world.sync_all().await;
    }
    world.editor().edit_as_of(ids[0], json!({ "city": "Bonn" }), long_ago);
    world.editor().delete(ids[1]);
    world.sync_all().await;
    let found = looked(&world).await;
    assert_eq!(
        kinds(&found),
        [(DriftKind::RecordUnknown, 1), (DriftKind::RecordDiffers, 1), (DriftKind::RecordOrphaned, 1)],
        "{}",
        found.in_words()
    );
    let (end, said) = world.command(repair(None)).await;
    assert_eq!(end, End::ParkedNew, "{said}");
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"), "{said}");
    assert_eq!(world.contacts(late[0]).len(), 1, "{said}\n{}", world.story().await);
    assert!(!world.locked(ids[1]), "one absence is a question");
    world.live(minutes(30)).await;
    assert!(world.locked(ids[1]), "{}", world.story().await);
    let found = looked(&world).await;
    assert_eq!(kinds(&found), [], "{}", found.in_words());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_others_did_in_the_dialler_found_and_mended() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..12).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    called(&world, ids[0]).await;
    let portal = world.dialler.portal();
    assert!(portal.edit(world.contact(ids[1]).id, "City", "Hof"));
    assert!(portal.delete(world.contact(ids[2]).id));
    let (missing, second) = (world.contacts(ids[2]), key(ids[3]));
    assert!(missing.is_empty());
    world.dialler.put(CAMPAIGN, &[("Name", "Twice"), ("PhoneNumber1", "49302"), ("UserData", &second)]);
    // Of this call no field tells.
    assert!(world.dialler.inbound_call(world.contact(ids[0]).id, seconds(1)));
    world.advance(minutes(5)).await;
    let found = looked(&world).await;
    assert_eq!(
        kinds(&found),
        [
            (DriftKind::ContactMissing, 1),
            (DriftKind::ContactDoubled, 1),
            (DriftKind::ContactDiffers, 1),
            (DriftKind::CallMissing, 1)
        ],
        "{}",
        found.in_words()
    );
    assert!(found.in_words().contains("City: null -> \"Hof\"") || found.in_words().contains("-> \"Hof\""));
    let before = world.ledger().calls_list(Default::default(), 100).await.expect("calls").len();
    let (end, said) = world.command(repair(Some(RouteName::from(LEADS)))).await;
    assert_eq!(end, End::ParkedNew, "{said}");
    assert_ne!(world.value(ids[1], "City"), json!("Hof"), "{said}");
    let after = world.ledger().calls_list(Default::default(), 100).await.expect("calls").len();
    assert_eq!(after, before + 1, "{said}");
    world.live(minutes(60)).await;
    let found = looked(&world).await;
    // A person deletes one of the two; until then it is said each time.
    assert_eq!(kinds(&found), [(DriftKind::ContactDoubled, 1)], "{}", found.in_words());
    world.assert_at_rest().await;
}

/// Somebody made contacts with our keys: of one who said no, of one whose import was refused, of one whose contact was deleted, and
/// of nobody.
#[tokio::test(start_paused = true)]
async fn is_a_contact_with_a_key_of_ours_that_is_no_records_named_and_taken_over_or_locked() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..11).map(|n| world.record(&format!("Name {n}"))).collect();
    let (objector, refused, deleted) = (ids[0], ids[1], ids[2]);
    world.editor().edit(objector, json!({ "do_not_call": true }));
    let path = "/dialler/contacts/import";
    let no = Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None };
    let rule = world.dialler.faults().add(Rule::new(no).path(path).body(&key(refused)));
    world.sync_all().await;
    world.dialler.faults().remove(rule);
    assert!(world.dialler.portal().delete(world.contact(deleted).id));
    world.live(minutes(40)).await;
    // A harvest under way would see what comes now.
    world.idle().await;
    assert!(world.parked().await.iter().any(|item| item.starts_with(&refused.to_string())));
    let put = |key: &str| {
        world.dialler.put(CAMPAIGN, &[("Name", "Put"), ("PhoneNumber1", "493033"), ("UserData", key)])
    };
    let made = [objector, refused, deleted].map(|id| put(&key(id)));
    let orphan = put("leads-9999");
    // Nobody's, and equal to a key of ours when folded only.
    put("4711");
    put("LEADS-1");
    let found = looked(&world).await;
    assert_eq!(
        kinds(&found),
        [(DriftKind::ContactUnlinked, 3), (DriftKind::ContactOrphaned, 1)],
        "{}",
        found.in_words()
    );
    let examples = |at: usize| found.drift[at].examples.iter().map(|one| one.contact.map(|id| id.0));
    assert_eq!(examples(0).flatten().collect::<Vec<_>>(), made);
    assert_eq!(examples(1).flatten().collect::<Vec<_>>(), [orphan]);
    assert!(found.in_words().contains("UserData leads-9999"), "{}", found.in_words());

    let mark = world.mark();
    let (end, said) = world.command(repair(None)).await;
    assert_eq!(end, End::ParkedNew, "{said}");
    let writes = world.writes(mark);
    assert!(!writes.contains(&"import") && !writes.contains(&"unlock"), "{writes:?}");
    assert!(world.locked(objector), "{}", world.story().await);
    for (id, contact) in [(refused, made[1]), (deleted, made[2])] {
        assert_eq!((world.contact(id).id, world.locked(id)), (contact, false), "{}", world.told(id).await);
    }
    world.live(minutes(20)).await;
    let found = looked(&world).await;
    assert_eq!(kinds(&found), [(DriftKind::ContactOrphaned, 1)], "{}", found.in_words());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_concluded_from_half_a_list_or_a_side_that_is_down() {
    let world = World::usual().await;
    let _six: Vec<u64> = (0..6).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let down = Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None };
    let rule = world.dialler.faults().add(Rule::new(down).path("/dialler/contacts"));
    assert!(matches!(try_look(&world).await, Err(JobError::Call(_))));
    let mark = world.mark();
    let (end, said) = world.command(repair(None)).await;
    assert_eq!(end, End::Failed, "{said}");
    assert_eq!(world.writes(mark), Vec::<&str>::new());
    world.dialler.faults().remove(rule);
    assert_eq!(kinds(&looked(&world).await), []);
    let never = World::new(Setup { on: false, ..Setup::default() }).await;
    let error = try_look(&never).await.expect_err("there is nothing to compare");
    assert!(error.to_string().contains("dialbridge sync"), "{error}");
    world.ends().await;
    never.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_the_hourly_sample_find_what_does_not_agree_on_either_side_and_mend_nothing() {
    let world = World::usual().await;
    let ids = ["Ada", "Bea", "Cleo", "Dora"].map(|name| world.record(name));
    world.sync_all().await;
    let runner = world.parts().control.runners.samples[&RouteName::from(LEADS)].clone();
    let sample = async || {
        let Some(RunOutcome::Done { text, .. }) = runner.run_now("schedule").await else {
            panic!("it failed")
        };
        text
    };
    let status = async || status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert_eq!(sample().await, "4 records looked at on both sides, 0 things do not agree");
    assert!(!status().await.contains("by chance"), "{}", status().await);
    let [ada, bea, cleo, _] = ids;
    assert!(world.dialler.portal().edit(world.contact(ada).id, "City", "Hof"));
    assert!(world.dialler.portal().delete(world.contact(bea).id));
    world.editor().delete(cleo);
    world.advance(Duration::from_secs(3_600)).await;
    let mark = world.mark();
    assert_eq!(sample().await, "4 records looked at on both sides, 3 things do not agree");
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "by itself it mends nothing");
    let told = "route leads: of 8 records looked at by chance, 3 things do not agree";
    assert!(status().await.contains(told), "{}", status().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_status_say_what_a_reconcile_by_schedule_found_until_it_is_mended() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    assert!(world.dialler.portal().edit(contact, "City", "Hof"));
    let runner = world.parts().control.runners.reconciles[&RouteName::from(LEADS)].clone();
    let mark = world.mark();
    let Some(RunOutcome::Done { text, .. }) = runner.run_now("schedule").await else { panic!("it failed") };
    assert!(text.contains("1 things do not agree"), "{text}");
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "by itself it mends nothing");
    let status = async || status_told(&world.settings, world.ledger(), world.now()).await.expect("a status");
    assert!(status().await.contains("route leads: 1 things do not agree"), "{}", status().await);
    world.command(repair(None)).await;
    let Some(RunOutcome::Done { text, .. }) = runner.run_now("schedule").await else { panic!("it failed") };
    assert_eq!(text, "everything agrees");
    assert!(!status().await.contains("do not agree"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_it_name_an_activity_that_somebody_removed_from_the_crm() {
    let world = told_world("sim-id").await;
    let ids =
        [told_called(&world, "Ada", "NO_INTEREST").await, told_called(&world, "Bert", "NO_INTEREST").await];
    world.live(minutes(10)).await;
    let removed = activities(&world, ids[0])[0].id;
    world.editor().delete_activity(removed);
    let missing = |found: &Reconciled| {
        let drift = found.drift.iter().find(|drift| drift.kind == DriftKind::ActivityMissing);
        drift.map(|drift| (drift.count, drift.examples[0].record.clone()))
    };
    let found = looked(&world).await;
    assert_eq!((missing(&found), found.activities), (None, 0), "it may not be visible yet");
    world.advance(minutes(70)).await;
    let found = looked(&world).await;
    assert_eq!(missing(&found), Some((1, Some(RecordId(ids[0].to_string())))), "{}", found.in_words());
    assert_eq!(found.activities, 2);
    // Mending something else does not overrule whoever removed it; saying so does, once.
    let putting_back = Command::Reconcile { route: None, activities: LostActivities::PutBack };
    for (command, there) in [(repair(None), 0), (putting_back, 1)] {
        world.command(command).await;
        world.live(minutes(10)).await;
        assert_eq!(activities(&world, ids[0]).len(), there, "{}", world.story().await);
    }
    assert_eq!(activities(&world, ids[1]).len(), 1);
    world.advance(minutes(70)).await;
    assert_eq!(kinds(&looked(&world).await), []);
    world.ends().await;
}

/// The first of more calls than are looked for by themselves.
#[tokio::test(start_paused = true)]
async fn is_every_activity_looked_for_where_a_person_asks_for_it() {
    let world = told_world("sim-id").await;
    let id = told_called(&world, "Ada", "NO_INTEREST").await;
    for _ in 0..104 {
        world.advance(seconds(60)).await;
        assert!(world.dialler.call(world.contact(id).id, told_plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.live(minutes(10)).await;
    world.advance(minutes(70)).await;
    let told = activities(&world, id);
    assert_eq!(told.len(), 105);
    let first = told.iter().min_by_key(|activity| activity.id).expect("an activity");
    world.editor().delete_activity(first.id);
    let found = look_so_far(&world, Depth::Every).await.expect("both sides answer");
    assert_eq!((kinds(&found), found.activities), (vec![(DriftKind::ActivityMissing, 1)], 105));
    let usual = looked(&world).await;
    assert!(
        (100..=105).contains(&usual.activities),
        "the newest, and some of the others: {}",
        usual.activities
    );
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_done_each_week_unless_the_config_says_never() {
    let settings = async |route_keys| {
        let world = World::new(Setup { route_keys, ..Setup::default() }).await;
        world.ends().await;
        world.settings.routes[&RouteName::from(LEADS)].reconcile.clone()
    };
    assert_eq!(settings("").await.as_deref(), Some("30 4 * * Sun"), "where no clock is put forward or back");
    assert_eq!(settings("reconcile = \"never\"").await, None);
}

#[tokio::test(start_paused = true)]
async fn is_what_was_compared_told_though_nobody_can_be_asked_for_an_activity() {
    let world = told_world("sim-id").await;
    let id = told_called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(10)).await;
    world.advance(minutes(70)).await;
    assert!(world.dialler.portal().edit(world.contact(id).id, "City", "Hof"));
    world.crm.faults.add(
        Rule::new(Action::Status { code: 403, retry_after: RetryAfter::Absent, effect: Effect::None })
            .path("/activities"),
    );
    let found = looked(&world).await;
    assert_eq!(kinds(&found), [(DriftKind::ContactDiffers, 1)], "{}", found.in_words());
    let why = "activities behind the first 0: ";
    assert!(found.not_compared.iter().any(|part| part.starts_with(why)), "{:?}", found.not_compared);
    world.ends().await;
}

/// Over at once.
fn busy() -> CallPlan {
    let mut plan = CallPlan::new(Outcome::Busy);
    plan.row_delay = seconds(1);
    plan
}

#[tokio::test(start_paused = true)]
async fn is_no_call_missing_that_began_while_it_looked() {
    for batch_read in [true, false] {
        let dialler = DiallerConfig { batch_read, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let mut plan = CallPlan::new(Outcome::Answered).result("CALL_LATER", seconds(1));
        plan.row_delay = seconds(1);
        called_so(&world, id, plan).await;
        assert_eq!(looked(&world).await.histories, 1, "this would test nothing");
        let slow = Action::Latency { before: seconds(25), after: Duration::ZERO };
        let rule = if batch_read {
            Rule::new(slow).method(http::Method::POST).path_end("dialler/contacts")
        } else {
            Rule::new(slow).path("/history")
        };
        world.dialler.faults().add(rule.times(1));
        let meanwhile = async {
            world.advance(seconds(1)).await;
            assert!(world.dialler.call(world.contact(id).id, busy()));
        };
        let (found, ()) = tokio::join!(try_look(&world), meanwhile);
        let found = found.expect("both sides answer");
        assert!(found.is_clean(), "{batch_read}: {:?}", found.drift);
        assert_eq!(world.dialler.history(world.contact(id).id).len(), 2, "{batch_read}");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_one_contact_whose_history_cannot_be_told_keep_nobody_elses_from_being_looked_at() {
    let world = World::usual().await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    for id in [ada, bert] {
        called(&world, id).await;
    }
    // Of these calls no field tells.
    for id in [ada, bert] {
        assert!(world.dialler.inbound_call(world.contact(id).id, seconds(1)));
    }
    world.advance(minutes(5)).await;
    let bad = world.contact(ada).id;
    let broken = || {
        Rule::new(Action::Says {
            code: 400,
            body: r#"{ "success": false, "status": 400, "error": "broken" }"#,
        })
    };
    world.dialler.faults().add(broken().method(http::Method::POST).path_end("dialler/contacts"));
    world.dialler.faults().add(broken().path(&format!("/{bad}/history")));
    let found = try_look(&world).await.expect("both sides answer");
    assert_eq!(kinds(&found), [(DriftKind::CallMissing, 1)], "{found:?}");
    assert!(found.in_words().contains("NOT compared: the calls of 1 contacts"), "{}", found.in_words());
    world.ends().await;
}

/// Whoever was moved there, by a person or with the route, is compared as everybody is: by number.
#[tokio::test(start_paused = true)]
async fn is_what_others_did_to_contacts_in_another_campaign_found_too() {
    for batch_read in [true, false] {
        let dialler = DiallerConfig { batch_read, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let ids: Vec<u64> = (0..6).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        let portal = world.dialler.portal();
        for id in &ids[..4] {
            assert!(portal.move_to(world.contact(*id).id, OTHER));
        }
        world.live(minutes(20)).await;
        called(&world, ids[0]).await;
        let found = looked(&world).await;
        assert_eq!((kinds(&found), found.contacts), (vec![], 6), "{}", found.in_words());
        assert!(portal.edit(world.contact(ids[1]).id, "City", "Hof"));
        assert!(portal.delete(world.contact(ids[2]).id));
        assert!(world.dialler.inbound_call(world.contact(ids[0]).id, seconds(1)));
        world.advance(minutes(5)).await;
        let found = looked(&world).await;
        assert_eq!(
            kinds(&found),
            [(DriftKind::ContactMissing, 1), (DriftKind::ContactDiffers, 1), (DriftKind::CallMissing, 1)],
            "{batch_read}: {}",
            found.in_words()
        );
        assert_eq!(found.not_compared, Vec::<String>::new());
        // One of them comes to be parked.
        let _marked = world.command(repair(None)).await;
        world.live(minutes(30)).await;
        assert_eq!(world.value(ids[1], "City"), json!("Ulm"), "{}", world.story().await);
        world.ends().await;
    }
}

/// One that the dialler does not tell of, among those elsewhere.
#[tokio::test(start_paused = true)]
async fn does_one_contact_elsewhere_that_cannot_be_read_end_the_look() {
    let world = World::usual().await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    for id in [ada, bert] {
        assert!(world.dialler.portal().move_to(world.contact(id).id, OTHER));
    }
    world.live(minutes(20)).await;
    assert!(world.dialler.portal().edit(world.contact(bert).id, "City", "Hof"));
    let broken = || {
        Rule::new(Action::Says {
            code: 400,
            body: r#"{ "success": false, "status": 400, "error": "broken" }"#,
        })
    };
    world.dialler.faults().add(broken().method(http::Method::POST).path_end("dialler/contacts"));
    world.dialler.faults().add(broken().path_end(&format!("dialler/contacts/{}", world.contact(ada).id)));
    let found = try_look(&world).await.expect("both sides answer");
    assert_eq!(kinds(&found), [(DriftKind::ContactDiffers, 1)], "{}", found.in_words());
    assert!(found.in_words().contains("1 contacts that cannot be read"), "{}", found.in_words());
    world.dialler.faults().clear();
    world.ends().await;
}

/// Its list shows it, with a field that differs; by itself it cannot be read.
#[tokio::test(start_paused = true)]
async fn does_one_contact_that_cannot_be_read_by_itself_end_the_look() {
    let world = World::usual().await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    for id in [ada, bert] {
        assert!(world.dialler.portal().edit(world.contact(id).id, "City", "Hof"));
    }
    let broken =
        Action::Says { code: 400, body: r#"{ "success": false, "status": 400, "error": "broken" }"# };
    let of_ada = format!("dialler/contacts/{}", world.contact(ada).id);
    world.dialler.faults().add(Rule::new(broken).path_end(&of_ada));
    let found = try_look(&world).await.expect("both sides answer");
    assert_eq!(found.drift.iter().map(|drift| drift.count).sum::<u64>(), 1, "{}", found.in_words());
    assert!(found.in_words().contains("1 contacts that cannot be read"), "{}", found.in_words());
    world.dialler.faults().clear();
    world.ends().await;
}
