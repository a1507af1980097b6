//! `decide`: what is wanted of one record's contact, and which operations bring it about.
//!
//! Blocks first, then the CRM's word, then the fields: a block needs nothing but a contact's number,
//! so no broken field, no condition and no missing look-up stands before it (promise 9).

use super::diff::{changed_fields, import_only_changes, says_the_same};
use crate::domain::policy::{AdoptConflict, Vanished};
use crate::domain::{
    Base, Block, BlockSubject, Contact, CrmSide, Decision, DecisionInput, Desired, DiallerSide, FieldName,
    Intent, Lane, LastResult, LinkView, LockState, OperationKind, Pair, Reason, ReasonCode, Verdict, Wish,
};

/// Decides about one record. Deterministic; deciding again with nothing changed asks for nothing new.
pub fn decide(input: &DecisionInput<'_>) -> Decision {
    if let Some(block) = input.blocks.first() {
        let reason = block_reason(block);
        return out_of_reach(input, Verdict::Blocked(reason.clone()), &reason);
    }
    match input.crm {
        CrmSide::Gone(reason) | CrmSide::Ineligible(reason) => {
            out_of_reach(input, Verdict::Skipped(reason.clone()), reason)
        }
        CrmSide::Uncallable(reason) => out_of_reach(input, Verdict::Parked(reason.clone()), reason),
        CrmSide::Unusable(reason) => parked_as_it_is(input, reason),
        CrmSide::Eligible(desired) => callable(input, desired),
    }
}

/// The record must not be called: lock what there is, import nothing.
fn out_of_reach(input: &DecisionInput<'_>, verdict: Verdict, reason: &Reason) -> Decision {
    let mut decision = Decision {
        verdict,
        wish: Wish::Locked,
        intents: Vec::new(),
        desired: None,
        adopted: None,
        meet: false,
        lock_others: Vec::new(),
        notes: Vec::new(),
    };
    let lock = || Intent { kind: OperationKind::Lock, reason: reason.clone() };
    match input.dialler {
        DiallerSide::Found(contact) => {
            decision.adopted = Some((contact.id, Base::new()));
            decision.intents.push(lock());
        }
        DiallerSide::Ambiguous { ours, .. } => decision.lock_others.clone_from(ours),
        DiallerSide::Absent => decision.wish = Wish::None,
        DiallerSide::Linked | DiallerSide::NotMet => match input.link {
            Some(link) if may_have_contact(link) => {
                if link.lock == LockState::Open || link.wish != Wish::Locked || link.lane == Lane::Busy {
                    decision.intents.push(lock());
                }
            }
            Some(_) | None => {
                decision.wish = Wish::None;
                decision.meet = matches!(input.dialler, DiallerSide::NotMet);
            }
        },
    }
    decision
}

/// A contact we know of and that is there, or one that an import under way may have made.
fn may_have_contact(link: &LinkView) -> bool {
    (link.contact.is_some() && !link.vanished) || link.lane == Lane::Busy
}

/// Nothing can be worked out: nobody is made callable, and nobody is locked for a mistake in a field.
fn parked_as_it_is(input: &DecisionInput<'_>, reason: &Reason) -> Decision {
    let wish = input.link.map_or(Wish::None, |link| link.wish);
    Decision {
        verdict: Verdict::Parked(reason.clone()),
        // A link that was locked stays locked; one without a contact must not be imported.
        wish: match (wish, input.link.and_then(|link| link.contact)) {
            (Wish::Callable, Some(_)) => Wish::Callable,
            (Wish::Locked, _) => Wish::Locked,
            (Wish::Callable | Wish::None, _) => Wish::None,
        },
        intents: Vec::new(),
        desired: None,
        adopted: None,
        meet: false,
        lock_others: Vec::new(),
        notes: Vec::new(),
    }
}

fn callable(input: &DecisionInput<'_>, desired: &Desired) -> Decision {
    match input.dialler {
        DiallerSide::Found(contact) => adopt(input, desired, contact),
        DiallerSide::Ambiguous { reason, .. } => parked_as_it_is(input, reason),
        DiallerSide::Absent | DiallerSide::NotMet | DiallerSide::Linked => match input.link {
            Some(link) if link.vanished => gone_from_the_dialler(input, link, desired),
            Some(link) if may_have_contact(link) => keep_in_step(input, link, desired),
            Some(_) | None => import(input, desired),
        },
    }
}

fn import(input: &DecisionInput<'_>, desired: &Desired) -> Decision {
    wishing(
        Verdict::Queued,
        desired,
        vec![Intent { kind: OperationKind::Import, reason: ReasonCode::NewRecord.into() }],
    )
    .meeting(matches!(input.dialler, DiallerSide::NotMet))
}

fn gone_from_the_dialler(input: &DecisionInput<'_>, link: &LinkView, desired: &Desired) -> Decision {
    match (input.policy.vanished, input.last_result) {
        (Vanished::Import, LastResult::None | LastResult::Open) => import(input, desired),
        // Who was called to an end is not brought back as new by a deletion.
        (Vanished::Import, LastResult::Final) => parked_as_it_is(input, &ReasonCode::FinalResult.into()),
        (Vanished::Mark, _) => Decision {
            wish: link.wish,
            ..wishing(Verdict::Skipped(ReasonCode::Vanished.into()), desired, Vec::new())
        },
    }
}

