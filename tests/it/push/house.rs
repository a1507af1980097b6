//! A ledger, a simulated dialler in process, and records stored as a pull stores them.

use dialbridge::app::in_process::InProcess;
use dialbridge::dialler::ImportMode;
use dialbridge::dialler::jtel::{JtelClient, JtelConfig};
use dialbridge::domain::limits::WaveLimits;
use dialbridge::domain::policy::{AdoptConflict, CampaignChange, RouteState, Vanished};
use dialbridge::domain::scope::Before;
use dialbridge::domain::{
    Block, BlockSubject, CampaignId, CrmSide, Desired, DesiredValue, FieldName, PinnedCampaign, Policy,
    Reason, ReasonCode, RecordId, RouteName, Timestamp, UserData,
};
use dialbridge::env::Env;
use dialbridge::jobs::JobError;
use dialbridge::jobs::push::{PushContext, PushLimits, PushReport, PushRoute, Refresher, Resting, push};
use dialbridge::ledger::{
    Basis, BlockWord, Counts, Ledger, LiftedOne, PageStore, PulledRecord, RouteFacts, RunEnd, RunStart, Said,
};
use dialbridge::remote::{Auth, AuthScheme, Client, ClientConfig, Side, ports};
use dialbridge::runtime::Scope;
use dialbridge::sim::dialler::{DiallerConfig, DiallerSim, SimContact};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const CAMPAIGN: i64 = 538;
pub const ELSEWHERE: i64 = 551;

/// A record in the CRM's words: fields by dialler name.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

pub struct House {
    pub sim: DiallerSim,
    pub env: Env,
    pub ctx: PushContext,
    pub crm: Arc<Crm>,
    _folder: tempfile::TempDir,
}

/// What stands in the CRM, and whether it can be read.
pub struct Crm {
    ledger: Ledger,
    env: Env,
    records: Mutex<std::collections::BTreeMap<String, CrmSide>>,
    pub readable: AtomicBool,
    pub asked: AtomicUsize,
}

pub fn route() -> RouteName {
    RouteName::from("leads")
}

/// A desired record; an empty text is an emptied field.
pub fn desired(fields: Fields<'_>) -> Desired {
    let value = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    fields
        .iter()
        .map(|(name, text)| {
            let name = FieldName::parse(name).expect("a field");
            (name, DesiredValue { crm: value(text), send: value(text) })
        })
        .collect()
}

impl Crm {
    /// Stores records as a pull does.
    async fn store(&self, ids: &[String]) -> Counts {
        self.store_with_hints(ids, Vec::new()).await
    }

    /// Reads what hints name, as the next pull does.
    async fn answer_hints(&self) {
        let hints = self.ledger.hints_waiting(route(), 100).await.expect("hints");
        let mut ids: Vec<String> = hints.iter().map(|hint| hint.record.0.clone()).collect();
        ids.sort();
        ids.dedup();
        if !ids.is_empty() {
            self.store_with_hints(&ids, hints.iter().map(|hint| hint.id).collect()).await;
        }
    }

    async fn store_with_hints(&self, ids: &[String], hints_taken: Vec<i64>) -> Counts {
        let start = RunStart {
            job: dialbridge::domain::policy::Job::Pull,
            route: Some(route()),
            campaign: None,
            cause: "schedule",
        };
        let run = self.ledger.run_start(start).await.expect("a run");
        let records = {
            let all = self.records.lock().expect("the records");
            ids.iter().map(|id| self.pulled(id, &all[id])).collect()
        };
        let page = PageStore {
            route: route(),
            client: "house".to_owned(),
            crm: "sales".to_owned(),
            object: "person".to_owned(),
            policy: policy(),
            unblock: dialbridge::domain::policy::Unblock::Person,
            run,
            decided_at: self.env.now(),
            records,
            missing: Vec::new(),
            gone: Vec::new(),
            survivor: None,
            unidentified: Vec::new(),
            hints_taken,
            decide: dialbridge::sync::decide,
        };
        let counts = self.ledger.page_store(page).await.expect("a page");
        let end = RunEnd::Failed("a part of a pull".to_owned());
        self.ledger.run_finish(run, end, counts).await.expect("the run's end");
        counts
    }

