//! A whole small world under virtual time: the simulated CRM, the simulated dialler, and the program's
//! own parts between them, with faults, crashes and a clock that tests move.
//!
//! Tests built on it judge by what the simulators noted themselves, never by our ledger; the ledger is
//! read for reasons only.

#![expect(clippy::disallowed_methods, reason = "the world itself moves the paused clock")]

use chrono::{TimeDelta, Timelike as _};
use dialbridge::app::daemon::{daily, push_when_due};
use dialbridge::app::in_process::InProcess;
use dialbridge::app::parts::{Parts, Transports, build_on};
use dialbridge::check::{self, Settings};
use dialbridge::config::{self, Sources};
use dialbridge::control::{Answer, Command, End, Line, RouteWord};
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{BlockSubject, Problem, RecordId, Timestamp};
use dialbridge::env::Env;
use dialbridge::jobs::JobError;
use dialbridge::jobs::pull::{PullReport, pull};
use dialbridge::ledger::{Ledger, ParkedItem, Pilot, RunRow};
use dialbridge::remote::http::HttpOptions;
use dialbridge::remote::{Request, Response, Side, Transport, TransportError};
use dialbridge::runtime::{Outcome, Schedule};
use dialbridge::sim::crm::{Editor, Login, Settings as CrmSettings, SimCrm};
use dialbridge::sim::dialler::{DiallerConfig, DiallerSim, SimContact};
use dialbridge::sim::journal::{Asked, Detail};
use serde_json::{Value, json};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The campaign of route `leads`.
pub const CAMPAIGN: i64 = 538;
/// The campaign of route `winback`, where a test has one.
pub const OTHER: i64 = 551;
/// The token that both simulators take.
pub const TOKEN: &str = "sim-token";

/// The route that every world has.
pub const LEADS: &str = "leads";

/// Where a config finds the second CRM.
pub const SECOND_CRM: &str = "http://second.invalid";

/// A number of seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A number of minutes.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// For how long of each [`World::live`] every schedule is kept to the minute.
const LIVELY: TimeDelta = TimeDelta::minutes(15);

/// How a schedule is kept in a long life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// To the minute.
    AsSet,
    /// Every tenth minute at most, once nothing new happens.
    Slackens,
}

/// What a world is made of; everything has a usual value.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The seed of all chance.
    pub seed: u64,
    /// When it begins.
    pub start: &'static str,
    /// The CRM's address.
    pub crm_url: &'static str,
    /// The bundled connector.
    pub connector: &'static str,
    /// How the CRM behaves.
    pub crm: CrmSettings,
    /// How the dialler behaves.
    pub dialler: DiallerConfig,
    /// Lines for `[dialler]` beyond the usual ones.
    pub dialler_keys: &'static str,
    /// What contacts of others mean for route `leads`.
    pub beside: &'static str,
    /// The schedule of the pull.
    pub pull: &'static str,
    /// The schedule of the push. Every pull is followed by one, and what is due wakes one: by itself it seldom comes.
    pub push: &'static str,
    /// Lines for `[route.leads]`: conditions and policies.
    pub route_keys: &'static str,
    /// Lines of `[route.leads.fields]`.
    pub fields: &'static str,
    /// Whole tables after everything else (a second route).
    pub more: &'static str,
    /// Lines of `[ledger]`.
    pub ledger_keys: &'static str,
    /// Whether routes are switched on at the beginning.
    pub on: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 7,
            start: "2026-03-02T09:00:00.250Z",
            crm_url: "http://crm.invalid",
            connector: "sim-id",
            crm: CrmSettings::default(),
            dialler: DiallerConfig::default(),
            dialler_keys: "release = \"3.39\"",
            beside: "ignore",
            pull: "* * * * *",
            push: "0 * * * *",
            route_keys: "only_if = \"phone and active\"\nblock_if = \"phone_blacklisted or do_not_call\"",
            fields: "Name = \"name\"\nPhoneNumber1 = \"phone | phone('DE')\"\nEmail = \"email\"\nCity = \"city\"\n\
                     PostalCode = \"zip\"",
            more: "",
            ledger_keys: "",
            on: true,
        }
    }
}

