//! Configs and ledgers as users get them wrong, and what the program says about it.

use super::house::{House, finish, program};
use dialbridge::sim::faults::{Action, Effect, Rule};
use std::path::Path;

/// Ten mistakes in one file: ten messages with file and line, exit 2, and nothing was started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mistakes_are_ten_messages_and_nothing_is_started() {
    let house = House::new(1).await;
    // What is wrong, by what, and a word that its message must have.
    let mistakes = [
        ("time_zone     = \"Europe/Berlin\"", "time_zone = \"Europe/Berlon\"", "dialler.time_zone"),
        ("country       = \"DE\"", "country = \"Germany\"", "dialler.country"),
        ("release       = \"3.39\"", "release = \"new\"", "dialler.release"),
        ("settle_after  = \"2s\"", "settle_after = 2", "dialler.settle_after"),
        ("connector     = \"sim-id\"", "connector = \"sim-ids\"", "crm.sales.connector"),
        ("token_file    = \"crm.token\"", "token_file = \"crm.tokn\"", "crm.sales.token_file"),
        ("only_if       = \"phone and active\"", "only_if = \"phone and (\"", "route.leads.only_if"),
        ("pull          = \"0 0 29 2 *\"", "pull = \"every day\"", "route.leads.pull"),
        ("PostalCode    =", "PostCode      =", "route.leads.fields.PostCode"),
        ("retry         = [\"1s\"]", "retri = [\"1s\"]", "push.retri"),
    ];
    let mut text = house.config_text("");
    for (right, wrong, _) in mistakes {
        assert!(text.contains(right), "{right} stands in the config");
        text = text.replacen(right, wrong, 1);
    }
    std::fs::write(house.config(), &text).expect("written");
    for verb in [&["run"][..], &["check"], &["sync"]] {
        let ran = house.run(verb).await.expect(2);
        for (_, wrong, key) in mistakes {
            let line = text.lines().position(|line| line.starts_with(wrong)).expect("it stands there") + 1;
            let place = format!("{}:{line}: {key}", house.config().display());
            assert!(ran.err.contains(&place), "no message begins with {place}: {}", ran.said());
        }
        assert!(ran.err.contains("10 mistakes in the config; nothing was started"), "{}", ran.said());
        assert_eq!(ran.err.lines().filter(|line| line.contains("dialbridge.toml:")).count(), 10);
    }
    assert!(!house.ledger().exists(), "a ledger was made");
    assert!(!house.path("control.sock").exists(), "a socket was made");
    assert!(house.dialler.journal().requests().is_empty() && house.crm.journal.requests().is_empty());
    let json = house.run(&["check", "--json"]).await.expect(2).json();
    assert_eq!(json.len(), 10);
    assert!(json.iter().all(|line| line["level"] == "error" && line["place"].is_string()), "{json:?}");
}

