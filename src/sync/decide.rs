//! `decide`: what is wanted of one record's contact, and which operations bring it about.
//!
//! Blocks first, then the CRM's word, then the fields: a block needs nothing but a contact's number,
//! so no broken field, no condition and no missing look-up stands before it (promise 9).

use super::adopt::{agree, found_base};
use super::diff::{FieldChange, changed_fields, import_only_changes};
use super::leave;
use super::merge::{alike_pairs, kept_changes, merged_changes};
use crate::domain::ended::brought;
use crate::domain::policy::Vanished;
use crate::domain::{
    Anew, Base, Block, Contact, ContactId, CrmSide, Decision, DecisionInput, Deletion, Desired, DiallerSide,
    FieldName, Intent, Lane, LastResult, LinkView, LockState, OperationKind, Reason, ReasonCode, Verdict,
    Wish,
};

/// Decides about one record. Deterministic; deciding again with nothing changed asks for nothing new.
pub fn decide(input: &DecisionInput<'_>) -> Decision {
    if let Some(block) = input.blocks.first() {
        let reason = block_reason(block);
        let leave = leave::blocked(input);
        return leave::out_of_reach(input, Verdict::Blocked(reason.clone()), &reason, leave);
    }
    match input.crm {
        CrmSide::Gone(reason) | CrmSide::Ineligible(reason) => {
            let leave = leave::taken_back(input);
            leave::out_of_reach(input, Verdict::Skipped(reason.clone()), reason, leave)
        }
        // Nobody can tell whether it may be called: locked, and nothing that cannot be taken back.
        CrmSide::Uncallable(reason) => {
            leave::out_of_reach(input, Verdict::Parked(reason.clone()), reason, &leave::LOCK_ONLY)
        }
        CrmSide::Unusable(reason) => match input.held_out {
            Some(held) => {
                leave::out_of_reach(input, Verdict::Parked(reason.clone()), held, &leave::LOCK_ONLY)
            }
            None => parked_as_it_is(input, reason),
        },
        CrmSide::Eligible(desired) => match input.held_out {
            Some(held) => leave::out_of_reach(input, Verdict::Skipped(held.clone()), held, &leave::LOCK_ONLY),
            None => callable(input, desired),
        },
    }
}

/// The link's contact, as far as we know it to be there.
pub(super) fn own_contact(input: &DecisionInput<'_>) -> Option<ContactId> {
    input.link.filter(|link| !link.vanished).and_then(|link| link.contact)
}

/// A contact we know of and that is there, or one that an import under way may have made.
pub(super) fn may_have_contact(link: &LinkView) -> bool {
    (link.contact.is_some() && !link.vanished) || link.lane == Lane::Busy
}

/// The one contact that bears our UserData becomes the link's, and is locked: also one that we locked before,
/// because an import in doubt may have unlocked it.
pub(super) fn adopt_locked(
    input: &DecisionInput<'_>,
    mut decision: Decision,
    contact: &Contact,
    reason: &Reason,
) -> Decision {
    decision.wish = Wish::Locked;
    decision.adopted = Some((contact.id, as_found(input, contact)));
    decision.intents.push(lock(reason));
    decision
}

pub(super) fn lock(reason: &Reason) -> Intent {
    Intent { kind: OperationKind::Lock, reason: reason.clone() }
}

pub(super) fn other_than(own: Option<ContactId>, found: ContactId) -> Option<ContactId> {
    (own != Some(found)).then_some(found)
}

pub(super) fn as_found(input: &DecisionInput<'_>, contact: &Contact) -> crate::domain::Base {
    match input.link {
        Some(link) => found_base(contact, &link.base),
        None => found_base(contact, &crate::domain::Base::new()),
    }
}

