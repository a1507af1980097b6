//! A record that must not be called (any more): what becomes of its contact, by the route's choice for the reason.
//!
//! A block always locks, and so does whatever nobody can tell; only a record that the CRM itself takes back may be
//! left callable, where the route says `keep`.

use super::decide::{adopt_locked, as_found, lock, may_have_contact, other_than, own_contact, stating};
use super::diff::changed_fields;
use crate::domain::leave::{Counters, Leave, Reach, Removal, is_mark, marked};
use crate::domain::policy::CampaignChange;
use crate::domain::{
    Anew, Base, Block, BlockSubject, CrmSide, Decision, DecisionInput, Deletion, Desired, DesiredValue,
    DiallerSide, FieldName, Intent, Lane, LastResult, LinkView, LockState, OperationKind, Reason, ReasonCode,
    Stands, Verdict, Wish,
};
use serde_json::Value;

/// What is done where nobody can tell, or a person has locked by hand.
pub(super) static LOCK_ONLY: Leave = Leave::LOCK;

/// What the route says of a record against which these blocks stand. Who was locked by hand is left to that person.
pub(super) fn blocked<'a>(input: &DecisionInput<'a>) -> &'a Leave {
    let by_hand = |block: &Block| match block.subject {
        BlockSubject::Contact(_) => true,
        BlockSubject::Record(_) | BlockSubject::Number(_) => false,
    };
    if input.blocks.iter().any(by_hand) { &LOCK_ONLY } else { &input.policy.leaving.opt_out }
}

/// What the route says of a record that the CRM takes back.
pub(super) fn taken_back<'a>(input: &DecisionInput<'a>) -> &'a Leave {
    let leave = match input.crm {
        CrmSide::Gone(reason) => input.policy.leaving.gone(reason),
        CrmSide::Ineligible(reason) if reason.code == ReasonCode::NotEligible => {
            &input.policy.leaving.ineligible
        }
        // Whoever is only held out or was blocked meanwhile is not taken back by the CRM.
        CrmSide::Ineligible(_) => &LOCK_ONLY,
        CrmSide::Eligible(_) | CrmSide::Uncallable(_) | CrmSide::Unusable(_) => &LOCK_ONLY,
    };
    match (leave.reach, input.held_out) {
        // Whom another route holds out is not left callable by this one.
        (Reach::Kept, Some(_)) => &LOCK_ONLY,
        (Reach::Kept, None) | (Reach::Locked, _) => leave,
    }
}

/// The record must not be called: its contact leaves, and nothing is imported.
pub(super) fn out_of_reach(
    input: &DecisionInput<'_>,
    verdict: Verdict,
    reason: &Reason,
    leave: &Leave,
) -> Decision {
    if leave.reach == Reach::Kept
        && let Some(link) = input.link.filter(|link| stays(input, link))
    {
        let mut decision = stating(verdict, link.wish);
        mark(&mut decision, input, &link.base, leave, reason);
        decision.anew = begins_anew(input, leave);
        return decision;
    }
    let mut decision = stating(verdict, Wish::None);
    let own = own_contact(input);
    match input.dialler {
        DiallerSide::Found(contact) if own.is_none() => {
            let mut decision = adopt_locked(input, decision, contact, reason);
            goes(&mut decision, input, &as_found(input, contact), leave, reason);
            return decision;
        }
        DiallerSide::Found(contact) => decision.lock_others.extend(other_than(own, contact.id)),
        DiallerSide::Ambiguous { ours, alike, .. } => {
            decision.lock_others.extend(ours.iter().filter_map(|id| other_than(own, *id)));
            // Written by hand or by a list, it is this person's most likely; a lock can be taken back, a call cannot.
            if says_no(&decision.verdict) {
                decision.lock_others.extend(alike.iter().filter_map(|id| other_than(own, *id)));
            }
        }
        DiallerSide::Absent | DiallerSide::Linked | DiallerSide::NotMet => {}
    }
    match input.link {
        Some(link) if may_have_contact(link) => {
            decision.wish = Wish::Locked;
            if link.lock == LockState::Open || link.wish != Wish::Locked || link.lane == Lane::Busy {
                decision.intents.push(lock(reason));
            }
            goes(&mut decision, input, &link.base, leave, reason);
        }
        Some(_) | None => decision.meet = matches!(input.dialler, DiallerSide::NotMet),
    }
    decision
}

/// Whether the record itself must not be called; whom another route's call holds out for some time has not said so.
pub(super) fn says_no(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Blocked(_) => true,
        Verdict::Skipped(reason) => {
            matches!(
                reason.code,
                ReasonCode::NotEligible | ReasonCode::RecordDeleted | ReasonCode::RecordGone
            )
        }
        Verdict::Parked(_) | Verdict::Unchanged | Verdict::Queued | Verdict::Adopted => false,
    }
}

