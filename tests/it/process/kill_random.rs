//! kill -9 at random moments of a daemon at work. A few in the gate; `DIALBRIDGE_KILLS=200` for the
//! full proof, which must have left at least 30 operations in doubt.

use super::house::House;
use super::judge::{Deaths, judge};
use super::judge_told::Telling;
use super::kill_points::until_quiet;
use super::work::Work;
use dialbridge::sim::faults::{Action, Rule};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a tenth of all the others' time; the gate runs it"]
async fn kills_at_random_moments() {
    let kills: usize = std::env::var("DIALBRIDGE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let seed: u64 = std::env::var("DIALBRIDGE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(7);
    eprintln!("DIALBRIDGE_KILLS={kills} DIALBRIDGE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let house = House::new(40).await;
    let mut telling = Telling::begin(&house);
    let mut deaths = Deaths::default();
    let mut work = Work::default();
    house.switched_on().await;
    for turn in 0..kills {
        let (before, after) = [(0, 0), (0, 40), (30, 0)][turn % 3];
        let latency =
            Action::Latency { before: Duration::from_millis(before), after: Duration::from_millis(after) };
        house.dialler.faults().clear();
        house.dialler.faults().add(Rule::new(latency.clone()).path("/dialler/contacts/"));
        telling.slow(&house, latency);
        work.more(&house, 4, 4);
        work.calls(&house, 2).await;
        let began = house.now();
        let mut daemon = house.daemon().await;
        house.env.sleep(Duration::from_millis(rng.u64(0..1200))).await;
        daemon.kill().await;
        deaths.note(&house, began).await;
        telling.note(&house, began).await;
    }
    until_quiet(&house).await;
    judge(&house, &deaths).await;
    telling.judge(&house, kills >= 200).await;
    eprintln!(
        "{} kills, {} operations and {} tellings in doubt",
        deaths.count(),
        deaths.uncertain(),
        telling.in_doubt()
    );
    let wanted = if kills >= 200 { 30 } else { 1 };
    assert!(
        deaths.uncertain() >= wanted,
        "only {} operations were in doubt: this has tested nothing (seed {seed})",
        deaths.uncertain()
    );
}
