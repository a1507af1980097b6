//! A simulated CRM and a simulated dialler on loopback, a config in a folder of its own, and the program.

use dialbridge::domain::{CampaignId, Timestamp};
use dialbridge::env::Env;
use dialbridge::sim::crm::{Login, Settings, SimCrm};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, DiallerSim, Outcome};
use dialbridge::sim::journal::Detail;
use dialbridge::sim::serve::{Serving, serve};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// What both simulators take.
pub const TOKEN: &str = "canary-token-4711";
/// The campaign of the only route.
pub const CAMPAIGN: CampaignId = CampaignId(538);
/// A child that does not end in this time hangs: two busy cores are allowed for.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a child ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The exit status, or `None` for one that was killed.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Ended by `abort`, as at a crash point.
    pub fn aborted(&self) -> bool {
        self.status.signal() == Some(6)
    }

    /// Both streams, for messages.
    pub fn said(&self) -> String {
        format!("{:?}\n--- out\n{}--- err\n{}", self.status, self.out, self.err)
    }

    /// Panics unless it ended with this status.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{}", self.said());
        self
    }

    /// Panics unless one of the streams has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "{text:?} is not said: {}", self.said());
        self
    }

    /// Standard output as one JSON document, and nothing else; a list by its elements.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        match serde_json::from_str(&self.out) {
            Ok(serde_json::Value::Array(elements)) => elements,
            Ok(other) => vec![other],
            Err(error) => panic!("{error}: {}", self.said()),
        }
    }
}

/// Everything a test needs; the folder goes with it.
pub struct House {
    pub crm: SimCrm,
    pub dialler: DiallerSim,
    pub env: Env,
    pub crm_url: String,
    pub dialler_url: String,
    _servers: [Serving; 2],
    folder: tempfile::TempDir,
}

impl House {
    /// A CRM with so many records, an empty dialler, a config between them.
    pub async fn new(records: u64) -> Self {
        let env = Env::real();
        let settings = Settings { login: Login::Token(TOKEN.to_owned()), ..Settings::default() };
        let crm = SimCrm::new(settings, env.clone(), 1, Detail::Full);
        crm.editor().seed(records, 1);
        let config = DiallerConfig { tokens: vec![TOKEN.to_owned()], ..DiallerConfig::default() };
        let client = config.client_id;
        let dialler = DiallerSim::new(config, env.clone());
        let crm_server = serve(crm.router()).await.expect("a free port");
        let dialler_server = serve(dialler.router()).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let house = Self {
            crm,
            dialler,
            env,
            crm_url: crm_server.url(),
            dialler_url: format!("{}/rest/v1.0/{client}", dialler_server.url()),
            _servers: [crm_server, dialler_server],
            folder,
        };
        house.write_token("crm.token", TOKEN);
        house.write_token("dialler.token", TOKEN);
        house.write_config("");
        house
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a token file whole, as an operator does.
    pub fn write_token(&self, name: &str, token: &str) {
        use std::io::Write as _;
        let path = self.path(&format!("{name}.new"));
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.create(true).truncate(true).write(true).mode(0o600).open(&path).expect("a file");
        writeln!(file, "{token}").expect("written");
        std::fs::rename(&path, self.path(name)).expect("renamed");
    }

    /// The config. Its crons never come due, so that every run is asked for; the quiet time is short.
    pub fn config_text(&self, more: &str) -> String {
        format!(
            r#"[dialler]
base_url      = "{dialler}"
token_file    = "dialler.token"
time_zone     = "Europe/Berlin"
country       = "DE"
release       = "3.39"
allow_http    = true
settle_after  = "2s"

[crm.sales]
connector     = "sim-id"
base_url      = "{crm}"
token_file    = "crm.token"
allow_http    = true

[route.leads]
crm           = "sales"
campaign      = "Spring leads"
only_if       = "phone and active"
block_if      = "phone_blacklisted"
pull          = "0 0 29 2 *"
push          = "0 0 29 2 *"
harvest       = "0 0 29 2 *"
beside        = "ignore"

[route.leads.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
Email         = "email"
City          = "city"
PostalCode    = "zip"

[push]
retry         = ["1s"]

[ledger]
path          = "ledger.sqlite"
{more}"#,
            dialler = self.dialler_url,
            crm = self.crm_url,
        )
    }

    /// Writes the config, with something added at its end.
    pub fn write_config(&self, more: &str) {
        std::fs::write(self.config(), self.config_text(more)).expect("the config is written");
    }

    /// Where the config lies.
    pub fn config(&self) -> PathBuf {
        self.path("dialbridge.toml")
    }

    /// Where the ledger lies.
    pub fn ledger(&self) -> PathBuf {
        self.path("ledger.sqlite")
    }

    /// The program with this config; nothing of the tests' own environment decides anything.
    pub fn command(&self, args: &[&str]) -> Command {
        program(&self.config(), args)
    }

    /// Runs a verb to its end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args)).await
    }

    /// Runs a verb that ends at a crash point; false when the point was not met.
    pub async fn crash(&self, args: &[&str], point: &str) -> bool {
        let mut command = self.command(args);
        command.env("DIALBRIDGE_CRASH_AT", point);
        let ran = finish(command).await;
        assert!(ran.aborted() || matches!(ran.code(), Some(0 | 3)), "{point}: {}", ran.said());
        if !ran.aborted() {
            eprintln!("{point} was not met: {}", ran.said());
        }
        ran.aborted()
    }

    /// Starts the daemon and waits until it answers.
    pub async fn daemon(&self) -> Daemon {
        self.daemon_with(&[]).await
    }

    /// The same with something in its environment.
    pub async fn daemon_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let log = std::fs::File::create(self.path("daemon.log")).expect("a log");
        let mut command = self.command(&["run"]);
        command.envs(environment.iter().copied());
        let child =
            command.stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().expect("the daemon starts");
        let daemon = Daemon { child, log: self.path("daemon.log") };
        let up = async {
            while !daemon.log().contains("started") {
                self.env.sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, up).await.is_ok(), "no daemon: {}", daemon.log());
        daemon
    }

