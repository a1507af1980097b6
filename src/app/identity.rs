//! Whether the ledger is at home: asked at the start, and how far it has come kept beside it.

use crate::check::Settings;
use crate::domain::identity::Watch;
use crate::env::Env;
use crate::jobs::identity::{self, Sides};
use crate::ledger::{Ledger, LedgerError};
use std::time::Duration;

/// How often it is written beside the ledger how far that has come.
const KEEP: Duration = Duration::from_secs(60);

/// Before anything else changes the ledger: what it does not know then is what was lost.
pub(super) async fn begin(ledger: &Ledger, settings: &Settings, env: &Env) -> Result<(), LedgerError> {
    let host = env.host();
    let usual = if host.container { Watch::File } else { Watch::Host };
    let watch = settings.ledger.watch.unwrap_or(usual);
    for difference in ledger.identity_begin(host.machine, watch).await? {
        tracing::error!("all routes are paused (identity): {}", difference.in_words());
    }
    Ok(())
}

/// The sides that are asked, once after every start, whether they are the ones that the ledger knows.
pub(super) fn watched(settings: &Settings) -> Sides {
    let dialler = (identity::DIALLER.to_owned(), settings.dialler.http.base_url.clone());
    let crms = settings.routes.values().filter_map(|route| {
        let crm = settings.crms.get(&route.crm)?;
        Some((identity::crm_of(&route.id), crm.http.base_url.clone()))
    });
    Sides::new(crms.chain([dialler]))
}

/// Until shutdown.
pub(super) async fn keep(ledger: Ledger, env: Env) {
    while env.sleep(KEEP).await {
        mark(&ledger).await;
    }
}

/// Once more, when everything has ended.
pub(super) async fn mark(ledger: &Ledger) {
    if let Err(error) = ledger.mark_keep().await {
        tracing::warn!(%error, "it could not be written beside the ledger how far it has come; it is tried again");
    }
}
