//! Every combination of a decision's inputs.

use crate::domain::policy::{AdoptConflict, Vanished};
use crate::domain::{
    Base, Block, BlockSubject, Contact, ContactId, CrmSide, DecisionInput, Desired, DesiredValue,
    DiallerSide, Edits, FieldName, Kept, Lane, LastResult, LinkView, LockState, Pair, Policy, ReasonCode,
    Timestamp, Wish,
};
use crate::sync::found_base;
use serde_json::{Value, json};

const OWN: ContactId = ContactId(7);
const OTHER: ContactId = ContactId(8);

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

fn links() -> Vec<Option<LinkView>> {
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
                            links.push(Some(LinkView {
                                contact,
                                base: base.clone(),
                                desired: Desired::new(),
                                wish: *wish,
                                lock: *lock,
                                vanished,
                                lane,
                                edits: Edits::new(),
                                kept: Kept::new(),
                            }));
                        }
                    }
                }
            }
        }
    }
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
        CrmSide::Eligible(record("PhoneNumber1", json!("4930124"))),
    ]
}

fn dialler_sides() -> Vec<DiallerSide> {
    let ambiguous = |ours: &[ContactId]| DiallerSide::Ambiguous {
        reason: ReasonCode::SeveralContacts.into(),
        ours: ours.to_vec(),
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
        until: None,
        who: None,
    }
}

/// Shows every combination to a judge; answers how many there were for which it had a word.
pub(super) fn every_combination(judge: impl Fn(&DecisionInput<'_>) -> bool) -> usize {
    let (links, crm_sides, dialler_sides) = (links(), crm_sides(), dialler_sides());
    let (free, blocked) = ([], [block()]);
    let mut judged = 0;
    for link in &links {
        for crm in &crm_sides {
            for dialler in &dialler_sides {
                for blocks in [&free[..], &blocked[..]] {
                    for last_result in [LastResult::None, LastResult::Open, LastResult::Final] {
                        for adopt_conflict in [AdoptConflict::CrmOwned, AdoptConflict::KeepDialler] {
                            for vanished in [Vanished::Mark, Vanished::Import] {
                                let policy = Policy { adopt_conflict, vanished };
                                let link = link.as_ref();
                                let input = DecisionInput { link, crm, dialler, blocks, last_result, policy };
                                judged += usize::from(judge(&input));
                            }
                        }
                    }
                }
            }
        }
    }
    judged
}
