//! A token that is replaced while everything is under way: nothing is lost, nothing is parked, and the log says it once.

use super::house::{Daemon, House, TOKEN};
use dialbridge::sim::crm::Login;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

const NEW: &str = "rotated-canary";

fn slow(milliseconds: u64) -> Action {
    Action::Latency { before: Duration::ZERO, after: Duration::from_millis(milliseconds) }
}

async fn nothing_parked(house: &House) {
    let parked = house.run(&["ledger", "parked", "--json"]).await.expect(0).json();
    assert!(parked.is_empty(), "{parked:?}");
}

fn lines_with(daemon: &Daemon, text: &str) -> usize {
    let log = daemon.log();
    for secret in [NEW, TOKEN] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    log.lines().filter(|line| line.contains(text)).count()
}

/// Everybody moved to Bonn, so that the daemon's first pull has many pages to read.
fn all_move(house: &House) {
    let editor = house.crm.editor();
    editor.burst(&editor.ids(), &json!({ "city": "Bonn" }));
}

async fn until_asked(house: &House, since: u64, kind: &str) {
    while house.crm.journal.requests_since(since).iter().filter(|asked| asked.kind.name == kind).count() < 2 {
        house.env.sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crms_token_replaced_between_two_pages_costs_one_line() {
    for second_file in [true, false] {
        let house = House::new(450).await;
        if second_file {
            house.write_token("crm.next", NEW);
            let text = house.config_text("").replace("\"crm.token\"", "[\"crm.token\", \"crm.next\"]");
            std::fs::write(house.config(), text).expect("written");
        }
        house.switched_on().await;
        all_move(&house);
        house.crm.faults.add(Rule::new(slow(300)).path("/api/contacts?"));
        let mark = house.crm.journal.mark();
        let daemon = house.daemon().await;
        until_asked(&house, mark, "list").await;
        if !second_file {
            house.write_token("crm.token", NEW);
        }
        house.crm.set(|settings| settings.login = Login::Token(NEW.to_owned()));
        house.crm.faults.clear();
        house.run(&["sync"]).await.expect(0);
        assert_eq!(house.dialler.len(), 450, "{}", daemon.log());
        let moved = |id: &i64| house.dialler.contact(*id).expect("there").get("City") == json!("Bonn");
        assert!(house.contact_ids().iter().all(moved));
        nothing_parked(&house).await;
        let told = if second_file { "a token is refused" } else { "a new token was read" };
        assert_eq!(lines_with(&daemon, told), 1, "{}", daemon.log());
        assert_eq!(lines_with(&daemon, "ERROR"), 0, "{}", daemon.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_tokens_in_one_file_are_replaced_at_once_and_each_side_says_it_once() {
    let house = House::new(60).await;
    house.write_token("both.token", TOKEN);
    let text =
        house.config_text("").replace("crm.token", "both.token").replace("dialler.token", "both.token");
    std::fs::write(house.config(), text).expect("written");
    house.switched_on().await;
    house.dialler.faults().add(Rule::new(slow(200)).path("/import"));
    let daemon = house.daemon().await;
    while house.dialler.journal().requests_of("import").len() < 8 {
        house.env.sleep(Duration::from_millis(5)).await;
    }
    // In one step for whoever reads the file; what is under way still has the old one.
    house.write_token("both.token", NEW);
    house.dialler.set_tokens(&[NEW]);
    house.crm.set(|settings| settings.login = Login::Token(NEW.to_owned()));
    all_move(&house);
    house.run(&["sync"]).await.expect(0);
    assert_eq!(house.dialler.len(), 60, "{}", daemon.log());
    assert!(house.dialler.doubled().is_empty());
    let moved = |id: &i64| house.dialler.contact(*id).expect("there").get("City") == json!("Bonn");
    assert!(house.contact_ids().iter().all(moved));
    nothing_parked(&house).await;
    assert_eq!(lines_with(&daemon, "a new token was read"), 2, "{}", daemon.log());
    for side in ["dialler.token_file", "crm.sales.token_file"] {
        assert_eq!(lines_with(&daemon, side), 1, "{}", daemon.log());
    }
    assert_eq!(lines_with(&daemon, "ERROR"), 0, "{}", daemon.log());
}
