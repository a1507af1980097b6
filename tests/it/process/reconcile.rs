//! `reconcile` as an administrator's script uses it.

use super::house::House;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_learns_by_the_status_whether_everything_agrees_and_repairs() {
    let house = House::new(5).await;
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.run(&["reconcile"]).await.expect(0).says("everything agrees");
    let refused = Action::Status { code: 401, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.dialler.faults().add(Rule::new(refused));
    let unread = house.run(&["reconcile"]).await.expect(1).says("nothing was compared");
    unread.says(&house.dialler_url).says("dialler.token_file");
    house.dialler.faults().clear();
    let contact = house.dialler.contacts_with("leads-2")[0].id;
    assert!(house.dialler.portal().edit(contact, "City", "Hof"));
    let found = house.run(&["reconcile", "--route", "leads", "--json"]).await.expect(3).json().remove(0);
    assert_eq!(found["drift"][0]["kind"], "contact_differs");
    assert_eq!(found["drift"][0]["count"], 1);
    house.run(&["reconcile"]).await.expect(3).says("-> --repair decides them anew");
    let mut daemon = house.daemon().await;
    house.run(&["reconcile", "--repair"]).await.expect(3).says("marked as due");
    assert_ne!(house.dialler.contacts_with("leads-2")[0].get("City"), "Hof");
    house.run(&["reconcile"]).await.expect(0).says("everything agrees");
    house.run(&["reconcile", "--route", "nowhere"]).await.expect(2);
    daemon.kill().await;
}
