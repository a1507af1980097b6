//! The decision where a route does more, or less, than lock whoever leaves.

use super::combinations::{every_leaving, every_moving};
use super::{asks, busy, kinds, must_not_be_called, own, stored};
use crate::domain::leave::{Counters, Leave, Leaving, Reach, Removal};
use crate::domain::policy::{AdoptConflict, CampaignChange, Vanished};
use crate::domain::{
    Anew, Base, ContactId, CrmSide, DecisionInput, Deletion, Desired, DiallerSide, Edits, Kept, Lane,
    LastResult, LinkView, LockState, OperationKind, Policy, ReasonCode, Stands, Wish,
};
use crate::sync::leave::LOCK_ONLY;
use crate::sync::{changed_fields, decide};
use std::sync::Arc;

/// The route's choice for whoever leaves here; nothing but the lock where nobody can tell.
fn choice<'a>(input: &DecisionInput<'a>) -> &'a Leave {
    let leaving = &input.policy.leaving;
    let choice = match input.crm {
        _ if !input.blocks.is_empty() => &leaving.opt_out,
        CrmSide::Gone(reason) if reason.is_merged() => &leaving.merged,
        CrmSide::Gone(reason) if reason.code == ReasonCode::RecordGone => &leaving.deleted,
        CrmSide::Gone(_) => &leaving.archived,
        CrmSide::Ineligible(_) => &leaving.ineligible,
        CrmSide::Eligible(_) | CrmSide::Uncallable(_) | CrmSide::Unusable(_) => &LOCK_ONLY,
    };
    // Whom another route holds out is left callable by none.
    if choice.reach == Reach::Kept && input.held_out.is_some() { &LOCK_ONLY } else { choice }
}

#[test]
fn whoever_is_blocked_or_not_kept_is_locked_whatever_else_the_route_says() {
    let judged = every_leaving(|input| {
        if !must_not_be_called(input) {
            return false;
        }
        let decision = &decide(input);
        let told = || format!("{input:#?}\n{decision:#?}");
        assert!(
            asks(decision, OperationKind::Import).is_none()
                && asks(decision, OperationKind::Unlock).is_none()
        );
        let kept = choice(input).reach == Reach::Kept && input.blocks.is_empty();
        if kept && decision.wish == Wish::Callable {
            let was = input.link.map(|link| link.wish);
            assert_eq!(was, Some(Wish::Callable), "nobody is made callable: {}", told());
            assert!(own(input).is_some(), "only who is there is kept: {}", told());
            return true;
        }
        assert_ne!(decision.wish, Wish::Callable, "{}", told());
        let link = input.link;
        let locked_before = link.is_some_and(|link| {
            link.wish == Wish::Locked && link.lock == crate::domain::LockState::Locked && !busy(input)
        });
        let known = own(input).is_some() || matches!(input.dialler, DiallerSide::Found(_));
        let asked = asks(decision, OperationKind::Lock).is_some() || !decision.lock_others.is_empty();
        assert!(!known || asked || locked_before || kept, "{}", told());
        true
    });
    assert!(judged > 100_000, "{judged}");
}

#[test]
fn a_deletion_is_asked_for_once_with_the_lock_and_taken_back_when_the_record_returns() {
    let judged = every_leaving(|input| {
        let decision = &decide(input);
        let told = || format!("{input:#?}\n{decision:#?}");
        let delete = asks(decision, OperationKind::Delete).is_some();
        let open = input.link.is_some_and(|link| link.deletion == Deletion::Open);
        if delete {
            assert!(must_not_be_called(input) && decision.wish == Wish::Locked, "{}", told());
            assert_eq!(choice(input).removal, Removal::Deleted, "{}", told());
            assert!(!open, "one is on its way: {}", told());
        }
        if matches!(input.crm, CrmSide::Eligible(_))
            && input.blocks.is_empty()
            && decision.wish == Wish::Callable
        {
            assert_eq!(decision.deletion, Deletion::No, "{}", told());
        }
        let leaves = choice(input).removal == Removal::Deleted && decision.wish == Wish::Locked;
        assert!(!leaves || delete || open, "{}", told());
        delete || open
    });
    assert!(judged > 10_000, "{judged}");
}

