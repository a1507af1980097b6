//! The lock lane: beside everything else, for routes in any state, with slots and a back-off of its own.
//!
//! Nothing that fails elsewhere counts against it, and it ends only when the rest has ended and no lock is
//! due: a block found while the rest was sending goes out in the same run. Whoever must be looked for first
//! holds up nobody whose number is known: looking has a place of its own, because a read may hang.

use super::fate::Fate;
use super::{Work, quiet, standing, vanish};
use crate::domain::Timestamp;
use crate::env::crash;
use crate::jobs::JobError;
use crate::ledger::Leased;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Locks in flight at once: their own slots of the client.
const SLOTS: usize = 2;
/// Contacts looked for at once. They share the slots: one is left for locks, whatever a read does.
const LOOKS: usize = 1;
/// So many are leased at once, of each.
const LEASED: usize = 4 * SLOTS;
/// How often the lane looks for new locks.
const LOOK: Duration = Duration::from_millis(250);
/// So long it looks for contacts when the rest has ended: the rest must have its next turn, too.
const LINGER: Duration = Duration::from_secs(60);
/// Whoever could not be looked for waits so long.
const LATER: Duration = Duration::from_secs(60);

/// What became of a lock.
pub(super) enum Step {
    /// It has its end; what was met may speak of the whole side.
    Ended(Fate, Option<JobError>),
    /// No contact is there under its number: it is to be looked for.
    Seek(Box<Leased>),
}

/// What waits in the lane, and what it met.
#[derive(Default)]
struct Lane {
    known: VecDeque<Leased>,
    sought: VecDeque<Leased>,
    linger_until: Option<Timestamp>,
    /// Until when locks of the night are queued in this run.
    standing_until: Option<Timestamp>,
    trouble: Option<JobError>,
    broken: Option<JobError>,
}

impl Work<'_> {
    pub(super) async fn locks(&self, rest_ended: &CancellationToken) -> Result<(), JobError> {
        let env = &self.context.env;
        let standing_until = Some(env.now() + quiet(standing::SPELL));
        let mut lane = Lane { standing_until, ..Lane::default() };
        let mut sending = FuturesUnordered::new();
        let mut looking = FuturesUnordered::new();
        loop {
            let last_look = rest_ended.is_cancelled();
            if last_look && lane.linger_until.is_none() {
                lane.linger_until = Some(env.now() + quiet(LINGER));
            }
            // What is not under way at shutdown goes first at the next start.
            let open = lane.broken.is_none() && !env.shutdown().is_cancelled();
            let leased = open && self.lease_locks(&mut lane, sending.len(), looking.len()).await;
            while sending.len() < SLOTS
                && lane.broken.is_none()
                && let Some(lock) = lane.known.pop_front()
            {
                sending.push(Box::pin(self.known_or_sought(lock)));
            }
            while looking.len() < LOOKS
                && lane.broken.is_none()
                && let Some(lock) = lane.sought.pop_front()
            {
                looking.push(Box::pin(self.seek(lock)));
            }
            if sending.is_empty() && looking.is_empty() && (!open || last_look && !leased) {
                return lane.broken.or(lane.trouble).map_or(Ok(()), Err);
            }
            tokio::select! {
                biased;
                Some(step) = sending.next() => self.stepped(&mut lane, step).await,
                Some(step) = looking.next() => self.stepped(&mut lane, step).await,
                () = rest_ended.cancelled(), if !last_look => {}
                _awake = env.sleep(LOOK), if open => {}
            }
        }
    }

    /// Fills the lane where it ran dry; whether there was anything.
    async fn lease_locks(&self, lane: &mut Lane, sending: usize, looking: usize) -> bool {
        let lingers = lane.linger_until.is_none_or(|until| self.context.env.now() < until);
        if !lingers && !lane.sought.is_empty() {
            let given_up: Vec<Leased> = lane.sought.drain(..).collect();
            self.put_back(lane, given_up).await;
        }
        let room = |dry: bool| if dry { LEASED } else { 0 };
        let known = room(lane.known.is_empty() && sending < SLOTS);
        let sought = room(lane.sought.is_empty() && looking < LOOKS && lingers);
        if known + sought == 0 {
            return false;
        }
        match self.context.ledger.locks_lease(known, sought).await {
            Ok(leased) if leased.is_empty() => sending + looking == 0 && self.night(lane).await,
            Ok(leased) => {
                crash::point("after_lease");
                self.count(|counts| counts.taken += leased.len() as i64);
                for lock in leased {
                    match lock.view.contact {
                        Some(_) => lane.known.push_back(lock),
                        None => lane.sought.push_back(lock),
                    }
                }
                true
            }
            Err(error) => {
                lane.broken = Some(error.into());
                false
            }
        }
    }

    /// Nothing else is to be locked: the night's round goes on. Whether it queued anything.
    async fn night(&self, lane: &mut Lane) -> bool {
        if lane.standing_until.is_none_or(|until| self.context.env.now() >= until) {
            return false;
        }
        match self.standing_locks().await {
            Ok(queued) => queued > 0,
            Err(error) => {
                lane.broken = Some(error);
                false
            }
        }
    }

    async fn known_or_sought(&self, lock: Leased) -> Result<Step, JobError> {
        match lock.view.contact {
            Some(contact) => self.lock(lock, contact).await,
            None => Ok(Step::Seek(Box::new(lock))),
        }
    }

    async fn seek(&self, lock: Leased) -> Result<Step, JobError> {
        let (fate, stop) = match lock.view.contact {
            Some(_) => vanish::look_again(self.context, &lock).await?,
            None => self.lock_unknown(&lock).await?,
        };
        Ok(Step::Ended(fate, stop))
    }

    async fn stepped(&self, lane: &mut Lane, step: Result<Step, JobError>) {
        match step {
            Ok(Step::Ended(fate, stop)) => {
                self.count(|counts| fate.count(counts));
                lane.trouble = stop.or(lane.trouble.take());
            }
            Ok(Step::Seek(lock)) if lane.sought.len() < LEASED => lane.sought.push_back(*lock),
            // A gateway that says of everybody that they are not there: they are locked again meanwhile.
            Ok(Step::Seek(lock)) => self.put_back(lane, vec![*lock]).await,
            Err(error) => lane.broken = Some(error),
        }
    }

    async fn put_back(&self, lane: &mut Lane, locks: Vec<Leased>) {
        self.count(|counts| counts.put_back += locks.len() as i64);
        let ids = locks.iter().map(|lock| lock.id).collect();
        let later = self.context.env.now() + quiet(LATER);
        if let Err(error) = self.context.ledger.operations_put_back(ids, Some(later)).await {
            lane.broken = Some(error.into());
        }
    }
}
