//! Every operation of the dialler's page, by hand.

use super::house::House;
use dialbridge::sim::dialler::SimContact;
use std::sync::Arc;

fn contact(house: &House, user_data: &str) -> Arc<SimContact> {
    house.dialler.contacts_with(user_data)[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_of_the_page_can_be_done_by_hand() {
    let house = House::new(3).await;
    house.run(&["sync", "pull"]).await.expect(0);
    // Import, in a route that is dry; get by number and by UserData; lists of a campaign and of the account.
    for record in ["1", "2"] {
        let import = ["contacts", "import", "--route", "leads", record];
        house.run(&import).await.expect(2).says("--reason");
        house.run(&[&import[..], &["--reason", "asked for"]].concat()).await.expect(0).says("import: done");
    }
    assert_eq!(house.dialler.len(), 2);
    let id = contact(&house, "leads-1").id.to_string();
    for which in ["leads-1", &id] {
        house.run(&["contacts", "get", which]).await.expect(0).says("Name 00001").says(&id);
    }
    for args in [&["--campaign", "Spring leads"][..], &["--campaign", "538"], &[]] {
        let list = [&["contacts", "list", "--json"], args].concat();
        assert_eq!(house.run(&list).await.expect(0).json().len(), 2, "{args:?}");
    }
    house.run(&["contacts", "list", "--campaign", "Sumer"]).await.expect(2).says("Spring leads (538)");

    // Update: what the CRM does not bring.
    let set = |what: &'static str| ["contacts", "update", "leads-1", "--reason", "asked", "--set", what];
    house
        .run(&set("Comment=calls back"))
        .await
        .expect(0)
        .says("Comment: null -> \"calls back\"")
        .says("update: done");
    house.run(&["contacts", "get", "leads-1"]).await.expect(0).says("calls back");
    house.run(&set("Name=Other")).await.expect(1).says("change them in the CRM");
    house.run(&set("Comentary=x")).await.expect(2).says("there is no field Comentary");
    house.run(&set("Coment=x")).await.expect(2).says("did you mean Comment?");
    house.run(&set("FollowUpUsersUID=x")).await.expect(2).says("at import only");
    house.run(&set("PhoneNumber2=12")).await.expect(2).says("no valid phone number");
    let blocked = house.number(3);
    house.run(&["block", "add", "--number", &blocked, "--reason", "said no"]).await.expect(0);
    let number = format!("PhoneNumber2={blocked}");
    let number = ["contacts", "update", "leads-1", "--reason", "asked", "--set", &number];
    house.run(&number).await.expect(1).says("must not be called");
    assert_eq!(house.dialler.journal().requests_of("update").len(), 1);

    // History, lock, unlock, reset, delete.
    house.dial(house.contact_ids()).await;
    house.run(&["contacts", "history", "leads-1"]).await.expect(0).says("dtCallStart");
    house.run(&["contacts", "lock", &id, "--reason", "asked"]).await.expect(0).says("lock: done");
    assert!(contact(&house, "leads-1").locked);
    house.run(&["contacts", "unlock", "leads-1", "--reason", "again"]).await.expect(0).says("unlock: done");
    let shown = house.run(&["contacts", "reset", "leads-1", "--reason", "x"]).await.expect(2);
    for said in ["Name 00001", "campaign \"Spring leads\"", "1 tries", "result", "say --yes"] {
        assert!(shown.said().contains(said), "{said} is not shown: {}", shown.said());
    }
    house
        .run(&["contacts", "reset", "leads-1", "--reason", "x", "--yes"])
        .await
        .expect(0)
        .says("reset: done");
    let delete = ["contacts", "delete", "leads-2", "--reason", "double"];
    house.run(&delete).await.expect(2).says("its history (1 rows) will be gone");
    house.run(&[&delete[..], &["--yes"]].concat()).await.expect(0).says("delete: waiting");
    assert!(
        house.dialler.contacts_with("leads-2")[0].locked,
        "out of reach until its calls have come to rest"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_contact_is_shown_as_such_and_neither_opened_nor_reset_nor_deleted() {
    let house = House::new(2).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    house.run(&["block", "add", "--route", "leads", "--record", "1", "--reason", "said no"]).await.expect(0);
    for act in ["unlock", "reset", "delete"] {
        let ran = house.run(&["contacts", act, "leads-1", "--reason", "x", "--yes"]).await.expect(1);
        assert!(ran.said().contains("refused") && ran.out.contains("BLOCKED: must not be called: said no"));
    }
    assert!(contact(&house, "leads-1").locked);
    house
        .run(&["ledger", "contact", "leads-1"])
        .await
        .expect(0)
        .says("BLOCKED the record")
        .says("LOCKED by us, not verifiable");
}
