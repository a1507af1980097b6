//! Does the CRM learn of everybody who said no elsewhere, whoever heard it, and of nobody else?

use super::write_back::{field, plan, states};
use crate::support::world::{Setup, World, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::Command;
use dialbridge::domain::BlockSubject;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const KEYS: &str = "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted\"\n\
                    opt_out_results = [\"DO_NOT_CALL\"]\nwrite_back = \"* * * * *\"";
/// No word for any result: whatever says `last_outcome` waits.
const CALLS: &str = "[route.leads.result_fields]\nlast_outcome = \"last_outcome\"\ncalls = \"calls\"\n\
                     [harvest]\naudit_active = \"1h\"\n";
const TOLD: &str = "[route.leads.block_fields]\nphone_blacklist = \"numbers\"\ndo_not_call = \"true\"\nno_to = \"source\"\n\
                    [route.leads.result_fields]\nlast_outcome = \"last_outcome\"\ncalls = \"calls\"\n\
                    [harvest]\naudit_active = \"1h\"\n";

fn setup(more: &'static str) -> Setup {
    Setup { connector: "sim-id", route_keys: KEYS, more, ..Setup::default() }
}

async fn block(world: &World, id: u64, until: Option<TimeDelta>) {
    world
        .must(Command::BlockAdd {
            client: "default".to_owned(),
            subjects: vec![BlockSubject::Number(world.number(id))],
            reason: "said no".to_owned(),
            source: "operator".to_owned(),
            until: until.map(|hours| world.now() + hours),
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn is_who_said_no_to_an_agent_or_an_operator_told_once_and_nobody_else() {
    let world = World::new(setup(TOLD)).await;
    let [ada, bert, carl, dora, emil] =
        ["Ada", "Bert", "Carl", "Dora", "Emil"].map(|name| world.record(name));
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(ada).id, plan(Some(("DO_NOT_CALL", seconds(1))))));
    assert!(world.dialler.call(world.contact(emil).id, plan(Some(("NO_INTEREST", seconds(1))))));
    block(&world, bert, None).await;
    block(&world, dora, Some(TimeDelta::hours(3))).await;
    world.editor().blacklist(&world.number(carl), true);
    world.live(minutes(10)).await;
    let said = [ada, bert, carl, dora, emil].map(|id| field(&world, id, "do_not_call"));
    let expected = [true, true, false, false, false].map(Value::from);
    assert_eq!(said, expected, "{}", world.story().await);
    assert_eq!([ada, bert].map(|id| field(&world, id, "no_to")), [json!("result:leads"), json!("operator")]);
    // Carl's is the CRM's own, the others are ours.
    let mut listed = [ada, bert, carl].map(|id| world.number(id));
    listed.sort();
    assert_eq!(world.editor().blacklisted(), listed);
    assert!([ada, bert, carl, dora].iter().all(|id| world.locked(*id)) && !world.locked(emil));
    // The no did not wait for the word that the call's fields wait for, and of no call nothing is said.
    assert_eq!([ada, bert].map(|id| field(&world, id, "calls")), [Value::Null, Value::Null]);
    let held = ("fields".to_owned(), "held".to_owned(), Some("unmapped_result".to_owned()));
    assert_eq!(states(&world).await, [held.clone(), held]);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_older_no_told_when_that_is_switched_on_and_a_second_one_again() {
    let mut world = World::new(setup(CALLS)).await;
    let bert = world.record("Bert");
    world.sync_all().await;
    block(&world, bert, None).await;
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), false);
    world.configure(&setup(TOLD)).await;
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), true, "{}", world.story().await);

    // Somebody takes it back on both sides; then it is said anew.
    world.editor().edit(bert, json!({ "do_not_call": false }));
    world.editor().blacklist(&world.number(bert), false);
    let lift = |subject| Command::BlockRemove {
        client: "default".to_owned(),
        subject,
        reason: "asked to be called".to_owned(),
    };
    // By then the CRM says the same of both.
    let blocks = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    let subjects: BTreeSet<BlockSubject> = blocks.into_iter().map(|row| row.subject).collect();
    for subject in subjects {
        world.must(lift(subject)).await;
    }
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), false, "nothing is told of a block that is gone");
    block(&world, bert, None).await;
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), true);
    assert_eq!(world.editor().blacklisted(), [world.number(bert)]);
}

#[tokio::test(start_paused = true)]
async fn is_a_record_told_that_comes_to_have_a_number_of_somebody_who_said_no() {
    let world = World::new(setup(TOLD)).await;
    let [ada, bert] = ["Ada", "Bert"].map(|name| world.record(name));
    world.sync_all().await;
    block(&world, ada, None).await;
    world.live(minutes(3)).await;
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.editor().edit(bert, json!({ "phone": phone }));
    world.live(minutes(5)).await;
    assert!(world.locked(bert));
    assert_eq!(field(&world, bert, "do_not_call"), true, "{}", world.story().await);
    world.assert_at_rest().await;
}