fn keep_in_step(input: &DecisionInput<'_>, link: &LinkView, desired: &Desired) -> Decision {
    let mut intents = Vec::new();
    let mut notes: Vec<Reason> = import_only_changes(desired, &link.base)
        .into_iter()
        // Before the import is answered there is no base; its own fields are not a change of them.
        .filter(|_| link.contact.is_some())
        .map(|field| Reason::new(ReasonCode::ImportOnlyField).with("field", field))
        .collect();
    let changes = changed_fields(desired, &link.base);
    // What is in flight may end otherwise than the base says, and what waits behind it gives way to this very
    // decision, also where the wish is the same: one more operation, which sends nothing if nothing differs.
    let unsure = link.lane == Lane::Busy;
    if unsure || (!changes.is_empty() && link.contact.is_some()) {
        let names: Vec<FieldName> = changes.iter().map(|change| change.field).collect();
        intents.push(Intent { kind: OperationKind::Update, reason: named(ReasonCode::Changed, &names) });
    }
    let opening = opening(input, link);
    intents.extend(opening.unlock);
    notes.extend(opening.note);
    let verdict = if intents.is_empty() { Verdict::Unchanged } else { Verdict::Queued };
    Decision { wish: opening.wish, notes, ..wishing(verdict, desired, intents) }
}

/// What letting a contact be called again takes.
struct Opening {
    unlock: Option<Intent>,
    note: Option<Reason>,
    wish: Wish,
}

/// Unlocks only what we locked (or may have locked: a lock under way), and nobody whose result is final.
fn opening(input: &DecisionInput<'_>, link: &LinkView) -> Opening {
    let may_be_locked =
        link.lock == LockState::Locked || (link.wish == Wish::Locked && link.lane == Lane::Busy);
    if !may_be_locked {
        return Opening { unlock: None, note: None, wish: Wish::Callable };
    }
    match input.last_result {
        LastResult::None | LastResult::Open => {
            let unlock = Intent { kind: OperationKind::Unlock, reason: ReasonCode::EligibleAgain.into() };
            Opening { unlock: Some(unlock), note: None, wish: Wish::Callable }
        }
        LastResult::Final => Opening {
            unlock: None,
            note: Some(ReasonCode::FinalResult.into()),
            wish: if link.wish == Wish::Locked { Wish::Locked } else { Wish::Callable },
        },
    }
}

/// Takes over the one contact that bears our UserData (semantics 5): never an import over it.
fn adopt(input: &DecisionInput<'_>, desired: &Desired, contact: &Contact) -> Decision {
    let mut base = Base::new();
    let mut different = Vec::new();
    for (field, value) in desired {
        let dialler = contact.get(field.as_str()).clone();
        let keep = match input.policy.adopt_conflict {
            AdoptConflict::KeepDialler => true,
            AdoptConflict::CrmOwned => !owned_by_crm(*field),
        };
        if keep || says_the_same(*field, &dialler, &value.send) {
            base.insert(*field, Pair { crm: value.crm.clone(), dialler });
        } else {
            if value.send.is_null() {
                // Without a pair an empty wish would look as if both sides had nothing.
                base.insert(*field, Pair { crm: dialler.clone(), dialler });
            }
            different.push(*field);
        }
    }
    let mut intents = if different.is_empty() {
        Vec::new()
    } else {
        vec![Intent { kind: OperationKind::Update, reason: named(ReasonCode::Adopted, &different) }]
    };
    let mut decision = wishing(Verdict::Adopted, desired, Vec::new());
    // An import in doubt may have been found, and locked, before it was settled.
    if let Some(link) = input.link {
        let opening = opening(input, link);
        intents.extend(opening.unlock);
        decision.notes.extend(opening.note);
        decision.wish = opening.wish;
    }
    Decision { adopted: Some((contact.id, base)), intents, ..decision }
}

/// Master data belongs to the CRM; the free text that agents write, and what sets a contact's course
/// in the dialler, to the dialler.
fn owned_by_crm(field: FieldName) -> bool {
    !matches!(
        field.as_str(),
        "Comment" | "FollowUpDateTime" | "FollowUpUsersUID" | "ReservedUsersUID" | "RandomSortOrder"
    )
}

fn wishing(verdict: Verdict, desired: &Desired, intents: Vec<Intent>) -> Decision {
    Decision {
        verdict,
        wish: Wish::Callable,
        intents,
        desired: Some(desired.clone()),
        adopted: None,
        meet: false,
        lock_others: Vec::new(),
        notes: Vec::new(),
    }
}

impl Decision {
    fn meeting(mut self, meet: bool) -> Self {
        self.meet = meet;
        self
    }
}

fn named(code: ReasonCode, fields: &[FieldName]) -> Reason {
    let names: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    Reason::new(code).with("fields", names.join(", "))
}

fn block_reason(block: &Block) -> Reason {
    let subject = match &block.subject {
        BlockSubject::Record(_) => "the record".to_owned(),
        BlockSubject::Number(number) => format!("the number {number}"),
    };
    Reason::new(ReasonCode::Blocked).with("subject", subject).with("why", &block.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            policy: Policy { adopt_conflict: AdoptConflict::CrmOwned, vanished: Vanished::Mark },
        });
        let (_, base) = decision.adopted.expect("adopted");
        let changes = changed_fields(&desired, &base);
        assert_eq!(changes.len(), 1);
        assert_eq!((&changes[0].before, &changes[0].send), (&json!("Ltd"), &json!(null)));
    }
}
