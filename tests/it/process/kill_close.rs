//! The daemon ends inside each step of the nightly close; the day is closed all the same, and everybody read again.

use super::house::House;
use std::time::Duration;

const STEPS: [&str; 3] = ["inside_commit_closing_begin", "after_closing_begin", "inside_commit_closing_end"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_day_closed_after_the_daemon_ended_inside_each_step_of_it() {
    let house = House::new(3).await;
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let made = house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    // As if it had been yesterday: what is closed at a start is the days before.
    let earlier = |column: &str| format!("{column} = strftime('%Y-%m-%dT%H:%M:%f000Z', {column}, '-1 day')");
    house.sql(&format!("UPDATE sweeps SET {}", earlier("began_at").replace("-1 day", "-2 days")));
    house.sql(&format!("UPDATE calls SET {}, {}", earlier("started_at"), earlier("created_at")));
    for step in STEPS {
        assert!(house.crash(&["run"], step).await, "{step} was not met");
    }
    assert_eq!(count(&house, "closings WHERE closed_at IS NOT NULL"), 0);
    let mark = house.dialler.journal().mark();
    let _daemon = house.daemon().await;
    for _ in 0..500 {
        if count(&house, "closings WHERE closed_at IS NOT NULL") > 0 {
            break;
        }
        house.env.sleep(Duration::from_millis(20)).await;
    }
    assert!(count(&house, "closings WHERE closed_at IS NOT NULL AND contacts = 3") > 0);
    assert_eq!(count(&house, "closings WHERE closed_at IS NULL"), 0);
    assert_eq!(count(&house, "calls"), made as i64);
    let asked = house
        .dialler
        .journal()
        .requests_where(|asked| asked.seq >= mark && matches!(asked.kind.name, "batch" | "history"));
    assert!(!asked.is_empty(), "nobody was read again");
}

fn count(house: &House, of: &str) -> i64 {
    let connection = rusqlite::Connection::open(house.ledger()).expect("opened");
    let sql = format!("SELECT count(*) FROM {of}");
    connection.query_row(&sql, [], |row| row.get(0)).expect("a number")
}
