//! A ledger that was restored, cloned or moved: does it call nobody, lock whoever says no, and go on when told to?

use crate::support::world::{LEADS, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End, RouteWord};
use dialbridge::domain::ContactId;
use dialbridge::domain::policy::RouteState;
use dialbridge::ledger::CallFilter;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use serde_json::json;
use std::path::Path;

const TAKEOVER: Command = Command::Takeover { confirmed: true };

/// What differs, in the words that a person reads.
async fn differs(world: &World) -> String {
    let standing = world.ledger().differences_standing().await.expect("differences");
    standing.iter().map(|difference| difference.in_words()).collect::<Vec<_>>().join("\n")
}

async fn state(world: &World) -> (RouteState, Option<RouteState>) {
    let row = world.ledger().route_show(LEADS.into()).await.expect("a route").expect("known");
    (row.state, row.state_after)
}

/// Copies a ledger and what stands beside it.
fn copy(from: &Path, to: &Path, name: &str) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in [name.to_owned(), format!("{name}.generation")] {
        std::fs::copy(from.join(&file), to.join(&file)).expect("copied");
    }
}

/// Two people in step, a third who is new and one edit that waits; the second says no.
async fn something_to_do(world: &World, ada: u64, berta: u64) -> u64 {
    world.advance(minutes(5)).await;
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.editor().edit(berta, json!({ "do_not_call": true }));
    let carl = world.record("Carl");
    world.advance(minutes(1)).await;
    carl
}

