//! `try`: what would happen to this one record, and why.

use super::house::House;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_tried_without_a_trace_and_sent_on_demand() {
    let house = House::new(4).await;
    house.run(&["try", "--route", "leads", "1"]).await.expect(0).says("PhoneNumber1");
    assert!(!house.ledger().exists(), "trying made a ledger");
    house.run(&["sync", "pull"]).await.expect(0);
    let tried = house.run(&["try", "--route", "leads", "1", "--json"]).await.expect(0).json();
    assert_eq!(tried[0]["user_data"], "leads-1", "{tried:?}");
    assert!(house.dialler.journal().writes().is_empty(), "trying wrote");
    house.run(&["try", "--route", "leads", "1", "--send"]).await.expect(0).says("import: done");
    assert_eq!(house.dialler.len(), 1, "a dry route sends what a person releases, and nothing else");
    house.run(&["try", "--route", "leads", "1", "--send"]).await.expect(0);
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

    let sent = house.run(&["try", "--route", "leads", "2", "--send", "--json"]).await.expect(0).json();
    assert_eq!(sent.len(), 1, "one document: {sent:?}");
    editor.edit(2, json!({ "name": "Sent" }));
    let sent = house.run(&["try", "--route", "leads", "2", "--send", "--json"]).await.expect(0).json();
    assert_eq!(sent[0]["read_back"]["Name"], "Sent", "{sent:?}");
    assert_eq!(&*house.dialler.contacts_with("leads-2")[0].name, "Sent", "whatever the route's state");
    // A dialler that is down is no reason to say nothing.
    house.dialler.set_tokens(&["another"]);
    house.run(&["try", "--route", "leads", "3"]).await.expect(0).says("verdict:").says("could not be asked");
}
