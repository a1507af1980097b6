//! What a world is made of, and the config that says so.

use super::CAMPAIGN;
use dialbridge::check::{self, Settings};
use dialbridge::config::{self, Sources};
use dialbridge::runtime::Schedule;
use dialbridge::sim::crm::Settings as CrmSettings;
use dialbridge::sim::dialler::DiallerConfig;
use std::path::Path;

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

pub(super) fn config_text(setup: &Setup) -> String {
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

pub(super) fn load(config: &Path) -> Settings {
    let sources = Sources::read(config, Vec::new()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let cron = |text: &str, zone| Schedule::parse(text, zone).map(|_| ()).map_err(|error| error.to_string());
    let checked = check::offline(&config::load(&sources), &check::Validators { cron: &cron });
    checked.settings.unwrap_or_else(|| panic!("{:#?}", checked.problems))
}
