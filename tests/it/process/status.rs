//! `status` and the lists behind it: is it well, what is to be done, how many for which reason.

use super::house::House;
use serde_json::{Value, json};

async fn status(house: &House) -> Value {
    house.run(&["status", "--json"]).await.expect(0).json().remove(0)
}

fn concern<'a>(status: &'a Value, words: &str) -> Option<&'a Value> {
    let concerns = status["concerns"].as_array().expect("concerns");
    concerns.iter().find(|concern| concern["what"].as_str().expect("text").contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_stops_the_routes_and_the_right_one_lets_them_go_on() {
    let house = House::new(4).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    let well = status(&house).await;
    assert_eq!((&well["well"], &well["daemon"]), (&json!(true), &json!("running")), "{well}");
    house.run(&["status"]).await.expect(0).says("All is well.");

    house.dialler.set_tokens(&["another"]);
    house.crm.editor().edit(1, json!({ "name": "Changed" }));
    house.run(&["sync"]).await.expect(1);
    let ill = status(&house).await;
    assert_eq!(ill["well"], false);
    let stopped = concern(&ill, "route leads sends nothing").expect("the route is stopped");
    assert!(stopped["what"].as_str().expect("text").contains("token"), "{stopped}");
    assert!(stopped["since"].is_string() && stopped["remedy"].is_string(), "{stopped}");
    assert!(ill["parked"].as_array().expect("a list").is_empty(), "a wrong token parked something: {ill}");
    house.run(&["status"]).await.expect(0).says("NOT WELL").says("(since ").says("STOPPED");

    house.write_token("dialler.token", "another");
    daemon.signal("HUP");
    while !daemon.log().contains("a new token was read") {
        house.env.sleep(std::time::Duration::from_millis(20)).await;
    }
    house.run(&["sync"]).await.expect(0);
    assert_eq!(status(&house).await["well"], true);
    assert_eq!(&*house.dialler.contacts_with("leads-1")[0].name, "Changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sides_that_are_down_are_said_with_since_when() {
    let house = House::new(2).await;
    house.switched_on().await;
    let text = house.config_text("").replace(&house.crm_url, "http://127.0.0.1:9").replace(
        &house.dialler_url[..house.dialler_url.find("/rest").expect("a path")],
        "http://127.0.0.1:9",
    );
    std::fs::write(house.config(), text).expect("written");
    house.run(&["sync"]).await.expect(1);
    let first = status(&house).await;
    let since = concern(&first, "pull leads fails").expect("said")["since"].clone();
    assert!(since.is_string(), "{first}");
    house.run(&["sync"]).await.expect(1);
    let second = status(&house).await;
    let pull = concern(&second, "pull leads fails").expect("said");
    assert_eq!(pull["since"], since, "not since the last run, since the first");
    assert!(pull["what"].as_str().expect("text").contains("2 runs in a row"), "{pull}");
    for other in ["push fails, 2 runs", "harvest fails, 2 runs"] {
        assert!(concern(&second, other).is_some(), "the dialler is down too: {second}");
    }
    assert!(concern(&second, "daemon is not running").is_some(), "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_parked_or_skipped_is_counted_by_reason_and_many_are_one_line() {
    let house = House::new(20).await;
    let editor = house.crm.editor();
    for id in 1..=12 {
        editor.edit(id, json!({ "name": "" }));
    }
    editor.edit(13, json!({ "phone": "12" }));
    editor.edit(14, json!({ "phone": "" }));
    house.run(&["sync", "pull"]).await.expect(3);
    let parked = house.run(&["ledger", "parked"]).await.expect(0);
    assert!(parked.out.contains("(list: dialbridge ledger parked --reason no_name)"), "{}", parked.said());
    assert!(parked.out.lines().any(|line| line.starts_with("12 ") && line.contains("no usable name")));
    assert!(!parked.out.contains("Name is empty"), "twelve lines for one reason: {}", parked.said());
    assert!(parked.out.contains("record  leads  13"), "what is rare is listed: {}", parked.said());
    let listed = house.run(&["ledger", "parked", "--reason", "no_name"]).await.expect(0);
    assert_eq!(listed.out.matches("Name is empty").count(), 12, "{}", listed.said());
    house.run(&["ledger", "parked", "--reason", "no_nam"]).await.expect(2).says("did you mean no_name?");
    house.run(&["ledger", "skipped"]).await.expect(0).says("not eligible").says("14");
    let skipped = house.run(&["ledger", "skipped", "--json"]).await.expect(0).json();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    house.run(&["status"]).await.expect(0).says("12 parked").says("ledger parked --reason no_name");
}
