//! Calls: rows after the fields, results after the rows, calls that leave no trace; agents by seed.

use super::*;
use chrono::TimeDelta;
use serde_json::json;

async fn fields(sim: &DiallerSim, id: i64) -> Value {
    get(sim, &format!("/dialler/contacts/{id}")).await.1["records"][0].clone()
}

async fn rows(sim: &DiallerSim, id: i64) -> Vec<Value> {
    let (_, answer) = get(sim, &format!("/dialler/contacts/contact/{id}/history")).await;
    answer["records"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn the_row_comes_after_the_fields_and_the_result_after_the_row() {
    let sim = sim();
    let id = one(&sim, "a-1");
    let before = fields(&sim, id).await;
    sim.call(id, CallPlan::new(Outcome::Answered).result("NO_INTEREST", Duration::from_secs(86_400)));
    wait(&sim, 69).await;
    assert_eq!(fields(&sim, id).await, before, "in the call nothing moves");
    wait(&sim, 2).await;
    let called = fields(&sim, id).await;
    assert_eq!((&called["nTriesPhoneNumber1"], &called["nPhoneNumber1LastCause"]), (&json!(1), &json!(16)));
    assert!(rows(&sim, id).await.is_empty(), "the row comes 20 s after the end");
    wait(&sim, 20).await;
    let row = rows(&sim, id).await.remove(0);
    assert_eq!(row.as_object().expect("an object").len(), 30);
    for (key, value) in [
        ("UserData", json!("a-1")),
        ("ANumber", json!("4930100")),
        ("PhoneNumber", json!("4930100")),
        ("PhoneNumberOffset", json!(1)),
        ("bOutbound", json!(true)),
        ("UsersID", json!(3)),
        ("DiallerCampaignsResultCodesID", Value::Null),
        ("dtCallStart", json!("2026-01-12T12:00:00.000")),
        ("dtCallConnect", json!("2026-01-12T12:00:10.000")),
        ("dtCallEnd", json!("2026-01-12T12:01:10.000")),
        ("dtCreatedDiallerContactsHistory", json!("2026-01-12T12:01:30.000")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    wait(&sim, 86_400).await;
    let decided = fields(&sim, id).await;
    assert_eq!(decided, called, "a final result moves no field of the plain list");
    let row = rows(&sim, id).await.remove(0);
    assert_eq!(row["DiallerResultCodesTypesID"], 2);
    assert!(sim.contact(id).expect("there").is_final());
    sim.configure(|config| config.result_in_list = true);
    assert_eq!(fields(&sim, id).await["DiallerCampaignsResultCodesID"], row["DiallerCampaignsResultCodesID"]);
}

#[tokio::test(start_paused = true)]
async fn inbound_test_and_broken_off_calls_move_no_field() {
    let sim = sim();
    let id = one(&sim, "a-1");
    let before = fields(&sim, id).await;
    sim.inbound_call(id, Duration::from_secs(30));
    let mut test = CallPlan::new(Outcome::Answered);
    test.test = true;
    sim.call(id, test);
    sim.call(id, CallPlan::new(Outcome::BrokenOff));
    wait(&sim, 300).await;
    assert_eq!(fields(&sim, id).await, before);
    let rows = rows(&sim, id).await;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows.iter().filter(|row| row["bOutbound"] == false).count(), 1);
    assert_eq!(rows.iter().filter(|row| row["bTestCall"] == true).count(), 1);
    assert_eq!(rows.iter().filter(|row| row["dtCallConnect"].is_null()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_inbound_call_can_end_a_contact_without_a_try() {
    let sim = sim();
    let mut campaign = SimCampaign::new(538, "Spring leads");
    campaign.close_on_inbound = true;
    sim.add_campaign(campaign);
    let id = one(&sim, "a-1");
    sim.inbound_call(id, Duration::from_secs(5));
    wait(&sim, 120).await;
    let contact = sim.contact(id).expect("there");
    assert_eq!((contact.is_final(), contact.dialling.tries_in_all()), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reset_between_two_like_calls_leaves_the_fields_as_they_were() {
    let sim = sim();
    let id = one(&sim, "a-1");
    let plan = || CallPlan::new(Outcome::Answered).result("SALE", Duration::from_secs(10));
    sim.call(id, plan());
    wait(&sim, 300).await;
    let first = fields(&sim, id).await;
    patch(&sim, &format!("/dialler/contacts/contact/{id}/reset")).await;
    assert_ne!(fields(&sim, id).await, first);
    sim.call(id, plan());
    wait(&sim, 300).await;
    assert_eq!(fields(&sim, id).await, first, "A-B-A");
    assert_eq!(rows(&sim, id).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_dialler_gives_up_by_itself_on_a_row_without_a_call() {
    let sim = sim();
    let tired = one(&sim, "a-1");
    let dead = one(&sim, "a-2");
    for _ in 0..5 {
        sim.call(tired, CallPlan::new(Outcome::NoAnswer));
        wait(&sim, 60).await;
    }
    sim.call(dead, CallPlan::new(Outcome::InvalidNumber));
    wait(&sim, 60).await;
    for (id, key) in [(tired, "MAX_TRIES"), (dead, "NO_NUMBER")] {
        let query = json!({ "IDList": [id] });
        let (_, answer) = post(&sim, "/dialler/contacts", query).await;
        let record = &answer["records"][0];
        assert_eq!(record["DiallerCampaignsResultCodes"]["ExportKey"], key);
        let rows = record["DiallerContactsHistory"].as_array().expect("rows");
        let last = rows.last().expect("a row");
        assert_eq!((&last["dtCallStart"], &last["UsersID"]), (&Value::Null, &Value::Null));
        assert_eq!(last["DiallerCampaignsResultCodesID"], record["DiallerCampaignsResultCodesID"]);
    }
    assert_eq!(fields(&sim, dead).await["bPhoneNumber1Invalid"], true);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_corrects_after_a_week() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, CallPlan::new(Outcome::Answered).result("SALE", Duration::from_secs(10)));
    wait(&sim, 7 * 86_400).await;
    let row = sim.history(id)[0].id;
    assert!(sim.portal().correct_result(id, row, "DO_NOT_CALL"));
    assert!(!sim.portal().correct_result(id, row, "NO_SUCH_CODE"));
    assert_eq!(sim.history(id)[0].result, Some(5383));
    let corrected = |what: &What| matches!(what, What::ResultRecorded { corrected: true, .. });
    assert_eq!(sim.journal().effects_where(|deed| corrected(&deed.effect.what)).len(), 1);
}

fn callable(sim: &DiallerSim, id: i64) -> bool {
    sim.with(|state, now| state.contact(id).is_some_and(|contact| state.is_callable(contact, now)))
}

#[tokio::test(start_paused = true)]
async fn only_callable_contacts_are_offered() {
    let sim = sim();
    let number = ("PhoneNumber1", "4930100");
    let id = one(&sim, "a-1");
    assert!(callable(&sim, id));
    sim.portal().lock(id);
    assert!(!callable(&sim, id));
    sim.portal().unlock(id);
    sim.call(id, CallPlan::new(Outcome::NoAnswer));
    assert!(!callable(&sim, id), "in a call");
    wait(&sim, 60).await;
    assert!(!callable(&sim, id), "before its next try");
    wait(&sim, 2 * 3600).await;
    assert!(callable(&sim, id));
    // It is noon plus two hours in Berlin, an hour less in UTC: the dates are local.
    let ended = sim.put(538, &[("Name", "E"), number, ("dtEndDate", "2026-01-12T14:00:30")]);
    let begun = sim.put(538, &[("Name", "B"), number, ("dtBeginDate", "2026-01-12T14:00:30")]);
    assert!(!callable(&sim, ended) && callable(&sim, begun));
    let silent = sim.put(538, &[("Name", "S")]);
    assert!(!callable(&sim, silent));
}

fn busy_house(seed: u64, contacts: usize) -> DiallerSim {
    let env = Env::simulated("2026-01-12T08:00:00Z".parse().expect("a time"), seed);
    let sim = DiallerSim::new(DiallerConfig::default(), env);
    sim.seed(538, "a", contacts);
    sim.start_agents(AgentsConfig::default());
    sim
}

#[tokio::test(start_paused = true)]
async fn agents_dial_by_seed_and_every_promise_about_order_holds() {
    let dials = |sim: &DiallerSim| -> Vec<_> { sim.journal().dials() };
    let run = |seed, until: &str| {
        let sim = busy_house(seed, 200);
        sim.run_until(until.parse().expect("a time"));
        sim
    };
    let day = "2026-01-13T08:00:00Z";
    assert_eq!(dials(&run(5, day)), dials(&run(5, day)));
    assert_ne!(dials(&run(5, day)), dials(&run(6, day)));
    let sim = run(5, "2026-01-22T08:00:00Z");
    assert!(dials(&sim).len() > 400, "{}", dials(&sim).len());
    let (mut late, mut inbound, mut automatic) = (0, 0, 0);
    for contact in sim.read(|state| state.contacts().cloned().collect::<Vec<_>>()) {
        let rows = sim.history(contact.id);
        assert!(rows.is_sorted_by_key(|row| row.id));
        let outbound = rows.iter().filter(|row| {
            row.call.as_ref().is_some_and(|call| call.outbound && !call.test && call.connres != 4)
        });
        assert_eq!(u32::try_from(outbound.count()).expect("few"), contact.dialling.tries_in_all());
        for row in &rows {
            automatic += u32::from(row.call.is_none());
            let Some(call) = &row.call else { continue };
            inbound += u32::from(!call.outbound);
            let delay = row.created - call.end.expect("an end");
            assert!(delay >= TimeDelta::seconds(5) && delay <= TimeDelta::seconds(60), "{delay}");
        }
    }
    for deed in sim.journal().effects() {
        let What::ResultRecorded { row, .. } = deed.effect.what else { continue };
        let rows = sim.history(deed.effect.contact);
        let created = rows.iter().find(|known| known.id == row).expect("its row").created;
        late += u32::from(deed.at - created > TimeDelta::minutes(10));
    }
    assert!(
        late > 5 && inbound > 50 && automatic > 5,
        "{late} late, {inbound} inbound, {automatic} automatic"
    );
    let corrections = sim
        .journal()
        .effects_where(|deed| matches!(deed.effect.what, What::ResultRecorded { corrected: true, .. }));
    assert!(!corrections.is_empty(), "a correction after a week");
}

#[tokio::test(start_paused = true)]
async fn what_is_locked_is_not_dialled_and_stopped_agents_rest() {
    let sim = busy_house(9, 50);
    let ids: Vec<i64> = sim.read(|state| state.contacts().map(|contact| contact.id).collect());
    for id in &ids[..25] {
        patch(&sim, &format!("/dialler/contacts/contact/{id}/lock")).await;
    }
    wait(&sim, 4 * 3600).await;
    sim.tick();
    let dialled: Vec<i64> = sim.journal().dials().into_iter().map(|(_, id, _)| id).collect();
    assert!(dialled.iter().any(|id| ids[25..].contains(id)));
    assert!(!dialled.iter().any(|id| ids[..25].contains(id)));
    assert!(sim.journal().dials_after_lock().is_empty());
    assert!(!sim.journal().dials_of_number("+49 30 00000040").is_empty());
    sim.stop_agents();
    let before = sim.journal().dials().len();
    wait(&sim, 86_400).await;
    sim.tick();
    assert_eq!(sim.journal().dials().len(), before);
    // At night nobody works.
    sim.start_agents(AgentsConfig { hours: Some((1, 2)), inbound: None, ..AgentsConfig::default() });
    wait(&sim, 3600).await;
    sim.tick();
    assert_eq!(sim.journal().dials().len(), before);
    assert!(sim.next_due().is_some());
}
