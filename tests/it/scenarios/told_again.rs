//! What does the CRM learn on purpose: of a word that changed, of calls from before the beginning, and of a day that it
//! refused?

use super::write_back::{KEYS, TOLD, activities, called, field, plan, setup, states, subjects, world};
use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, End, ResultsWord};
use dialbridge::domain::{RouteName, Timestamp};
use dialbridge::ledger::Again;

fn leads() -> RouteName {
    RouteName::from("leads")
}

fn remap(code: &str) -> Command {
    let word = ResultsWord::Remap { code: code.to_owned(), route: None };
    Command::Results { word, reason: String::new() }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn backfill(from: &str, until: &str) -> Command {
    let word = ResultsWord::Backfill { route: leads(), from: at(from), until: at(until) };
    Command::Results { word, reason: "sales asked".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn does_a_changed_word_reach_what_was_told() {
    let mut world = world("sim-id").await;
    let (ada, bert) =
        (called(&world, "Ada", "NO_INTEREST").await, called(&world, "Bert", "APPOINTMENT").await);
    world.live(minutes(10)).await;
    let more: &'static str = Box::leak(TOLD.replace("\"declined\"", "\"refused\"").into_boxed_str());
    world.configure(&Setup { more, ..setup("sim-id") }).await;
    world.live(minutes(10)).await;
    assert!(subjects(&world, ada)[0].ends_with(": declined"), "nothing is told again by itself");
    let before = world.crm_writes();
    let plan = world.ledger().results_remap_plan("NO_INTEREST".to_owned(), None).await.expect("a plan");
    assert_eq!((plan[&leads()].calls, plan[&leads()].records), (1, 1));
    let said = world.must(remap("NO_INTEREST")).await;
    assert!(said.contains("1 calls (0 of them held) and the fields of 1 records"), "{said}");
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, ada).len(), 1, "changed, not doubled");
    assert!(subjects(&world, ada)[0].ends_with(": refused"), "{:?}", subjects(&world, ada));
    assert_eq!(field(&world, ada, "last_outcome"), "refused");
    assert_eq!(field(&world, bert, "last_outcome"), "appointment");
    assert_eq!(world.crm_writes(), before + 2, "and nobody else is told anything");
    world.must(remap("NO_INTEREST")).await;
    world.live(minutes(5)).await;
    assert_eq!(world.crm_writes(), before + 2, "what says the same costs no request");
    let (end, said) = world.command(remap("NO_SUCH")).await;
    assert!(end == End::Failed && said.contains("results codes"), "{said}");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn are_calls_from_before_the_beginning_told_on_purpose_without_undoing_newer_values() {
    let mut world = World::usual().await;
    let id = called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(10)).await;
    world.configure(&setup("sim-id")).await;
    assert!(world.dialler.call(world.contact(id).id, plan(Some(("APPOINTMENT", seconds(1))))));
    world.live(minutes(10)).await;
    let (newer, last) = (field(&world, id, "last_outcome"), field(&world, id, "last_call"));
    assert_eq!((activities(&world, id).len(), newer.as_str()), (1, Some("appointment")));

    world.must(backfill("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, id).len(), 1, "not of that span");
    let said = world.must(backfill("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")).await;
    assert!(said.contains("1 earlier calls and the fields of 1 records"), "{said}");
    world.live(minutes(5)).await;
    let mut told = subjects(&world, id);
    told.sort();
    assert!(told[0].ends_with(": declined") && told[1].ends_with(": appointment"), "{told:?}");
    assert_eq!((field(&world, id, "last_outcome"), field(&world, id, "last_call")), (newer, last));
    assert_eq!(states(&world).await, []);
    world.must(backfill("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, id).len(), 2, "each once");
    world.assert_at_rest().await;
}

/// The calls of a day of March.
fn of_day(day: u32) -> Again {
    let midnight = |day: u32| at(&format!("2026-03-{day:02}T00:00:00Z"));
    Again::Calls { from: midnight(day), until: midnight(day + 1) }
}

#[tokio::test(start_paused = true)]
async fn are_the_calls_of_a_day_that_the_crm_refused_told_again_and_no_others() {
    let world = world("sim-id").await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    for id in [ada, bert] {
        world.editor().reject_writes(id, "the company is read-only");
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
        world.live(minutes(30)).await;
        world.editor().accept_writes(id);
        world.advance(minutes(60 * 24 - 30)).await;
    }
    assert_eq!(states(&world).await.len(), 4, "an activity and a record's fields of each");
    let planned = |again| {
        let plan = world.ledger().results_retry_plan(leads(), again);
        async move { plan.await.expect("a plan") }
    };
    let of_ada = planned(of_day(2)).await;
    assert_eq!((of_ada.calls, of_ada.records, of_ada.in_doubt), (1, 1, 0));
    assert_eq!(of_ada.reasons.values().sum::<i64>(), 2);
    assert_eq!(planned(Again::All).await.calls, 2);

    let retry = |again| {
        let word = ResultsWord::Retry { route: leads(), again };
        Command::Results { word, reason: "the company may be written to".to_owned() }
    };
    let (end, said) = world.command(retry(of_day(1))).await;
    assert!(end == End::Failed && said.contains("--missing"), "nobody was called that day: {said}");
    let said = world.must(retry(of_day(2))).await;
    assert!(said.contains("2 are told again"), "{said}");
    world.live(minutes(5)).await;
    assert_eq!((activities(&world, ada).len(), activities(&world, bert).len()), (1, 0));
    assert_eq!(field(&world, ada, "last_outcome"), "declined");
    world.must(retry(of_day(3))).await;
    world.live(minutes(5)).await;
    assert_eq!(activities(&world, bert).len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_flood_from_before_the_beginning_need_approval() {
    let mut world = World::usual().await;
    for n in 0..3 {
        called(&world, &format!("P {n}"), "NO_INTEREST").await;
    }
    world.live(minutes(10)).await;
    let keys: &'static str = Box::leak(format!("{KEYS}\nmax_write_back_per_run = 5").into_boxed_str());
    world.configure(&Setup { route_keys: keys, ..setup("sim-id") }).await;
    world.must(backfill("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")).await;
    world.live(minutes(5)).await;
    assert_eq!(world.crm_writes(), 0, "six rows, five allowed");
    let word = ResultsWord::Approve { route: leads() };
    world.must(Command::Results { word, reason: "meant".to_owned() }).await;
    world.live(minutes(5)).await;
    assert_eq!(world.crm.activities().len(), 3);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_the_fields_follow_a_result_that_comes_after_its_call_was_told_on_purpose() {
    let mut world = World::new(Setup { more: "", ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, plan(Some(("APPOINTMENT", minutes(180))))));
    world.live(minutes(10)).await;
    world.configure(&setup("sim-id")).await;
    world.live(minutes(5)).await;
    world.must(backfill("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")).await;
    world.live(minutes(5)).await;
    assert_eq!((activities(&world, id).len(), field(&world, id, "last_outcome").as_str()), (1, None));
    world.live(minutes(240)).await;
    assert!(subjects(&world, id)[0].ends_with(": appointment"), "{:?}", subjects(&world, id));
    assert_eq!(field(&world, id, "last_outcome"), "appointment", "{}", world.story().await);
    world.ends().await;
}
