//! What does a harvest ask for, and how often?

use crate::support::world::{CAMPAIGN, Setup, World, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::ContactId;
use dialbridge::ledger::{CallFilter, RunRow};
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::Value;

/// The same campaign, by its number and by its name.
const BY_NUMBER: &str = "[route.second]\ncrm = \"sales\"\ncampaign = 538\nbeside = \"ignore\"\n\
                         only_if = \"phone and active\"\n[route.second.fields]\nName = \"name\"\n\
                         PhoneNumber1 = \"phone | phone('DE')\"\n";
const BY_NAME: &str = "[route.second]\ncrm = \"sales\"\ncampaign = \"Spring leads\"\nbeside = \"ignore\"\n\
                       only_if = \"phone and active\"\n[route.second.fields]\nName = \"name\"\n\
                       PhoneNumber1 = \"phone | phone('DE')\"\n";

#[tokio::test(start_paused = true)]
async fn do_two_routes_on_one_campaign_make_one_harvest() {
    for second in [BY_NUMBER, BY_NAME] {
        let mut world = World::new(Setup { more: second, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let found = world.dialler.contacts_with(&format!("second-{id}"));
        assert_eq!((found.len(), found[0].campaign), (1, CAMPAIGN), "both routes fill it");
        for _ in 0..2 {
            let mark = world.mark();
            world.harvest().await.expect("a harvest");
            let lists = world
                .dialler
                .journal()
                .requests_where(|asked| asked.seq >= mark && asked.kind.name == "list");
            assert_eq!(lists.len(), 1, "the campaign is read once");
            // From the next start on it is one harvest, by whichever route's schedule.
            world.restart().await;
            assert_eq!(world.parts().control.runners.harvests.len(), 1);
        }
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_history_ever_read_by_user_data() {
    let more = "\n[harvest]\naudit_active = \"1h\"\naudit_rest = \"1h\"\n";
    let world = World::new(Setup { more, ..Setup::default() }).await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| world.record(name)).to_vec();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, CallPlan::new(Outcome::NoAnswer)));
    }
    // Ladder, waiting, audit, and what an act of ours makes due.
    world.live(minutes(60)).await;
    for act in [ContactAct::Lock, ContactAct::Unlock, ContactAct::Reset] {
        let contact = ContactId(world.contact(ids[0]).id);
        let (end, said) = world.command(Command::Contact { contact, act, reason: "asked".to_owned() }).await;
        assert_eq!(end, End::Done, "{said}");
    }
    assert!(world.dialler.portal().delete(world.contact(ids[1]).id));
    world.live(minutes(150)).await;
    let journal = world.dialler.journal();
    let merged = journal.requests_where(|asked| asked.path.ends_with("/contact/history"));
    assert!(merged.is_empty(), "it merges contacts");
    // The batch read is also how push asks who has a key: then it names no contact.
    let batches = journal.requests_where(|asked| asked.kind.name == "batch");
    let harvested: Vec<Value> = batches
        .iter()
        .map(|asked| serde_json::from_slice(&asked.body).expect("a body"))
        .filter(|body: &Value| body["IDList"].as_array().is_some_and(|ids| !ids.is_empty()))
        .collect();
    assert!(harvested.len() > 5, "histories were read: {}", harvested.len());
    for body in harvested {
        assert!(body["UserDataList"].as_array().is_none_or(Vec::is_empty), "{body}");
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_calls_of_the_hour_that_comes_twice_told_at_their_true_times() {
    // 02:10 in summer time; at 03:00 it is 02:00 again.
    let world = World::new(Setup { start: "2026-10-25T00:10:00Z", ..Setup::default() }).await;
    let ids: Vec<u64> = (0..4).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    // 02:20 and 02:50 in summer time, 02:20 and 02:50 an hour later.
    for id in &ids {
        world.live(minutes(10)).await;
        assert!(world.dialler.call(world.contact(*id).id, CallPlan::new(Outcome::NoAnswer)));
        world.live(minutes(20)).await;
    }
    world.live(minutes(120)).await;
    let calls = world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls");
    assert_eq!(calls.len(), 4);
    for id in ids {
        let contact = world.contact(id).id;
        let truth = world.dialler.history(contact)[0].call.as_ref().expect("a call").start;
        let told = calls.iter().find(|call| call.contact == ContactId(contact)).expect("told");
        let started = told.started.expect("a time");
        assert!(
            (started - truth).abs() < TimeDelta::seconds(1),
            "{started} for {truth}, read {:?}",
            told.time_read
        );
    }
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_shown_that_only_the_audit_found_a_call() {
    let more = "\n[harvest]\naudit_active = \"1h\"\naudit_rest = \"1h\"\n";
    let mut setup = Setup { more, ..Setup::default() };
    setup.dialler.result_in_list = true;
    let world = World::new(setup).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.live(minutes(180)).await;
    assert_eq!(world.ledger().harvest_shown().await.expect("read").found_by_audit, 0);
    // It moves no field of the contact.
    assert!(world.dialler.inbound_call(world.contact(id).id, minutes(1)));
    world.live(minutes(70)).await;
    let shown = world.ledger().harvest_shown().await.expect("read");
    assert!(shown.found_lately >= 1 && shown.found_by_audit == shown.found_lately, "{shown:?}");
    assert!(shown.found_since.is_some_and(|since| world.now() - since < TimeDelta::minutes(71)), "{shown:?}");
    let found = |run: &dialbridge::ledger::RunRow| run.sweep.as_ref().is_some_and(|s| s.found_by_audit > 0);
    let run = world.runs().await.into_iter().find(found).expect("its run says so");
    assert!(run.sweep.expect("a list").requests.audit > 0);
    // A week later it is history.
    world.advance(minutes(8 * 24 * 60)).await;
    let shown = world.ledger().harvest_shown().await.expect("read");
    assert_eq!((shown.found_lately, shown.found_since), (0, None), "{shown:?}");
    assert!(shown.found_by_audit >= 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_the_calls_of_those_read_whom_a_batch_leaves_out() {
    let world = World::usual().await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| world.record(name)).to_vec();
    world.sync_all().await;
    world.dialler.configure(|dialler| dialler.batch_shows = Some(1));
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, CallPlan::new(Outcome::NoAnswer)));
    }
    world.live(minutes(30)).await;
    let calls = world.parts().ledger.calls_list(CallFilter::default(), 9).await.expect("calls");
    assert_eq!(calls.len(), 3, "nobody's calls are taken for none");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_results_missed_because_the_list_of_campaigns_cannot_be_read() {
    for action in [
        Action::Html(Effect::None),
        Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None },
    ] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.dialler.faults().add(Rule::new(action).path("/dialler/campaigns"));
        let contact = world.contact(id).id;
        assert!(world.dialler.call(contact, CallPlan::new(Outcome::Answered).result("SALE", seconds(5))));
        world.live(minutes(30)).await;
        let calls = world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls");
        assert!(calls.len() == 1 && calls[0].result_code.is_some(), "{calls:?}\n{}", world.story().await);
        let runs = world.runs().await;
        let said = |run: &RunRow| {
            run.remark.as_ref().is_some_and(|remark| remark.contains("could not be looked at"))
        };
        assert!(runs.iter().any(said), "{}", world.story().await);
        world.ends().await;
    }
}
