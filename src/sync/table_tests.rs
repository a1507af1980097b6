//! The decision over every combination of its inputs: what must hold whatever is known of the two sides.

mod combinations;
mod ended;
mod leaving;

use super::{changed_fields, decide};
use crate::domain::policy::Vanished;
use crate::domain::{
    Anew, Base, ContactId, CrmSide, Decision, DecisionInput, Deletion, Desired, DesiredValue, DiallerSide,
    Edits, FieldName, Intent, Kept, Lane, LastResult, LinkView, LockState, OperationKind, ReasonCode, Stands,
    Taken, Verdict, Wish,
};
use combinations::{every_combination, record};
use serde_json::Value;
use std::collections::BTreeSet;

fn asks(decision: &Decision, kind: OperationKind) -> Option<&Intent> {
    decision.intents.iter().find(|intent| intent.kind == kind)
}

fn kinds(decision: &Decision) -> BTreeSet<OperationKind> {
    decision.intents.iter().map(|intent| intent.kind).collect()
}

fn must_not_be_called(input: &DecisionInput<'_>) -> bool {
    let by_the_crm = match input.crm {
        CrmSide::Gone(_) | CrmSide::Ineligible(_) | CrmSide::Uncallable(_) => true,
        CrmSide::Eligible(_) | CrmSide::Unusable(_) => false,
    };
    by_the_crm || !free(input)
}

/// Neither blocked nor held out.
fn free(input: &DecisionInput<'_>) -> bool {
    input.blocks.is_empty() && input.held_out.is_none()
}

/// The link's contact, unless it is known to be gone.
fn own(input: &DecisionInput<'_>) -> Option<ContactId> {
    input.link.filter(|link| !link.vanished).and_then(|link| link.contact)
}

fn busy(input: &DecisionInput<'_>) -> bool {
    input.link.is_some_and(|link| link.lane == Lane::Busy)
}

#[test]
fn nobody_who_must_not_be_called_is_made_callable() {
    let judged = every_combination(|input| {
        let decision = &decide(input);
        assert!(asks(decision, OperationKind::Reset).or(asks(decision, OperationKind::Delete)).is_none());
        let blocked = matches!(decision.verdict, Verdict::Blocked(_));
        assert_eq!(blocked, !input.blocks.is_empty(), "{input:#?}\n{decision:#?}");
        if !must_not_be_called(input) {
            return false;
        }
        assert!(kinds(decision).iter().all(|kind| *kind == OperationKind::Lock), "{input:#?}\n{decision:#?}");
        assert_ne!(decision.wish, Wish::Callable, "{input:#?}\n{decision:#?}");
        true
    });
    assert!(judged > 100_000, "{judged}");
}

#[test]
fn whoever_must_not_be_called_is_locked_with_every_contact_that_is_known() {
    let judged = every_combination(|input| {
        if !must_not_be_called(input) {
            return false;
        }
        let decision = &decide(input);
        let mut known: BTreeSet<ContactId> = own(input).into_iter().collect();
        match input.dialler {
            DiallerSide::Found(contact) => known.extend([contact.id]),
            DiallerSide::Ambiguous { ours, alike, .. } => {
                known.extend(ours);
                if crate::sync::leave::says_no(&decision.verdict) {
                    known.extend(alike);
                }
            }
            DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent => {}
        }
        let lock = asks(decision, OperationKind::Lock).is_some();
        let target = decision.adopted.as_ref().map(|(contact, _)| *contact).or(own(input));
        for contact in &known {
            let stands = input.link.is_some_and(|link| {
                own(input) == Some(*contact)
                    && link.lock == LockState::Locked
                    && link.wish == Wish::Locked
                    && link.lane != Lane::Busy
            });
            let locked = (lock && target == Some(*contact)) || decision.lock_others.contains(contact);
            assert!(locked || stands, "{contact} stays callable: {input:#?}\n{decision:#?}");
        }
        // What an import under way is making is locked as soon as it is known.
        assert!(lock || !busy(input), "{input:#?}\n{decision:#?}");
        if known.is_empty() && !busy(input) && matches!(input.dialler, DiallerSide::NotMet) {
            assert!(decision.meet, "nobody asks who bears the key: {input:#?}\n{decision:#?}");
        }
        true
    });
    assert!(judged > 100_000, "{judged}");
}

