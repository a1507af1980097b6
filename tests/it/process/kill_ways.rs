//! The program ends inside the commits of the dialler's side that no other life of the kill tests meets: the first pin and
//! the index of the account, the ends of runs, the recovery itself, a doubt that is postponed or decided anew, a contact that
//! was moved, deleted or doubled by others, and a block that is lifted.

use super::house::{CAMPAIGN, House};
use super::judge::{Deaths, QUIET, judge};
use super::kill_points::until_quiet;
use super::speeds::SPEEDS;
use super::work::Work;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;

/// A house whose program dies again and again, each time at the next of the speeds.
pub struct Life {
    pub house: House,
    pub deaths: Deaths,
    turn: usize,
}

impl Life {
    pub fn new(house: House, turn: usize) -> Self {
        Self { house, deaths: Deaths::default(), turn }
    }

    pub async fn dies(&mut self, args: &[&str], point: &str) {
        self.slower();
        self.deaths.at(&self.house, args, point).await;
    }

    /// The same while the dialler does this, too.
    async fn dies_beside(&mut self, fault: Rule, args: &[&str], point: &str) {
        self.slower();
        self.house.dialler.faults().add(fault);
        self.deaths.at(&self.house, args, point).await;
        self.slower();
    }

    fn slower(&mut self) {
        self.house.slow(SPEEDS[self.turn % SPEEDS.len()]);
        self.turn += 1;
    }

    /// What is in doubt may be asked about after this: the quiet time begins with the next start of the program.
    pub async fn rests(&self) {
        self.house.run(&["sync", "push"]).await.expect(0);
        self.house.env.sleep(QUIET).await;
    }

    pub async fn runs(&self, args: &[&str]) {
        self.house.run(args).await.expect(0);
    }
}

/// With which of the speeds a life begins: one life in the ordinary run, in which each point is met at one of them; in the full
/// proof as many as there are speeds, after which each was met at all.
pub fn turns() -> std::ops::Range<usize> {
    0..if std::env::var_os("DIALBRIDGE_KILLS").is_some() { SPEEDS.len() } else { 1 }
}

