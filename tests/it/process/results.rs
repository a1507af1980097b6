//! Calls back into the CRM, as an administrator sets it up and a campaign manager asks about it.

use super::house::House;
use dialbridge::sim::crm::Rights;

/// Mistakes that a first try makes come all at once, each with its place and what is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_careless_write_back_is_named_whole() {
    let house = House::new(1).await;
    let right = house.config_text("");
    let with =
        |more: &str| right.replacen("[route.leads.fields]", &format!("{more}\n[route.leads.fields]"), 1);
    let wrong = with(
        "write_back = \"each minute\"\n[route.leads.activity]\nsubject = \"outcom\"\nat = \"start\"\n\
         [route.leads.result_fields]\ncalls = \"started\"",
    );
    std::fs::write(house.config(), wrong).expect("written");
    let ran = house.run(&["check", "--offline"]).await.expect(2);
    for said in [
        "route.leads.write_back",
        "route.leads.activity.subject",
        "Did you mean outcome?",
        "route.leads.activity.at",
        "route.leads.result_fields.calls",
        "4 mistakes in the config",
    ] {
        assert!(ran.said().contains(said), "{said} is not said: {}", ran.said());
    }
    std::fs::write(house.config(), with("write_back = \"* * * * *\"")).expect("written");
    house.run(&["check", "--offline"]).await.expect(2).says("nothing to tell the CRM");
    let unused = with("[route.leads.activity]\nsubject = \"outcome\"");
    std::fs::write(house.config(), &unused).expect("written");
    house.run(&["check", "--offline"]).await.expect(0).says("without write_back");
    let mute = with("write_back = \"* * * * *\"\n[route.leads.activity]\nsubject = \"outcome\"").replacen(
        "\"sim-id\"",
        "\"sim-next\"",
        1,
    );
    std::fs::write(house.config(), mute).expect("written");
    house.run(&["check", "--offline"]).await.expect(2).says("has no [activity.create]");
}

/// From a result that nobody mapped to a day that adds up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_results_is_told_and_what_is_missing_is_named() {
    let house = House::new(6).await;
    let telling = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nsubject = \"'Call: ' ~ outcome\"\n";
    let words = "[route.leads.results]\nNO_INTEREST = \"declined\"\n";
    let config = |words: &str| {
        let plain = house.config_text("");
        plain.replacen("[route.leads.fields]", &format!("{telling}{words}[route.leads.fields]"), 1)
    };
    std::fs::write(house.config(), config(words)).expect("written");
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    house.run(&["results", "open"]).await.expect(0).says("told of everything");
    house.dial(house.contact_ids()).await;
    let synced = house.run(&["sync"]).await.expect(0);
    synced.says("write_back leads: run ");
    let stored = house.crm.activities().len();
    let day = house.run(&["results", "--day", "today", "--missing"]).await.expect(0);
    assert!(day.out.contains("leads: 6 calls = "), "{}", day.said());
    house.run(&["results", "codes", "--route", "leads"]).await.expect(0).says("NOT MAPPED");
    house.run(&["results", "codes"]).await.expect(0).says("NOT MAPPED");
    house.run(&["status"]).await.expect(0).says("results codes --route leads --init");
    house.run(&["results", "--day", "never"]).await.expect(2).says("today, yesterday or a date");

    // The printed table, filled in, is the config.
    let table = house.run(&["results", "codes", "--route", "leads", "--init"]).await.expect(0).out;
    let filled: String = table
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line).replacen("= \"\"", "= \"other\"", 1) + "\n")
        .collect();
    std::fs::write(house.config(), config(&filled)).expect("written");
    house.run(&["check", "--offline"]).await.expect(0);
    house.run(&["sync", "write-back"]).await.expect(0).says("told");
    assert!(stored < 6, "all were mapped from the beginning: {stored}");
    assert_eq!(house.crm.activities().len(), 6);
    let day = house.run(&["results", "--day", "today", "--missing"]).await.expect(0);
    assert!(day.out.contains("leads: 6 calls = 6 told to the CRM"), "{}", day.said());
    assert!(day.out.contains("Nothing of it is missing"), "{}", day.said());
    house.run(&["ledger", "contact", "leads-1"]).await.expect(0).says("the CRM was told of call ");
    house.run(&["results", "discard", "9", "--reason", "x"]).await.expect(1).says("results open");
    // Words without a telling are words all the same.
    std::fs::write(house.config(), config(&filled).replacen(telling, "", 1)).expect("written");
    let codes =
        house.run(&["results", "codes"]).await.expect(0).says("(it has a word; the CRM is told of no call)");
    assert!(!codes.out.contains("NOT MAPPED"), "{}", codes.said());
}

