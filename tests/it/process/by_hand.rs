//! A contact is locked by hand: by its number alone, while nobody answers for it.

use super::house::House;
use dialbridge::sim::faults::{Action, Effect, Rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialler_that_is_down_does_not_keep_the_lock_from_being_stored() {
    let house = House::new(2).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let contact = house.contact_ids()[0];
    let number = contact.to_string();
    let lock = ["contacts", "lock", &number, "--reason", "asked us"];
    house.dialler.faults().add(Rule::new(Action::Reset(Effect::None)));
    // It may have arrived or not: that is not "done", but the wish is stored.
    house.run(&lock).await.expect(1).says("cannot be read").says("uncertain");
    house.run(&["block", "list"]).await.expect(0).says(&format!("contact {contact}"));
    assert!(!house.dialler.contact(contact).expect("a contact").locked);
    house.dialler.faults().clear();
    house.run(&["contacts", "lock", "999999", "--reason", "x"]).await.expect(1).says("no contact 999999");
    // Its back-off is seconds; no other wish is needed.
    let locked = async {
        while !house.dialler.contact(contact).expect("a contact").locked {
            house.run(&["sync", "push"]).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), locked).await.expect("locked");
    house.run(&["contacts", "unlock", &number, "--reason", "asked us again"]).await.expect(0);
    assert!(!house.dialler.contact(contact).expect("a contact").locked);
    house.run(&["block", "list"]).await.expect(0);
}