#[test]
fn an_import_or_an_unlock_has_its_reasons() {
    let judged = every_combination(|input| {
        let decision = &decide(input);
        let (import, unlock) = (asks(decision, OperationKind::Import), asks(decision, OperationKind::Unlock));
        if import.is_none() && unlock.is_none() {
            return false;
        }
        assert!(matches!(input.crm, CrmSide::Eligible(_)) && free(input), "{input:#?}");
        assert!(!matches!(input.last_result, LastResult::Final(_)), "{input:#?}\n{decision:#?}");
        if import.is_some() {
            let found = matches!(input.dialler, DiallerSide::Found(_) | DiallerSide::Ambiguous { .. });
            assert!(!found && own(input).is_none(), "over a contact: {input:#?}");
            assert_eq!(decision.intents.len(), 1, "{decision:#?}");
            let gone = input.link.is_some_and(|link| link.vanished);
            assert!(!gone || input.policy.vanished == Vanished::Import, "{input:#?}");
            let lost = input.link.is_some_and(|link| link.calls_lost.is_some());
            assert!(!lost, "one of the calls may have been its end: {input:#?}");
            assert!(gone || !busy(input), "one is under way: {input:#?}");
        }
        if unlock.is_some() {
            let link = input.link.expect("somebody was locked");
            let by_us = link.lock == LockState::Locked || (link.wish == Wish::Locked && busy(input));
            assert!(by_us, "we unlock only what we locked: {input:#?}");
        }
        true
    });
    assert!(judged > 5_000, "{judged}");
}

