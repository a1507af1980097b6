//! A contact is deleted when its calls are known, and not before.

use super::house::house;
use dialbridge::domain::{ContactId, OperationKind};
use dialbridge::ledger::{Glimpse, Said};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

#[tokio::test(start_paused = true)]
async fn a_history_that_is_said_not_to_be_there_lets_nobody_be_deleted() {
    let house = house(DiallerConfig::default()).await;
    house.person("1", "Bonn").await;
    house.push_until_idle(5).await;
    let contact = ContactId(house.contact("1").id);
    let seen = Glimpse::none(contact);
    let said = Said { who: "test".to_owned(), text: "asked us".to_owned() };
    house.ctx.ledger.contact_act(seen, OperationKind::Delete, said).await.expect("queued");
    let hidden = Action::Status { code: 404, retry_after: RetryAfter::Absent, effect: Effect::None };
    let rule = house.sim.faults().add(Rule::new(hidden).path("history"));
    house.push().await;
    assert!(house.sim.faults().fired(rule) > 0, "the test must meet its fault");
    assert_eq!(house.contact("1").id, contact.0, "it is there, and nobody knows its calls");
    assert!(house.operations("1").await.contains(&"delete waiting".to_owned()));
}
