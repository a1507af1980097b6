//! One operation on its way: the gate, the decision's age, the call, the end.

use super::answered::AfterRejection;
use super::fate::{Fate, Sent};
use super::outcome::{NextState, outcome_of, wait_after};
use super::storing::Storing;
use super::work::HOLD;
use super::{PushContext, Work, answered, plan, quiet, vanish};
use crate::dialler::{CampaignRef, Changes, ContactRef, WriteContext};
use crate::domain::policy::Clearing;
use crate::domain::{Contact, FieldName, OperationKind, Permit, Reason, ReasonCode, RecordId, RouteName};
use crate::env::crash;
use crate::jobs::JobError;
use crate::ledger::{Ending, GateAnswer, Leased};
use crate::remote::{CallError, CallErrorKind, StillHolds};
use std::sync::Arc;
use std::time::Duration;

/// What a call answered.
pub(super) enum Answer {
    Contact(Box<Contact>),
    Command,
}

impl Work<'_> {
    /// Sends one leased operation and stores how it ended. What is only being stored keeps nothing else from being
    /// sent: a slow disk must not leave the dialler idle.
    pub(super) async fn send(
        &self,
        mut leased: Leased,
        gate: Option<GateAnswer>,
        storing: &Storing,
    ) -> Result<Sent, JobError> {
        let (id, route) = (leased.id, leased.route.clone());
        let end = |fate, stop| Sent { id, route: route.clone(), fate, stop };
        let ledger = &self.context.ledger;
        let mut permit = None;
        if let Some(record) = self.too_old(&leased) {
            let not_before = Some(self.context.env.now() + quiet(HOLD));
            ledger.operation_end(leased.id, Ending::Again { not_before }).await?;
            return Ok(end(Fate::TooOld(record), None));
        }
        if let Some((fate, stop)) = self.must_wait(&leased).await? {
            return Ok(end(fate, stop));
        }
        match self.ask(&leased, gate).await? {
            None => {}
            Some(GateAnswer::Open(open)) => permit = Some(open),
            Some(GateAnswer::Shut(block)) => {
                let reason = Reason::new(ReasonCode::GateShut).with("subject", block.subject.spoken());
                ledger.operation_end(leased.id, Ending::Cancelled(reason)).await?;
                return Ok(end(Fate::Refused, None));
            }
        }
        if let Some((fate, stop)) = self.note_before(&mut leased).await? {
            return Ok(end(fate, stop));
        }
        if let Some((fate, stop)) = self.look_before(&mut leased).await? {
            return Ok(end(fate, stop));
        }
        let still = self.still(&leased, permit.as_ref());
        let Some(call) = call(self.context, &leased, permit.as_ref(), Some(still)) else {
            let not_before = Some(self.context.env.now() + quiet(HOLD));
            ledger.operation_end(leased.id, Ending::Again { not_before }).await?;
            return Ok(end(Fate::PutBack, None));
        };
        let result = watched(self.context, call).await;
        crash::point("after_answer");
        self.count(|counts| counts.requests += 1);
        match result {
            Ok(answer) => {
                let (done, shown) = answered::done(&leased, &answer);
                if let Some(shown) = shown {
                    ledger.clearing_learn(shown).await?;
                }
                if done.overwritten {
                    tracing::warn!(operation = %leased.id, "an import met a contact that was there before; it is marked");
                }
                let _counted = storing.one();
                ledger.operation_end(leased.id, Ending::Done(Box::new(done))).await?;
                Ok(end(Fate::Done, None))
            }
            Err(error) => {
                let (fate, stop) = self.failed(&leased, error).await?;
                Ok(end(fate, stop))
            }
        }
    }

    async fn failed(&self, leased: &Leased, error: CallError) -> Result<(Fate, Option<JobError>), JobError> {
        let ledger = &self.context.ledger;
        let limits = &self.context.limits;
        if self.not_sent_at_the_end(&error) {
            ledger.operation_end(leased.id, Ending::Again { not_before: None }).await?;
            return Ok((Fate::PutBack, Some(error.into())));
        }
        let now = self.context.env.now();
        let (ending, fate, stop) = match outcome_of(leased.kind, &error.kind) {
            NextState::Uncertain => {
                let reason = Reason::new(ReasonCode::InDoubt).with("problem", &error);
                let settle_at = now + quiet(limits.settle_after);
                (Ending::Uncertain { settle_at, reason }, Fate::Uncertain, None)
            }
            NextState::AgainAndStop { retry_after } => {
                let wait = wait_after(
                    leased.attempts + 1,
                    &limits.schedule,
                    retry_after,
                    limits.retry_after_cap,
                    self.context.env.random(),
                );
                let not_before = Some(now + quiet(wait));
                (Ending::Again { not_before }, Fate::PutBack, Some(error.into()))
            }
            NextState::PutBackAndStop => {
                (Ending::Again { not_before: None }, Fate::PutBack, Some(error.into()))
            }
            NextState::Parked { status, text } => {
                let again = (Ending::Again { not_before: None }, Fate::PutBack, None);
                match answered::after_rejection(leased) {
                    AfterRejection::TryNext(way) => {
                        ledger.operation_try_clearing(leased.id, way).await?;
                        again
                    }
                    AfterRejection::Neither => {
                        ledger.clearing_learn(Clearing::Never).await?;
                        ledger.operation_try_clearing(leased.id, Clearing::Never).await?;
                        again
                    }
                    AfterRejection::Stands => {
                        let reason =
                            Reason::new(ReasonCode::Rejected).with("status", status).with("text", &text);
                        (Ending::Parked(reason), Fate::Parked { status, text }, None)
                    }
                }
            }
            // Asked anew in the next pass: the gate, or the record where its decision became too old.
            NextState::AskAnew => (Ending::Again { not_before: None }, Fate::PutBack, None),
            NextState::LookAgain => return vanish::look_again(self.context, leased).await,
            NextState::Done => (Ending::Done(Box::default()), Fate::Done, None),
        };
        ledger.operation_end(leased.id, ending).await?;
        Ok((fate, stop))
    }

    /// Not sent because the program is ending: the other side failed in nothing, so nothing has to wait.
    pub(super) fn not_sent_at_the_end(&self, error: &CallError) -> bool {
        self.context.env.shutdown().is_cancelled() && matches!(error.kind, CallErrorKind::NotSent)
    }

    /// The record whose decision is too old to be acted on: soon, where somebody would be made callable by it; after
    /// an hour's outage, whatever it would change. A person's word that a contact is to go, or what it is to hold
    /// besides numbers, rests on no record.
    fn too_old(&self, leased: &Leased) -> Option<RecordId> {
        let asks_gate = plan::asks_gate(leased.kind, &leased.values);
        if deletion_stands(leased.kind, leased.reason.code) || (leased.given.is_some() && !asks_gate) {
            return None;
        }
        let most =
            if asks_gate { self.callable_age(leased.route.as_ref()) } else { self.context.limits.max_wait };
        let age = self.context.env.now() - leased.decided_at;
        (age > quiet(most)).then(|| leased.record.clone()).flatten()
    }

    /// How old a decision of a route may be that makes somebody callable; of one that left the config, no older than
    /// anything else.
    pub(super) fn callable_age(&self, route: Option<&RouteName>) -> Duration {
        let most = self.context.limits.max_wait;
        let known = route.and_then(|route| self.context.routes.get(route));
        known.map_or(most, |route| route.max_decision_age.min(most))
    }

    /// What must still hold when the request leaves: it may wait for a slot, for the rate, or for as long as
    /// the dialler asks; neither a freeze nor a block that comes meanwhile must be overtaken.
    fn still(&self, leased: &Leased, permit: Option<&Permit>) -> StillHolds {
        let goes_on = self.context.ledger.halt_watch(leased.halts);
        let Some(permit) = permit else { return Arc::new(goes_on) };
        let current = self.context.ledger.gate_watch(permit);
        let (env, decided_at) = (self.context.env.clone(), leased.decided_at);
        let most = quiet(self.callable_age(leased.route.as_ref()));
        let ages = leased.record.is_some();
        Arc::new(move || goes_on() && current() && (!ages || env.now() - decided_at <= most))
    }

    /// The gate right before sending: the answer given at the lease holds only while the block list is the
    /// same.
    async fn ask(
        &self,
        leased: &Leased,
        mut answer: Option<GateAnswer>,
    ) -> Result<Option<GateAnswer>, JobError> {
        let ledger = &self.context.ledger;
        while let Some(GateAnswer::Open(permit)) = &answer
            && !ledger.gate_is_current(permit)
            && let Some(opens) = plan::question(leased)
        {
            answer = Some(ledger.gate_ask(leased.link, opens).await?);
        }
        Ok(answer)
    }
}

