//! What happens when much happens at once: to one contact, in one campaign, under one key?

use crate::support::world::{CAMPAIGN, OTHER, Setup, WINBACK, World, key, minutes, seconds};
use dialbridge::control::{Command, ContactAct, End};
use dialbridge::domain::policy::Job;
use dialbridge::domain::{ContactId, RouteName};
use dialbridge::ledger::{CallFilter, CallView};
use dialbridge::sim::dialler::{CallPlan, Outcome, SimCampaign};
use dialbridge::sim::faults::{Action, Effect, Rule};
use dialbridge::sim::journal::Asked;
use serde_json::json;

async fn calls(world: &World, user_data: &str) -> Vec<CallView> {
    let filter = CallFilter { user_data: Some(user_data.to_owned()), ..CallFilter::default() };
    world.ledger().calls_list(filter, 100).await.expect("calls")
}

fn short_call() -> CallPlan {
    let mut plan = CallPlan::new(Outcome::NoAnswer);
    (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(1), seconds(1));
    plan
}

/// Nothing was sent to one contact while something before it was still unanswered.
fn assert_one_after_the_other(writes: &[Asked]) {
    for pair in writes.windows(2) {
        let answered = pair[0].answered.as_ref().expect("an answer").at;
        assert!(answered <= pair[1].at, "{} and {} at once", pair[0].kind.name, pair[1].kind.name);
    }
}

