//! dialbridge between a CRM and the simulated dialler, over real HTTP: its daemon in this process, so that
//! a run is quick; its reading verbs as the binary, as a person calls them.

use super::odoo::Odoo;
use dialbridge::app::daemon::{Daemon, FirstRuns};
use dialbridge::app::parts::RealTransports;
use dialbridge::check::{Validators, offline};
use dialbridge::config::Sources;
use dialbridge::control::{Answer, Command, End, Line, RouteWord};
use dialbridge::crm::bundled;
use dialbridge::domain::RouteName;
use dialbridge::domain::policy::Job;
use dialbridge::env::Env;
use dialbridge::runtime::Schedule;
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, DiallerSim, Outcome, SimContact};
use dialbridge::sim::journal::Asked;
use dialbridge::sim::serve::{Serving, serve};
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CAMPAIGN: i64 = 538;

/// What differs between the tests' configs.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// The route's `only_if`.
    pub only_if: &'o str,
    /// What is changed in the bundled connector; without a change it is used by its name.
    pub connector: &'o [(&'o str, &'o str)],
    /// Further lines of `[crm.sales]`.
    pub crm: &'o str,
    /// Further lines of `[route.leads]`, and tables of it.
    pub route: &'o str,
    /// A clock of the daemon's own, which a restart may put forward.
    pub clock: Clock,
}

/// By what clock the daemon goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's.
    Real,
    /// So far ahead of it.
    Ahead(Duration),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { only_if: "phone and active", connector: &[], crm: "", route: "", clock: Clock::Real }
    }
}

/// A connector without the lag and the overlap that make up for what Odoo's times hide.
pub const CARELESS: &[(&str, &str)] =
    &[("lag        = \"10m\"", "lag = \"0s\""), ("overlap    = \"1m\"", "overlap = \"0s\"")];

/// What a verb of the binary printed, and its exit status.
pub struct Said {
    pub status: Option<i32>,
    pub text: String,
}

/// The program, its config and the dialler it feeds.
pub struct Bridge {
    /// The simulated dialler.
    pub dialler: DiallerSim,
    folder: tempfile::TempDir,
    server: Serving,
    crm_url: String,
    daemon: Option<Daemon>,
    clock: Clock,
}

impl Bridge {
    /// Written, started, and its route switched on.
    pub async fn new(odoo: &Odoo, options: Options<'_>) -> Self {
        let dialler = DiallerSim::new(DiallerConfig::default(), Env::real());
        let server = serve(dialler.router()).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let mut bridge = Self {
            dialler,
            folder,
            server,
            crm_url: odoo.url().to_owned(),
            daemon: None,
            clock: options.clock,
        };
        bridge.secret("dialler.token", "sim-token");
        bridge.secret("crm.token", odoo.key());
        bridge.configure(options);
        bridge.start().await;
        let on = Command::Route {
            route: RouteName("leads".to_owned()),
            word: RouteWord::On,
            reason: "a test".to_owned(),
        };
        assert_eq!(bridge.command(on).await.0, End::Done);
        bridge
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that nobody else may read.
    pub fn secret(&self, name: &str, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).truncate(true).write(true).mode(0o600).open(self.path(name));
        writeln!(file.expect("a file"), "{text}").expect("a written file");
    }

    /// Writes the config; a daemon under way keeps the one it read.
    pub fn configure(&self, options: Options<'_>) {
        let mut connector = "odoo";
        if !options.connector.is_empty() {
            let mut text = bundled("odoo").expect("the bundled file").to_owned();
            for (from, to) in options.connector {
                assert!(text.contains(from), "{from} is not in the bundled file");
                text = text.replacen(from, to, 1);
            }
            std::fs::write(self.path("odoo.toml"), text).expect("a written file");
            connector = "./odoo.toml";
        }
        let text = format!(
            r#"
[dialler]
base_url      = "{dialler}/rest/v1.0/3"
token_file    = "dialler.token"
time_zone     = "Europe/Berlin"
country       = "DE"
release       = "3.39"
allow_http    = true

[crm.sales]
connector     = "{connector}"
base_url      = "{crm}"
token_file    = "crm.token"
allow_http    = true
{further}

[route.leads]
crm           = "sales"
campaign      = "Spring leads"
only_if       = "{only_if}"
block_if      = "phone_sanitized_blacklisted"
pull          = "{never}"
push          = "{never}"
harvest       = "{never}"
beside        = "ignore"
{route}

[route.leads.fields]
Name               = "name"
PhoneNumber1       = "phone | phone('DE')"
Email              = "email"
City               = "city"
ExternalSystemLink = "'https://crm.example.com/odoo/contacts/' ~ id"

[ledger]
path          = "ledger.sqlite"
"#,
            dialler = self.server.url(),
            crm = self.crm_url,
            further = options.crm,
            only_if = options.only_if,
            route = options.route,
            // Every run is asked for: a schedule would run between a test's steps.
            never = "0 0 29 2 *",
        );
        std::fs::write(self.config(), text).expect("a written config");
    }

