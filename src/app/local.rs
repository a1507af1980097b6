//! A writing verb without a daemon: the same parts under the same exclusive lock.

use super::parts::{self, Parts, RealTransports};
use crate::check::Settings;
use crate::control::Control;
use crate::env::Env;
use crate::runtime::Activator;
use std::sync::Arc;

/// What a single command needs.
pub struct Local {
    /// Where commands go.
    pub control: Arc<Control>,
    parts: Parts,
}

/// Builds everything but schedules and socket.
///
/// # Errors
/// The ledger is in use by a daemon that does not answer, or cannot be opened.
pub async fn open(settings: Settings) -> anyhow::Result<Local> {
    let parts = parts::build(Arc::new(settings), Env::real(), &RealTransports).await?;
    // There is no daemon that would take them meanwhile.
    parts.block_files.look().await?;
    // Nothing runs behind the command's back: the end of the command would break it off.
    let runners = &parts.control.runners;
    runners.push.iter().chain(runners.write_backs.values()).for_each(Activator::run_only_awaited);
    let control = Control {
        ledger: parts.ledger.clone(),
        env: parts.env.clone(),
        runners: parts.control.runners.clone(),
        beside: parts.control.beside.clone(),
        alone: true,
        sides: parts.control.sides.clone(),
        glimpser: parts.control.glimpser.clone(),
        lookers: parts.control.lookers.clone(),
        block_files: parts.control.block_files.clone(),
    };
    Ok(Local { control: Arc::new(control), parts })
}

impl Local {
    /// Lets what is under way end, and closes the ledger.
    pub async fn close(self) {
        self.parts.env.shutdown().cancel();
        self.parts.tracker.close();
        self.parts.tracker.wait().await;
        super::identity::mark(&self.parts.ledger).await;
    }
}