/// Nothing can be worked out: nobody is made callable, and nobody is locked for a mistake in a field. Who was
/// locked stays so, with whatever is found.
fn parked_as_it_is(input: &DecisionInput<'_>, reason: &Reason) -> Decision {
    let own = own_contact(input);
    let wish = match (input.link.map(|link| link.wish), own) {
        (Some(Wish::Locked), _) => Wish::Locked,
        (Some(Wish::Callable), Some(_)) => Wish::Callable,
        // What has no contact must not be imported.
        (Some(Wish::Callable), None) | (Some(Wish::None) | None, _) => Wish::None,
    };
    let mut decision = stating(Verdict::Parked(reason.clone()), wish);
    decision.deletion = match wish {
        Wish::Locked => input.link.map_or(Deletion::No, |link| link.deletion),
        Wish::None | Wish::Callable => Deletion::No,
    };
    decision.anew = match wish {
        Wish::Locked | Wish::Callable => input.link.map_or(Anew::No, |link| link.anew),
        Wish::None => Anew::No,
    };
    match (input.dialler, wish) {
        (DiallerSide::Found(contact), Wish::Locked) if own.is_none() => {
            return adopt_locked(input, decision, contact, reason);
        }
        // An import in doubt may have made it: unknown to its link it would be imported over later.
        (DiallerSide::Found(contact), Wish::None | Wish::Callable) if own.is_none() => {
            decision.wish = Wish::Callable;
            decision.adopted = Some((contact.id, as_found(input, contact)));
        }
        (DiallerSide::Found(contact), _) => decision.lock_others.extend(other_than(own, contact.id)),
        (DiallerSide::Ambiguous { ours, .. }, Wish::Locked) => {
            decision.lock_others.extend(ours.iter().filter_map(|id| other_than(own, *id)));
        }
        (DiallerSide::Ambiguous { .. }, Wish::None | Wish::Callable) => {}
        (DiallerSide::Absent | DiallerSide::Linked | DiallerSide::NotMet, _) => {}
    }
    decision
}

fn callable(input: &DecisionInput<'_>, desired: &Desired) -> Decision {
    match (input.dialler, own_contact(input)) {
        (DiallerSide::Found(contact), None) => adopt(input, desired, contact),
        (DiallerSide::Found(contact), Some(own)) if own != contact.id => {
            // The key stands at another contact than ours: two for one person, and ours is the one to call.
            let both = format!("{own}, {}", contact.id);
            parked_as_it_is(input, &Reason::new(ReasonCode::SeveralContacts).with("contacts", both))
        }
        (DiallerSide::Ambiguous { reason, .. }, _) => parked_as_it_is(input, reason),
        (DiallerSide::Found(_) | DiallerSide::Absent | DiallerSide::NotMet | DiallerSide::Linked, _) => {
            match input.link {
                Some(link) if link.vanished => gone_from_the_dialler(input, link, desired),
                Some(link) if leave::moves(input, link) => leave::to_the_new_campaign(input, link, desired),
                Some(link) if may_have_contact(link) => keep_in_step(input, link, desired),
                Some(_) | None => import(input, desired),
            }
        }
    }
}

/// Who was called to an end is not brought back as new, whatever became of the contact.
fn import(input: &DecisionInput<'_>, desired: &Desired) -> Decision {
    match input.last_result {
        LastResult::None | LastResult::Open => {
            let import = Intent { kind: OperationKind::Import, reason: ReasonCode::NewRecord.into() };
            wishing(Verdict::Queued, desired, vec![import])
        }
        LastResult::Final(call) => parked_as_it_is(input, &Reason::final_result(call)),
    }
}

fn gone_from_the_dialler(input: &DecisionInput<'_>, link: &LinkView, desired: &Desired) -> Decision {
    match input.policy.vanished {
        Vanished::Import => match link.calls_lost {
            Some(contact) => parked_as_it_is(input, &Reason::calls_lost(contact)),
            None => import(input, desired),
        },
        Vanished::Mark => Decision {
            wish: link.wish,
            ..wishing(Verdict::Skipped(ReasonCode::Vanished.into()), desired, Vec::new())
        },
    }
}

