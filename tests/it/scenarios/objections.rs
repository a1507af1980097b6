//! Who said no, through whichever door and at whatever moment: what happens then, and when it ends?

use crate::support::world::{OTHER, Setup, World, key, minutes, seconds};
use chrono::TimeDelta;
use dialbridge::control::{Command, End, Parked};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{BlockSubject, RecordId, RouteName, Timestamp};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

/// A second route for somebody else's clients; the same records, another campaign.
const NEIGHBOUR: &str = r#"
[route.winback]
crm          = "sales"
campaign     = 551
client       = "neighbour"
only_if      = "phone and active"
beside       = "ignore"
[route.winback.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
"#;

fn block(world: &World, id: u64, client: &str, until: Option<Timestamp>) -> Command {
    Command::BlockAdd {
        client: client.to_owned(),
        subjects: vec![BlockSubject::Number(world.number(id))],
        reason: "said no".to_owned(),
        source: "operator".to_owned(),
        until,
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_block_with_an_end_hold_until_then_and_no_longer() {
    let world = World::usual().await;
    let (known, new) = (world.record("Ada"), world.record("Berta"));
    let until = Some(world.now() + TimeDelta::hours(2));
    assert_eq!(world.command(block(&world, new, "default", until)).await.0, End::Done);
    world.sync_all().await;
    assert_eq!(world.command(block(&world, known, "default", until)).await.0, End::Done);
    world.live(minutes(5)).await;
    assert!(world.locked(known));
    world.live(minutes(110)).await;
    assert!(world.locked(known) && world.contacts(new).is_empty(), "two minutes before its end");
    world.live(minutes(10)).await;
    assert!(!world.locked(known), "{}", world.story().await);
    assert!(!world.locked(new), "nothing in the CRM had to change for it");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_lifting_a_number_bring_in_who_was_never_there() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.block_number(&world.number(id)).await;
    world.live(minutes(2)).await;
    assert!(world.contacts(id).is_empty());
    let remove = Command::BlockRemove {
        client: "default".to_owned(),
        subject: BlockSubject::Number(world.number(id)),
        source: None,
        reason: "a mistake".to_owned(),
    };
    assert_eq!(world.command(remove).await.0, End::Done);
    world.live(minutes(2)).await;
    assert!(!world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_no_to_one_client_none_to_another() {
    let world = World::new(Setup { more: NEIGHBOUR, ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.sync_all().await;
    let locked = |route: &str, id: u64| world.dialler.contacts_with(&format!("{route}-{id}"))[0].locked;
    world.editor().edit(ada, json!({ "do_not_call": true }));
    assert_eq!(world.command(block(&world, berta, "neighbour", None)).await.0, End::Done);
    world.live(minutes(3)).await;
    assert_eq!([locked("leads", ada), locked("winback", ada)], [true, false]);
    assert_eq!([locked("leads", berta), locked("winback", berta)], [false, true]);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_somebody_locked_whose_record_was_put_aside() {
    for by_hand in [true, false] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        world.editor().edit(id, json!({ "city": { "no": "text" } }));
        world.sync_all().await;
        assert_eq!(world.parked().await.len(), 1, "{:?}", world.parked().await);
        let record = Parked::Record { route: RouteName::from("leads"), record: RecordId(id.to_string()) };
        let aside = Command::Discard { what: record, reason: "known".to_owned() };
        assert_eq!(world.command(aside).await.0, End::Done);
        world.advance(minutes(1)).await;
        if by_hand {
            world.block_number(&world.number(id)).await;
        } else {
            world.editor().edit(id, json!({ "do_not_call": true }));
        }
        world.live(minutes(2)).await;
        assert!(world.locked(id), "by hand {by_hand}: {}", world.story().await);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nobody_sent_by_hand_who_said_no() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let (field, number, archived, fine) =
        (world.record("Ada"), world.record("Berta"), world.record("Carl"), world.record("Dora"));
    world.editor().edit(field, json!({ "do_not_call": true }));
    world.block_number(&world.number(number)).await;
    world.editor().archive(archived, true);
    let send = |id: u64| Command::SendRecord {
        route: RouteName::from("leads"),
        record: RecordId(id.to_string()),
        reason: "asked for".to_owned(),
    };
    for id in [field, number, archived] {
        let (_, said) = world.command(send(id)).await;
        assert!(world.contacts(id).is_empty(), "{said}");
        assert!(said.contains("nothing is to be sent"), "{said}");
    }
    assert_eq!(world.command(send(fine)).await.0, End::Done);
    assert!(!world.locked(fine));
    // One that is there already is locked, in a dry route too, and not let go by sending it.
    world.editor().edit(fine, json!({ "do_not_call": true }));
    let _said = world.command(send(fine)).await;
    world.live(minutes(1)).await;
    assert!(world.locked(fine), "{}", world.story().await);
    assert_eq!(world.dialler.journal().count("import"), 1);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_lock_under_way_in_a_crash_go_out_again() {
    // Longer than everything below: only the second lock can be what locks.
    for wait in [minutes(30), seconds(3)] {
        let mut world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        world.advance(minutes(1)).await;
        let slow = Action::Latency { before: wait, after: minutes(1) };
        world.dialler.faults().add(Rule::new(slow).path("/lock").times(1));
        world.editor().edit(id, json!({ "do_not_call": true }));
        world.pull().await.expect("a pull");
        world.parts().control.runners.push.clone().expect("a push").activate("hand");
        world.advance(seconds(1)).await;
        assert!(!world.locked(id), "the test must be early");
        world.crash().await;
        world.live(minutes(2)).await;
        assert!(world.locked(id), "{}", world.story().await);
        assert_eq!(world.dialler.journal().count("lock"), 2);
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_wave_of_objections_held_by_nothing() {
    let world = World::usual().await;
    let ids: Vec<u64> = (0..400).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    world.advance(minutes(20)).await;
    world.switch(RouteState::Paused).await;
    for id in &ids[..380] {
        world.editor().edit(*id, json!({ "do_not_call": true }));
    }
    world.live(minutes(2)).await;
    let locked = ids.iter().filter(|id| world.locked(**id)).count();
    assert_eq!(locked, 380, "all of them within the next pull and a minute");
    assert!(!world.locked(ids[390]), "{}", key(ids[390]));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_wave_of_withdrawn_consent_locked_at_once_and_told_until_a_person_has_seen_it() {
    let route_keys = "only_if = \"phone and active and stage != 'over'\"\nblock_if = \"do_not_call\"";
    let mut world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids: Vec<u64> = (0..130).map(|n| world.record(&format!("Name {n}"))).collect();
    world.sync_all().await;
    let status = async |world: &World| {
        dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await.expect("a status")
    };
    let away = async |world: &World, ids: &[u64]| {
        let (edited, archived) = ids.split_at(ids.len() / 2);
        edited.iter().for_each(|id| world.editor().edit(*id, json!({ "stage": "over" })));
        archived.iter().for_each(|id| world.editor().archive(*id, true));
        world.live(minutes(4)).await;
        assert!(ids.iter().all(|id| world.locked(*id)), "{}", world.story().await);
        status(world).await
    };
    let told = away(&world, &ids[..10]).await;
    assert!(!told.contains("came out of reach"), "a few are no wave: {told}");
    let told = away(&world, &ids[10..60]).await;
    assert!(told.contains("60 contacts of route leads came out of reach within an hour"), "{told}");
    let (source, reason) = ("only_if:leads".to_owned(), "the campaign is over for them".to_owned());
    world.must(Command::BlocksSeen { source, reason }).await;
    assert!(!status(&world).await.contains("came out of reach"));
    // A condition that was narrowed is told as that, and not as a wave of edits.
    let route_keys =
        "only_if = \"phone and active and stage == 'vip' and stage != 'over'\"\nblock_if = \"do_not_call\"";
    world.configure(&Setup { route_keys, ..Setup::default() }).await;
    world.live(minutes(30)).await;
    let told = status(&world).await;
    assert!(told.contains("a change of scope") && !told.contains("came out of reach"), "{told}");
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_corrected_number_free_whoever_had_a_blocked_one() {
    let world = World::usual().await;
    let id = world.record("Ada");
    world.sync_all().await;
    // "You have the wrong number": blocked, and corrected in the CRM.
    world.block_number(&world.number(id)).await;
    world.live(minutes(2)).await;
    assert!(world.locked(id));
    world.editor().edit(id, json!({ "phone": "+49 30 23125 777" }));
    world.live(minutes(12)).await;
    assert_eq!(world.value(id, "PhoneNumber1"), json!("493023125777"), "{}", world.story().await);
    assert!(!world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
    // And back to the blocked one: never sent, locked.
    world.editor().edit(id, json!({ "phone": "+49 30 23125 001" }));
    world.live(minutes(2)).await;
    assert!(world.locked(id));
    assert_eq!(world.value(id, "PhoneNumber1"), json!("493023125777"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_number_stay_blocked_while_one_of_its_bearers_still_says_no() {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nunblock = \"source\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl"].map(|name| world.record(name)).into();
    let (ada, berta, carl) = (ids[0], ids[1], ids[2]);
    for id in &ids {
        world.editor().edit(*id, json!({ "phone": "+49 30 23125 500" }));
    }
    world.sync_all().await;
    for id in [ada, berta] {
        world.editor().edit(id, json!({ "do_not_call": true }));
    }
    world.live(minutes(3)).await;
    assert!(ids.iter().all(|id| world.locked(*id)), "the number is everybody's");
    world.editor().edit(ada, json!({ "do_not_call": false }));
    // Read again once, as a withdrawal must be; then nobody can be asked what they say now.
    let down = Rule::new(Action::Reset(Effect::None)).path("/by-ids").skip(1);
    let down = world.crm.faults.add(down);
    world.live(minutes(10)).await;
    assert!(world.crm.faults.fired(down) > 0, "the test must meet its fault");
    assert_eq!(world.dialler.journal().count("unlock"), 0, "not for a minute either");
    world.crm.faults.remove(down);
    world.live(minutes(10)).await;
    assert!(
        world.locked(ada) && world.locked(carl),
        "Berta said no with this very number: {}",
        world.story().await
    );
    assert_eq!(world.dialler.journal().count("unlock"), 0, "not for a minute either");
    world.editor().edit(berta, json!({ "do_not_call": false }));
    world.live(minutes(10)).await;
    assert!(ids.iter().all(|id| !world.locked(*id)), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_number_stay_blocked_for_a_bearer_who_was_never_in_the_dialler() {
    let route_keys = "only_if = \"phone and active\"\nblock_if = \"do_not_call\"\nunblock = \"source\"";
    let world = World::new(Setup { route_keys, ..Setup::default() }).await;
    let ada = world.record("Ada");
    world.editor().edit(ada, json!({ "phone": "+49 30 23125 500" }));
    world.sync_all().await;
    assert!(!world.locked(ada));
    // Berta says no before she was ever to be called.
    let berta = world.record("Berta");
    world.editor().edit(berta, json!({ "phone": "+49 30 23125 500", "do_not_call": true }));
    world.live(minutes(3)).await;
    assert!(world.locked(ada), "the number is hers too: {}", world.story().await);
    assert!(world.contacts(berta).is_empty());
    for said_no in [true, false] {
        world.editor().edit(ada, json!({ "do_not_call": said_no }));
        world.live(minutes(10)).await;
        assert!(world.locked(ada), "Berta still says no: {}", world.story().await);
    }
    assert_eq!(world.dialler.journal().count("unlock"), 0, "not for a minute either");
    world.editor().edit(berta, json!({ "do_not_call": false }));
    world.live(minutes(10)).await;
    assert!(!world.locked(ada) && !world.locked(berta), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_locked_that_was_moved_or_renamed_in_the_portal() {
    for moved in [true, false] {
        let world = World::usual().await;
        let id = world.record("Ada");
        world.sync_all().await;
        let contact = world.contact(id).id;
        if moved {
            assert!(world.dialler.portal().move_to(contact, OTHER));
        } else {
            assert!(world.dialler.portal().edit(contact, "UserData", "K-4711"));
        }
        world.live(minutes(30)).await;
        world.editor().edit(id, json!({ "do_not_call": true }));
        world.live(minutes(2)).await;
        assert!(
            world.dialler.contact(contact).expect("there").locked,
            "moved {moved}: {}",
            world.story().await
        );
        assert_eq!(world.dialler.journal().count("import"), 1, "moved {moved}");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nobody_made_anew_whose_last_result_was_final() {
    let route_keys = "only_if = \"phone and active\"\nvanished = \"import\"";
    for (batch_read, result) in [(true, "NO_INTEREST"), (false, "CALL_LATER")] {
        let dialler = DiallerConfig { batch_read, ..DiallerConfig::default() };
        let world = World::new(Setup { route_keys, dialler, ..Setup::default() }).await;
        let id = world.record("Ada");
        world.sync_all().await;
        let mut plan = CallPlan::new(Outcome::Answered).result(result, seconds(1));
        (plan.ring, plan.talk, plan.row_delay) = (seconds(1), seconds(1), seconds(1));
        assert!(world.dialler.call(world.contact(id).id, plan));
        world.live(minutes(20)).await;
        world.dialler.portal().delete(world.contact(id).id);
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(60)).await;
        assert!(world.contacts(id).is_empty(), "{result}: {}", world.story().await);
        let parked = world.parked().await;
        assert!(parked.iter().any(|item| item.contains("last result is final")), "{result}: {parked:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_lifting_a_number_take_back_what_another_source_or_record_said_of_it() {
    let world = World::usual().await;
    let (ada, bert) = (world.record("Ada"), world.record("Bert"));
    let number = world.number(ada);
    let phone = world.editor().field(ada, "phone").expect("a number");
    world.sync_all().await;
    world.editor().edit(bert, json!({ "phone": phone, "do_not_call": true }));
    world.live(minutes(1)).await;
    assert_eq!(world.command(block(&world, ada, "default", None)).await.0, End::Done);
    world.live(minutes(1)).await;
    assert!(world.locked(ada));
    let lift = async |subject: &BlockSubject, source: Option<&str>| {
        let (client, reason) = ("default".to_owned(), "asked to be called".to_owned());
        let (subject, source) = (subject.clone(), source.map(str::to_owned));
        world.command(Command::BlockRemove { client, subject, source, reason }).await
    };
    let of_number = BlockSubject::Number(number);
    let (end, said) = lift(&of_number, None).await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(
        said.contains("crm:leads (") && said.contains("operator (") && said.contains("--source"),
        "{said}"
    );
    let (end, said) = lift(&of_number, Some("operator")).await;
    assert_eq!(end, End::Done, "{said}");
    assert!(said.contains("crm:leads (") && said.contains("that stands"), "{said}");
    let (end, said) = lift(&of_number, None).await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(said.contains(&format!("says no for the records {bert} with this number")), "{said}");
    assert_eq!(lift(&of_number, Some("operator")).await.0, End::Failed, "there is no such block any more");
    world.live(minutes(3)).await;
    assert!(world.locked(ada), "{}", world.story().await);

    world.editor().edit(bert, json!({ "do_not_call": false }));
    world.live(minutes(3)).await;
    assert!(world.locked(ada), "only a person lifts it");
    let row = world.ledger().blocks_list(None, false, 100).await.expect("blocks");
    let of_record =
        row.into_iter().map(|row| row.subject).find(|subject| matches!(subject, BlockSubject::Record(_)));
    for subject in [of_record.expect("the record's"), of_number] {
        let (end, said) = lift(&subject, None).await;
        assert_eq!(end, End::Done, "{said}");
    }
    // His own number of before stays blocked: his contact is free once a list shows it with the other one.
    world.live(minutes(12)).await;
    assert!(!world.locked(ada) && !world.locked(bert), "{}", world.story().await);
    world.assert_at_rest().await;
}