#[tokio::test(start_paused = true)]
async fn does_a_clone_on_another_machine_call_nobody_and_lock_all_the_same() {
    let mut world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world.move_to_host("the clone's");
    world.restart().await;
    let carl = something_to_do(&world, ada, berta).await;
    let mark = world.mark();
    world.sync_all().await;
    world.live(minutes(90)).await;
    assert!(world.locked(berta), "who says no is locked");
    assert_eq!(world.writes(mark), ["lock"], "{}", world.story().await);
    assert_eq!(state(&world).await, (RouteState::Paused, Some(RouteState::On)));
    let told = differs(&world).await;
    assert!(told.contains("another machine") && told.contains("takeover"), "{told}");

    let resume = |word| Command::Route { route: LEADS.into(), word, reason: "try".to_owned() };
    for word in [RouteWord::Resume, RouteWord::On] {
        let (end, said) = world.command(resume(word)).await;
        assert!(end == End::Failed && said.contains("takeover"), "{said}");
    }
    let locks = world.dialler.journal().count("lock");
    let mark = world.mark();
    let (end, said) = world.command(TAKEOVER).await;
    assert_eq!(end, End::Done, "{said}");
    world.idle().await;
    let (id, since) = (world.contact(ada).id, world.dialler.journal().requests_since(mark));
    let reads =
        |body: serde_json::Value| body["IDList"].as_array().is_some_and(|ids| ids.contains(&json!(id)));
    let read = since.iter().any(|asked| asked.kind.name == "batch" && reads(asked.json()));
    assert!(read, "also a contact that looks as it did is read: {}", world.story().await);
    assert_eq!(world.dialler.journal().count("lock"), locks + 1, "every wished lock goes once more");
    assert_eq!(state(&world).await.0, RouteState::On);
    assert_eq!(world.value(ada, "City"), json!("Bonn"));
    assert!(!world.locked(carl) && world.locked(berta));
    assert_eq!(differs(&world).await, "");
    world.restart().await;
    assert_eq!(differs(&world).await, "", "this is its home now");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_everything_harvested_for_a_takeover_also_where_a_pause_holds_harvesting() {
    let mut world = World::usual().await;
    let ada = world.record("Ada");
    world.sync_all().await;
    let word = RouteWord::Pause { until: None, harvest_too: true };
    let pause = Command::Route { route: LEADS.into(), word, reason: "stocktaking".to_owned() };
    assert_eq!(world.command(pause).await.0, End::Done);
    world.move_to_host("the clone's");
    world.restart().await;
    assert!(world.dialler.call(world.contact(ada).id, CallPlan::new(Outcome::Answered)));
    world.advance(minutes(5)).await;
    let (end, said) = world.command(TAKEOVER).await;
    assert_eq!(end, End::Done, "{said}");
    assert_eq!(world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls").len(), 1);
    assert_eq!(state(&world).await.0, RouteState::Paused, "the person's own pause stands");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_ledger_that_was_moved_wait_for_a_person_and_one_that_is_back_go_on() {
    let mut world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world
        .restart_after(|folder| {
            copy(folder, &folder.join("new"), "ledger.sqlite");
        })
        .await;
    world.restart_at("new/ledger.sqlite", |_| {}).await;
    let told = differs(&world).await;
    assert!(told.contains("new/ledger.sqlite") && told.contains("moved"), "{told}");
    something_to_do(&world, ada, berta).await;
    let mark = world.mark();
    world.sync_all().await;
    assert_eq!(world.writes(mark), ["lock"]);
    // Nothing but the place was wrong: put back, it is at home.
    world
        .restart_after(|folder| {
            copy(&folder.join("new"), folder, "ledger.sqlite");
        })
        .await;
    world.restart_at("ledger.sqlite", |_| {}).await;
    assert_eq!((differs(&world).await, state(&world).await.0), (String::new(), RouteState::On));
    world.sync_all().await;
    assert_eq!(world.value(ada, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_restored_ledger_double_nobody_and_lose_no_call_and_no_lock() {
    let mut world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    world
        .restart_after(|folder| {
            std::fs::copy(folder.join("ledger.sqlite"), folder.join("copy")).expect("copied");
        })
        .await;
    // What the copy does not know: a person imported and called, one who said no by hand.
    let carl = world.record("Carl");
    world.advance(minutes(1)).await;
    world.sync_all().await;
    world.block_number(&world.number(ada)).await;
    world.idle().await;
    assert!(world.locked(ada));
    assert!(world.dialler.call(world.contact(carl).id, CallPlan::new(Outcome::NoAnswer)));
    world.advance(minutes(30)).await;
    world
        .restart_after(|folder| {
            std::fs::copy(folder.join("copy"), folder.join("ledger.sqlite")).expect("copied");
        })
        .await;
    let told = differs(&world).await;
    assert!(told.contains("older") && told.contains("restored"), "{told}");
    world.editor().edit(berta, json!({ "city": "Bonn" }));
    world.advance(minutes(1)).await;
    let mark = world.mark();
    world.sync_all().await;
    world.live(minutes(30)).await;
    assert_eq!(world.writes(mark), Vec::<&str>::new(), "{}", world.story().await);

    let (end, said) = world.command(TAKEOVER).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(said.contains("1 contacts carry our UserData and are not in the ledger"), "{said}");
    world.idle().await;
    world.settle_down().await;
    assert_eq!(world.dialler.journal().count("import"), 3, "nobody was imported twice");
    assert!(world.dialler.doubled().is_empty());
    assert_eq!(world.value(berta, "City"), json!("Bonn"));
    assert!(world.locked(ada), "what was locked in the dialler stays so");
    let calls = world.ledger().calls_list(CallFilter::default(), 10).await.expect("calls");
    assert_eq!(calls.len(), 1, "the call is there again");
    world.restart().await;
    assert_eq!(differs(&world).await, "");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_ledger_put_back_without_its_companion_noticed() {
    let mut world = World::usual().await;
    world.record("Ada");
    world.sync_all().await;
    world
        .restart_after(|folder| {
            std::fs::remove_file(folder.join("ledger.sqlite.generation")).expect("removed");
        })
        .await;
    assert!(differs(&world).await.contains("missing"));
    // It does not heal by itself, and not by another start.
    world.sync_all().await;
    world.restart().await;
    assert!(differs(&world).await.contains("missing"));
    world.must(TAKEOVER).await;
    world.restart().await;
    assert_eq!(differs(&world).await, "");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_container_go_on_anywhere_and_notice_an_older_copy_all_the_same() {
    let setup = Setup { ledger_keys: "identity = \"file\"", ..Setup::default() };
    let mut world = World::new(setup).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    world
        .restart_after(|folder| {
            copy(folder, &folder.join("volume"), "ledger.sqlite");
        })
        .await;
    world.move_to_host("another container");
    world.restart_at("volume/ledger.sqlite", |_| {}).await;
    assert_eq!(differs(&world).await, "");
    world.advance(minutes(1)).await;
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.advance(seconds(30)).await;
    world.sync_all().await;
    assert_eq!(world.value(ada, "City"), json!("Bonn"), "it goes on");
    world
        .restart_after(|folder| {
            let (old, new) = (folder.join("ledger.sqlite"), folder.join("volume/ledger.sqlite"));
            std::fs::copy(old, new).expect("copied");
        })
        .await;
    assert!(differs(&world).await.contains("older"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_takeover_with_nothing_wrong_say_so_and_change_nothing() {
    let world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(berta, json!({ "do_not_call": true }));
    world.sync_all().await;
    something_to_do(&world, ada, berta).await;
    let mark = world.mark();
    let runs = world.runs().await.len();
    let (end, said) = world.command(TAKEOVER).await;
    assert!(end == End::Done && said.contains("nothing differs"), "{said}");
    assert!(world.dialler.journal().requests_since(mark).is_empty());
    assert_eq!(world.runs().await.len(), runs);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_takeover_that_cannot_read_the_dialler_leave_everything_paused() {
    use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
    let mut world = World::usual().await;
    let ada = world.record("Ada");
    world.sync_all().await;
    world.move_to_host("the clone's");
    world.restart().await;
    let down = Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None };
    world.dialler.faults().add(Rule::new(down));
    let (end, said) = world.command(TAKEOVER).await;
    assert!(end == End::Failed && said.contains("not taken over"), "{said}");
    assert_eq!(state(&world).await.0, RouteState::Paused);
    world.dialler.faults().clear();
    world.advance(minutes(10)).await;
    world.must(TAKEOVER).await;
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.advance(minutes(1)).await;
    world.sync_all().await;
    assert_eq!(world.value(ada, "City"), json!("Bonn"));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_made_callable_by_hand_from_a_ledger_that_is_not_at_home() {
    let mut world = World::usual().await;
    let ada = world.record("Ada");
    world.sync_all().await;
    let contact = ContactId(world.contact(ada).id);
    let act = |act| Command::Contact { contact, act, reason: "test".to_owned() };
    world.must(act(ContactAct::Lock)).await;
    world.move_to_host("the clone's");
    world.restart().await;
    world.command(act(ContactAct::Unlock)).await;
    world.live(minutes(5)).await;
    assert!(world.locked(ada), "its memory of who said no may be old");
    world.must(TAKEOVER).await;
    world.live(minutes(5)).await;
    assert!(!world.locked(ada));
    world.ends().await;
}