/// The fields of which the CRM's value is another than when both sides agreed, worked out plainly.
fn moved(input: &DecisionInput<'_>) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let (CrmSide::Eligible(desired), Some(link)) = (input.crm, input.link) else { return None };
    let as_found = link.base.values().any(|pair| pair.crm.is_object());
    if as_found || own(input).is_none() || !matches!(input.dialler, DiallerSide::Linked) {
        return None;
    }
    let differs = |name: &FieldName, value: &DesiredValue| match link.base.get(name) {
        Some(pair) => pair.crm != value.crm,
        None => !value.is_empty(),
    };
    let (mut sent, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for (name, _) in desired.iter().filter(|(name, value)| differs(name, value)) {
        match name.spec().taken {
            Taken::Import => kept.insert(name.to_string()),
            Taken::Update | Taken::Both => sent.insert(name.to_string()),
        };
    }
    Some((sent, kept))
}

#[test]
fn an_update_names_what_changed_and_nothing_else() {
    let emptied = record("City", Value::Null);
    let judged = every_combination(|input| {
        let Some((sent, kept)) = moved(input).filter(|_| free(input)) else { return false };
        let decision = &decide(input);
        let update = asks(decision, OperationKind::Update);
        // Behind something in doubt an update goes in any case; it sends the difference there is then.
        assert_eq!(update.is_some(), !sent.is_empty() || busy(input), "{input:#?}\n{decision:#?}");
        if let Some(update) = update {
            let named: BTreeSet<String> = update.reason.params["fields"]
                .split(", ")
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            assert_eq!(named, sent, "{input:#?}");
        }
        let noted: BTreeSet<String> = decision
            .notes
            .iter()
            .filter(|note| note.code == ReasonCode::ImportOnlyField)
            .map(|note| note.params["field"].clone())
            .collect();
        assert_eq!(noted, kept, "a field that only imports take is said, not sent: {input:#?}");
        let agreed = input.link.is_some_and(|link| !link.base.is_empty());
        if agreed && input.crm == &CrmSide::Eligible(emptied.clone()) {
            assert_eq!(sent, BTreeSet::from(["City".to_owned()]), "an emptied field is a change");
        }
        true
    });
    assert!(judged > 1_000, "{judged}");
}

#[test]
fn an_edit_while_the_import_is_under_way_is_an_update_behind_it() {
    let judged = every_combination(|input| {
        let (CrmSide::Eligible(desired), Some(link)) = (input.crm, input.link) else { return false };
        let unknown =
            matches!(input.dialler, DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent);
        if link.contact.is_some() || !busy(input) || !unknown || !free(input) {
            return false;
        }
        let decision = &decide(input);
        assert!(asks(decision, OperationKind::Import).is_none(), "{input:#?}\n{decision:#?}");
        assert!(asks(decision, OperationKind::Update).is_some(), "{input:#?}\n{decision:#?}");
        assert_eq!(decision.desired.as_ref(), Some(desired));
        true
    });
    assert!(judged > 100, "{judged}");
}

#[test]
fn what_cannot_be_worked_out_changes_nobody() {
    let judged = every_combination(|input| {
        if !matches!(input.crm, CrmSide::Unusable(_)) || !free(input) {
            return false;
        }
        let decision = &decide(input);
        assert!(matches!(decision.verdict, Verdict::Parked(_)), "{decision:#?}");
        assert_eq!(decision.desired, None);
        let was = input.link.map_or(Wish::None, |link| link.wish);
        // Nobody is locked for a mistake in a field; who was to be locked stays so, with what is found.
        assert!(kinds(decision).iter().all(|kind| *kind == OperationKind::Lock), "{input:#?}\n{decision:#?}");
        assert_eq!(was == Wish::Locked, decision.wish == Wish::Locked, "{input:#?}\n{decision:#?}");
        assert!(decision.intents.is_empty() || was == Wish::Locked, "{input:#?}\n{decision:#?}");
        true
    });
    assert!(judged > 5_000, "{judged}");
}

/// The link as the ledger has it once a decision is stored and before anything of it was sent.
fn stored(link: Option<&LinkView>, decision: &Decision) -> Option<LinkView> {
    let mut view = match link {
        Some(link) => link.clone(),
        None if decision.intents.is_empty() && decision.adopted.is_none() => return None,
        None => LinkView {
            contact: None,
            base: Base::new(),
            desired: Desired::new(),
            wish: Wish::None,
            lock: LockState::Open,
            vanished: false,
            lane: Lane::Idle,
            edits: Edits::new(),
            kept: Kept::new(),
            deletion: Deletion::No,
            anew: Anew::No,
            stands: Stands::Here,
            calls_lost: None,
        },
    };
    view.wish = decision.wish;
    view.deletion = decision.deletion;
    view.anew = decision.anew;
    if let Some(desired) = &decision.desired {
        view.desired = desired.clone();
    }
    if let Some((contact, base)) = &decision.adopted {
        (view.contact, view.base, view.vanished) = (Some(*contact), base.clone(), false);
    }
    view.lane = match view.lane {
        Lane::Busy => Lane::Busy,
        Lane::Idle | Lane::Waiting if decision.intents.is_empty() => Lane::Idle,
        Lane::Idle | Lane::Waiting => Lane::Waiting,
    };
    Some(view)
}

#[test]
fn deciding_again_before_anything_was_sent_asks_for_nothing_new_and_forgets_nothing() {
    let judged = every_combination(|input| {
        let first = &decide(input);
        let link = stored(input.link, first);
        let linked = DiallerSide::Linked;
        let dialler = if first.adopted.is_some() { &linked } else { input.dialler };
        let second = decide(&DecisionInput { link: link.as_ref(), dialler, ..*input });
        let told = || format!("{input:#?}\nfirst {first:#?}\nsecond {second:#?}");
        let mut new = kinds(&second);
        new.retain(|kind| !kinds(first).contains(kind));
        // Behind something in doubt an update goes in any case, and sends nothing where nothing differs.
        if let (Some(link), CrmSide::Eligible(desired)) = (&link, input.crm)
            && link.lane == Lane::Busy
            && changed_fields(desired, &link.base).is_empty()
        {
            new.remove(&OperationKind::Update);
        }
        assert!(new.is_empty(), "{}", told());
        assert_eq!((second.wish, &second.desired), (first.wish, &first.desired), "{}", told());
        assert!(second.lock_others.iter().all(|other| first.lock_others.contains(other)), "{}", told());
        assert!(second.adopted.is_none() && (first.meet || !second.meet), "{}", told());
        for kind in kinds(first).difference(&kinds(&second)) {
            let stays = match kind {
                // A waiting lock stays for as long as it is wished.
                OperationKind::Lock => second.wish == Wish::Locked,
                // No lock had left yet, and the one that waited went with the first decision.
                OperationKind::Unlock => input.link.is_some_and(|link| link.lock == LockState::Open),
                OperationKind::Import
                | OperationKind::Update
                | OperationKind::Reset
                | OperationKind::Delete => false,
            };
            assert!(stays, "{kind} is forgotten: {}", told());
        }
        if let (Some(link), CrmSide::Eligible(desired)) = (&link, input.crm)
            && asks(first, OperationKind::Update).is_some()
        {
            let still = changed_fields(desired, &link.base);
            assert!(!still.is_empty() || link.lane == Lane::Busy, "nothing left to send: {}", told());
        }
        true
    });
    assert!(judged > 150_000, "{judged}");
}