const PULL: [&str; 2] = ["sync", "pull"];
const PUSH: [&str; 2] = ["sync", "push"];
const HARVEST: [&str; 2] = ["sync", "harvest"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a tenth of all the others' time; the gate runs it"]
async fn kills_inside_what_only_a_richer_life_meets() {
    for turn in turns() {
        let mut life = Life::new(House::new(8).await, turn);
        first_load(&mut life).await;
        doubts(&mut life).await;
        moved_and_deleted(&mut life).await;
        seen_by_a_sweep(&mut life).await;
        lifted(&mut life).await;
        let Life { house, deaths, .. } = life;
        until_quiet(&house).await;
        house.dial(house.contact_ids()).await;
        house.run(&HARVEST).await.expect(0);
        judge(&house, &deaths).await;
    }
}

/// So many keys that the account is listed; most are of records that must not be called, and cost no contact.
async fn first_load(life: &mut Life) {
    let editor = life.house.crm.editor();
    let eligible = editor.ids().len();
    editor.seed(100, 1000);
    for id in editor.ids().into_iter().skip(eligible) {
        leave(&life.house, id);
    }
    life.house.switched_on().await;
    life.dies(&PUSH, "inside_commit_route_pin_campaign").await;
    life.dies(&PUSH, "inside_commit_sweep_begin").await;
    life.dies(&PUSH, "inside_commit_account_sweep_store").await;
    life.dies(&PUSH, "inside_commit_attempt_add").await;
    life.rests().await;
    life.runs(&PUSH).await;
    assert_eq!(life.house.dialler.len(), eligible);
    Work::default().more(&life.house, 1, 1);
    life.dies(&PULL, "inside_commit_run_start").await;
    life.dies(&["sync", "pull", "--full"], "inside_commit_pass_begin").await;
    life.dies(&PULL, "inside_commit_route_pull_begins").await;
    life.dies(&PULL, "inside_commit_companion_take").await;
    life.dies(&PULL, "inside_commit_lock_shown_learn").await;
    life.dies(&PULL, "inside_commit_run_finish").await;
    life.runs(&["sync"]).await;
}

/// An update whose lease was the last deed: the recovery itself is cut off, its contact cannot be read, and then holds what
/// nobody knows.
async fn doubts(life: &mut Life) {
    let contact = life.house.dialler.contacts_with("leads-1")[0].id;
    life.house.crm.editor().edit(1, json!({ "city": "Hof" }));
    life.runs(&PULL).await;
    life.dies(&PUSH, "after_lease").await;
    life.dies(&PUSH, "inside_commit_operations_recover").await;
    life.dies(&PUSH, "inside_commit_runs_mark_interrupted").await;
    life.rests().await;
    assert!(life.house.dialler.portal().edit(contact, "City", "Kiel"));
    let unread = Action::Says { code: 400, body: r#"{"status":400,"error":"no"}"# };
    let unread = Rule::new(unread).method(http::Method::GET).path_end(&format!("/{contact}"));
    life.dies_beside(unread, &PUSH, "inside_commit_settle_postpone").await;
    life.dies(&PUSH, "inside_commit_settle_decide_anew").await;
    life.runs(&PUSH).await;
    life.runs(&["sync"]).await;
    assert_eq!(life.house.dialler.contacts_with("leads-1")[0].get("City"), json!("Hof"));
}

/// A portal user gave one contact another number, deleted the next, and put two in the place of a third that has to be locked.
/// One after the other: where several are not there, the dialler is taken for another one.
async fn moved_and_deleted(life: &mut Life) {
    let [moved, deleted, doubled] = [2, 6, 8];
    delete(&life.house, moved);
    let elsewhere = bearer(&life.house, moved);
    rename(&life.house, moved);
    life.runs(&PULL).await;
    life.dies(&PUSH, "inside_commit_link_moved").await;
    life.rests().await;
    life.runs(&["sync"]).await;
    assert!(!life.house.dialler.contact(elsewhere).expect("a contact").locked, "nobody is there twice");

    delete(&life.house, deleted);
    rename(&life.house, deleted);
    life.runs(&PULL).await;
    life.dies(&PUSH, "inside_commit_link_vanished").await;
    life.rests().await;
    life.runs(&PUSH).await;
    leave(&life.house, deleted);

    delete(&life.house, doubled);
    let two = [bearer(&life.house, doubled), bearer(&life.house, doubled)];
    leave(&life.house, doubled);
    // A lock does not wait for the next push.
    life.dies(&PULL, "inside_commit_lock_bearers").await;
    life.runs(&PUSH).await;
    for contact in two {
        assert!(life.house.dialler.contact(contact).expect("a contact").locked, "a lock was lost");
    }
    assert!(life.house.dialler.portal().delete(two[1]));
}

fn delete(house: &House, record: u64) {
    let contact = house.dialler.contacts_with(&format!("leads-{record}"))[0].id;
    assert!(house.dialler.portal().delete(contact));
}

fn rename(house: &House, record: u64) {
    house.crm.editor().edit(record, json!({ "name": format!("Whom somebody touched {record}") }));
}

/// As the judge knows it: the CRM's own flag is no field of the record.
fn leave(house: &House, record: u64) {
    house.crm.editor().archive(record, true);
    house.crm.editor().edit(record, json!({ "x_gone": true }));
}

/// A contact that a portal user made, and gave a record's key.
fn bearer(house: &House, record: u64) -> i64 {
    let number = house.number(record);
    let contact = house.dialler.put(CAMPAIGN.0, &[("Name", "By hand"), ("PhoneNumber1", &number)]);
    assert!(house.dialler.portal().edit(contact, "UserData", format!("leads-{record}")));
    contact
}

/// A contact of others that a list no longer names, and a second one with a key of ours.
async fn seen_by_a_sweep(life: &mut Life) {
    let stranger = life.house.dialler.put(CAMPAIGN.0, &[("Name", "Other"), ("PhoneNumber1", "493077701")]);
    life.dies(&HARVEST, "inside_commit_sweep_store").await;
    life.runs(&HARVEST).await;
    assert!(life.house.dialler.portal().delete(stranger));
    life.dies(&HARVEST, "inside_commit_missing_enter").await;
    life.dies(&HARVEST, "inside_commit_missing_answered").await;
    let second = bearer(&life.house, 4);
    life.dies(&HARVEST, "inside_commit_doubles_lock").await;
    // Its record is shown to a person.
    life.house.run(&HARVEST).await.expect(3);
    life.runs(&PUSH).await;
    assert!(
        life.house.dialler.contact(second).expect("a contact").locked,
        "two callable contacts of one person"
    );
    assert!(life.house.dialler.portal().delete(second));
}

/// A person's word that was cut off was not said: it is said again.
async fn lifted(life: &mut Life) {
    life.dies(&["try", "--route", "leads", "7", "--send", "--reason", "asked"], "inside_commit_hints_add")
        .await;
    let number = life.house.number(5);
    let word = |verb| ["block", verb, "--number", &number, "--reason", "a mistake"].map(str::to_owned);
    let (add, remove) = (word("add"), word("remove"));
    let (add, remove) = (add.each_ref().map(String::as_str), remove.each_ref().map(String::as_str));
    life.runs(&add).await;
    assert!(life.house.locked(5));
    life.dies(&remove, "inside_commit_block_remove").await;
    life.runs(&PUSH).await;
    assert!(life.house.locked(5), "nobody was told that it is lifted");
    life.runs(&remove).await;
}