fn keep_in_step(input: &DecisionInput<'_>, link: &LinkView, desired: &Desired) -> Decision {
    let desired = &leave::without_marks(desired, &link.base);
    let agreed = agree(&link.base, desired, input.policy.adopt_conflict);
    let base = agreed.as_ref().unwrap_or(&link.base);
    let changes = merged_changes(desired, base, link);
    if let Some(reason) = brings_ended(input, &changes, base) {
        return leave::out_of_reach(input, Verdict::Parked(reason.clone()), &reason, &leave::LOCK_ONLY);
    }
    let mut intents = Vec::new();
    let mut notes: Vec<Reason> = import_only_changes(desired, base)
        .into_iter()
        // Before the import is answered there is no base; its own fields are not a change of them.
        .filter(|_| link.contact.is_some())
        .map(|field| Reason::new(ReasonCode::ImportOnlyField).with("field", field))
        .collect();
    notes.extend(
        kept_changes(desired, base, &link.kept)
            .into_iter()
            .filter(|_| link.contact.is_some())
            .map(|field| Reason::new(ReasonCode::AgentsField).with("field", field)),
    );
    // What is in flight may end otherwise than the base says, and what waits behind it gives way to this very
    // decision, also where the wish is the same: one more operation, which sends nothing if nothing differs.
    let unsure = link.lane == Lane::Busy;
    if unsure || (!changes.is_empty() && link.contact.is_some()) {
        let names: Vec<FieldName> = changes.iter().map(|change| change.field).collect();
        let code = if agreed.is_some() { ReasonCode::Adopted } else { ReasonCode::Changed };
        intents.push(Intent { kind: OperationKind::Update, reason: named(code, &names) });
    }
    let opening = opening(input);
    let anew = match opening.unlock {
        Some(_) => link.anew,
        None => Anew::No,
    };
    if anew == Anew::Owed {
        // It may unlock: so it is sent when nothing stands against that any more, and not while the record is away.
        intents.push(Intent { kind: OperationKind::Reset, reason: ReasonCode::EligibleAgain.into() });
    }
    intents.extend(opening.unlock);
    notes.extend(opening.note);
    let verdict = match (&agreed, intents.is_empty()) {
        (Some(_), _) => Verdict::Adopted,
        (None, true) => Verdict::Unchanged,
        (None, false) => Verdict::Queued,
    };
    let alike = alike_pairs(desired, base, &link.edits);
    let adopted = link.contact.zip(agreed);
    Decision { wish: opening.wish, anew, notes, adopted, agreed: alike, ..wishing(verdict, desired, intents) }
}

/// Why these changes are not made: they bring the contact a number on which somebody else was called to an end. A number that
/// it has already is none of them, nor is its own result, which stands in the dialler.
fn brings_ended(input: &DecisionInput<'_>, changes: &[FieldChange], base: &Base) -> Option<Reason> {
    let brought = brought(changes.iter().map(|change| (change.field, &change.send)), base);
    let ended = input.ended.iter().find(|ended| brought.contains(&ended.number))?;
    Some(Reason::number_ended(ended.call))
}

/// What letting a contact be called again takes.
struct Opening {
    unlock: Option<Intent>,
    note: Option<Reason>,
    wish: Wish,
}

/// Unlocks only what we locked (or may have locked: a lock under way), and nobody whose result is final.
fn opening(input: &DecisionInput<'_>) -> Opening {
    let locked_before = input.link.is_some_and(|link| link.wish == Wish::Locked);
    let may_be_locked = input.link.is_some_and(|link| {
        link.lock == LockState::Locked || (link.wish == Wish::Locked && link.lane == Lane::Busy)
    });
    if !may_be_locked {
        return Opening { unlock: None, note: None, wish: Wish::Callable };
    }
    match input.last_result {
        LastResult::None | LastResult::Open => {
            let unlock = Intent { kind: OperationKind::Unlock, reason: ReasonCode::EligibleAgain.into() };
            Opening { unlock: Some(unlock), note: None, wish: Wish::Callable }
        }
        LastResult::Final(call) => Opening {
            unlock: None,
            note: Some(Reason::final_result(call)),
            wish: if locked_before { Wish::Locked } else { Wish::Callable },
        },
    }
}

