//! A no that was read and not yet acted upon when the program died.

use super::house::House;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_outlives_a_death_between_its_storing_and_its_block() {
    let house = House::new(2).await;
    let words = "opt_out_results = [\"DO_NOT_CALL\"]\n\n[route.leads.fields]";
    let config = house.config_text("").replacen("[route.leads.fields]", words, 1);
    std::fs::write(house.config(), config).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let contacts = house.contact_ids();
    let mut plan = CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", Duration::ZERO);
    (plan.ring, plan.talk, plan.row_delay) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    assert!(house.dialler.call(contacts[0], plan));
    assert!(house.crash(&["sync", "harvest"], "inside_commit_opt_outs_take").await, "the point was not met");
    // No side has to say it once more: the dialler shows nothing, and the CRM is down.
    let gone = || Rule::new(Action::Reset(Effect::None));
    house.crm.faults.add(gone());
    house.dialler.faults().add(gone().method(http::Method::GET));
    let ran = house.run(&["sync", "push"]).await;
    let locked = |id: i64| house.dialler.contact(id).expect("a contact").locked;
    assert_eq!((locked(contacts[0]), locked(contacts[1])), (true, false), "{}", ran.said());
}
