//! `simulate`: the two simulators as servers, for trying a config of one's own against them.

use crate::app::say::say;
use crate::env::Env;
use crate::sim::crm::SimCrm;
use crate::sim::dialler::{AgentsConfig, DiallerConfig, DiallerSim};
use crate::sim::journal::Detail;
use crate::sim::serve::{Serving, serve_on};
use anyhow::Context as _;
use std::net::SocketAddr;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulateOptions {
    /// How many records the CRM begins with.
    pub records: u32,
    /// The dialler's port; 0 takes a free one.
    pub dialler_port: u16,
    /// The CRM's port; 0 takes a free one.
    pub crm_port: u16,
    /// By what chance is seeded.
    pub seed: u64,
    /// Whether agents dial by themselves.
    pub agents: bool,
}

/// The token both simulators take.
pub(super) const TOKEN: &str = "sim-token";
/// The campaign the demo feeds, and its number.
pub(super) const CAMPAIGN: (&str, i64) = ("Spring leads", 538);

/// Both sides, served on loopback.
pub(super) struct Simulated {
    pub crm: SimCrm,
    pub dialler: DiallerSim,
    pub crm_server: Serving,
    pub dialler_server: Serving,
}

impl Simulated {
    /// The CRM's address.
    pub fn crm_url(&self) -> String {
        self.crm_server.url()
    }

    /// The dialler's address, up to the ClientsID.
    pub fn dialler_url(&self) -> String {
        format!("{}/rest/v1.0/{}", self.dialler_server.url(), DiallerConfig::default().client_id)
    }
}

/// Starts both on loopback.
pub(super) async fn start(options: &SimulateOptions, env: &Env) -> anyhow::Result<Simulated> {
    let settings = crate::sim::crm::Settings {
        login: crate::sim::crm::Login::Token(TOKEN.to_owned()),
        ..crate::sim::crm::Settings::default()
    };
    let crm = SimCrm::new(settings, env.clone(), options.seed, Detail::Full);
    crm.editor().seed(u64::from(options.records), options.seed);
    let dialler = DiallerSim::new(DiallerConfig::default(), env.clone());
    if options.agents {
        dialler.start_agents(AgentsConfig::default());
    }
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let crm_server =
        serve_on(local(options.crm_port), crm.router()).await.context("the CRM's port cannot be had")?;
    let dialler_server = serve_on(local(options.dialler_port), dialler.router())
        .await
        .context("the dialler's port cannot be had")?;
    Ok(Simulated { crm, dialler, crm_server, dialler_server })
}

/// Serves until Ctrl-C.
///
/// # Errors
/// A port cannot be had.
pub async fn run(options: SimulateOptions) -> anyhow::Result<()> {
    let env = Env::real();
    let simulated = start(&options, &env).await?;
    // It may run for weeks, and nobody reads what was asked.
    simulated.crm.journal.count_only();
    simulated.dialler.journal().count_only();
    say!(
        "CRM      {}   connector \"sim-id\", token {TOKEN:?}, {} records",
        simulated.crm_url(),
        options.records
    );
    say!(
        "dialler  {}   token {TOKEN:?}, campaigns \"Spring leads\" and \"Winback\"",
        simulated.dialler_url()
    );
    say!("\nA config for them, to begin with. Its token: printf %s {TOKEN} > sim-token; chmod 600 sim-token");
    say!("{}", config(&simulated));
    say!("Ctrl-C ends both; nothing is kept.");
    tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
    Ok(())
}

/// A config that fits what is served, for a first day without a real server.
fn config(simulated: &Simulated) -> String {
    format!(
        r#"
[dialler]
base_url     = "{dialler}"
token_file   = "sim-token"
time_zone    = "Europe/Berlin"
country      = "DE"
release      = "3.39"
allow_http   = true                       # both are on this machine

[crm.sales]
connector    = "sim-id"
base_url     = "{crm}"
token_file   = "sim-token"
allow_http   = true

[route.leads]
crm          = "sales"
campaign     = "{campaign}"
only_if      = "phone and active"
block_if     = "phone_blacklisted or do_not_call"
pull         = "*/2 * * * *"
harvest      = "*/5 * * * *"

[route.leads.fields]
Name         = "name"
PhoneNumber1 = "phone"
City         = "city"

[ledger]
path         = "sim.sqlite"
"#,
        dialler = simulated.dialler_url(),
        crm = simulated.crm_url(),
        campaign = CAMPAIGN.0,
    )
}