/// Whether a contact may be left as it is: it is there, it is the only one known, and nothing that is under way could
/// make another one of it.
fn stays(input: &DecisionInput<'_>, link: &LinkView) -> bool {
    let alone = match input.dialler {
        DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent => true,
        DiallerSide::Found(contact) => own_contact(input) == Some(contact.id),
        DiallerSide::Ambiguous { .. } => false,
    };
    alone && own_contact(input).is_some() && link.wish != Wish::None && link.lane != Lane::Busy
}

/// Whether the contact begins anew when its record is back, by the choice with which it left. Never over a no or a final
/// result.
fn begins_anew(input: &DecisionInput<'_>, leave: &Leave) -> Anew {
    let leaves_now = input.link.is_some_and(|link| link.wish == Wish::Callable && link.contact.is_some());
    match (input.last_result, leave.counters) {
        (LastResult::Final(_), _) => Anew::No,
        (LastResult::None | LastResult::Open, _) if !input.blocks.is_empty() => Anew::No,
        (LastResult::None | LastResult::Open, Counters::Reset) if leaves_now => Anew::Owed,
        (LastResult::None | LastResult::Open, Counters::Reset | Counters::Stay) => {
            input.link.map_or(Anew::No, |link| link.anew)
        }
    }
}

/// Beside the lock: marks, counters, the deletion.
fn goes(decision: &mut Decision, input: &DecisionInput<'_>, base: &Base, leave: &Leave, reason: &Reason) {
    mark(decision, input, base, leave, reason);
    decision.anew = begins_anew(input, leave);
    match leave.removal {
        Removal::Stays => {}
        Removal::Deleted => {
            decision.deletion = Deletion::Open;
            if input.link.is_none_or(|link| link.deletion == Deletion::No) {
                decision.intents.push(Intent { kind: OperationKind::Delete, reason: reason.clone() });
            }
        }
    }
}

/// The contact gets the route's marks and nothing else: what the record changed meanwhile is not sent.
fn mark(decision: &mut Decision, input: &DecisionInput<'_>, base: &Base, leave: &Leave, reason: &Reason) {
    if leave.marks.is_empty() {
        return;
    }
    let as_agreed = base
        .iter()
        .map(|(field, pair)| (*field, DesiredValue { crm: pair.crm.clone(), send: pair.dialler.clone() }));
    let mut desired: Desired = as_agreed.collect();
    for (field, value) in &leave.marks {
        desired.insert(*field, DesiredValue { crm: marked(value), send: value.clone() });
    }
    let unsure = input.link.is_some_and(|link| link.lane == Lane::Busy);
    if unsure || !changed_fields(&desired, base).is_empty() {
        decision.intents.push(Intent { kind: OperationKind::Update, reason: reason.clone() });
    }
    decision.desired = Some(desired);
}

/// Whether its contact goes to the route's new campaign: it is there, and nobody called it to an end.
pub(super) fn moves(input: &DecisionInput<'_>, link: &LinkView) -> bool {
    let asked = match input.policy.campaign_change {
        CampaignChange::Move => link.stands == Stands::InTheOldCampaign,
        CampaignChange::Refuse | CampaignChange::Keep => false,
    };
    let open = match input.last_result {
        LastResult::None | LastResult::Open => true,
        LastResult::Final(_) => false,
    };
    asked && open && own_contact(input).is_some()
}

/// The dialler moves no contact: it is deleted in the old campaign, and imported anew once that is done.
pub(super) fn to_the_new_campaign(input: &DecisionInput<'_>, link: &LinkView, desired: &Desired) -> Decision {
    let reason: Reason = ReasonCode::CampaignMoves.into();
    let mut decision = stating(Verdict::Skipped(reason.clone()), Wish::Locked);
    decision.desired = Some(desired.clone());
    if link.lock == LockState::Open || link.wish != Wish::Locked || link.lane == Lane::Busy {
        decision.intents.push(lock(&reason));
    }
    let leave = Leave { removal: Removal::Deleted, ..Leave::LOCK };
    goes(&mut decision, input, &link.base, &leave, &reason);
    decision
}

/// What is wanted of a record that comes back: marks that its mapping does not know are taken off.
pub(super) fn without_marks(desired: &Desired, base: &Base) -> Desired {
    let marks: Vec<FieldName> = base
        .iter()
        .filter(|(field, pair)| is_mark(&pair.crm) && !desired.contains_key(*field))
        .map(|(field, _)| *field)
        .collect();
    let mut desired = desired.clone();
    for field in marks {
        desired.insert(field, DesiredValue { crm: Value::Null, send: Value::Null });
    }
    desired
}
