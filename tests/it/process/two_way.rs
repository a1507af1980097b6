//! Fields that both sides may change, as an administrator sets them up and an operator decides about them.

use super::house::House;
use serde_json::json;

/// Mistakes that a first try makes come all at once, each with its place and what is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn careless_two_way_fields_are_named_whole() {
    let house = House::new(1).await;
    let right = house.config_text("");
    let with = |more: &str, fields: &str| {
        right.replacen("[route.leads.fields]", &format!("{more}\n[route.leads.fields]\n{fields}"), 1)
    };
    let two_way = "[route.leads.two_way]\n";
    let wrong = with(
        &format!(
            "{two_way}Adress = \"crm\"\nCompany = \"newest\"\nTag = \"ask\"\nService = \"ask\"\ndtBeginDate = \"crm\"\nFollowUpUsersUID = \"crm\"\nEmail = \"ask\"\n\
             [route.leads.owners]\nEmail = \"crm\"\nWebsite = \"dialler\"\nPostalCode = \"agents\"\n"
        ),
        "Company = \"street\"\nTag = \"street | trim\"\ndtBeginDate = \"street\"\n",
    );
    std::fs::write(house.config(), wrong).expect("written");
    let ran = house.run(&["check", "--offline"]).await.expect(2);
    for said in [
        "Did you mean Address?",
        "nobody knows which is newer",
        "Tag is mapped by more than the name of a field",
        "Service is not mapped",
        "dtBeginDate: a time, and nothing says in which form",
        "FollowUpUsersUID: the dialler takes it at import only",
        "two-way fields without write_back",
        "Email is a two-way field too",
        "Website is not mapped",
        "whose it is once its contact is there",
        "10 mistakes in the config",
    ] {
        assert!(ran.said().contains(said), "{said} is not said: {}", ran.said());
    }
    let mapped = "Company = \"street\"\n";
    let on = format!("write_back = \"* * * * *\"\n{two_way}Company = \"ask\"\n");
    std::fs::write(house.config(), with(&on, mapped)).expect("written");
    house.run(&["check", "--offline"]).await.expect(0);
    std::fs::write(house.config(), with(&on, mapped).replacen("\"sim-id\"", "\"sim-next\"", 1))
        .expect("written");
    house.run(&["check", "--offline"]).await.expect(2).says("has no [record.change]");
    let both = format!("{on}[route.leads.result_fields]\nstreet = \"last_started\"\n");
    std::fs::write(house.config(), with(&both, mapped)).expect("written");
    house.run(&["check", "--offline"]).await.expect(2).says("street, which route leads writes too");
}

/// From two edits of one field to a person's word, in words and for programs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_listed_shown_and_resolved() {
    let house = House::new(3).await;
    let on = "write_back = \"0 0 29 2 *\"\n[route.leads.two_way]\nCompany = \"ask\"\n";
    let config = house.config_text("").replacen(
        "[route.leads.fields]",
        &format!("{on}[route.leads.fields]\nCompany = \"street\""),
        1,
    );
    std::fs::write(house.config(), config).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.run(&["conflicts", "list"]).await.expect(0).says("No field waits for a person");
    let contact = house.dialler.contacts_with("leads-1")[0].id;
    assert!(house.dialler.portal().edit(contact, "Company", "Ring 5"));
    house.crm.editor().edit(1, json!({ "street": "Allee 9" }));
    house.run(&["sync", "harvest"]).await.expect(0);
    house.run(&["sync"]).await.expect(0);
    house.run(&["sync", "write-back"]).await.expect(0);
    let ran = house.run(&["conflicts", "list", "--route", "leads", "--json"]).await.expect(0);
    let listed: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
    let number = listed[0]["conflict"].as_i64().unwrap_or_else(|| panic!("{}", ran.said())).to_string();
    assert_eq!((&listed[0]["crm"], &listed[0]["dialler"]), (&json!("Allee 9"), &json!("Ring 5")));
    house.run(&["conflicts", "show", &number]).await.expect(0).says("--take dialler");
    let shown = house.run(&["conflicts", "show", &number, "--json"]).await.expect(0).json();
    assert_eq!(shown[0]["agreed"], listed[0]["agreed"]);
    house.run(&["status"]).await.expect(0).says("1 fields need a person");
    house.run(&["ledger", "contact", "leads-1"]).await.expect(0).says("Company WAITS FOR A PERSON");
    let resolve = ["conflicts", "resolve", &number, "--take", "dialler", "--reason", "he moved"];
    house.run(&resolve).await.expect(0).says("the dialler's value stands");
    house.run(&["sync", "write-back"]).await.expect(0);
    assert_eq!(house.crm.editor().field(1, "street"), Some(json!("Ring 5")));
    house.run(&["ledger", "contact", "leads-1"]).await.expect(0).says("STANDS: he moved");
    house.run(&resolve).await.expect(1).says("conflicts list");
    house.run(&["conflicts", "show", &number]).await.expect(2).says("conflicts list");
}
