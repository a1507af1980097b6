//! What happens when a record is edited, and when it is not?

use crate::support::world::{Setup, World, minutes, seconds};
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::{Clearing, LongText, PhoneForm};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn does_a_new_record_arrive_and_a_second_run_write_nothing() {
    let world = World::usual().await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| world.record(name)).into();
    world.sync_all().await;
    for id in &ids {
        assert!(!world.locked(*id));
        assert_eq!(world.value(*id, "City"), json!("Ulm"));
    }
    assert_eq!(world.value(ids[0], "Name"), json!("Ada"));
    assert_eq!(world.value(ids[0], "PhoneNumber1"), json!(world.number(ids[0]).trim_start_matches('+')));
    world.assert_at_rest().await;
    world.advance(minutes(20)).await;
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_one_edit_cost_one_request_with_that_field_only() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.record("Berta");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    let mark = world.mark();
    world.sync_all().await;
    let writes = world.writes_since(mark);
    assert_eq!(world.writes(mark), ["update"]);
    let body = writes[0].json();
    let mut fields: Vec<&String> = body.as_object().expect("an object").keys().collect();
    fields.sort();
    assert_eq!(fields, ["City", "ID"], "{body}");
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    world.assert_at_rest().await;
}

/// Every edit of A-B-A meets the same fault on its way.
async fn a_b_a(fault: Option<Action>) {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let rule = fault.map(|action| world.dialler.faults().add(Rule::new(action).path("/update").times(3)));
    for city in ["B", "A", "B", "Ulm"] {
        world.advance(seconds(20)).await;
        world.editor().edit(id, json!({ "city": city }));
        world.try_all().await;
    }
    if let Some(rule) = rule {
        assert!(world.dialler.faults().fired(rule) > 0, "the test must meet its fault");
    }
    world.dialler.faults().clear();
    world.settle_down().await;
    assert_eq!(world.value(id, "City"), json!("Ulm"), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_field_that_goes_there_and_back_end_on_its_last_value() {
    a_b_a(None).await;
}

#[tokio::test(start_paused = true)]
async fn and_when_the_updates_break_off_after_their_effect() {
    a_b_a(Some(Action::Reset(Effect::Done))).await;
}

#[tokio::test(start_paused = true)]
async fn and_when_the_updates_break_off_before_their_effect() {
    a_b_a(Some(Action::Reset(Effect::None))).await;
}

#[tokio::test(start_paused = true)]
async fn and_when_the_updates_take_effect_behind_our_back() {
    a_b_a(Some(Action::Reset(Effect::Late(seconds(30))))).await;
}

#[tokio::test(start_paused = true)]
async fn and_when_the_updates_are_answered_by_500_or_a_foreign_page() {
    for effect in [Effect::None, Effect::Done] {
        let retry_after = dialbridge::sim::faults::RetryAfter::Absent;
        a_b_a(Some(Action::Status { code: 500, retry_after, effect })).await;
        a_b_a(Some(Action::Html(effect))).await;
    }
    a_b_a(Some(Action::Truncate { clean: true })).await;
}

#[tokio::test(start_paused = true)]
async fn does_a_server_that_cuts_and_normalises_values_come_to_rest() {
    for long_text in [LongText::Cut, LongText::Keep] {
        for phones in [PhoneForm::AsSent, PhoneForm::StripPlus] {
            let narrow = Some(("City", 20));
            let dialler = DiallerConfig { long_text, phones, narrow, ..DiallerConfig::default() };
            let world = World::new(Setup {
                dialler,
                dialler_keys: "release = \"3.39\"\nphone_format = \"e164\"",
                ..Setup::default()
            })
            .await;
            let id = world.record("Ada");
            world
                .editor()
                .edit(id, json!({ "city": "x".repeat(100), "zip": "12345678901234", "email": " a@b " }));
            world.sync_all().await;
            assert!(world.value(id, "City").as_str().expect("a text").chars().count() <= 64);
            world.assert_at_rest().await;
            // The fields beside those that were cut still travel.
            world.advance(minutes(1)).await;
            world.editor().edit(id, json!({ "name": "Ada B" }));
            let mark = world.mark();
            world.sync_all().await;
            assert_eq!(world.writes(mark), ["update"]);
            world.assert_at_rest().await;
            // What was answered otherwise is told once, and no longer when it is answered as sent.
            let cut = long_text == LongText::Cut;
            let told = world.told(id).await;
            let said = |what: &str| told.matches(what).count();
            let city = "keeps City otherwise than it was sent: 64 characters were sent, 20 answered (stands)";
            assert_eq!(said(city), usize::from(cut), "{told}");
            let phone = "keeps PhoneNumber1 otherwise than it was sent";
            assert_eq!(said(phone), usize::from(phones == PhoneForm::StripPlus), "{told}");
            assert_eq!(said("otherwise than it was sent"), said(city) + said(phone), "{told}");
            world.advance(minutes(1)).await;
            world.editor().edit(id, json!({ "city": "Ulm" }));
            world.sync_all().await;
            let told = world.told(id).await;
            assert_eq!(told.contains("20 answered (ended)"), cut, "{told}");
            world.ends().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_field_emptied_in_the_dialler_when_it_is_emptied_in_the_crm() {
    for clearing in [Clearing::Null, Clearing::EmptyText, Clearing::Both, Clearing::Neither] {
        let dialler = DiallerConfig { clearing, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        world.sync_all().await;
        for id in [ada, berta] {
            world.advance(minutes(1)).await;
            world.editor().edit(id, json!({ "city": false }));
            world.sync_all().await;
            world.sync_all().await;
            let city = world.value(id, "City");
            match clearing {
                Clearing::Neither => assert_eq!(city, json!("Ulm"), "it cannot be emptied"),
                Clearing::Null | Clearing::EmptyText | Clearing::Both => {
                    assert!(city.is_null() || city == json!(""), "{clearing:?}: {city}");
                }
            }
            world.assert_at_rest().await;
        }
        // The same record comes back to a value, and to none.
        for (city, wanted) in [(json!("Bonn"), json!("Bonn")), (Value::Bool(false), json!("Bonn"))] {
            world.advance(minutes(1)).await;
            world.editor().edit(ada, json!({ "city": city }));
            world.sync_all().await;
            if city.is_string() || clearing == Clearing::Neither {
                assert_eq!(world.value(ada, "City"), wanted, "{clearing:?}");
            } else {
                assert_ne!(world.value(ada, "City"), wanted, "{clearing:?}");
            }
            world.assert_at_rest().await;
        }
    }
}

const UPDATE_ONLY: &str = "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nRegion = \"stage\"\n\
                           ReservedUsersUID = \"comment\"";

#[tokio::test(start_paused = true)]
async fn does_a_field_that_only_updates_take_arrive_right_after_the_import() {
    let world = World::new(Setup { fields: UPDATE_ONLY, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "stage": "new", "comment": "agent3" }));
    let mark = world.mark();
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert_eq!(world.writes(mark), ["import", "update"]);
    assert_eq!(world.value(id, "Region"), json!("new"));
    assert_eq!(world.value(id, "ReservedUsersUID"), json!("agent3"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn and_when_the_program_dies_between_the_two() {
    let mut world = World::new(Setup { fields: UPDATE_ONLY, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "stage": "new" }));
    world.pull().await.expect("a pull");
    // The import is answered; the update never leaves the wire.
    let slow = Action::Latency { before: minutes(10), after: seconds(0) };
    world.dialler.faults().add(Rule::new(slow).path("/update").times(1));
    let push = world.parts().control.runners.push.clone().expect("a push");
    push.activate("hand");
    world.advance(seconds(5)).await;
    assert_eq!((world.value(id, "Name"), world.value(id, "Region")), (json!("Ada"), Value::Null));
    world.crash().await;
    world.settle_down().await;
    assert_eq!(world.value(id, "Region"), json!("new"));
    assert_eq!(world.dialler.journal().count("import"), 1);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_field_that_only_imports_take_left_alone_when_it_changes() {
    let world = World::new(Setup { fields: UPDATE_ONLY, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.editor().edit(id, json!({ "comment": "agent3" }));
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "comment": "agent4" }));
    world.assert_at_rest().await;
    assert_eq!(world.value(id, "ReservedUsersUID"), json!("agent3"));
    // Another field of the same record still travels.
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "name": "Ada B" }));
    world.sync_all().await;
    assert_eq!(world.value(id, "Name"), json!("Ada B"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_an_edit_without_a_difference_write_nothing() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    // The modification time moves, the content does not; neither does a field we do not read.
    world.editor().edit(id, json!({ "city": "Ulm" }));
    world.editor().edit(id, json!({ "street": "somewhere else" }));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_agents_edits_survive_our_updates() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.advance(minutes(1)).await;
    world.dialler.portal().edit(world.contact(id).id, "Comment", "prefers mornings");
    world.dialler.portal().edit(world.contact(id).id, "PostalCode", "99999");
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"));
    assert_eq!(world.value(id, "Comment"), json!("prefers mornings"));
    assert_eq!(world.value(id, "PostalCode"), json!("99999"), "only what changed in the CRM is sent");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn do_many_edits_in_a_row_go_out_as_one() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    let mark = world.mark();
    for n in 0..10 {
        world.advance(seconds(2)).await;
        world.editor().edit(id, json!({ "city": format!("City {n}"), "zip": format!("1000{n}") }));
        world.pull().await.expect("a pull");
    }
    world.push().await.expect("a push");
    assert_eq!(world.writes(mark), ["update"]);
    assert_eq!(world.value(id, "City"), json!("City 9"));
    world.assert_at_rest().await;
}
