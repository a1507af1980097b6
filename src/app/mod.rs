//! Composition: one file per program, and what they share. Nothing is decided here.

pub mod block_files;
pub mod check;
pub mod contacts;
pub mod daemon;
pub mod demo;
pub mod in_process;
pub mod known;
pub mod limits;
pub mod local;
pub mod parts;
pub mod plan;
pub mod reconcile;
pub mod routes;
pub mod say;
pub mod simulate;
pub mod token;
pub mod trial;

mod activities;
mod closing;
mod harvesting;
mod identity;
mod logging;
mod reading;
mod scratch;
mod service;
mod unread;
mod upkeep;
mod write_back;

pub use crate::check::{RouteSettings, Settings};
use crate::domain::Problem;
use crate::env::Env;
use crate::ledger::Ledger;
use crate::runtime::Schedule;
use std::fmt;
use std::path::Path;

/// A config that cannot be used: all its mistakes.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let count = self.0.len();
        write!(
            f,
            "{count} {} in the config; nothing was started",
            if count == 1 { "mistake" } else { "mistakes" }
        )
    }
}

impl std::error::Error for Problems {}

/// A config read and checked against itself and its files; nobody was asked.
pub struct LoadedSettings {
    /// With its meaning.
    pub settings: Settings,
    /// Allowed, but looks wrong.
    pub warnings: Vec<Problem>,
}

/// Reads the config with all its layers.
///
/// # Errors
/// All mistakes at once.
pub fn load_all(config: &Path) -> Result<LoadedSettings, Problems> {
    let sources = crate::config::Sources::read(config, std::env::vars().collect()).map_err(Problems)?;
    let loaded = crate::config::load(&sources);
    let cron = |text: &str, zone| Schedule::parse(text, zone).map(|_| ()).map_err(|error| error.to_string());
    let checked = crate::check::offline(&loaded, &crate::check::Validators { cron: &cron });
    match checked.settings {
        Some(settings) => Ok(LoadedSettings { settings, warnings: checked.warnings }),
        None => Err(Problems(checked.problems)),
    }
}

/// The same without the warnings.
///
/// # Errors
/// All mistakes at once.
pub fn load(config: &Path) -> anyhow::Result<Settings> {
    Ok(load_all(config)?.settings)
}

/// Opens the ledger for reading, beside a daemon or without one.
///
/// # Errors
/// There is none yet, or it cannot be used.
pub async fn open_reading(settings: &Settings) -> anyhow::Result<Ledger> {
    Ok(Ledger::open_read_only(&settings.ledger.path, Env::real()).await?)
}

/// A number as a person writes it, in E.164.
pub fn number_to_e164(settings: &Settings, number: &str) -> Option<String> {
    let country = settings.blocks_country.as_deref().or(settings.dialler.country.as_deref());
    crate::mapping::e164(number, country)
}

/// A span such as "2h" counted from now; `None`: the text is none.
pub fn span_from_now(text: &str) -> Option<crate::domain::Timestamp> {
    let span = chrono::TimeDelta::from_std(crate::config::duration::parse(text)?).ok()?;
    Env::real().now().checked_add_signed(span)
}

/// Who gives commands without a daemon: for the trail.
pub fn user_name() -> String {
    std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown".to_owned())
}

/// A folder of our own that nobody else can have prepared; the caller removes it.
///
/// # Errors
/// The system's folder for temporary files is not writable.
pub(crate) fn scratch_folder() -> std::io::Result<std::path::PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let env = Env::real();
    let name = format!("dialbridge-{:016x}", env.random_below(u64::MAX));
    let path = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}
