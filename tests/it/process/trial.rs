//! `try`: what would happen to this one record, and why.

use super::house::House;
use dialbridge::sim::dialler::SimCampaign;
use dialbridge::sim::dialler::config::Clearing;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_tried_without_a_trace_and_sent_on_demand() {
    let house = House::new(4).await;
    let first = house.run(&["try", "--route", "leads", "1"]).await.expect(0).says("PhoneNumber1");
    assert!(first.out.contains("\"DiallerCampaignsID\": 538"), "not the exact request: {}", first.said());
    assert!(!house.ledger().exists(), "trying made a ledger");
    house.run(&["sync", "pull"]).await.expect(0);
    let tried = house.run(&["try", "--route", "leads", "1", "--json"]).await.expect(0).json();
    assert_eq!(tried[0]["user_data"], "leads-1", "{tried:?}");
    assert!(house.dialler.journal().writes().is_empty(), "trying wrote");
    house
        .run(&["try", "--route", "leads", "1", "--send", "--reason", "a look"])
        .await
        .expect(0)
        .says("import: done");
    assert_eq!(house.dialler.len(), 1, "a dry route sends what a person releases, and nothing else");
    house.run(&["try", "--route", "leads", "1", "--send", "--reason", "a look"]).await.expect(0);
    assert_eq!(house.dialler.journal().requests_of("import").len(), 1);
    house.run(&["try", "--route", "leads", "77"]).await.expect(0);
    house.run(&["try", "--route", "nobody", "1"]).await.expect(2).says("there is no route nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_shown_field_by_field_with_the_exact_request_and_read_back_when_sent() {
    let house = House::new(3).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let editor = house.crm.editor();
    editor.edit(1, json!({ "name": "Canaryname", "phone": "+49 30 23125 777" }));
    let contact = house.dialler.contacts_with("leads-1")[0].id;
    house.run(&["route", "pause", "leads", "--reason", "look"]).await.expect(0);
    let tried = house.run(&["try", "--route", "leads", "1"]).await.expect(0);
    for said in [
        "Name: \"Name 00001\" -> \"Canaryname\"",
        "phone: \"+49 30 23125 777\"",
        "-> \"+493023125777\", sent as \"493023125777\"",
        "/dialler/contacts/update",
        &format!("\"ID\": {contact}"),
        &format!("contact {contact} is the record's own"),
    ] {
        assert!(tried.out.contains(said), "{said:?} is missing: {}", tried.said());
    }
    assert!(tried.out.lines().all(|line| line.len() <= 100 || line.contains("http")), "{}", tried.said());
    for args in [&["--redact"][..], &["--redact", "--json"]] {
        let hidden = house.run(&[&["try", "--route", "leads", "1"], args].concat()).await.expect(0);
        for personal in ["anaryname", "23125", "@", "Name 00001"] {
            assert!(!hidden.out.contains(personal), "{personal} is shown: {}", hidden.said());
        }
        assert!(hidden.out.contains("leads-1") && hidden.out.contains("<text of 10 characters>"));
    }
    house.dialler.put(538, &[("Name", "Twin"), ("UserData", "leads-1"), ("PhoneNumber1", "4930231250")]);
    house.run(&["try", "--route", "leads", "1"]).await.expect(0).says("DOUBLE: contact");

    let sent = house
        .run(&["try", "--route", "leads", "2", "--send", "--reason", "a look", "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(sent.len(), 1, "one document: {sent:?}");
    editor.edit(2, json!({ "name": "Sent" }));
    let sent = house
        .run(&["try", "--route", "leads", "2", "--send", "--reason", "a look", "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(sent[0]["read_back"]["Name"], "Sent", "{sent:?}");
    assert_eq!(&*house.dialler.contacts_with("leads-2")[0].name, "Sent", "whatever the route's state");
    // A dialler that is down is no reason to say nothing.
    house.dialler.set_tokens(&["another"]);
    house.run(&["try", "--route", "leads", "3"]).await.expect(0).says("verdict:").says("could not be asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_emptied_and_who_is_blocked_by_another_number_is_told_as_a_push_would_do_it() {
    let house = House::new(3).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    // This server empties a field by an empty text, which the first emptied one teaches.
    house.dialler.configure(|dialler| dialler.clearing = Clearing::EmptyText);
    house.crm.editor().edit(1, json!({ "city": false }));
    for verb in [&["sync", "pull"], &["sync", "push"], &["sync", "push"]] {
        house.run(verb).await.expect(0);
    }
    house.crm.editor().edit(2, json!({ "city": false }));
    let tried = house.run(&["try", "--route", "leads", "2"]).await.expect(0);
    assert!(tried.out.contains("\"City\": \"\""), "not what is sent: {}", tried.said());

    // The dialler has a second number for somebody who is to be made callable again.
    let contact = house.dialler.contacts_with("leads-3")[0].id;
    assert!(house.dialler.portal().edit(contact, "PhoneNumber2", "4930999888"));
    house.run(&["sync", "harvest"]).await.expect(0);
    house.crm.editor().edit(3, json!({ "active": false }));
    for verb in [&["sync", "pull"], &["sync", "push"]] {
        house.run(verb).await.expect(0);
    }
    house.run(&["block", "add", "--number", "+4930999888", "--reason", "asked to"]).await.expect(0);
    house.crm.editor().edit(3, json!({ "active": true }));
    let tried = house.run(&["try", "--route", "leads", "3"]).await.expect(0);
    let tried = tried.says("verdict: not sent, the gate is shut: ").says("BLOCKED: ");
    assert!(!tried.out.contains("request: "), "nothing would be sent: {}", tried.said());
    // So has a contact that would be taken over, and nothing has read it yet.
    let id = house.crm.editor().create(json!({ "name": "Berta", "phone": "+49 30 23125 002" }));
    let key = format!("leads-{id}");
    house.dialler.put(538, &[("Name", "Old"), ("UserData", &key), ("PhoneNumber2", "030 999888")]);
    let tried = house.run(&["try", "--route", "leads", &id.to_string()]).await.expect(0);
    tried.says("verdict: block: must not be called").says("BLOCKED: ").says("  lock: ");
}

/// A record's trouble, what is said of it, and what is said without what is personal.
const VERDICTS: [(u64, &str, &[&str]); 6] = [
    (1, "verdict: skip: not eligible: only_if is false", &["  lock: not eligible"]),
    (2, "verdict: park: no usable name: Name is empty", &["  lock: no usable name"]),
    (3, "verdict: block: must not be called: ", &[" is blocked (", "BLOCKED: must not be called: "]),
    (4, "verdict: block: block_if is true", &[]),
    (
        5,
        "verdict: send",
        &["note: City has 100 characters, at most 64 fit", "  update: changed in the CRM: City"],
    ),
    (6, "verdict: park: the record cannot be read", &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verdict_is_told_with_its_reason_and_redacted_without_what_is_personal() {
    let house = House::new(6).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let editor = house.crm.editor();
    let number = |id| editor.field(id, "phone").expect("a record").as_str().expect("a number").to_owned();
    let blocked = number(3);
    house.run(&["block", "add", "--number", &blocked, "--reason", "canaryword"]).await.expect(0);
    editor.edit(1, json!({ "phone": false }));
    editor.edit(2, json!({ "name": false }));
    editor.blacklist(&number(4), true);
    editor.edit(5, json!({ "city": "y".repeat(100) }));
    editor.make_odd(6, "{\"id\":6,\"name\":\"\\ud800\",\"active\":true}".to_owned());
    for (id, verdict, also) in VERDICTS {
        for args in [&[][..], &["--redact"], &["--redact", "--json"]] {
            let id = id.to_string();
            let tried = house.run(&[&["try", "--route", "leads", &id], args].concat()).await.expect(0);
            let wanted = [&[verdict], also].concat();
            let json = args.contains(&"--json");
            // In JSON the label is the key.
            let said = |text: &&str| {
                let text = text.trim_start();
                let text = if json {
                    ["verdict: ", "note: ", "BLOCKED: "]
                        .iter()
                        .fold(text, |text, label| text.strip_prefix(label).unwrap_or(text))
                } else {
                    text
                };
                tried.out.contains(text)
            };
            assert!(wanted.iter().all(said), "{wanted:?}: {}", tried.said());
            let digits = blocked.replace(['+', ' '], "");
            let personal = ["canaryword", "23125", "Name 0000", "yyyy", digits.as_str()];
            let shown: Vec<&&str> = personal.iter().filter(|word| tried.out.contains(**word)).collect();
            assert!(args.is_empty() || shown.is_empty(), "{shown:?} in {}", tried.said());
            assert!(id != "3" || !args.is_empty() || shown.contains(&&"canaryword"), "{}", tried.said());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_day_a_trial_promises_what_a_push_would_do() {
    let house = House::new(3).await;
    let other = 540;
    house.dialler.add_campaign(SimCampaign::new(other, "Winter leads"));
    let number = [("Name", "There"), ("UserData", "leads-1"), ("PhoneNumber1", "4930231250")];
    house.dialler.put(other, &number);
    house.dialler.put(538, &[("Name", "There"), ("UserData", "leads-2"), ("PhoneNumber1", "4930231251")]);
    let tried = house.run(&["try", "--route", "leads", "1"]).await.expect(0);
    let elsewhere = format!("park: a contact with this UserData stands in campaign {other}");
    assert!(tried.out.contains(&elsewhere), "{}", tried.said());
    house.run(&["try", "--route", "leads", "2"]).await.expect(0).says("would be taken over");
    for named in ["campaign      = 538", "campaign      = \"Summer leads\""] {
        let config = house.config_text("").replace("campaign      = \"Spring leads\"", named);
        std::fs::write(house.config(), config).expect("written");
        let tried = house.run(&["try", "--route", "leads", "3"]).await.expect(0);
        let wanted = match named.contains("538") {
            true => "\"DiallerCampaignsID\": 538",
            false => "verdict: nothing but locks is sent: campaign Summer leads does not exist",
        };
        assert!(tried.out.contains(wanted), "{}", tried.said());
        assert_eq!(tried.out.contains("request: POST"), named.contains("538"), "{}", tried.said());
    }
    assert!(house.dialler.journal().writes().is_empty() && !house.ledger().exists());
}
