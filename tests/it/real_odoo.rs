//! dialbridge between a real Odoo 19 and the simulated dialler. The simulators say what we believe of a
//! CRM; these say whether it is so. `.ci/run` starts the Odoo; `tests/real/README.md` says how by hand.
//!
//! Judged by the simulated dialler's journal and by Odoo itself, never by our own ledger or mapping.

use crate::support::bridge::{Bridge, CARELESS, Options, count};
use crate::support::odoo::{Odoo, answer};
use dialbridge::control::End;
use dialbridge::domain::policy::Job;
use dialbridge::env::Env;
use dialbridge::sim::journal::Asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whether a partner may be called, as Odoo itself tells it.
fn may_be_called(partner: &Value) -> bool {
    partner["active"] == json!(true)
        && partner["phone_sanitized"].is_string()
        && partner["phone_sanitized_blacklisted"] == json!(false)
}

/// Odoo's `false` and empty texts are the dialler's null.
fn or_null(value: &Value) -> Value {
    if value == &json!(false) || value == &json!("") { Value::Null } else { value.clone() }
}

/// Both sides, record by record and field by field; answers with how many may be called.
async fn compare(odoo: &Odoo, bridge: &Bridge) -> usize {
    let partners = odoo.partners(json!([])).await;
    let (mut callable, mut contacts) = (0, 0);
    for (id, partner) in &partners {
        let may = may_be_called(partner);
        let Some(contact) = bridge.contact(*id) else {
            assert!(!may, "record {id} may be called and has no contact: {partner}");
            continue;
        };
        contacts += 1;
        assert_eq!(contact.locked, !may, "record {id}: {partner}");
        if !may {
            continue;
        }
        callable += 1;
        let number = partner["phone_sanitized"].as_str().map(|number| number.trim_start_matches('+'));
        let link = format!("https://crm.example.com/odoo/contacts/{id}");
        let expected = [
            ("Name", partner["name"].clone()),
            ("PhoneNumber1", json!(number)),
            ("Email", or_null(&partner["email"])),
            ("City", or_null(&partner["city"])),
            ("ExternalSystemLink", json!(link)),
        ];
        for (field, value) in expected {
            assert_eq!(contact.get(field), value, "record {id}, {field}");
        }
    }
    assert_eq!(contacts, bridge.dialler.len(), "contacts of no record");
    assert!(bridge.dialler.doubled().is_empty(), "{:?}", bridge.dialler.doubled());
    callable
}

/// The contacts that writes of one kind went to, by their records.
fn records_of(bridge: &Bridge, writes: &[Asked], kind: &str, among: &[u64]) -> BTreeSet<u64> {
    let by_contact: BTreeMap<i64, u64> =
        among.iter().filter_map(|id| Some((bridge.contact(*id)?.id, *id))).collect();
    let contact = |asked: &Asked| {
        let id = asked.json()["ID"].as_i64();
        id.or_else(|| asked.path.split('/').find_map(|part| part.parse::<i64>().ok().filter(|id| *id > 100)))
    };
    let of_kind = writes.iter().filter(|asked| asked.kind.name == kind);
    of_kind.filter_map(|asked| by_contact.get(&contact(asked)?).copied()).collect()
}

/// The partners of one test, told by their reference; the chance in it lets a test run twice on one Odoo.
pub(crate) struct Ours {
    pub(crate) reference: String,
    numbers: u64,
}

impl Ours {
    pub(crate) fn new(name: &str) -> Self {
        let chance = Env::real().random_below(10_000_000);
        Self { reference: format!("{name}{chance}"), numbers: chance }
    }

    /// The route's condition that takes them and nobody else.
    pub(crate) fn only(&self) -> String {
        format!("phone and active and ref and ref is startingwith '{}-'", self.reference)
    }

    /// The number in the plan of Berlin that the n-th one has.
    pub(crate) fn phone(&self, n: u64) -> String {
        format!("030 9{:07}{n}", self.numbers)
    }