#[test]
fn whoever_leaves_begins_anew_when_the_record_is_back_and_never_over_a_final_result_or_a_block() {
    let judged = every_leaving(|input| {
        let decision = &decide(input);
        let told = || format!("{input:#?}\n{decision:#?}");
        let owed = input.link.is_some_and(|link| link.anew == Anew::Owed);
        let stands = !input.blocks.is_empty() || matches!(input.last_result, LastResult::Final(_));
        if let Some(at) = asks(decision, OperationKind::Reset) {
            assert!(owed && !stands && input.held_out.is_none(), "{}", told());
            assert!(matches!(input.crm, CrmSide::Eligible(_)), "it may unlock: {}", told());
            assert_eq!(decision.anew, Anew::Owed, "it may have to be asked for again: {}", told());
            let unlock = asks(decision, OperationKind::Unlock).expect("it comes back");
            let place = |intent| decision.intents.iter().position(|one| std::ptr::eq(one, intent));
            assert!(place(at) < place(unlock), "{}", told());
            return true;
        }
        let leaves = input.link.is_some_and(|link| link.wish == Wish::Callable);
        if own(input).is_none() || !must_not_be_called(input) || decision.wish != Wish::Locked {
            return false;
        }
        let begins = owed || (leaves && choice(input).counters == Counters::Reset);
        assert_eq!(decision.anew == Anew::Owed, begins && !stands, "{}", told());
        true
    });
    assert!(judged > 10_000, "{judged}");
}

#[test]
fn who_goes_to_the_new_campaign_may_be_called_and_has_no_final_result() {
    let judged = every_moving(|input| {
        let decision = &decide(input);
        let told = || format!("{input:#?}\n{decision:#?}");
        let goes = decision.deletion == Deletion::Open;
        let free = input.blocks.is_empty() && input.held_out.is_none();
        let may = matches!(input.crm, CrmSide::Eligible(_)) && free;
        if !may || own(input).is_none() || !matches!(input.dialler, DiallerSide::Linked) {
            let unusable = matches!(input.crm, CrmSide::Unusable(_));
            assert!(!goes || may || unusable, "{}", told());
            return false;
        }
        assert_eq!(goes, !matches!(input.last_result, LastResult::Final(_)), "{}", told());
        if goes {
            assert_eq!(decision.wish, Wish::Locked, "{}", told());
            let open = input.link.is_some_and(|link| link.deletion == Deletion::Open);
            assert_eq!(asks(decision, OperationKind::Delete).is_some(), !open, "{}", told());
            assert!(asks(decision, OperationKind::Import).is_none(), "not before it is gone: {}", told());
        }
        true
    });
    assert!(judged > 300, "{judged}");
}

#[test]
fn deciding_again_asks_for_no_second_mark_reset_or_deletion() {
    let judged = every_leaving(|input| {
        if !must_not_be_called(input) {
            return false;
        }
        let first = &decide(input);
        let link = stored(input.link, first);
        let linked = DiallerSide::Linked;
        let dialler = if first.adopted.is_some() { &linked } else { input.dialler };
        let second = &decide(&DecisionInput { link: link.as_ref(), dialler, ..*input });
        let told = || format!("{input:#?}\nfirst {first:#?}\nsecond {second:#?}");
        assert!(kinds(second).is_subset(&kinds(first)), "{}", told());
        assert!(asks(second, OperationKind::Delete).is_none(), "{}", told());
        assert!(asks(second, OperationKind::Reset).is_none(), "{}", told());
        assert_eq!((second.wish, second.deletion), (first.wish, first.deletion), "{}", told());
        // A mark is wished for as long as it does not stand there.
        if let (Some(link), Some(desired)) = (&link, &second.desired) {
            let differs = !changed_fields(desired, &link.base).is_empty();
            assert!(!differs || asks(second, OperationKind::Update).is_some(), "{}", told());
        }
        true
    });
    assert!(judged > 100_000, "{judged}");
}

#[test]
fn who_is_only_held_out_or_blocked_meanwhile_is_not_deleted_as_the_crm_would_have_it() {
    let deleted = Leave { removal: Removal::Deleted, ..Leave::LOCK };
    let leaving = Leaving { ineligible: deleted, ..Leaving::default() };
    let policy = Policy {
        adopt_conflict: AdoptConflict::CrmOwned,
        vanished: Vanished::Mark,
        campaign_change: CampaignChange::Keep,
        leaving: Arc::new(leaving),
    };
    let link = LinkView {
        contact: Some(ContactId(1)),
        base: Base::new(),
        desired: Desired::new(),
        wish: Wish::Callable,
        lock: LockState::Open,
        vanished: false,
        lane: Lane::Idle,
        edits: Edits::new(),
        kept: Kept::new(),
        deletion: Deletion::No,
        anew: Anew::No,
        stands: Stands::Here,
        calls_lost: None,
    };
    for (code, goes) in [
        (ReasonCode::NotEligible, true),
        (ReasonCode::HeldOut, false),
        (ReasonCode::CoolingOff, false),
        (ReasonCode::Blocked, false),
    ] {
        let input = DecisionInput {
            link: Some(&link),
            crm: &CrmSide::Ineligible(code.into()),
            dialler: &DiallerSide::Linked,
            blocks: &[],
            last_result: LastResult::None,
            ended: &[],
            held_out: None,
            policy: &policy,
        };
        let decision = decide(&input);
        assert!(asks(&decision, OperationKind::Lock).is_some(), "{code:?}");
        assert_eq!(asks(&decision, OperationKind::Delete).is_some(), goes, "{code:?}");
    }
}
