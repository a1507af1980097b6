//! The daemon: parts, schedules, socket, signals.

use super::parts::{self, Parts, RealTransports, Transports};
use super::{LoadedSettings, logging};
use crate::check::Settings;
use crate::control::{End, Socket};
use crate::domain::Timestamp;
use crate::env::Env;
use crate::ledger::Ledger;
use crate::runtime::{Activator, Heartbeat, Schedule, Scheduler};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// A config that cannot be used, or a ledger that cannot be opened: nothing was started.
pub async fn run(config: &Path) -> anyhow::Result<End> {
    let LoadedSettings { settings, warnings } = super::load_all(config)?;
    logging::start(&settings.log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let env = Env::real();
    let daemon = Daemon::start(settings, env.clone(), &RealTransports, FirstRuns::AtOnce).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ledger = %daemon.settings.ledger.path.display(), "started");
    wait_for_the_end(&env, &daemon).await?;
    daemon.stop().await;
    Ok(End::Done)
}

async fn wait_for_the_end(env: &Env, daemon: &Daemon) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => daemon.parts.reload_tokens(),
            () = env.shutdown().cancelled() => return Ok(()),
        }
    }
}

/// When a started daemon makes its first runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRuns {
    /// At once: what waited while it was down does not wait for the next due instant.
    AtOnce,
    /// When they are due or asked for.
    OnDemand,
}

/// A daemon under way; the demo runs the same.
pub struct Daemon {
    /// Its settings.
    pub settings: Arc<Settings>,
    /// Its parts.
    pub parts: Parts,
    scheduler: tokio::task::JoinHandle<()>,
    socket: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Opens the ledger, settles what the last end left open, starts schedules and socket.
    ///
    /// # Errors
    /// The ledger or the socket cannot be had.
    pub async fn start(
        settings: Settings,
        env: Env,
        transports: &dyn Transports,
        first: FirstRuns,
    ) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let parts = parts::build(settings.clone(), env.clone(), transports).await?;
        let socket = Socket::bind(&settings.control_socket).with_context(|| {
            format!("the control socket {} cannot be made", settings.control_socket.display())
        })?;
        let socket = tokio::spawn(socket.serve(parts.control.clone(), env.clone(), parts.tracker.clone()));
        let mut scheduler = Scheduler::default();
        for (schedule, runner) in schedules(&settings, &parts)? {
            scheduler.add(schedule, runner);
        }
        let heartbeat = Heartbeat::start().await.context("the heartbeat cannot start")?;
        let scheduler = tokio::spawn(scheduler.run(env, heartbeat));
        if let Some(push) = &parts.control.runners.push {
            let (ledger, env) = (parts.ledger.clone(), parts.env.clone());
            parts.tracker.spawn(push_when_due(ledger, env, parts.push_due.clone(), push.clone()));
        }
        match first {
            FirstRuns::AtOnce => parts.control.runners.activate_all("start"),
            FirstRuns::OnDemand => {}
        }
        Ok(Self { settings, parts, scheduler, socket })
    }

    /// Finishes what is in flight, then closes the ledger.
    pub async fn stop(self) {
        let env = self.parts.env.clone();
        env.shutdown().cancel();
        self.parts.tracker.close();
        self.parts.tracker.wait().await;
        for task in [self.scheduler, self.socket] {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the daemon broke off");
            }
        }
        tracing::info!("stopped");
    }
}

fn schedules(settings: &Settings, parts: &Parts) -> anyhow::Result<Vec<(Schedule, Activator)>> {
    let mut all = Vec::new();
    for route in settings.routes.values() {
        let zone = route.time_zone;
        if let Some(runner) = parts.control.runners.pulls.get(&route.id) {
            all.push((Schedule::parse(&route.pull, zone)?, runner.clone()));
        }
        if let Some(runner) = &parts.control.runners.push {
            all.push((Schedule::parse(&route.push, zone)?, runner.clone()));
        }
        for (routes, runner) in &parts.control.runners.harvests {
            if routes.contains(&route.id) {
                all.push((Schedule::parse(&route.harvest, zone)?, runner.clone()));
            }
        }
    }
    Ok(all)
}

/// Runs push when its next operation is due (a lock that is repeated after two seconds, a quiet time that
/// ends) and whenever a lock was queued, by whatever: a pull or a harvest may go on for minutes after the page
/// that did. The schedule alone would round all of them up to a minute or more. Ends with shutdown.
pub async fn push_when_due(
    ledger: Ledger,
    env: Env,
    mut due: watch::Receiver<Option<Timestamp>>,
    push: Activator,
) {
    let Some(mut locks) = ledger.locks_queued() else { return };
    // The receiver must not keep the ledger open.
    drop(ledger);
    let mut next: Option<Timestamp> = None;
    loop {
        let wait = next.map(|at| (at - env.now()).to_std().unwrap_or_default());
        tokio::select! {
            alive = env.sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                if !alive {
                    return;
                }
                // The run that this begins says at its end what is due then.
                next = None;
                push.activate("schedule");
            }
            changed = due.changed() => {
                if changed.is_err() {
                    return;
                }
                next = *due.borrow_and_update();
            }
            queued = locks.changed() => {
                if queued.is_err() {
                    return;
                }
                push.activate("schedule");
            }
            () = env.shutdown().cancelled() => return,
        }
    }
}
