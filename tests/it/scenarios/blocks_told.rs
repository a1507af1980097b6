//! Does the CRM learn of everybody who said no elsewhere, whoever heard it, and of nobody else?

use super::write_back::{self, field, plan, states};
use crate::support::world::{Setup, World, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::{Command, ResultsWord};
use dialbridge::domain::{BlockSubject, RecordId, RecordKey, RouteName};
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
    let lift = |subject, source| Command::BlockRemove {
        client: "default".to_owned(),
        subject,
        source: Some(source),
        reason: "asked to be called".to_owned(),
    };
    // By then the CRM says the same of both.
    let blocks = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    let said: BTreeSet<(BlockSubject, String)> =
        blocks.into_iter().map(|row| (row.subject, row.source)).collect();
    for (subject, source) in said {
        world.must(lift(subject, source)).await;
    }
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), false, "nothing is told of a block that is gone");
    block(&world, bert, None).await;
    world.live(minutes(2)).await;
    assert_eq!(field(&world, bert, "do_not_call"), true);
    assert_eq!(world.editor().blacklisted(), [world.number(bert)]);
    world.ends().await;
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

/// Nothing was ever sent of them: they were blocked, or left out, before.
#[tokio::test(start_paused = true)]
async fn is_a_no_told_of_a_record_that_never_came_to_the_dialler() {
    let told = "[route.leads.block_fields]\ndo_not_call = \"true\"\nno_to = \"source\"\n";
    let world = World::new(setup(told)).await;
    let [ada, bert, carl] = ["Ada", "Bert", "Carl"].map(|name| world.record(name));
    world.editor().archive(bert, true);
    world.editor().blacklist(&world.number(carl), true);
    block(&world, ada, None).await;
    world.live(minutes(5)).await;
    let said = || [ada, bert, carl].map(|id| field(&world, id, "do_not_call"));
    assert_eq!(said(), [json!(true), json!(false), json!(false)], "{}", world.story().await);
    assert_eq!(field(&world, ada, "no_to"), "operator");
    let subject = BlockSubject::Record(RecordKey {
        crm: "sales".to_owned(),
        object: "contacts".to_owned(),
        id: RecordId(bert.to_string()),
    });
    world.block(subject).await;
    world.live(minutes(5)).await;
    assert_eq!(
        said(),
        [json!(true), json!(true), json!(false)],
        "Carl's is the CRM's own: {}",
        world.story().await
    );
    let writes = world.crm_writes();
    world.live(minutes(20)).await;
    assert_eq!(world.crm_writes(), writes, "once");
    assert_eq!(world.dialler.journal().count("import"), 0);
    let asked = world.dialler.journal().count("by_user_data");
    assert!(asked <= 1, "the echo of a telling asks nobody: {}", world.story().await);
    // Lifted, she is a new record like any other.
    let number = BlockSubject::Number(world.number(ada));
    world
        .must(Command::BlockRemove {
            client: "default".to_owned(),
            subject: number,
            source: None,
            reason: "asked to be called".to_owned(),
        })
        .await;
    world.live(minutes(10)).await;
    assert!(world.contacts(ada).len() == 1 && !world.locked(ada), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_told_past_every_brake_and_past_what_its_record_waits_for() {
    let keys: &'static str =
        Box::leak(format!("{}\nmax_write_back_per_run = 5", write_back::KEYS).into_boxed_str());
    let more = format!("{}[route.leads.block_fields]\ndo_not_call = \"true\"\n", write_back::TOLD);
    let more = Box::leak(more.into_boxed_str());
    let world = World::new(Setup { route_keys: keys, more, ..write_back::setup("sim-id") }).await;
    let ids: Vec<u64> = (0..21).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.advance(minutes(5)).await;
    world.harvest().await.expect("a harvest");
    // Too many calls wait: not the no, though its record is among them.
    block(&world, ids[0], None).await;
    let _held = world.write_back().await;
    assert_eq!(field(&world, ids[0], "do_not_call"), true, "{}", world.story().await);
    assert_eq!((world.crm.activities().len(), world.crm_writes()), (0, 1), "and nothing else");
    // The CRM says no to most: not to this one.
    ids[..20].iter().for_each(|id| world.editor().reject_writes(*id, "a field is missing"));
    let approve = ResultsWord::Approve { route: RouteName::from("leads") };
    world.must(Command::Results { word: approve, reason: "meant".to_owned() }).await;
    let said = world.write_back().await.expect_err("most are rejected");
    assert!(said.contains("rejects most"), "{said}");
    block(&world, ids[20], None).await;
    let _braked = world.write_back().await;
    assert_eq!(field(&world, ids[20], "do_not_call"), true, "{}", world.story().await);
    let writes = world.crm_writes();
    let _braked = world.write_back().await;
    assert_eq!(world.crm_writes(), writes, "it is told once, and the brake holds the rest");
    world.ends().await;
}
