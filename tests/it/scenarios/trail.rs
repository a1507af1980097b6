//! Is everything that dialbridge changes on either side in the ledger, with why and what was answered, for good?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, ResultsWord, WaveOrder};
use dialbridge::domain::{ContactId, RouteName, Take};
use dialbridge::ledger::Again;
use dialbridge::runtime::Outcome;
use dialbridge::sim::dialler::{CallPlan, Outcome as CallOutcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

const TOLD: &str = r#"
[route.leads.activity]
subject = "'Call ' ~ call ~ ': ' ~ outcome"
[route.leads.results]
NO_INTEREST = "declined"
CALL_LATER = "later"
[route.leads.result_fields]
last_outcome = "last_outcome"
"#;

async fn world() -> World {
    let keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"";
    World::new(Setup { route_keys: keys, more: TOLD, ..Setup::default() }).await
}

/// Rows of a statement, each as one line.
fn rows(world: &World, sql: &str) -> Vec<String> {
    let ledger = rusqlite::Connection::open(world.ledger().path()).expect("opens");
    let mut statement = ledger.prepare(sql).expect("a statement");
    let found = statement.query_map([], |row| row.get(0)).expect("rows");
    found.collect::<Result<_, _>>().expect("texts")
}

async fn act(world: &World, contact: i64, act: ContactAct) {
    let contact = ContactId(contact);
    let reason = "asked us".to_owned();
    // One whose answer is lost ends otherwise.
    let _how_it_ended = world.command(Command::Contact { contact, act, reason }).await;
}

/// A life in which everything happens that we can do to somebody; a reset and a delete whose answers are lost.
async fn life() -> World {
    let world = world().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    let contact = world.contact(id).id;
    let mut plan = CallPlan::new(CallOutcome::Answered).result("NO_INTEREST", seconds(1));
    plan.row_delay = seconds(1);
    assert!(world.dialler.call(contact, plan));
    world.advance(minutes(5)).await;
    world.harvest().await.expect("a harvest");
    world.write_back().await.expect("told");
    act(&world, contact, ContactAct::Lock).await;
    world.live(minutes(2)).await;
    act(&world, contact, ContactAct::Unlock).await;
    world.live(minutes(2)).await;
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/reset").times(1));
    act(&world, contact, ContactAct::Reset).await;
    world.live(minutes(10)).await;
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).method(http::Method::DELETE).times(1));
    act(&world, contact, ContactAct::Delete).await;
    world.live(minutes(120)).await;
    assert!(world.dialler.contact(contact).is_none(), "{}", world.story().await);
    world
}

