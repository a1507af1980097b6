//! Work that waits for a disk, kept off the runtime's own threads; under virtual time kept on it.

use super::{Clock, Env};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many turns of the others at most, before and after such work, under virtual time.
const TURNS: u64 = 3;

impl Env {
    /// Runs `work` on a thread for blocking work; `None` if it panicked.
    ///
    /// Under virtual time it runs in its asker's place instead, before and after which the others have as many turns as
    /// chance says: threads would decide who comes first, and then a seed would be another history each time it is
    /// played. (One such thread alone, `max_blocking_threads(1)`, was tried: its wake-ups still come between others at
    /// whatever moment they happen to.)
    #[expect(clippy::disallowed_methods, reason = "the one place that hands work to another thread")]
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.clock {
            Clock::Real => tokio::task::spawn_blocking(work).await.ok(),
            Clock::Virtual { .. } => {
                self.turns_of_others().await;
                // What a panic leaves half done is dropped by the asker, as with a thread.
                let done = catch_unwind(AssertUnwindSafe(work)).ok();
                self.turns_of_others().await;
                done
            }
        }
    }

    async fn turns_of_others(&self) {
        for _ in 0..self.random_below(TURNS + 1) {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[tokio::test]
    async fn work_that_panics_is_none_and_harms_nobody_else() {
        for env in [Env::real(), Env::simulated(Timestamp::UNIX_EPOCH, 1)] {
            assert_eq!(env.aside(|| if true { panic!("in the work") } else { 1 }).await, None);
            assert_eq!(env.aside(|| 2).await, Some(2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_says_who_of_many_comes_first() {
        let order = |seed| async move {
            let env = Env::simulated(Timestamp::UNIX_EPOCH, seed);
            let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
            for n in 0..20 {
                let (env, told) = (env.clone(), told.clone());
                tokio::spawn(async move { env.aside(move || told.send(n)).await });
            }
            drop(told);
            let mut order = Vec::new();
            while let Some(n) = heard.recv().await {
                order.push(n);
            }
            order
        };
        assert_eq!(order(1).await, order(1).await);
        assert_ne!(order(1).await, order(2).await);
    }
}
