//! What a read says about a write in doubt: pure.

use crate::domain::{Base, ConflictRule, Contact, FieldName, LinkView, Pair, TwoWay, Values};
use crate::jobs::harvest::fingerprint;
use crate::ledger::{BaseChange, BeforeFrom, CountersBefore, Done, FieldTrail};
use crate::sync::says_the_same;
use serde_json::Value;

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

/// Of what is known no more, the two-way fields that an agent changed: there both sides still know what they agreed on, so
/// they are merged.
pub(super) fn edited(
    sent: &Values,
    unknown: &mut Base,
    two_way: &TwoWay,
) -> Vec<(FieldName, Value, ConflictRule)> {
    let edited: Vec<(FieldName, Value, ConflictRule)> = unknown
        .iter()
        .filter(|(field, pair)| {
            sent.get(field).is_some_and(|value| !says_the_same(**field, &pair.dialler, value))
        })
        .filter_map(|(field, pair)| Some((*field, pair.dialler.clone(), *two_way.get(field)?)))
        .collect();
    unknown.retain(|field, _| edited.iter().all(|(name, _, _)| name != field));
    edited
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

/// The result code a contact bears now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShownResult {
    /// An answer carried it; `None`: it bears none.
    Shown(Option<i64>),
    /// No answer of this installation carries it.
    Hidden,
}

/// Counters, result, everything else the dialler writes, and calls, as the table says.
pub(super) fn judge_reset(
    seen: &Contact,
    result: ShownResult,
    before: Option<&CountersBefore>,
    called: bool,
) -> ResetVerdict {
    if called {
        return ResetVerdict::Unclear;
    }
    let had_none = before.is_some_and(|before| before.result.is_none());
    let no_result = match result {
        ShownResult::Shown(result) => result.is_none(),
        // What is not shown is not gone: only where there was none before is there none now.
        ShownResult::Hidden => had_none,
    };
    // At zero before and after: a reset that did nothing is as good as one that was done.
    if seen.tries() == 0 && no_result {
        return ResetVerdict::Done;
    }
    let Some(before) = before else { return ResetVerdict::Unclear };
    let same_result = match result {
        ShownResult::Shown(result) => result == before.result,
        ShownResult::Hidden => true,
    };
    // Also causes and the next try: a call right after a reset brings the tries back to where they were.
    let unmoved = seen.tries() == before.tries && hex(&fingerprint(seen)) == before.fingerprint;
    if unmoved && same_result { ResetVerdict::NotDone } else { ResetVerdict::Unclear }
}

/// As SQLite writes it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContactId, DesiredValue, Edits, Kept, Lane, LockState, Wish};
    use serde_json::json;

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
            edits: Edits::new(),
            kept: Kept::new(),
            deletion: crate::domain::Deletion::No,
            anew: crate::domain::Anew::No,
            stands: crate::domain::Stands::Here,
            calls_lost: None,
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
        let counters = |tries: i64| contact(json!({ "ID": 1, "nTriesPhoneNumber1": tries }));
        let of = |tries: i64, result| CountersBefore {
            tries,
            result,
            fingerprint: hex(&fingerprint(&counters(tries))),
        };
        let (before, none) = (of(3, None), ShownResult::Shown(None));
        let judge = |seen: &Contact, result, called| judge_reset(seen, result, Some(&before), called);
        assert_eq!(judge(&counters(0), none, false), ResetVerdict::Done);
        assert_eq!(judge(&counters(3), none, false), ResetVerdict::NotDone);
        assert_eq!(judge(&counters(1), none, false), ResetVerdict::Unclear);
        assert_eq!(judge(&counters(3), none, true), ResetVerdict::Unclear);
        assert_eq!(judge(&counters(0), none, true), ResetVerdict::Unclear);
        assert_eq!(judge_reset(&counters(3), none, None, false), ResetVerdict::Unclear, "never seen before");
        let next_try = json!({ "ID": 1, "nTriesPhoneNumber1": 3, "dtNextTry": "2030-01-01T10:00:00" });
        assert_eq!(judge(&contact(next_try), none, false), ResetVerdict::Unclear, "called since");
    }

    #[test]
    fn a_result_that_no_answer_shows_is_not_taken_for_gone() {
        let counters = |tries: i64| contact(json!({ "ID": 1, "nTriesPhoneNumber1": tries }));
        let before = |tries: i64, result| CountersBefore {
            tries,
            result,
            fingerprint: hex(&fingerprint(&counters(tries))),
        };
        let judge = |tries, result, before: &CountersBefore| {
            judge_reset(&counters(tries), result, Some(before), false)
        };
        let closed = before(0, Some(2811));
        assert_eq!(
            judge(0, ShownResult::Hidden, &closed),
            ResetVerdict::NotDone,
            "closed by an inbound call"
        );
        assert_eq!(judge(0, ShownResult::Shown(None), &closed), ResetVerdict::Done);
        assert_eq!(judge(3, ShownResult::Hidden, &before(3, Some(2811))), ResetVerdict::NotDone);
        assert_eq!(judge(3, ShownResult::Shown(Some(2812)), &before(3, Some(2811))), ResetVerdict::Unclear);
        assert_eq!(judge(0, ShownResult::Hidden, &before(3, None)), ResetVerdict::Done);
    }
}
