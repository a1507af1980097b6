//! Does a server that says "not now" get its way, in whatever words it says so, and is nothing lost by it?

use crate::support::world::{Setup, World, key, minutes};
use chrono::TimeDelta;
use dialbridge::domain::Timestamp;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use dialbridge::sim::journal::Asked;
use serde_json::json;

fn refusal(code: u16, retry_after: RetryAfter) -> Action {
    Action::Status { code, retry_after, effect: Effect::None }
}

/// In every form a minute and a half: longer than any call waits by itself.
const FORMS: [RetryAfter; 3] = [RetryAfter::Seconds(90), RetryAfter::Date(90), RetryAfter::Epoch(90)];

/// From each refusal until its wish has passed nothing is asked for but what was under way.
fn respected(requests: &[Asked], wish: impl Fn(usize) -> TimeDelta) {
    let refused = |asked: &&Asked| asked.answered.as_ref().is_some_and(|answer| answer.fault.is_some());
    let refusals: Vec<(u64, Timestamp)> = requests
        .iter()
        .filter(refused)
        .filter_map(|asked| Some((asked.seq, asked.answered.as_ref()?.at)))
        .collect();
    assert!(!refusals.is_empty(), "the test must meet its fault");
    for (number, (seq, at)) in refusals.iter().enumerate() {
        // Headers have whole seconds, and an instant in them is cut to one.
        let until = *at + wish(number) - TimeDelta::seconds(1);
        let early = requests.iter().find(|asked| asked.seq > *seq && asked.at > *at && asked.at < until);
        assert!(early.is_none(), "refused at {at} until {until}, asked again: {early:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn does_the_crm_get_the_time_it_asks_for() {
    for form in FORMS {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let mark = world.crm.journal.mark();
        world.crm.faults.add(Rule::new(refusal(429, form)).times(3));
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(15)).await;
        respected(&world.crm.journal.requests_since(mark), |_| TimeDelta::seconds(90));
        assert_eq!(world.value(id, "City"), json!("Bonn"), "{form:?}");
        assert!(world.stopped().await.is_none() && world.parked().await.is_empty());
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn and_the_dialler_also_in_the_middle_of_an_import() {
    for form in FORMS {
        let world = World::usual().await;
        let ids: Vec<u64> = (0..5).map(|n| world.record(&format!("Name {n}"))).collect();
        world.dialler.faults().add(Rule::new(refusal(429, form)).path("/import").times(2));
        world.live(minutes(20)).await;
        for id in &ids {
            assert_eq!(world.value(*id, "City"), json!("Ulm"), "{form:?}\n{}", world.story().await);
            assert_eq!(world.dialler.journal().creations()[key(*id).as_str()], 1);
        }
        let imports = world.dialler.journal().requests_of("import");
        let first =
            imports.iter().find(|asked| asked.answered.as_ref().is_some_and(|a| a.status == Some(429)));
        let first = first.and_then(|asked| asked.answered.as_ref()).expect("a refusal").at;
        // What was under way at that moment may be refused as well; the next one waits.
        let next = imports.iter().find(|asked| asked.at > first).expect("tried again");
        assert!(next.at - first >= TimeDelta::seconds(89), "{form:?}: after {}", next.at - first);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_one_that_asks_for_more_each_time_get_it() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let mark = world.crm.journal.mark();
    world.crm.faults.add(Rule::new(refusal(429, RetryAfter::Doubling(40))).times(5));
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(40)).await;
    respected(&world.crm.journal.requests_since(mark), |number| TimeDelta::seconds(40 << number));
    assert_eq!(world.value(id, "City"), json!("Bonn"), "{}", world.story().await);
    assert!(world.stopped().await.is_none());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_refusal_in_other_words_no_wrong_token_and_no_bad_record() {
    let throttled = r#"{ "success": false, "error": { "code": "THROTTLED", "message": "too many" } }"#;
    let busy = r#"{ "success": false, "error": { "code": "BUSY", "message": "too many" } }"#;
    for says in [
        refusal(429, RetryAfter::Absent),
        Action::Says { code: 403, body: throttled },
        Action::Says { code: 200, body: busy },
    ] {
        let world = World::usual().await;
        let (known, called) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        let rule = world.crm.faults.add(Rule::new(says.clone()).path("contacts"));
        world.editor().edit(known, json!({ "city": "Bonn" }));
        assert!(world.dialler.call(world.contact(called).id, CallPlan::new(Outcome::NoAnswer)));
        let mark = world.crm.journal.mark();
        world.live(minutes(30)).await;
        let asked = world.crm.journal.requests_since(mark).len();
        assert!(asked > 0 && asked <= 30 * 8, "{says:?}: {asked} requests in half an hour");
        assert!(world.stopped().await.is_none(), "{says:?}: {:?}", world.stopped().await);
        assert!(world.parked().await.is_empty());
        assert!(!world.locked(known), "nobody is locked for it");
        world.crm.faults.remove(rule);
        world.live(minutes(2)).await;
        assert_eq!(world.value(known, "City"), json!("Bonn"), "{says:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_the_longest_wish_that_is_honoured_hold_for_everything_that_waits() {
    // What is set, what is asked for, and the minutes after which nothing and everything has gone.
    for (more, wish, before, after) in [
        ("[push]\nmax_retry_after = \"5m\"", 3600, 4, 15),
        ("[push]\nmax_retry_after = \"4h\"", 7200, 115, 140),
    ] {
        let world = World::new(Setup { more, ..Setup::default() }).await;
        let (known, new) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        let busy = || refusal(429, RetryAfter::Seconds(wish));
        world.crm.faults.add(Rule::new(busy()).times(1));
        world.pull().await.expect_err("it is busy");
        world.editor().edit(known, json!({ "city": "Bonn" }));
        world.live(minutes(before)).await;
        assert_eq!(world.value(known, "City"), json!("Ulm"), "{more}: the CRM has its time");
        world.live(minutes(after - before)).await;
        assert_eq!(world.value(known, "City"), json!("Bonn"), "{more}\n{}", world.story().await);

        let rule =
            world.dialler.faults().add(Rule::new(busy()).path_end("/dialler/contacts/update").times(1));
        world.editor().edit(new, json!({ "city": "Kiel" }));
        world.live(minutes(before)).await;
        assert_eq!(world.dialler.faults().fired(rule), 1);
        assert_eq!(world.value(new, "City"), json!("Ulm"), "{more}: the dialler has its time");
        world.live(minutes(after - before)).await;
        assert_eq!(world.value(new, "City"), json!("Kiel"), "{more}\n{}", world.story().await);
        world.ends().await;
    }
}
