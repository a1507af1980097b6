//! Every combination of a decision's inputs.

use crate::domain::leave::{Counters, Leave, Leaving, Reach, Removal, past};
use crate::domain::policy::{AdoptConflict, CampaignChange, Vanished};
use crate::domain::{
    Anew, Base, Block, BlockSubject, Contact, ContactId, CrmSide, DecisionInput, Deletion, Desired,
    DesiredValue, DiallerSide, Edits, Ended, FieldName, HistoryId, Kept, Lane, LastResult, LinkView,
    LockState, Pair, Policy, ReasonCode, Stands, Timestamp, Wish,
};
use crate::sync::found_base;
use serde_json::{Value, json};
use std::sync::Arc;

const OWN: ContactId = ContactId(7);
const OTHER: ContactId = ContactId(8);
/// The number that one of the records came to have, as it is known and as it is sent.
pub(super) const ENDED: &str = "+4930124";
const SENT: &str = "4930124";

fn field(name: &str) -> FieldName {
    FieldName::parse(name).expect("a field")
}

/// A record as both sides agreed on it, with one field otherwise.
pub(super) fn record(changed: &str, value: Value) -> Desired {
    let mut fields = vec![
        ("Name", json!("Ada")),
        ("PhoneNumber1", json!("4930123")),
        ("City", json!("Bonn")),
        ("Region", json!("Eifel")),
        ("ReservedUsersUID", json!("agent3")),
    ];
    if let Some(one) = fields.iter_mut().find(|(name, _)| *name == changed) {
        one.1 = value;
    }
    fields.into_iter().map(|(name, value)| (field(name), DesiredValue::same(value))).collect()
}

fn contact(id: ContactId) -> Contact {
    let fields =
        json!({ "ID": id.0, "UserData": "leads-1", "Name": "Ada", "City": "Hof", "PhoneNumber1": "4930999" });
    Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
}

fn links(deletions: &[Deletion], anews: &[Anew]) -> Vec<Option<LinkView>> {
    let agreed = record("", Value::Null);
    let pair = |value: &DesiredValue| Pair { crm: value.crm.clone(), dialler: value.send.clone() };
    let agreed: Base = agreed.iter().map(|(name, value)| (*name, pair(value))).collect();
    let mut found = found_base(&contact(OWN), &Base::new());
    found.retain(|name, _| agreed.contains_key(name));
    let bases = [Base::new(), agreed, found];
    let mut links = vec![None];
    for contact in [None, Some(OWN)] {
        for base in bases.iter().take(if contact.is_none() { 1 } else { bases.len() }) {
            for wish in Wish::ALL {
                for lock in LockState::ALL {
                    for vanished in [false, true].into_iter().take(if contact.is_none() { 1 } else { 2 }) {
                        for lane in [Lane::Idle, Lane::Waiting, Lane::Busy] {
                            // What is on its way is not nothing, and there is somebody to delete.
                            let some = lane != Lane::Idle && contact.is_some();
                            let deletions = if some { deletions } else { &[Deletion::No][..] };
                            // Owed by who was locked, and by who is back and about to be unlocked.
                            let locked = *lock == LockState::Locked && contact.is_some();
                            let anews = if locked { anews } else { &[Anew::No][..] };
                            let both =
                                deletions.iter().flat_map(|one| anews.iter().map(move |anew| (one, anew)));
                            links.extend(both.map(|(deletion, anew)| {
                                Some(LinkView {
                                    contact,
                                    base: base.clone(),
                                    desired: Desired::new(),
                                    wish: *wish,
                                    lock: *lock,
                                    vanished,
                                    lane,
                                    deletion: *deletion,
                                    anew: *anew,
                                    edits: Edits::new(),
                                    kept: Kept::new(),
                                    stands: Stands::Here,
                                    calls_lost: None,
                                })
                            }));
                        }
                    }
                }
            }
        }
    }
    // Whose calls are lost: what else is known of the contact makes no difference to that.
    let gone = |link: &&LinkView| link.vanished && link.base.is_empty() && link.lane == Lane::Idle;
    let lost = |link: &LinkView| Some(LinkView { calls_lost: Some(OWN), ..link.clone() });
    let lost: Vec<_> = links.iter().flatten().filter(gone).map(lost).collect();
    links.extend(lost);
    links
}

fn crm_sides() -> Vec<CrmSide> {
    vec![
        CrmSide::Gone(ReasonCode::RecordGone.into()),
        CrmSide::Ineligible(ReasonCode::NotEligible.into()),
        CrmSide::Uncallable(ReasonCode::NoPhone.into()),
        CrmSide::Unusable(ReasonCode::MissingName.into()),
        CrmSide::Eligible(record("", Value::Null)),
        CrmSide::Eligible(record("City", json!("Ulm"))),
        CrmSide::Eligible(record("City", Value::Null)),
        CrmSide::Eligible(record("ReservedUsersUID", json!("agent4"))),
        CrmSide::Eligible(record("PhoneNumber1", json!(SENT))),
    ]
}

