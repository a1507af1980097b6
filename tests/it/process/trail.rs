//! `ledger verify`, as an auditor would use it.

use super::house::House;

fn by_hand(house: &House, sql: &str) {
    let ledger = rusqlite::Connection::open(house.ledger()).expect("opens");
    ledger.execute_batch(sql).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_is_proven_and_where_somebody_touched_it_the_row_is_named() {
    let house = House::new(3).await;
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let proven = house.run(&["ledger", "verify"]).await.expect(0);
    assert!(proven.out.contains("The trail is unbroken: "), "{}", proven.said());
    assert!(proven.out.contains("told outside the ledger yet"), "{}", proven.said());
    let json = house.run(&["ledger", "verify", "--json"]).await.expect(0).json().remove(0);
    assert!(json["rows"].as_u64().expect("a number") >= 3 && json["broken"].is_null(), "{json}");
    by_hand(
        &house,
        "DROP TRIGGER changes_are_not_edited; UPDATE changes SET after = '\"+4930999\"' WHERE id = 2",
    );
    let broken = house.run(&["ledger", "verify"]).await.expect(1);
    assert!(broken.out.contains("BROKEN at change 2: it was changed"), "{}", broken.said());
    let json = house.run(&["ledger", "verify", "--json"]).await.expect(1).json().remove(0);
    assert_eq!(json["broken"]["change"], 2);
    house.run(&["ledger", "check"]).await.expect(1).says("WRONG: the trail of changes");
}
