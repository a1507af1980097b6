//! Plans, waves, freezes, pauses and pilots as an operator types them, each told in the status and in a person's story.

use super::house::{House, Ran};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::{Value, json};

/// A house whose route has these keys besides.
async fn house(records: u64, keys: &str) -> House {
    let house = House::new(records).await;
    let text = house.config_text("");
    let beside = "beside        = \"ignore\"";
    assert!(text.contains(beside));
    std::fs::write(house.config(), text.replacen(beside, &format!("{beside}\n{keys}"), 1)).expect("written");
    house
}

async fn status(house: &House) -> Value {
    house.run(&["status", "--json"]).await.expect(0).json().remove(0)
}

async fn story(house: &House, who: &str) -> Ran {
    house.run(&["ledger", "contact", who]).await.expect(0)
}

/// The only wave that needs approval.
async fn wave(house: &House) -> String {
    let waves = house.run(&["plan", "list", "--json"]).await.expect(0).json();
    assert_eq!(waves.len(), 1, "{waves:?}");
    waves[0]["id"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_wave_shown_by_field_approved_or_rejected_and_told_to_whoever_asks() {
    let house = house(12, "max_new_per_run = 5\nmax_changed_per_run = 3").await;
    house.run(&["sync", "pull"]).await.expect(0);
    let dry = house.run(&["plan", "show", "--route", "leads"]).await.expect(0).says("It is dry");
    dry.says("Name: 12 set at import").says("12 new contacts of route leads, more than 5 at once");
    let dry =
        house.run(&["plan", "show"]).await.expect(0).says("first `dialbridge route on leads --reason TEXT`");
    assert!(!dry.out.contains("plan approve"), "it would be decided anew: {}", dry.said());
    assert!(!house.run(&["status"]).await.expect(0).out.contains("needs approval"));
    house.switched_on().await;
    let first = wave(&house).await;

    let what = format!("wave {first} needs approval: 12 new contacts of route leads");
    house.run(&["status"]).await.expect(0).says(&what).says(&format!("dialbridge plan approve {first}"));
    let asked = status(&house).await;
    assert_eq!(asked["waves"].as_array().map(Vec::len), Some(1), "{asked}");
    let concern = asked["concerns"].as_array().expect("a list").iter().find(|concern| {
        concern["what"].as_str().is_some_and(|text| text.contains(&what)) && concern["weight"] == "person"
    });
    assert!(concern.is_some(), "{asked}");
    let shown = house.run(&["plan", "show", "--wave", &first, "--json"]).await.expect(0).json().remove(0);
    let names = json!({ "kind": "import", "field": "Name", "count": 12 });
    assert!(shown["fields"].as_array().expect("fields").contains(&names), "{shown}");
    assert_eq!((&shown["wave"]["bound"], &shown["groups"][0]["held"]), (&json!(5), &json!(12)), "{shown}");

    let approve = ["plan", "approve", &first, "--reason", "the list is meant"];
    house.run(&approve).await.expect(0).says("12 operations go out");
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.len(), 12);
    story(&house, "leads-1").await.says(&format!("wave {first} APPROVED: the list is meant"));

    for id in 1..=4 {
        house.crm.editor().edit(id, json!({ "phone": format!("+49 30 23125 77{id}") }));
    }
    house.run(&["sync", "pull"]).await.expect(0);
    let second = wave(&house).await;
    house.run(&["plan", "show"]).await.expect(0).says("PhoneNumber1: 4 change").says("4 need approval");
    let waits = format!("waits: wave {second} needs approval");
    story(&house, "leads-1").await.says(&waits);
    house.run(&["plan", "reject", &second, "--reason", "a wrong export"]).await.expect(0).says("put aside");
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.journal().count("update"), 0);
    story(&house, "leads-1").await.says(&format!("wave {second} REJECTED: a wrong export"));
    house.run(&["plan", "approve", &second, "--reason", "x"]).await.expect(1).says("plan list");
    house.run(&["plan", "show", "--wave", &second]).await.expect(2).says("plan list --all");
    house.run(&["plan", "list"]).await.expect(0).says("Nothing needs approval.");
    house.run(&["plan", "list", "--all"]).await.expect(0).says("rejected by").says("a wrong export");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_freeze_the_first_line_with_who_why_until_when_and_what_ends_it() {
    let house = house(4, "").await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let freeze = ["freeze", "--until", "2h", "--reason", "the auditor is here"];
    house.run(&freeze).await.expect(0).says("it ends by itself at 2");
    house.crm.editor().edit(1, json!({ "city": "Elsewhere" }));
    house.crm.editor().archive(2, true);
    house.run(&["sync"]).await.expect(0);
    assert!(house.locked(2) && house.dialler.journal().count("update") == 0, "nothing but locks");
    let shown = house.run(&["status"]).await.expect(0);
    let line = shown.out.lines().next().unwrap_or_default();
    for said in ["FROZEN by ", "since ", "until 2", "(the auditor is here)", "dialbridge thaw --reason"] {
        assert!(line.contains(said), "{said:?} is not in the first line: {}", shown.said());
    }
    let json = status(&house).await;
    assert_eq!((&json["well"], &json["concerns"][0]["what"].is_string()), (&json!(false), &true));
    assert!(json["concerns"][0]["what"].as_str().expect("text").starts_with("FROZEN by "), "{json}");
    assert!(json["frozen"]["until"].is_string() && json["frozen"]["even_locks"] == false, "{json}");
    let told = story(&house, "leads-1")
        .await
        .says("waits: everything is frozen")
        .says("FROZEN, all but locks, until ");
    told.says("the auditor is here");
    house.run(&["plan", "show"]).await.expect(0).says("FROZEN by ").says("City: 1 change");
    house
        .run(&["freeze", "--even-locks", "--reason", "no writes at all"])
        .await
        .expect(0)
        .says("LOCKS INCLUDED");
    house.crm.editor().archive(3, true);
    house.run(&["sync"]).await.expect(0);
    assert!(!house.locked(3));
    house.run(&["status"]).await.expect(0).says("NOT EVEN LOCKS").says("until it is thawed");
    story(&house, "leads-3").await.says("Its lock (operation ").says("waits: everything is frozen");
    house.run(&["thaw", "--reason", "he has left"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert!(house.locked(3) && house.dialler.journal().count("update") == 1, "all is caught up");
    story(&house, "leads-3").await.says("FROZEN, even locks: no writes at all").says("THAWED: he has left");
    assert_eq!(status(&house).await["frozen"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_a_pilot_begin_with_one_record_and_go_on_with_the_first_few() {
    let house = house(6, "").await;
    house.run(&["sync", "pull"]).await.expect(0);
    let own = ["route", "pilot", "leads", "--record", "4", "--reason", "my own number"];
    house.run(&own).await.expect(0).says("decided anew");
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!((house.dialler.len(), house.dialler.contacts_with("leads-4").len()), (1, 1));
    story(&house, "leads-4").await.says("route leads set to PILOT: my own number");
    story(&house, "leads-1").await.says("waits: route leads is a pilot, and this record is none of it");
    let first = ["route", "pilot", "leads", "--first", "2", "--until", "2h", "--reason", "two more"];
    house.run(&first).await.expect(0).says("it ends by itself at 2");
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.len(), 3);
    house.run(&["status"]).await.expect(0).says("is a pilot").says(", until 2").says("two more");
    let routes = house.run(&["route", "list", "--json"]).await.expect(0).json();
    assert!(routes[0]["pilot_until"].is_string(), "{routes:?}");
    house.run(&["plan", "show"]).await.expect(0).says("It is a pilot");
    let neither = ["route", "pilot", "leads", "--reason", "x"];
    house.run(&neither).await.expect(2).says("--record").says("--first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_pause_told_with_its_end_and_whether_it_holds_the_harvest() {
    let house = house(2, "").await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let pause = ["route", "pause", "leads", "--until", "2h", "--harvest", "--reason", "a move"];
    house.run(&pause).await.expect(0);
    house.crm.editor().edit(1, json!({ "city": "Elsewhere" }));
    house.run(&["sync", "pull"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.journal().count("update"), 0);
    house.run(&["status"]).await.expect(0).says("harvests nothing, until 2").says("a move");
    house.run(&["plan", "show"]).await.expect(0).says("It is paused");
    story(&house, "leads-1")
        .await
        .says("route leads set to PAUSED, until 2")
        .says("waits: route leads is paused");
    house.run(&["route", "resume", "leads", "--reason", "moved"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.journal().count("update"), 1);
    story(&house, "leads-1").await.says("route leads set to ON: moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_the_reason_of_every_act_by_hand_kept_and_told() {
    let house = house(3, "").await;
    house.run(&["sync", "pull"]).await.expect(0);
    let import = ["contacts", "import", "--route", "leads", "1", "--reason", "asked on the phone"];
    house.run(&import).await.expect(0);
    story(&house, "leads-1").await.says("SENT BY HAND, whatever the route's state: asked on the phone");
    house.run(&["try", "--route", "leads", "2", "--send"]).await.expect(2).says("--reason");
    let no = Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.dialler.faults().add(Rule::new(no).path("/import").body("leads-2\""));
    let tried = ["try", "--route", "leads", "2", "--send", "--reason", "a look"];
    house.run(&tried).await;
    story(&house, "leads-2").await.says("SENT BY HAND, whatever the route's state: a look");
    let parked = async || house.run(&["ledger", "parked", "--json"]).await.expect(0).json();
    let operation = parked().await[0]["operation"].to_string();
    let retry = ["ledger", "retry", "--operation", &operation, "--reason", "mended at last"];
    house.run(&retry).await.expect(0);
    house.run(&["sync", "push"]).await.expect(3);
    let operation = parked().await[0]["operation"].to_string();
    house.run(&["ledger", "discard", "--operation", &operation, "--reason", "a test person"]).await.expect(0);
    let told = story(&house, "leads-2").await.says("to be TRIED AGAIN: mended at last");
    told.says("PUT ASIDE until it changes: a test person");

    // In plain SQL too, and nobody takes anything out of it.
    let ledger = rusqlite::Connection::open(house.ledger()).expect("opens");
    let said: Vec<String> = ledger
        .prepare("SELECT said || ': ' || why FROM v_words WHERE record IS NOT NULL OR operation IS NOT NULL ORDER BY at")
        .expect("a view")
        .query_map([], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("texts");
    let all = ["send: asked on the phone", "send: a look", "retry: mended at last", "discard: a test person"];
    assert_eq!(said, all);
    assert!(
        ledger.execute("DELETE FROM words", []).is_err()
            && ledger.execute("UPDATE words SET who = ''", []).is_err()
    );
}
