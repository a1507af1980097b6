//! The block lists of the config: built, read before anything is sent, and looked at again and again.

use super::number_to_e164;
use crate::check::Settings;
use crate::env::Env;
use crate::jobs::block_files::{BlockFile, BlockFiles, Reading};
use crate::ledger::Ledger;
use crate::mapping::number_list;
pub use crate::mapping::number_list::{BadLine, NumberList};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at; a look that finds nothing costs a question to the disk.
const EVERY: Duration = Duration::from_secs(10);

/// A list that a person names.
///
/// # Errors
/// It cannot be read at all.
pub fn read(settings: &Settings, file: &Path) -> anyhow::Result<NumberList> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(number_list::read(&bytes, |number| number_to_e164(settings, number)))
}

/// Whether the config still names this list.
pub fn is_named(settings: &Settings, client: &str, path: &str) -> bool {
    settings.block_files.iter().any(|(of, file)| of == client && file.display().to_string() == path)
}

/// Those of the config.
pub(super) fn of(settings: &Arc<Settings>, ledger: &Ledger, env: &Env) -> BlockFiles {
    let files = settings.block_files.iter();
    let files =
        files.map(|(client, path)| BlockFile { client: client.clone(), path: path.clone() }).collect();
    let country = settings.blocks_country.clone().unwrap_or_default();
    let settings = settings.clone();
    let to_e164 = Box::new(move |number: &str| number_to_e164(&settings, number));
    BlockFiles::new(files, Reading { to_e164, country }, ledger.clone(), env.clone())
}

/// Until shutdown. The ledger's own failure ends the daemon elsewhere.
pub(super) async fn keep(files: Arc<BlockFiles>, env: Env) {
    while !files.is_empty() {
        if let Err(error) = files.look().await {
            tracing::warn!(%error, "the block lists could not be taken; they are tried again");
        }
        if !env.sleep(EVERY).await {
            return;
        }
    }
}