    fn config(&self) -> PathBuf {
        self.path("dialbridge.toml")
    }

    async fn start(&mut self) {
        // As `app::load` does, without the environment: it holds the tests' own variables.
        let sources = Sources::read(&self.config(), Vec::new()).expect("a config");
        let cron =
            |text: &str, zone| Schedule::parse(text, zone).map(|_| ()).map_err(|error| error.to_string());
        let checked = offline(&dialbridge::config::load(&sources), &Validators { cron: &cron });
        let settings = checked.settings.unwrap_or_else(|| panic!("{:#?}", checked.problems));
        let env = match self.clock {
            Clock::Real => Env::real(),
            Clock::Ahead(by) => Env::simulated(Env::real().now() + by, 1),
        };
        let daemon = Daemon::start(settings, env, &RealTransports, FirstRuns::OnDemand).await;
        self.daemon = Some(daemon.expect("the daemon starts"));
    }

    /// Ends the daemon and starts one with the config as it is now.
    pub async fn restart(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await;
        }
        self.start().await;
    }

    /// The same, so much later.
    pub async fn restart_later(&mut self, by: Duration) {
        if let Clock::Ahead(ahead) = &mut self.clock {
            *ahead += by;
        }
        self.restart().await;
    }

    /// All jobs in their order; how it ended and what it said.
    pub async fn sync(&self) -> (End, String) {
        self.command(Command::Sync { job: None, route: None, full: false }).await
    }

    /// One job.
    pub async fn run(&self, job: Job) -> (End, String) {
        self.command(Command::Sync { job: Some(job), route: None, full: false }).await
    }

    /// All jobs, which must succeed; the writes that the dialler saw meanwhile.
    pub async fn synced(&self) -> Vec<Asked> {
        let mark = self.dialler.journal().mark();
        let (end, said) = self.sync().await;
        assert_eq!(end, End::Done, "{said}");
        self.dialler.journal().requests_where(|asked| asked.seq >= mark && asked.kind.write)
    }

    async fn command(&self, command: Command) -> (End, String) {
        let daemon = self.daemon.as_ref().expect("a daemon");
        let (answer, mut lines) = Answer::channel();
        daemon.parts.control.execute(command, "test".to_owned(), answer).await;
        let (mut end, mut said) = (End::Failed, String::new());
        while let Some(line) = lines.recv().await {
            match line {
                Line::Text(text) | Line::Error(text) => said.push_str(&format!("{text}\n")),
                Line::Data(_) => {}
                Line::End { end: ended } => end = ended,
            }
        }
        (end, said)
    }

    /// A verb of the binary, with this config.
    pub fn binary(&self, words: &[&str]) -> Said {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dialbridge"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DIALBRIDGE") {
                command.env_remove(name);
            }
        }
        let output = command.arg("--config").arg(self.config()).args(words).output().expect("it runs");
        let text =
            [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).concat();
        Said { status: output.status.code(), text }
    }

    /// Why the route is stopped, as `route list` tells it; nothing if it is not.
    pub fn stopped(&self) -> String {
        let said = self.binary(&["route", "list", "--json"]);
        assert_eq!(said.status, Some(0), "{}", said.text);
        let rows: Vec<Value> = serde_json::from_str(said.text.trim()).expect("a document");
        let [row] = rows.as_slice() else { panic!("one route: {rows:?}") };
        if row["stopped"].is_null() { String::new() } else { row["stopped"].to_string() }
    }

    /// What is parked, as `ledger parked` tells it.
    pub fn parked(&self) -> Vec<Value> {
        let said = self.binary(&["ledger", "parked", "--json"]);
        assert_eq!(said.status, Some(0), "{}", said.text);
        serde_json::from_str(said.text.trim()).expect("a document")
    }

    /// The one contact of a record, if there is one.
    pub fn contact(&self, record: u64) -> Option<Arc<SimContact>> {
        let mut found = self.dialler.contacts_with(&format!("leads-{record}"));
        assert!(found.len() <= 1, "record {record} has {} contacts", found.len());
        let contact = found.pop()?;
        assert_eq!(contact.campaign, CAMPAIGN);
        Some(contact)
    }

    /// A call of no length whose result follows its row at once.
    pub async fn called(&self, record: u64, result: &str) {
        let short = Duration::from_millis(10);
        let mut plan = CallPlan::new(Outcome::Answered).result(result, short);
        (plan.ring, plan.talk, plan.row_delay) = (short, short, short);
        assert!(self.dialler.call(self.contact(record).expect("a contact").id, plan));
        for _ in 0..10 {
            Env::real().sleep(Duration::from_millis(20)).await;
            self.dialler.tick();
        }
    }

    /// The name that a record's contact bears.
    pub fn name(&self, record: u64) -> Option<String> {
        self.contact(record).map(|contact| contact.name.to_string())
    }
}

/// How many of the requests are of a kind.
pub fn count(writes: &[Asked], kind: &str) -> usize {
    writes.iter().filter(|asked| asked.kind.name == kind).count()
}
