//! Does a stop stand until what it was for has ended, whatever else fails meanwhile?

use crate::support::world::{OTHER, Setup, WINBACK, World, minutes};
use dialbridge::control::{Command, RouteWord};
use dialbridge::domain::RouteName;
use dialbridge::sim::dialler::SimCampaign;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};

fn status(code: u16) -> Action {
    Action::Status { code, retry_after: RetryAfter::Absent, effect: Effect::None }
}

async fn stopped(world: &World, route: &str) -> Option<String> {
    let row = world.ledger().route_show(RouteName::from(route)).await.expect("a route").expect("known");
    row.stopped.map(|stop| stop.to_string())
}

/// The CRM's key runs out, and a new one is put in place.
async fn key_runs_out_and_is_renewed(world: &World) {
    let rule = world.crm.faults.add(Rule::new(status(401)).path("contacts"));
    world.pull().await.expect_err("a wrong key");
    assert!(world.crm.faults.fired(rule) > 0);
    world.crm.faults.remove(rule);
    world.advance(minutes(2)).await;
    world.pull().await.expect("a pull");
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_into_a_campaign_that_was_renamed_because_a_key_was_renewed() {
    static BY_NAME: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| WINBACK.replace("campaign     = 551", "campaign     = \"Winback\""));
    let world = World::new(Setup { more: BY_NAME.as_str(), ..Setup::default() }).await;
    world.dialler.add_campaign(SimCampaign::new(OTHER, "Winback"));
    world.record("Ada");
    world.sync_all().await;
    world.dialler.add_campaign(SimCampaign::new(OTHER, "Winback 2025"));
    world.dialler.add_campaign(SimCampaign::new(600, "Winback"));
    world.harvest().await.expect("a harvest");
    let why = stopped(&world, "winback").await.expect("it is stopped");
    key_runs_out_and_is_renewed(&world).await;
    assert_eq!(stopped(&world, "winback").await, Some(why));
    assert_eq!(stopped(&world, "leads").await, None, "the other route goes on by itself");
    let later = world.record("Berta");
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert!(world.dialler.contacts_with(&format!("winback-{later}")).is_empty());
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_person_end_the_stop_after_many_rejections_and_no_renewed_key() {
    let world = World::usual().await;
    for n in 0..60 {
        world.record(&format!("Name {n}"));
    }
    world.dialler.faults().add(Rule::new(status(400)).path("import"));
    world.pull().await.expect("a pull");
    world.push().await.expect_err("the route must stop");
    let why = world.stopped().await.expect("it is stopped");
    key_runs_out_and_is_renewed(&world).await;
    assert_eq!(world.stopped().await, Some(why), "{}", world.story().await);
    let mark = world.mark();
    world.live(minutes(10)).await;
    assert!(world.writes(mark).is_empty(), "{:?}", world.writes(mark));
    world.dialler.faults().clear();
    let word = RouteWord::On;
    world.must(Command::Route { route: "leads".into(), word, reason: "mended".to_owned() }).await;
    world.live(minutes(10)).await;
    assert_eq!(world.dialler.len(), 60);
    assert_eq!(world.stopped().await, None);
    world.ends().await;
}
