//! Is a day's result all there once the day is over, and is it said when not?

use super::write_back::{KEYS, TOLD, activities, called, plan};
use crate::support::world::{CAMPAIGN, Setup, World, minutes, seconds};
use chrono::{NaiveDate, TimeDelta};
use dialbridge::domain::Timestamp;
use dialbridge::ledger::{Closing, DaySpan};
use dialbridge::runtime::Outcome;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::faults::{Action, Effect, Rule};

/// Nothing but the nightly pass finds what moves no field.
fn setup() -> Setup {
    let more = TOLD.replace("audit_active = \"1h\"", "audit_active = \"30d\"\naudit_rest = \"365d\"");
    // Where the list shows no results, the audit reads those called lately every hour.
    let dialler = DiallerConfig { result_in_list: true, ..DiallerConfig::default() };
    Setup { route_keys: KEYS, more: Box::leak(more.into_boxed_str()), dialler, ..Setup::default() }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// Until twenty past one in the morning of that day, in the dialler's zone.
async fn until_the_night_of(world: &World, day: &str) {
    let then = at(&format!("{day}T00:20:00Z"));
    world.advance((then - world.now()).to_std().expect("later")).await;
}

async fn close(world: &World) -> String {
    let ended = world.parts().closing.run_now("schedule").await;
    let Some(Outcome::Done { text, .. }) = ended else { panic!("{ended:?}") };
    world.idle().await;
    text
}

async fn closed(world: &World, day: &str) -> Option<Closing> {
    let day: NaiveDate = day.parse().expect("a day");
    // The dialler's zone is an hour ahead of UTC in March.
    let from = at(&format!("{day}T00:00:00Z")) - TimeDelta::hours(1);
    let span = DaySpan { day, from, until: from + TimeDelta::days(1) };
    let all = world.ledger().closings_of(span).await.expect("closings");
    all.into_iter().find(|closing| closing.campaign.0 == CAMPAIGN)
}

#[tokio::test(start_paused = true)]
async fn does_the_night_find_a_call_of_somebody_called_lately_that_moved_nothing() {
    let world = World::new(setup()).await;
    let ada = called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(20)).await;
    until_the_night_of(&world, "2026-03-03").await;
    assert_eq!(close(&world).await, "the days of 1 campaigns are closed");
    let first = closed(&world, "2026-03-02").await.expect("a close");
    assert!(first.closed_at.is_some() && (first.found, first.short_calls) == (0, 0), "{first:?}");
    assert_eq!(close(&world).await, "no day is to be closed");

    // Two days later she calls back; nothing in the list moves.
    until_the_night_of(&world, "2026-03-04").await;
    world.advance(minutes(600)).await;
    // The ladder of the first call ends meanwhile.
    world.live(minutes(20)).await;
    assert!(world.dialler.inbound_call(world.contact(ada).id, seconds(1)));
    world.live(minutes(60)).await;
    assert_eq!(activities(&world, ada).len(), 1, "nobody has seen it yet");
    until_the_night_of(&world, "2026-03-05").await;
    close(&world).await;
    let second = closed(&world, "2026-03-04").await.expect("a close");
    assert_eq!((second.contacts, second.found, second.short_calls), (1, 1, 0), "{second:?}");
    world.write_back().await.expect("a write-back");
    assert_eq!(activities(&world, ada).len(), 2, "and it is told");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_it_drift_when_the_dialler_counts_a_try_and_gives_out_no_call() {
    let world = World::new(setup()).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    let mut mute = plan(Some(("NO_INTEREST", seconds(1))));
    mute.row_delay = minutes(60 * 24 * 5);
    assert!(world.dialler.call(world.contact(ada).id, mute));
    world.live(minutes(30)).await;
    until_the_night_of(&world, "2026-03-03").await;
    close(&world).await;
    let day = closed(&world, "2026-03-02").await.expect("a close");
    assert_eq!((day.short_contacts, day.short_calls), (1, 1), "{day:?}\n{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_day_stay_open_until_everybody_could_be_read() {
    let world = World::new(setup()).await;
    called(&world, "Ada", "NO_INTEREST").await;
    world.live(minutes(20)).await;
    until_the_night_of(&world, "2026-03-03").await;
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::None)));
    assert!(close(&world).await.contains("those of 1 are not"));
    let day = closed(&world, "2026-03-02").await.expect("begun");
    assert_eq!(day.closed_at, None);
    world.dialler.faults().clear();
    world.advance(minutes(60)).await;
    assert_eq!(close(&world).await, "the days of 1 campaigns are closed");
    let day = closed(&world, "2026-03-02").await.expect("a close");
    assert!(day.closed_at.is_some() && day.late == 0, "{day:?}");
    world.ends().await;
}