    /// First pull, then the route is switched on; nothing was sent yet.
    pub async fn switched_on(&self) {
        self.on_with_a_pull_that_ends(0).await;
    }

    /// The same where the first pull parks something.
    pub async fn switched_on_whatever_is_parked(&self) {
        self.on_with_a_pull_that_ends(3).await;
    }

    /// Frozen meanwhile, so that what the pull decides waits for whoever pushes first.
    async fn on_with_a_pull_that_ends(&self, status: i32) {
        self.run(&["freeze", "--reason", "test"]).await.expect(0);
        self.run(&["route", "on", "leads", "--reason", "test"]).await.expect(0);
        self.run(&["sync", "pull"]).await.expect(status);
        self.run(&["thaw", "--reason", "test"]).await.expect(0);
    }

    /// Agents dial these contacts; returns when every row and result is there.
    pub async fn dial(&self, contacts: impl IntoIterator<Item = i64>) -> usize {
        let short = Duration::from_millis(10);
        let mut made = 0;
        for (index, contact) in contacts.into_iter().enumerate() {
            let outcome = if index % 2 == 0 { Outcome::Answered } else { Outcome::NoAnswer };
            let mut plan = CallPlan::new(outcome);
            (plan.ring, plan.talk, plan.row_delay) = (short, short, short);
            if outcome == Outcome::Answered {
                plan = plan.result("SALE", short);
            }
            made += usize::from(self.dialler.call(contact, plan));
        }
        let soon = || self.env.now() + Duration::from_secs(5);
        while self.dialler.next_due().is_some_and(|due| due <= soon()) {
            self.env.sleep(Duration::from_millis(20)).await;
            self.dialler.tick();
        }
        made
    }

    /// The phone number of a record, as the CRM has it.
    pub fn number(&self, record: u64) -> String {
        let phone = self.crm.editor().field(record, "phone").expect("a number");
        phone.as_str().expect("text").to_owned()
    }

    /// Whether a record's contact is locked.
    pub fn locked(&self, record: u64) -> bool {
        self.dialler.contacts_with(&format!("leads-{record}"))[0].locked
    }

    /// The contacts of the route's campaign, by number.
    pub fn contact_ids(&self) -> Vec<i64> {
        self.dialler.read(|state| {
            state.contacts().filter(|c| c.campaign == CAMPAIGN.0).map(|contact| contact.id).collect()
        })
    }

    /// Changes the ledger behind the program's back: mostly its times, so that nobody has to wait for them.
    pub fn sql(&self, text: &str) {
        let connection = rusqlite::Connection::open(self.ledger()).expect("opened");
        connection.execute_batch(text).expect("changed");
    }

    /// Now, by the clock that the simulators use too.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }
}

/// A daemon under way; killed when dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs");
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
        assert!(sent.expect("kill is there").success(), "SIG{name} was not sent");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").expect("it was ours")
    }

    /// SIGKILL, now.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The program with a config of whatever sort.
pub fn program(config: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialbridge"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DIALBRIDGE") {
            command.env_remove(name);
        }
    }
    command.arg("--config").arg(config).args(args).kill_on_drop(true);
    command
}

/// Runs to the end.
pub async fn finish(mut command: Command) -> Ran {
    let output = tokio::time::timeout(PATIENCE, command.stdin(Stdio::null()).output()).await;
    let output = output.expect("the program hangs").expect("the program starts");
    Ran {
        status: output.status,
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
