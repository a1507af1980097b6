//! What happens to a record that cannot be read, and to those beside it?

use crate::support::world::{Setup, World, minutes};
use dialbridge::ledger::LeftOut;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// A row with an id and without any readable value: its name is half a character.
fn half(id: u64) -> String {
    format!("{{\"id\":{id},\"name\":\"\\ud800\",\"active\":true}}")
}

#[tokio::test(start_paused = true)]
async fn is_it_parked_under_its_id_and_locked_and_does_it_heal() {
    let world = World::usual().await;
    let (ada, berta, new) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
    world.editor().make_odd(new, half(new));
    world.sync_all().await;
    assert_eq!(world.contacts(new).len(), 0);
    world.advance(minutes(1)).await;
    world.editor().make_odd(ada, half(ada));
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.editor().edit(berta, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert!(world.locked(ada), "nobody can tell whether it may be called\n{}", world.story().await);
    assert_eq!(world.value(berta, "City"), json!("Bonn"), "the others go on");
    let parked = world.parked().await;
    assert_eq!(parked.len(), 2, "{parked:?}");
    assert!(parked.iter().all(|line| line.contains("cannot be read")), "{parked:?}");
    assert!(parked.iter().any(|line| line.starts_with(&format!("{ada}: "))), "{parked:?}");
    world.assert_at_rest().await;
    let reports = world.pull().await.expect("a pull");
    assert_eq!(reports[0].counts.parked, 0, "what is unchanged is not parked anew");

    world.advance(minutes(1)).await;
    for id in [ada, new] {
        world.editor().make_plain(id);
        world.editor().edit(id, json!({ "city": "Hof" }));
    }
    world.sync_all().await;
    assert!(!world.locked(ada), "{}", world.story().await);
    assert_eq!((world.value(ada, "City"), world.value(new, "City")), (json!("Hof"), json!("Hof")));
    assert_eq!(world.parked().await, Vec::<String>::new());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_number_that_was_blocked_stay_known_while_its_record_cannot_be_read() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let number = world.number(id);
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().make_odd(id, half(id));
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    world.block_number(&number).await;
    world.editor().make_plain(id);
    world.editor().edit(id, json!({ "city": "Hof" }));
    world.sync_all().await;
    assert!(world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_one_without_an_id_counted_and_harms_nobody() {
    let world = World::usual().await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().make_odd(ada, "7");
    world.sync_all().await;
    assert_eq!((world.contacts(ada).len(), world.contacts(berta).len()), (0, 1));
    let counts = world.ledger().left_out_counts(LeftOut::Parked, None).await.expect("counts");
    assert_eq!(counts.iter().map(|parked| parked.count).sum::<i64>(), 1, "{counts:?}");
    let run = world.runs().await.into_iter().find(|run| run.counts.parked > 0).expect("a run");
    assert_eq!((run.state.as_str(), run.counts.parked), ("done", 1));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_somebody_locked_whose_conditions_cannot_be_worked_out() {
    for missing in ["phone_blacklisted", "active_phone"] {
        let world = World::usual().await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        world.advance(minutes(1)).await;
        // Without the flag that says no, or without what says yes.
        let mut raw = json!({
            "id": ada, "name": "Ada", "phone": "+49 30 23125 001", "city": "Hof", "email": "a@b.example",
            "zip": "1", "do_not_call": false, "active": true, "phone_blacklisted": false,
            "modified_at": world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        let fields = raw.as_object_mut().expect("an object");
        fields.remove(if missing == "active_phone" { "phone" } else { missing });
        world.editor().make_odd(ada, raw.to_string());
        world.editor().edit(ada, json!({ "city": "Hof" }));
        world.sync_all().await;
        assert_eq!((world.locked(ada), world.locked(berta)), (true, false), "{missing}");
        assert_eq!(world.parked().await.len(), 1);
        world.assert_at_rest().await;
        world.advance(minutes(1)).await;
        world.editor().make_plain(ada);
        world.editor().edit(ada, json!({ "city": "Bonn" }));
        world.sync_all().await;
        assert_eq!((world.locked(ada), world.value(ada, "City")), (false, json!("Bonn")));
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_one_in_another_encoding_harm_nobody_beside_it() {
    let world = World::usual().await;
    let (ada, joerg, new) = (world.record("Ada"), world.record("Joerg"), world.record("J\u{f6}rn"));
    // The CRM sends one text field as it lies in its old tables.
    world.crm.faults.add(Rule::new(Action::Latin1));
    world.sync_all().await;
    assert_eq!((world.contacts(ada).len(), world.contacts(new).len()), (1, 0), "{:?}", world.parked().await);
    world.advance(minutes(1)).await;
    world.editor().edit(joerg, json!({ "name": "J\u{f6}rg" }));
    world.editor().edit(ada, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(ada, "City"), json!("Bonn"), "{}", world.story().await);
    assert_eq!(world.value(joerg, "Name"), json!("Joerg"), "half a name is none");
    assert!(world.locked(joerg), "nobody can tell whether it may be called");
    let parked = world.parked().await;
    assert!(parked.len() == 2 && parked.iter().all(|line| line.contains("UTF-8")), "{parked:?}");
    assert!(world.stopped().await.is_none());
    world.assert_at_rest().await;
    world.crm.faults.clear();
    for id in [joerg, new] {
        world.editor().edit(id, json!({ "city": "Hof" }));
    }
    world.sync_all().await;
    assert_eq!(world.value(joerg, "Name"), json!("J\u{f6}rg"));
    assert!(!world.locked(joerg) && !world.locked(new));
    assert!(world.parked().await.is_empty());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_whole_crm_in_another_encoding_stop_the_route_and_park_nobody() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Person {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.crm.faults.add(Rule::new(Action::Latin1));
    for id in &ids {
        world.editor().edit(*id, json!({ "city": "K\u{f6}ln" }));
    }
    world.pull().await.expect_err("a fault of many");
    assert!(world.stopped().await.is_some());
    world.crm.faults.clear();
    world.settle_down().await;
    assert!(ids.iter().all(|id| world.value(*id, "City") == json!("K\u{f6}ln")), "{}", world.story().await);
    assert!(world.parked().await.is_empty() && world.stopped().await.is_none());
    assert!(ids.iter().all(|id| !world.locked(*id)));
    world.ends().await;
}

/// A row whose phone is this piece, which is no JSON.
fn spoilt(id: u64, piece: &str) -> String {
    format!("{{\"id\":{id},\"name\":\"Ada\",\"phone\":{piece},\"active\":true}}")
}

#[tokio::test(start_paused = true)]
async fn does_one_whose_json_is_broken_harm_nobody_beside_it() {
    let pieces = ["\"+49 30 \u{1}1\"", r#""C:\data""#, "NaN", r#""the "red" phone""#, ""];
    let connectors = ["sim-id", "sim-offset", "sim-cursor", "sim-link", "sim-id"];
    for (piece, connector) in pieces.into_iter().zip(connectors) {
        let world = World::new(Setup { connector, ..Setup::default() }).await;
        let (ada, berta, new) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
        world.editor().make_odd(new, spoilt(new, piece));
        world.sync_all().await;
        assert_eq!((world.contacts(new).len(), world.contacts(berta).len()), (0, 1), "{piece}");
        let cursor = world.cursor().await;
        world.advance(minutes(1)).await;
        world.editor().make_odd(ada, spoilt(ada, piece));
        world.editor().edit(ada, json!({ "city": "Bonn" }));
        world.editor().edit(berta, json!({ "city": "Bonn" }));
        // Read by its id it is no better.
        world.hint(&[ada, berta]).await;
        world.sync_all().await;
        assert!(world.locked(ada), "{piece}: nobody can tell whether it may be called");
        assert_eq!(world.value(berta, "City"), json!("Bonn"), "{piece}: the others go on");
        let parked = world.parked().await;
        let told =
            |id: u64| parked.iter().any(|line| line.starts_with(&format!("{id}: ")) && line.contains("JSON"));
        assert!(parked.len() == 2 && told(ada) && told(new), "{piece}: {parked:?}");
        assert!(
            world.cursor().await > cursor && world.stopped().await.is_none(),
            "{piece}: the cursor passes"
        );
        world.assert_at_rest().await;

        world.advance(minutes(1)).await;
        for id in [ada, new] {
            world.editor().make_plain(id);
            world.editor().edit(id, json!({ "city": "Hof" }));
        }
        world.sync_all().await;
        assert!(!world.locked(ada) && world.parked().await.is_empty(), "{piece}: {}", world.story().await);
        assert_eq!((world.value(ada, "City"), world.value(new, "City")), (json!("Hof"), json!("Hof")));
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_the_record_named_that_leaves_open_where_it_ends_and_is_everybody_before_it_read() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..60).map(|n| world.record(&format!("Person {n}"))).collect();
    let bad = ids[40];
    world.editor().make_odd(bad, spoilt(bad, "\"{the end of this text is missing"));
    for _ in 0..2 {
        let mark = world.crm.journal.requests().len();
        let said = world.pull().await.expect_err("it cannot be read to its end").to_string();
        assert!(
            said.contains(&format!("follows id {} ", ids[39])) && said.contains("correct that record"),
            "{said}"
        );
        let requests = world.crm.journal.requests().len() - mark;
        assert!(requests < 50, "{requests} requests");
        assert_eq!(world.cursor().await, None, "nothing is passed over");
        world.push().await.expect("a push");
        assert_eq!(world.dialler.len(), 40, "everybody before it is there");
    }
    world.editor().make_plain(bad);
    world.settle_down().await;
    assert_eq!(world.dialler.len(), 60);
    assert!(world.stopped().await.is_none());
    world.assert_at_rest().await;
}
