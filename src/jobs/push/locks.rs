//! The lock lane: beside everything else, for routes in any state, with slots and a back-off of its own.
//!
//! Nothing that fails elsewhere counts against it, and it ends only when the rest has ended and no lock is
//! due: a block found while the rest was sending goes out in the same run.

use super::outcome::{NextState, lock_wait, outcome_of};
use super::send::{Fate, watched};
use super::{Work, answered, quiet, vanish};
use crate::dialler::{ContactRef, WriteContext};
use crate::domain::{Contact, OperationKind, Reason, ReasonCode};
use crate::env::crash;
use crate::jobs::JobError;
use crate::ledger::{Ending, Leased, LockShown};
use crate::remote::{CallClass, StillHolds};
use crate::sync::found_base;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Locks in flight at once: their own slots of the client.
const SLOTS: usize = 2;
/// How often the lane looks for new locks while the rest works.
const LOOK: Duration = Duration::from_millis(250);

impl Work<'_> {
    pub(super) async fn locks(&self, rest_ended: &CancellationToken) -> Result<(), JobError> {
        let mut trouble = None;
        loop {
            if self.context.env.shutdown().is_cancelled() {
                // What is not under way goes first at the next start.
                return trouble.map_or(Ok(()), Err);
            }
            let last_look = rest_ended.is_cancelled();
            let leased = self.context.ledger.locks_lease(4 * SLOTS).await?;
            if leased.is_empty() {
                if last_look {
                    return trouble.map_or(Ok(()), Err);
                }
                tokio::select! {
                    _awake = self.context.env.sleep(LOOK) => {}
                    () = rest_ended.cancelled() => {}
                }
                continue;
            }
            crash::point("after_lease");
            self.count(|counts| counts.taken += leased.len() as i64);
            if let Some(error) = self.send_locks(leased).await? {
                trouble = Some(error);
            }
        }
    }

    async fn send_locks(&self, leased: Vec<Leased>) -> Result<Option<JobError>, JobError> {
        let mut waiting = leased.into_iter();
        let mut running: FuturesUnordered<_> =
            waiting.by_ref().take(SLOTS).map(|lock| Box::pin(self.lock(lock))).collect();
        let mut trouble = None;
        let mut broken = None;
        while let Some(result) = running.next().await {
            match result {
                Ok((fate, stop)) => {
                    self.count(|counts| match fate {
                        Fate::Done => counts.done += 1,
                        Fate::Refused => counts.refused += 1,
                        Fate::Uncertain => counts.uncertain += 1,
                        Fate::PutBack | Fate::TooOld(_) => counts.put_back += 1,
                        Fate::Parked { .. } => {
                            counts.parked += 1;
                            counts.parked_new += 1;
                        }
                    });
                    trouble = stop.or(trouble);
                }
                Err(error) => broken = Some(error),
            }
            if broken.is_none()
                && let Some(lock) = waiting.next()
            {
                running.push(Box::pin(self.lock(lock)));
            }
        }
        broken.map_or(Ok(trouble), Err)
    }

    async fn lock(&self, lock: Leased) -> Result<(Fate, Option<JobError>), JobError> {
        let Some(contact) = lock.view.contact else { return self.lock_unknown(&lock).await };
        let ledger = &self.context.ledger;
        let still: StillHolds = Arc::new(ledger.halt_watch_locks(lock.halts));
        let about = WriteContext { operation: Some(lock.id), still: Some(still) };
        let target = ContactRef::Id(contact);
        let before = self.before_lock(&lock, contact).await?;
        let result = watched(self.context, self.context.write.lock(&target, about)).await;
        crash::point("after_answer");
        self.count(|counts| counts.requests += 1);
        let Err(error) = result else {
            if let Some(before) = before {
                self.after_lock(&before).await?;
            }
            let shown = ledger.lock_shown().await?;
            ledger.operation_end(lock.id, Ending::Done(Box::new(answered::locked(&shown)))).await?;
            return Ok((Fate::Done, None));
        };
        if self.not_sent_at_the_end(&error) {
            ledger.operation_end(lock.id, Ending::Again { not_before: None }).await?;
            return Ok((Fate::PutBack, Some(error.into())));
        }
        let now = self.context.env.now();
        let (ending, fate, stop) = match outcome_of(OperationKind::Lock, &error.kind) {
            // Harmless to repeat: nothing is asked, it goes out once more.
            NextState::Uncertain => {
                let settle_at = now + quiet(lock_wait(lock.attempts + 1, None));
                let reason = Reason::new(ReasonCode::InDoubt).with("problem", &error);
                (Ending::Uncertain { settle_at, reason }, Fate::Uncertain, None)
            }
            NextState::AgainAndStop { retry_after } => {
                let wait = lock_wait(lock.attempts + 1, retry_after);
                (Ending::Again { not_before: Some(now + quiet(wait)) }, Fate::PutBack, Some(error.into()))
            }
            NextState::PutBackAndStop => {
                tracing::error!(operation = %lock.id, %error, "a lock cannot be sent: somebody who must not be called may be");
                let wait = quiet(Duration::from_secs(30));
                (Ending::Again { not_before: Some(now + wait) }, Fate::PutBack, Some(error.into()))
            }
            NextState::Parked { status, text } if lock.attempts >= 10 => {
                let reason = Reason::new(ReasonCode::Rejected).with("status", status).with("text", &text);
                (Ending::Parked(reason), Fate::Parked { status, text }, None)
            }
            NextState::Parked { status, .. } => {
                tracing::error!(operation = %lock.id, status, "the dialler rejects a lock; it is repeated");
                let wait = quiet(lock_wait(lock.attempts + 1, None));
                (Ending::Again { not_before: Some(now + wait) }, Fate::PutBack, None)
            }
            NextState::AskAnew => (Ending::Again { not_before: None }, Fate::PutBack, None),
            NextState::LookAgain => return vanish::look_again(self.context, &lock).await,
            NextState::Done => {
                (Ending::Done(Box::new(answered::locked(&LockShown::Unknown))), Fate::Done, None)
            }
        };
        ledger.operation_end(lock.id, ending).await?;
        Ok((fate, stop))
    }

    /// The contact's number is not known and no import is making it: whoever bears the key is locked.
    async fn lock_unknown(&self, lock: &Leased) -> Result<(Fate, Option<JobError>), JobError> {
        let ledger = &self.context.ledger;
        let Some(user_data) = &lock.user_data else {
            ledger.lock_bearers(lock.id, None, Vec::new()).await?;
            return Ok((Fate::Refused, None));
        };
        match self.context.read.contacts_by_user_data(user_data, CallClass::Lock).await {
            Ok(found) => {
                let exact: Vec<Contact> = found
                    .into_iter()
                    .filter(|c| c.user_data.as_deref() == Some(user_data.as_str()))
                    .collect();
                let route = lock.route.as_ref().and_then(|route| self.context.routes.get(route));
                let campaign = route.and_then(|route| route.campaign).or(lock.campaign);
                match exact.as_slice() {
                    [one] if one.campaign.is_none() || one.campaign == campaign => {
                        let own = (one.id, found_base(one, &lock.view.base));
                        ledger.lock_bearers(lock.id, Some(own), Vec::new()).await?;
                        Ok((Fate::PutBack, None))
                    }
                    others => {
                        let others = others.iter().map(|contact| contact.id).collect();
                        ledger.lock_bearers(lock.id, None, others).await?;
                        Ok((Fate::Refused, None))
                    }
                }
            }
            Err(error) => {
                let wait = quiet(lock_wait(lock.attempts + 1, None).max(Duration::from_secs(5)));
                let not_before = Some(self.context.env.now() + wait);
                ledger.operation_end(lock.id, Ending::Again { not_before }).await?;
                Ok((Fate::PutBack, error.speaks_of_the_side().then(|| error.into())))
            }
        }
    }
}
