//! A record that gets a number on which somebody else was called to an end: its contact does not.

use super::combinations::{every_ending, record};
use super::{asks, free, kinds, own, stored};
use crate::domain::policy::{AdoptConflict, CampaignChange, Vanished};
use crate::domain::{
    Anew, Base, ConflictRule, ContactId, CrmSide, DecisionInput, Deletion, Desired, DesiredValue,
    DiallerSide, Edit, Edits, Ended, FieldName, HistoryId, Kept, Lane, LastResult, LinkView, LockState,
    OperationKind, Pair, Policy, Reason, SeenOn, Stands, Verdict, Wish,
};
use crate::sync::decide;
use serde_json::json;
use std::sync::Arc;

const CALL: HistoryId = HistoryId(9);

#[test]
fn no_contact_gets_a_number_on_which_somebody_else_was_called_to_an_end_and_it_is_locked() {
    let bears = CrmSide::Eligible(record("PhoneNumber1", json!("4930124")));
    let judged = every_ending(|input| {
        let decision = &decide(input);
        let told = || format!("{input:#?}\n{decision:#?}");
        if input.crm != &bears {
            let without = decide(&DecisionInput { ended: &[], ..*input });
            assert_eq!(decision, &without, "nothing is brought: {}", told());
            return false;
        }
        assert!(
            asks(decision, OperationKind::Import).or(asks(decision, OperationKind::Unlock)).is_none(),
            "{}",
            told()
        );
        let one = matches!(input.dialler, DiallerSide::Linked | DiallerSide::NotMet | DiallerSide::Absent);
        let as_found = input.link.is_some_and(|link| link.base.values().any(|pair| pair.crm.is_object()));
        // What was found there stays, where the route says so.
        let kept = as_found && input.policy.adopt_conflict == AdoptConflict::KeepDialler;
        if !one || own(input).is_none() || !free(input) || kept {
            return true;
        }
        assert!(kinds(decision).iter().all(|kind| *kind == OperationKind::Lock), "{}", told());
        assert_eq!(decision.wish, Wish::Locked, "{}", told());
        assert_eq!(decision.verdict, Verdict::Parked(Reason::number_ended(CALL)), "{}", told());
        assert_eq!(decision.desired, None, "what waits is not sent later: {}", told());
        let link = stored(input.link, decision);
        let second = decide(&DecisionInput { link: link.as_ref(), ..*input });
        assert!(kinds(&second).is_subset(&kinds(decision)) && second.wish == Wish::Locked, "{second:#?}");
        true
    });
    assert!(judged > 10_000, "{judged}");
}

fn phone(slot: usize) -> FieldName {
    FieldName::parse(&format!("PhoneNumber{slot}")).expect("a field")
}

fn in_slots(numbers: &[&str]) -> Desired {
    let slots = numbers.iter().enumerate();
    slots.map(|(at, number)| (phone(at + 1), DesiredValue::same(json!(number)))).collect()
}

/// The link of a contact that is called on these numbers.
fn has(numbers: &[&str]) -> LinkView {
    let pair = |value: DesiredValue| Pair { crm: value.crm, dialler: value.send };
    LinkView {
        contact: Some(ContactId(1)),
        base: in_slots(numbers).into_iter().map(|(field, value)| (field, pair(value))).collect(),
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
    }
}

#[test]
fn only_a_number_that_a_change_would_bring_locks() {
    let edited = |rule| Edit { dialler: json!("4930777"), rule, word: None, on: SeenOn::Contact };
    let two_way = |rule| LinkView { edits: [(phone(1), edited(rule))].into(), ..has(&["4930111"]) };
    for (what, link, wanted, locked) in [
        ("another number", has(&["4930111"]), &["4930999"][..], true),
        ("one more", has(&["4930111"]), &["4930111", "4930999"], true),
        ("the one it has", has(&["4930999"]), &["4930999"], false),
        ("the one it has, in another slot", has(&["4930111", "4930999"]), &["4930999", "4930111"], false),
        ("one that nobody was called on", has(&["4930999"]), &["4930222"], false),
        ("in doubt", LinkView { lane: Lane::Busy, ..has(&["4930111"]) }, &["4930999"], true),
        (
            "an import in doubt",
            LinkView { contact: None, base: Base::new(), lane: Lane::Busy, ..has(&[]) },
            &["4930999"],
            true,
        ),
        (
            "the dialler keeps its own",
            LinkView { kept: [phone(1)].into(), ..has(&["4930111"]) },
            &["4930999"],
            false,
        ),
        ("an agent's number stands", two_way(ConflictRule::Dialler), &["4930999"], false),
        ("the CRM's number stands", two_way(ConflictRule::Crm), &["4930999"], true),
        ("a person is asked", two_way(ConflictRule::Ask), &["4930999"], false),
    ] {
        let policy = Policy {
            adopt_conflict: AdoptConflict::CrmOwned,
            vanished: Vanished::Mark,
            campaign_change: CampaignChange::Keep,
            leaving: Arc::default(),
        };
        let decision = decide(&DecisionInput {
            link: Some(&link),
            crm: &CrmSide::Eligible(in_slots(wanted)),
            dialler: &DiallerSide::Linked,
            blocks: &[],
            last_result: LastResult::Final(CALL),
            ended: &[Ended { number: "+4930999".to_owned(), call: CALL }],
            held_out: None,
            policy: &policy,
        });
        assert_eq!(decision.wish == Wish::Locked, locked, "{what}: {decision:#?}");
        assert_eq!(asks(&decision, OperationKind::Lock).is_some(), locked, "{what}: {decision:#?}");
        assert!(!locked || asks(&decision, OperationKind::Update).is_none(), "{what}: {decision:#?}");
    }
}
