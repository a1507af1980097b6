//! Settle: uncertain operations to an end, each by the rule of its kind (semantics, the settle table).
//!
//! Nothing is asked before the quiet time is over, and nothing that could happen twice is sent again
//! without having asked.

mod rules;

use super::harvest::carries_result;
use super::push::{PushContext, commanded, imported, look_up, quiet, waits_for_calls};
use super::{JobError, glimpse};
use crate::dialler::BatchQuery;
use crate::domain::{Contact, DiallerSide, OperationKind, Reason, ReasonCode, RecordId, RouteName, Wish};
use crate::ledger::{BaseChange, Done, Ending, GateAnswer, Leased, MeetItem, Meeting, Opens};
use crate::remote::{CallClass, CallError};
use crate::sync::{decide, made_base};
use rules::{ResetVerdict, ShownResult, UpdateVerdict};
use std::time::Duration;

/// So many are settled in one run at most; the rest in the next one.
const BATCH: u32 = 500;
/// So long after a call its row may still be missing.
const ROW_DELAY: Duration = Duration::from_secs(60);
/// What cannot be asked about now is asked about again then.
const LATER: Duration = Duration::from_secs(300);
/// So long may a contact's history be missing before a person must look.
const HISTORY_PATIENCE: Duration = Duration::from_secs(3600);

/// Settles what is due; answers how many records and operations were parked by it.
///
/// # Errors
/// The dialler cannot be read (what could not be asked stays uncertain), or the ledger cannot be written.
pub async fn settle(context: &PushContext) -> Result<i64, JobError> {
    let due = context.ledger.settle_due(BATCH).await?;
    let ids = due.iter().map(|operation| operation.id).collect();
    let mut parked = 0;
    for operation in due {
        if context.env.shutdown().is_cancelled() {
            return Err(JobError::ShuttingDown);
        }
        parked += settle_one(context, &operation).await?;
    }
    Ok(parked + context.ledger.operations_parked(ids).await?)
}

/// Answers how many records were parked by it.
async fn settle_one(context: &PushContext, operation: &Leased) -> Result<i64, JobError> {
    let asked = match operation.kind {
        OperationKind::Import => import(context, operation).await,
        OperationKind::Update => update(context, operation).await.map(|()| 0),
        OperationKind::Lock => lock(context, operation).await.map(|()| 0),
        OperationKind::Unlock => unlock(context, operation).await.map(|()| 0),
        OperationKind::Reset => reset(context, operation).await.map(|()| 0),
        OperationKind::Delete => delete(context, operation).await.map(|()| 0),
    };
    match asked {
        Err(JobError::Call(error))
            if !error.speaks_of_the_side() && !context.env.shutdown().is_cancelled() =>
        {
            // This one contact cannot be read: asked again later, the others go on.
            postpone(context, operation, &error).await?;
            Ok(0)
        }
        other => other,
    }
}

async fn postpone(context: &PushContext, operation: &Leased, error: &CallError) -> Result<(), JobError> {
    tracing::info!(operation = %operation.id, %error, "an uncertain operation could not be settled; asked again later");
    let until = context.env.now() + quiet(LATER);
    Ok(context.ledger.settle_postpone(operation.id, until).await?)
}

/// It is sent again, unless it failed so often in the same way while others succeeded (semantics 25).
async fn send_again(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let ledger = &context.ledger;
    let times = context.limits.hopeless_after;
    let ending = match ledger.attempts_hopeless(operation.id, times).await? {
        Some(status) => Ending::Parked(
            Reason::new(ReasonCode::RepeatedFailure).with("times", times).with("status", status),
        ),
        None => Ending::Again { not_before: Some(context.env.now()) },
    };
    ledger.operation_end(operation.id, ending).await?;
    Ok(())
}

fn record(operation: &Leased) -> Option<(RouteName, RecordId)> {
    operation.route.clone().zip(operation.record.clone())
}

