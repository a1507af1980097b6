//! Clock, sleep, randomness and shutdown: the one place that reads each, so that the same jobs run
//! in real time and under virtual time with a seed.

mod aside;
pub mod crash;
mod disk;
mod host;

pub use host::Host;

use crate::domain::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a job may know of the world outside: time, chance and the wish to stop.
///
/// Cheap to clone; all clones share one source of randomness and one shutdown token.
#[derive(Clone, Debug)]
pub struct Env {
    clock: Clock,
    random: Arc<Mutex<fastrand::Rng>>,
    shutdown: CancellationToken,
    /// Given by a test; `None`: the real one is read.
    host: Option<Host>,
    /// Given by a test; `None`: the disk is asked.
    free_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
enum Clock {
    Real,
    /// Follows tokio's clock, which tests pause: virtual time is `start` plus what tokio counted.
    Virtual {
        start: Timestamp,
        origin: tokio::time::Instant,
    },
}

impl Env {
    /// The real clock and real chance.
    #[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
    pub fn real() -> Self {
        Self {
            clock: Clock::Real,
            random: Arc::new(Mutex::new(fastrand::Rng::new())),
            shutdown: CancellationToken::new(),
            host: None,
            free_bytes: None,
        }
    }

    /// Virtual time from `start` on (tokio's clock, paused by the caller) and randomness from `seed`.
    pub fn simulated(start: Timestamp, seed: u64) -> Self {
        Self {
            clock: Clock::Virtual { start, origin: tokio::time::Instant::now() },
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            shutdown: CancellationToken::new(),
            host: Some(Host { machine: Some("simulated".to_owned()), container: false }),
            free_bytes: None,
        }
    }

    /// The present instant, cut to microseconds (what the ledger stores).
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        let now = match &self.clock {
            Clock::Real => chrono::Utc::now(),
            Clock::Virtual { start, origin } => {
                *start + chrono::TimeDelta::from_std(origin.elapsed()).unwrap_or(chrono::TimeDelta::MAX)
            }
        };
        Timestamp::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// A point of the monotonic clock, for measuring how long something takes.
    pub fn instant(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }

    /// Sleeps; returns early, with `false`, when shutdown begins.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = tokio::time::sleep(duration) => true,
            () = self.shutdown.cancelled() => false,
        }
    }

    /// A number from `0.0` to below `1.0`.
    pub fn random(&self) -> f64 {
        self.with_rng(fastrand::Rng::f64)
    }

    /// A number below `end` (0 where `end` is 0).
    pub fn random_below(&self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.with_rng(|rng| rng.u64(0..end)) }
    }

    /// A generator of its own, seeded from this one, for a room that draws much.
    pub fn fork_rng(&self) -> fastrand::Rng {
        self.with_rng(fastrand::Rng::fork)
    }

    fn with_rng<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        let mut rng = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        draw(&mut rng)
    }

    /// The token that shutdown cancels.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// The same clock and randomness with a shutdown token of its own (a run that can be stopped alone).
    #[must_use]
    pub fn child(&self) -> Self {
        Self { shutdown: self.shutdown.child_token(), ..self.clone() }
    }
}
