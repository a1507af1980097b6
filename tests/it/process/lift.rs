//! A wrong list is taken back at the command line: planned, lifted, and read once more.

use super::house::House;
use serde_json::Value;

/// The command that a plan gives, with its reason.
async fn planned(house: &House, source: &str, since: &str) -> (Value, Vec<String>) {
    let plan = ["block", "remove", "--source", source, "--since", since, "--plan", "--json"];
    let shown = house.run(&plan).await.expect(0).json().remove(0);
    let command = shown["command"].as_str().expect("a command").replace("TEXT", "wrong");
    let words = command.split_whitespace().skip(1).map(str::to_owned).collect();
    (shown, words)
}

async fn standing(house: &House) -> Vec<String> {
    let list = house.run(&["block", "list", "--json"]).await.expect(0).json();
    let mut numbers: Vec<String> =
        list.iter().map(|row| row["subject"]["number"].as_str().expect("a number").to_owned()).collect();
    numbers.sort();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_list_is_taken_back_by_the_command_of_its_plan_and_whom_it_still_names_stays_blocked() {
    for beside_a_daemon in [true, false] {
        let house = House::new(4).await;
        house.write_config("[blocks.files]\ndefault = \"no.csv\"");
        house.switched_on().await;
        house.run(&["sync", "push"]).await.expect(0);
        let list = house.path("no.csv");
        let since = house.now().to_rfc3339();
        std::fs::write(&list, format!("{}\n{}\n", house.number(1), house.number(2))).expect("written");
        house.run(&["sync", "push"]).await.expect(0);
        assert!(house.locked(1) && house.locked(2));
        // Corrected before it is lifted, as people do.
        std::fs::write(&list, format!("{}\n", house.number(2))).expect("written");
        let daemon = if beside_a_daemon { Some(house.daemon().await) } else { None };
        house.run(&["sync", "push"]).await.expect(0);

        let source = format!("file:{}", list.display());
        let remove = ["block", "remove", "--source", &source, "--since", &since];
        house
            .run(&[&remove[..], &["--plan"]].concat())
            .await
            .expect(0)
            .says("2 blocks of")
            .says("blocked anew");
        let (shown, command) = planned(&house, &source, &since).await;
        assert_eq!((&shown["blocks"], &shown["freed"]), (&2.into(), &2.into()), "{shown}");
        assert_eq!(standing(&house).await.len(), 2, "a plan lifts nothing");
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        house.run(&command).await.expect(0).says("2 blocks of");
        assert_eq!(standing(&house).await.len(), 1);
        house.run(&["sync"]).await.expect(0);
        assert!(!house.locked(1) && house.locked(2), "beside a daemon: {beside_a_daemon}");
        house.run(&command).await.expect(1).says("wrote no block that stands");
        drop(daemon);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_after_the_plan_was_shown_is_not_lifted_and_a_mistyped_time_lifts_nobody() {
    let house = House::new(1).await;
    let since = house.now().to_rfc3339();
    let block = async |number| {
        house.run(&["block", "add", "--number", number, "--reason", "said no"]).await.expect(0);
    };
    block("+4930123451").await;
    let (_, command) = planned(&house, "operator", &since).await;
    block("+4930123452").await;
    for (words, status, said) in [
        (vec!["--since", "2030-13-45", "--plan"], 2, "neither a day"),
        (vec!["--since", "2999-01-31", "--plan"], 2, "--since lies in the future"),
        (vec!["--since", &since, "--reason", "x"], 2, "--until is missing"),
        (vec!["--since", &since, "--until", "2999-01-31", "--reason", "x"], 2, "--until lies in the future"),
        (vec!["--since", &since, "--plan", "--route", "leads"], 2, "cannot be used with"),
        (vec!["--plan"], 2, "--source SOURCE --since TIME --plan"),
    ] {
        let words = [vec!["block", "remove", "--source", "operator"], words].concat();
        house.run(&words).await.expect(status).says(said);
    }
    for words in [["--number", "foo", "--reason", "x"], ["--record", "1", "--reason", "x"]] {
        house.run(&[&["block", "remove"], &words[..]].concat()).await.expect(2);
    }
    assert_eq!(standing(&house).await.len(), 2, "nothing was lifted");
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    house.run(&command).await.expect(0).says("1 blocks of operator lifted");
    assert_eq!(standing(&house).await, ["+4930123452"]);
}
