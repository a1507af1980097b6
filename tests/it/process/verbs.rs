//! The verbs as an operator uses them, without a daemon and beside one.

use super::house::House;
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_ends_with_3_when_this_run_parked_something_and_with_0_when_it_was_parked_before() {
    let house = House::new(5).await;
    let editor = house.crm.editor();
    editor.edit(2, json!({ "name": "" }));
    house.run(&["sync", "pull"]).await.expect(3).says("1 parked (1 new)");
    house.run(&["sync", "pull"]).await.expect(0);
    house.run(&["ledger", "parked"]).await.expect(0).says("no_name");
    let parked = house.run(&["ledger", "parked", "--json"]).await.expect(0).json();
    assert_eq!(parked.len(), 1, "{parked:?}");
    // Read again, and as broken as before: nothing new.
    editor.edit(2, json!({ "name": "", "city": "Elsewhere" }));
    house.run(&["sync", "pull"]).await.expect(0).says("(0 new)");

    // Put aside, it comes back when it changes.
    house
        .run(&["ledger", "discard", "--route", "leads", "--record", "2", "--reason", "known"])
        .await
        .expect(0);
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
    editor.edit(2, json!({ "name": "", "city": "Nowhere" }));
    house.run(&["sync", "pull"]).await.expect(3);
    editor.edit(2, json!({ "name": "Mended" }));
    house.run(&["sync", "pull"]).await.expect(0);
    assert!(house.run(&["ledger", "parked", "--json"]).await.expect(0).json().is_empty());
    let nothing = ["ledger", "retry", "--route", "leads", "--record", "2"];
    house.run(&nothing).await.expect(1).says("nothing parked by that name");
    house.run(&["sync", "--route", "nobody"]).await.expect(2).says("there is no route nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_acts_only_when_it_is_on() {
    let house = House::new(6).await;
    house.run(&["sync"]).await.expect(0);
    assert!(house.dialler.is_empty(), "a new route sends nothing");
    house.run(&["route", "on", "leads", "--reason", "go"]).await.expect(0).says("is on").says("decided anew");
    assert!(house.dialler.is_empty(), "nothing is sent behind a command");
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.len(), 6);
    house.run(&["route", "pause", "leads", "--reason", "fire"]).await.expect(0).says("paused");
    house.crm.editor().edit(1, json!({ "name": "Later" }));
    let (gone, kept) = (house.dialler.contacts_with("leads-2"), house.dialler.contacts_with("leads-1"));
    house.crm.editor().archive(2, true);
    house.run(&["sync"]).await.expect(0);
    assert!(house.dialler.contact(gone[0].id).expect("there").locked, "no pause holds up a lock");
    assert_eq!(house.dialler.contact(kept[0].id).expect("there").name, kept[0].name, "a pause sends nothing");
    house.run(&["route", "dry", "leads", "--reason", "look"]).await.expect(0).says("dry");
    house.run(&["sync"]).await.expect(0);
    house.run(&["route", "resume", "leads", "--reason", "out"]).await.expect(2).says("is not paused");
    house.run(&["route", "on", "leads", "--reason", "out"]).await.expect(0);
    house.run(&["sync"]).await.expect(0);
    assert_eq!(&*house.dialler.contact(kept[0].id).expect("there").name, "Later");
    house.run(&["route", "list"]).await.expect(0).says("Spring leads");
    house.run(&["route", "on", "nobody", "--reason", "x"]).await.expect(2).says("there is no route nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_by_hand_locks_and_is_lifted_by_hand() {
    let house = House::new(8).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    let add = ["block", "add", "--number", &house.number(1), "--reason", "said no"];
    house.run(&add).await.expect(0).says("1 of them new").says("1 contacts are being locked");
    house.run(&["sync", "push"]).await.expect(0);
    assert!(house.locked(1));
    house.run(&add).await.expect(0).says("0 of them new");
    house.run(&["block", "add", "--route", "leads", "--record", "2", "--reason", "erased"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert!(house.locked(2));
    let list = house.run(&["block", "list", "--json"]).await.expect(0).json();
    assert_eq!(list.len(), 2, "{list:?}");
    house.run(&["block", "add", "--number", "12", "--reason", "x"]).await.expect(2).says("no valid phone");

    // A bad line costs that line only, and each is named.
    let (file, path) = (house.path("no.csv"), house.path("no.csv").display().to_string());
    let import = ["block", "import", &path, "--reason", "robinson list"];
    let text =
        format!("name;phone\nsomebody;{}\nnobody;12\nother;{}\nlast;abc\n", house.number(3), house.number(4));
    std::fs::write(&file, text).expect("written");
    let ran = house.run(&import).await.expect(1).says("2 of them new").says("2 lines were NOT blocked");
    for bad in ["no.csv:3: \"12\" is no valid", "no.csv:5: \"abc\" is no valid"] {
        assert!(ran.err.contains(bad), "{}", ran.said());
    }
    assert_eq!(house.run(&["block", "list", "--json"]).await.expect(0).json().len(), 4);
    std::fs::write(&file, format!("phone\n{}\n{}\n", house.number(3), house.number(4))).expect("written");
    house.run(&import).await.expect(0).says("0 of them new");
    std::fs::write(&file, "phone\n12\n").expect("written");
    house.run(&import).await.expect(1).says("nobody was blocked");
    house.run(&["sync", "push"]).await.expect(0);
    assert!(house.locked(3) && house.locked(4) && !house.locked(5));

    let remove = ["block", "remove", "--number", &house.number(1), "--reason", "changed mind"];
    house.run(&remove).await.expect(0).says("1 blocks lifted");
    house.run(&remove).await.expect(1).says("there is no such block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_by_hand_pass_the_gate() {
    let house = House::new(5).await;
    house.switched_on().await;
    house.run(&["sync", "push"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    let contact = |id: u64| house.dialler.contacts_with(&format!("leads-{id}"))[0].clone();

    let got = house.run(&["contacts", "get", "leads-1", "--json"]).await.expect(0).json();
    assert_eq!(got[0]["ID"], contact(1).id);
    house.run(&["contacts", "get", &contact(1).id.to_string()]).await.expect(0).says("leads-1");
    assert_eq!(house.run(&["contacts", "list", "--json"]).await.expect(0).json().len(), 5);
    assert!(!house.run(&["contacts", "history", "leads-1", "--json"]).await.expect(0).json().is_empty());
    house.run(&["contacts", "get", "leads-99"]).await.expect(1).says("no contact with the UserData leads-99");
    house.run(&["contacts", "get", "99"]).await.expect(1).says("the dialler has no contact 99");

    house.run(&["contacts", "lock", "leads-1", "--reason", "asked"]).await.expect(0).says("lock: done");
    assert!(contact(1).locked);
    house.run(&["contacts", "unlock", "leads-1", "--reason", "again"]).await.expect(0).says("unlock: done");
    assert!(!contact(1).locked);
    let reset = ["contacts", "reset", "leads-1", "--reason", "from the start"];
    house.run(&reset).await.expect(2).says("1 tries) and its result will be gone").says("say --yes");
    assert!(contact(1).dialling.tries_in_all() > 0);
    house.run(&[&reset[..], &["--yes"]].concat()).await.expect(0).says("reset: done");
    assert_eq!(contact(1).dialling.tries_in_all(), 0);

    // Blocked, nobody makes it callable, not even by hand.
    house.run(&["block", "add", "--number", &house.number(2), "--reason", "said no"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert!(contact(2).locked);
    for act in [&["unlock"][..], &["reset", "--yes"]] {
        let args = [&["contacts"], act, &["leads-2", "--reason", "please"]].concat();
        house.run(&args).await.expect(1).says("must not be called");
    }
    assert!(contact(2).locked);
    assert_eq!(house.dialler.journal().requests_of("unlock").len(), 1);

    // Two contacts with one UserData: neither is meant.
    house.dialler.put(538, &[("Name", "Twin"), ("UserData", "leads-3"), ("PhoneNumber1", "4930231250")]);
    house.run(&["contacts", "lock", "leads-3", "--reason", "x"]).await.expect(1).says("several contacts");
}

/// Verbs that change something, or serve: what they did they say to people. All others answer programs, too.
const ACTING: &[&str] = &[
    "demo",
    "run",
    "plan approve",
    "plan reject",
    "freeze",
    "thaw",
    "results approve",
    "results release",
    "results reopen",
    "results discard",
    "conflicts resolve",
    "route on",
    "route dry",
    "route pause",
    "route pilot",
    "route resume",
    "ledger retry",
    "ledger discard",
    "block add",
    "block seen",
    "block import",
    "contacts import",
    "contacts update",
    "contacts lock",
    "contacts unlock",
    "contacts reset",
    "contacts delete",
    "simulate",
];

/// Every verb below `command`, as its words with a blank after each, by whether it takes `--json`.
fn leaves(command: &clap::Command, words: &str, found: &mut [Vec<String>; 2]) {
    for verb in command.get_subcommands() {
        let words = format!("{words}{} ", verb.get_name());
        let json = verb.get_arguments().any(|argument| argument.get_long() == Some("json"));
        if json || !verb.is_subcommand_required_set() {
            found[usize::from(json)].push(words.clone());
        }
        leaves(verb, &words, found);
    }
}

#[test]
fn a_verb_either_acts_or_answers_programs() {
    let mut found = Default::default();
    leaves(&dialbridge::cli::command(), "", &mut found);
    let plain: Vec<&str> = found[0].iter().map(|words| words.trim_end()).collect();
    assert_eq!(plain, ACTING, "without --json, and not known to change anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reading_verb_answers_programs_beside_a_daemon() {
    let house = House::new(10).await;
    house.switched_on().await;
    house.crm.editor().edit(3, json!({ "name": "" }));
    house.crm.editor().archive(4, true);
    let mut daemon = house.daemon().await;
    house.run(&["sync"]).await;
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "--json"]).await.expect(0).json();
    house.run(&["block", "add", "--number", "+49 30 23125 999", "--reason", "x"]).await.expect(0);
    let verbs: &[&[&str]] = &[
        &["status"],
        &["route", "list"],
        &["ledger", "runs"],
        &["ledger", "show", "1"],
        &["ledger", "contact", "leads-1"],
        &["ledger", "operations", "--all"],
        &["ledger", "parked"],
        &["ledger", "skipped"],
        &["ledger", "calls"],
        &["results", "--day", "today"],
        &["results", "codes", "--route", "leads"],
        &["block", "list"],
        &["block", "remove", "--source", "operator", "--since", "2026-01-01", "--plan"],
        &["results", "retry", "--route", "leads", "--plan"],
        &["contacts", "list"],
        &["contacts", "get", "leads-1"],
        &["contacts", "history", "leads-1"],
        &["try", "--route", "leads", "1"],
        &["check"],
        &["token", "test"],
    ];
    // Nothing waits and nothing is wrong: an empty document may be the answer.
    let quiet: &[&[&str]] = &[
        &["plan"],
        &["plan", "list"],
        &["plan", "show"],
        &["reconcile"],
        &["sync", "--dry-run"],
        &["ledger", "check"],
        &["ledger", "verify"],
        &["results", "open"],
        &["results", "remap", "--code", "NO_INTEREST", "--plan"],
        &["backfill", "--route", "leads", "--from", "2026-01-01", "--to", "2026-01-02", "--plan"],
        &["conflicts", "list"],
    ];
    for verb in [verbs, quiet].concat() {
        let ran = house.run(&[verb, &["--json"][..]].concat()).await.expect(0);
        assert!(quiet.contains(&verb) || !ran.json().is_empty(), "{verb:?} says nothing: {}", ran.said());
        house.run(verb).await.expect(0);
    }
    let mut found = Default::default();
    leaves(&dialbridge::cli::command(), "", &mut found);
    let [_, mut all] = found;
    let asked: Vec<String> =
        [verbs, quiet].concat().iter().map(|words| format!("{} ", words.join(" "))).collect();
    // These do something, or need something that is not here, and answer where that is tested.
    let acting = ["takeover ", "ledger backup ", "conflicts show "];
    all.retain(|verb| !acting.contains(&verb.as_str()) && !asked.iter().any(|asked| asked.starts_with(verb)));
    assert_eq!(all, Vec::<String>::new(), "verbs that answer programs and were not asked");
    house.run(&["status"]).await.expect(0).says("push: waiting").says("list of ");
    house.run(&["ledger", "runs"]).await.expect(0).says(" contacts, ").says(" kB in ");
    house.run(&["run"]).await.expect(1).says("another dialbridge uses the ledger");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(0), "{}", daemon.log());
    house.run(&["status"]).await.expect(0).says("the daemon is not running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dialler_rejects_is_parked_and_tried_again_on_demand() {
    let house = House::new(4).await;
    house.switched_on().await;
    let no = Action::Status { code: 400, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.dialler.faults().add(Rule::new(no).path("/import").body("leads-2\""));
    house.run(&["sync", "push"]).await.expect(3).says("1 parked");
    house.run(&["sync", "push"]).await.expect(0).says("nothing is to be sent now");
    assert_eq!(house.dialler.len(), 3, "one bad record harms nobody else");
    let parked = house.run(&["ledger", "parked", "--json"]).await.expect(0).json();
    assert_eq!(parked.len(), 1, "{parked:?}");
    let operation = parked[0]["operation"].to_string();
    let retry = ["ledger", "retry", "--operation", &operation];
    house.run(&retry).await.expect(0).says("tried again with the next run");
    house.run(&["sync", "push"]).await.expect(3);
    house.dialler.faults().clear();
    house.run(&["ledger", "retry", "--all"]).await.expect(0);
    house.run(&["sync", "push"]).await.expect(0);
    assert_eq!(house.dialler.len(), 4);
    house.run(&retry).await.expect(1).says("nothing parked by that name");
    house.run(&["ledger", "parked"]).await.expect(0).says("Nothing needs a person.");
    house.run(&["ledger", "show", "999"]).await.expect(2).says("there is no run 999");
    house.run(&["ledger", "contact", "leads-99"]).await.expect(1).says("leads-99");
}
