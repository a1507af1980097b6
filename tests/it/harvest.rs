//! Harvest against the simulated dialler, in process and under virtual time: every way in which a call
//! can come without the fingerprint telling (semantics 1), and absence as a question (semantics 2).

use chrono::TimeDelta;
use dialbridge::app::in_process::InProcess;
use dialbridge::dialler::jtel::{JtelClient, JtelConfig};
use dialbridge::domain::{CampaignId, ContactId, Timestamp};
use dialbridge::env::Env;
use dialbridge::jobs::harvest::{Brake, HarvestContext, HarvestReport, HarvestSettings, Listed, harvest};
use dialbridge::ledger::{CallFilter, CallView, Ledger};
use dialbridge::remote::{Auth, AuthScheme, Client, ClientConfig, Side};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, DiallerSim, Outcome};
use dialbridge::sim::faults::{Action, Effect, RetryAfter, Rule};
use std::sync::Arc;
use std::time::Duration;

const CAMPAIGN: i64 = 538;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

struct House {
    sim: DiallerSim,
    ctx: HarvestContext,
    _folder: tempfile::TempDir,
}

async fn house(config: DiallerConfig) -> House {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("an instant");
    let env = Env::simulated(start, 7);
    let sim = DiallerSim::new(config, env.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let ledger =
        Ledger::open_simulated(&folder.path().join("ledger.sqlite"), env.clone()).await.expect("a ledger");
    let client = Client::new(
        Side::Dialler,
        ClientConfig { body_check: Some(dialbridge::dialler::jtel::body_check()), ..ClientConfig::default() },
        Arc::new(InProcess::new(sim.router())),
        Auth::fixed(AuthScheme::Bearer, "sim-token".to_owned().into()),
        env.clone(),
        None,
    );
    let base = "http://dialler.invalid/rest/v1.0/3";
    let dialler = JtelClient::new(JtelConfig::new(base, chrono_tz::Europe::Berlin), client);
    let ctx = HarvestContext {
        ledger,
        env,
        dialler: Arc::new(dialler),
        zone: chrono_tz::Europe::Berlin,
        to_e164: Arc::new(|number: &str| Some(format!("+{number}"))),
        listed: vec![Listed { campaign: CampaignId(CAMPAIGN), every: Some(TimeDelta::minutes(5)) }],
        settings: HarvestSettings::default(),
        next_due: None,
        cause: "schedule",
    };
    House { sim, ctx, _folder: folder }
}

impl House {
    fn contact(&self, name: &str) -> i64 {
        self.sim.put(
            CAMPAIGN,
            &[("Name", name), ("UserData", &format!("leads-{name}")), ("PhoneNumber1", "4930123456")],
        )
    }

    async fn harvest(&self) -> HarvestReport {
        harvest(&self.ctx, CampaignId(CAMPAIGN)).await.expect("a harvest")
    }

    /// Lets time pass with a harvest every five minutes, after the first hour every hour; what they did
    /// together.
    async fn live(&self, how_long: TimeDelta) -> Lived {
        let (begin, end) = (self.ctx.env.now(), self.ctx.env.now() + how_long);
        let mut lived = Lived::default();
        while self.ctx.env.now() < end {
            let lately = self.ctx.env.now() - begin < TimeDelta::hours(1);
            self.ctx.env.sleep(SECONDS(if lately { 300 } else { 3600 })).await;
            let report = self.harvest().await;
            lived.found_by_audit += report.sweep.found_by_audit;
            lived.calls_new += report.counts.calls_new;
            lived.calls_changed += report.counts.calls_changed;
            lived.gone += report.gone;
        }
        lived
    }

    async fn calls(&self) -> Vec<CallView> {
        self.ctx.ledger.calls_list(CallFilter::default(), 1_000).await.expect("calls")
    }

    /// Every row of the simulator stands in the ledger with its result, and no other.
    async fn assert_complete(&self, contact: i64) {
        let mut there: Vec<(i64, Option<i64>)> =
            self.sim.history(contact).iter().map(|row| (row.id, row.result)).collect();
        let mut here: Vec<(i64, Option<i64>)> = self
            .calls()
            .await
            .iter()
            .filter(|call| call.contact == ContactId(contact))
            .map(|call| (call.call.0, call.result_code))
            .collect();
        there.sort_unstable();
        here.sort_unstable();
        assert_eq!(here, there);
    }

    fn requests(&self, kind: &str) -> usize {
        self.sim.journal().requests_of(kind).len()
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Lived {
    found_by_audit: i64,
    calls_new: i64,
    calls_changed: i64,
    gone: i64,
}

fn answered(row_delay: u64) -> CallPlan {
    CallPlan { row_delay: SECONDS(row_delay), ..CallPlan::new(Outcome::Answered) }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_after_the_fields_is_read_by_the_ladder() {
    for batch_read in [true, false] {
        let house = house(DiallerConfig { batch_read, ..DiallerConfig::default() }).await;
        let id = house.contact("A");
        house.harvest().await;
        house.sim.call(id, answered(50).result("SALE", SECONDS(30)));
        // The call has ended, its row is not there yet: this sweep sees the counters move.
        house.ctx.env.sleep(SECONDS(80)).await;
        let report = house.harvest().await;
        assert_eq!((report.counts.calls_new, house.sim.history(id).len()), (0, 0), "the test must be early");
        assert_eq!(report.sweep.not_adding_up, 1, "a try without a row");
        let lived = house.live(TimeDelta::minutes(20)).await;
        assert_eq!(lived.found_by_audit, 0);
        house.assert_complete(id).await;
        assert_eq!(house.calls().await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_ladder_that_row_is_missed() {
    let mut house = house(DiallerConfig { result_in_list: true, ..DiallerConfig::default() }).await;
    house.ctx.settings.rules.ladder.clear();
    house.ctx.settings.rules.audit = None;
    let id = house.contact("A");
    house.harvest().await;
    house.sim.call(id, answered(50));
    house.ctx.env.sleep(SECONDS(80)).await;
    house.harvest().await;
    house.live(TimeDelta::minutes(20)).await;
    assert_eq!(
        (house.sim.history(id).len(), house.calls().await.len()),
        (1, 0),
        "the ladder is what finds it"
    );
}

#[tokio::test(start_paused = true)]
async fn results_that_come_hours_later_are_seen_with_and_without_the_code_in_the_list() {
    for result_in_list in [true, false] {
        for hours in [0, 1, 20, 70] {
            let house = house(DiallerConfig { result_in_list, ..DiallerConfig::default() }).await;
            let id = house.contact("A");
            house.harvest().await;
            house.sim.call(id, answered(20).result("NO_INTEREST", SECONDS(600 + hours * 3600)));
            house.live(TimeDelta::minutes(10)).await;
            assert_eq!(house.calls().await[0].result_state, "waiting");
            house.live(TimeDelta::hours(i64::try_from(hours).expect("small") + 25)).await;
            house.assert_complete(id).await;
            let call = &house.calls().await[0];
            assert_eq!(call.result_key.as_deref(), Some("NO_INTEREST"));
            assert_eq!((call.result_state.as_str(), call.revision), ("given", 2));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_gets_a_result_says_so_after_seven_days_and_is_read_no_more() {
    let mut house = house(DiallerConfig { result_in_list: true, ..DiallerConfig::default() }).await;
    house.ctx.settings.rules.audit = None;
    let id = house.contact("A");
    house.harvest().await;
    house.sim.call(id, answered(20));
    house.live(TimeDelta::days(7) - TimeDelta::hours(1)).await;
    assert_eq!(house.calls().await[0].result_state, "waiting");
    house.live(TimeDelta::hours(2)).await;
    assert_eq!(house.calls().await[0].result_state, "no result given");
    let before = house.requests("batch");
    house.live(TimeDelta::days(2)).await;
    assert_eq!(house.requests("batch"), before, "nothing is due any more");
}

#[tokio::test(start_paused = true)]
async fn an_inbound_call_that_moves_no_field_is_found_by_the_audit_and_by_nothing_else() {
    let mut house = house(DiallerConfig { result_in_list: true, ..DiallerConfig::default() }).await;
    let id = house.contact("A");
    house.harvest().await;
    house.live(TimeDelta::hours(26)).await;
    house.sim.inbound_call(id, SECONDS(30));
    let audit = house.ctx.settings.rules.audit.take();
    house.live(TimeDelta::days(8)).await;
    assert_eq!(
        (house.sim.history(id).len(), house.calls().await.len()),
        (1, 0),
        "without the audit it is missed"
    );
    house.ctx.settings.rules.audit = audit;
    let lived = house.live(TimeDelta::days(7)).await;
    house.assert_complete(id).await;
    assert!(lived.found_by_audit >= 1, "{lived:?}");
    assert!(house.ctx.ledger.found_by_audit().await.expect("a number") >= 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_fields_after_a_reset_hide_a_call_but_not_for_long() {
    let house = house(DiallerConfig { result_in_list: true, ..DiallerConfig::default() }).await;
    let id = house.contact("A");
    house.sim.call(id, answered(20).result("SALE", SECONDS(10)));
    house.live(TimeDelta::hours(1)).await;
    assert_eq!(house.calls().await.len(), 1);
    // Between two sweeps: reset, called again, the same outcome. Every field is as it was.
    house.sim.portal().reset(id);
    house.sim.call(id, answered(5).result("SALE", SECONDS(5)));
    house.live(TimeDelta::days(1)).await;
    assert_eq!(house.sim.history(id).len(), 2);
    house.assert_complete(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_correction_after_a_week_is_a_revision() {
    let house = house(DiallerConfig::default()).await;
    let id = house.contact("A");
    house.harvest().await;
    house.sim.call(id, answered(20).result("SALE", SECONDS(10)));
    house.live(TimeDelta::days(8)).await;
    let row = house.sim.history(id)[0].id;
    assert!(house.sim.portal().correct_result(id, row, "DO_NOT_CALL"));
    house.live(TimeDelta::hours(2)).await;
    house.assert_complete(id).await;
    let calls = house.calls().await;
    assert_eq!((calls[0].result_key.as_deref(), calls[0].revision), (Some("DO_NOT_CALL"), 2));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_campaign_costs_one_list_and_its_due_reads_only() {
    let mut house = house(DiallerConfig { result_in_list: true, ..DiallerConfig::default() }).await;
    house.ctx.settings.rules.audit = None;
    house.sim.seed(CAMPAIGN, "leads", 450);
    let first = house.harvest().await;
    assert_eq!((first.counts.listed, first.counts.foreign_contacts), (450, 450));
    assert_eq!((first.sweep.requests_changed, first.sweep.read_changed), (5, 450));
    house.live(TimeDelta::hours(25)).await;
    let mark = house.sim.journal().requests().len();
    let report = house.harvest().await;
    assert_eq!(house.sim.journal().requests().len(), mark + 1, "the list, and nothing else");
    assert_eq!((report.counts.requests, report.sweep.requests_due), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn absence_is_asked_about_twice_before_it_is_believed() {
    let house = house(DiallerConfig::default()).await;
    house.sim.seed(CAMPAIGN, "leads", 60);
    house.harvest().await;
    let ids: Vec<i64> = house.sim.read(|state| state.contacts().map(|c| c.id).collect());
    house.sim.portal().delete(ids[3]);
    house.sim.portal().move_to(ids[4], 551);
    house.ctx.env.sleep(SECONDS(300)).await;
    let first = house.harvest().await;
    assert_eq!(
        (first.sweep.missing, first.asked_singly + first.sweep.requests_single, first.gone),
        (2, 2, 0)
    );
    house.ctx.env.sleep(SECONDS(300)).await;
    assert_eq!(house.harvest().await.gone, 0, "five minutes are too short");
    house.ctx.env.sleep(SECONDS(301)).await;
    assert_eq!(house.harvest().await.gone, 1);
    house.ctx.env.sleep(SECONDS(300)).await;
    assert_eq!(
        house.harvest().await.sweep.missing,
        0,
        "gone is gone, and whoever was moved is not asked about again"
    );
}

#[tokio::test(start_paused = true)]
async fn the_brake_holds_when_too_many_are_missing() {
    let mut house = house(DiallerConfig::default()).await;
    house.sim.seed(CAMPAIGN, "leads", 60);
    house.harvest().await;
    let ids: Vec<i64> = house.sim.read(|state| state.contacts().map(|c| c.id).collect());
    for id in &ids[..20] {
        house.sim.portal().delete(*id);
    }
    let report = house.harvest().await;
    assert_eq!((report.sweep.missing, report.sweep.requests_single), (20, 0));
    assert!(report.sweep.remark.expect("it says so").contains("20 of 60"));
    house.ctx.settings.brake = Brake::Off;
    let lived = house.live(TimeDelta::minutes(30)).await;
    assert_eq!(lived.gone, 20);
}

#[tokio::test(start_paused = true)]
async fn agents_dial_for_a_day_and_every_row_arrives_once() {
    for batch_read in [true, false] {
        let house = house(DiallerConfig { batch_read, ..DiallerConfig::default() }).await;
        house.sim.seed(CAMPAIGN, "leads", 12);
        house.sim.start_agents(dialbridge::sim::dialler::AgentsConfig::default());
        house.live(TimeDelta::days(1)).await;
        house.sim.stop_agents();
        house.live(TimeDelta::days(4)).await;
        let ids: Vec<i64> = house.sim.read(|state| state.contacts().map(|c| c.id).collect());
        let rows: usize = ids.iter().map(|id| house.sim.history(*id).len()).sum();
        assert!(rows > 20, "the agents must have worked: {rows}");
        for id in ids {
            house.assert_complete(id).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_contact_that_always_fails_keeps_nobody_else_from_being_read() {
    let broken =
        || Rule::new(Action::Status { code: 500, retry_after: RetryAfter::Absent, effect: Effect::None });
    for batch_read in [true, false] {
        let house = house(DiallerConfig { batch_read, ..DiallerConfig::default() }).await;
        let bad = house.contact("bad");
        let good: Vec<i64> = (0..20).map(|n| house.contact(&format!("good{n}"))).collect();
        house.sim.faults().add(broken().method(http::Method::POST).body(&bad.to_string()));
        house.sim.faults().add(broken().path(&format!("/{bad}/history")));
        for id in &good {
            house.sim.call(*id, answered(5));
        }
        house.live(TimeDelta::minutes(30)).await;
        for id in good {
            house.assert_complete(id).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_with_an_unreadable_element_is_read_and_proves_no_absence() {
    let mut house = house(DiallerConfig::default()).await;
    // Only the list could say that somebody is gone.
    house.ctx.settings.rules.ladder.clear();
    house.ctx.settings.rules.audit = None;
    house.sim.seed(CAMPAIGN, "leads", 60);
    house.harvest().await;
    let ids: Vec<i64> = house.sim.read(|state| state.contacts().map(|c| c.id).collect());
    house.sim.portal().delete(ids[40]);
    house.sim.call(ids[50], answered(5));
    let rule = house.sim.faults().add(Rule::new(Action::BrokenElement).path("dialler/contacts?"));
    let lived = house.live(TimeDelta::minutes(60)).await;
    assert_eq!((lived.calls_new, lived.gone), (1, 0), "the others are read all the same");
    let report = house.harvest().await;
    assert_eq!((report.sweep.complete, report.sweep.missing, report.sweep.contacts), (false, 0, 58));
    assert!(report.sweep.remark.expect("it says so").contains("1 elements of the list"));
    house.sim.faults().remove(rule);
    assert_eq!(house.live(TimeDelta::minutes(60)).await.gone, 1, "the one that was deleted, and no other");
}
