//! The program on a ledger that was restored or moved: what `status` says, what `takeover` does.

use super::house::House;
use serde_json::{Value, json};

async fn status(house: &House) -> Value {
    house.run(&["status", "--json"]).await.expect(0).json().remove(0)
}

fn concern<'a>(status: &'a Value, words: &str) -> Option<&'a Value> {
    let concerns = status["concerns"].as_array().expect("concerns");
    concerns.iter().find(|concern| concern["what"].as_str().expect("text").contains(words))
}

fn city(house: &House) -> String {
    house.dialler.contacts_with("leads-2")[0].get("City").as_str().unwrap_or_default().to_owned()
}

/// Everything that the ledger holds is in its file, and nobody has it open.
fn at_rest(house: &House) {
    let connection = rusqlite::Connection::open(house.ledger()).expect("opens");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("all in one file");
}

/// As the README says it: the file, without what belongs to the one before.
fn restore(house: &House, from: &std::path::Path) {
    for companion in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
        if house.path(companion).exists() {
            std::fs::remove_file(house.path(companion)).expect("removed");
        }
    }
    std::fs::copy(from, house.ledger()).expect("restored");
}

/// With its ledger's home said, because tests may run in a container.
async fn house() -> House {
    let house = House::new(6).await;
    house.write_config("identity = \"host\"\n");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_ledger_comes_up_paused_says_why_and_is_taken_over() {
    let house = house().await;
    at_rest(&house);
    std::fs::copy(house.ledger(), house.path("copy")).expect("copied");
    house.crm.editor().edit(1, json!({ "city": "Bonn" }));
    house.run(&["sync"]).await.expect(0);
    restore(&house, &house.path("copy"));
    house.crm.editor().edit(2, json!({ "city": "Bonn" }));

    let mut daemon = house.daemon().await;
    assert!(daemon.log().contains("paused (identity)"), "{}", daemon.log());
    house.run(&["sync"]).await.says("paused (identity)").says("older than the one last seen");
    assert_ne!(city(&house), "Bonn", "it was sent");
    let ill = status(&house).await;
    let told = concern(&ill, "identity").expect("it is said");
    assert_eq!(ill["well"], false);
    assert!(told["remedy"].as_str().expect("text").contains("dialbridge takeover"), "{told}");
    let routes = house.run(&["route", "list", "--json"]).await.expect(0).json();
    assert_eq!((&routes[0]["state"], &routes[0]["state_after"]), (&json!("paused"), &json!("on")));

    // A script must have said that it is meant.
    house.run(&["takeover"]).await.expect(2).says("older than the one last seen").says("--yes");
    house.run(&["takeover", "--yes"]).await.expect(0).says("taken over as generation 2");
    house.run(&["sync"]).await.expect(0);
    assert_eq!(city(&house), "Bonn");
    assert_eq!(status(&house).await["well"], true);
    assert!(house.dialler.doubled().is_empty());
    daemon.signal("TERM");
    daemon.ended().await;
    house.run(&["takeover"]).await.expect(0).says("nothing differs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_beside_the_daemon_is_sound_and_comes_up_paused() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = house().await;
    let mut daemon = house.daemon().await;
    let file = house.path("backup.sqlite");
    let name = file.to_str().expect("text");
    let made = house.run(&["ledger", "backup", name, "--json"]).await.expect(0).json().remove(0);
    assert_eq!(made["generation"], 2, "{made}");
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o007, 0, "others may not read it: {mode:o}");
    house.run(&["ledger", "backup", name]).await.expect(1).says("exists already");
    house.run(&["ledger", "backup", "/no/such/folder/x"]).await.expect(1).says("no backup was made");
    house.crm.editor().edit(2, json!({ "city": "Bonn" }));
    house.run(&["sync"]).await.expect(0);
    assert_eq!(city(&house), "Bonn", "the ledger itself goes on");
    house.run(&["ledger", "check"]).await.expect(0).says("sound: the file");
    daemon.signal("TERM");
    daemon.ended().await;

    restore(&house, &file);
    house.crm.editor().edit(2, json!({ "city": "Hof" }));
    house.run(&["sync"]).await.says("it is the backup of").says("dialbridge takeover");
    assert_eq!(city(&house), "Bonn", "nothing is sent from it");
    house.run(&["ledger", "check"]).await.expect(0);
    house.run(&["takeover", "--yes"]).await.expect(0).says("generation 3");
    house.run(&["sync"]).await.expect(0);
    assert_eq!(city(&house), "Hof");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_moved_is_paused_also_for_commands_without_a_daemon() {
    let house = house().await;
    at_rest(&house);
    std::fs::create_dir(house.path("moved")).expect("a folder");
    std::fs::rename(house.ledger(), house.path("moved/ledger.sqlite")).expect("moved");
    let text =
        house.config_text("identity = \"host\"\n").replace("\"ledger.sqlite\"", "\"moved/ledger.sqlite\"");
    std::fs::write(house.config(), text).expect("written");
    house.crm.editor().archive(1, true);
    house.crm.editor().edit(2, json!({ "city": "Bonn" }));
    house.run(&["sync"]).await.says("moved/ledger.sqlite");
    assert!(house.dialler.contacts_with("leads-1")[0].locked, "who says no is locked");
    assert_ne!(city(&house), "Bonn");
    house.run(&["takeover"]).await.expect(2);
    house.run(&["takeover", "--yes"]).await.expect(0);
    house.run(&["sync"]).await.expect(0);
    assert_eq!(city(&house), "Bonn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_inside_the_first_start_or_a_takeover_leaves_it_as_it_was() {
    let house = House::new(3).await;
    house.write_config("identity = \"host\"\n");
    assert!(house.crash(&["sync"], "inside_commit_identity_first").await, "the point was not met");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    assert_eq!(status(&house).await["routes"][0]["state"], "on", "a ledger that is new is no restored one");

    std::fs::remove_file(house.path("ledger.sqlite.generation")).expect("removed");
    assert!(house.crash(&["takeover", "--yes"], "inside_commit_identity_take_over").await, "not met");
    house.run(&["sync"]).await.says("paused (identity)");
    house.run(&["takeover", "--yes"]).await.expect(0).says("as generation 2");
    house.run(&["sync"]).await.expect(0);
    assert_eq!(status(&house).await["routes"][0]["state"], "on");
}
