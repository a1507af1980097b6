//! What else does the CRM learn beside a call: who made it, what they wrote, when it goes on?

use super::write_back::{KEYS, activities, field, plan};
use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::sim::faults::{Action, Effect, Rule};

const ALL: &str = r#"
[route.leads.activity]
who  = "agent"
note = "note"
[route.leads.result_fields]
last_note = "last_note"
again     = "next_try"
who       = "last_agent"
[harvest]
audit_active = "1h"
"#;

async fn world(agents: &str) -> World {
    let keys: &'static str = Box::leak(format!("{KEYS}\n{agents}").into_boxed_str());
    World::new(Setup { route_keys: keys, more: ALL, ..Setup::default() }).await
}

/// Requests for the list of users.
fn asked(world: &World) -> usize {
    world.dialler.journal().requests().iter().filter(|asked| asked.path.ends_with("/users")).count()
}

#[tokio::test(start_paused = true)]
async fn is_an_agent_named_where_the_config_says_so_with_one_list_for_all() {
    let world = world("agents = true").await;
    let ids: Vec<u64> = (0..5).map(|n| world.record(&format!("P {n}"))).collect();
    world.sync_all().await;
    for id in &ids {
        assert!(world.dialler.call(world.contact(*id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    }
    world.live(minutes(10)).await;
    for id in &ids {
        assert_eq!(activities(&world, *id)[0].fields["who"], "Agent 3");
        assert_eq!(field(&world, *id, "who"), "Agent 3");
    }
    assert_eq!(asked(&world), 1, "one list for everybody");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_agent_stay_a_number_where_names_are_not_wanted_or_cannot_be_had() {
    for (agents, lists) in [("agents = false", 0), ("agents = true", 1)] {
        let world = world(agents).await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.dialler.faults().add(Rule::new(Action::Html(Effect::None)).path("/users"));
        assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
        world.live(minutes(10)).await;
        assert_eq!(activities(&world, id)[0].fields["who"], 3, "it is told all the same: {agents}");
        assert!(asked(&world) >= lists && asked(&world) <= 6 * lists, "{}", asked(&world));
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_the_crm_learn_what_an_agent_wrote_beside_the_call_and_when_it_goes_on() {
    let world = world("").await;
    let id = world.record("Ada");
    world.sync_all().await;
    let contact = world.contact(id).id;
    world.dialler.portal().edit(contact, "Comment", "from the list");
    assert!(world.dialler.call(contact, plan(Some(("NO_INTEREST", seconds(1))))));
    world.advance(seconds(40)).await;
    world.dialler.portal().edit(contact, "Comment", "from the list\nonly after six");
    world.live(minutes(30)).await;
    let told = activities(&world, id);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].fields["note"], "from the list\nonly after six", "{}", world.story().await);

    assert!(world.dialler.call(contact, plan(Some(("CALL_LATER", seconds(1))))));
    world.advance(seconds(40)).await;
    world.dialler.portal().edit(contact, "Comment", "from the list\nonly after six\nhas moved");
    world.live(minutes(30)).await;
    let notes: Vec<_> = activities(&world, id).into_iter().map(|told| told.fields["note"].clone()).collect();
    assert_eq!(notes, ["from the list\nonly after six", "has moved"], "each beside its call");
    assert_eq!(field(&world, id, "last_note"), "has moved");
    let again = field(&world, id, "again");
    assert!(again.as_str().is_some_and(|at| at.starts_with("2026-03-0")), "{again}");
    world.ends().await;
}