/// The second route of tests that need two: the same records, another campaign.
pub const WINBACK: &str = r#"
[route.winback]
crm          = "sales"
campaign     = 551
push         = "0 * * * *"
only_if      = "phone and active"
beside       = "ignore"
[route.winback.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"
"#;

/// The two simulators and the program between them.
pub struct World {
    /// The CRM.
    pub crm: SimCrm,
    /// Another CRM, which a config reaches at [`SECOND_CRM`].
    pub second_crm: SimCrm,
    /// The dialler.
    pub dialler: DiallerSim,
    /// The world's clock; it goes on when the program is restarted.
    pub env: Env,
    /// How the program is configured.
    pub settings: Arc<Settings>,
    folder: tempfile::TempDir,
    /// The ledger, below the folder.
    ledger_file: String,
    parts: Option<Parts>,
    crash: CancellationToken,
}

impl World {
    /// The usual world.
    pub async fn usual() -> Self {
        Self::new(Setup::default()).await
    }

    /// A world as described, with the program running in it.
    pub async fn new(setup: Setup) -> Self {
        let start: Timestamp = setup.start.parse().expect("an instant");
        let env = Env::simulated(start, setup.seed);
        let crm_settings = CrmSettings { login: Login::Token(TOKEN.to_owned()), ..setup.crm.clone() };
        // The simulators' shutdown is never the program's: a restart does not end the world.
        let crm = SimCrm::new(crm_settings, env.child(), setup.seed, Detail::Full);
        let second_crm = SimCrm::new(second_settings(), env.child(), setup.seed + 1, Detail::Full);
        let dialler = DiallerSim::new(setup.dialler.clone(), env.child());
        let folder = tempfile::tempdir().expect("a folder");
        let pair = matches!(setup.connector, "sim-page" | "sim-link");
        write(
            &folder.path().join("crm.token"),
            &if pair { format!("sim:{TOKEN}") } else { TOKEN.to_owned() },
        );
        write(&folder.path().join("dialler.token"), TOKEN);
        let config = folder.path().join("dialbridge.toml");
        write(&config, &config_text(&setup));
        let settings = Arc::new(load(&config));
        let crash = CancellationToken::new();
        let ledger_file = "ledger.sqlite".to_owned();
        let mut world =
            Self { crm, second_crm, dialler, env, settings, folder, ledger_file, parts: None, crash };
        world.begin().await;
        if setup.on {
            world.switch(RouteState::On).await;
        }
        world
    }

    async fn begin(&mut self) {
        self.crash = CancellationToken::new();
        let env = self.env.child();
        let path = self.folder.path().join(&self.ledger_file);
        let ledger = Ledger::open_simulated(&path, env.clone()).await.expect("a ledger");
        let transports = Wires {
            crm: self.crm.router(),
            second_crm: self.second_crm.router(),
            dialler: self.dialler.router(),
            crash: self.crash.clone(),
        };
        let parts = build_on(ledger, self.settings.clone(), env, &transports).await;
        let parts = parts.expect("the parts");
        // The daemon does so beside its first runs.
        parts.block_files.look().await.expect("a look");
        self.parts = Some(parts);
    }

    /// Whatever is under way breaks off in the middle of its requests, nothing more is written, and the
    /// program begins anew on the same ledger.
    pub async fn crash(&mut self) {
        self.crash.cancel();
        self.restart().await;
    }

    /// The program ends as on SIGTERM and begins anew on the same ledger.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    async fn stop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.env.shutdown().cancel();
            parts.tracker.close();
            parts.tracker.wait().await;
            // A run that a crash broke off may have taken the writer with it.
            let _whatever = parts.ledger.mark_keep().await;
        }
    }

    /// The program ends and begins anew after somebody did something to the files in its folder.
    pub async fn restart_after(&mut self, change: impl FnOnce(&Path)) {
        self.stop().await;
        let wal = self.folder.path().join(format!("{}-wal", self.ledger_file));
        for _ in 0..1000 {
            if !wal.exists() {
                break;
            }
            self.env.sleep(Duration::from_millis(5)).await;
        }
        assert!(!wal.exists(), "the ledger is not closed");
        change(self.folder.path());
        self.begin().await;
    }

    /// The program ends and begins anew with a ledger that lies elsewhere below the folder.
    pub async fn restart_at(&mut self, ledger: &str, change: impl FnOnce(&Path)) {
        self.stop().await;
        self.ledger_file = ledger.to_owned();
        self.restart_after(change).await;
    }

    /// The next start finds another CRM at the same address.
    pub fn replace_crm(&mut self) -> SimCrm {
        std::mem::replace(&mut self.crm, SimCrm::new(second_settings(), self.env.child(), 99, Detail::Full))
    }

    /// The next start finds another dialler at the same address.
    pub fn replace_dialler(&mut self) -> DiallerSim {
        std::mem::replace(&mut self.dialler, DiallerSim::new(DiallerConfig::default(), self.env.child()))
    }

    /// The next start is on another machine.
    pub fn move_to_host(&mut self, machine: &str) {
        self.env = self.env.on_host(machine);
    }

    /// The program ends and begins anew with another config.
    pub async fn configure(&mut self, setup: &Setup) {
        let config = self.folder.path().join("dialbridge.toml");
        write(&config, &config_text(setup));
        self.settings = Arc::new(load(&config));
        self.restart().await;
    }

    /// Route `leads` gets another campaign, and the program begins anew.
    pub async fn configure_campaign(&mut self, campaign: i64) {
        let config = self.folder.path().join("dialbridge.toml");
        let text = std::fs::read_to_string(&config).expect("a config");
        write(&config, &text.replacen(&format!("= {CAMPAIGN}"), &format!("= {campaign}"), 1));
        self.settings = Arc::new(load(&config));
        self.restart().await;
    }

    /// Somebody (a webhook, a person) says that these records of route `leads` are to be looked at.
    pub async fn hint(&self, ids: &[u64]) {
        let ids = ids.iter().map(|id| RecordId(id.to_string())).collect();
        self.ledger().hints_add(LEADS.into(), ids, "test").await.expect("hints");
    }

    /// Somebody makes a new token for the dialler, which kills the old one, and puts it in place at once.
    pub fn change_token(&self, token: &str) {
        write(&self.folder.path().join("dialler.token"), token);
        self.dialler.set_tokens(&[token]);
    }

    /// The dialler's token gets a second file beside it, and the program begins anew.
    pub async fn second_token(&mut self, token: &str) {
        let config = self.folder.path().join("dialbridge.toml");
        let text = std::fs::read_to_string(&config).expect("a config");
        write(&self.folder.path().join("dialler.second"), token);
        write(&config, &text.replacen("\"dialler.token\"", "[\"dialler.token\", \"dialler.second\"]", 1));
        self.settings = Arc::new(load(&config));
        self.restart().await;
    }

    /// Why route `leads` is stopped, in words.
    pub async fn stopped(&self) -> Option<String> {
        let row = self.ledger().route_show(LEADS.into()).await.expect("a route").expect("known");
        row.stopped.map(|stop| stop.to_string())
    }

    /// How far the CRM was read for route `leads`.
    pub async fn cursor(&self) -> Option<Timestamp> {
        self.ledger().route_show(LEADS.into()).await.expect("a route").expect("known").cursor
    }

    /// The program's parts.
    pub fn parts(&self) -> &Parts {
        self.parts.as_ref().expect("the program runs")
    }

    /// The ledger, for reasons.
    pub fn ledger(&self) -> &Ledger {
        &self.parts().ledger
    }

    // --- what a person asks for -------------------------------------------------------------------

    /// A command, as the socket carries it; how it ended and what was said.
    pub async fn command(&self, command: Command) -> (End, String) {
        let (answer, mut lines) = Answer::channel();
        self.parts().control.execute(command, "test".to_owned(), answer).await;
        let (mut end, mut said) = (End::Failed, Vec::new());
        while let Some(line) = lines.recv().await {
            match line {
                Line::Text(text) | Line::Error(text) => said.push(text),
                Line::Data(_) => {}
                Line::End { end: ended } => end = ended,
            }
        }
        (end, said.join("; "))
    }

    /// Sets all routes; one that leaves `dry` has decided everything anew when this returns.
    pub async fn switch(&self, state: RouteState) {
        for route in self.parts().routes.keys() {
            let command =
                Command::Route { route: route.clone(), word: word(state), reason: "a test".to_owned() };
            let (end, said) = self.command(command).await;
            assert_eq!(end, End::Done, "{said}");
        }
        self.idle().await;
    }

    /// Freezes, thaws, approves ... : what must work, and what it said.
    pub async fn must(&self, command: Command) -> String {
        let (end, said) = self.command(command).await;
        assert_eq!(end, End::Done, "{said}");
        self.idle().await;
        said
    }

    /// Blocks a number by hand and waits for what follows at once.
    pub async fn block_number(&self, number: &str) {
        self.block(BlockSubject::Number(number.to_owned())).await;
    }

    /// Blocks somebody by hand and waits for what follows at once.
    pub async fn block(&self, subject: BlockSubject) {
        let (end, said) = self
            .command(Command::BlockAdd {
                client: "default".to_owned(),
                subjects: vec![subject],
                reason: "said no".to_owned(),
                source: "operator".to_owned(),
                until: None,
            })
            .await;
        assert_eq!(end, End::Done, "{said}");
    }

    // --- runs -------------------------------------------------------------------------------------

    /// One pull of every route, without the push that follows it in the daemon.
    ///
    /// # Errors
    /// The first that failed; the others ran.
    pub async fn pull(&self) -> Result<Vec<PullReport>, JobError> {
        let mut reports = Vec::new();
        let mut failed = None;
        for part in self.parts().routes.values() {
            match pull(&part.pull, "hand").await {
                Ok(report) => reports.push(report),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(reports), Err)
    }

    /// One push; the line it ends with, `Err` where it failed.
    pub async fn push(&self) -> Result<String, String> {
        let runner = self.parts().control.runners.push.clone().expect("a push");
        ended(runner.run_now("hand").await)
    }

    /// One harvest of every campaign.
    pub async fn harvest(&self) -> Result<String, String> {
        let mut said = Vec::new();
        for (_, runner) in &self.parts().control.runners.harvests {
            said.push(ended(runner.run_now("hand").await)?);
        }
        Ok(said.join("; "))
    }

    /// One write-back of every route whose calls are told.
    pub async fn write_back(&self) -> Result<String, String> {
        let mut said = Vec::new();
        for runner in self.parts().control.runners.write_backs.values() {
            said.push(ended(runner.run_now("hand").await)?);
        }
        Ok(said.join("; "))
    }

    /// Pull, push, harvest, push: what `sync` does. Each must succeed.
    pub async fn sync_all(&self) {
        self.pull().await.expect("a pull");
        self.push().await.expect("a push");
        self.harvest().await.expect("a harvest");
        self.push().await.expect("a second push");
    }

    /// The same, whatever fails.
    pub async fn try_all(&self) {
        let _whatever = self.pull().await;
        let _whatever = self.push().await;
        let _whatever = self.harvest().await;
        let _whatever = self.push().await;
    }

    /// Waits until no run is under way or asked for.
    pub async fn idle(&self) {
        for _ in 0..10_000 {
            self.env.sleep(Duration::from_millis(5)).await;
            let runners = &self.parts().control.runners;
            let pulls = runners.pulls.values().chain(runners.days.values());
            let all = pulls.chain(&runners.push).chain(runners.harvests.iter().map(|(_, r)| r));
            let all = all.chain(runners.write_backs.values());
            if all.into_iter().all(|runner| runner.status().running_since.is_none()) {
                return;
            }
        }
        panic!("the runs do not end");
    }

    /// Lets time pass; nothing of ours runs.
    pub async fn advance(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Lets the daemon live: its schedules, and push when its next operation is due. After [`LIVELY`] of it pulls and
    /// write-backs come every tenth minute at most: what happens at once has happened, and an empty hour is long.
    pub async fn live(&self, duration: Duration) {
        let until = self.now() + TimeDelta::from_std(duration).expect("a span");
        let runners = &self.parts().control.runners;
        let push = runners.push.clone().expect("a push");
        let due = self.parts().push_due.clone();
        let (ledger, env) = (self.ledger().clone(), self.parts().env.clone());
        let watching = tokio::spawn(push_when_due(ledger, env, due, push.clone()));
        let calm = self.now() + LIVELY;
        let mut plan: Vec<(Schedule, dialbridge::runtime::Activator, Pace)> = Vec::new();
        for route in self.settings.routes.values() {
            let schedule = |text: &str| Schedule::parse(text, route.time_zone).expect("a schedule");
            plan.push((schedule(&route.pull), runners.pulls[&route.id].clone(), Pace::Slackens));
            if let Some(day) = runners.days.get(&route.id) {
                plan.push((schedule(&daily(route.day_start)), day.clone(), Pace::AsSet));
            }
            plan.push((schedule(&route.push), push.clone(), Pace::AsSet));
            if let Some((told, runner)) = route.write_back.as_ref().zip(runners.write_backs.get(&route.id)) {
                plan.push((schedule(&told.schedule), runner.clone(), Pace::Slackens));
            }
            for (routes, runner) in &runners.harvests {
                if routes.contains(&route.id) {
                    plan.push((schedule(&route.harvest), runner.clone(), Pace::AsSet));
                }
            }
        }
        let mut since = self.now();
        while self.now() < until {
            let times: Vec<_> = plan.iter().map(|(schedule, ..)| schedule.next_after(since)).collect();
            let next = times.iter().flatten().min().copied().unwrap_or(until).min(until);
            tokio::time::sleep((next - self.now()).to_std().unwrap_or_default()).await;
            let rests = next > calm && next.minute() % 10 != 0;
            for ((_, runner, pace), at) in plan.iter().zip(times) {
                if at == Some(next) && !(rests && *pace == Pace::Slackens) {
                    runner.activate("schedule");
                }
            }
            since = next;
        }
        watching.abort();
    }

    // --- what can be seen ---------------------------------------------------------------------------

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Whoever edits the CRM.
    pub fn editor(&self) -> Editor {
        self.crm.editor()
    }

    /// A record with a name and a number of its own.
    pub fn record(&self, name: &str) -> u64 {
        let editor = self.editor();
        let n = editor.ids().len() + 1;
        editor.create(json!({
            "name": name, "phone": format!("+49 30 23125 {n:03}"), "email": "a@example.com", "city": "Ulm",
            "zip": "89073", "street": "Hafengasse 1", "stage": "new", "score": 5, "comment": false, "do_not_call": false,
        }))
    }

    /// The number of a record made by [`Self::record`], as E.164.
    pub fn number(&self, id: u64) -> String {
        let phone = self.editor().field(id, "phone").expect("a record");
        phone.as_str().expect("a number").chars().filter(|c| !c.is_whitespace()).collect()
    }

    /// The contacts with a record's UserData on route `leads`.
    pub fn contacts(&self, id: u64) -> Vec<Arc<SimContact>> {
        self.dialler.contacts_with(&key(id))
    }

    /// The one contact of a record.
    #[track_caller]
    pub fn contact(&self, id: u64) -> Arc<SimContact> {
        let found = self.contacts(id);
        assert_eq!(found.len(), 1, "contacts of record {id}: {found:?}");
        found[0].clone()
    }

    /// A field of a record's contact.
    #[track_caller]
    pub fn value(&self, id: u64, field: &str) -> Value {
        self.contact(id).get(field)
    }

    /// Whether a record's contact is locked.
    #[track_caller]
    pub fn locked(&self, id: u64) -> bool {
        self.contact(id).locked
    }

    /// The number the dialler's journal gives next.
    pub fn mark(&self) -> u64 {
        self.dialler.journal().mark()
    }

    /// What the dialler was asked to change since.
    pub fn writes_since(&self, mark: u64) -> Vec<Asked> {
        self.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.write)
    }

    /// The same as `kind contact-or-key`, for messages and comparison.
    pub fn writes(&self, mark: u64) -> Vec<&'static str> {
        self.writes_since(mark).iter().map(|asked| asked.kind.name).collect()
    }

    /// What is parked, in words: `record: reason`.
    pub async fn parked(&self) -> Vec<String> {
        let items: Vec<ParkedItem> = self.ledger().parked_list(None, 1000).await.expect("a list");
        items.iter().map(|item| format!("{}: {}", item.record.as_deref().unwrap_or("?"), item.text)).collect()
    }

    /// The newest runs first.
    pub async fn runs(&self) -> Vec<RunRow> {
        self.ledger().runs_list(None, 1000).await.expect("runs")
    }

    /// What happened, for a message: operations and runs as the ledger has them, and the dialler's requests.
    pub async fn story(&self) -> String {
        let operations = self.ledger().operations_list(None, false, 200).await.expect("operations");
        let runs = self.runs().await;
        let mut text = String::from("operations:\n");
        for operation in operations {
            text.push_str(&format!("  {}\n", json!(operation)));
        }
        text.push_str("runs:\n");
        for run in runs.iter().rev().take(60) {
            text.push_str(&format!(
                "  {} {} {} {}\n",
                run.started_at,
                run.job.as_str(),
                run.state,
                run.balance()
            ));
        }
        text.push_str("requests:\n");
        for asked in self.dialler.journal().requests() {
            let body = String::from_utf8_lossy(&asked.body).chars().take(120).collect::<String>();
            text.push_str(&format!(
                "  {} {} {} {body} -> {:?}\n",
                asked.at, asked.kind.name, asked.path, asked.answered
            ));
        }
        text
    }

    /// What `ledger contact` says of a record.
    pub async fn told(&self, id: u64) -> String {
        dialbridge::cli::contact_told(&self.settings, self.ledger(), key(id)).await.expect("a story")
    }

    /// A pull, push by push until nothing changes: for the state in which both sides have come to rest.
    pub async fn settle_down(&self) {
        for _ in 0..6 {
            self.sync_all().await;
            self.advance(minutes(3)).await;
        }
    }

    /// Writes into the CRMs so far.
    pub fn crm_writes(&self) -> usize {
        let writes = |crm: &SimCrm| crm.journal.requests().iter().filter(|asked| asked.kind.write).count();
        writes(&self.crm) + writes(&self.second_crm)
    }

    /// Nothing is written by a further run, on either side.
    pub async fn assert_at_rest(&self) {
        let (before, mark) = (self.crm_writes(), self.mark());
        self.sync_all().await;
        if !self.parts().control.runners.write_backs.is_empty() {
            self.write_back().await.expect("a write-back");
            self.sync_all().await;
        }
        assert_eq!(self.writes(mark), Vec::<&str>::new(), "a run with nothing changed must write nothing");
        assert_eq!(self.crm_writes(), before, "the CRM was told what it knows\n{}", self.story().await);
    }
}

