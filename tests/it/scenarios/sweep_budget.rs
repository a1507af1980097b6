//! What does reading the calls cost the telephone system?

use crate::support::world::{CAMPAIGN, TOKEN, World, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::app::in_process::InProcess;
use dialbridge::domain::CampaignId;
use dialbridge::ledger::{CallFilter, SweepCost, SweepKind};
use dialbridge::remote::{Request, Transport as _};
use dialbridge::runtime::Outcome as Ran;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Rule};
use dialbridge::sim::journal::Asked;
use futures_util::StreamExt as _;
use std::collections::BTreeSet;
use std::time::Duration;

/// The list of the campaign and nothing else.
const LIST: &str = "/dialler/contacts?diallerCampaignsID=";
const CONTACTS: usize = 100;

/// A hundred contacts, and a dialler whose list of them takes more than two minutes: its rest is longer than two of
/// the five minutes between harvests.
async fn slow() -> (World, Vec<u64>) {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..CONTACTS).map(|n| world.record(&format!("Name {n:03}"))).collect();
    world.sync_all().await;
    // The reads that followed the imports are behind us.
    world.live(minutes(20)).await;
    world.dialler.faults().add(
        Rule::new(Action::SlowBody { chunk: 2_000, pause: Duration::from_millis(1_500) })
            .method(http::Method::GET)
            .path(LIST),
    );
    (world, ids)
}

fn lists(world: &World, mark: u64) -> Vec<Asked> {
    world.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.name == "list")
}

/// Contacts whose histories were asked for.
fn read(world: &World, mark: u64) -> BTreeSet<i64> {
    let batches =
        world.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.name == "batch");
    let ids = |asked: &Asked| asked.json()["IDList"].as_array().cloned().unwrap_or_default();
    batches.iter().flat_map(ids).filter_map(|id| id.as_i64()).collect()
}

async fn cost(world: &World) -> SweepCost {
    world.ledger().list_cost(Some(CampaignId(CAMPAIGN))).await.expect("read").expect("a list")
}

/// Lives until a list has just been read.
async fn fresh_list(world: &World) {
    while cost(world).await.began_at < world.now() - TimeDelta::minutes(4) {
        world.live(minutes(1)).await;
    }
}

fn call(world: &World, id: u64, outcome: Outcome) {
    assert!(world.dialler.call(world.contact(id).id, CallPlan::new(outcome)));
}

