//! What happens when the dialler's list is complete, agrees with itself, and has nothing in it? Absence is a
//! question, never a fact.

use crate::support::world::{CAMPAIGN, Setup, World, key, minutes};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// Whoever vanished may be imported again: the policy under which a lying list would hurt most.
fn reimporting(batch_read: bool) -> Setup {
    Setup {
        dialler: DiallerConfig { batch_read, ..DiallerConfig::default() },
        route_keys: "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nvanished = \"import\"",
        ..Setup::default()
    }
}

/// A world whose route has so many contacts.
async fn full(setup: Setup, n: usize) -> (World, Vec<u64>) {
    let world = World::new(setup).await;
    let ids: Vec<u64> = (0..n).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    assert_eq!(world.dialler.len(), n);
    (world, ids)
}

/// Whatever went on, nobody was made anew, and both sides are at rest once the truth is told again.
async fn unharmed(world: &World, ids: &[u64], mark: u64) {
    let imports = world.writes_since(mark).iter().filter(|asked| asked.kind.name == "import").count();
    assert_eq!(imports, 0, "{}", world.story().await);
    assert!(world.dialler.doubled().is_empty());
    world.dialler.faults().clear();
    world.settle_down().await;
    for id in ids {
        world.contact(*id);
    }
    let imports = world.writes_since(mark).iter().filter(|asked| asked.kind.name == "import").count();
    assert_eq!(imports, 0, "nor afterwards");
    // An edit still finds its contact.
    world.editor().edit(ids[0], json!({ "city": "Bonn" }));
    world.live(minutes(2)).await;
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_taken_for_gone_by_an_empty_list() {
    for (batch_read, n) in [(true, 5), (true, 40), (false, 40)] {
        let (world, ids) = full(reimporting(batch_read), n).await;
        let mark = world.mark();
        world.dialler.faults().add(Rule::new(Action::EmptyList).path("/dialler/contacts?"));
        world.live(minutes(60)).await;
        let singles = world.dialler.journal().requests_since(mark);
        let singles = singles.iter().filter(|asked| asked.kind.name != "list" && !asked.kind.write).count();
        assert!(n > 10 || singles >= n, "a few who are missing are asked about one by one: {singles}");
        unharmed(&world, &ids, mark).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_when_single_reads_are_empty_too_and_so_many_are_missing() {
    for batch_read in [true, false] {
        let (world, ids) = full(reimporting(batch_read), 40).await;
        let mark = world.mark();
        // Everything that can be read says that nothing is there.
        world.dialler.faults().add(Rule::new(Action::EmptyList));
        world.live(minutes(120)).await;
        unharmed(&world, &ids, mark).await;
    }
}

/// The list of the whole account is empty; every other question is answered truly.
fn empty_account() -> Rule {
    Rule::new(Action::EmptyList).method(http::Method::GET).path_end("/dialler/contacts")
}

/// So many unknown keys are looked for in a list of the account, and not one by one.
const MANY: usize = 120;

/// Contacts with the keys of new records, from before our time.
fn from_before(world: &World) -> Vec<u64> {
    let ids: Vec<u64> = (0..MANY).map(|n| world.record(&format!("Stranger {n}"))).collect();
    for id in &ids {
        let fields = [("Name", "Old"), ("UserData", &key(*id)), ("PhoneNumber1", "4930999")];
        world.dialler.put(CAMPAIGN, &fields);
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn is_an_empty_account_no_index_of_keys_where_we_know_better() {
    for batch_read in [true, false] {
        let (world, mut ids) = full(reimporting(batch_read), 40).await;
        world.advance(minutes(30)).await;
        ids.extend(from_before(&world));
        let (mark, rule) = (world.mark(), world.dialler.faults().add(empty_account()));
        world.live(minutes(10)).await;
        assert!(world.dialler.faults().fired(rule) > 0, "the test must meet its fault");
        unharmed(&world, &ids, mark).await;
        assert_eq!(world.value(ids[40], "Name"), json!("Stranger 0"), "taken over, not made again");
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_our_keys_are_found_when_asked_for() {
    for batch_read in [true, false] {
        // A ledger that was lost: the dialler has everybody, we know nobody.
        let world = World::new(reimporting(batch_read)).await;
        let ids = from_before(&world);
        let (mark, rule) = (world.mark(), world.dialler.faults().add(empty_account()));
        world.live(minutes(10)).await;
        assert!(world.dialler.faults().fired(rule) > 0, "the test must meet its fault");
        unharmed(&world, &ids, mark).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_wrong_content_type_with_the_right_content_harm_nobody() {
    let (world, ids) = full(Setup::default(), 12).await;
    for kind in ["text/html; charset=utf-8", "application/octet-stream", "text/plain"] {
        let kind = Action::ContentType(kind.to_owned());
        world.dialler.faults().add(Rule::new(kind.clone()));
        world.crm.faults.add(Rule::new(kind));
        let mark = world.mark();
        world.advance(minutes(1)).await;
        world.editor().edit(ids[1], json!({ "city": format!("Town {mark}") }));
        world.sync_all().await;
        assert_eq!(world.writes(mark), ["update"]);
        assert_eq!(world.value(ids[1], "City"), json!(format!("Town {mark}")));
        world.dialler.faults().clear();
        world.crm.faults.clear();
    }
    world.assert_at_rest().await;
}
