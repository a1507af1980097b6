//! Who must not be called, both ways, between a real Odoo and the simulated dialler; and who may write into it.

use crate::real_odoo::Ours;
use crate::support::bridge::{Bridge, Options};
use crate::support::odoo::Odoo;
use serde_json::{Value, json};

const TOLD: &str = "write_back = \"0 0 29 2 *\"\nopt_out_results = [\"DO_NOT_CALL\"]\n";

fn key_of_new_user(odoo: &Odoo, may: &str) -> String {
    odoo.does(&["new-user", may]).as_str().expect("a key").to_owned()
}

async fn field(odoo: &Odoo, ids: &[u64], name: &str) -> Vec<Value> {
    let rows = odoo.call("res.partner", "read", json!({ "ids": ids, "fields": [name] })).await;
    rows.as_array().expect("a list").iter().map(|row| row[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_no_goes_into_the_phone_blacklist_and_one_from_there_locks() {
    let odoo = Odoo::running();
    let ours = Ours::new("No");
    let ids = odoo.create((1..=4).map(|n| ours.partner(n)).collect()).await;
    for id in &ids {
        odoo.follows_itself(*id).await;
    }
    let tags = json!({ "vals_list": [{ "name": ours.reference }] });
    let tag = odoo.call("res.partner.category", "create", tags).await[0].clone();
    let route = format!(
        "{TOLD}[route.leads.block_fields]\nphone_blacklist = \"numbers\"\ncategory_id = \"[[4, {tag}]]\""
    );
    let only_if = ours.only();
    let options = Options { only_if: &only_if, route: &route, ..Options::default() };
    let mut bridge = Bridge::new(&odoo, options).await;
    let check = bridge.binary(&["check"]);
    assert!(
        check.status == Some(1) && check.text.contains("may not write phone_blacklist"),
        "{}",
        check.text
    );
    bridge.secret("crm.token", &key_of_new_user(&odoo, "blacklist"));
    bridge.restart().await;
    let check = bridge.binary(&["check"]);
    assert!(check.status == Some(0) && check.text.contains("may write phone_blacklist"), "{}", check.text);

    bridge.synced().await;
    // The first says it to an agent, the second to an operator, the third to somebody at Odoo, the fourth to nobody.
    bridge.called(ids[0], "DO_NOT_CALL").await;
    let said = bridge.binary(&["block", "add", "--number", &ours.phone(2), "--reason", "asked us"]);
    assert_eq!(said.status, Some(0), "{}", said.text);
    odoo.does(&["blacklist", &ours.phone(3)]);
    for _ in 0..2 {
        bridge.synced().await;
    }
    assert_eq!(field(&odoo, &ids, "phone_sanitized_blacklisted").await, [true, true, true, false]);
    let told = [json!([tag]), json!([tag]), json!([]), json!([])];
    assert_eq!(field(&odoo, &ids, "category_id").await, told);
    let locked: Vec<bool> = ids.iter().map(|id| bridge.contact(*id).expect("a contact").locked).collect();
    assert_eq!(locked, [true, true, true, false]);
    for id in &ids {
        assert_eq!(odoo.mails_about(*id).await, json!(0));
    }

    let (dated, writes) = (field(&odoo, &ids, "write_date").await, bridge.dialler.journal().write_count());
    for _ in 0..2 {
        bridge.synced().await;
    }
    assert_eq!(field(&odoo, &ids, "write_date").await, dated, "told once");
    assert_eq!(bridge.dialler.journal().write_count(), writes, "what we wrote costs the dialler nothing");
    assert_eq!(bridge.parked(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the real Odoo: .ci/run starts it"]
async fn a_user_who_may_only_read_is_named_by_check_before_anything_is_told() {
    let odoo = Odoo::running();
    let ours = Ours::new("Rights");
    odoo.create(json!([ours.partner(1)])).await;
    let route = format!(
        "{TOLD}[route.leads.activity]\nbody = \"'Call'\"\n[route.leads.result_fields]\nfunction = \"last_result\""
    );
    let only_if = ours.only();
    let bridge = Bridge::new(&odoo, Options { only_if: &only_if, route: &route, ..Options::default() }).await;
    let rights = ["add activities", "write fields of records"];
    let check = bridge.binary(&["check"]);
    assert_eq!(check.status, Some(0), "{}", check.text);
    assert!(rights.iter().all(|right| check.text.contains(&format!("may {right}"))), "{}", check.text);
    bridge.secret("crm.token", &key_of_new_user(&odoo, "reads"));
    let check = bridge.binary(&["check"]);
    assert_eq!(check.status, Some(1), "{}", check.text);
    assert!(rights.iter().all(|right| check.text.contains(&format!("may not {right}"))), "{}", check.text);
}
