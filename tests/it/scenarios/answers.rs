//! What is made of answers that are right, but unusual, and of those that are neither an error nor the whole truth?

use crate::support::world::{Setup, World, key, minutes};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::ledger::{LeftOut, Listing};
use dialbridge::sim::crm::{Empty, Settings as CrmSettings};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

fn status(code: u16, retry_after: RetryAfter) -> Action {
    Action::Status { code, retry_after, effect: Effect::None }
}

/// How many answers of the CRM had this status since `mark`.
fn answered(world: &World, mark: u64, status: u16) -> usize {
    let with = |code: Option<u16>| code == Some(status);
    let of =
        |asked: &dialbridge::sim::journal::Asked| asked.answered.as_ref().is_some_and(|a| with(a.status));
    world.crm.journal.requests_since(mark).iter().filter(|asked| of(asked)).count()
}

#[tokio::test(start_paused = true)]
async fn is_an_answer_without_a_body_a_list_without_records() {
    for connector in ["sim-id", "sim-offset", "sim-cursor", "sim-page", "sim-next", "sim-link"] {
        let crm = CrmSettings { empty: Empty::NoContent, ..CrmSettings::default() };
        let world = World::new(Setup { connector, crm, ..Setup::default() }).await;
        world.sync_all().await;
        assert!(answered(&world, 0, 204) > 0, "{connector}: the test must meet it");
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        assert_eq!(world.dialler.len(), 2, "{connector}");
        world.advance(minutes(2)).await;
        let mark = world.crm.journal.mark();
        world.assert_at_rest().await;
        assert!(answered(&world, mark, 204) > 0, "{connector}: nothing changed");
        // Nobody is named: that is a question, and asked again.
        world.editor().delete(ada);
        world.hint(&[ada]).await;
        world.sync_all().await;
        assert!(!world.locked(ada), "{connector}: one absence is a question");
        for _ in 0..2 {
            world.advance(minutes(11)).await;
            world.hint(&[ada]).await;
            world.sync_all().await;
        }
        assert_eq!((world.locked(ada), world.locked(berta)), (true, false), "{connector}");
        assert_eq!(world.stopped().await, None);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nothing_lost_by_an_answer_in_part_or_out_of_a_cache() {
    let nothing = r#"{ "items": [], "total": 0 }"#;
    for action in [Action::Says { code: 207, body: nothing }, status(304, RetryAfter::Absent)] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let rule = world.crm.faults.add(Rule::new(action.clone()).path("/api/contacts?"));
        world.advance(minutes(1)).await;
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(30)).await;
        assert!(world.crm.faults.fired(rule) > 0, "the test must meet its fault");
        // Nobody has to do anything: no address is wrong, and no record.
        assert_eq!(world.stopped().await, None, "{action:?}");
        assert!(world.parked().await.is_empty(), "{action:?}");
        world.crm.faults.clear();
        world.live(minutes(20)).await;
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{action:?}\n{}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_write_that_was_answered_in_part_asked_about_before_it_is_sent_again() {
    let body = r#"{ "status": 200, "records": [], "count": 0 }"#;
    let quiet = TimeDelta::seconds(60);
    for path in ["/import", "/update"] {
        let world = World::usual().await;
        let id = world.record("Ada");
        let rule = Rule::new(Action::Says { code: 207, body }).path(path).times(1);
        let rule = world.dialler.faults().add(rule);
        world.sync_all().await;
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(15)).await;
        assert_eq!(world.dialler.faults().fired(rule), 1, "{path}");
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{path}: {}", world.story().await);
        assert_eq!(world.dialler.journal().creations()[key(id).as_str()], 1);
        let asked = world.dialler.journal().requests();
        let refused =
            asked.iter().find(|asked| asked.answered.as_ref().is_some_and(|a| a.status == Some(207)));
        let refused = refused.expect("the fault");
        let later = |asked: &&dialbridge::sim::journal::Asked| asked.seq > refused.seq;
        let (seen, again): (Vec<_>, Vec<_>) = asked.iter().filter(later).partition(|asked| !asked.kind.write);
        let again = again[0];
        assert!(
            seen.iter().any(|asked| asked.seq < again.seq && asked.at - refused.at >= quiet),
            "{path}: asked about"
        );
        assert!(again.at - refused.at >= quiet, "{path}: not before the quiet time");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_failed_precondition_keep_one_contact_and_nobody_else() {
    for code in [409, 412] {
        let world = World::usual().await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        let of_ada = format!("\"ID\":{}", world.contact(ada).id);
        world.dialler.faults().add(Rule::new(status(code, RetryAfter::Absent)).path("/update").body(&of_ada));
        for id in [ada, berta] {
            world.editor().edit(id, json!({ "city": "Bonn" }));
        }
        world.sync_all().await;
        assert_eq!(world.value(berta, "City"), json!("Bonn"), "{code}");
        let parked = world.parked().await;
        assert!(parked.len() == 1 && parked[0].contains(&code.to_string()), "{parked:?}");
        world.dialler.faults().clear();
        world.advance(minutes(1)).await;
        world.editor().edit(ada, json!({ "city": "Hof" }));
        world.sync_all().await;
        assert_eq!(world.value(ada, "City"), json!("Hof"), "{code}: it goes when it changes");
        world.assert_at_rest().await;
        // From the CRM it speaks of the question: the pull fails, its place stays, and no record is to blame.
        world.crm.faults.add(Rule::new(status(code, RetryAfter::Absent)).path("/api/contacts?"));
        world.editor().edit(berta, json!({ "city": "Hof" }));
        world.live(minutes(20)).await;
        assert!(world.parked().await.is_empty());
        world.crm.faults.clear();
        world.live(minutes(5)).await;
        assert_eq!(world.value(berta, "City"), json!("Hof"), "{code}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_record_gone_that_answers_as_the_one_it_was_merged_into() {
    for connector in ["sim-id", "sim-offset"] {
        let world = World::new(Setup { connector, ..Setup::default() }).await;
        let ids: Vec<u64> = (0..6).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(ids[1], json!({ "city": "Bonn" }));
        world.editor().merge(ids[0], ids[1]);
        world.hint(&ids[..3]).await;
        world.sync_all().await;
        assert!(!world.locked(ids[0]), "a question first");
        for _ in 0..2 {
            world.advance(minutes(11)).await;
            world.hint(&ids[..3]).await;
            world.sync_all().await;
        }
        let locked: Vec<u64> = ids.iter().copied().filter(|id| world.locked(*id)).collect();
        assert_eq!(locked, [ids[0]], "{connector}: {}", world.story().await);
        assert_eq!(world.value(ids[1], "City"), json!("Bonn"));
        assert!(world.parked().await.is_empty(), "{:?}", world.parked().await);
        let left =
            world.ledger().left_out_list(LeftOut::Skipped, None, Listing::All, 9).await.expect("a list");
        let into = format!("it was merged into record {}", ids[1]);
        assert!(left.len() == 1 && left[0].text.ends_with(&into), "{connector}: {left:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_merged_record_leave_by_its_own_reason_and_a_deleted_one_by_its() {
    let route_keys =
        "only_if = \"phone and active\"\n[route.leads.leave]\nmerged = \"keep\"\ndeleted = \"lock\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..6).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.editor().merge(ids[0], ids[1]);
    world.editor().delete(ids[2]);
    for _ in 0..3 {
        world.advance(minutes(11)).await;
        world.hint(&ids[..3]).await;
        world.sync_all().await;
    }
    let locked: Vec<u64> = ids.iter().copied().filter(|id| world.locked(*id)).collect();
    assert_eq!(locked, [ids[2]], "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_no_field_emptied_that_the_crm_leaves_out_of_its_answers() {
    // Of ten fields in the order of their names: all but the first three, or only the last, which is the postal code.
    for most in [3, 9] {
        let world = World::usual().await;
        let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.crm.set(|settings| settings.fields_cap = Some(most));
        for id in &ids {
            world.editor().edit(*id, json!({ "city": "Bonn" }));
        }
        let mark = world.mark();
        world.live(minutes(10)).await;
        let stopped = world.stopped().await.expect("the route stops, because it is no single record");
        assert!(stopped.contains("which the record does not have"), "{stopped}");
        let changed: Vec<&str> = world.writes(mark).into_iter().filter(|kind| *kind != "lock").collect();
        assert_eq!(changed, Vec::<&str>::new(), "{most}");
        for id in &ids {
            let contact = world.contact(*id);
            assert_eq!(contact.get("PostalCode"), json!("89073"), "{most}");
            assert_eq!(contact.get("Email"), json!("a@example.com"), "{most}");
        }
        world.crm.set(|settings| settings.fields_cap = None);
        for id in &ids {
            world.editor().edit(*id, json!({ "city": "Hof" }));
        }
        world.live(minutes(10)).await;
        assert_eq!(world.stopped().await, None, "it goes on by itself");
        for id in &ids {
            assert_eq!((world.value(*id, "City"), world.locked(*id)), (json!("Hof"), false), "{most}");
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_rights_that_are_narrowed_in_the_middle_of_a_pull_noticed() {
    let world = World::usual().await;
    world.editor().seed(450, 3);
    let crm = world.crm.clone();
    world.crm.between_pages(move |_| crm.set(|settings| settings.fields_cap = Some(4)));
    world.pull().await.expect_err("most of the second page cannot be used");
    let _whatever = world.push().await;
    assert!(world.stopped().await.is_some() && world.dialler.len() < 450);
    world.dialler.read(|state| {
        for contact in state.contacts() {
            assert_ne!(contact.get("City"), json!(""), "{contact:?}");
        }
    });
    world.crm.between_pages(|_| {});
    world.crm.set(|settings| settings.fields_cap = None);
    world.settle_down().await;
    assert_eq!(world.dialler.len(), 450, "{:?}", world.parked().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_record_that_we_may_not_see_any_more_keep_no_other() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..12).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let hidden = ids[10];
    world.crm.faults.add(Rule::new(status(403, RetryAfter::Absent)).path("by-ids").path(&hidden.to_string()));
    world.editor().edit(ids[3], json!({ "do_not_call": true }));
    world.hint(&ids).await;
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert!(world.locked(ids[3]));
    assert!(!world.locked(hidden), "one refusal says nothing about a person");
    assert_eq!(world.stopped().await, None, "the token is good for the others");
    // It stays so, while others can be read: nobody knows any more whether this one may be called.
    for _ in 0..6 {
        world.advance(minutes(20)).await;
        world.hint(&ids[..2]).await;
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
    }
    let locked: Vec<u64> = ids.iter().copied().filter(|id| world.locked(*id)).collect();
    assert_eq!(locked, [ids[3], hidden], "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_quota_of_the_day_waited_for_and_not_asked_about_all_the_time() {
    let world = World::usual().await;
    let (id, no) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let hours = 6;
    let until: Timestamp = world.now() + TimeDelta::hours(hours);
    let wish = RetryAfter::Seconds(u64::try_from(hours * 3600).expect("seconds"));
    world.crm.faults.add(Rule::new(status(429, wish)).between(world.now(), until));
    let mark = world.crm.journal.mark();
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(180)).await;
    // Whoever says no is locked meanwhile.
    world.block_number(&world.number(no)).await;
    world.live(minutes(179)).await;
    assert!(world.locked(no));
    let asked = world.crm.journal.requests_since(mark).len();
    assert!((1..=8).contains(&asked), "{asked} questions to a CRM that has had enough for today");
    assert!(world.stopped().await.is_none() && world.parked().await.is_empty());
    world.live(minutes(65)).await;
    assert_eq!(world.value(id, "City"), json!("Bonn"), "it goes on by itself");
    world.assert_at_rest().await;
}
