//! Slots: how many requests may be in flight at once, and who gets the next one.
//!
//! Locks have slots of their own at the dialler; no CRM is asked for one. Among the others a freed slot goes to the highest class that waits,
//! in order of arrival within it; but a class that was passed over [`PATIENCE`] times in a row is
//! served next. So lower classes yield (semantics 26) and yet nothing starves: one grant in nine is
//! every class's guaranteed minimum. Fixed shares of slots were rejected: they leave slots idle
//! whenever a class has nothing to do, which is most of the time.

use super::{CallClass, Side};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How often a waiting class is passed over before it is served.
const PATIENCE: u32 = 8;

/// Slots kept for locks.
const LOCK_SLOTS: usize = 2;

/// The classes that share slots, highest first.
const SHARED: [CallClass; 4] = [CallClass::Push, CallClass::WriteBack, CallClass::Harvest, CallClass::Audit];

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<oneshot::Sender<Slot>>,
    passed_over: u32,
}

#[derive(Debug)]
struct Pool {
    free: usize,
    queues: Vec<Queue>,
}

impl Pool {
    fn new(slots: usize, classes: usize) -> Arc<Mutex<Self>> {
        let queues = (0..classes).map(|_| Queue { waiting: VecDeque::new(), passed_over: 0 }).collect();
        Arc::new(Mutex::new(Self { free: slots, queues }))
    }

    /// Takes the next waiter out of its queue, if any.
    fn next_waiter(&mut self) -> Option<oneshot::Sender<Slot>> {
        let waits = |queue: &Queue| !queue.waiting.is_empty();
        let starved = self.queues.iter().position(|q| waits(q) && q.passed_over >= PATIENCE);
        let chosen = starved.or_else(|| self.queues.iter().position(waits))?;
        for (index, queue) in self.queues.iter_mut().enumerate() {
            if index == chosen {
                queue.passed_over = 0;
            } else if index > chosen && waits(queue) {
                queue.passed_over += 1;
            }
        }
        self.queues[chosen].waiting.pop_front()
    }
}