#[tokio::test(start_paused = true)]
async fn is_one_thing_after_the_other_done_to_one_contact() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let mark = world.mark();
    for path in ["/update", "/unlock"] {
        let slow = Action::Latency { before: seconds(4), after: seconds(4) };
        world.dialler.faults().add(Rule::new(slow).path(path));
    }
    let push = world.parts().control.runners.push.clone().expect("a push");
    for round in 0..3 {
        world.advance(minutes(1)).await;
        world.editor().archive(id, true);
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, json!({ "city": format!("Town {round}"), "name": format!("Ada {round}") }));
        world.editor().archive(id, false);
        world.pull().await.expect("a pull");
        push.activate("hand");
        // Another edit while both are under way.
        world.advance(seconds(6)).await;
        world.editor().edit(id, json!({ "city": format!("Village {round}") }));
        world.pull().await.expect("a pull");
        world.live(minutes(2)).await;
        assert_eq!(world.value(id, "City"), json!(format!("Village {round}")));
        assert!(!world.locked(id), "{}", world.story().await);
    }
    let writes = world.writes_since(mark);
    assert!(writes.len() >= 12, "{:?}", world.writes(mark));
    assert_one_after_the_other(&writes);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_campaign_of_two_routes_read_once_and_each_call_told_to_its_record() {
    static SAME: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| WINBACK.replace("campaign     = 551", "campaign     = 538"));
    let world = World::new(Setup { more: SAME.as_str(), ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let [first, second] =
        ["leads", "winback"].map(|route| world.dialler.contacts_with(&format!("{route}-{id}"))[0].clone());
    assert_eq!([first.campaign, second.campaign], [CAMPAIGN, CAMPAIGN]);
    assert!(world.dialler.call(first.id, short_call()) && world.dialler.call(second.id, short_call()));
    world.live(minutes(20)).await;
    for (route, contact) in [("leads", first.id), ("winback", second.id)] {
        let known = calls(&world, &format!("{route}-{id}")).await;
        assert_eq!(
            known.iter().map(|call| call.contact).collect::<Vec<_>>(),
            [ContactId(contact)],
            "{route}"
        );
    }
    world.idle().await;
    let mark = world.mark();
    world.harvest().await.expect("a harvest");
    let asked = world.dialler.journal().requests_since(mark);
    let lists: Vec<_> = asked
        .iter()
        .filter(|asked| asked.kind.name == "list")
        .map(|asked| (&asked.path, &asked.query))
        .collect();
    assert_eq!(lists.len(), 1, "{lists:?}");
    let all = world.dialler.journal().requests();
    let merged = |asked: &&Asked| asked.path.contains("history") && asked.param("userData").is_some();
    assert_eq!(all.iter().filter(merged).count(), 0, "by UserData a server merges what is not one");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn do_calls_stay_with_their_record_when_its_contact_gets_another_number() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let old = world.contact(id).id;
    assert!(world.dialler.call(old, short_call()));
    world.live(minutes(20)).await;
    assert_eq!(calls(&world, &key(id)).await.len(), 1);
    world.dialler.portal().delete(old);
    let csv = format!("Name;FirstName;PhoneNumber1;UserData\nAda;A;493023125001;{}\n", key(id));
    world.dialler.portal().import_csv(CAMPAIGN, &csv, false);
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.live(minutes(10)).await;
    let new = world.contact(id).id;
    assert!(world.dialler.call(new, short_call()));
    world.live(minutes(20)).await;
    let mut contacts: Vec<i64> = calls(&world, &key(id)).await.iter().map(|call| call.contact.0).collect();
    contacts.sort_unstable();
    assert_eq!(contacts, [old, new]);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_import_that_met_a_contact_told_and_its_history_read() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    let slow = Action::Latency { before: seconds(20), after: seconds(0) };
    world.dialler.faults().add(Rule::new(slow).path("/import").times(1));
    world.parts().control.runners.push.clone().expect("a push").activate("hand");
    world.advance(seconds(2)).await;
    // Asked and not found; now somebody else makes it, and it is called, before the import takes effect.
    let user_data = key(id);
    let fields = [("Name", "Ada"), ("UserData", user_data.as_str()), ("PhoneNumber1", "493023125001")];
    let theirs = world.dialler.put(CAMPAIGN, &fields);
    assert!(world.dialler.call(theirs, short_call()));
    world.live(minutes(30)).await;
    assert_eq!(world.contact(id).id, theirs, "none was made beside it");
    let operations = world.ledger().operations_list(None, false, 100).await.expect("operations");
    let told = operations
        .iter()
        .filter_map(|row| row.outcome.as_ref())
        .any(|why| why.to_string().contains("was there before"));
    assert!(told, "{}", world.story().await);
    assert_eq!(calls(&world, &user_data).await.len(), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_an_index_of_keys_not_believed_when_it_is_old() {
    let world = World::usual().await;
    let first: Vec<u64> = (0..120).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    assert_eq!(world.dialler.len(), first.len());
    world.advance(minutes(16)).await;
    let id = world.record("Later");
    let user_data = key(id);
    let fields = [("Name", "Theirs"), ("UserData", user_data.as_str()), ("PhoneNumber1", "4930999")];
    let theirs = world.dialler.put(CAMPAIGN, &fields);
    world.sync_all().await;
    assert_eq!(world.dialler.journal().imports_of(&user_data).len(), 0, "{}", world.story().await);
    assert_eq!((world.contact(id).id, world.value(id, "Name")), (theirs, json!("Later")));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_campaign_whose_name_went_to_another_one_stop_its_route_alone() {
    static BY_NAME: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| WINBACK.replace("campaign     = 551", "campaign     = \"Winback\""));
    let world = World::new(Setup { more: BY_NAME.as_str(), ..Setup::default() }).await;
    world.dialler.add_campaign(SimCampaign::new(OTHER, "Winback"));
    let id = world.record("Ada");
    world.sync_all().await;
    let on_winback = |id: u64| world.dialler.contacts_with(&format!("winback-{id}"));
    assert_eq!(on_winback(id)[0].campaign, OTHER);
    // Next year's list gets the old name.
    world.dialler.add_campaign(SimCampaign::new(OTHER, "Winback 2025"));
    world.dialler.add_campaign(SimCampaign::new(600, "Winback"));
    world.try_all().await;
    let later = world.record("Berta");
    world.live(minutes(10)).await;
    assert!(on_winback(later).is_empty(), "neither into the old list nor into the new one");
    assert!(!world.locked(later), "the other route goes on");
    let row = world.ledger().route_show(RouteName::from("winback")).await.expect("a route").expect("known");
    let why = row.stopped.expect("it is stopped").to_string();
    assert!(why.contains("551") && why.contains("600"), "{why}");
    // A no is heard all the same.
    world.block_number(&world.number(id)).await;
    world.live(minutes(1)).await;
    assert!(on_winback(id)[0].locked);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_campaign_that_nobody_knows_stop_its_route_alone_and_park_nobody() {
    static UNKNOWN: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| WINBACK.replace("campaign     = 551", "campaign     = 777"));
    let world = World::new(Setup { more: UNKNOWN.as_str(), ..Setup::default() }).await;
    let id = world.record("Ada");
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    let said = world.harvest().await.expect_err("there is nothing to harvest there");
    assert!(said.contains("winback"), "{said}");
    assert!(!world.locked(id), "the other route goes on");
    let theirs = || world.dialler.contacts_with(&format!("winback-{id}"));
    assert!(theirs().is_empty());
    assert_eq!(world.parked().await, Vec::<String>::new());
    let stopped = || async {
        let row = world.ledger().route_show(RouteName::from("winback")).await.expect("a route");
        row.expect("known").stopped.map(|stop| stop.to_string())
    };
    let why = stopped().await.expect("it is stopped");
    assert!(why.contains("campaign") && why.contains("777"), "{why}");
    assert_eq!(world.stopped().await, None);
    // It is made in the portal: the route goes on by itself.
    world.dialler.add_campaign(SimCampaign::new(777, "Winback"));
    world.live(minutes(10)).await;
    assert_eq!(stopped().await, None);
    assert_eq!(theirs().len(), 1, "{}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_deletion_in_doubt_done_once_and_its_contact_not_made_again() {
    for (effect, sent) in [(Effect::Done, 1), (Effect::None, 2), (Effect::Late(seconds(40)), 1)] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = ContactId(world.contact(id).id);
        let rule = Rule::new(Action::Reset(effect)).method(http::Method::DELETE).times(1);
        world.dialler.faults().add(rule);
        let delete = Command::Contact { contact, act: ContactAct::Delete, reason: "asked".to_owned() };
        // It goes once its calls have come to rest; the request is in doubt then.
        let _waits = world.command(delete).await;
        world.live(minutes(45)).await;
        assert!(world.contacts(id).is_empty(), "{effect:?}: {}", world.story().await);
        assert_eq!(world.dialler.journal().count("delete"), sent, "{effect:?}");
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(30)).await;
        assert!(world.contacts(id).is_empty(), "{effect:?}: {}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_sync_of_one_route_run_that_route_alone() {
    let world = World::new(Setup { more: WINBACK, ..Setup::default() }).await;
    let id = world.record("Ada");
    let route = Some(RouteName::from("leads"));
    for job in [Job::Pull, Job::Push] {
        let (end, said) =
            world.command(Command::Sync { job: Some(job), route: route.clone(), full: false }).await;
        assert_eq!(end, End::Done, "{said}");
    }
    world.idle().await;
    assert!(!world.locked(id));
    assert!(world.dialler.contacts_with(&format!("winback-{id}")).is_empty());
    world.ends().await;
}
