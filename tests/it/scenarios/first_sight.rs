//! What happens when the dialler has a contact already?

use crate::support::world::{CAMPAIGN, LEADS, OTHER, Setup, WINBACK, World, key, minutes};
use chrono::TimeDelta;
use dialbridge::control::Command;
use dialbridge::domain::BlockSubject;
use dialbridge::domain::policy::Job;
use dialbridge::sim::dialler::DiallerConfig;
use dialbridge::sim::dialler::config::{UserDataMatch, UserDataScope};
use dialbridge::sim::faults::{Action, Effect, Rule};
use serde_json::json;

const MATCHES: [UserDataMatch; 4] = [
    UserDataMatch::Exact,
    UserDataMatch::CaseInsensitive,
    UserDataMatch::CaseInsensitiveTrimmed,
    UserDataMatch::Like,
];

/// Worlds with every way of matching UserData, with and without the batch read.
async fn all_worlds(setup: Setup) -> Vec<World> {
    let mut worlds = Vec::new();
    for userdata_match in MATCHES {
        for userdata_scope in [UserDataScope::Campaign, UserDataScope::Tenant] {
            let batch_read = worlds.len() % 2 == 0;
            let dialler =
                DiallerConfig { userdata_match, userdata_scope, batch_read, ..setup.dialler.clone() };
            worlds.push(World::new(Setup { dialler, ..setup.clone() }).await);
        }
    }
    worlds
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_with_our_key_adopted_and_never_imported_over() {
    for world in all_worlds(Setup::default()).await {
        let id = world.record("Ada");
        let ours = world.dialler.put(
            CAMPAIGN,
            &[("Name", "Somebody"), ("UserData", &key(id)), ("PhoneNumber1", "4930999"), ("Comment", "keep")],
        );
        world.sync_all().await;
        assert_eq!(world.dialler.journal().count("import"), 0);
        let contact = world.contact(id);
        assert_eq!((contact.id, contact.get("Name")), (ours, json!("Ada")));
        assert_eq!(contact.get("Comment"), json!("keep"));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_nobody_imported_twice_whom_a_batch_leaves_out() {
    let dialler = DiallerConfig { batch_shows: Some(2), ..DiallerConfig::default() };
    let world = World::new(Setup { dialler, ..Setup::default() }).await;
    let ids: Vec<u64> = ["Ada", "Berta", "Carl", "Dora"].map(|name| world.record(name)).to_vec();
    for id in &ids {
        let fields = [("Name", "Somebody"), ("UserData", &key(*id)), ("PhoneNumber1", "4930999")];
        world.dialler.put(CAMPAIGN, &fields);
    }
    world.sync_all().await;
    assert_eq!(world.dialler.journal().count("import"), 0, "{}", world.story().await);
    assert_eq!(world.dialler.len(), 4);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_adoption_keep_the_diallers_values_where_the_route_says_so() {
    let world = World::new(Setup {
        route_keys: "only_if = \"phone and active\"\nadopt_conflict = \"keep_dialler\"",
        ..Setup::default()
    })
    .await;
    let id = world.record("Ada");
    world.dialler.put(CAMPAIGN, &[("Name", "Somebody"), ("UserData", &key(id)), ("PhoneNumber1", "4930999")]);
    world.assert_at_rest().await;
    assert_eq!(world.value(id, "Name"), json!("Somebody"));
    world.advance(minutes(1)).await;
    world.editor().edit(id, json!({ "city": "Bonn" }));
    world.sync_all().await;
    assert_eq!(world.value(id, "City"), json!("Bonn"), "a change after that travels");
    assert_eq!(world.value(id, "Name"), json!("Somebody"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_key_found_in_another_campaign_parked() {
    for world in all_worlds(Setup::default()).await {
        let (id, other) = (world.record("Ada"), world.record("Berta"));
        let elsewhere = world
            .dialler
            .put(OTHER, &[("Name", "Somebody"), ("UserData", &key(id)), ("PhoneNumber1", "4930999")]);
        world.sync_all().await;
        assert_eq!(world.dialler.journal().imports_of(&key(id)).len(), 0);
        assert_eq!(world.contact(id).id, elsewhere);
        assert_eq!(world.value(id, "Name"), json!("Somebody"));
        assert_eq!(world.value(other, "Name"), json!("Berta"), "the others go on");
        let parked = world.parked().await;
        assert!(parked.len() == 1 && parked[0].contains("stands in campaign"), "{parked:?}");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_key_that_is_equal_only_when_folded_left_to_its_owner() {
    for world in all_worlds(Setup::default()).await {
        let id = world.record("Ada");
        let others = world
            .dialler
            .put(CAMPAIGN, &[("Name", "Somebody"), ("UserData", "LEADS-1"), ("PhoneNumber1", "4930999")]);
        world.sync_all().await;
        let contact = world.dialler.contact(others).expect("still there");
        assert_eq!((contact.get("Name"), contact.locked), (json!("Somebody"), false));
        // A server that tells the two apart does not show it: then there is nobody to be confused with.
        let server_folds = world.dialler.read(|state| state.config.userdata_match != UserDataMatch::Exact);
        if server_folds {
            assert_eq!(world.contacts(id).len(), 0);
            assert_eq!(world.parked().await.len(), 1);
        }
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_contact_known_as_older_than_ours_though_nobody_has_called_it() {
    let world = World::usual().await;
    for n in 0..250 {
        world.record(&format!("Name {n}"));
    }
    world.sync_all().await;
    let mark = world.mark();
    // Somebody makes it by a list, in the minutes in which the list of all is still believed, and we one more with a greater number.
    let berta = format!("leads-{}", 252);
    let by_a_list =
        world.dialler.put(CAMPAIGN, &[("Name", "B"), ("UserData", &berta), ("PhoneNumber1", "4930999")]);
    let brought = async |name| {
        let id = world.record(name);
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        id
    };
    let (cleo, id) = (brought("Cleo").await, brought("Berta").await);
    assert!(world.contact(cleo).id > by_a_list);
    assert_eq!(world.contact(id).id, by_a_list, "{}", world.story().await);
    assert_eq!(world.writes(mark), ["import", "import"], "it was met by an import");
    let met = world.ledger().overwritten_counts(TimeDelta::days(1)).await.expect("counts");
    assert_eq!(met.len(), 1, "it is told: {}", world.story().await);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_has_the_key_but_for_its_case_locked_where_the_record_says_no() {
    for word in ["do_not_call", "not eligible", "callable"] {
        let dialler =
            DiallerConfig { userdata_match: UserDataMatch::CaseInsensitive, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let id = world.record("Ada");
        match word {
            "do_not_call" => world.editor().edit(id, json!({ "do_not_call": true, "phone": "" })),
            "not eligible" => world.editor().edit(id, json!({ "phone": "" })),
            _callable => {}
        }
        let fields = [("Name", "Ada by a list"), ("UserData", "LEADS-1"), ("PhoneNumber1", "4930999")];
        let by_a_list = world.dialler.put(CAMPAIGN, &fields);
        world.sync_all().await;
        world.live(minutes(3)).await;
        let locked = world.dialler.contact(by_a_list).expect("still there").locked;
        assert_eq!(locked, word != "callable", "{word}: {}", world.story().await);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn are_all_but_one_of_several_with_our_key_locked_at_once() {
    for world in all_worlds(Setup::default()).await {
        let id = world.record("Ada");
        let fields = [("Name", "Somebody"), ("UserData", "leads-1"), ("PhoneNumber1", "4930999")];
        let doubles: Vec<i64> = (0..3).map(|_| world.dialler.put(CAMPAIGN, &fields)).collect();
        world.sync_all().await;
        let contacts = world.contacts(id);
        assert_eq!(contacts.len(), 3, "none made, none deleted");
        let open: Vec<i64> = contacts.iter().filter(|contact| !contact.locked).map(|c| c.id).collect();
        assert_eq!(open, [doubles[0]], "the oldest stays callable");
        assert!(world.parked().await[0].contains("several contacts"));
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_whoever_must_not_be_called_locked_at_first_sight() {
    for world in all_worlds(Setup::default()).await {
        let (blocked, archived, fine) = (world.record("Ada"), world.record("Berta"), world.record("Carl"));
        world.editor().edit(blocked, json!({ "do_not_call": true }));
        world.editor().archive(archived, true);
        let number = world.number(blocked);
        for id in [blocked, archived, fine] {
            let digits = number.trim_start_matches('+').to_owned();
            world.dialler.put(
                CAMPAIGN,
                &[
                    ("Name", "Old"),
                    ("UserData", &key(id)),
                    ("PhoneNumber1", if id == fine { "4930777" } else { &digits }),
                ],
            );
        }
        world.sync_all().await;
        assert!(world.locked(blocked), "blocked");
        assert!(world.locked(archived), "archived");
        assert!(!world.locked(fine));
        assert_eq!(world.dialler.journal().count("import"), 0);
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn is_whoever_is_found_with_a_blocked_number_out_of_reach_before_any_harvest() {
    // One that the record's own is to replace, one as the portal writes it, two that the route does not speak of.
    for (field, number) in [
        ("PhoneNumber1", "493023125900"),
        ("PhoneNumber1", "030 23125900"),
        ("PhoneNumber2", "493023125900"),
        ("PhoneNumber6", "030/23125900"),
    ] {
        let world = World::usual().await;
        world.block_number("+493023125900").await;
        let (id, fine) = (world.record("Ada"), world.record("Berta"));
        for (id, number) in [(id, number), (fine, "493023125901")] {
            let key = key(id);
            let mut fields = vec![("Name", "Old"), ("UserData", key.as_str()), ("PhoneNumber1", "4930777")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, number));
            world.dialler.put(CAMPAIGN, &fields);
        }
        let mark = world.mark();
        world.pull().await.expect("a pull");
        world.push().await.expect("a push");
        assert!(world.locked(id), "{field} {number}: {}", world.story().await);
        assert!(!world.locked(fine), "{field}: a number that nobody blocked");
        assert_eq!(world.writes(mark).iter().filter(|write| **write != "update").count(), 1, "{field}");
        world.live(minutes(30)).await;
        assert!(world.locked(id), "{field} {number}: the harvest finds the same");
        world.assert_at_rest().await;
        // An edit brings the record's own number; it frees nobody who keeps the blocked one.
        world.editor().edit(id, json!({ "city": "Bonn" }));
        world.live(minutes(30)).await;
        assert_eq!(world.locked(id), field != "PhoneNumber1", "{field} {number}: {}", world.story().await);
        world.assert_at_rest().await;
        let subject = BlockSubject::Number("+493023125900".to_owned());
        let (client, reason) = ("default".to_owned(), "a mistake".to_owned());
        world.must(Command::BlockRemove { client, subject, source: None, reason }).await;
        world.live(minutes(5)).await;
        assert!(!world.locked(id), "{field} {number}: {}", world.story().await);
        assert_eq!(world.value(id, "Name"), json!("Ada"), "{field}: what waited for it goes then");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_block_reach_a_contact_that_was_taken_over_and_that_no_harvest_has_read() {
    let world = World::usual().await;
    let id = world.record("Ada");
    let key = key(id);
    let fields = [("Name", "Old"), ("UserData", key.as_str()), ("PhoneNumber2", "493023125900")];
    world.dialler.put(CAMPAIGN, &fields);
    world.pull().await.expect("a pull");
    world.push().await.expect("a push");
    assert!(!world.locked(id), "nobody said no yet");
    world.block_number("+493023125900").await;
    world.push().await.expect("a push");
    assert!(world.locked(id), "{}", world.story().await);
    world.live(minutes(30)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_a_blocked_number_heard_that_a_contact_got_while_its_import_was_in_doubt() {
    let world = World::usual().await;
    world.block_number("+493023125900").await;
    let id = world.record("Ada");
    world.dialler.faults().add(Rule::new(Action::Reset(Effect::Done)).path("/import").times(1));
    world.pull().await.expect("a pull");
    let _in_doubt = world.push().await;
    assert!(world.dialler.portal().edit(world.contact(id).id, "PhoneNumber2", "030 23125900"));
    world.advance(minutes(5)).await;
    world.push().await.expect("a push that settles it");
    assert!(world.locked(id), "{}", world.story().await);
    world.live(minutes(30)).await;
    assert!(world.locked(id), "{}", world.story().await);
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_first_load_cost_one_list_and_not_a_request_for_each_record() {
    let world = World::new(Setup { route_keys: "max_new_per_run = 1000", ..Setup::default() }).await;
    world.editor().seed(1_000, 1);
    world.dialler.seed(CAMPAIGN, "others", 500);
    world.pull().await.expect("a pull");
    let mark = world.mark();
    world.push().await.expect("a push");
    let requests = world.dialler.journal().requests_since(mark);
    let reads: Vec<&str> = requests.iter().filter(|r| !r.kind.write).map(|r| r.kind.name).collect();
    assert_eq!(world.dialler.journal().count("import"), 1_000);
    assert!(reads.len() <= 3, "{} reads: {:?}", reads.len(), &reads[..reads.len().min(10)]);
    assert_eq!(world.dialler.doubled().len(), 0);
    let pages = world.crm.journal.requests_of("list").len();
    assert!(pages <= 7, "{pages} pages of 200 for 1,000 records");
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn does_a_dry_route_decide_and_send_nothing() {
    let world = World::new(Setup { on: false, ..Setup::default() }).await;
    let id = world.record("Ada");
    world.sync_all().await;
    world.sync_all().await;
    assert_eq!(world.dialler.journal().write_count(), 0);
    world.switch(dialbridge::domain::policy::RouteState::On).await;
    world.sync_all().await;
    assert_eq!(world.value(id, "Name"), json!("Ada"));
    world.assert_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn is_nobody_doubled_where_the_answer_does_not_show_whose_contact_it_is() {
    for batch_read in [true, false] {
        let dialler = DiallerConfig { batch_read, ..DiallerConfig::default() };
        let world = World::new(Setup { dialler, ..Setup::default() }).await;
        let (ada, berta) = (world.record("Ada"), world.record("Berta"));
        for id in [ada, berta] {
            world.dialler.put(CAMPAIGN, &[("Name", "Somebody"), ("UserData", &key(id))]);
        }
        world.dialler.faults().add(Rule::new(Action::FieldLost("UserData".to_owned())));
        world.try_all().await;
        world.live(minutes(30)).await;
        assert_eq!(world.dialler.journal().count("import"), 0, "{}", world.story().await);
        world.dialler.faults().clear();
        world.settle_down().await;
        assert_eq!((world.contacts(ada).len(), world.contacts(berta).len()), (1, 1));
        assert_eq!(world.value(ada, "Name"), json!("Ada"), "adopted once that is seen");
        world.assert_at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_a_push_of_one_route_ask_for_its_own_keys_and_for_whoever_must_not_be_called() {
    let world = World::new(Setup { more: WINBACK, ..Setup::default() }).await;
    let (ada, no) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(no, json!({ "do_not_call": true }));
    world.pull().await.expect("a pull");
    let asked = |world: &World, mark: u64, id: u64| {
        let key = format!("winback-{id}");
        let requests = world.dialler.journal().requests_since(mark);
        let about = |text: &str| text.contains(&format!("\"{key}\"")) || text == key;
        requests.iter().any(|asked| {
            asked.query.iter().any(|(_, value)| about(value)) || about(&String::from_utf8_lossy(&asked.body))
        })
    };
    let mark = world.mark();
    world.must(Command::Sync { job: Some(Job::Push), route: Some(LEADS.into()), full: false }).await;
    assert_eq!(world.contacts(ada).len(), 1, "the route's own are met and imported");
    assert!(!asked(&world, mark, ada), "another route's key: {}", world.story().await);
    assert!(asked(&world, mark, no), "who must not be called waits for nobody: {}", world.story().await);
    world.push().await.expect("a push");
    assert!(asked(&world, mark, ada));
    world.assert_at_rest().await;
}

/// A portal user gives somebody's contact the key of another record that never had one.
#[tokio::test(start_paused = true)]
async fn does_a_contact_whose_key_was_rewritten_keep_nobody_from_being_imported() {
    let world =
        World::new(Setup { route_keys: "only_if = \"phone and stage == 'new'\"", ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(berta, json!({ "stage": "lost" }));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    assert!(world.contacts(berta).is_empty());
    world.advance(minutes(1)).await;
    assert!(world.dialler.portal().edit(contact, "UserData", key(berta)));
    world.live(minutes(20)).await;
    let carl = world.record("Carl");
    world.live(minutes(20)).await;
    assert_eq!(world.contacts(carl).len(), 1, "{}", world.story().await);
    let hers = world.dialler.contact(contact).expect("it is there");
    assert!(hers.locked, "it is now of a record that must not be called\n{}", world.story().await);
    assert_eq!(world.contacts(ada).len(), 1, "{}", world.story().await);
    world.ends().await;
}

/// Whoever lost a contact in that way is not held to its number, nor to its lock.
#[tokio::test(start_paused = true)]
async fn is_whoever_lost_a_blocked_contact_to_another_key_imported_with_another_number() {
    let world =
        World::new(Setup { route_keys: "only_if = \"phone and stage == 'new'\"", ..Setup::default() }).await;
    let (ada, berta) = (world.record("Ada"), world.record("Berta"));
    world.editor().edit(berta, json!({ "stage": "lost" }));
    world.sync_all().await;
    let contact = world.contact(ada).id;
    world.block_number(&world.number(ada)).await;
    world.live(minutes(1)).await;
    assert!(world.locked(ada));
    assert!(world.dialler.portal().edit(contact, "UserData", key(berta)));
    world.live(minutes(20)).await;
    world.editor().edit(ada, json!({ "phone": "+49 30 23125 999" }));
    world.live(minutes(20)).await;
    assert_eq!(world.contacts(ada).len(), 1, "{}", world.story().await);
    assert!(!world.locked(ada), "{}", world.story().await);
    world.ends().await;
}

/// A record of which the ledger refuses what was found, by a defect of ours: it is nobody else's harm, and the run says so.
#[tokio::test(start_paused = true)]
async fn is_everybody_else_met_where_the_ledger_refuses_one() {
    let mut world = World::usual().await;
    let ids = ["Ada", "Berta", "Carl"].map(|name| world.record(name));
    world.pull().await.expect("a pull");
    world
        .restart_after(|folder| {
            let ledger = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("opens");
            let refused = "CREATE TRIGGER refused BEFORE UPDATE OF absent_at ON links WHEN new.record_id = '2' AND new.absent_at IS NOT NULL
                           BEGIN SELECT RAISE (ABORT, 'refused'); END";
            ledger.execute_batch(refused).expect("a trigger");
        })
        .await;
    let said = world.push().await.expect_err("one was refused");
    assert!(said.contains("a defect of dialbridge"), "{said}");
    let there = ids.map(|id| world.contacts(id).len());
    assert_eq!(there, [1, 0, 1], "{}", world.story().await);
    world
        .restart_after(|folder| {
            let ledger = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("opens");
            ledger.execute_batch("DROP TRIGGER refused").expect("mended");
        })
        .await;
    world.live(minutes(5)).await;
    assert_eq!(world.contacts(ids[1]).len(), 1, "{}", world.story().await);
    world.ends().await;
}
