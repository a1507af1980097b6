//! The program ends inside the commits that a kill at random seldom meets, each once: a lock's lease, what was found of a
//! key, the end of a doubt, the moves of a cursor and of a full pass, the end of a sweep, and a person's own words; at the three
//! speeds of the dialler that the other points are met at.

use super::house::{CAMPAIGN, House};
use super::judge::{Deaths, QUIET, judge};
use super::kill_points::until_quiet;
use super::speeds::{SPEEDS, Speed};
use super::work::Work;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

async fn kill_inside_every_other_commit(speed: Speed) {
    let house = House::new(8).await;
    house.slow(speed);
    let mut deaths = Deaths::default();
    let foreign =
        |name: &str, number: &str| house.dialler.put(CAMPAIGN.0, &[("Name", name), ("PhoneNumber1", number)]);
    let (objecting, locked, commented) =
        (foreign("Other", "493077701"), foreign("Another", "493077702"), foreign("Third", "493077703"));
    house.switched_on().await;

    deaths.at(&house, &["sync", "push"], "inside_commit_meetings_store").await;
    let late = Action::Latency { before: Duration::ZERO, after: Duration::from_millis(100) };
    let late = house.dialler.faults().add(Rule::new(late).path("/import"));
    let began = house.now();
    assert!(house.crash(&["sync", "push"], "after_send").await, "no request was under way");
    deaths.note(&house, began).await;
    house.dialler.faults().remove(late);

    deaths.at(&house, &["sync", "harvest"], "inside_commit_sweep_end").await;
    let (id, other) = (locked.to_string(), commented.to_string());
    let comment = ["contacts", "update", &other, "--reason", "asked", "--set", "Comment=calls back"];
    deaths.at(&house, &comment, "inside_commit_contact_update_by_hand").await;
    // This one is on its way when the program ends, and not said once more.
    deaths.at(&house, &comment, "inside_commit_update_note_before").await;
    let block = ["block", "add", "--number", "+493077701", "--reason", "said no"];
    deaths.at(&house, &block, "inside_commit_blocks_import").await;
    deaths.at(&house, &block, "inside_commit_locks_lease").await;
    // Whoever sends next, be it a lock, counts the quiet time from then.
    let in_doubt_since = house.now();

    Work::default().more(&house, 3, 2);
    deaths.at(&house, &["sync", "pull"], "inside_commit_cursor_move").await;
    deaths.at(&house, &["sync", "pull", "--full"], "inside_commit_pass_move").await;
    let lock = ["contacts", "lock", &id, "--reason", "said no"];
    deaths.at(&house, &lock, "inside_commit_contact_act").await;

    let rested = in_doubt_since + QUIET - house.now();
    house.env.sleep(rested.to_std().unwrap_or_default()).await;
    deaths.at(&house, &["sync", "push"], "inside_commit_settle_import").await;

    // Whoever was told nothing says it once more.
    house.run(&lock).await.expect(0);
    until_quiet(&house).await;
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    judge(&house, &deaths).await;
    let contact = |id: i64| house.dialler.contact(id).expect("a contact");
    assert!(contact(objecting).locked && contact(locked).locked, "a lock was lost");
    assert!(!contact(commented).locked);
    assert_eq!(contact(commented).get("Comment"), json!("calls back"));
    let written = house.dialler.journal().requests_of("update");
    let comments = written.iter().filter(|asked| asked.json().get("Comment").is_some()).count();
    assert_eq!(comments, 1, "what a person gave is written once");
    assert!(deaths.uncertain() > 0, "no operation was in doubt: this has tested nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_inside_every_other_commit_when_the_work_is_done_before_the_answer() {
    kill_inside_every_other_commit(SPEEDS[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute for the other speeds; the gate runs it"]
async fn kills_inside_every_other_commit_when_the_work_begins_late() {
    kill_inside_every_other_commit(SPEEDS[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute for the other speeds; the gate runs it"]
async fn kills_inside_every_other_commit_when_everything_is_slow() {
    kill_inside_every_other_commit(SPEEDS[2]).await;
}
