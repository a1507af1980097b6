//! Where answers go, and where questions come from.

use super::house::House;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_has_seen_enough_may_go() {
    let house = House::new(300).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    for verb in [
        &["contacts", "list"][..],
        &["contacts", "list", "--json"],
        &["ledger", "operations", "--all"],
        &["status"],
    ] {
        let mut command = house.command(verb);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        if verb.contains(&"list") {
            assert!(lines.next_line().await.expect("text").is_some());
        }
        // As `| head -1` does; `| true` does it before the first line.
        drop(lines);
        let ended = child.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            !said.contains("panicked") && ended.status.code() == Some(0),
            "{verb:?}: {:?} {said}",
            ended.status
        );
    }
}

/// Runs a verb at a terminal of its own, at which a person types this.
async fn at_a_terminal(house: &House, verb: &[&str], typed: &str) -> (Option<i32>, String) {
    let asked = house.command(verb);
    let asked = asked.as_std();
    let words: Vec<String> = std::iter::once(asked.get_program())
        .chain(asked.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = script.spawn().expect("`script` of util-linux");
    let mut keys = child.stdin.take().expect("a pipe");
    keys.write_all(typed.as_bytes()).await.expect("typed");
    let ended = child.wait_with_output().await.expect("it ends");
    drop(keys);
    (ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_loses_something_asks_a_person_and_does_only_what_was_confirmed() {
    let house = House::new(2).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    let resets = || house.dialler.journal().requests_of("reset").len();
    let reset = ["contacts", "reset", "leads-1", "--reason", "asked"];
    for typed in ["no\n", "y\n", "\n", "YES please\n"] {
        let (code, said) = at_a_terminal(&house, &reset, typed).await;
        assert!(said.contains("its counters (1 tries) and its result will be gone"), "{said}");
        assert!(said.contains("Type yes to go on") && said.contains("nothing was done"), "{said}");
        assert_eq!((code, resets()), (Some(2), 0), "{typed:?}: {said}");
    }
    let (code, said) = at_a_terminal(&house, &reset, "yes\n").await;
    assert_eq!((code, resets()), (Some(0), 1), "{said}");
    let delete = ["contacts", "delete", "leads-2", "--reason", "asked"];
    let (code, said) = at_a_terminal(&house, &delete, "no\n").await;
    assert!(said.contains("its history (1 rows) will be gone"), "{said}");
    assert_eq!(code, Some(2), "{said}");
    assert!(!house.dialler.contacts_with("leads-2")[0].locked);
}
