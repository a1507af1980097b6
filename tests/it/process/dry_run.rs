//! `plan` by itself: does it tell what would happen, and leave everything as it is?

use super::house::{CAMPAIGN, House};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;

/// The same people on another route.
const SECOND: &str = r#"
[route.second]
crm           = "sales"
campaign      = 538
user_data     = "'second-' ~ id"
beside        = "ignore"

[route.second.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
"#;

/// What must not move: requests that had an effect on the dialler, activities, runs.
async fn marks(house: &House) -> (usize, usize, usize) {
    let runs = match house.ledger().exists() {
        true => house.run(&["ledger", "runs", "--json"]).await.expect(0).json().len(),
        false => 0,
    };
    (house.dialler.journal().effects().len(), house.crm.activities().len(), runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_before_the_first_start_tells_what_would_be_imported_and_makes_no_ledger() {
    let house = House::new(6).await;
    let before = marks(&house).await;
    let plan = house.run(&["plan"]).await.expect(0);
    assert!(plan.out.contains("leads: 6 records would be read"), "{}", plan.said());
    assert!(plan.out.contains("Name: 6 set at import"), "{}", plan.said());
    assert_eq!(marks(&house).await, before);
    assert!(!house.ledger().exists(), "a dry run made a ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_changes_field_by_field_locks_and_calls_and_changes_nothing() {
    let house = House::new(6).await;
    let telling = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nsubject = \"'Call: ' ~ outcome\"\n[route.leads.fields]";
    let config = house.config_text("").replacen("[route.leads.fields]", telling, 1);
    std::fs::write(house.config(), &config).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.dial(house.contact_ids()).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    house.crm.editor().edit(2, json!({ "city": "Bonn" }));
    house.crm.editor().archive(3, true);
    let before = marks(&house).await;
    let plan = house.run(&["plan", "--route", "leads"]).await.expect(0);
    let value = "subject = \"Call: ";
    for told in ["City: ", "-> \"Bonn\"", "lock", " calls, waiting", value, "Nothing was changed"] {
        assert!(plan.out.contains(told), "{told} is not told: {}", plan.said());
    }
    let json = house.run(&["plan", "--json"]).await.expect(0).json().remove(0);
    assert_eq!((&json["pulled"]["read"], &json["pulled"]["queued"]), (&json!(2), &json!(1)), "{json}");
    assert!(json["untold"].as_array().is_some_and(|calls| !calls.is_empty()), "{json}");
    // A result that nobody mapped may have come by now, too: its call is held.
    let counts = json["untold_counts"].as_array().cloned().unwrap_or_default();
    assert!(counts.iter().any(|count| count["state"] == "waiting"), "{json}");
    // A result that is to be a no from now on, and a list that is new, are heard on the copy.
    std::fs::write(house.path("no.csv"), house.number(6)).expect("written");
    let word = "opt_out_results = [\"SALE\"]\nwrite_back";
    for (other, locked) in [
        (config.replacen("write_back", word, 1), 3),
        (format!("{config}\n[blocks.files]\ndefault = \"no.csv\"\n"), 1),
    ] {
        std::fs::write(house.config(), &other).expect("written");
        let plan = house.run(&["plan", "--json"]).await.expect(0).json().remove(0);
        let groups = plan["groups"].as_array().expect("groups");
        let locks = groups.iter().find(|group| group["code"] == "blocked").expect("somebody is blocked");
        assert_eq!((&locks["kind"], &locks["count"]), (&json!("lock"), &json!(locked)), "{plan}");
    }
    std::fs::write(house.config(), &config).expect("written");
    // What a changed mapping would do is the question before it is put in place.
    let other = config.replacen("= \"name\"", "= \"name ~ ' (CRM)'\"", 1);
    assert_ne!(other, config);
    std::fs::write(house.config(), &other).expect("written");
    house.run(&["plan"]).await.expect(0).says("Name: 5 change").says("(CRM)\"");
    let owned = format!("{config}\n[route.leads.owners]\nCity = \"dialler\"\n");
    std::fs::write(house.config(), &owned).expect("written");
    let plan = house.run(&["plan"]).await.expect(0);
    assert!(!plan.out.contains("City: "), "the agents' from now on: {}", plan.said());
    // So is what a route's results are to mean for others.
    let first = "beside = \"ignore\"\ncool_off = { days = 90, after = [\"done\"], across = \"client\" }\n";
    let held = format!("{}{SECOND}", config.replacen("beside        = \"ignore\"\n", first, 1));
    std::fs::write(house.config(), &held).expect("written");
    house.run(&["plan", "--route", "second"]).await.expect(0).says("left alone until");
    std::fs::write(house.config(), &config).expect("written");
    assert_eq!(marks(&house).await, before, "a dry run left something behind");
    let down = Action::Status { code: 503, retry_after: RetryAfter::Absent, effect: Effect::None };
    house.crm.faults.add(Rule::new(down));
    let unread = house.run(&["plan"]).await.expect(1).says("could NOT be read");
    unread.says(&house.crm_url).says("crm.sales.base_url").says("try again");
    house.run(&["plan", "list"]).await.expect(0);
}

/// Semantics 5: who is there already is taken over and not made a second time, and what would stay there is listed while the
/// route is dry. The second round has more keys than are asked for one by one: the account is listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_who_is_there_already_and_what_would_stay_there() {
    for records in [6, 130] {
        let house = House::new(records).await;
        let comment = "[route.leads.fields]\nComment = \"'from the CRM'\"";
        std::fs::write(house.config(), house.config_text("").replacen("[route.leads.fields]", comment, 1))
            .expect("written");
        let put = |campaign, key: &str, fields: &[(&str, &str)]| {
            let all: Vec<(&str, &str)> = [("UserData", key)].iter().chain(fields).copied().collect();
            house.dialler.put(campaign, &all)
        };
        let first = put(CAMPAIGN.0, "leads-1", &[("Name", "Somebody"), ("Comment", "wants a call in May")]);
        put(CAMPAIGN.0, "leads-2", &[("Comment", "from the CRM")]);
        put(CAMPAIGN.0, "LEADS-3", &[]);
        put(612, "leads-4", &[]);
        let before = marks(&house).await;
        let plan = house.run(&["plan"]).await.expect(0);
        let stays = format!(
            "contact {first}, leads-1: Comment stays \"wants a call in May\" (the record has \"from the CRM\")"
        );
        for told in [
            "2 contacts that are there under the keys of records would be taken over, not made a second time (0 of them would be locked)",
            "Comment: 1 stay as they are there",
            &stays,
            "Name: \"Somebody\" -> ",
            &format!("Name: {} set at import", records - 4),
            "has the same UserData up to case or blanks",
            "a contact with this UserData stands in campaign",
        ] {
            assert!(plan.out.contains(told), "{told} is not told: {}", plan.said());
        }
        let json = house.run(&["plan", "--json"]).await.expect(0).json().remove(0);
        assert_eq!(json["met"]["there"]["count"], json!(2), "{json}");
        assert_eq!(json["met"]["there"]["kept"], json!([{ "field": "Comment", "count": 1 }]), "{json}");
        let listed = !house.dialler.journal().requests_of("list").is_empty();
        assert_eq!(listed, records > 100, "the account is listed for many");
        // In the real thing it is the same two, and the same comment stays.
        house.dialler.faults().add(Rule::new(Action::Reset(Effect::None)));
        let unasked = house.run(&["plan"]).await.expect(1).says("could NOT be asked");
        unasked.says("stand below as imports").says(&format!("Name: {records} set at import"));
        house.dialler.faults().clear();
        assert_eq!(marks(&house).await, before, "a dry run left something behind");
        house.switched_on().await;
        // Two need a person.
        house.run(&["sync"]).await.expect(3);
        assert_eq!(house.contact_ids().len() as u64, records - 1, "two there, one alike, one elsewhere");
        let comment = house.dialler.contact(first).map(|contact| contact.get("Comment"));
        assert_eq!(comment, Some(json!("wants a call in May")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_whose_campaign_cannot_be_told_says_in_a_dry_run_that_nobody_was_asked() {
    let house = House::new(2).await;
    let none = house.config_text("").replacen("Spring leads", "Springleads", 1);
    std::fs::write(house.config(), none).expect("written");
    let plan = house.run(&["plan"]).await.expect(0).says("was not asked").says("Springleads");
    plan.says("Name: 2 set at import");
    // What a start would do about a campaign that is another one now: by default the route stops, and nobody is asked.
    std::fs::write(house.config(), house.config_text("")).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let another = house.config_text("").replacen("\"Spring leads\"", "551", 1);
    std::fs::write(house.config(), another).expect("written");
    house.run(&["plan"]).await.expect(0).says("was not asked").says("551").says("It is stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_leaves_no_copy_of_the_ledger_behind() {
    let house = House::new(1).await;
    house.switched_on().await;
    let folder = house.path("temporary");
    std::fs::create_dir(&folder).expect("a folder");
    let inside = || std::fs::read_dir(&folder).expect("read").flatten().map(|entry| entry.path());
    let slow = Action::Latency { before: Duration::from_secs(20), after: Duration::ZERO };
    house.crm.faults.add(Rule::new(slow));
    for signal in ["INT", "TERM"] {
        let mut command = house.command(&["plan"]);
        command.env("TMPDIR", &folder).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        let pid = child.id().expect("it runs").to_string();
        while !inside().any(|copy| copy.join("copy.sqlite").exists()) {
            house.env.sleep(Duration::from_millis(10)).await;
        }
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.expect("kill is there").success());
        let ended = child.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(1) && said.contains("ended by a signal"), "{said}");
        assert_eq!(inside().count(), 0, "SIG{signal}");
    }
}