#[tokio::test(start_paused = true)]
async fn is_a_long_list_read_less_often_and_is_that_said() {
    let (world, _) = slow().await;
    let mark = world.mark();
    world.live(minutes(60)).await;
    let lists = lists(&world, mark);
    assert!(
        (3..=4).contains(&lists.len()),
        "every quarter of an hour, not every five minutes: {}",
        lists.len()
    );
    let cost = cost(&world).await;
    assert_eq!((cost.contacts, cost.complete), (CONTACTS as i64, true));
    assert!(cost.list_ms > 120_000, "{cost:?}");
    // No two lists begin within five times what one takes.
    for pair in lists.windows(2) {
        assert!(pair[1].at - pair[0].at >= TimeDelta::milliseconds(cost.list_ms * 5), "{pair:?}");
    }
    let runs = world.runs().await;
    let harvests: Vec<_> = runs.iter().filter_map(|run| run.sweep.as_ref()).collect();
    let rested = harvests.iter().filter(|sweep| sweep.kind == SweepKind::Likely).count();
    assert!(rested >= 6, "the harvests between read no list: {rested}");
    assert!(cost.rests_until.is_some_and(|until| until > cost.began_at + TimeDelta::minutes(10)), "{cost:?}");
    let (_, runner) = world.parts().control.runners.harvests.first().expect("a harvest");
    let said = format!("{:?}", runner.status().last);
    assert!(said.contains("rests until") || said.contains("more than a fifth"), "{said}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_list_measured_to_the_byte_and_one_that_is_quick_read_whenever_it_is_due() {
    let world = World::usual().await;
    for n in 0..30 {
        world.record(&format!("Name {n}"));
    }
    world.sync_all().await;
    let mark = world.mark();
    world.live(minutes(30)).await;
    assert!(lists(&world, mark).len() >= 5, "every five minutes");
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().expect("a header"));
    let url = format!("http://dialler.invalid/rest/v1.0/3{LIST}{CAMPAIGN}");
    let request = Request { method: http::Method::GET, url, headers, body: None };
    let answer = InProcess::new(world.dialler.router()).send(request).await.expect("an answer");
    let bytes: usize =
        answer.body.map(|chunk| chunk.expect("a chunk").len()).collect::<Vec<_>>().await.iter().sum();
    let cost = cost(&world).await;
    assert_eq!((cost.bytes, cost.rests_until), (bytes as i64, None));
    let harvest = world.runs().await.into_iter().find(|run| run.sweep.is_some()).expect("a harvest");
    assert_eq!(harvest.counts.bytes, bytes as i64);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_who_was_tried_today_or_is_due_read_while_the_list_rests_and_nobody_else() {
    let (world, ids) = slow().await;
    // Tried half an hour ago: the ladder has no rung for it in the next half hour.
    call(&world, ids[0], Outcome::NoAnswer);
    world.live(minutes(40)).await;
    assert!(world.dialler.portal().edit(world.contact(ids[1]).id, "ReservedUsersUID", "anna"));
    // The next list shows the reservation.
    world.live(minutes(5)).await;
    fresh_list(&world).await;
    let mark = world.mark();
    call(&world, ids[0], Outcome::Answered);
    world.live(minutes(9)).await;
    assert_eq!(lists(&world, mark).len(), 0, "the list rests");
    let read = read(&world, mark);
    let tried = world.contact(ids[0]).id;
    assert!(read.contains(&tried), "{read:?}");
    assert!(read.contains(&world.contact(ids[1]).id), "reserved: {read:?}");
    assert!(read.len() < 20, "not everybody: {read:?}");
    let calls = world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls");
    assert_eq!(calls.len(), 2, "the second call is here before the next list");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_person_who_asks_for_a_harvest_get_the_list_though_it_rests() {
    let (world, _) = slow().await;
    world.live(minutes(30)).await;
    fresh_list(&world).await;
    let mark = world.mark();
    world.harvest().await.expect("a harvest");
    assert_eq!(lists(&world, mark).len(), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nothing_lost_and_nobody_taken_for_gone_while_the_list_rests() {
    let (mut world, ids) = slow().await;
    call(&world, ids[8], Outcome::NoAnswer);
    world.live(minutes(26)).await;
    fresh_list(&world).await;
    let resting = cost(&world).await.rests_until.expect("it rests");
    // Nobody expects anything of the one, the other is likely to move.
    call(&world, ids[7], Outcome::Answered);
    let deleted = world.contact(ids[8]).id;
    assert!(world.dialler.portal().delete(deleted));
    let mark = world.mark();
    // A restart is no reason to read the list again.
    world.restart().await;
    let (_, runner) = &world.parts().control.runners.harvests[0];
    assert!(matches!(runner.run_now("start").await, Some(Ran::Done { .. })), "a harvest");
    assert_eq!(lists(&world, mark).len(), 0);
    world.live((resting - world.now()).to_std().expect("ahead") - seconds(1)).await;
    assert!(read(&world, mark).contains(&deleted), "it was among those asked for");
    let asked_singly = world
        .dialler
        .journal()
        .requests_where(|asked| asked.seq >= mark && asked.path.ends_with(&format!("/contacts/{deleted}")));
    assert!(asked_singly.is_empty(), "absence is a question of a complete list");
    world.live(minutes(40)).await;
    let calls = world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls");
    assert_eq!(calls.len(), 2, "the next list has shown it");
    let gone =
        world.ledger().contacts_by_key(dialbridge::domain::FoldedUserData::of(&format!("leads-{}", ids[8])));
    assert!(gone.await.expect("read").is_empty(), "and that the other is gone, asked twice");
    world.ends().await;
}
