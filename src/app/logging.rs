//! Logging: one line per run and per failure, as text or JSON on standard error, or field by field in systemd's journal.

use crate::check::{LogFormat, LogSettings};
use anyhow::Context as _;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What our fields begin with in the journal, where others have fields too.
const PREFIX: &str = "DIALBRIDGE";

/// Starts logging; a second start in one process is refused and harmless.
///
/// # Errors
/// The journal is asked for and is not there: a daemon whose log goes nowhere must not start.
pub fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let level = &settings.level;
    // The HTTP stack says nothing of use below warn, and might say too much.
    let filter =
        EnvFilter::new(format!("{level},hyper=warn,reqwest=warn,rustls=warn,tokio_cron_scheduler=error"));
    let written = || tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    let started = match settings.format {
        LogFormat::Text => written().with_env_filter(filter).with_ansi(false).try_init(),
        LogFormat::Json => written().with_env_filter(filter).json().flatten_event(true).try_init(),
        LogFormat::Journald => {
            let journal = journal()?;
            tracing_subscriber::registry().with(filter).with(journal).try_init().map_err(Into::into)
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging had begun already");
    }
    Ok(())
}

fn journal() -> anyhow::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer().context(
        "log.format is \"journald\", and systemd's journal does not answer at /run/systemd/journal/socket: nothing was \
         started; set format = \"text\" or \"json\", which go to standard error and need no journal (in a container, say)",
    )?;
    // The crate's own mapping makes a notice of every run.
    let priorities =
        PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() };
    let identifier = env!("CARGO_PKG_NAME").to_owned();
    Ok(layer
        .with_field_prefix(Some(PREFIX.to_owned()))
        .with_syslog_identifier(identifier)
        .with_priority_mappings(priorities))
}