type Call<'a> = futures_util::future::BoxFuture<'a, Result<Answer, CallError>>;

/// The request of an operation; `None`: something it needs is not there yet (the campaign's number).
fn call<'a>(
    context: &'a PushContext,
    leased: &'a Leased,
    permit: Option<&'a Permit>,
    still: Option<StillHolds>,
) -> Option<Call<'a>> {
    let write = &context.write;
    let about = WriteContext { operation: Some(leased.id), still };
    let contact = leased.view.contact.map(ContactRef::Id);
    match leased.kind {
        OperationKind::Import => {
            let route = context.routes.get(leased.route.as_ref()?)?;
            let campaign = CampaignRef::Id(leased.campaign?);
            let (user_data, permit) = (leased.user_data.as_ref()?, permit?);
            Some(Box::pin(async move {
                let mode = route.import_mode;
                let answer = write.import(permit, &campaign, user_data, &leased.values, mode, about).await;
                answer.map(|contact| Answer::Contact(Box::new(contact)))
            }))
        }
        OperationKind::Update => {
            let (contact, changes) = (contact?, changes(leased, permit)?);
            Some(Box::pin(async move {
                let answer = write.update(&contact, &changes, about).await;
                answer.map(|contact| Answer::Contact(Box::new(contact)))
            }))
        }
        OperationKind::Unlock => {
            let (contact, permit) = (contact?, permit?);
            Some(Box::pin(
                async move { write.unlock(permit, &contact, about).await.map(|()| Answer::Command) },
            ))
        }
        OperationKind::Reset => {
            let (contact, permit) = (contact?, permit?);
            Some(Box::pin(
                async move { write.reset(permit, &contact, about).await.map(|()| Answer::Command) },
            ))
        }
        OperationKind::Delete => {
            let contact = contact?;
            Some(Box::pin(async move { write.delete(&contact, about).await.map(|()| Answer::Command) }))
        }
        // Locks go in their own lane.
        OperationKind::Lock => None,
    }
}