#[tokio::test]
async fn usage_is_exit_2_and_says_what_is_meant() {
    let nowhere = Path::new("/nonexistent/dialbridge.toml");
    finish(program(nowhere, &["synk"])).await.expect(2).says("sync");
    finish(program(nowhere, &["ledger", "runs", "--limit", "0"])).await.expect(2).says("--limit");
    finish(program(nowhere, &["run"])).await.expect(2).says("/nonexistent/dialbridge.toml");
    finish(program(nowhere, &["check", "--offline"])).await.expect(2).says("/nonexistent/dialbridge.toml");
    finish(program(nowhere, &["block", "add", "--reason", "no"])).await.expect(2).says("--number");
    finish(program(nowhere, &["ledger", "retry"])).await.expect(2);
    let help = finish(program(nowhere, &["--help"])).await.expect(0);
    for verb in ["demo", "run", "check", "sync", "try", "status", "route", "ledger", "block", "contacts"] {
        assert!(help.out.contains(verb), "{verb} is not in the help");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_none_of_ours_is_named_as_what_it_is_and_left_alone() {
    let house = House::new(3).await;
    let ledger = house.ledger();
    house.run(&["status"]).await.expect(1).says("there is no ledger at");
    assert!(!ledger.exists(), "a reading verb made a ledger");
    house.run(&["sync", "pull"]).await.expect(0);

    // Newer: as a program from the future leaves it.
    let good = std::fs::read(&ledger).expect("a ledger");
    edit(&ledger, "PRAGMA user_version = 9999");
    for verb in [&["run"][..], &["status"], &["sync"]] {
        house.run(verb).await.expect(1).says("this program knows up to");
    }

    // Foreign: somebody else's SQLite file.
    forget(&ledger);
    edit(&ledger, "CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)");
    let before = std::fs::read(&ledger).expect("a file");
    for verb in [&["run"][..], &["status"], &["block", "list"]] {
        house.run(verb).await.expect(1).says("no ledger of dialbridge");
    }
    assert_eq!(before, std::fs::read(&ledger).expect("a file"), "a foreign file was changed");

    // Damaged: no SQLite at all, and a torn page in the middle.
    forget(&ledger);
    std::fs::write(
        &ledger,
        b"this is a text, and long enough to be taken for a database header\n".repeat(99),
    )
    .expect("written");
    for verb in [&["run"][..], &["status"]] {
        house.run(verb).await.expect(1).says("is damaged");
    }
    forget(&ledger);
    let mut torn = good;
    for byte in &mut torn[4096..] {
        *byte = 0xA5;
    }
    std::fs::write(&ledger, torn).expect("written");
    house.run(&["sync"]).await.expect(1).says("damaged");
    house.run(&["status"]).await.expect(1).says("damaged");
}

fn edit(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    connection.execute_batch(sql).expect(sql);
}

/// Takes the ledger away with everything that belongs to it.
fn forget(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _absent = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_offline_asks_nobody_and_warns() {
    let house = House::new(1).await;
    let text = house.config_text("").replace("settle_after  = \"2s\"\n", "");
    std::fs::write(house.config(), &text).expect("written");
    let ran = house.run(&["check", "--offline"]).await.expect(0);
    assert!(!ran.out.contains("error"), "{}", ran.said());
    let text =
        house.config_text("").replace("only_if       = \"phone", "only_if = \"not do_not_call and phone");
    std::fs::write(house.config(), &text).expect("written");
    let ran = house.run(&["check", "--offline"]).await.expect(0).says("warning");
    assert!(ran.out.contains("block_if"), "consent in only_if is worth a warning: {}", ran.said());
    assert!(ran.out.contains("settle_after"), "a short quiet time is worth a warning: {}", ran.said());
    assert!(house.dialler.journal().requests().is_empty() && house.crm.journal.requests().is_empty());
    assert!(!house.ledger().exists(), "check made a ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_token_tried_before_it_is_put_in_place() {
    let house = House::new(3).await;
    house.write_token("new", super::house::TOKEN);
    house.write_token("wrong", "wrong-canary");
    let (new, wrong) = (house.path("new").display().to_string(), house.path("wrong").display().to_string());
    for side in ["dialler", "sales", "crm.sales"] {
        house.run(&["token", "test", side, "--file", &new]).await.expect(0).says("is taken");
        let ran = house.run(&["token", "test", side, "--file", &wrong]).await.expect(1).says("is refused");
        assert!(!ran.said().contains("canary"), "{}", ran.said());
    }
    assert_eq!(house.run(&["token", "test", "--json"]).await.expect(0).json().len(), 2, "those in place");
    house.run(&["token", "test", "--file", &new]).await.expect(2).says("crm.sales");
    house.run(&["token", "test", "slaes"]).await.expect(2).says("there is no side");
    assert_eq!(house.dialler.journal().writes().len(), 0);
    assert!(!house.ledger().exists(), "it made a ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_asks_both_sides_and_changes_nothing() {
    let house = House::new(20).await;
    house.run(&["check"]).await.expect(0).says("number 538").says("records of contacts will be read");
    house.run(&["check", "--json"]).await.expect(0).json();

    house.write_token("dialler.token", "wrong");
    house.run(&["check"]).await.expect(1).says("token");
    house.write_token("dialler.token", super::house::TOKEN);
    house.write_token("crm.token", "wrong");
    house.run(&["check"]).await.expect(1).says("token");
    house.write_token("crm.token", super::house::TOKEN);

    let wrong = |from: &str, to: &str| {
        let text = house.config_text("");
        assert!(text.contains(from));
        std::fs::write(house.config(), text.replacen(from, to, 1)).expect("written");
    };
    wrong("campaign      = \"Spring leads\"", "campaign = \"Spring lead\"");
    house.run(&["check"]).await.expect(1).says("there is no campaign").says("Did you mean \"Spring leads\"?");
    wrong("only_if       = \"phone and active\"", "only_if = \"phone and activ\"");
    house.run(&["check"]).await.expect(1).says("carries no \"activ\"");

    house.write_config("");
    house.dialler.faults().add(Rule::new(Action::Html(Effect::None)));
    let ran = house.run(&["check"]).await.expect(1);
    assert!(ran.out.contains("HTML") || ran.out.contains("web page"), "{}", ran.said());
    house.dialler.faults().clear();
    assert!(house.dialler.journal().writes().is_empty(), "check wrote");
    assert!(!house.ledger().exists(), "check made a ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_whose_folder_is_missing_is_said_before_the_daemon_does_not_start() {
    let house = House::new(1).await;
    house.write_config("\n[control]\nsocket = \"run/control.sock\"\n");
    let folder = house.path("run");
    for args in [&["check", "--offline"][..], &["check"]] {
        house
            .run(args)
            .await
            .expect(0)
            .says(&format!("{}, the folder", folder.display()))
            .says("is not there");
    }
    std::fs::create_dir(&folder).expect("a folder");
    let ran = house.run(&["check", "--offline"]).await.expect(0);
    assert!(!ran.said().contains("control socket"), "{}", ran.said());
    let _daemon = house.daemon().await;
    assert!(folder.join("control.sock").exists());
}
