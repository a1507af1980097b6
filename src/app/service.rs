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
        if let Some(watchdog) = self.watchdog {
            signs_of_life(watchdog, &pulse, &ledger, &end, || tell(&[NotifyState::Watchdog])).await;
        }
    }
}

/// A sign for every third of the watchdog's time in which the scheduler beat and the writer answered.
async fn signs_of_life(
    watchdog: Duration,
    pulse: &Notify,
    ledger: &Ledger,
    end: &CancellationToken,
    sign: impl Fn(),
) {
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
            sign();
            last = Some(tokio::time::Instant::now());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const WATCHDOG: Duration = Duration::from_millis(90);

    /// The signs given in several times the watchdog's time, after `kill` did its work.
    async fn signs(scheduler_beats: bool, kill: impl AsyncFnOnce(&Ledger)) -> usize {
        let env = Env::real();
        let folder = tempfile::tempdir().expect("a folder");
        let ledger =
            Ledger::open(&folder.path().join("ledger.sqlite"), env.clone()).await.expect("a new ledger");
        kill(&ledger).await;
        let (pulse, end, given) = (Arc::new(Notify::new()), CancellationToken::new(), AtomicUsize::new(0));
        let watched = signs_of_life(WATCHDOG, &pulse, &ledger, &end, || {
            given.fetch_add(1, Ordering::SeqCst);
        });
        let life = async {
            for _ in 0..40 {
                env.sleep(Duration::from_millis(10)).await;
                if scheduler_beats {
                    pulse.notify_one();
                }
            }
            end.cancel();
        };
        tokio::join!(watched, life);
        given.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_sign_of_life_needs_the_scheduler_and_the_writer() {
        let nobody = async |_: &Ledger| {};
        assert!(signs(true, nobody).await > 2, "both live");
        assert_eq!(signs(false, nobody).await, 0, "only the writer lives");
        assert_eq!(
            signs(true, async |ledger| ledger.writer_break().await).await,
            0,
            "only the scheduler lives"
        );
    }
}