/// By key over the tenant: none, send again; one of ours, it was made; anything else, a person.
async fn import(context: &PushContext, operation: &Leased) -> Result<i64, JobError> {
    let ledger = &context.ledger;
    let (Some((route, record)), Some(user_data)) = (record(operation), &operation.user_data) else {
        let reason = Reason::new(ReasonCode::InDoubt).with("problem", "an import without a key");
        ledger.operation_end(operation.id, Ending::Parked(reason)).await?;
        return Ok(0);
    };
    let at = context.env.now();
    let later = at + quiet(LATER);
    let campaign = operation.campaign;
    if campaign.is_none() {
        // Without its campaign a contact that is found cannot be told from one elsewhere.
        ledger.settle_postpone(operation.id, later).await?;
        return Ok(0);
    }
    // Its route may have left the config meanwhile: a lock may wait for the contact that was made.
    let policy = context.policy_of(&route);
    let own = operation.view.contact.filter(|_| !operation.view.vanished);
    let (dialler, doubles) = look_up(context, user_data, campaign, own).await?;
    let ending = match &dialler {
        DiallerSide::Absent => {
            match operation.view.wish {
                Wish::Callable => send_again(context, operation).await?,
                Wish::None | Wish::Locked => {
                    let reason = ReasonCode::NotInDialler.into();
                    ledger.operation_end(operation.id, Ending::Cancelled(reason)).await?;
                }
            }
            return Ok(0);
        }
        // Found and taken over while it was in doubt: what is known of it is younger than this import.
        DiallerSide::Found(_) if own.is_some() => Ending::Done(Box::default()),
        DiallerSide::Found(contact) => Ending::Done(Box::new(Done {
            base: BaseChange::Replace(made_base(&operation.view, &operation.values, contact)),
            note: Some(Reason::new(ReasonCode::Adopted).with("fields", "found after a doubt")),
            // What differs now may be an agent's edit as well.
            answers: Vec::new(),
            ..imported(operation, contact)
        })),
        DiallerSide::Ambiguous { reason, .. } => Ending::Parked(reason.clone()),
        DiallerSide::Linked | DiallerSide::NotMet => return Ok(0),
    };
    let link = Some(operation.link);
    let item = MeetItem { route, record, link, contact: own, user_data: user_data.clone(), campaign };
    let seen = glimpse::found(&dialler, &*context.to_e164);
    let meeting = Meeting { item, dialler, seen, doubles, bearers: Vec::new(), at, policy };
    Ok(ledger.settle_import(operation.id, ending, meeting, decide).await?.parked)
}

/// By number, field by field.
async fn update(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let ledger = &context.ledger;
    let Some(contact) = operation.view.contact else {
        ledger.operation_end(operation.id, Ending::Superseded).await?;
        return Ok(());
    };
    if operation.given.as_ref().is_some_and(|given| given.before.is_none()) {
        // What the contact holds is noted before such an update leaves: this one never did.
        let ending = Ending::Again { not_before: Some(context.env.now()) };
        ledger.operation_end(operation.id, ending).await?;
        return Ok(());
    }
    let Some(seen) = context.read.contact(contact, CallClass::Push).await? else {
        // A write that finds nothing looks for it in its own way.
        return send_again(context, operation).await;
    };
    match rules::judge_update(&operation.view, &operation.values, &seen) {
        UpdateVerdict::AsWished(done) => {
            ledger.operation_end(operation.id, Ending::Done(done)).await?;
            Ok(())
        }
        UpdateVerdict::AsBefore => send_again(context, operation).await,
        // What a person gave cannot be decided anew by anybody else.
        UpdateVerdict::Neither(_) if operation.given.is_some() => {
            let problem = "the contact holds neither what was given nor what it held before";
            let reason = Reason::new(ReasonCode::InDoubt).with("problem", problem);
            ledger.operation_end(operation.id, Ending::Parked(reason)).await?;
            Ok(())
        }
        UpdateVerdict::Neither(mut unknown) => {
            let route = operation.route.as_ref().and_then(|name| context.routes.get(name));
            if let Some(route) = route {
                let edited = rules::edited(&operation.values, &mut unknown, &route.two_way);
                ledger.edits_in_doubt(operation.link, edited).await?;
            }
            Ok(ledger.settle_decide_anew(operation.id, operation.link, unknown, record(operation)).await?)
        }
    }
}

/// Only a lock that is no longer wished comes here. It may still arrive, so whatever follows it in the lane
/// waits for the whole quiet time.
async fn lock(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let quiet_until = operation.leased_at + quiet(context.limits.settle_after);
    if context.env.now() < quiet_until {
        return Ok(context.ledger.settle_postpone(operation.id, quiet_until).await?);
    }
    context.ledger.operation_end(operation.id, Ending::Superseded).await?;
    Ok(())
}