    fn pulled(&self, id: &str, crm: &CrmSide) -> PulledRecord {
        let numbers = match crm {
            CrmSide::Eligible(desired) => desired
                .iter()
                .filter(|(field, _)| field.is_phone())
                .filter_map(|(_, value)| Some(format!("+{}", value.send.as_str()?)))
                .collect(),
            CrmSide::Gone(_) | CrmSide::Ineligible(_) => Vec::new(),
            CrmSide::Uncallable(_) | CrmSide::Unusable(_) => Vec::new(),
        };
        PulledRecord {
            id: RecordId::from(id),
            hash: format!("{crm:?}").into_bytes(),
            modified: None,
            user_data: Ok(UserData::parse(&format!("leads-{id}")).expect("a key")),
            numbers,
            block: BlockWord::Unknown,
            no_rests_on: None,
            crm: crm.clone(),
            kept: None,
            basis: Basis::Read,
            before: Before::Untold,
            notes: Vec::new(),
        }
    }
}

#[async_trait::async_trait]
impl Refresher for Crm {
    async fn decide_anew(&self, _route: &RouteName, ids: Vec<RecordId>) -> Result<Vec<RecordId>, JobError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !self.readable.load(Ordering::Relaxed) {
            return Err(JobError::Stopped("the CRM cannot be read".to_owned()));
        }
        self.store(&ids.iter().map(|id| id.0.clone()).collect::<Vec<_>>()).await;
        Ok(ids)
    }
}

fn policy() -> Policy {
    Policy {
        adopt_conflict: AdoptConflict::CrmOwned,
        vanished: Vanished::Mark,
        campaign_change: CampaignChange::Keep,
        leaving: Arc::default(),
    }
}

/// On, pinned to the campaign, empty on both sides; Monday, 10:00 in Berlin.
pub async fn house(config: DiallerConfig) -> House {
    house_with(config, 7).await
}

