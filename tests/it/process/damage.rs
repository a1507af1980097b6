//! A ledger that is damaged while the daemon runs: it stops and says what to do.

use super::house::House;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Overwrites the first pages of some tables, as a failing disk would, and has every open connection look again.
fn spoil(path: &Path, tables: &[&str]) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("all in one file");
    let size: u64 =
        connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0)).expect("a size").into();
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    for table in tables {
        let page: u64 = connection
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| {
                row.get::<_, u32>(0)
            })
            .expect("a table")
            .into();
        file.write_all_at(&vec![0xff; usize::try_from(size).expect("small")], (page - 1) * size)
            .expect("spoilt");
    }
    connection.execute_batch("UPDATE meta SET value = value WHERE key = 'sequence'").expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_stops_and_says_what_to_do() {
    let house = House::new(3).await;
    house.switched_on().await;
    let mut daemon = house.daemon().await;
    house.run(&["sync"]).await.expect(0);
    let before = house.dialler.journal().requests_of("import").len();
    assert_eq!(before, 3);
    spoil(&house.ledger(), &["records", "links", "operations", "hints", "contacts", "runs", "routes"]);
    house.run(&["sync"]).await;
    assert_eq!(daemon.ended().await.code(), Some(1), "{}", daemon.log());
    let log = daemon.log();
    for words in ["is damaged", "ledger.sqlite", "restore the newest backup"] {
        assert!(log.contains(words), "{words:?}: {log}");
    }
    assert_eq!(
        house.dialler.journal().requests_of("import").len(),
        before,
        "nothing was sent without a memory"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_ledger_is_called_so_and_no_backup_is_made_of_it() {
    let house = House::new(3).await;
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.run(&["ledger", "check"]).await.expect(0).says("sound: the file").says("sound: lanes");
    spoil(&house.ledger(), &["changes"]);
    let found = house.run(&["ledger", "check"]).await.expect(1);
    assert!(found.out.contains("WRONG: the file") || found.err.contains("is damaged"), "{}", found.said());
    let file = house.path("backup.sqlite");
    house.run(&["ledger", "backup", file.to_str().expect("text")]).await.expect(1).says("no backup was made");
    assert!(!file.exists() && !house.path("backup.sqlite.part").exists(), "half a copy is none");
}
