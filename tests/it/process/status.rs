//! `status` and the lists behind it: is it well, what is to be done, how many for which reason.

use super::house::House;
use dialbridge::sim::faults::{Action, Rule};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_missing_contacts_wait_for_the_word_of_a_person_and_the_verb_is_named() {
    let house = House::new(60).await;
    house.switched_on().await;
    // One that begins after so many are gone asks first whether it is the same dialler.
    let _daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    assert!(concern(&status(&house).await, "complete list").is_none());
    for id in house.contact_ids().into_iter().take(25) {
        assert!(house.dialler.portal().delete(id));
    }
    house.run(&["sync", "harvest"]).await.expect(0).says("25 of 60 our contacts were not in a complete list");
    let held = status(&house).await;
    let held = concern(&held, "25 of 60 our contacts").expect("a person is told").clone();
    let verb = "sync harvest --route leads --believe-missing";
    assert!(held["remedy"].as_str().expect("text").contains(verb), "{held}");
    assert_eq!(held["weight"], "person");
    let all = status(&house).await;
    let wave = concern(&all, "contacts not named by the dialler any more").expect("and of the wave").clone();
    assert!(wave["what"].as_str().expect("text").contains("max_vanished"), "{wave}");
    let waves = house.run(&["plan", "list", "--json"]).await.expect(0).json();
    let wave = waves[0]["id"].to_string();
    house
        .run(&["plan", "show", "--wave", &wave])
        .await
        .expect(0)
        .says("25 contacts not named by the dialler any more");

    let runs = house.run(&["ledger", "runs", "--json"]).await.expect(0).json();
    let run = runs.iter().find(|run| run["job"] == "harvest").expect("a harvest")["id"].to_string();
    let shown = house.run(&["ledger", "show", &run]).await.expect(0).says("25 of 60 our contacts");
    shown.says("history requests: ").says("25 known contacts were not in the list");
    let json = house.run(&["ledger", "show", &run, "--json"]).await.expect(0).json().remove(0);
    assert!(json["remark"].as_str().expect("text").contains("25 of 60"), "{json}");
    assert_eq!((&json["sweep"]["held"], &json["sweep"]["missing"]), (&json!(25), &json!(25)));

    // Only a harvest, and only of one route.
    house.run(&["sync", "pull", "--route", "leads", "--believe-missing"]).await.expect(2).says(verb_form());
    house.run(&["sync", "--route", "leads", "--believe-missing"]).await.expect(2).says(verb_form());
    house.run(&["sync", "harvest", "--believe-missing"]).await.expect(2).says("--route");
    house.run(&["sync", "harvest", "--route", "nobody", "--believe-missing"]).await.expect(2).says("leads");
    let mut words: Vec<&str> = verb.split(' ').collect();
    house
        .run(&words)
        .await
        .expect(0)
        .says("25 of 60 our contacts are missing: they are asked about one by one");
    words.push("--json");
    let again = house.run(&words).await.expect(0).json();
    assert_eq!(again[0]["run"]["sweep"]["held"], 0, "{again:?}");
    assert!(concern(&status(&house).await, "complete list").is_none(), "said once is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_with_an_element_that_cannot_be_read_is_told_until_it_is_whole_again() {
    let house = House::new(5).await;
    house.switched_on().await;
    let _daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    house.dialler.faults().add(Rule::new(Action::BrokenElement).path("dialler/contacts?"));
    house.run(&["sync", "harvest"]).await.expect(0).says("1 elements of the list could not be read");
    let told = status(&house).await;
    let told =
        concern(&told, "campaign 538: 1 elements of the list could not be read").expect("a person is told");
    assert!(told["weight"] == "person" && told["since"].is_string(), "{told}");
    assert!(told["remedy"].as_str().expect("text").contains("whoever runs the dialler"), "{told}");
    house.run(&["status"]).await.expect(0).says("1 elements of the list could not be read");
    house.dialler.faults().clear();
    house.run(&["sync", "harvest"]).await.expect(0);
    assert!(concern(&status(&house).await, "could not be read").is_none(), "the newest list counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_the_account_that_is_not_used_is_told_with_why_and_everybody_is_imported_all_the_same() {
    for (fault, why) in [
        (Action::EmptyList, "it has 0 contacts, and 30 are known"),
        (Action::BrokenElement, "1 of its elements cannot be read"),
    ] {
        let house = House::new(30).await;
        house.switched_on().await;
        let _daemon = house.daemon().await;
        house.run(&["sync"]).await.expect(0);
        assert!(concern(&status(&house).await, "whole account").is_none());
        let list = Rule::new(fault).method(http::Method::GET).path_end("/dialler/contacts");
        house.dialler.faults().add(list);
        // So many keys are unknown at once that the whole account is listed.
        let editor = house.crm.editor();
        editor.seed(120, 5);
        editor.burst(&editor.ids()[30..], &json!({ "city": "Hof" }));
        house.run(&["sync", "pull"]).await;
        house.run(&["sync", "push"]).await.expect(0);
        assert_eq!(house.contact_ids().len(), 150, "{why}");
        let told = status(&house).await;
        let told = concern(&told, "the list of the whole account is not used").expect("a person is told");
        assert!(told["what"].as_str().expect("text").contains(why), "{told}");
        assert!(told["remedy"].as_str().expect("text").contains("check"), "{told}");
        assert_eq!(told["weight"], "person");
    }
}

fn verb_form() -> &'static str {
    "dialbridge sync harvest --route R --believe-missing"
}