pub async fn house_with(config: DiallerConfig, seed: u64) -> House {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("an instant");
    let env = Env::simulated(start, seed);
    let sim = DiallerSim::new(config, env.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let ledger =
        Ledger::open_simulated(&folder.path().join("ledger.sqlite"), env.clone()).await.expect("a ledger");
    let facts = RouteFacts {
        route: route(),
        client: "house".to_owned(),
        crm: "sales".to_owned(),
        object: "person".to_owned(),
        waves: WaveLimits::default(),
    };
    ledger.route_register(facts, RouteState::On).await.expect("a route");
    let pinned = PinnedCampaign { id: CampaignId(CAMPAIGN), name: None };
    ledger.route_pin_campaign(route(), pinned).await.expect("a campaign");
    let sink: Arc<dyn ports::CallSink> = Arc::new(ledger.clone());
    let client = Client::new(
        Side::Dialler,
        ClientConfig { body_check: Some(dialbridge::dialler::jtel::body_check()), ..ClientConfig::default() },
        Arc::new(InProcess::new(sim.router())),
        Auth::fixed(AuthScheme::Bearer, "sim-token".to_owned().into()),
        env.clone(),
        Some(sink),
    );
    let base = "http://dialler.invalid/rest/v1.0/3";
    let dialler = Arc::new(JtelClient::new(JtelConfig::new(base, chrono_tz::Europe::Berlin), client));
    let crm = Arc::new(Crm {
        ledger: ledger.clone(),
        env: env.clone(),
        records: Mutex::default(),
        readable: AtomicBool::new(true),
        asked: AtomicUsize::new(0),
    });
    let push_route = PushRoute {
        policy: policy(),
        import_mode: ImportMode { overwrite: true, reset: None, unlock: None },
        max_decision_age: Duration::from_secs(15 * 60),
        daily: Vec::new(),
        two_way: std::collections::BTreeMap::new(),
        append: std::collections::BTreeSet::new(),
        read_before: dialbridge::domain::policy::ReadBefore::Never,
    };
    let ctx = PushContext {
        ledger,
        env: env.clone(),
        read: dialler.clone(),
        write: dialler,
        to_e164: Arc::new(|number| dialbridge::mapping::dialler_number_to_e164(number, Some("DE"))),
        routes: Arc::new([(route(), push_route)].into()),
        wanted: Vec::new(),
        refresher: crm.clone(),
        limits: PushLimits::default(),
        resting: Resting::default(),
        scope: Scope::All,
        sides: dialbridge::jobs::identity::Sides::default(),
    };
    House { sim, env, ctx, crm, _folder: folder }
}

impl House {
    /// The record stands so in the CRM, and is pulled.
    pub async fn pull(&self, id: &str, fields: Fields<'_>) -> Counts {
        self.pull_side(id, CrmSide::Eligible(desired(fields))).await
    }

    /// The same for any word of the CRM.
    pub async fn pull_side(&self, id: &str, side: CrmSide) -> Counts {
        self.crm.records.lock().expect("the records").insert(id.to_owned(), side);
        self.crm.store(&[id.to_owned()]).await
    }

    /// Not eligible any more.
    pub async fn leave(&self, id: &str) -> Counts {
        self.pull_side(id, CrmSide::Ineligible(ReasonCode::NotEligible.into())).await
    }

    /// A person with a name, a city and a number made of the id.
    pub async fn person(&self, id: &str, city: &str) -> Counts {
        self.pull(id, &[("Name", id), ("City", city), ("PhoneNumber1", &number(id))]).await
    }

    pub async fn try_push(&self) -> Result<PushReport, JobError> {
        push(&self.ctx, "schedule").await
    }

    /// A push that comes to its end.
    pub async fn push(&self) -> PushReport {
        self.try_push().await.expect("a push")
    }

    /// Pushes once a minute until nothing is open, at most so often.
    pub async fn push_until_idle(&self, most: usize) {
        for _ in 0..most {
            // A failed run is part of what is tested: the next one goes on.
            if let Err(error) = self.try_push().await {
                println!("{}: {error}", self.env.now());
            }
            let hints = self.ctx.ledger.hints_waiting(route(), 1).await.expect("hints");
            let ever: Timestamp = "2000-01-01T00:00:00Z".parse().expect("an instant");
            let open = self.ctx.ledger.operations_next_due(ever).await.expect("the queue");
            if hints.is_empty() && open.is_none() {
                return;
            }
            self.wait(60).await;
            self.crm.answer_hints().await;
        }
        let open = self.ctx.ledger.operations_list(None, true, 20).await.expect("operations");
        panic!("still open after {most} pushes: {open:#?}");
    }

    pub async fn wait(&self, seconds: u64) {
        assert!(self.env.sleep(Duration::from_secs(seconds)).await, "nobody ends this test");
    }

    pub async fn block(&self, subject: BlockSubject) {
        let block = Block {
            subject,
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "asked us"),
            source: "operator".to_owned(),
            since: self.env.now(),
            said_last: self.env.now(),
            until: None,
            who: Some("test".to_owned()),
        };
        self.ctx.ledger.block_add("house", block).await.expect("a block");
    }

    pub async fn lift(&self, subject: BlockSubject) {
        let said = Said { who: "test".to_owned(), text: "a mistake".to_owned() };
        let lifted = self.ctx.ledger.block_remove("house", subject, None, said).await.expect("lifted");
        assert!(matches!(lifted, LiftedOne::Lifted { .. } | LiftedOne::NoSuch), "{lifted:?}");
    }

    /// The only contact with a record's key.
    pub fn contact(&self, id: &str) -> Arc<SimContact> {
        let found = self.sim.contacts_with(&format!("leads-{id}"));
        assert_eq!(found.len(), 1, "contacts of record {id}");
        found[0].clone()
    }

    /// A field of the only contact with a record's key.
    pub fn field(&self, id: &str, field: &str) -> Value {
        self.contact(id).get(field)
    }

    /// Kind and state of all operations of a record, oldest first.
    pub async fn operations(&self, id: &str) -> Vec<String> {
        let mut all = self.ctx.ledger.operations_list(None, false, 1000).await.expect("operations");
        all.reverse();
        all.iter()
            .filter(|row| row.record.as_deref() == Some(id))
            .map(|row| format!("{} {}", row.kind, row.state))
            .collect()
    }
}

/// A number made of a record's id.
pub fn number(id: &str) -> String {
    let digits: u64 = id.bytes().fold(0, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_000);
    format!("4930{digits:06}")
}