fn dialler_sides() -> Vec<DiallerSide> {
    let ambiguous = |ours: &[ContactId]| DiallerSide::Ambiguous {
        reason: ReasonCode::SeveralContacts.into(),
        ours: ours.to_vec(),
        alike: vec![ContactId(77)],
    };
    vec![
        DiallerSide::Linked,
        DiallerSide::NotMet,
        DiallerSide::Absent,
        DiallerSide::Found(Box::new(contact(OWN))),
        DiallerSide::Found(Box::new(contact(OTHER))),
        ambiguous(&[]),
        ambiguous(&[OWN, OTHER]),
    ]
}

fn block() -> Block {
    Block {
        subject: BlockSubject::Number("+4930123".to_owned()),
        reason: ReasonCode::BlockedByHand.into(),
        source: "operator".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        said_last: Timestamp::UNIX_EPOCH,
        until: None,
        who: None,
    }
}

/// A route's choices other than to lock: one for every reason alike.
fn choices() -> Vec<Leaving> {
    let marks = || [(field("Tag"), json!("left")), past()].into();
    let all = |leave: Leave| Leaving {
        archived: leave.clone(),
        deleted: leave.clone(),
        merged: leave.clone(),
        ineligible: leave.clone(),
        // The config refuses anything else.
        opt_out: Leave { reach: Reach::Locked, counters: Counters::Stay, ..leave },
    };
    vec![
        all(Leave { removal: Removal::Deleted, ..Leave::LOCK }),
        all(Leave { counters: Counters::Reset, ..Leave::LOCK }),
        all(Leave { marks: marks(), ..Leave::LOCK }),
        all(Leave { reach: Reach::Kept, ..Leave::LOCK }),
        all(Leave { reach: Reach::Kept, marks: marks(), ..Leave::LOCK }),
        all(Leave { removal: Removal::Deleted, marks: marks(), ..Leave::LOCK }),
    ]
}

/// Shows every combination to a judge; answers how many there were for which it had a word.
pub(super) fn every_combination(judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let results = [LastResult::None, LastResult::Open, LastResult::Final(HistoryId(9))];
    combined(&links(&[Deletion::No], &[Anew::No]), &crm_sides(), &results, &[], &locking(), judge)
}

/// The same where somebody else was called to an end on the number that one of the records came to have.
pub(super) fn every_ending(judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let call = HistoryId(9);
    let ended = [Ended { number: ENDED.to_owned(), call }];
    let links = links(&[Deletion::No], &[Anew::No]);
    combined(&links, &crm_sides(), &[LastResult::Final(call)], &ended, &locking(), judge)
}

/// The choices of routes that lock whoever leaves.
fn locking() -> Vec<Policy> {
    let mut policies = Vec::new();
    for adopt_conflict in [AdoptConflict::CrmOwned, AdoptConflict::KeepDialler] {
        for vanished in [Vanished::Mark, Vanished::Import] {
            policies.push(Policy {
                adopt_conflict,
                vanished,
                campaign_change: CampaignChange::Keep,
                leaving: Arc::default(),
            });
        }
    }
    policies
}

/// The same of routes that do more than lock whoever leaves.
pub(super) fn every_leaving(judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let policy = |leaving| Policy {
        adopt_conflict: AdoptConflict::CrmOwned,
        vanished: Vanished::Mark,
        campaign_change: CampaignChange::Keep,
        leaving: Arc::new(leaving),
    };
    let policies: Vec<Policy> = choices().into_iter().map(policy).collect();
    few(&links(&[Deletion::No, Deletion::Open], &[Anew::No, Anew::Owed]), &policies, judge)
}

/// The same of routes that move their contacts, of contacts that stand in the campaign before.
pub(super) fn every_moving(judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let policy = Policy {
        adopt_conflict: AdoptConflict::CrmOwned,
        vanished: Vanished::Mark,
        campaign_change: CampaignChange::Move,
        leaving: Arc::default(),
    };
    let mut links = links(&[Deletion::No, Deletion::Open], &[Anew::No]);
    links.iter_mut().flatten().for_each(|link| link.stands = Stands::InTheOldCampaign);
    few(&links, &[policy], judge)
}

/// Who leaves does so whatever fields the record has, and a result is final or is not.
fn few(links: &[Option<LinkView>], policies: &[Policy], judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let mut sides = crm_sides();
    sides.truncate(6);
    combined(links, &sides, &[LastResult::None, LastResult::Final(HistoryId(9))], &[], policies, judge)
}

fn combined(
    links: &[Option<LinkView>],
    crm_sides: &[CrmSide],
    results: &[LastResult],
    ended: &[Ended],
    policies: &[Policy],
    judge: impl Fn(&DecisionInput<'_>) -> bool,
) -> usize {
    let dialler_sides = dialler_sides();
    let (free, blocked) = ([], [block()]);
    let held = ReasonCode::HeldOut.into();
    let mut judged = 0;
    for link in links {
        let link = link.as_ref();
        for crm in crm_sides {
            for dialler in &dialler_sides {
                for (blocks, held_out) in [(&free[..], None), (&blocked[..], None), (&free[..], Some(&held))]
                {
                    for &last_result in results {
                        for policy in policies {
                            let input = DecisionInput {
                                link,
                                crm,
                                dialler,
                                blocks,
                                last_result,
                                ended,
                                held_out,
                                policy,
                            };
                            judged += usize::from(judge(&input));
                        }
                    }
                }
            }
        }
    }
    judged
}
