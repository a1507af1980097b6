//! The sequence of waits between tries; the only owner of the `backoff` crate.
//!
//! The crate supplies the growing interval and nothing else. Its own retry loop sleeps as long as a
//! server's Retry-After says (a day, if it says so) and cannot be cancelled, and its jitter draws from
//! a generator of its own, so that a seed would not replay a run: attempts, deadline, cap and jitter
//! are ours (`policy`).

use backoff::backoff::Backoff as _;
use std::time::Duration;

/// Growing waits: `initial`, times 2 each time, at most `max`.
#[derive(Debug)]
pub(super) struct Intervals(backoff::ExponentialBackoff);

impl Intervals {
    /// A new sequence, without jitter.
    pub fn new(initial: Duration, max: Duration) -> Self {
        let mut inner = backoff::ExponentialBackoff {
            current_interval: initial,
            initial_interval: initial,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: max,
            max_elapsed_time: None,
            ..backoff::ExponentialBackoff::default()
        };
        inner.reset();
        Self(inner)
    }

    /// The next wait, shortened by up to a half (`jitter` from 0 to 1), so that calls that failed
    /// together do not come back together.
    pub fn next(&mut self, jitter: f64) -> Duration {
        let full = self.0.next_backoff().unwrap_or(self.0.max_interval).min(self.0.max_interval);
        full.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_greatest_and_jitter_only_shortens() {
        let mut waits = Intervals::new(Duration::from_millis(500), Duration::from_secs(3));
        let full: Vec<_> = (0..5).map(|_| waits.next(0.0).as_millis()).collect();
        assert_eq!(full, [500, 1000, 2000, 3000, 3000]);
        let mut waits = Intervals::new(Duration::from_millis(500), Duration::from_secs(3));
        assert_eq!(waits.next(1.0).as_millis(), 250);
        assert_eq!(waits.next(0.5).as_millis(), 750);
    }
}
