//! The daemon under signals, and what its log gives away.

use super::house::{House, TOKEN};
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_in_flight() {
    let house = House::new(30).await;
    house.switched_on().await;
    let latency = Action::Latency { before: Duration::ZERO, after: Duration::from_millis(700) };
    house.dialler.faults().add(Rule::new(latency).path("/import"));
    let mut daemon = house.daemon().await;
    while house.dialler.journal().requests_of("import").is_empty() {
        house.env.sleep(Duration::from_millis(10)).await;
    }
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("stopped"), "{}", daemon.log());
    assert!(!house.path("control.sock").exists(), "the socket is taken away");
    let made = house.dialler.len();
    assert!((1..30).contains(&made), "{made} of 30 contacts: it ended after, or before, the work");
    // Nothing is in doubt: what was sent was answered and stored, what was not waits.
    let open = house.run(&["ledger", "operations", "--json"]).await.expect(0).json();
    assert_eq!(open.len(), 30 - made);
    assert!(open.iter().all(|row| row["state"] == "waiting"), "{open:?}");
    house.dialler.faults().clear();
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.journal().requests_of("import").len(), 30, "each was sent once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_reads_new_tokens_and_nothing_is_parked() {
    let house = House::new(5).await;
    house.switched_on().await;
    let daemon = house.daemon().await;
    house.run(&["sync", "push"]).await.expect(0);
    // Both tokens change; the daemon still has the old ones.
    house.dialler.set_tokens(&["rotated-canary"]);
    house.crm.set(|settings| {
        settings.login = dialbridge::sim::crm::Login::Token("rotated-canary".to_owned());
    });
    house.crm.editor().edit(1, json!({ "name": "Changed" }));
    let failed = house.run(&["sync"]).await.expect(1);
    assert!(failed.out.contains("token") || failed.out.contains("401"), "{}", failed.said());
    assert!(
        house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty(),
        "parked for a token"
    );
    house.write_token("crm.token", "rotated-canary");
    house.write_token("dialler.token", "rotated-canary");
    daemon.signal("HUP");
    while !daemon.log().contains("a new token was read") {
        house.env.sleep(Duration::from_millis(20)).await;
    }
    house.env.sleep(Duration::from_millis(100)).await;
    house.run(&["sync"]).await.expect(0);
    assert_eq!(&*house.dialler.contacts_with("leads-1")[0].name, "Changed");
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
    assert!(!daemon.log().contains("canary"), "a token is in the log: {}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_rotated_under_load_costs_one_line_in_the_log() {
    let house = House::new(40).await;
    let two = "[\"dialler.token\", \"dialler.next\"]";
    house.write_token("dialler.next", "next-canary");
    let text = house.config_text("").replace("\"dialler.token\"", two);
    std::fs::write(house.config(), text).expect("written");
    house.switched_on().await;
    let latency = Action::Latency { before: Duration::ZERO, after: Duration::from_millis(200) };
    house.dialler.faults().add(Rule::new(latency).path("/import"));
    let daemon = house.daemon().await;
    while house.dialler.journal().requests_of("import").len() < 5 {
        house.env.sleep(Duration::from_millis(10)).await;
    }
    house.dialler.set_tokens(&["next-canary"]);
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.len(), 40, "{}", daemon.log());
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
    let told = daemon.log().lines().filter(|line| line.contains("a token is refused")).count();
    assert_eq!(told, 1, "{}", daemon.log());
    assert!(daemon.log().contains("dialler.token") && !daemon.log().contains("canary"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_no_secret_and_nothing_about_people() {
    let house = House::new(5).await;
    let editor = house.crm.editor();
    editor.edit(
        1,
        json!({ "name": "Canaryname", "email": "canaryname@example.com", "phone": "+49 30 23125 471" }),
    );
    editor.edit(2, json!({ "name": "Canarybad", "phone": "0-canary-0" }));
    editor.edit(3, json!({ "name": "" }));
    house.switched_on_whatever_is_parked().await;
    let daemon = house.daemon().await;
    // Everything that may fail, fails once: the log is most talkative then.
    let faults = house.dialler.faults();
    faults.add(
        Rule::new(Action::Status {
            code: 400,
            retry_after: dialbridge::sim::faults::RetryAfter::Absent,
            effect: dialbridge::sim::faults::Effect::None,
        })
        .path("/update")
        .times(1),
    );
    faults.add(Rule::new(Action::Truncate { clean: true }).path("/import").times(1));
    faults.add(Rule::new(Action::Html(dialbridge::sim::faults::Effect::None)).path("userData").times(1));
    faults.add(Rule::new(Action::Reset(dialbridge::sim::faults::Effect::Done)).path("/lock").times(1));
    editor.edit(1, json!({ "name": "Canaryname Two" }));
    house.run(&["sync"]).await;
    editor.edit(1, json!({ "name": "Canaryname Three" }));
    house.run(&["block", "add", "--number", "+49 30 23125 471", "--reason", "no"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    house.run(&["sync"]).await;
    house.env.sleep(Duration::from_secs(2)).await;
    house.run(&["sync"]).await;
    let log = daemon.log();
    assert!(log.lines().count() > 5, "there is a log: {log}");
    for secret in [TOKEN, "anaryname", "anarybad", "23125", "0-canary", "example.com", "userData="] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}
