//! Does a list come to its end when its pages do not behave?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::domain::RouteName;
use dialbridge::domain::policy::PassReason;
use dialbridge::sim::crm::Settings as CrmSettings;
use dialbridge::sim::faults::{Action, Rule};
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn does_a_circle_of_pages_end_the_pull_and_move_no_cursor() {
    for connector in ["sim-next", "sim-link"] {
        let crm = CrmSettings { pages_in_a_circle: true, ..CrmSettings::default() };
        let world = World::new(Setup { connector, crm, ..Setup::default() }).await;
        world.editor().seed(450, 1);
        let stopped = world.pull().await.expect_err("it must end").to_string();
        assert!(stopped.contains("circle"), "{connector}: {stopped}");
        let pages = world.crm.journal.requests_where(|asked| asked.path.contains("/contacts/")).len();
        assert!(pages <= 8, "{connector}: {pages} requests");
        let row = world.ledger().route_show("leads".into()).await.expect("read").expect("known");
        assert_eq!(row.cursor, None, "nothing was passed that was not read");
        // Made good, everything comes.
        world.crm.set(|settings| settings.pages_in_a_circle = false);
        world.settle_down().await;
        assert_eq!(world.dialler.len(), 450, "{connector}");
        assert!(world.dialler.journal().creations().values().all(|times| *times == 1));
        world.assert_at_rest().await;
    }
}

/// So many records behind a proxy that takes the `Link` header off every page but the first so many.
async fn stripped(records: u64, passed: u64) -> World {
    let route_keys = "max_new_per_run = 5000";
    let world = World::new(Setup { connector: "sim-link", route_keys, ..Setup::default() }).await;
    world.editor().seed(records, 1);
    world.crm.faults.add(Rule::new(Action::WithoutHeader("link".to_owned())).path("headed").skip(passed));
    world
}

#[tokio::test(start_paused = true)]
async fn is_a_list_whose_link_header_was_taken_away_not_taken_for_its_end() {
    for passed in [0, 1] {
        let world = stripped(450, passed).await;
        let said = world.pull().await.expect_err("it is not believed").to_string();
        assert!(said.contains("Link header") && said.contains("proxy"), "{passed}: {said}");
        assert_eq!(world.cursor().await, None, "nothing was passed that was not read");
        // The proxy made good, everything comes.
        world.crm.faults.clear();
        world.settle_down().await;
        assert_eq!(world.dialler.len(), 450, "{passed}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_list_whose_last_page_is_exactly_full_come_to_its_end() {
    // With a Link header that names no next page; without any, where the list is one page.
    for (records, bare_last_page, pages) in [(200, false, 1), (400, false, 2), (200, true, 2), (350, true, 2)]
    {
        let crm = CrmSettings { bare_last_page, ..CrmSettings::default() };
        let route_keys = "max_new_per_run = 5000";
        let world = World::new(Setup { connector: "sim-link", crm, route_keys, ..Setup::default() }).await;
        world.editor().seed(records, 1);
        world.pull().await.expect("a pull");
        assert!(world.cursor().await.is_some());
        let asked = world.crm.journal.requests_where(|asked| asked.path.ends_with("/headed")).len();
        assert_eq!(asked, pages, "{records} {bare_last_page}");
        world.push().await.expect("a push");
        assert_eq!(world.dialler.len() as u64, records);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_small_list_behind_such_a_proxy_come_to_its_end() {
    let world = stripped(199, 0).await;
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 199);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_full_pass_come_to_its_end_whose_place_the_crm_has_forgotten() {
    let crm = CrmSettings { page_token_life: Some(seconds(300)), ..CrmSettings::default() };
    let setup =
        Setup { connector: "sim-cursor", crm, route_keys: "max_new_per_run = 5000", ..Setup::default() };
    let mut world = World::new(setup).await;
    world.editor().seed(1_400, 1);
    world.sync_all().await;
    assert_eq!(world.dialler.len(), 1_400);
    world.advance(minutes(10)).await;
    let slow =
        world.crm.faults.add(Rule::new(Action::Latency { before: seconds(25), after: Duration::ZERO }));
    let route = RouteName::from("leads");
    let revision = world.ledger().route_show(route.clone()).await.expect("read").and_then(|row| row.revision);
    let revision = revision.expect("a revision");
    world.ledger().pass_begin(route.clone(), revision, PassReason::ByHand).await.expect("begun");
    world.pull().await.expect("a pull");
    let open = world.ledger().pass_open(route.clone()).await.expect("read").expect("it goes on");
    assert!(open.token.is_some(), "its place is kept");
    // The program is down for longer than the CRM knows the place.
    world.advance(minutes(30)).await;
    world.restart().await;
    world.crm.faults.remove(slow);
    let late = world.editor().ids()[7];
    // A version that no pull from the cursor sees.
    let modified = world.editor().modified(late).expect("a record") + chrono::TimeDelta::seconds(1);
    world.editor().edit_as_of(late, json!({ "city": "Bonn" }), modified);
    world.live(minutes(10)).await;
    assert!(world.ledger().pass_open(route).await.expect("read").is_none(), "{}", world.story().await);
    assert_eq!(world.value(late, "City"), json!("Bonn"), "it began anew and missed nobody");
    assert!(world.stopped().await.is_none());
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_session_that_ends_in_the_middle_of_a_list_cost_a_login_and_nothing_else() {
    let crm = CrmSettings { access_life: seconds(30), ..CrmSettings::default() };
    let setup =
        Setup { connector: "sim-link", crm, route_keys: "max_new_per_run = 5000", ..Setup::default() };
    let world = World::new(setup).await;
    world.editor().seed(1_000, 1);
    world
        .crm
        .faults
        .add(Rule::new(Action::Latency { before: seconds(20), after: Duration::ZERO }).path("headed"));
    let pages = |world: &World| world.crm.journal.requests_where(|asked| asked.path.ends_with("/headed"));
    world.pull().await.expect("one pull");
    let refused = |asked: &&dialbridge::sim::journal::Asked| {
        asked.answered.as_ref().is_some_and(|answer| answer.status == Some(401))
    };
    let pages = pages(&world);
    assert_eq!(pages.len() - pages.iter().filter(refused).count(), 5, "no page was read twice");
    let logins = world.crm.journal.requests_where(|asked| asked.path == "/oauth/token").len();
    assert!((2..=8).contains(&logins), "{logins}");
    world.crm.faults.clear();
    world.push().await.expect("a push");
    assert_eq!(world.dialler.len(), 1_000);
    assert!(world.stopped().await.is_none());
    world.ends().await;
}