/// The UserData of a record on route `leads`.
pub fn key(id: u64) -> String {
    format!("leads-{id}")
}

fn ended(outcome: Option<Outcome>) -> Result<String, String> {
    match outcome {
        Some(Outcome::Done { text, .. }) => Ok(text),
        Some(Outcome::Failed { text }) => Err(text),
        None => Err("the program ended".to_owned()),
    }
}

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).truncate(true).write(true).mode(0o600).open(path).expect("a file to write");
    file.write_all(text.as_bytes()).expect("written");
}

fn load(config: &Path) -> Settings {
    let sources = Sources::read(config, Vec::new()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let cron = |text: &str, zone| Schedule::parse(text, zone).map(|_| ()).map_err(|error| error.to_string());
    let checked = check::offline(&config::load(&sources), &check::Validators { cron: &cron });
    checked.settings.unwrap_or_else(|| panic!("{:#?}", checked.problems))
}

fn config_text(setup: &Setup) -> String {
    let Setup {
        crm_url,
        connector,
        dialler_keys,
        beside,
        pull,
        push,
        route_keys,
        fields,
        more,
        ledger_keys,
        ..
    } = setup;
    format!(
        r#"
[dialler]
base_url     = "http://dialler.invalid/rest/v1.0/3"
token_file   = "dialler.token"
time_zone    = "Europe/Berlin"
country      = "DE"
allow_http   = true
{dialler_keys}

[crm.sales]
connector    = "{connector}"
base_url     = "{crm_url}"
token_file   = "crm.token"
allow_http   = true

[route.leads]
crm          = "sales"
campaign     = {CAMPAIGN}
pull         = "{pull}"
push         = "{push}"
harvest      = "*/5 * * * *"
beside       = "{beside}"
{route_keys}

[route.leads.fields]
{fields}
{more}
[ledger]
path         = "ledger.sqlite"
{ledger_keys}
"#
    )
}

fn second_settings() -> CrmSettings {
    CrmSettings { login: Login::Token(TOKEN.to_owned()), ..CrmSettings::default() }
}

/// Requests go straight into the simulators' routers.
struct Wires {
    crm: axum::Router,
    second_crm: axum::Router,
    dialler: axum::Router,
    crash: CancellationToken,
}

impl Transports for Wires {
    fn transport(&self, side: Side, _options: &HttpOptions) -> Result<Arc<dyn Transport>, Vec<Problem>> {
        let router = match side {
            Side::Crm => self.crm.clone(),
            Side::Dialler => self.dialler.clone(),
        };
        let (inner, second_crm) = (InProcess::new(router), InProcess::new(self.second_crm.clone()));
        Ok(Arc::new(Wire { inner, second_crm, crash: self.crash.clone() }))
    }
}

#[derive(Debug)]
struct Wire {
    inner: InProcess,
    second_crm: InProcess,
    crash: CancellationToken,
}

#[async_trait::async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // A router under way goes on when the client is gone, as a real server does.
        let of_second = request.url.starts_with(SECOND_CRM);
        let inner = if of_second { self.second_crm.clone() } else { self.inner.clone() };
        let answer = tokio::spawn(async move { inner.send(request).await });
        tokio::select! {
            biased;
            // The run that waits here ends without another word: what a killed process would do.
            () = self.crash.cancelled() => std::panic::resume_unwind(Box::new("crashed by the test")),
            answer = answer => match answer {
                Ok(answer) => answer,
                Err(error) => Err(TransportError::Broken(error.to_string())),
            },
        }
    }
}

fn word(state: RouteState) -> RouteWord {
    match state {
        RouteState::Dry => RouteWord::Dry,
        RouteState::Pilot => RouteWord::Pilot { whom: Pilot::First(1), until: None },
        RouteState::On => RouteWord::On,
        RouteState::Paused => RouteWord::Pause { until: None, harvest_too: false },
    }
}
