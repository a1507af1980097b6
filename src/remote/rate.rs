//! Requests per second: one bucket for all calls of a side, filled steadily, one second deep.

use super::CallClass;
use crate::env::Env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How many locks in a row may go before another class that waits.
const PATIENCE: u32 = 8;

/// The bucket of one side.
///
/// Locks go first, and may borrow one second ahead: a block must not wait because an audit has just
/// emptied the bucket. What they borrow the others pay back, so the rate holds over any longer time;
/// letting locks pass unmetered was rejected, because a night's wave of them would be the one burst
/// that the server's owner wanted to be spared. One other call for every [`PATIENCE`] locks still goes.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    /// What the bucket holds at most: one second's worth, but never less than one call.
    depth: f64,
    state: Mutex<State>,
    /// The others stand in line, in order of arrival. Their classes are ordered by the slots already.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
    /// Locks that went while another class waited.
    passed_over: u32,
    others_wait: bool,
}

impl Rate {
    /// `None` where no rate is set. The config takes 0.1 to 1000 per second.
    pub fn new(per_second: Option<f64>, now: Instant) -> Option<Self> {
        let per_second = per_second.filter(|rate| *rate > 0.0 && rate.is_finite())?;
        let depth = per_second.max(1.0);
        let state = State { tokens: depth, at: now, passed_over: 0, others_wait: false };
        Some(Self { per_second, depth, state: Mutex::new(state), turn: tokio::sync::Mutex::new(()) })
    }

    /// Waits until a call of this class may be sent. Dropping the future leaves the line.
    ///
    /// Answers `false` when shutdown begins.
    pub async fn wait(&self, class: CallClass, env: &Env) -> bool {
        let lock = class == CallClass::Lock;
        let _turn = if lock { None } else { Some(self.turn.lock().await) };
        while let Some(wait) = self.take(lock, env.instant()) {
            if !env.sleep(wait).await {
                return false;
            }
        }
        true
    }

    /// Takes a token, or says how long to wait before asking again.
    fn take(&self, lock: bool, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(state.at).as_secs_f64() * self.per_second;
        state.tokens = (state.tokens + gained).min(self.depth);
        state.at = now;
        let starved = state.others_wait && state.passed_over >= PATIENCE;
        let needed = match (lock, starved) {
            (true, true) => 2.0 - self.depth,
            (true, false) | (false, true) => 1.0 - self.depth,
            (false, false) => 1.0,
        };
        // A billionth less: the sum of many small gains must not miss the mark for ever.
        if state.tokens + 1e-9 < needed {
            state.others_wait |= !lock;
            let wait = Duration::from_secs_f64((needed - state.tokens) / self.per_second);
            // The timer's own resolution; a starved class must be seen without waiting out the bucket.
            let longest = Duration::from_secs_f64(1.0 / self.per_second);
            return Some(wait.min(longest).max(Duration::from_millis(1)));
        }
        state.tokens -= 1.0;
        if lock {
            state.passed_over = if state.others_wait { state.passed_over + 1 } else { 0 };
        } else {
            (state.passed_over, state.others_wait) = (0, false);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn env() -> Env {
        Env::simulated("2026-11-23T10:00:00Z".parse().unwrap(), 7)
    }

    /// Starts `calls` of one class at once; says after how many seconds each was let through.
    async fn let_through(rate: &Arc<Rate>, env: &Env, class: CallClass, calls: usize) -> Vec<f64> {
        let began = env.instant();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let (rate, env) = (rate.clone(), env.clone());
            tasks.spawn(async move {
                assert!(rate.wait(class, &env).await);
                (env.instant() - began).as_secs_f64()
            });
        }
        let mut times = tasks.join_all().await;
        times.sort_by(f64::total_cmp);
        times
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_s_worth_goes_at_once_and_then_the_rate_holds() {
        let env = env();
        let rate = Arc::new(Rate::new(Some(5.0), env.instant()).unwrap());
        let times = let_through(&rate, &env, CallClass::Harvest, 25).await;
        assert!(times[4] < 0.01, "the burst: {times:?}");
        for (index, time) in times.iter().enumerate().skip(5) {
            let due = 0.2 * (index - 4) as f64;
            assert!((time - due).abs() < 0.1, "call {index} at {time} s, due at {due} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_borrows_ahead_and_the_others_pay_it_back() {
        let env = env();
        let rate = Arc::new(Rate::new(Some(4.0), env.instant()).unwrap());
        let_through(&rate, &env, CallClass::Push, 4).await;
        assert!(let_through(&rate, &env, CallClass::Lock, 4).await[3] < 0.01, "locks do not wait");
        let after = let_through(&rate, &env, CallClass::Push, 1).await[0];
        assert!((1.2..1.5).contains(&after), "four are owed and one is needed: {after} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wave_of_locks_keeps_the_rate_and_starves_nobody() {
        let env = env();
        let rate = Arc::new(Rate::new(Some(10.0), env.instant()).unwrap());
        let (locks, others) = tokio::join!(
            let_through(&rate, &env, CallClass::Lock, 120),
            let_through(&rate, &env, CallClass::Audit, 12),
        );
        // 10 in the bucket and 10 borrowed, the other 112 at ten a second.
        let end = locks[119].max(others[11]);
        assert!((11.0..12.6).contains(&end), "{end} s");
        assert!(others[5] < 8.0, "one of nine goes to the others: {others:?}");
        assert!(locks[60] < others[11], "locks first: {locks:?} {others:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_works_and_shutdown_ends_the_wait() {
        let env = env();
        let rate = Arc::new(Rate::new(Some(0.1), env.instant()).unwrap());
        let times = let_through(&rate, &env, CallClass::Push, 2).await;
        assert!(times[0] < 0.01 && (times[1] - 10.0).abs() < 0.1, "{times:?}");
        env.shutdown().cancel();
        assert!(!rate.wait(CallClass::Push, &env).await);
        assert!(Rate::new(None, env.instant()).is_none());
    }
}
