//! What lies between a call and its result, and between an offer and the call.

use super::*;
use crate::sim::dialler::config::{BeforeResult, LockInPreview};
use serde_json::json;

/// One agent and nobody who calls in.
fn alone() -> AgentsConfig {
    AgentsConfig { agents: 1, idle: Span::seconds(1, 1), inbound: None, ..AgentsConfig::default() }
}

fn callable(sim: &DiallerSim, id: i64) -> bool {
    sim.with(|state, now| state.contact(id).is_some_and(|contact| state.is_callable(contact, now)))
}

fn sold_a_day_later() -> CallPlan {
    CallPlan::new(Outcome::Answered).result("SALE", Duration::from_secs(86_400))
}

#[tokio::test(start_paused = true)]
async fn a_contact_may_be_called_again_before_its_result_and_results_overlap() {
    let sim = sim_with(|config| config.before_result = BeforeResult::Offered);
    let id = one(&sim, "a-1");
    sim.call(id, sold_a_day_later());
    wait(&sim, 100).await;
    let answer = get(&sim, &format!("/dialler/contacts/{id}")).await.1;
    assert_eq!(answer["records"][0]["dtNextTry"], Value::Null, "no field shows it");
    assert!(!callable(&sim, id));
    wait(&sim, 2 * 3600).await;
    assert!(callable(&sim, id), "after the usual time between tries");
    sim.call(id, CallPlan::new(Outcome::Answered).result("CALL_LATER", Duration::from_secs(2 * 86_400)));
    wait(&sim, 600).await;
    let results = |sim: &DiallerSim| sim.history(id).iter().map(|row| row.result).collect::<Vec<_>>();
    assert_eq!(results(&sim), [None, None], "two outstanding");
    // The first result comes while a third call is under way: it frees nobody.
    wait(&sim, 86_400 - 2 * 3600 - 600).await;
    sim.call(id, CallPlan { talk: Duration::from_secs(3600), ..CallPlan::new(Outcome::Answered) });
    wait(&sim, 200).await;
    assert_eq!(results(&sim), [Some(5381), None]);
    assert!(matches!(sim.contact(id).expect("there").work, Work::InCall(_)));
    wait(&sim, 2 * 86_400).await;
    assert_eq!(results(&sim), [Some(5381), Some(5384), None]);
    assert!(!sim.contact(id).expect("there").is_final(), "the last that was recorded counts");
}

#[tokio::test(start_paused = true)]
async fn a_reset_contact_is_as_just_imported_though_its_result_is_still_to_come() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, sold_a_day_later());
    wait(&sim, 3 * 3600).await;
    assert!(!callable(&sim, id), "its result has not come");
    patch(&sim, &format!("/dialler/contacts/contact/{id}/reset")).await;
    assert!(callable(&sim, id));
    sim.call(id, CallPlan::new(Outcome::Answered).result("CALL_LATER", Duration::from_secs(86_400)));
    wait(&sim, 86_400 - 3 * 3600 + 200).await;
    assert!(sim.contact(id).expect("there").is_final(), "the first call's result came");
    assert!(
        matches!(sim.contact(id).expect("there").work, Work::AwaitsResult { .. }),
        "the second's has not"
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_is_looked_up_where_its_row_is_not_where_the_contact_went() {
    let sim = sim();
    sim.with(|state, _| {
        let winback = state.campaigns.get_mut(&551).expect("there");
        winback.results.retain(|code| code.export_key != "SALE");
    });
    let id = one(&sim, "a-1");
    sim.call(id, sold_a_day_later());
    wait(&sim, 40).await;
    let moved =
        json!({ "DiallerCampaignsID": 551, "UserData": "a-1", "Name": "Muster", "PhoneNumber1": "4930100" });
    let (status, _) = post(&sim, "/dialler/contacts/import?overwriteDuplicates=true", moved).await;
    assert_eq!(status, 200);
    wait(&sim, 2 * 86_400).await;
    assert_eq!(sim.contact(id).expect("there").campaign, 551);
    let row = sim.history(id).remove(0);
    assert_eq!((row.campaign, row.result), (538, Some(5381)));
    let (_, answer) = post(&sim, "/dialler/contacts", json!({ "IDList": [id] })).await;
    assert_eq!(answer["records"][0]["DiallerCampaignsResultCodes"]["ExportKey"], "SALE");
}

#[tokio::test(start_paused = true)]
async fn a_lock_between_the_offer_and_the_call_does_what_the_switch_says() {
    for (switch, dialled) in [(LockInPreview::Withdraws, 0), (LockInPreview::DialsOn, 1)] {
        let sim = sim_with(|config| config.lock_in_preview = switch);
        let id = one(&sim, "a-1");
        sim.start_agents(AgentsConfig { preview: Span::seconds(60, 60), ..alone() });
        wait(&sim, 5).await;
        sim.tick();
        assert!(matches!(sim.contact(id).expect("there").work, Work::Offered(_)));
        assert!(!callable(&sim, id), "nobody else is offered it");
        patch(&sim, &format!("/dialler/contacts/contact/{id}/lock")).await;
        wait(&sim, 3600).await;
        sim.tick();
        assert_eq!(sim.journal().dials().len(), dialled, "{switch:?}");
        for (offered, at, _) in sim.journal().offers() {
            assert_eq!((at - offered).num_seconds(), 60);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_home_calls_nobody_they_were_offered() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.start_agents(AgentsConfig { preview: Span::seconds(60, 60), ..alone() });
    wait(&sim, 5).await;
    sim.stop_agents();
    wait(&sim, 3600).await;
    assert!(sim.journal().dials().is_empty());
    assert!(callable(&sim, id));
}

#[tokio::test(start_paused = true)]
async fn an_agent_writes_a_comment_during_the_call() {
    let sim = sim();
    let id = one(&sim, "a-1");
    sim.call(id, CallPlan { comment: Some("wants a quote".to_owned()), ..CallPlan::new(Outcome::Answered) });
    wait(&sim, 30).await;
    assert_eq!(sim.contact(id).expect("there").get("Comment"), Value::Null);
    wait(&sim, 20).await;
    let contact = sim.contact(id).expect("there");
    assert_eq!((contact.get("Comment"), contact.dialling.tries_in_all()), (json!("wants a quote"), 0));
    sim.start_agents(AgentsConfig { comments: 1.0, outcomes: vec![(Outcome::Answered, 1.0)], ..alone() });
    wait(&sim, 6 * 3600).await;
    sim.tick();
    assert_ne!(sim.contact(id).expect("there").get("Comment"), json!("wants a quote"));
}
