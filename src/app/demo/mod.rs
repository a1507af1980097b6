//! `demo`: simulated CRM and dialler on loopback over real HTTP, and the very same daemon between them.

mod report;
mod story;

use super::daemon::{Daemon, FirstRuns};
use super::parts::RealTransports;
use super::simulate::{self, CAMPAIGN, SimulateOptions, Simulated, TOKEN};
use crate::app::say::say;
use crate::env::Env;
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How to show it.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Leave everything running until Ctrl-C.
    pub keep: bool,
    /// How many records the CRM begins with.
    pub records: u32,
    /// Where to put config and ledger; a new folder without it.
    pub folder: Option<PathBuf>,
}

/// Runs the demo and prints its report.
///
/// # Errors
/// Something did not go as the demo shows it: then it is no demo.
pub async fn run(options: DemoOptions) -> anyhow::Result<()> {
    let folder = folder(&options)?;
    let env = Env::real();
    let simulated = simulate::start(
        &SimulateOptions { records: options.records, dialler_port: 0, crm_port: 0, seed: 1, agents: false },
        &env,
    )
    .await?;
    let config = write_config(&folder, &simulated, options.keep)?;
    say!("A simulated CRM with {} records and a simulated dialler answer on this machine.", options.records);
    say!("Config and ledger: {}\n", folder.display());
    let settings = super::load(&config)?;
    let daemon = Daemon::start(settings, env.clone(), &RealTransports, FirstRuns::OnDemand).await?;
    let told = story::tell(&simulated, &daemon, options.records).await;
    let ledger = daemon.parts.ledger.clone();
    let result = match told {
        Ok(()) => report::print(&ledger, &simulated, &config, options.keep).await,
        Err(error) => Err(error),
    };
    if options.keep && result.is_ok() {
        say!("\nEverything goes on running; Ctrl-C ends it.");
        // The report is out; from here on the journals would only grow.
        simulated.crm.journal.count_only();
        simulated.dialler.journal().count_only();
        simulated.dialler.start_agents(crate::sim::dialler::AgentsConfig::default());
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
    }
    daemon.stop().await;
    result
}

/// A new folder, or the named one if it is empty: a demo must not write into somebody's config.
fn folder(options: &DemoOptions) -> anyhow::Result<PathBuf> {
    let Some(folder) = &options.folder else { return Ok(super::scratch_folder()?) };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    if entries.next().is_some() {
        bail!("{} is not empty; name a new folder", folder.display());
    }
    folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))
}

fn write_config(folder: &Path, simulated: &Simulated, keep: bool) -> anyhow::Result<PathBuf> {
    let secret = |name: &str| -> anyhow::Result<()> {
        let path = folder.join(name);
        let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        writeln!(file, "{TOKEN}").with_context(|| format!("{} cannot be written", path.display()))
    };
    secret("crm.token")?;
    secret("dialler.token")?;
    // Each run of the demo is asked for by hand, so that its report is the same every time; with --keep
    // the schedules take over afterwards.
    let schedule = if keep { "* * * * *" } else { "0 0 29 2 *" };
    let text = format!(
        r#"# Written by `dialbridge demo`.

[dialler]
base_url      = "{dialler}"
token_file    = "dialler.token"
time_zone     = "Europe/Berlin"
country       = "DE"
release       = "3.39"
allow_http    = true            # both sides are on this machine

[crm.sales]
connector     = "sim-id"
base_url      = "{crm}"
token_file    = "crm.token"
allow_http    = true

[route.leads]
crm           = "sales"
campaign      = "{campaign}"
only_if       = "phone and active"        # eligible now
block_if      = "phone_blacklisted"       # must not be called, by whatever route
pull          = "{schedule}"
push          = "{schedule}"
harvest       = "{schedule}"
write_back    = "{schedule}"
opt_out_results = ["DO_NOT_CALL"]       # whoever says so in a call is blocked
beside        = "ignore"
max_new_per_run = 1000000       # by default more than 2000 at once need approval

[route.leads.fields]
Name          = "name"
PhoneNumber1  = "phone | phone('DE')"
Email         = "email"
City          = "city"
PostalCode    = "zip"

[route.leads.results]           # the CRM's words for what agents choose
SALE          = "won"
NO_INTEREST   = "declined"
DO_NOT_CALL   = "do not call"
CALL_LATER    = "call again"
APPOINTMENT   = "appointment"
MAX_TRIES     = "not reached"
NO_NUMBER     = "not reached"
INCOMING      = "called us"

[route.leads.activity]          # what each call becomes there
subject       = "'Call: ' ~ (outcome | default('no result'))"
started       = "started"
seconds       = "seconds"

[ledger]
path          = "ledger.sqlite"

[log]
level         = "warn"
"#,
        dialler = simulated.dialler_url(),
        crm = simulated.crm_url(),
        campaign = CAMPAIGN.0,
    );
    let path = folder.join("dialbridge.toml");
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}
