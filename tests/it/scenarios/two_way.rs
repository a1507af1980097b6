//! What becomes of a field that both sides may change: an agent's edit, a clerk's, both, and everything that can go wrong
//! between?

use super::write_back::plan;
use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::control::{Command, End, WaveOrder};
use dialbridge::domain::{LinkId, Take};
use dialbridge::ledger::Conflict;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule, RuleId};
use serde_json::{Value, json};

/// Both sides may change the city and the e-mail; the name is the CRM's alone.
fn setup(rule: &str) -> Setup {
    let two_way = format!("[route.leads.two_way]\nCity = \"{rule}\"\nEmail = \"{rule}\"\n");
    Setup {
        route_keys: "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nwrite_back = \"* * * * *\"",
        more: Box::leak(two_way.into_boxed_str()),
        ..Setup::default()
    }
}

async fn world(rule: &str) -> (World, u64) {
    let world = World::new(setup(rule)).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    (world, id)
}

fn agent(world: &World, id: u64, field: &str, value: impl Into<Value>) {
    assert!(world.dialler.portal().edit(world.contact(id).id, field, value));
}

fn clerk(world: &World, id: u64, fields: Value) {
    world.editor().edit(id, fields);
}

fn in_crm(world: &World, id: u64, name: &str) -> Value {
    world.editor().field(id, name).unwrap_or_default()
}

async fn conflicts(world: &World) -> Vec<Conflict> {
    world.ledger().conflicts_list(None, 100).await.expect("a list")
}

