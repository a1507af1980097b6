//! The simulated CRM and dialler in a process of their own, with a config that names them.

use anyhow::{Context as _, ensure};
use dialbridge::env::Env;
use dialbridge::sim::crm::{Login, Settings, SimCrm};
use dialbridge::sim::dialler::{CallPlan, DiallerConfig, DiallerSim, Outcome};
use dialbridge::sim::faults::{Action, Effect, Rule};
use dialbridge::sim::journal::Detail;
use dialbridge::sim::serve::serve;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// The campaign that is fed and harvested.
pub const CAMPAIGN: i64 = 538;
/// The requests that push has at once with the config's `max_in_flight = 8`: two are kept for locks.
pub const SLOTS: usize = 6;
const TOKEN: &str = "sim-token";

/// The simulators' process, and the folder of whoever talks to them.
pub struct Sides {
    process: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    folder: tempfile::TempDir,
    path: String,
}

impl Sides {
    /// Starts them with so many records and contacts, and writes the config.
    pub fn start(records: u32, contacts: u32) -> anyhow::Result<Self> {
        let mut process = std::process::Command::new(std::env::current_exe()?)
            .args(["simulate", &records.to_string(), &contacts.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take().context("its input")?;
        let stdout = process.stdout.take().context("its output")?;
        let (folder, path) = super::folder()?;
        let path = path.to_str().context("a path in UTF-8")?.to_owned();
        let sides = Self { process, pipes: Mutex::new((stdin, BufReader::new(stdout))), folder, path };
        let addresses: Value = serde_json::from_str(&sides.tell("addresses")?)?;
        let text = |name: &str| addresses[name].as_str().unwrap_or_default().to_owned();
        sides.write_config(&text("dialler"), &text("crm"))?;
        Ok(sides)
    }

    /// Where config and ledger lie.
    pub fn folder(&self) -> &str {
        &self.path
    }

    /// One command, one line of answer.
    pub fn tell(&self, command: &str) -> anyhow::Result<String> {
        let mut pipes = self.pipes.lock().map_err(|_| anyhow::anyhow!("a panic before"))?;
        writeln!(pipes.0, "{command}")?;
        let mut line = String::new();
        pipes.1.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the simulators ended");
        Ok(line.trim().to_owned())
    }

    /// How many imports the simulated dialler counted.
    pub fn imports(&self) -> anyhow::Result<u64> {
        self.count(&["import"])
    }

    /// How many requests for histories it counted, batched or single.
    pub fn histories(&self) -> anyhow::Result<u64> {
        self.count(&["batch", "history"])
    }

    /// How many requests for locks it counted.
    pub fn locks(&self) -> anyhow::Result<u64> {
        self.count(&["lock"])
    }

    fn count(&self, kinds: &[&str]) -> anyhow::Result<u64> {
        let counts: Value = serde_json::from_str(&self.tell("counts")?)?;
        Ok(kinds.iter().filter_map(|kind| counts[kind].as_u64()).sum())
    }

    fn write_config(&self, dialler: &str, crm: &str) -> anyhow::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let folder = self.folder.path();
        let mut token = std::fs::OpenOptions::new();
        let mut token = token.create_new(true).write(true).mode(0o600).open(folder.join("token"))?;
        writeln!(token, "{TOKEN}")?;
        let text = format!(
            r#"
[dialler]
base_url      = "{dialler}/rest/v1.0/3"
token_file    = "token"
time_zone     = "Europe/Berlin"
country       = "DE"
release       = "3.39"
allow_http    = true
max_in_flight = 8
[crm.sales]
connector     = "sim-id"
base_url      = "{crm}"
token_file    = "token"
allow_http    = true
[route.leads]
max_new_per_run     = 1000000
max_new_per_day     = 1000000
max_changed_per_run = 1000000
crm           = "sales"
campaign      = {CAMPAIGN}
only_if       = "phone and active"
block_if      = "phone_blacklisted"
opt_out_results = ["DO_NOT_CALL"]
[route.leads.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
Email         = "email"
City          = "city"
PostalCode    = "zip"
[ledger]
path          = "ledger.sqlite"
"#
        );
        Ok(std::fs::write(folder.join("dialbridge.toml"), text)?)
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("bench: the simulators do not end: {error}");
        }
    }
}

/// The role: serves both sides and obeys one command a line until its input ends.
async fn serve_sides(records: u64, contacts: usize) -> anyhow::Result<()> {
    let env = Env::real();
    let settings = Settings { login: Login::Token(TOKEN.to_owned()), ..Settings::default() };
    let crm = SimCrm::new(settings, env.clone(), 1, Detail::Counts);
    crm.editor().seed(records, 1);
    let dialler = DiallerSim::with_detail(DiallerConfig::default(), env.clone(), Detail::Counts);
    dialler.seed(CAMPAIGN, "other", contacts);
    let (crm_server, dialler_server) = (serve(crm.router()).await?, serve(dialler.router()).await?);
    // tokio's own stdin is a feature that nothing else needs.
    while let Some(line) = env.aside(|| std::io::stdin().lines().next()).await.flatten() {
        let line = line?;
        match line.as_str() {
            "addresses" => {
                println!("{}", json!({ "crm": crm_server.url(), "dialler": dialler_server.url() }));
            }
            "counts" => println!("{}", json!(dialler.journal().counts())),
            "touch" => {
                let editor = crm.editor();
                editor.burst(&editor.ids(), &json!({}));
                println!("touched");
            }
            "call" => println!("{}", call(&dialler, CallPlan::new(Outcome::NoAnswer)).await?),
            "say_no" => {
                let no = CallPlan::new(Outcome::Answered).result("DO_NOT_CALL", Duration::from_millis(50));
                println!("{}", call(&dialler, no).await?);
            }
            "crm_down" => {
                crm.faults.add(Rule::new(Action::Reset(Effect::None)));
                println!("down");
            }
            other => anyhow::bail!("{other:?} is no command"),
        }
    }
    Ok(())
}

/// The role with its arguments as given.
pub async fn serve_from(records: &str, contacts: &str) -> anyhow::Result<()> {
    serve_sides(records.parse()?, contacts.parse()?).await
}

/// Calls one contact in a hundred, and waits until the rows are there.
async fn call(dialler: &DiallerSim, plan: CallPlan) -> anyhow::Result<usize> {
    let contacts: Vec<i64> =
        dialler.read(|state| state.contacts().map(|contact| contact.id).step_by(100).collect());
    let short = Duration::from_millis(50);
    let mut plan = plan;
    (plan.ring, plan.talk, plan.row_delay) = (short, short, short);
    let called = contacts.into_iter().filter(|contact| dialler.call(*contact, plan.clone())).count();
    // The next thing due then is `dtNextTry`, hours away.
    while dialler.next_due().is_some_and(|due| due <= dialler.env().now() + Duration::from_secs(5)) {
        dialler.env().sleep(short).await;
        dialler.tick();
    }
    Ok(called)
}
