//! The program ends at every named point, at three speeds of the dialler; afterwards nothing is doubled,
//! nothing is lost, and nothing that was in doubt was sent again unasked.

use super::house::House;
use super::judge::{Deaths, QUIET, judge};
use super::speeds::{SPEEDS, Speed};
use super::work::Work;
use dialbridge::sim::faults::{Action, Rule};
use std::time::Duration;

/// Where it ends, in which job, and at which of the times it comes by. Every write to the ledger has such a point: these
/// and those of `kill_commits` are the ones of the ways of the data.
const POINTS: &[(&str, &str)] = &[
    ("pull", "inside_commit_page_store:1"),
    ("push", "inside_commit_operations_lease:1"),
    ("push", "after_lease:1"),
    ("push", "after_send:1"),
    ("push", "after_answer:1"),
    ("push", "after_answer:3"),
    ("push", "inside_commit_operation_end:1"),
    ("push", "inside_commit_operation_end:4"),
    ("harvest", "inside_commit_history_store:1"),
];

async fn kill_at_every_point(speed: Speed) {
    let house = House::new(30).await;
    house.slow(speed);
    let mut deaths = Deaths::default();
    let mut work = Work::default();
    house.switched_on().await;
    for (job, point) in POINTS {
        // New records have lanes of their own: at least so many answers, whatever earlier deaths left in doubt.
        work.more(&house, 6, 3);
        work.calls(&house, 2).await;
        match *job {
            "push" => house.run(&["sync", "pull"]).await.expect(0),
            "harvest" if house.dialler.is_empty() => house.run(&["sync"]).await.expect(0),
            _ => house.run(&["status", "--json"]).await.expect(0),
        };
        if *job == "harvest" {
            work.calls(&house, 3).await;
        }
        let began = house.now();
        assert!(house.crash(&["sync", job], point).await, "{point} was not met");
        deaths.note(&house, began).await;
    }
    until_quiet(&house).await;
    judge(&house, &deaths).await;
    assert_eq!(deaths.count(), POINTS.len());
    assert!(deaths.uncertain() > 0, "no operation was in doubt: this has tested nothing");
    eprintln!("{} kills, {} operations in doubt", deaths.count(), deaths.uncertain());
}

/// Runs until nothing waits any more and a run writes nothing: what was found to be neither as wished nor as
/// before is decided anew by the next pull.
pub async fn until_quiet(house: &House) {
    house.dialler.faults().clear();
    house.crm.faults.clear();
    for _ in 0..20 {
        let mark = house.dialler.journal().mark();
        house.run(&["sync"]).await.expect(0);
        let wrote = house.dialler.journal().requests_since(mark).iter().any(|asked| asked.kind.write);
        let open = house.run(&["ledger", "operations", "--json", "--limit", "100000"]).await.expect(0);
        if !open.json().is_empty() {
            house.env.sleep(QUIET / 2).await;
        } else if !wrote {
            return;
        }
    }
    let open = house.run(&["ledger", "operations"]).await;
    panic!("it does not become quiet: {}", open.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_named_points_when_the_work_is_done_before_the_answer() {
    kill_at_every_point(SPEEDS[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute for the other speeds; the gate runs it"]
async fn kills_at_named_points_when_the_work_begins_late() {
    kill_at_every_point(SPEEDS[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a tenth of all the others' time; the gate runs it"]
async fn kills_at_named_points_when_everything_is_slow() {
    kill_at_every_point(SPEEDS[2]).await;
}

/// Leases come in batches, so a request may leave long after its lease. The quiet time belongs to the
/// request: whoever counts it from the lease asks while the dialler is still at work, and sends it twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_long_after_its_lease_rests_as_long_as_everything_else() {
    let house = House::new(30).await;
    // Six in flight, four times as many leased: the last ones leave 2.7 s after the lease, and take effect
    // 0.9 s later, whoever has died meanwhile.
    let late = Action::Latency { before: Duration::from_millis(900), after: Duration::ZERO };
    house.dialler.faults().add(Rule::new(late).path("/import"));
    let mut deaths = Deaths::default();
    house.switched_on().await;
    let began = house.now();
    assert!(house.crash(&["sync", "push"], "after_answer:19").await, "the point was not met");
    deaths.note(&house, began).await;
    // At once: this is when a quiet time that began at the lease is over already.
    house.run(&["sync", "push"]).await.expect(0);
    until_quiet(&house).await;
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    judge(&house, &deaths).await;
    assert!(deaths.uncertain() > 0, "no operation was in doubt: this has tested nothing");
}
