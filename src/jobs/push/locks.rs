//! One lock: sent where the contact's number is known, looked for where it is not or is not there.

use super::fate::Fate;
use super::lock_lane::Step;
use super::outcome::{NextState, lock_wait, outcome_of};
use super::send::watched;
use super::{Work, answered, quiet};
use crate::dialler::{ContactRef, WriteContext};
use crate::domain::{Contact, ContactId, OperationKind, Reason, ReasonCode};
use crate::env::crash;
use crate::jobs::JobError;
use crate::ledger::{Ending, Leased, LockShown};
use crate::remote::{CallClass, StillHolds};
use crate::sync::found_base;
use std::sync::Arc;
use std::time::Duration;

impl Work<'_> {
    /// Sends it to the contact whose number is known.
    pub(super) async fn lock(&self, lock: Leased, contact: ContactId) -> Result<Step, JobError> {
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
            ledger
                .operation_end(lock.id, Ending::Done(Box::new(answered::locked(&lock.reason, &shown))))
                .await?;
            return Ok(Step::Ended(Fate::Done, None));
        };
        if self.not_sent_at_the_end(&error) {
            ledger.operation_end(lock.id, Ending::Again { not_before: None }).await?;
            return Ok(Step::Ended(Fate::PutBack, Some(error.into())));
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
            // Never parked: what is rejected while an agent talks may be taken in an hour, and until then somebody who
            // must not be called may be. `status` names those that were tried often.
            NextState::Parked { status, .. } => {
                if lock.attempts.trailing_zeros() >= 3 || lock.attempts < 5 {
                    let tried = lock.attempts + 1;
                    tracing::error!(operation = %lock.id, status, tried, "the dialler rejects a lock; it is repeated");
                }
                let wait = quiet(lock_wait(lock.attempts + 1, None));
                (Ending::Again { not_before: Some(now + wait) }, Fate::PutBack, None)
            }
            NextState::AskAnew => (Ending::Again { not_before: None }, Fate::PutBack, None),
            NextState::LookAgain => return Ok(Step::Seek(Box::new(lock))),
            NextState::Done => (
                Ending::Done(Box::new(answered::locked(&lock.reason, &LockShown::Unknown))),
                Fate::Done,
                None,
            ),
        };
        ledger.operation_end(lock.id, ending).await?;
        Ok(Step::Ended(fate, stop))
    }

    /// The contact's number is not known and no import is making it: whoever bears the key is locked.
    pub(super) async fn lock_unknown(&self, lock: &Leased) -> Result<(Fate, Option<JobError>), JobError> {
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
                match exact.as_slice() {
                    [one] if one.campaign.is_none() || one.campaign == lock.campaign => {
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