/// Nothing has changed, so neither side is written to, also not a little later.
async fn assert_silent(world: &World) {
    for _ in 0..2 {
        world.assert_at_rest().await;
        world.advance(minutes(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_an_agents_edit_reach_the_crm_once_and_cost_the_dialler_no_write() {
    for connector in ["sim-id", "sim-offset", "sim-page"] {
        let world = World::new(Setup { connector, ..setup("crm") }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let mark = world.mark();
        agent(&world, id, "City", "Bonn");
        world.live(minutes(20)).await;
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{connector}\n{}", world.story().await);
        assert_eq!((world.crm_writes(), world.writes(mark)), (1, vec![]), "once, and no echo: {connector}");
        let told = world.told(id).await;
        assert!(told.contains("in the CRM, city: \"Ulm\" -> \"Bonn\""), "{told}");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_edit_of_a_field_that_is_the_crms_alone_left_and_written_over_by_the_crms_next_change() {
    let (world, id) = world("ask").await;
    agent(&world, id, "PostalCode", "53111");
    world.live(minutes(20)).await;
    assert_eq!((in_crm(&world, id, "zip"), world.crm_writes()), (json!("89073"), 0));
    assert_eq!(world.value(id, "PostalCode"), json!("53111"));
    clerk(&world, id, json!({ "zip": "89077" }));
    world.live(minutes(2)).await;
    assert_eq!(world.value(id, "PostalCode"), json!("89077"));
    assert_silent(&world).await;
}

#[tokio::test(start_paused = true)]
async fn where_both_sides_changed_it_does_the_rule_say_whose_value_stands() {
    for first in ["agent", "clerk"] {
        for (rule, in_both) in [("crm", "Kiel"), ("dialler", "Bonn")] {
            let (world, id) = world(rule).await;
            // Whoever was first, neither a pull nor a sweep ran between the two.
            let (mark, before) = (world.mark(), world.crm_writes());
            if first == "agent" {
                agent(&world, id, "City", "Bonn");
                world.harvest().await.expect("a harvest");
                clerk(&world, id, json!({ "city": "Kiel" }));
            } else {
                clerk(&world, id, json!({ "city": "Kiel" }));
                agent(&world, id, "City", "Bonn");
                world.harvest().await.expect("a harvest");
            }
            world.live(minutes(20)).await;
            let what = format!("{first} first, {rule}\n{}", world.story().await);
            assert_eq!(in_crm(&world, id, "city"), json!(in_both), "{what}");
            assert_eq!(world.value(id, "City"), json!(in_both), "{what}");
            let writes = (world.crm_writes() - before, world.writes(mark).len());
            assert_eq!(writes, if rule == "crm" { (0, 1) } else { (1, 0) }, "one write: {what}");
            assert_eq!(conflicts(&world).await, []);
            if rule == "crm" {
                let told = world.told(id).await;
                assert!(told.contains("City: \"Bonn\" -> \"Kiel\""), "what was written over is kept: {told}");
            }
            assert_silent(&world).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_person_asked_with_the_three_values_and_is_the_word_carried_out() {
    for (take, in_both) in [(Take::Crm, "Kiel"), (Take::Dialler, "Bonn")] {
        let (world, id) = world("ask").await;
        agent(&world, id, "City", "Bonn");
        world.harvest().await.expect("a harvest");
        clerk(&world, id, json!({ "city": "Kiel", "email": "b@example.com" }));
        world.live(minutes(20)).await;
        assert_eq!((in_crm(&world, id, "city"), world.value(id, "City")), (json!("Kiel"), json!("Bonn")));
        assert_eq!(world.value(id, "Email"), json!("b@example.com"), "one field waits, the others go on");
        let waits = conflicts(&world).await;
        let [conflict] = waits.as_slice() else { panic!("{waits:#?}\n{}", world.story().await) };
        assert_eq!(
            (&conflict.agreed, &conflict.crm, &conflict.dialler),
            (&Some(json!("Ulm")), &Some(json!("Kiel")), &json!("Bonn"))
        );
        let told = world.told(id).await;
        assert!(told.contains("City WAITS FOR A PERSON"), "{told}");
        assert_silent(&world).await;
        let number = conflict.conflict;
        let word = Command::Conflict { conflict: number, take, reason: "asked him".to_owned() };
        world.must(word.clone()).await;
        world.live(minutes(3)).await;
        let what = format!("{take}\n{}", world.story().await);
        assert_eq!(in_crm(&world, id, "city"), json!(in_both), "{what}");
        assert_eq!(world.value(id, "City"), json!(in_both), "{what}");
        assert_eq!(conflicts(&world).await, []);
        let told = world.told(id).await;
        assert!(told.contains("STANDS: asked him (by test)"), "{told}");
        assert_eq!(world.command(word).await.0, End::Failed, "it is settled, and its number is nobody's");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_persons_word_hold_for_the_values_it_was_said_of_only() {
    let (world, id) = world("ask").await;
    agent(&world, id, "City", "Bonn");
    world.harvest().await.expect("a harvest");
    clerk(&world, id, json!({ "city": "Kiel" }));
    world.live(minutes(20)).await;
    let number = conflicts(&world).await[0].conflict;
    // The clerk is not done yet when the person says that the agent's value stands.
    clerk(&world, id, json!({ "city": "Husum" }));
    world
        .must(Command::Conflict { conflict: number, take: Take::Dialler, reason: "asked him".to_owned() })
        .await;
    world.live(minutes(3)).await;
    assert_eq!(
        in_crm(&world, id, "city"),
        json!("Husum"),
        "a newer value is not lost: {}",
        world.story().await
    );
    assert_eq!(conflicts(&world).await[0].crm, Some(json!("Husum")), "asked again");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn are_both_sides_at_rest_that_changed_a_field_alike() {
    for rule in ["crm", "dialler", "ask"] {
        let (world, id) = world(rule).await;
        agent(&world, id, "City", "Bonn");
        world.harvest().await.expect("a harvest");
        clerk(&world, id, json!({ "city": "Bonn" }));
        let (before, mark) = (world.crm_writes(), world.mark());
        world.live(minutes(20)).await;
        assert_eq!((world.crm_writes(), world.writes(mark)), (before, vec![]), "{rule}");
        // They agree on it: the next change of one side alone goes to the other.
        clerk(&world, id, json!({ "city": "Kiel" }));
        world.live(minutes(20)).await;
        assert_eq!(world.value(id, "City"), json!("Kiel"), "{rule}\n{}", world.story().await);
        assert_eq!(conflicts(&world).await, []);
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_edit_told_once_when_the_request_is_in_doubt_or_the_program_dies_in_it() {
    for effect in [Effect::None, Effect::Done, Effect::Late(seconds(30))] {
        let (world, id) = world("ask").await;
        let mark = world.mark();
        let rule = Rule::new(Action::Reset(effect)).method(http::Method::PATCH).times(1);
        let rule = world.crm.faults.add(rule);
        agent(&world, id, "City", "Bonn");
        world.live(minutes(30)).await;
        assert_eq!(world.crm.faults.fired(rule), 1, "the test must meet its fault");
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{effect:?}\n{}", world.story().await);
        assert_eq!((world.writes(mark), conflicts(&world).await), (vec![], vec![]), "{effect:?}");
        let trail = world.ledger().changes_list(LinkId(1), 50).await.expect("a trail");
        let told: Vec<_> = trail.iter().filter(|row| row.field == "city").collect();
        let (before, after) = (told[0].before.as_deref(), told[0].after.as_deref());
        assert!(told.len() == 1 && before.is_some() && after == Some("\"Bonn\""), "{effect:?}: {told:?}");
        assert_silent(&world).await;
    }
    for (before, after) in [(0, 20), (20, 0)] {
        let (mut world, id) = world("ask").await;
        let mark = world.mark();
        let slow = Action::Latency { before: seconds(before), after: seconds(after) };
        let rule = world.crm.faults.add(Rule::new(slow).method(http::Method::PATCH).times(1));
        agent(&world, id, "City", "Bonn");
        world.harvest().await.expect("a harvest");
        world.advance(seconds(5)).await;
        world.crash().await;
        assert_eq!(world.crm.faults.fired(rule), 1, "the test must meet its fault");
        world.live(minutes(30)).await;
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{before}\n{}", world.story().await);
        assert_eq!((world.writes(mark), conflicts(&world).await), (vec![], vec![]), "{before}");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_clerks_newer_value_kept_that_came_while_the_request_was_in_doubt() {
    let (world, id) = world("ask").await;
    world.crm.faults.add(Rule::new(Action::Reset(Effect::None)).method(http::Method::PATCH).times(1));
    agent(&world, id, "City", "Bonn");
    world.harvest().await.expect("a harvest");
    world.idle().await;
    clerk(&world, id, json!({ "city": "Kiel" }));
    world.live(minutes(20)).await;
    assert_eq!(in_crm(&world, id, "city"), json!("Kiel"), "{}", world.story().await);
    assert_eq!(conflicts(&world).await.len(), 1, "both sides changed it");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_edit_that_the_crm_rejects_wait_for_a_person_and_the_record_go_on() {
    let (world, id) = world("crm").await;
    world.editor().reject_writes(id, "that is no city");
    agent(&world, id, "City", "Bonn");
    world.live(minutes(30)).await;
    let waits = conflicts(&world).await;
    let [conflict] = waits.as_slice() else { panic!("{waits:#?}\n{}", world.story().await) };
    assert_eq!(conflict.state, "refused");
    assert!(conflict.reason.as_ref().is_some_and(|reason| reason.to_string().contains("that is no city")));
    let tried = world.crm_writes();
    world.live(minutes(30)).await;
    assert_eq!(world.crm_writes(), tried, "it is not tried again by itself");
    world.editor().accept_writes(id);
    let word =
        Command::Conflict { conflict: conflict.conflict, take: Take::Dialler, reason: "mended".to_owned() };
    world.must(word).await;
    world.live(minutes(3)).await;
    assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{}", world.story().await);
    assert_silent(&world).await;
}

#[tokio::test(start_paused = true)]
async fn does_only_what_the_crm_rejects_by_itself_wait_for_a_person() {
    let more = format!("{}\n[route.leads.result_fields]\ncalls = \"calls\"\n", setup("crm").more);
    let world = World::new(Setup { more: Box::leak(more.into_boxed_str()), ..setup("crm") }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    world.editor().reject_field(id, "email", "that is no address");
    agent(&world, id, "City", "Bonn");
    agent(&world, id, "Email", "ada at home");
    world.live(minutes(30)).await;
    let waits: Vec<_> = conflicts(&world).await.into_iter().map(|one| (one.field, one.state)).collect();
    assert_eq!(waits.len(), 1, "{waits:?}\n{}", world.story().await);
    assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "the other edit is told");
    assert_eq!(in_crm(&world, id, "calls"), json!(1), "and so is what follows from the call");
    let tried = world.crm_writes();
    // Now it is the call's own field that is not taken: no agent's edit is blamed for it.
    world.editor().accept_writes(id);
    world.editor().reject_field(id, "calls", "not a number");
    assert!(world.dialler.call(world.contact(id).id, plan(Some(("NO_INTEREST", seconds(1))))));
    agent(&world, id, "City", "Kiel");
    world.live(minutes(30)).await;
    assert_eq!(in_crm(&world, id, "city"), json!("Kiel"), "{}", world.story().await);
    assert_eq!(conflicts(&world).await.len(), 1);
    assert!(world.crm_writes() <= tried + 3, "together, the edit alone, the rest alone");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_read_before_an_update_where_the_route_asks_for_it() {
    for (key, rule, city) in [
        ("read_before_update = true\n", "dialler", "Bonn"),
        ("read_before_update = true\n", "crm", "Kiel"),
        ("", "dialler", "Kiel"),
    ] {
        let keys = format!("{key}{}", setup(rule).route_keys);
        let world = World::new(Setup { route_keys: Box::leak(keys.into_boxed_str()), ..setup(rule) }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        // No sweep has seen the agent's edit when the clerk's arrives.
        agent(&world, id, "City", "Bonn");
        clerk(&world, id, json!({ "city": "Kiel", "email": "b@example.com" }));
        let mark = world.mark();
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        let what = format!("{key}{rule}\n{}", world.story().await);
        assert_eq!(world.value(id, "City"), json!(city), "{what}");
        assert_eq!(world.value(id, "Email"), json!("b@example.com"), "{what}");
        assert_eq!(world.writes(mark), ["update"], "{what}");
        world.live(minutes(20)).await;
        assert_eq!(in_crm(&world, id, "city"), json!(city), "{what}");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_number_that_an_agent_corrects_arrive_as_the_crm_writes_numbers() {
    let more = "[route.leads.two_way]\nPhoneNumber1 = \"crm\"\n";
    let world = World::new(Setup { more, ..setup("crm") }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    let mark = world.mark();
    agent(&world, id, "PhoneNumber1", "493023125999");
    world.live(minutes(20)).await;
    assert_eq!(in_crm(&world, id, "phone"), json!("+493023125999"), "{}", world.story().await);
    assert_eq!(world.writes(mark), Vec::<&str>::new());
    // The only number is not taken away unasked.
    agent(&world, id, "PhoneNumber1", Value::Null);
    world.live(minutes(20)).await;
    assert_eq!(in_crm(&world, id, "phone"), json!("+493023125999"));
    assert_eq!(conflicts(&world).await.len(), 1);
    assert_silent(&world).await;
}

#[tokio::test(start_paused = true)]
async fn does_a_conflict_end_by_itself_when_somebody_makes_both_sides_alike() {
    for by in ["clerk", "agent"] {
        let (world, id) = world("ask").await;
        agent(&world, id, "City", "Bonn");
        world.harvest().await.expect("a harvest");
        clerk(&world, id, json!({ "city": "Kiel" }));
        world.live(minutes(20)).await;
        assert_eq!(conflicts(&world).await.len(), 1);
        let (before, mark) = (world.crm_writes(), world.mark());
        let city = if by == "clerk" { "Bonn" } else { "Kiel" };
        if by == "clerk" {
            clerk(&world, id, json!({ "city": city }));
        } else {
            agent(&world, id, "City", city);
        }
        world.live(minutes(20)).await;
        assert_eq!(conflicts(&world).await, [], "{by}");
        assert_eq!((in_crm(&world, id, "city"), world.value(id, "City")), (json!(city), json!(city)), "{by}");
        assert_eq!((world.crm_writes(), world.writes(mark)), (before, vec![]), "nobody had to be told: {by}");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_page_that_was_read_before_our_own_write_bring_the_old_value_back() {
    let (world, id) = world("crm").await;
    clerk(&world, id, json!({ "email": "b@example.com" }));
    let slow = Action::Latency { before: seconds(0), after: seconds(20) };
    let rule = world.crm.faults.add(Rule::new(slow).method(http::Method::GET).times(1));
    let mark = world.mark();
    agent(&world, id, "City", "Bonn");
    let between = async {
        world.advance(seconds(1)).await;
        world.harvest().await.expect("a harvest");
        world.advance(seconds(5)).await;
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "told while the page is on its way");
    };
    let (pulled, ()) = tokio::join!(world.pull(), between);
    pulled.expect("a pull");
    assert_eq!(world.crm.faults.fired(rule), 1, "the test must meet its fault");
    world.live(minutes(20)).await;
    assert_eq!(world.value(id, "Email"), json!("b@example.com"), "{}", world.story().await);
    assert_eq!((in_crm(&world, id, "city"), world.value(id, "City")), (json!("Bonn"), json!("Bonn")));
    assert_eq!(world.writes(mark), ["update"], "of the e-mail alone: {}", world.story().await);
    assert_silent(&world).await;
}

#[tokio::test(start_paused = true)]
async fn is_an_agents_edit_merged_that_is_found_where_an_update_was_in_doubt() {
    for (rule, city) in [("dialler", "Bonn"), ("crm", "Kiel")] {
        let (world, id) = world(rule).await;
        let fault = Rule::new(Action::Reset(Effect::None)).path("/update").times(1);
        let fault = world.dialler.faults().add(fault);
        clerk(&world, id, json!({ "city": "Kiel" }));
        world.pull().await.expect("a pull");
        let _in_doubt = world.push().await;
        agent(&world, id, "City", "Bonn");
        assert_eq!(world.dialler.faults().fired(fault), 1, "the test must meet its fault");
        world.live(minutes(30)).await;
        let what = format!("{rule}\n{}", world.story().await);
        assert_eq!(
            (in_crm(&world, id, "city"), world.value(id, "City")),
            (json!(city), json!(city)),
            "{what}"
        );
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_comment_the_agents_after_the_import_unless_the_route_says_otherwise() {
    for (owners, comment) in
        [("", "prefers mornings"), ("[route.leads.owners]\nComment = \"crm\"\n", "from the CRM")]
    {
        let fields =
            "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nComment = \"street\"\nCity = \"city\"";
        let world = World::new(Setup { fields, more: owners, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        assert_eq!(world.value(id, "Comment"), json!("Hafengasse 1"), "the import brings it");
        agent(&world, id, "Comment", "prefers mornings");
        world.advance(minutes(1)).await;
        clerk(&world, id, json!({ "street": "from the CRM", "city": "Bonn" }));
        world.live(minutes(20)).await;
        assert_eq!(world.value(id, "Comment"), json!(comment), "{owners}{}", world.story().await);
        assert_eq!(world.value(id, "City"), json!("Bonn"), "everything else travels");
        let told = world.told(id).await;
        let noted = told.contains("Comment changed in the CRM; it is the dialler's after the import");
        assert_eq!(noted, owners.is_empty(), "{told}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_an_edit_told_later_whose_record_was_not_named_or_could_not_be_mapped_right_before() {
    for unmapped in [false, true] {
        let (world, id) = world("ask").await;
        agent(&world, id, "City", "Bonn");
        let fault = world.crm.faults.add(Rule::new(Action::EmptyList).path("by-ids").times(1));
        if unmapped {
            world.crm.faults.clear();
            clerk(&world, id, json!({ "city": { "name": "Ulm" } }));
        }
        world.harvest().await.expect("a harvest");
        world.live(minutes(5)).await;
        assert_eq!(world.crm_writes(), 0, "{}", world.story().await);
        if unmapped {
            clerk(&world, id, json!({ "city": "Ulm" }));
        } else {
            assert_eq!(world.crm.faults.fired(fault), 1, "the test must meet its fault");
        }
        world.live(minutes(90)).await;
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{unmapped}: {}", world.story().await);
        assert_eq!((world.crm_writes(), conflicts(&world).await), (1, vec![]), "{unmapped}");
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_rejected_edit_stay_known_and_untold_while_a_later_result_is_told() {
    let more = format!("{}\n[route.leads.result_fields]\ncalls = \"calls\"\n", setup("ask").more);
    let keys = format!("{}\nmax_write_back_per_run = 1", setup("ask").route_keys);
    let (more, route_keys) = (Box::leak(more.into_boxed_str()), Box::leak(keys.into_boxed_str()));
    let world = World::new(Setup { more, route_keys, ..setup("ask") }).await;
    let ids = ["Ada", "Berta"].map(|name| world.record(name));
    world.sync_all().await;
    for id in ids {
        agent(&world, id, "City", "Bonn");
    }
    world.live(minutes(10)).await;
    let waves = world.ledger().waves_list(None, false).await.expect("waves");
    assert_eq!(waves.iter().map(|wave| wave.waiting).collect::<Vec<_>>(), [2], "{}", world.story().await);
    let reject = Command::Wave { wave: waves[0].id, word: WaveOrder::Reject, reason: "not these".to_owned() };
    world.must(reject).await;
    let told = world.told(ids[0]).await;
    assert!(told.contains("City is NOT TOLD to the CRM"), "{told}");
    assert!(world.dialler.call(world.contact(ids[0]).id, plan(Some(("NO_INTEREST", seconds(1))))));
    world.live(minutes(30)).await;
    let crm = ["calls", "city"].map(|name| in_crm(&world, ids[0], name));
    assert_eq!(crm, [json!(1), json!("Ulm")], "the result is told: {}", world.story().await);
    assert_eq!(world.value(ids[0], "City"), json!("Bonn"), "and the agent's value stays where it is");
    let left = conflicts(&world).await;
    assert_eq!(left.len(), 2, "known, and a person may still let it go: {left:#?}");
    let first = left.iter().find(|left| left.record == ids[0].to_string()).expect("the first one's");
    let word =
        Command::Conflict { conflict: first.conflict, take: Take::Dialler, reason: "after all".to_owned() };
    world.must(word).await;
    world.live(minutes(5)).await;
    let crm = ids.map(|id| in_crm(&world, id, "city"));
    assert_eq!(crm, [json!("Bonn"), json!("Ulm")], "{}", world.story().await);
    world.ends().await;
}

/// A CRM that reads and takes no changes.
fn takes_nothing(world: &World) -> RuleId {
    let down = Action::Status { code: 503, retry_after: RetryAfter::Seconds(60), effect: Effect::None };
    world.crm.faults.add(Rule::new(down).method(http::Method::PATCH))
}

/// Only the agent changed the field: no rule for those that both sides changed has a say.
#[tokio::test(start_paused = true)]
async fn does_what_an_agent_edited_outlive_a_contact_that_the_routes_rule_deleted() {
    for rule in ["crm", "ask"] {
        let more = format!("{}[route.leads.leave]\narchived = \"delete\"\n", setup(rule).more);
        let world = World::new(Setup { more: Box::leak(more.into_boxed_str()), ..setup(rule) }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        let fault = takes_nothing(&world);
        agent(&world, id, "City", "Bonn");
        world.live(minutes(5)).await;
        let before = world.contact(id).id;
        world.editor().archive(id, true);
        world.live(minutes(60)).await;
        assert_eq!(world.contacts(id).len(), 0, "{}", world.story().await);
        world.editor().archive(id, false);
        world.live(minutes(10)).await;
        assert_ne!(world.contact(id).id, before, "imported anew: {}", world.story().await);
        assert!(world.crm.faults.fired(fault) > 0, "the test must meet its fault");
        world.crm.faults.clear();
        world.live(minutes(300)).await;
        let both = (in_crm(&world, id, "city"), world.value(id, "City"));
        assert_eq!(both, (json!("Bonn"), json!("Bonn")), "{rule}: {}", world.story().await);
        assert_eq!(conflicts(&world).await, []);
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_what_an_agent_edited_outlive_its_contact_when_the_record_is_imported_anew() {
    let keys = format!("{}\nvanished = \"import\"", setup("ask").route_keys);
    for conflict in [false, true] {
        let world =
            World::new(Setup { route_keys: Box::leak(keys.clone().into_boxed_str()), ..setup("ask") }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        let fault = takes_nothing(&world);
        agent(&world, id, "City", "Bonn");
        world.harvest().await.expect("a harvest");
        if conflict {
            clerk(&world, id, json!({ "city": "Kiel" }));
        }
        world.live(minutes(5)).await;
        let before = world.contact(id).id;
        assert!(world.dialler.portal().delete(before));
        world.live(minutes(90)).await;
        assert_ne!(world.contact(id).id, before, "imported anew: {}", world.story().await);
        if conflict {
            let waits = conflicts(&world).await;
            let [conflict] = waits.as_slice() else { panic!("{waits:#?}\n{}", world.story().await) };
            let word = Command::Conflict {
                conflict: conflict.conflict,
                take: Take::Dialler,
                reason: "asked him".to_owned(),
            };
            world.must(word).await;
        } else {
            assert!(world.crm.faults.fired(fault) > 0, "the test must meet its fault");
        }
        world.crm.faults.clear();
        // As long as the telling waits that was refused last.
        world.live(minutes(300)).await;
        let both = (in_crm(&world, id, "city"), world.value(id, "City"));
        assert_eq!(both, (json!("Bonn"), json!("Bonn")), "{conflict}: {}", world.story().await);
        assert_eq!(conflicts(&world).await, []);
        assert_silent(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_the_trail_know_of_an_edit_in_doubt_though_a_no_was_told_before_it_was_settled() {
    let told = "\n[route.leads.block_fields]\ndo_not_call = \"true\"\n";
    let more: &'static str = Box::leak(format!("{}{told}", setup("crm").more).into_boxed_str());
    let world = World::new(Setup { more, ..setup("crm") }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    let lost =
        Rule::new(Action::Reset(Effect::Done)).path(&format!("/contacts/{id}")).method(http::Method::PATCH);
    world.crm.faults.add(lost.times(1));
    agent(&world, id, "City", "Bonn");
    world.harvest().await.expect("a harvest");
    let _lost = world.write_back().await;
    assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "it arrived");
    world.block_number(&world.number(id)).await;
    world.live(minutes(20)).await;
    assert_eq!(in_crm(&world, id, "do_not_call"), json!(true), "{}", world.story().await);
    let told = world.told(id).await;
    assert!(told.contains("in the CRM, city: \"Ulm\" -> \"Bonn\""), "{told}");
    world.ends().await;
}

/// Emptying is a change like any other: what an update of another field is answered with says nothing of it.
#[tokio::test(start_paused = true)]
async fn is_a_person_asked_where_a_clerk_empties_what_an_agent_changed_and_another_field_goes_on() {
    for read_first in [false, true] {
        let keys = format!("{}\nread_before_update = {read_first}", setup("ask").route_keys);
        let world = World::new(Setup { route_keys: keys.leak(), ..setup("ask") }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        agent(&world, id, "City", "Bonn");
        if !read_first {
            world.harvest().await.expect("a harvest");
        }
        clerk(&world, id, json!({ "city": "", "email": "b@example.com" }));
        world.live(minutes(30)).await;
        assert_eq!(world.value(id, "Email"), json!("b@example.com"));
        assert_eq!(
            (in_crm(&world, id, "city"), world.value(id, "City")),
            (json!(""), json!("Bonn")),
            "{}",
            world.story().await
        );
        let waits = conflicts(&world).await;
        let [conflict] = waits.as_slice() else { panic!("{waits:#?}\n{}", world.story().await) };
        assert_eq!((&conflict.agreed, &conflict.dialler), (&Some(json!("Ulm")), &json!("Bonn")));
        world
            .must(Command::Conflict {
                conflict: conflict.conflict,
                take: Take::Dialler,
                reason: "asked".to_owned(),
            })
            .await;
        world.live(minutes(20)).await;
        assert_eq!(in_crm(&world, id, "city"), json!("Bonn"), "{}", world.story().await);
        world.ends().await;
    }
}
