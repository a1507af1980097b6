//! What the service manager is told: ready, reloading, stopping, and that we are alive.
//!
//! The one owner of `sd-notify`. Without a service manager (no `NOTIFY_SOCKET`) every word is silence.

use crate::ledger::Ledger;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The service manager of this process, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// How long it waits for a sign of life before it restarts us.
    watchdog: Option<Duration>,
}

impl Service {
    /// As the environment tells.
    pub fn of_this_process() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }

    /// Everything is up.
    pub fn ready(self) {
        tell(&[NotifyState::Ready]);
    }

    /// A reload began; [`Self::ready`] ends it.
    pub fn reloading(self) {
        // systemd from 253 on wants to know when; older ones pass it over.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The end began: what is in flight is finished.
    pub fn stopping(self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Gives a sign of life as long as the scheduler beats *and* the ledger's writer answers: a timer of its own
    /// would go on beating for a daemon that does nothing any more.
    pub async fn keep_alive(self, pulse: Arc<Notify>, ledger: Ledger, end: CancellationToken) {
        let Some(watchdog) = self.watchdog else { return };
        let mut last: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                () = pulse.notified() => {}
                () = end.cancelled() => return,
            }
            // A third of the time leaves room for one sign that comes late.
            if last.is_some_and(|last| last.elapsed() < watchdog / 3) {
                continue;
            }
            if ledger.writer_answers().await.is_ok() {
                tell(&[NotifyState::Watchdog]);
                last = Some(tokio::time::Instant::now());
            }
        }
    }
}

impl Service {
    /// Says for the watchdog that we are alive while something is brought to its end on purpose and no scheduler
    /// beats: for five minutes at most, longer than any request may take.
    pub async fn alive_while<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let step = self.watchdog.unwrap_or(MOST_DRAINING) / 3;
        let began = tokio::time::Instant::now();
        loop {
            match tokio::time::timeout(step, &mut work).await {
                Ok(done) => return done,
                Err(_) if began.elapsed() < MOST_DRAINING => tell(&[NotifyState::Watchdog]),
                Err(_) => return work.await,
            }
        }
    }
}

/// How long [`Service::alive_while`] vouches for the process.
const MOST_DRAINING: Duration = Duration::from_secs(300);

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