/// Takes over the one contact that bears our UserData (semantics 5): never an import over it.
fn adopt(input: &DecisionInput<'_>, desired: &Desired, contact: &Contact) -> Decision {
    let found = as_found(input, contact);
    let desired = &leave::without_marks(desired, &found);
    let base = agree(&found, desired, input.policy.adopt_conflict).unwrap_or(found);
    let changes = changed_fields(desired, &base);
    if let Some(reason) = brings_ended(input, &changes, &base) {
        return leave::out_of_reach(input, Verdict::Parked(reason.clone()), &reason, &leave::LOCK_ONLY);
    }
    let different: Vec<FieldName> = changes.iter().map(|change| change.field).collect();
    let mut intents = Vec::new();
    if !different.is_empty() {
        let reason = named(ReasonCode::Adopted, &different);
        intents.push(Intent { kind: OperationKind::Update, reason });
    }
    // An import in doubt may have been found, and locked, before it was settled; a double was locked as one.
    let opening = opening(input);
    intents.extend(opening.unlock);
    Decision {
        adopted: Some((contact.id, base)),
        wish: opening.wish,
        notes: opening.note.into_iter().collect(),
        ..wishing(Verdict::Adopted, desired, intents)
    }
}

fn wishing(verdict: Verdict, desired: &Desired, intents: Vec<Intent>) -> Decision {
    Decision { intents, desired: Some(desired.clone()), ..stating(verdict, Wish::Callable) }
}

/// A decision that asks for nothing.
pub(super) fn stating(verdict: Verdict, wish: Wish) -> Decision {
    Decision {
        verdict,
        wish,
        intents: Vec::new(),
        desired: None,
        adopted: None,
        agreed: crate::domain::Base::new(),
        meet: false,
        deletion: Deletion::No,
        anew: Anew::No,
        lock_others: Vec::new(),
        notes: Vec::new(),
    }
}

fn named(code: ReasonCode, fields: &[FieldName]) -> Reason {
    let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    Reason::new(code).with("fields", names.join(", "))
}

fn block_reason(block: &Block) -> Reason {
    Reason::new(ReasonCode::Blocked).with("subject", block.subject.spoken()).with("why", &block.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::AdoptConflict;
    use crate::domain::{DesiredValue, Policy};
    use serde_json::json;

    #[test]
    fn what_the_crm_has_not_is_cleared_in_an_adopted_contact() {
        let company = FieldName::parse("Company").expect("a field");
        let empty = DesiredValue { crm: json!(null), send: json!(null) };
        let desired = Desired::from([(company, empty)]);
        let fields = json!({ "ID": 9, "UserData": "leads-1", "Company": "Ltd" });
        let contact =
            Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact");
        let decision = decide(&DecisionInput {
            link: None,
            crm: &CrmSide::Eligible(desired.clone()),
            dialler: &DiallerSide::Found(Box::new(contact)),
            blocks: &[],
            last_result: LastResult::None,
            ended: &[],
            held_out: None,
            policy: &Policy {
                adopt_conflict: AdoptConflict::CrmOwned,
                vanished: Vanished::Mark,
                campaign_change: crate::domain::policy::CampaignChange::Keep,
                leaving: std::sync::Arc::default(),
            },
        });
        let (_, base) = decision.adopted.expect("adopted");
        let changes = changed_fields(&desired, &base);
        assert_eq!(changes.len(), 1);
        assert_eq!((&changes[0].before, &changes[0].send), (&json!("Ltd"), &json!(null)));
    }
}
