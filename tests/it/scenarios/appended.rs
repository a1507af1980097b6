//! A comment that both the CRM and agents write: is nothing of either lost? And a number that both may change.

use crate::support::world::{Setup, World, minutes};
use serde_json::{Value, json};

fn setup() -> Setup {
    Setup {
        route_keys: "only_if = \"phone and active\"\nwrite_back = \"* * * * *\"",
        fields: "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nComment = \"comment\"\nAmount = \"score\"",
        more: "[route.leads.owners]\nComment = \"append\"\n[route.leads.two_way]\nAmount = \"ask\"\n",
        ..Setup::default()
    }
}

fn says(world: &World, id: u64, comment: Value) {
    world.editor().edit(id, json!({ "comment": comment }));
}

fn agent(world: &World, id: u64, field: &str, value: Value) {
    assert!(world.dialler.portal().edit(world.contact(id).id, field, value));
}

#[tokio::test(start_paused = true)]
async fn does_the_crms_part_follow_the_crm_and_what_agents_wrote_stay_to_the_letter() {
    let world = World::new(setup()).await;
    let id = world.record("Ada");
    says(&world, id, json!("prefers mornings"));
    world.sync_all().await;
    assert_eq!(world.value(id, "Comment"), json!("[CRM] prefers mornings [/CRM]"));
    // No harvest runs between what the agent writes and the clerk's change.
    agent(&world, id, "Comment", json!("[CRM] prefers mornings [/CRM]\nrang twice"));
    world.advance(minutes(1)).await;
    says(&world, id, json!("prefers evenings"));
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert_eq!(world.value(id, "Comment"), json!("[CRM] prefers evenings [/CRM]\nrang twice"));
    world.settle_down().await;
    world.assert_at_rest().await;
    // Somebody takes the marks out: nothing is lost, and the next part goes above.
    agent(&world, id, "Comment", json!("prefers evenings, rang twice"));
    world.advance(minutes(1)).await;
    says(&world, id, json!("moved"));
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("[CRM] moved [/CRM]\nprefers evenings, rang twice"));
    says(&world, id, json!(false));
    world.settle_down().await;
    assert_eq!(world.value(id, "Comment"), json!("prefers evenings, rang twice"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_number_the_same_however_a_side_writes_it_and_told_as_a_number() {
    let world = World::new(setup()).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let mark = world.mark();
    let told = || world.crm.journal.requests().iter().filter(|asked| asked.kind.write).count();
    agent(&world, id, "Amount", json!("5.00"));
    world.editor().edit(id, json!({ "score": 5.0 }));
    world.live(minutes(20)).await;
    assert_eq!((told(), world.writes(mark)), (0, vec![]), "both say five\n{}", world.story().await);
    agent(&world, id, "Amount", json!("7.50"));
    world.live(minutes(20)).await;
    assert_eq!(world.editor().field(id, "score"), Some(json!(7.5)), "{}", world.story().await);
    assert_eq!((told(), world.writes(mark)), (1, vec![]), "once, and no echo");
    world.assert_at_rest().await;
}