fn locked(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slot; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot(Option<Arc<Mutex<Pool>>>);

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(pool) = self.0.take() else { return };
        loop {
            let waiter = {
                let mut state = locked(&pool);
                let waiter = state.next_waiter();
                if waiter.is_none() {
                    state.free += 1;
                }
                waiter
            };
            let Some(waiter) = waiter else { return };
            // Sent outside the lock: a waiter that is gone hands the slot back, and one that goes
            // away later drops it in its channel, which comes here again.
            match waiter.send(Self(Some(pool.clone()))) {
                Ok(()) => return,
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
    }
}

/// The slots of one side.
#[derive(Debug)]
pub(super) struct Limits {
    /// `None`: whoever asked for a lock would share the others' slots.
    locks: Option<Arc<Mutex<Pool>>>,
    shared: Arc<Mutex<Pool>>,
}

impl Limits {
    /// `max_in_flight` slots, at the dialler two of them for locks; each of the two pools has at least one.
    pub fn new(side: Side, max_in_flight: usize) -> Self {
        let locks = match side {
            Side::Dialler => LOCK_SLOTS.min(max_in_flight.saturating_sub(1)).max(1),
            Side::Crm => 0,
        };
        let shared = max_in_flight.saturating_sub(locks).max(1);
        Self { locks: (locks > 0).then(|| Pool::new(locks, 1)), shared: Pool::new(shared, SHARED.len()) }
    }

    /// Waits for a slot. Dropping the future leaves the queue.
    pub async fn acquire(&self, class: CallClass) -> Slot {
        let (pool, queue) = match (SHARED.iter().position(|shared| *shared == class), &self.locks) {
            (Some(queue), _) => (&self.shared, queue),
            (None, Some(locks)) => (locks, 0),
            (None, None) => (&self.shared, 0),
        };
        let receiver = {
            let mut state = locked(pool);
            if state.free > 0 {
                state.free -= 1;
                return Slot(Some(pool.clone()));
            }
            let (sender, receiver) = oneshot::channel();
            state.queues[queue].waiting.push_back(sender);
            receiver
        };
        match receiver.await {
            Ok(slot) => slot,
            // The sender lives in the pool, which we hold: it is only ever consumed by sending.
            Err(_) => Slot(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::JoinSet;

    /// Queues one waiter of each given class behind a full pool and says in which order they are served.
    async fn order(classes: &[CallClass]) -> Vec<CallClass> {
        let limits = Arc::new(Limits::new(Side::Dialler, 2));
        let held = limits.acquire(CallClass::Push).await;
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for class in classes.iter().copied() {
            let (limits, served) = (limits.clone(), served.clone());
            tasks.spawn(async move {
                let _slot = limits.acquire(class).await;
                served.lock().unwrap().push(class);
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        while tasks.join_next().await.is_some() {}
        Arc::try_unwrap(served).unwrap().into_inner().unwrap()
    }

    #[tokio::test]
    async fn higher_classes_go_first() {
        use CallClass::{Audit, Harvest, Push, WriteBack};
        assert_eq!(order(&[Audit, Harvest, WriteBack, Push]).await, [Push, WriteBack, Harvest, Audit]);
    }

    #[tokio::test]
    async fn a_class_that_was_passed_over_eight_times_is_served() {
        let mut classes = vec![CallClass::Audit];
        classes.extend([CallClass::Push; 20]);
        let served = order(&classes).await;
        assert_eq!(served.iter().position(|class| *class == CallClass::Audit), Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn locks_have_two_slots_of_their_own() {
        let limits = Limits::new(Side::Dialler, 4);
        let _busy = [limits.acquire(CallClass::Push).await, limits.acquire(CallClass::Harvest).await];
        let soon = Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, limits.acquire(CallClass::Push)).await.is_err());
        let _locks = [limits.acquire(CallClass::Lock).await, limits.acquire(CallClass::Lock).await];
        assert!(tokio::time::timeout(soon, limits.acquire(CallClass::Lock)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn at_a_crm_no_slot_is_kept_for_locks() {
        let limits = Limits::new(Side::Crm, 4);
        let soon = Duration::from_millis(1);
        let mut held = Vec::new();
        for _ in 0..4 {
            let slot = tokio::time::timeout(soon, limits.acquire(CallClass::Push)).await;
            held.push(slot.expect("max_in_flight = 4 is four requests at once"));
        }
        assert!(tokio::time::timeout(soon, limits.acquire(CallClass::Push)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn locks_have_both_slots_also_where_there_are_three_in_all() {
        let limits = Limits::new(Side::Dialler, 3);
        let _locks = [limits.acquire(CallClass::Lock).await, limits.acquire(CallClass::Lock).await];
        let soon = tokio::time::timeout(Duration::from_millis(1), limits.acquire(CallClass::Push));
        assert!(soon.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_went_away_loses_no_slot() {
        let limits = Limits::new(Side::Dialler, 2);
        let held = limits.acquire(CallClass::Push).await;
        for _ in 0..3 {
            let wait = tokio::time::timeout(Duration::from_millis(1), limits.acquire(CallClass::Push));
            assert!(wait.await.is_err());
        }
        // One that goes away between being served and looking.
        let mut late = Box::pin(limits.acquire(CallClass::Push));
        assert!(futures_util::poll!(late.as_mut()).is_pending());
        drop(held);
        drop(late);
        let slot = tokio::time::timeout(Duration::from_millis(1), limits.acquire(CallClass::Audit)).await;
        assert!(slot.is_ok());
        assert!(
            tokio::time::timeout(Duration::from_millis(1), limits.acquire(CallClass::Audit)).await.is_err(),
            "max_in_flight 2 leaves one shared slot, not two"
        );
    }
}