    pub(crate) fn partner(&self, n: u64) -> Value {
        let reference = &self.reference;
        let name = format!("{reference}-{n}");
        let email = format!("{name}@example.com");
        json!({ "name": format!("{reference} {n}"), "ref": name, "phone": self.phone(n), "email": email })
    }
}

/// Waits until a new second has just begun, so that there is time for several things in it.
async fn at_the_beginning_of_a_second(env: &Env) {
    let into = Duration::from_nanos(u64::from(env.now().timestamp_subsec_nanos()));
    env.sleep(Duration::from_millis(1_030).saturating_sub(into)).await;
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_agree_field_by_field_before_and_after_changes() {
    let odoo = Odoo::running();
    let ours = Ours::new("Agree");
    let seeded = odoo.does(&["seed", "1200"]);
    let ids: Vec<u64> = serde_json::from_value(seeded["ids"].clone()).expect("ids");
    let bridge = Bridge::new(&odoo, Options::default()).await;
    let check = bridge.binary(&["check"]);
    assert_eq!(check.status, Some(0), "{}", check.text);

    let writes = bridge.synced().await;
    let callable = compare(&odoo, &bridge).await;
    assert!(callable >= 1_200, "{callable}");
    assert_eq!((count(&writes, "import"), writes.len()), (callable, callable), "imports and nothing else");
    assert_eq!(bridge.synced().await.len(), 0, "nothing changed");

    let before = odoo.partners(json!([])).await;
    for (at, id) in ids[..5].iter().enumerate() {
        odoo.write(&[*id], json!({ "name": format!("Umbenannt Größe {at}") })).await;
    }
    for (at, id) in ids[5..8].iter().enumerate() {
        odoo.write(&[*id], json!({ "phone": format!("+49 30 23125-9{at:04}") })).await;
    }
    odoo.write(&ids[8..10], json!({ "city": "Köln" })).await;
    // Moves write_date, and nothing that is mapped.
    odoo.write(&ids[10..14], json!({ "comment": "only a note" })).await;
    odoo.write(&ids[14..15], json!({ "phone": false })).await;
    odoo.does(&["archive", &ids[15].to_string()]);
    odoo.does(&["archive", &ids[16].to_string()]);
    for id in &ids[17..20] {
        odoo.does(&["blacklist", before[id]["phone"].as_str().expect("a number")]);
    }
    odoo.create(json!([ours.partner(1), ours.partner(2)])).await;

    let writes = bridge.synced().await;
    assert_eq!(compare(&odoo, &bridge).await, callable - 6 + 2);
    let updated = records_of(&bridge, &writes, "update", &ids);
    let locked = records_of(&bridge, &writes, "lock", &ids);
    assert_eq!(updated, ids[..10].iter().copied().collect());
    assert_eq!(locked, ids[14..20].iter().copied().collect());
    let counts = ["update", "lock", "import"].map(|kind| count(&writes, kind));
    assert_eq!((counts, writes.len()), ([10, 6, 2], 18));
    assert_eq!(bridge.synced().await.len(), 0, "a second run with nothing changed");

    // Eligible again: callable again. Taken off the blacklist: a block made by it needs a person.
    odoo.does(&["unarchive", &ids[15].to_string()]);
    odoo.does(&["unblacklist", before[&ids[17]]["phone"].as_str().expect("a number")]);
    let writes = bridge.synced().await;
    assert_eq!((count(&writes, "unlock"), writes.len()), (1, 1));
    assert_eq!([15, 17].map(|at| bridge.contact(ids[at]).expect("a contact").locked), [false, true]);
    assert_eq!(bridge.parked(), Vec::<Value>::new());
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blacklisted_number_and_nothing_else_locks_at_the_next_pull() {
    let odoo = Odoo::running();
    let ours = Ours::new("Black");
    let ids = odoo.create(json!([ours.partner(1), ours.partner(2), ours.partner(1)])).await;
    let bridge = Bridge::new(&odoo, Options { only_if: &ours.only(), ..Options::default() }).await;
    assert_eq!(count(&bridge.synced().await, "import"), 3);

    let times = [odoo.write_date(ids[0]).await, odoo.write_date(ids[2]).await];
    // So that a moved time could be told from the old one.
    Env::real().sleep(Duration::from_millis(1_100)).await;
    odoo.does(&["blacklist", &ours.phone(1)]);
    assert_eq!([odoo.write_date(ids[0]).await, odoo.write_date(ids[2]).await], times, "the trap is gone");

    let writes = bridge.synced().await;
    assert_eq!(records_of(&bridge, &writes, "lock", &ids), BTreeSet::from([ids[0], ids[2]]));
    assert_eq!(writes.len(), 2, "the two that bear the number, and nobody else");
    assert_eq!(bridge.synced().await.len(), 0);
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_edit_in_the_second_of_the_pull_is_found() {
    let odoo = Odoo::running();
    let ours = Ours::new("Second");
    let env = Env::real();
    let [id] = odoo.create(json!([ours.partner(1)])).await[..] else { panic!("one partner") };
    // Without lag and overlap, which would hide what is tested here.
    let bridge =
        Bridge::new(&odoo, Options { only_if: &ours.only(), connector: CARELESS, ..Options::default() })
            .await;
    bridge.synced().await;
    for attempt in 0..30 {
        at_the_beginning_of_a_second(&env).await;
        odoo.write(&[id], json!({ "name": format!("Before the pull {attempt}") })).await;
        bridge.run(Job::Pull).await;
        odoo.write(&[id], json!({ "name": format!("After the pull {attempt}") })).await;
        let second = odoo.write_date(id).await;
        // The first edit's time is only known to be this second's if the whole attempt lies in one.
        if env.now().format("%Y-%m-%d %H:%M:%S").to_string() != second {
            continue;
        }
        let later = json!([["id", "=", id], ["write_date", ">", second]]);
        assert!(odoo.partners(later).await.is_empty(), "`write_date > last seen` finds it: the trap is gone");
        bridge.synced().await;
        assert_eq!(bridge.name(id), Some(format!("After the pull {attempt}")));
        return;
    }
    panic!("thirty times no second was long enough for two edits and a pull: nothing was tested");
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_written_first_with_the_later_id_hides_nobody() {
    let odoo = Odoo::running();
    let ours = Ours::new("Keyset");
    let env = Env::real();
    // The trap itself: paging by (write_date, id) loses the one with the lower id.
    let trap = odoo.does(&["same-second"]);
    assert_eq!(trap["keyset_loses"], json!([trap["ids"][0]]), "the trap is gone: {trap}");

    let ids = odoo.create(json!([ours.partner(1), ours.partner(2)])).await;
    let one_by_one: Vec<_> = CARELESS.iter().copied().chain([("limit     = 500", "limit = 1")]).collect();
    let options = Options { only_if: &ours.only(), connector: &one_by_one, ..Options::default() };
    let bridge = Bridge::new(&odoo, options).await;
    bridge.synced().await;
    for attempt in 0..30 {
        at_the_beginning_of_a_second(&env).await;
        let name = format!("Same second {attempt}");
        odoo.write(&ids[1..], json!({ "name": name })).await;
        odoo.write(&ids[..1], json!({ "name": name })).await;
        if odoo.write_date(ids[0]).await == odoo.write_date(ids[1]).await {
            bridge.synced().await;
            assert_eq!([bridge.name(ids[0]), bridge.name(ids[1])], [Some(name.clone()), Some(name)]);
            return;
        }
    }
    panic!("thirty times two edits did not fit into one second: nothing was tested");
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_dated_before_they_could_be_seen_are_found() {
    let odoo = Odoo::running();
    let env = Env::real();
    let only_if = "phone and active and name is startingwith 'Prüfkontakt Langsam'";
    let careful = Bridge::new(&odoo, Options { only_if, ..Options::default() }).await;
    let careless = Bridge::new(&odoo, Options { only_if, connector: CARELESS, ..Options::default() }).await;
    careful.synced().await;
    careless.synced().await;

    let words = ["slow-create", "7", "12"];
    let slow = odoo.begins(&words);
    env.sleep(Duration::from_secs(6)).await;
    let passed = env.now();
    assert_eq!((careful.synced().await.len(), careless.synced().await.len()), (0, 0));
    let told = answer(&words, slow);
    let time = |key: &str| format!("{}Z", told[key].as_str().expect("a time")).replace(' ', "T");
    let (began, committed) = (time("began"), time("committed"));
    let time = |text: &str| text.parse::<dialbridge::domain::Timestamp>().expect("a time");
    assert!(
        time(&began) + Duration::from_secs(3) < passed && passed < time(&committed),
        "the pull at {passed} was to lie within the transaction from {began} to {committed}: nothing was tested"
    );

    let records: Vec<u64> = serde_json::from_value(told["ids"].clone()).expect("ids");
    let seen = |bridge: &Bridge| records.iter().filter(|id| bridge.contact(**id).is_some()).count();
    careful.synced().await;
    careless.synced().await;
    assert_eq!(seen(&careless), 0, "found without lag and overlap: the trap is gone");
    assert_eq!(seen(&careful), 7);
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_one_time_is_read_whole_over_several_pages() {
    let odoo = Odoo::running();
    let only_if = "phone and active and name is startingwith 'Prüfkontakt Schwall'";
    let small_pages = [("limit     = 500", "limit = 70")];
    let bridge = Bridge::new(&odoo, Options { only_if, connector: &small_pages, ..Options::default() }).await;
    bridge.synced().await;
    let burst = odoo.does(&["burst", "300"]);
    assert_eq!(
        burst["write_dates"].as_array().map(Vec::len),
        Some(1),
        "one time for all: {}",
        burst["write_dates"]
    );
    let writes = bridge.synced().await;
    assert_eq!((count(&writes, "import"), writes.len()), (300, 300));
    let ids: Vec<u64> = serde_json::from_value(burst["ids"].clone()).expect("ids");
    assert!(ids.iter().all(|id| bridge.contact(*id).is_some()));

    // All edited in one call: one time again, and once more nobody is passed over.
    odoo.write(&ids, json!({ "city": "Bonn" })).await;
    let writes = bridge.synced().await;
    assert_eq!((count(&writes, "update"), writes.len()), (300, 300));
    assert!(ids.iter().all(|id| bridge.contact(*id).is_some_and(|c| c.get("City") == json!("Bonn"))));
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_odoo_does_not_have_stops_the_route_and_imports_nobody() {
    let odoo = Odoo::running();
    let ours = Ours::new("Field");
    odoo.create(json!([ours.partner(1)])).await;
    // Plausible, and read as false it would make everybody callable.
    let only_if = format!("{} and not do_not_call", ours.only());
    let mut bridge = Bridge::new(&odoo, Options { only_if: &only_if, ..Options::default() }).await;
    let check = bridge.binary(&["check"]);
    assert_eq!(check.status, Some(1), "{}", check.text);
    assert!(check.text.contains("do_not_call"), "{}", check.text);
    let (end, said) = bridge.sync().await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(bridge.stopped().contains("do_not_call"), "{}", bridge.stopped());
    assert_eq!((bridge.dialler.len(), bridge.dialler.journal().write_count()), (0, 0));
    assert_eq!(bridge.parked(), Vec::<Value>::new());

    bridge.configure(Options { only_if: &ours.only(), ..Options::default() });
    bridge.restart().await;
    assert_eq!(count(&bridge.synced().await, "import"), 1);
    assert_eq!(bridge.stopped(), "");
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_renamed_in_odoo_stops_the_route_until_it_is_back() {
    let odoo = Odoo::running();
    let ours = Ours::new("Renamed");
    let admin = |model: &str, method: &str, arguments: Value| {
        odoo.does(&["call", "--admin", model, method, &arguments.to_string()])
    };
    let model = admin("ir.model", "search", json!({ "domain": [["model", "=", "res.partner"]] }));
    let name = format!("x_may_call_{}", ours.numbers);
    let field = json!({ "name": name, "model_id": model[0], "field_description": "May be called",
                        "ttype": "boolean", "state": "manual" });
    let field = admin("ir.model.fields", "create", json!({ "vals_list": [field] }));
    let consenting = |number| {
        let mut partner = ours.partner(number);
        partner[&name] = json!(true);
        partner
    };
    odoo.create(json!([consenting(1), ours.partner(2)])).await;
    let only_if = format!("{} and {name}", ours.only());
    let bridge = Bridge::new(&odoo, Options { only_if: &only_if, ..Options::default() }).await;
    assert_eq!(count(&bridge.synced().await, "import"), 1, "the one that consents");

    let mark = bridge.dialler.journal().write_count();
    let [new] = odoo.create(json!([consenting(3)])).await[..] else { panic!("one partner") };
    admin("ir.model.fields", "write", json!({ "ids": field, "vals": { "name": format!("{name}_x") } }));
    let (end, said) = bridge.sync().await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(bridge.stopped().contains(&name), "{}", bridge.stopped());
    assert_eq!(bridge.dialler.journal().write_count(), mark, "nobody was imported");

    admin("ir.model.fields", "write", json!({ "ids": field, "vals": { "name": name } }));
    assert_eq!(count(&bridge.synced().await, "import"), 1, "it goes on by itself");
    assert!(bridge.contact(new).is_some());
    assert_eq!(bridge.stopped(), "");
    admin("ir.model.fields", "unlink", json!({ "ids": field }));
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_key_or_database_stops_the_route_and_parks_nobody() {
    let odoo = Odoo::running();
    let ours = Ours::new("Key");
    odoo.create(json!([ours.partner(1)])).await;
    let only_if = ours.only();
    let mut bridge = Bridge::new(&odoo, Options { only_if: &only_if, ..Options::default() }).await;
    bridge.secret("crm.token", &"0".repeat(40));
    bridge.restart().await;
    let (end, said) = bridge.sync().await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(bridge.stopped().contains("token"), "{}", bridge.stopped());
    let check = bridge.binary(&["check"]);
    assert!(check.status == Some(1) && check.text.contains("crm.sales.token_file"), "{}", check.text);

    bridge.secret("crm.token", odoo.key());
    let crm = "headers = { X-Odoo-Database = \"another\" }";
    bridge.configure(Options { only_if: &only_if, crm, ..Options::default() });
    bridge.restart().await;
    let (end, said) = bridge.sync().await;
    assert_eq!(end, End::Failed, "{said}");
    let check = bridge.binary(&["check"]);
    assert!(check.status == Some(1) && check.text.contains("[crm.sales.headers]"), "{}", check.text);
    assert_eq!((bridge.parked(), bridge.dialler.journal().write_count()), (Vec::new(), 0));

    bridge.configure(Options { only_if: &only_if, ..Options::default() });
    bridge.restart().await;
    assert_eq!(count(&bridge.synced().await, "import"), 1);
    assert_eq!(bridge.stopped(), "");
}

/// Lets a stopped server go on, whatever becomes of the test.
struct Stopped<'o>(&'o Odoo);

impl Stopped<'_> {
    fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill").args([signal, self.0.pid()]).status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[ignore = "needs the real Odoo: .ci/run starts it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_fails_the_run_and_stops_nothing() {
    let odoo = Odoo::running();
    let ours = Ours::new("Hang");
    let [id] = odoo.create(json!([ours.partner(1)])).await[..] else { panic!("one partner") };
    let only_if = ours.only();
    let crm = "request_timeout = \"2s\"";
    let bridge = Bridge::new(&odoo, Options { only_if: &only_if, crm, ..Options::default() }).await;
    let hung = Stopped(&odoo);
    hung.signal("-STOP");
    let (end, said) = bridge.sync().await;
    assert_eq!(end, End::Failed, "{said}");
    drop(hung);
    assert_eq!((bridge.stopped().as_str(), bridge.parked()), ("", Vec::new()));
    assert_eq!(count(&bridge.synced().await, "import"), 1, "the next run goes on by itself");
    assert!(bridge.contact(id).is_some());
}