#[tokio::test(start_paused = true)]
async fn is_every_change_on_either_side_in_it_with_its_cause_and_the_answer() {
    let world = life().await;
    let of = |what: &str| {
        rows(
            &world,
            &format!(
                "SELECT DISTINCT coalesce(operation_kind, field) || ' by ' || substr(cause, 1, instr(cause, ':') - 1)
                 FROM v_changes WHERE {what} AND cause <> 'gate' ORDER BY change"
            ),
        )
    };
    let dialler = of("changed_in = 'dialler' AND operation IS NOT NULL");
    for wanted in [
        "import by run",
        "update by run",
        "lock by block",
        "unlock by person",
        "reset by person",
        "delete by person",
    ] {
        assert!(dialler.iter().any(|row| row == wanted), "{wanted} is missing: {dialler:?}");
    }
    let crm = of("changed_in = 'crm'");
    for wanted in ["subject by run", "last_outcome by run"] {
        assert!(crm.iter().any(|row| row == wanted), "{wanted} is missing: {crm:?}");
    }
    let city = rows(
        &world,
        "SELECT before || ' -> ' || after FROM v_changes WHERE field = 'City' AND operation_kind = 'update'",
    );
    assert_eq!(city.len(), 1, "{city:?}");
    assert!(city[0].ends_with("-> \"Bonn\"") && !city[0].starts_with("null"), "{city:?}");
    let unanswered = rows(
        &world,
        "SELECT 'operation ' || c.operation_id FROM changes c WHERE c.operation_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM attempts a WHERE a.operation_id = c.operation_id)
         UNION SELECT 'write-back ' || c.write_back_id FROM changes c WHERE c.write_back_id IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM write_back_attempts a WHERE a.write_back_id = c.write_back_id AND a.outcome = 'done')",
    );
    assert_eq!(unanswered, Vec::<String>::new(), "what was answered is not in the ledger");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_a_field_of_the_crm_had_before_read_there_and_nobody_untold_where_it_cannot_be() {
    let world = world().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.editor().edit(id, json!({ "last_outcome": "by a clerk" }));
    world.live(minutes(10)).await;
    let contact = world.contact(id).id;
    let call = || {
        let mut plan = CallPlan::new(CallOutcome::Answered).result("NO_INTEREST", seconds(1));
        plan.row_delay = seconds(1);
        assert!(world.dialler.call(contact, plan));
    };
    call();
    world.live(minutes(10)).await;
    let told = || {
        let sql = "SELECT before || ', ' || before_from || ' -> ' || after FROM v_changes WHERE field = 'last_outcome' ORDER BY change";
        rows(&world, sql)
    };
    let first = "\"by a clerk\", a read of that side -> \"declined\"";
    assert_eq!(told(), [first], "{}", world.story().await);
    // A clerk writes over it, and the CRM does not answer when it is asked what is there.
    world.editor().edit(id, json!({ "last_outcome": "by a clerk again" }));
    let hangs = Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None };
    let asked = world.crm.faults.add(Rule::new(hangs).path("by-ids"));
    world.dialler.portal().correct_result(contact, world.dialler.history(contact)[0].id, "CALL_LATER");
    world.live(minutes(60)).await;
    assert!(world.crm.faults.fired(asked) > 0, "it was asked");
    assert_eq!(told().len(), 2, "{:?} {}", told(), world.story().await);
    assert_eq!(told()[1], "\"declined\", what both sides last agreed on -> \"later\"");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_whole_life_proven_after_its_values_were_erased_and_the_ledger_opened_again() {
    let mut world = life().await;
    let before = world.ledger().trail_verify().await.expect("a proof");
    assert!(before.broken.is_none() && before.rows > 10 && before.heads == 0, "{before:?}");
    let upkeep = world.parts().upkeep.clone();
    let Some(Outcome::Done { text, .. }) = upkeep.run_now("schedule").await else { panic!("it failed") };
    assert!(text.contains(&before.chain.clone().expect("an end")), "the end is told in the log: {text}");
    world.crash().await;
    world.advance(Duration::from_secs(401 * 86_400)).await;
    world.restart().await;
    let upkeep = world.parts().upkeep.clone();
    let Some(Outcome::Done { text, .. }) = upkeep.run_now("schedule").await else { panic!("it failed") };
    assert!(text.contains("the values of"), "{text}");
    let after = world.ledger().trail_verify().await.expect("a proof");
    assert_eq!((after.rows >= before.rows, after.heads, &after.broken), (true, 1, &None));
    assert!(after.erased > 5, "{after:?}");
    let left = rows(
        &world,
        "SELECT field FROM changes WHERE side = 'dialler' AND at < '2031' AND after IS NOT NULL",
    );
    assert_eq!(left, Vec::<String>::new());
    let kept = rows(&world, "SELECT after FROM changes WHERE side = 'crm' AND field = 'last_outcome'");
    assert_eq!(kept, ["\"declined\""], "what the CRM was last told is what a next change finds there");
    world.ends().await;
}

/// Everything that is forgotten by age is forgotten, and nobody is imported, unlocked or told again for it.
#[tokio::test(start_paused = true)]
async fn is_a_life_after_years_of_upkeep_as_callable_and_as_blocked_as_before() {
    let world = world().await;
    let (callable, blocked, called) = (world.record("Ada"), world.record("Berta"), world.record("Cilly"));
    world.sync_all().await;
    world.block_number(&world.number(blocked)).await;
    let mut plan = CallPlan::new(CallOutcome::Answered).result("NO_INTEREST", seconds(1));
    plan.row_delay = seconds(1);
    assert!(world.dialler.call(world.contact(called).id, plan));
    world.advance(minutes(5)).await;
    world.sync_all().await;
    world.write_back().await.expect("told");
    let activities = world.crm.activities();
    assert_eq!(activities.len(), 1, "{}", world.story().await);
    world.advance(Duration::from_secs(800 * 86_400)).await;
    world.sync_all().await;
    let runs = world.runs().await.len();
    let upkeep = world.parts().upkeep.clone();
    let Some(Outcome::Done { text, .. }) = upkeep.run_now("schedule").await else { panic!("it failed") };
    assert!(text.contains("old runs") && world.runs().await.len() < runs, "{text}");
    // The dialler names the old call again and again.
    world.advance(Duration::from_secs(8 * 86_400)).await;
    world.sync_all().await;
    world.assert_at_rest().await;
    world.write_back().await.expect("told");
    assert_eq!(world.crm.activities(), activities, "a call was told twice, or emptied");
    let known =
        rows(&world, "SELECT coalesce(number, 'none') || json_extract(row, '$.bOutbound') FROM calls");
    assert_eq!(known, ["none1"], "its number is erased, and does not come back");
    assert!(!world.locked(callable) && world.locked(blocked), "{}", world.story().await);
    let checked = world.ledger().check_all().await.expect("looked over");
    assert!(checked.iter().all(|checked| checked.wrong.is_empty()), "{checked:?}");
}

