//! What a read says about a write in doubt: pure.

use crate::domain::{Base, Contact, LinkView, Pair, Values};
use crate::ledger::{BaseChange, BeforeFrom, CountersBefore, Done, FieldTrail};
use crate::sync::says_the_same;

/// What stands where an update was in doubt.
#[derive(Debug, PartialEq)]
pub(super) enum UpdateVerdict {
    /// What was sent.
    AsWished(Box<Done>),
    /// What both sides last agreed on: it did not arrive.
    AsBefore,
    /// Neither: an agent edited, or the server changed what it was sent. What the sides agreed on is known
    /// no more of these fields.
    Neither(Base),
}

/// Field by field: all as sent, all as before, or neither.
pub(super) fn judge_update(link: &LinkView, sent: &Values, seen: &Contact) -> UpdateVerdict {
    let wished = sent.iter().all(|(field, value)| says_the_same(*field, seen.get(field.as_str()), value));
    if wished {
        let pairs = sent
            .iter()
            .map(|(field, value)| {
                let dialler = seen.get(field.as_str()).clone();
                let wish = link.desired.get(field).filter(|wish| says_the_same(*field, &dialler, &wish.send));
                // A newer wish must stay different from the base, also one that goes back to what the base
                // had before (A-B-A): the dialler has what was sent.
                let crm = wish.map_or_else(|| value.clone(), |wish| wish.crm.clone());
                (*field, Pair { crm, dialler })
            })
            .collect();
        let changes = sent
            .keys()
            .map(|field| {
                let before = link.base.get(field).map(|pair| pair.dialler.clone());
                FieldTrail {
                    field: field.as_str().to_owned(),
                    before_from: if before.is_some() { BeforeFrom::Base } else { BeforeFrom::None },
                    before,
                    after: Some(seen.get(field.as_str()).clone()),
                }
            })
            .collect();
        let asks_gate = sent.keys().any(|field| field.is_phone());
        let base = BaseChange::Merge(pairs);
        return UpdateVerdict::AsWished(Box::new(Done { base, changes, asks_gate, ..Done::default() }));
    }
    let before = sent.keys().all(|field| {
        link.base
            .get(field)
            .is_some_and(|pair| says_the_same(*field, seen.get(field.as_str()), &pair.dialler))
    });
    if before {
        return UpdateVerdict::AsBefore;
    }
    let unknown = sent
        .iter()
        .filter(|(field, _)| {
            let agreed = link.base.get(field);
            agreed.is_none_or(|pair| !says_the_same(**field, seen.get(field.as_str()), &pair.dialler))
        })
        .map(|(field, value)| {
            let dialler = seen.get(field.as_str()).clone();
            (*field, Pair { crm: serde_json::json!({ "in_doubt": value }), dialler })
        })
        .collect();
    // An object is never a field's value, so whatever is wished next is another one and is sent.
    UpdateVerdict::Neither(unknown)
}

/// What stands where a reset was in doubt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResetVerdict {
    /// Counters at zero, no result.
    Done,
    /// Counters as before it, and no call since.
    NotDone,
    /// A person must look.
    Unclear,
}

/// Counters, result and calls, as the table says.
pub(super) fn judge_reset(seen: &Contact, before: Option<CountersBefore>, called: bool) -> ResetVerdict {
    let (tries, result) = (seen.tries(), seen.result_code());
    if called {
        return ResetVerdict::Unclear;
    }
    match before {
        // At zero before and after: a reset that did nothing is as good as one that was done.
        _ if tries == 0 && result.is_none() => ResetVerdict::Done,
        Some(before) if before.tries == tries && before.result == result => ResetVerdict::NotDone,
        Some(_) | None => ResetVerdict::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContactId, DesiredValue, FieldName, Lane, LockState, Wish};
    use serde_json::{Value, json};

    fn contact(fields: Value) -> Contact {
        Contact::from_fields(fields.as_object().cloned().expect("an object")).expect("a contact")
    }

    fn city() -> FieldName {
        FieldName::parse("City").expect("a field")
    }

    fn link(base: &str, desired: &str) -> LinkView {
        LinkView {
            contact: Some(ContactId(1)),
            base: Base::from([(city(), Pair { crm: json!(base), dialler: json!(base) })]),
            desired: [(city(), DesiredValue { crm: json!(desired), send: json!(desired) })].into(),
            wish: Wish::Callable,
            lock: LockState::Open,
            vanished: false,
            lane: Lane::Busy,
        }
    }

    #[test]
    fn an_update_in_doubt_is_judged_field_by_field() {
        let sent = Values::from([(city(), json!("Bonn"))]);
        let there = |text: &str| contact(json!({ "ID": 1, "City": text }));
        let link_now = link("Ulm", "Bonn");
        let UpdateVerdict::AsWished(done) = judge_update(&link_now, &sent, &there("Bonn")) else {
            panic!("it arrived")
        };
        assert!(matches!(done.base, BaseChange::Merge(pairs) if pairs[&city()].crm == json!("Bonn")));
        assert_eq!(judge_update(&link_now, &sent, &there("Ulm")), UpdateVerdict::AsBefore);
        let UpdateVerdict::Neither(unknown) = judge_update(&link_now, &sent, &there("Hof")) else {
            panic!("somebody edited")
        };
        let back = [(city(), DesiredValue { crm: json!("Ulm"), send: json!("Ulm") })].into();
        assert_eq!(crate::sync::changed_fields(&back, &unknown).len(), 1, "back to Ulm is sent");
    }

    #[test]
    fn a_newer_wish_stays_different_from_the_base() {
        let sent = Values::from([(city(), json!("Bonn"))]);
        let seen = contact(json!({ "ID": 1, "City": "Bonn" }));
        let UpdateVerdict::AsWished(done) = judge_update(&link("Ulm", "Ulm"), &sent, &seen) else {
            panic!("it arrived")
        };
        let BaseChange::Merge(base) = done.base else { panic!("the dialler has Bonn now") };
        let changed = crate::sync::changed_fields(&link("Ulm", "Ulm").desired, &base);
        assert_eq!(changed.len(), 1, "back to Ulm must still be sent");
    }

    #[test]
    fn a_reset_in_doubt_is_never_repeated_over_a_call() {
        let counters = |tries: i64| {
            contact(json!({ "ID": 1, "nTriesPhoneNumber1": tries, "DiallerCampaignsResultCodesID": null }))
        };
        let before = Some(CountersBefore { tries: 3, result: None });
        assert_eq!(judge_reset(&counters(0), before, false), ResetVerdict::Done);
        assert_eq!(judge_reset(&counters(3), before, false), ResetVerdict::NotDone);
        assert_eq!(judge_reset(&counters(1), before, false), ResetVerdict::Unclear);
        assert_eq!(judge_reset(&counters(3), before, true), ResetVerdict::Unclear);
        assert_eq!(judge_reset(&counters(0), before, true), ResetVerdict::Unclear);
    }
}
