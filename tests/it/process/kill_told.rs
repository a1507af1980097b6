//! The program ends inside the commits of what the CRM is told, and on both sides of the request itself: each call is told
//! once, what an agent changed arrives, and that a record is gone is not forgotten.

use super::house::House;
use super::judge_told::{Telling, every_call_was_told_once};
use super::kill_ways::{Life, turns};
use serde_json::json;

const HARVEST: [&str; 2] = ["sync", "harvest"];
const TELL: [&str; 2] = ["sync", "write-back"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_inside_everything_that_the_crm_is_told() {
    for turn in turns() {
        let house = House::new(3).await;
        Telling::begin(&house);
        let text = std::fs::read_to_string(house.config()).expect("a config");
        let both = "[route.leads.two_way]\nCompany = \"dialler\"\n[route.leads.fields]\nCompany = \"street\"";
        std::fs::write(house.config(), text.replacen("[route.leads.fields]", both, 1)).expect("written");
        house.switched_on().await;
        house.run(&["sync"]).await.expect(0);
        let mut life = Life::new(house, turn);
        told(&mut life).await;
        gone(&mut life).await;
    }
}

/// The quiet time of what is in doubt is over, without a minute's wait.
async fn rests(life: &Life) {
    life.runs(&["sync", "push"]).await;
    life.house.sql("UPDATE write_backs SET due_at = '2000-01-01T00:00:00.000000Z' WHERE state = 'uncertain'");
}

/// This CRM has to be asked about every create that may have arrived: one never left, one arrived and nobody noted it.
async fn told(life: &mut Life) {
    let contact = life.house.dialler.contacts_with("leads-1")[0].id;
    life.house.dial([contact]).await;
    assert!(life.house.dialler.portal().edit(contact, "Company", "Ring 5"));
    life.dies(&HARVEST, "inside_commit_edits_store").await;
    life.runs(&HARVEST).await;
    assert_eq!(
        life.house.crm.activities(),
        [],
        "a command does what it was asked for, and nothing behind its own back"
    );
    life.dies(&TELL, "inside_commit_write_back_begin").await;
    life.dies(&TELL, "after_write_back_begin").await;
    life.dies(&TELL, "inside_commit_write_backs_mark_interrupted").await;
    rests(life).await;
    life.dies(&TELL, "after_write_back_answer").await;
    rests(life).await;
    life.dies(&TELL, "inside_commit_write_back_found").await;
    life.dies(&TELL, "inside_commit_write_back_end").await;
    rests(life).await;
    // The activity, and then the record's fields: the agent's change is there already when it is looked at once more.
    life.dies(&TELL, "after_write_back_answer:2").await;
    rests(life).await;
    life.dies(&TELL, "inside_commit_edits_merged").await;
    life.runs(&TELL).await;
    every_call_was_told_once(&life.house).await;
    assert_eq!(life.house.crm.editor().field(1, "street"), Some(json!("Ring 5")));
}

/// That a record is not there any more, a telling learns first.
async fn gone(life: &mut Life) {
    let contact = life.house.dialler.contacts_with("leads-2")[0].id;
    life.house.dial([contact]).await;
    life.runs(&HARVEST).await;
    life.house.crm.editor().delete(2);
    life.dies(&TELL, "inside_commit_write_back_end").await;
    rests(life).await;
    life.runs(&TELL).await;
    life.runs(&["sync", "pull"]).await;
    // It is asked about once more, ten minutes later.
    life.house.sql(
        "UPDATE record_absences SET asked_at = '2000-01-01T00:00:00.000000Z';
         UPDATE hints SET not_before = '2000-01-01T00:00:00.000000Z' WHERE taken_at IS NULL",
    );
    life.runs(&["sync"]).await;
    assert!(life.house.locked(2), "whoever is deleted in the CRM must not be called");
}