/// Whom a person has let go, what a person decided, and what followed by rule: the trail tells these apart on both sides.
#[tokio::test(start_paused = true)]
async fn does_each_change_name_its_rule_and_the_person_whose_word_it_was() {
    const MORE: &str = "[route.leads.two_way]\nCity = \"ask\"\n[route.leads.block_fields]\ndo_not_call = \"true\"\n\
                        [route.leads.status_fields]\nstanding = \"status\"\n";
    let more = Box::leak(format!("{MORE}{TOLD}").into_boxed_str());
    let keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"\nmax_new_per_run = 4";
    let world = World::new(Setup { route_keys: keys, more, ..Setup::default() }).await;
    let names = ["Ada", "Berta", "Cilly", "Dora", "Else"];
    let [ada, berta, cilly, dora, _] = names.map(|name| world.record(name));
    world.live(minutes(5)).await;
    // Five are more than four: a person lets them go.
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.len(), 1, "{}", world.story().await);
    let approve = Command::Wave { wave: waves[0].id, word: WaveOrder::Approve, reason: "meant".to_owned() };
    world.must(approve).await;
    world.live(minutes(5)).await;
    for (id, take) in [(ada, Take::Dialler), (berta, Take::Crm)] {
        assert!(world.dialler.portal().edit(world.contact(id).id, "City", "Bonn"));
        world.harvest().await.expect("a harvest");
        world.editor().edit(id, json!({ "city": "Kiel" }));
        world.live(minutes(20)).await;
        let conflicts = world.ledger().conflicts_list(None, 10).await.expect("conflicts");
        let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}\n{}", world.story().await) };
        world.must(Command::Conflict { conflict: conflict.conflict, take, reason: "asked".to_owned() }).await;
        world.live(minutes(5)).await;
    }
    world.block_number(&world.number(cilly)).await;
    world.editor().reject_writes(dora, "the company is read-only");
    for id in [berta, dora] {
        let mut plan = CallPlan::new(CallOutcome::Answered).result("NO_INTEREST", seconds(1));
        plan.row_delay = seconds(1);
        assert!(world.dialler.call(world.contact(id).id, plan));
    }
    world.live(minutes(20)).await;
    world.editor().accept_writes(dora);
    let retry = ResultsWord::Retry { route: RouteName::from("leads"), again: Again::All };
    world.must(Command::Results { word: retry, reason: "mended".to_owned() }).await;
    world.live(minutes(5)).await;
    let of = |id: u64, field: &str| {
        let sql = format!(
            "SELECT changed_in || ' by ' || rule || ', ' || coalesce(person, 'nobody') FROM v_changes
             WHERE record = '{id}' AND field = '{field}' AND after NOT IN ('\"absent\"', '\"Ulm\"') ORDER BY change DESC LIMIT 1"
        );
        rows(&world, &sql).pop()
    };
    for (id, field, told) in [
        (ada, "Email", "dialler by new_record, test"),
        (ada, "city", "crm by owners, test"),
        (berta, "City", "dialler by changed, test"),
        (cilly, "lock", "dialler by blocked, test"),
        (cilly, "do_not_call", "crm by block_fields, test"),
        (cilly, "standing", "crm by status_fields, nobody"),
        (berta, "subject", "crm by activity, nobody"),
        (berta, "last_outcome", "crm by result_fields, nobody"),
        (dora, "subject", "crm by activity, test"),
    ] {
        assert_eq!(of(id, field).as_deref(), Some(told), "{field}\n{}", world.story().await);
    }
    let story = world.told(ada).await;
    assert!(story.contains("(by test)"), "{story}");
    assert_eq!(rows(&world, "SELECT field FROM v_changes WHERE rule IS NULL"), Vec::<String>::new());
    assert!(world.ledger().trail_verify().await.expect("a proof").broken.is_none());
    world.ends().await;
}
