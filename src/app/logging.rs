//! Logging: one line per run and per failure, as text or JSON, on standard error (journald reads it).

use crate::check::{LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;

/// Starts logging; a second start in one process is refused and harmless.
pub fn start(settings: &LogSettings) {
    let level = &settings.level;
    // The HTTP stack says nothing of use below warn, and might say too much.
    let filter =
        EnvFilter::new(format!("{level},hyper=warn,reqwest=warn,rustls=warn,tokio_cron_scheduler=error"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging had begun already");
    }
}
