//! A whole small world under virtual time: the simulated CRM, the simulated dialler, and the program's
//! own parts between them, with faults, crashes and a clock that tests move.
//!
//! Tests built on it judge by what the simulators noted themselves, never by our ledger; the ledger is
//! read for reasons only.

mod asked;
mod rest;
mod runs;
mod seen;
mod setup;
mod wires;

pub use setup::{Setup, WINBACK};

use dialbridge::app::parts::{Parts, build_on};
use dialbridge::check::Settings;
use dialbridge::domain::policy::RouteState;
use dialbridge::domain::{RecordId, Timestamp};
use dialbridge::env::Env;
use dialbridge::ledger::Ledger;
use dialbridge::sim::crm::{Login, Settings as CrmSettings, SimCrm};
use dialbridge::sim::dialler::{DiallerConfig, DiallerSim};
use dialbridge::sim::journal::Detail;
use rest::Rest;
use setup::{config_text, load};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wires::Wires;

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
    rest: Mutex<Rest>,
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
        let rest = Mutex::new(Rest::Unasked);
        let mut world =
            Self { crm, second_crm, dialler, env, settings, folder, ledger_file, parts: None, crash, rest };
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
        self.set_rest(Rest::Unasked);
        std::mem::replace(&mut self.crm, SimCrm::new(second_settings(), self.env.child(), 99, Detail::Full))
    }

    /// The next start finds another dialler at the same address.
    pub fn replace_dialler(&mut self) -> DiallerSim {
        self.set_rest(Rest::Unasked);
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
}

/// The UserData of a record on route `leads`.
pub fn key(id: u64) -> String {
    format!("leads-{id}")
}

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).truncate(true).write(true).mode(0o600).open(path).expect("a file to write");
    file.write_all(text.as_bytes()).expect("written");
}

fn second_settings() -> CrmSettings {
    CrmSettings { login: Login::Token(TOKEN.to_owned()), ..CrmSettings::default() }
}
