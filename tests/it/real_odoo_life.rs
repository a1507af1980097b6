//! What lasts between a real Odoo and the simulated dialler: edits on both sides, records that leave, calls told late.

use crate::real_odoo::Ours;
use crate::support::bridge::{Bridge, Clock, Options, count};
use crate::support::odoo::Odoo;
use dialbridge::domain::policy::Job;
use serde_json::{Value, json};
use std::time::Duration;

async fn field(odoo: &Odoo, id: u64, name: &str) -> Value {
    let rows = odoo.call("res.partner", "read", json!({ "ids": [id], "fields": [name] })).await;
    rows[0][name].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn what_an_agent_edits_goes_into_the_partner_and_what_both_edited_waits_for_a_person() {
    let odoo = Odoo::running();
    let ours = Ours::new("Both");
    let mut partner = ours.partner(1);
    partner["email"] = json!("first@example.com");
    partner["city"] = json!("Ulm");
    let id = odoo.create(json!([partner])).await[0];
    odoo.follows_itself(id).await;
    let only_if = ours.only();
    let route = "write_back = \"0 0 29 2 *\"\n[route.leads.two_way]\nCity = \"dialler\"\nEmail = \"ask\"\n";
    let bridge = Bridge::new(&odoo, Options { only_if: &only_if, route, ..Options::default() }).await;
    bridge.synced().await;
    let (contact, mails) = (bridge.contact(id).expect("a contact").id, odoo.mails_about(id).await);

    assert!(bridge.dialler.portal().edit(contact, "City", "Hof"));
    for _ in 0..2 {
        assert_eq!(bridge.synced().await.len(), 0, "what went there costs nothing here");
    }
    assert_eq!(field(&odoo, id, "city").await, json!("Hof"));
    let dated = odoo.write_date(id).await;
    bridge.synced().await;
    assert_eq!(odoo.write_date(id).await, dated, "told once");
    odoo.write(&[id], json!({ "city": "Selb" })).await;
    assert_eq!(count(&bridge.synced().await, "update"), 1);
    assert_eq!(bridge.contact(id).expect("a contact").get("City"), json!("Selb"));

    odoo.write(&[id], json!({ "email": "clerk@example.com" })).await;
    assert!(bridge.dialler.portal().edit(contact, "Email", "agent@example.com"));
    // Else the pull would send the clerk's before anybody has seen the agent's.
    bridge.run(Job::Harvest).await;
    for _ in 0..3 {
        bridge.synced().await;
    }
    assert_eq!(field(&odoo, id, "email").await, json!("clerk@example.com"));
    assert_eq!(bridge.contact(id).expect("a contact").get("Email"), json!("agent@example.com"));
    let listed = bridge.binary(&["conflicts", "list", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(listed.text.trim()).expect("a document");
    assert_eq!(rows.len(), 1, "{}", listed.text);
    let number = rows[0]["conflict"].to_string();
    let words = ["conflicts", "resolve", &number, "--take", "dialler", "--reason", "asked the customer"];
    let said = bridge.binary(&words);
    assert_eq!(said.status, Some(0), "{}", said.text);
    for _ in 0..2 {
        bridge.synced().await;
    }
    assert_eq!(field(&odoo, id, "email").await, json!("agent@example.com"));
    assert_eq!(odoo.mails_about(id).await, mails, "nobody is mailed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn archived_deleted_and_merged_partners_leave_and_the_others_stay() {
    let odoo = Odoo::running();
    let ours = Ours::new("Leave");
    let ids = odoo.create((1..=8).map(|n| ours.partner(n)).collect()).await;
    let only_if = ours.only();
    let route = "[route.leads.leave]\narchived = [\"lock\", \"mark\"]\ndeleted = [\"lock\", \"mark\"]\n\
                 [route.leads.mark]\nTag = \"left\"\n";
    // The daemon's clock goes ahead by itself: Odoo's must not count as wrong.
    let connector = [("overlap    = \"1m\"", "overlap = \"2h\"")];
    let clock = Clock::Ahead(Duration::ZERO);
    let options = Options { only_if: &only_if, route, connector: &connector, clock, ..Options::default() };
    let mut bridge = Bridge::new(&odoo, options).await;
    bridge.synced().await;
    odoo.does(&["archive", &ids[0].to_string()]);
    odoo.does(&["unlink", &ids[1].to_string()]);
    odoo.does(&["merge", &ids[2].to_string(), &ids[3].to_string()]);
    bridge.synced().await;
    let state = |bridge: &Bridge| -> Vec<(bool, Value)> {
        let contacts = ids.iter().map(|id| bridge.contact(*id).expect("a contact"));
        contacts.map(|contact| (contact.locked, contact.get("Tag"))).collect()
    };
    let (left, stays) = ((true, json!("left")), (false, Value::Null));
    let mut expected = vec![stays; ids.len()];
    expected[0] = left.clone();
    assert_eq!(state(&bridge), expected, "of what is deleted Odoo shows no trace");

    let full = ["sync", "pull", "--route", "leads", "--full"];
    for _ in 0..2 {
        let said = bridge.binary(&full);
        assert_eq!(said.status, Some(0), "{}", said.text);
        bridge.synced().await;
        bridge.restart_later(Duration::from_secs(11 * 60)).await;
    }
    bridge.synced().await;
    expected[1] = left.clone();
    expected[2] = left;
    assert_eq!(state(&bridge), expected);
    assert_eq!(bridge.synced().await.len(), 0, "nothing changed");
}

/// The notes that tell of a call, on one partner.
async fn told(odoo: &Odoo, id: u64) -> Vec<u64> {
    let domain = json!([["model", "=", "res.partner"], ["res_id", "=", id], ["body", "ilike", "Call:"]]);
    let found = odoo.call("mail.message", "search", json!({ "domain": domain, "order": "id" })).await;
    serde_json::from_value(found).expect("ids")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn older_calls_are_told_on_purpose_and_what_somebody_deleted_is_not_put_there_again() {
    let odoo = Odoo::running();
    let ours = Ours::new("Late");
    let id = odoo.create(json!([ours.partner(1)])).await[0];
    let only_if = ours.only();
    let mut bridge = Bridge::new(&odoo, Options { only_if: &only_if, ..Options::default() }).await;
    bridge.synced().await;
    bridge.called(id, "NO_INTEREST").await;
    bridge.synced().await;
    let route = "write_back = \"0 0 29 2 *\"\n[route.leads.activity]\nbody = \"'Call: ' ~ outcome\"\n\
                 [route.leads.results]\nNO_INTEREST = \"declined\"\nAPPOINTMENT = \"appointment\"\n";
    bridge.configure(Options { only_if: &only_if, route, ..Options::default() });
    bridge.restart().await;
    bridge.synced().await;
    assert_eq!(told(&odoo, id).await, [0; 0], "it is older than the beginning");

    let zone = chrono_tz::Europe::Berlin;
    let day = |days: i64| {
        let then = dialbridge::env::Env::real().now() + chrono::TimeDelta::days(days);
        then.with_timezone(&zone).format("%Y-%m-%d").to_string()
    };
    let backfill = ["backfill", "--route", "leads", "--from", &day(-1), "--to", &day(0)];
    for _ in 0..2 {
        let said = bridge.binary(&backfill);
        assert_eq!(said.status, Some(0), "{}", said.text);
        bridge.synced().await;
        assert_eq!(told(&odoo, id).await.len(), 1, "once");
    }
    let plan = bridge.binary(&["plan", "--route", "leads"]);
    assert_eq!(plan.status, Some(0), "{}", plan.text);
    let drift = bridge.binary(&["reconcile", "--route", "leads"]);
    assert!(drift.text.contains("everything agrees"), "{}", drift.text);

    // Somebody deletes the note; a corrected result puts it there no more.
    let note = told(&odoo, id).await;
    odoo.call("mail.message", "unlink", json!({ "ids": note })).await;
    let contact = bridge.contact(id).expect("a contact").id;
    let row = bridge.dialler.history(contact)[0].id;
    assert!(bridge.dialler.portal().correct_result(contact, row, "APPOINTMENT"));
    for _ in 0..2 {
        bridge.synced().await;
    }
    assert_eq!(told(&odoo, id).await, [0; 0]);
    assert_eq!(odoo.mails_about(id).await, json!(0));
}