/// Cannot be read: the gate and the wish decide again.
async fn unlock(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let ledger = &context.ledger;
    if operation.view.wish != Wish::Callable {
        // The lock that took its place goes out once more at this end.
        ledger.operation_end(operation.id, Ending::Superseded).await?;
        return Ok(());
    }
    match ledger.gate_ask(operation.link, Opens::Contact).await? {
        GateAnswer::Open(_) => send_again(context, operation).await,
        GateAnswer::Shut(_) => {
            let reason = Reason::new(ReasonCode::GateShut).with("subject", "it");
            ledger.operation_end(operation.id, Ending::Cancelled(reason)).await?;
            Ok(())
        }
    }
}

/// A second reset would wipe a call made in between, so only clear cases end by themselves.
async fn reset(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let ledger = &context.ledger;
    let Some(contact) = operation.view.contact else {
        ledger.operation_end(operation.id, Ending::Superseded).await?;
        return Ok(());
    };
    if waits_for_calls(operation.kind, operation.reason.code)
        && !ledger.calls_had_rested(operation.id).await?
    {
        // It was broken off while it was looked whether it may go: nothing was sent.
        return send_again(context, operation).await;
    }
    // A call's row comes after its counters: none is concluded before it had time to.
    let rows_are_there = operation.leased_at + quiet(context.limits.settle_after) + quiet(ROW_DELAY);
    if context.env.now() < rows_are_there {
        return Ok(ledger.settle_postpone(operation.id, rows_are_there).await?);
    }
    let Some(seen) = context.read.contact(contact, CallClass::Push).await? else {
        return send_again(context, operation).await;
    };
    let Some(rows) = context.read.history(contact, CallClass::Push).await? else {
        return history_not_shown(context, operation).await;
    };
    let called = ledger.calls_any_since(rows.iter().map(|row| row.id).collect(), operation.leased_at).await?;
    let before = ledger.counters_before(operation.id).await?;
    let result = current_result(context, &seen).await?;
    match rules::judge_reset(&seen, result, before.as_ref(), called) {
        ResetVerdict::Done => {
            let done = commanded(OperationKind::Reset);
            ledger.operation_end(operation.id, Ending::Done(Box::new(done))).await?;
            Ok(())
        }
        ResetVerdict::NotDone => send_again(context, operation).await,
        ResetVerdict::Unclear => {
            let problem = "the counters are neither as before nor at zero, or there was a call since";
            let reason = Reason::new(ReasonCode::InDoubt).with("problem", problem);
            ledger.operation_end(operation.id, Ending::Parked(reason)).await?;
            Ok(())
        }
    }
}

/// The contact is there and its history is said not to be: that is no history without calls. Asked again, and in the
/// end a person must look, because a second reset wipes a call that nobody could see.
async fn history_not_shown(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let now = context.env.now();
    if now < operation.leased_at + quiet(HISTORY_PATIENCE) {
        return Ok(context.ledger.settle_postpone(operation.id, now + quiet(LATER)).await?);
    }
    let problem =
        "the dialler shows the contact and not its history, so nobody can say whether it was called since";
    let reason = Reason::new(ReasonCode::InDoubt).with("problem", problem);
    context.ledger.operation_end(operation.id, Ending::Parked(reason)).await?;
    Ok(())
}

/// The contact's result code now: many installations show it in the batch read only.
async fn current_result(context: &PushContext, seen: &Contact) -> Result<ShownResult, CallError> {
    if carries_result(seen) {
        return Ok(ShownResult::Shown(seen.result_code()));
    }
    let query = BatchQuery { user_data: Vec::new(), ids: vec![seen.id] };
    match context.read.read_batch(&query, CallClass::Push).await {
        Ok(found) => {
            let read = found.unwrap_or_default().into_iter().find(|read| read.contact.id == seen.id);
            Ok(match read {
                Some(read) if carries_result(&read.contact) => ShownResult::Shown(read.contact.result_code()),
                Some(_) | None => ShownResult::Hidden,
            })
        }
        Err(error) if error.speaks_of_the_side() => Err(error),
        Err(_) => Ok(ShownResult::Hidden),
    }
}

async fn delete(context: &PushContext, operation: &Leased) -> Result<(), JobError> {
    let there = match operation.view.contact {
        Some(contact) => context.read.contact(contact, CallClass::Push).await?.is_some(),
        None => false,
    };
    if there {
        return send_again(context, operation).await;
    }
    let done = commanded(OperationKind::Delete);
    context.ledger.operation_end(operation.id, Ending::Done(Box::new(done))).await?;
    Ok(())
}
