//! `sync`: the runs that did the work are shown, and it leaves no run that did none.

use super::house::House;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_it_runs_what_was_asked_and_nothing_behind_its_back() {
    let house = House::new(6).await;
    house.switched_on().await;
    house.run(&["sync", "pull"]).await.expect(0);
    assert!(house.dialler.is_empty(), "a pull alone pushed");
    let pushed = house.run(&["sync", "push", "--json"]).await.expect(0).json();
    assert_eq!(pushed.len(), 1, "{pushed:?}");
    assert_eq!((&pushed[0]["runner"], &pushed[0]["run"]["counts"]["done"]), (&json!("push"), &json!(6)));
    house.run(&["sync", "push"]).await.expect(0).says("nothing is to be sent now");
    // Who said no does not wait for somebody who pushes; everything else does.
    house.crm.editor().archive(2, true);
    house.crm.editor().edit(3, json!({ "name": "Later" }));
    house.run(&["sync", "pull"]).await.expect(0).says("push: run").says("1 done");
    assert!(house.dialler.contacts_with("leads-2")[0].locked);
    assert_ne!(&*house.dialler.contacts_with("leads-3")[0].name, "Later");
    let runs = house.run(&["ledger", "runs", "--json"]).await.expect(0).json();
    assert!(runs.iter().all(|run| run["state"] == "done"), "{runs:?}");
    let empty = |run: &&serde_json::Value| run["job"] == "push" && run["counts"]["taken"] == 0;
    assert_eq!(runs.iter().filter(empty).count(), 0, "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_daemon_the_run_that_did_the_work_is_shown() {
    let house = House::new(12).await;
    let slow = Action::Latency { before: Duration::from_millis(40), after: Duration::ZERO };
    house.dialler.faults().add(Rule::new(slow).path("/import"));
    house.switched_on().await;
    let _daemon = house.daemon().await;
    let started = house.run(&["sync", "--json"]).await.expect(0).json();
    let done = |runs: &[serde_json::Value]| -> i64 {
        let pushes = runs.iter().filter(|run| run["runner"] == "push");
        pushes.filter_map(|run| run["run"]["counts"]["done"].as_i64()).sum()
    };
    // The daemon's own first run may have sent some before.
    assert!(started.iter().any(|run| run["runner"] == "harvest Spring leads"), "{started:?}");
    for name in ["A", "B", "C"] {
        house.crm.editor().edit(1, json!({ "name": name }));
        let ran = house.run(&["sync", "--json"]).await.expect(0).json();
        assert_eq!(done(&ran), 1, "the push that the pull woke did it: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_one_route_sends_that_routes_operations_and_strict_counts_all_that_is_parked() {
    let house = House::new(4).await;
    house.write_config(
        r#"
[route.second]
crm           = "sales"
campaign      = 538
user_data     = "'second-' ~ id"
pull          = "0 0 29 2 *"
push          = "0 0 29 2 *"
harvest       = "0 0 29 2 *"
beside        = "ignore"

[route.second.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
"#,
    );
    house.crm.editor().edit(3, json!({ "name": "" }));
    house.run(&["sync", "pull"]).await.expect(3);
    for route in ["leads", "second"] {
        house.run(&["route", "on", route, "--reason", "test"]).await.expect(0);
    }
    // What was decided while they were dry is decided anew before anything is sent.
    house.run(&["sync", "pull"]).await.expect(0);
    house.run(&["sync", "push", "--route", "second"]).await.expect(0).says("3 done");
    assert_eq!(house.dialler.len(), 3, "only the one route's");
    assert_eq!(house.dialler.contacts_with("second-1").len(), 1);
    house.run(&["sync", "push"]).await.expect(0).says("3 done");
    house.run(&["sync"]).await.expect(0);
    house.run(&["sync", "--strict"]).await.expect(3);
    house.run(&["sync", "--strict", "--route", "leads"]).await.expect(3);
    house.crm.editor().edit(3, json!({ "name": "Mended" }));
    house.run(&["sync", "--strict"]).await.expect(0);
}
