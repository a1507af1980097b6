//! Does who was deleted in the CRM leave soon where the CRM lists that, and nobody by its word alone?

use crate::support::world::{CAMPAIGN, Setup, World, minutes, seconds};
use dialbridge::control::{Command, ContactAct, WaveOrder};
use dialbridge::domain::ContactId;
use dialbridge::domain::policy::WaveWhat;
use dialbridge::runtime::Outcome as Ended;
use dialbridge::sim::dialler::{CallPlan, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::time::Duration;

async fn world(connector: &'static str) -> World {
    World::new(Setup { connector, ..Setup::default() }).await
}

#[tokio::test(start_paused = true)]
async fn is_who_was_deleted_locked_soon_and_who_was_merged_or_is_back_not_lost() {
    let world = world("sim-next").await;
    let [ada, bert, carl, dora] = ["Ada", "Bert", "Carl", "Dora"].map(|name| world.record(name));
    world.sync_all().await;
    world.advance(minutes(30)).await;
    world.sync_all().await;
    world.editor().delete(ada);
    world.editor().merge(bert, carl);
    world.live(minutes(5)).await;
    assert!(!world.locked(ada), "the list alone is no proof");
    world.live(minutes(12)).await;
    let locked = [ada, bert, carl, dora].map(|id| world.locked(id));
    assert_eq!(locked, [true, true, false, false], "{}", world.story().await);
    let asked = || world.crm.journal.requests().iter().filter(|asked| asked.kind.name == "by_ids").count();
    // Whatever was still asked for.
    world.advance(minutes(15)).await;
    world.sync_all().await;
    let before = asked();
    for _ in 0..2 {
        world.advance(minutes(15)).await;
        world.sync_all().await;
    }
    assert_eq!(asked(), before, "who is gone is not asked for again");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_what_a_person_asked_for_a_contact_whose_record_is_gone_done_however_long_it_had_to_wait() {
    let world = world("sim-next").await;
    let (ada, _bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    world.advance(minutes(30)).await;
    world.sync_all().await;
    world.editor().delete(ada);
    world.live(minutes(40)).await;
    assert!(world.locked(ada), "{}", world.story().await);
    let contact = ContactId(world.contact(ada).id);
    let busy = Action::Status { code: 503, retry_after: RetryAfter::Seconds(20), effect: Effect::None };
    world.dialler.faults().add(Rule::new(busy).path("/reset"));
    let act = Command::Contact { contact, act: ContactAct::Reset, reason: "asked".to_owned() };
    let _fails = world.command(act).await;
    // What a person said is acted upon later than a quarter of an hour after it.
    world.live(minutes(12)).await;
    world.dialler.faults().clear();
    let mark = world.mark();
    world.live(minutes(70)).await;
    assert_eq!(world.writes(mark), ["reset", "lock"], "{}", world.told(ada).await);
    let asked = || world.crm.journal.requests_of("by_ids").len();
    let before = asked();
    world.live(minutes(10)).await;
    assert_eq!(asked(), before, "who is gone is not asked for again");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_mark_on_whom_a_record_left_sent_after_a_long_outage_though_the_record_can_be_read_no_more() {
    let keys = "only_if = \"phone and active\"\n[route.leads.leave]\ndeleted = [\"lock\", \"mark\"]\n\
                [route.leads.mark]\nTag = \"left\"";
    let world = World::new(Setup { connector: "sim-next", route_keys: keys, ..Setup::default() }).await;
    let (ada, _bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    world.advance(minutes(30)).await;
    world.sync_all().await;
    world.editor().delete(ada);
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)).path("/update"));
    world.live(minutes(100)).await;
    assert!(world.locked(ada), "{}", world.story().await);
    assert_eq!(world.value(ada, "Tag"), json!(null));
    world.dialler.faults().clear();
    world.live(minutes(70)).await;
    assert_eq!(world.value(ada, "Tag"), json!("left"), "{}", world.told(ada).await);
    world.assert_at_rest().await;
}

/// Years later: whoever comes with their number is new, unless they said no.
#[tokio::test(start_paused = true)]
async fn is_what_was_known_of_whom_both_sides_forgot_erased_and_who_said_no_not_called_for_it() {
    let keys = "only_if = \"phone and active\"\n[route.leads.leave]\ndeleted = \"delete\"";
    let world = World::new(Setup { connector: "sim-next", route_keys: keys, ..Setup::default() }).await;
    let [ada, bert, carl, _dora] = ["Ada", "Bert", "Carl", "Dora"].map(|name| world.record(name));
    let [hers, declined, objected] = [ada, bert, carl].map(|id| world.number(id));
    let others = world.dialler.put(CAMPAIGN, &[("Name", "Emil"), ("PhoneNumber1", "493023125777")]);
    world.sync_all().await;
    let mut plan = CallPlan::new(Outcome::Answered).result("NO_INTEREST", seconds(1));
    plan.row_delay = seconds(1);
    assert!(world.dialler.call(world.contact(bert).id, plan));
    world.block_number(&objected).await;
    world.live(minutes(30)).await;
    [ada, bert, carl].iter().for_each(|id| world.editor().delete(*id));
    assert!(world.dialler.portal().delete(others));
    world.live(minutes(180)).await;
    assert_eq!(world.dialler.len(), 1, "{}", world.story().await);
    world.advance(Duration::from_secs(401 * 86_400)).await;
    world.sync_all().await;
    let upkeep = world.parts().upkeep.clone();
    let Some(Ended::Done { text, .. }) = upkeep.run_now("schedule").await else { panic!("it failed") };
    assert!(text.contains("that are gone"), "{text}");

    let ledger = rusqlite::Connection::open(world.ledger().path()).expect("opens");
    let known = |number: &str| -> Vec<String> {
        let all = "SELECT 'contact' FROM contact_numbers WHERE number = ?1
                   UNION SELECT 'link' FROM link_numbers WHERE number = ?1
                   UNION SELECT 'sent' FROM sent_numbers WHERE number = ?1";
        let mut statement = ledger.prepare(all).expect("a statement");
        let found = statement.query_map([number], |row| row.get(0)).expect("rows");
        found.collect::<Result<_, _>>().expect("texts")
    };
    for number in [&hers, &objected, "+493023125777"] {
        assert_eq!(known(number), [""; 0], "{number}: {text}");
    }
    assert!(!known(&declined).is_empty(), "by it the last result is known");
    let wished: i64 = ledger
        .query_row("SELECT count(*) FROM links WHERE desired <> '{}' OR base <> '{}'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(wished, 1, "of who is there");

    let again = [&hers, &declined, &objected].map(|phone| {
        let fields = json!({ "name": "Again", "phone": phone, "email": "a@example.com", "city": "Ulm", "zip": "89073",
            "do_not_call": false });
        world.editor().create(fields)
    });
    world.live(minutes(20)).await;
    let imported = again.map(|id| world.contacts(id).len());
    assert_eq!(imported, [1, 0, 0], "{:?} {}", world.parked().await, world.story().await);
    world.assert_at_rest().await;
}

/// Thirty records, and the first 25 of them were just deleted.
async fn many_deleted() -> (World, Vec<u64>) {
    let world = world("sim-next").await;
    let ids: Vec<u64> = (0..30).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(30)).await;
    world.sync_all().await;
    for id in &ids[..25] {
        world.editor().delete(*id);
    }
    (world, ids)
}

#[tokio::test(start_paused = true)]
async fn do_many_deletions_at_once_wait_for_a_person_while_the_route_goes_on() {
    let (world, ids) = many_deleted().await;
    world.editor().edit(ids[29], json!({ "city": "Bonn" }));
    world.live(minutes(17)).await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(
        waves.iter().map(|wave| (wave.what, wave.waiting)).collect::<Vec<_>>(),
        [(WaveWhat::Missing, 25)]
    );
    assert!(ids.iter().all(|id| !world.locked(*id)), "{}", world.story().await);
    assert_eq!((world.stopped().await, world.value(ids[29], "City")), (None, json!("Bonn")));
    // Nobody is asked for while nothing changed and nobody has said anything.
    let asked = || world.crm.journal.requests().iter().filter(|asked| asked.kind.name == "by_ids").count();
    let before = asked();
    world.live(minutes(60)).await;
    assert_eq!(asked(), before, "{}", world.story().await);
    let word = WaveOrder::Approve;
    world.must(Command::Wave { wave: waves[0].id, word, reason: "cleared out".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(ids.iter().filter(|id| world.locked(**id)).count(), 25, "{}", world.story().await);
    world.ends().await;
}
