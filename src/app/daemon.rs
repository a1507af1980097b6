//! The daemon: parts, schedules, socket, signals.

use super::parts::{self, Parts, RealTransports, Transports};
use super::service::Service;
use super::{LoadedSettings, block_files, closing, identity, logging, reconcile, upkeep};
use crate::check::Settings;
use crate::control::{End, Socket};
use crate::domain::{Problem, Timestamp};
use crate::env::Env;
use crate::ledger::Ledger;
use crate::runtime::{Activator, Heartbeat, Schedule, Scheduler};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

/// Runs until SIGTERM or SIGINT; SIGHUP reads the config and the tokens again.
///
/// # Errors
/// A config that cannot be used, or a ledger that cannot be opened: nothing was started.
pub async fn run(config: &Path) -> anyhow::Result<End> {
    let LoadedSettings { settings, warnings } = super::load_all(config)?;
    logging::start(&settings.log)?;
    warn_of(&warnings);
    let (env, service) = (Env::real(), Service::of_this_process());
    let mut signals = Signals::new()?;
    let mut daemon = Daemon::start(settings, env.child(), &RealTransports, FirstRuns::AtOnce).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ledger = %daemon.settings.ledger.path.display(), "started");
    let mut alive = keep_alive(service, &daemon);
    service.ready();
    let broken = loop {
        tokio::select! {
            wish = signals.next(&daemon.parts.env) => match wish {
                Wish::Reload => {}
                Wish::End => break None,
            },
            error = daemon.parts.ledger.failure() => break Some(error),
        }
        service.reloading();
        alive.abort();
        // It holds the ledger, which the new parts open anew.
        let _aborted = alive.await;
        daemon = service.alive_while(reload(daemon, config, &env)).await?;
        alive = keep_alive(service, &daemon);
        service.ready();
    };
    service.stopping();
    let ledger = daemon.settings.ledger.path.clone();
    daemon.stop().await;
    match broken {
        None => Ok(End::Done),
        // Without its memory it must not send anything: no job goes on, and the service manager shows why.
        Some(error) => Err(error).with_context(|| format!("stopped, because of {}", ledger.display())),
    }
}

fn keep_alive(service: Service, daemon: &Daemon) -> tokio::task::JoinHandle<()> {
    let parts = &daemon.parts;
    tokio::spawn(service.keep_alive(daemon.pulse.clone(), parts.ledger.clone(), parts.env.shutdown().clone()))
}

fn warn_of(warnings: &[Problem]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// What a signal asks for.
enum Wish {
    Reload,
    End,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Before anything is started: a signal that comes meanwhile must not end the process the hard way.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self, env: &Env) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hangup.recv() => Wish::Reload,
            () = env.shutdown().cancelled() => Wish::End,
        }
    }
}

/// Takes the config as it is now; a bad one is refused with all its mistakes, and the old one goes on.
///
/// What is in flight is finished first. Where nothing but tokens changed, no run is disturbed.
async fn reload(daemon: Daemon, config: &Path, env: &Env) -> anyhow::Result<Daemon> {
    let settings = match super::load_all(config) {
        Ok(LoadedSettings { settings, warnings }) => {
            warn_of(&warnings);
            settings
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!("{problem}");
            }
            tracing::error!(mistakes = problems.0.len(), "the config was not taken; the old one goes on");
            daemon.parts.reload_tokens();
            return Ok(daemon);
        }
    };
    if same(&settings, &daemon.settings) {
        daemon.parts.reload_tokens();
        tracing::info!("reloaded: the config is as it was");
        return Ok(daemon);
    }
    if settings.log != daemon.settings.log {
        tracing::warn!("[log] changed: that is taken at the next start");
    }
    let old = daemon.settings.clone();
    daemon.stop().await;
    match Daemon::start(settings, env.child(), &RealTransports, FirstRuns::AtOnce).await {
        Ok(daemon) => {
            tracing::info!("reloaded: the new config is taken");
            Ok(daemon)
        }
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "the new config cannot be started; the old one goes on"
            );
            Daemon::start_shared(old, env.child(), &RealTransports, FirstRuns::AtOnce).await
        }
    }
}