/// Before the first call is told: may it be?
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_check_say_whether_the_token_may_write_without_writing() {
    let house = House::new(1).await;
    let told = "write_back = \"* * * * *\"\n[route.leads.activity]\nsubject = \"result\"\n\
                [route.leads.result_fields]\ncalls = \"calls\"\n[route.leads.fields]";
    let with = |connector: &str| {
        let text = house.config_text("").replacen("[route.leads.fields]", told, 1);
        std::fs::write(house.config(), text.replacen("\"sim-id\"", connector, 1)).expect("written");
    };
    with("\"sim-id\"");
    let ran = house.run(&["check"]).await;
    let ran = ran.says("the token's user may add activities");
    ran.says("the token's user may write fields of records");
    house.crm.set(|settings| settings.rights = Rights::Read);
    house.run(&["check"]).await.says("may not add activities").says("Give that user the right");
    with("\"sim-offset\"");
    house.run(&["check"]).await.says("cannot be asked of this CRM without doing it");
    let writes = house.crm.journal.requests_where(|asked| asked.kind.write);
    assert!(writes.is_empty(), "{writes:?}");
}

/// What a person says of results is read, planned and refused with what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_words_about_results_taken_by_the_command_line() {
    let house = House::new(2).await;
    let telling = |more: &str| {
        let tables = "[route.leads.activity]\nsubject = \"'Call: ' ~ outcome\"\n[route.leads.results]\nSALE = \"sold\"\n";
        let plain = house.config_text("");
        plain.replacen("[route.leads.fields]", &format!("{more}\n{tables}[route.leads.fields]"), 1)
    };
    for wrong in [
        "{ days = 0, after = [\"abort\"] }",
        "{ after = [\"abort\"] }",
        "{ days = 9, across = \"route\" }",
        "90",
    ] {
        std::fs::write(house.config(), telling(&format!("cool_off = {wrong}"))).expect("written");
        house.run(&["check", "--offline"]).await.expect(2).says("across \"client\"");
    }
    let right = "write_back = \"0 0 29 2 *\"\ncool_off = { days = 90, after = [\"abort\", \"done\"], across = \"client\" }";
    std::fs::write(house.config(), telling(right)).expect("written");
    house.run(&["check", "--offline"]).await.expect(0);
    house.switched_on().await;
    house.run(&["sync"]).await.expect(0);
    let span = ["backfill", "--route", "leads", "--from", "2026-01-01", "--to", "2026-01-31"];
    let plan = [&span[..], &["--plan"]].concat();
    house.run(&plan).await.expect(0).says("0 earlier calls");
    house.run(&span).await.expect(0).says("0 earlier calls");
    let backwards = ["backfill", "--route", "leads", "--from", "2026-02-01", "--to", "2026-01-31"];
    house.run(&backwards).await.expect(2).says("lies before");
    house
        .run(&["results", "remap", "--code", "SALE", "--plan"])
        .await
        .expect(0)
        .says("No call with the result SALE");
    house.run(&["results", "remap", "--code", "SALE"]).await.expect(1).says("results codes");
    let retry = |more: &[&'static str]| [&["results", "retry", "--route", "leads"], more].concat();
    house
        .run(&retry(&["--day", "yesterday", "--plan"]))
        .await
        .expect(0)
        .says("0 calls and the fields of 0 records");
    house.run(&retry(&["--day", "yesterday"])).await.expect(1).says("--missing");
    house.run(&["results", "--retry-missing", "--day", "yesterday"]).await.expect(1).says("--missing");
    house.run(&["results", "--retry-missing", "--missing"]).await.expect(2).says("cannot be used with");
    house.run(&["results", "--reason", "x"]).await.expect(2).says("--retry-missing");
    house.run(&retry(&["--from", "2026-02-01", "--to", "2026-01-31"])).await.expect(2).says("lies before");
    house.run(&retry(&["--from", "2026-02-01"])).await.expect(2).says("--to");
    house.run(&retry(&["--day", "today", "--id", "7"])).await.expect(2).says("--id");
    house.run(&["results", "release", "17", "--reason", "x"]).await.expect(1).says("no call 17");
    // What the CRM did not take it takes now.
    house.dial([house.dialler.contacts_with("leads-1")[0].id]).await;
    house.run(&["sync", "harvest"]).await.expect(0);
    house.crm.editor().reject_writes(1, "the company is read-only");
    house.run(&["sync", "write-back"]).await.expect(3);
    house.crm.editor().accept_writes(1);
    assert_eq!(house.crm.activities().len(), 0);
    house.run(&["results", "--retry-missing", "--day", "today", "--reason", "mended"]).await.expect(0);
    house.run(&["sync", "write-back"]).await.expect(0);
    assert_eq!(house.crm.activities().len(), 1);
}
