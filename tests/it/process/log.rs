//! What the log tells of runs to whoever reads it with a program.

use super::house::{Daemon, House};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a line of each job must have, beside `requests` and `bytes`: the columns that make its balance.
const FIELDS: [(&str, &[&str]); 3] = [
    (
        "pull",
        &[
            "records_read",
            "repeats",
            "stale",
            "unchanged",
            "queued",
            "adopted",
            "skipped",
            "blocked",
            "parked",
            "parked_new",
            "noted",
        ],
    ),
    ("push", &["taken", "done", "refused", "uncertain", "superseded", "parked", "parked_new", "put_back"]),
    ("harvest", &["listed", "unchanged", "due", "foreign_contacts", "calls_new", "calls_changed"]),
];

/// The lines of a JSON log that are about a run, by its number.
fn told(log: &str) -> BTreeMap<i64, Vec<Value>> {
    let mut told: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(run) = line["run"].as_i64() {
            told.entry(run).or_default().push(line);
        }
    }
    told
}

async fn runs(house: &House) -> Vec<Value> {
    house.run(&["ledger", "runs", "--limit", "1000", "--json"]).await.expect(0).json()
}

fn numbers(runs: &[Value]) -> BTreeSet<i64> {
    runs.iter().map(|run| run["id"].as_i64().expect("a number")).collect()
}

/// The runs since `before` and the lines about them, as soon as nothing runs.
async fn runs_and_lines(
    house: &House,
    daemon: &Daemon,
    before: &BTreeSet<i64>,
) -> (Vec<Value>, BTreeMap<i64, Vec<Value>>) {
    for _ in 0..600 {
        let mut runs = runs(house).await;
        runs.retain(|run| !before.contains(&run["id"].as_i64().expect("a number")));
        let lines = told(&daemon.log());
        if runs.iter().all(|run| run["state"] != "running") && numbers(&runs).iter().eq(lines.keys()) {
            return (runs, lines);
        }
        house.env.sleep(Duration::from_millis(50)).await;
    }
    panic!("runs and lines never agreed: {:#?}\n{}", runs(house).await, daemon.log());
}

fn milliseconds(run: &Value) -> i64 {
    let at = |key: &str| -> chrono::DateTime<chrono::Utc> {
        run[key].as_str().expect("a time").parse().expect("an instant")
    };
    (at("finished_at") - at("started_at")).num_milliseconds()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_is_one_line_whose_fields_are_the_numbers_of_the_ledger() {
    let house = House::new(6).await;
    house.write_config("[log]\nformat = \"json\"\n");
    house.switched_on().await;
    let before = numbers(&runs(&house).await);
    let daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    house.run(&["sync"]).await.expect(0);
    // And one that fails.
    house.crm.set(|settings| settings.login = dialbridge::sim::crm::Login::Token("another".to_owned()));
    house.run(&["sync", "pull"]).await.expect(1);
    let (runs, lines) = runs_and_lines(&house, &daemon, &before).await;
    let mut seen = BTreeSet::new();
    for run in &runs {
        let of_run = &lines[&run["id"].as_i64().expect("a number")];
        assert_eq!(of_run.len(), 1, "{of_run:?}");
        let line = &of_run[0];
        let job = run["job"].as_str().expect("a job");
        let fields = FIELDS.iter().find(|(name, _)| *name == job).expect("a job with fields").1;
        for field in fields.iter().chain(&["requests", "bytes"]) {
            assert!(line[field].is_i64(), "{field} is missing: {line}");
            assert_eq!(line[field], run["counts"][field], "{field} of run {}: {line}", run["id"]);
        }
        assert_eq!(line["duration_ms"], milliseconds(run), "{line}");
        assert_eq!(line["cause"], run["cause"], "{line}");
        let level = if run["state"] == "failed" { "ERROR" } else { "INFO" };
        assert_eq!(line["level"], level, "{line}");
        seen.insert((job.to_owned(), run["state"].as_str().expect("a state").to_owned()));
    }
    for wanted in [("pull", "done"), ("push", "done"), ("harvest", "done"), ("pull", "failed")] {
        assert!(seen.contains(&(wanted.0.to_owned(), wanted.1.to_owned())), "{wanted:?} of {seen:?}");
    }
    let sold =
        lines.values().flatten().find(|line| line["calls_new"].as_i64().is_some_and(|calls| calls > 0));
    assert!(sold.is_some(), "the calls are counted: {}", daemon.log());
}