fn changes(leased: &Leased, permit: Option<&Permit>) -> Option<Changes> {
    match permit {
        Some(permit) => Some(Changes::with_numbers(permit, leased.values.clone())),
        None => Changes::plain(leased.values.clone()).map_err(|_: FieldName| ()).ok(),
    }
}

/// The call itself. In a test that ends the process while a request is under way, it ends it there.
pub(super) async fn watched<T>(context: &PushContext, call: impl Future<Output = T>) -> T {
    let under_way = async {
        if !crash::is_armed("after_send") {
            return std::future::pending().await;
        }
        context.env.sleep(Duration::from_millis(20)).await;
        crash::point("after_send");
        std::future::pending().await
    };
    tokio::select! {
        biased;
        answer = call => answer,
        never = under_way => never,
    }
}

/// Whether a deletion holds however old its decision is: a person's word, or the record is gone, so that no pull decides
/// again.
fn deletion_stands(kind: OperationKind, why: ReasonCode) -> bool {
    kind == OperationKind::Delete && matches!(why, ReasonCode::ByHand | ReasonCode::RecordGone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_for_what_the_record_says_is_decided_anew_when_it_is_old() {
        for (why, stands) in [
            (ReasonCode::ByHand, true),
            (ReasonCode::RecordGone, true),
            (ReasonCode::NotEligible, false),
            (ReasonCode::CampaignMoves, false),
        ] {
            assert_eq!(deletion_stands(OperationKind::Delete, why), stands, "{why:?}");
            assert!(!deletion_stands(OperationKind::Update, why), "only deletions: {why:?}");
        }
    }
}