/// By all that is in them. A comparison of the files' texts was rejected: connectors and their defaults lie
/// elsewhere. A difference that is none costs a restart of the parts and no more.
fn same(one: &Settings, other: &Settings) -> bool {
    format!("{one:?}") == format!("{other:?}")
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
    /// Notified at every look of the scheduler.
    pulse: Arc<Notify>,
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
        Self::start_shared(Arc::new(settings), env, transports, first).await
    }

    async fn start_shared(
        settings: Arc<Settings>,
        env: Env,
        transports: &dyn Transports,
        first: FirstRuns,
    ) -> anyhow::Result<Self> {
        let parts = parts::build(settings.clone(), env, transports).await?;
        let Ready { socket, scheduler, heartbeat } = match ready(&settings, &parts).await {
            Ok(ready) => ready,
            Err(error) => {
                // The runners hold the ledger; whoever goes back to another config opens it at once.
                drain(&parts).await;
                return Err(error);
            }
        };
        let env = parts.env.clone();
        let socket = tokio::spawn(socket.serve(parts.control.clone(), env.clone(), parts.tracker.clone()));
        let pulse = Arc::new(Notify::new());
        let scheduler = tokio::spawn(scheduler.run(env, heartbeat, pulse.clone()));
        if let Some(push) = &parts.control.runners.push {
            let (ledger, env) = (parts.ledger.clone(), parts.env.clone());
            parts.tracker.spawn(push_when_due(ledger, env, parts.push_due.clone(), push.clone()));
        }
        parts.tracker.spawn(block_files::keep(parts.block_files.clone(), parts.env.clone()));
        parts.tracker.spawn(identity::keep(parts.ledger.clone(), parts.env.clone()));
        match first {
            FirstRuns::AtOnce => {
                parts.control.runners.activate_all("start");
                parts.upkeep.activate("start");
                parts.look.activate("start");
                parts.closing.activate("start");
            }
            FirstRuns::OnDemand => {}
        }
        Ok(Self { settings, parts, pulse, scheduler, socket })
    }

    /// Finishes what is in flight, then closes the ledger.
    pub async fn stop(self) {
        drain(&self.parts).await;
        identity::mark(&self.parts.ledger).await;
        for task in [self.scheduler, self.socket] {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the daemon broke off");
            }
        }
        tracing::info!("stopped");
    }
}

/// What can fail at the start, done; nothing of it runs yet.
struct Ready {
    socket: Socket,
    scheduler: Scheduler,
    heartbeat: Heartbeat,
}

async fn ready(settings: &Settings, parts: &Parts) -> anyhow::Result<Ready> {
    let path = &settings.control_socket;
    let socket = Socket::bind(path).with_context(|| {
        format!(
            "the control socket {} cannot be made; make its folder, writable for the daemon's user, or change \
             control.socket",
            path.display()
        )
    })?;
    let mut scheduler = Scheduler::default();
    for (schedule, runner) in schedules(settings, parts)? {
        scheduler.add(schedule, runner);
    }
    let heartbeat = Heartbeat::start().await.context("the heartbeat cannot start")?;
    Ok(Ready { socket, scheduler, heartbeat })
}

/// Ends the tasks of the parts; what is in flight is finished.
async fn drain(parts: &Parts) {
    parts.env.shutdown().cancel();
    parts.tracker.close();
    parts.tracker.wait().await;
}

fn schedules(settings: &Settings, parts: &Parts) -> anyhow::Result<Vec<(Schedule, Activator)>> {
    let zone = settings.dialler.time_zone;
    let mut all = vec![
        (Schedule::parse(upkeep::WHEN, zone)?, parts.upkeep.clone()),
        (Schedule::parse(upkeep::LOOK_WHEN, zone)?, parts.look.clone()),
        (Schedule::parse(closing::WHEN, zone)?, parts.closing.clone()),
    ];
    for route in settings.routes.values() {
        let zone = route.time_zone;
        if let Some(runner) = parts.control.runners.pulls.get(&route.id) {
            all.push((Schedule::parse(&route.pull, zone)?, runner.clone()));
        }
        if let Some(runner) = parts.control.runners.days.get(&route.id) {
            all.push((Schedule::parse(&daily(route.day_start), zone)?, runner.clone()));
        }
        if let Some(runner) = &parts.control.runners.push {
            all.push((Schedule::parse(&route.push, zone)?, runner.clone()));
        }
        let write_back = route.write_back.as_ref().zip(parts.control.runners.write_backs.get(&route.id));
        if let Some((settings, runner)) = write_back {
            all.push((Schedule::parse(&settings.schedule, zone)?, runner.clone()));
        }
        let reconcile = route.reconcile.as_ref().zip(parts.control.runners.reconciles.get(&route.id));
        if let Some((schedule, runner)) = reconcile {
            all.push((Schedule::parse(schedule, zone)?, runner.clone()));
        }
        if let Some(runner) = parts.control.runners.samples.get(&route.id) {
            all.push((Schedule::parse(reconcile::SAMPLE_WHEN, zone)?, runner.clone()));
        }
        for (routes, runner) in &parts.control.runners.harvests {
            if routes.contains(&route.id) {
                all.push((Schedule::parse(&route.harvest, zone)?.with_bookends(), runner.clone()));
            }
        }
    }
    Ok(all)
}

/// The cron of a time of day.
pub fn daily(at: chrono::NaiveTime) -> String {
    use chrono::Timelike as _;
    format!("{} {} * * *", at.minute(), at.hour())
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
