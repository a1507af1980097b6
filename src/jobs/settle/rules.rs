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
    /// Neither: an agent edited, or the server changed what it was sent.
    Neither,
}

/// Field by field: all as sent, all as before, or neither.
pub(super) fn judge_update(link: &LinkView, sent: &Values, seen: &Contact) -> UpdateVerdict {
    let wished = sent.iter().all(|(field, value)| says_the_same(*field, seen.get(field.as_str()), value));
    if wished {
        let pairs: Base = sent
            .iter()
            .filter_map(|(field, _)| {
                // A newer wish than the one that was sent stays different from the base.
                let value = link.desired.get(field)?;
                let same = says_the_same(*field, seen.get(field.as_str()), &value.send);
                let dialler = seen.get(field.as_str()).clone();
                same.then(|| (*field, Pair { crm: value.crm.clone(), dialler }))
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
    if before { UpdateVerdict::AsBefore } else { UpdateVerdict::Neither }
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
        assert_eq!(judge_update(&link_now, &sent, &there("Hof")), UpdateVerdict::Neither);
    }

    #[test]
    fn a_newer_wish_stays_different_from_the_base() {
        let sent = Values::from([(city(), json!("Bonn"))]);
        let seen = contact(json!({ "ID": 1, "City": "Bonn" }));
        let UpdateVerdict::AsWished(done) = judge_update(&link("Ulm", "Ulm"), &sent, &seen) else {
            panic!("it arrived")
        };
        assert_eq!(done.base, BaseChange::Merge(Base::new()), "back to Ulm must still be sent");
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
