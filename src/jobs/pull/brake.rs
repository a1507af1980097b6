//! Tells one bad record from a systemic failure (semantics 14): so many of the last records rejected for one reason
//! that the config, the connector or the CRM is at fault and not they.

use crate::domain::{CrmSide, Reason, ReasonCode};
use crate::ledger::{BlockWord, PulledRecord};
use std::collections::HashMap;
use std::fmt;

/// So many of the last records are looked at.
pub(super) const WINDOW: usize = 200;
const AT_LEAST: usize = 20;

/// A systemic failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Strike {
    count: usize,
    of: usize,
    reason: Reason,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of the last {} records failed for the same reason: {}. Nobody is imported for it, only objections are \
             heard; correct the route or the CRM, then it goes on by itself",
            self.count, self.of, self.reason
        )
    }
}

/// Why a record was rejected, if its reason can be a systemic one. A text too long or a number missing is the
/// record's own affair, however many there are.
pub(super) fn rejected(record: &PulledRecord) -> Option<&Reason> {
    match &record.crm {
        CrmSide::Uncallable(reason) | CrmSide::Unusable(reason) => {
            Some(reason).filter(|r| can_be_systemic(r))
        }
        CrmSide::Gone(_) | CrmSide::Ineligible(_) | CrmSide::Eligible(_) => None,
    }
}

/// Whether it can lie in the config, the connector or the CRM as a whole.
pub(super) fn can_be_systemic(reason: &Reason) -> bool {
    match reason.code {
        ReasonCode::MissingName
        | ReasonCode::ExpressionFailed
        | ReasonCode::BadUserData
        | ReasonCode::NoId
        | ReasonCode::RecordTooLarge
        | ReasonCode::RecordUnreadable => true,
        // A condition over a field whose type changed.
        _ => !matches!(reason.code, ReasonCode::NoName | ReasonCode::NoPhone) && reason.parks_and_locks(),
    }
}

/// What a strike holds back of a page, and what it does not: a positive objection, and whoever certainly must be
/// locked, are stored all the same.
pub(super) fn must_be_stored(record: &PulledRecord) -> bool {
    let locks = match &record.crm {
        CrmSide::Gone(_) | CrmSide::Ineligible(_) => true,
        CrmSide::Uncallable(reason) => !can_be_systemic(reason),
        CrmSide::Unusable(_) | CrmSide::Eligible(_) => false,
    };
    record.block == BlockWord::Set || locks
}

/// Two reasons are the same if they say the same of the config: the expression and the name it lacks.
fn kind(reason: &Reason) -> (ReasonCode, Option<&String>, Option<&String>) {
    (reason.code, reason.params.get("key"), reason.params.get("name"))
}

/// Judges a page together with what was decided before it, oldest first; `None` stands for a record that was not
/// rejected. Strikes only for a reason that the page itself meets: what was mended meanwhile stops nobody.
pub(super) fn judge(before: &[Option<Reason>], page: &[Option<Reason>]) -> Option<Strike> {
    let of = WINDOW.max(page.len()).min(before.len() + page.len());
    let older = &before[before.len() - (of - page.len())..];
    let mut times: HashMap<_, (usize, &Reason)> = HashMap::new();
    for reason in page.iter().flatten() {
        times.entry(kind(reason)).or_insert((0, reason)).0 += 1;
    }
    for reason in older.iter().flatten() {
        if let Some((count, _)) = times.get_mut(&kind(reason)) {
            *count += 1;
        }
    }
    let (count, reason) = times.into_values().max_by_key(|(count, _)| *count)?;
    (count >= AT_LEAST && count * 10 >= of * 3).then(|| Strike { count, of, reason: reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(name: &str) -> Option<Reason> {
        Some(Reason::new(ReasonCode::MissingName).with("key", "only_if").with("name", name))
    }

    fn times(reason: Option<Reason>, n: usize) -> Vec<Option<Reason>> {
        vec![reason; n]
    }

    #[test]
    fn twenty_and_thirty_percent_for_one_reason_strike_and_less_does_not() {
        assert_eq!(judge(&[], &times(lacks("a"), 19)), None, "a small page is not a flood");
        assert!(judge(&[], &times(lacks("a"), 20)).is_some());
        let page = [times(lacks("a"), 20), times(None, 46)].concat();
        assert!(judge(&[], &page).is_some());
        let page = [times(lacks("a"), 20), times(None, 47)].concat();
        assert_eq!(judge(&[], &page), None);
        let page = [times(lacks("a"), 15), times(lacks("b"), 15)].concat();
        assert_eq!(judge(&[], &page), None, "two reasons are two");
    }

    #[test]
    fn what_was_decided_before_counts_as_far_as_the_window_goes() {
        assert!(judge(&times(lacks("a"), 59), &times(lacks("a"), 1)).is_some());
        let before = [times(lacks("a"), 100), times(None, 199)].concat();
        assert_eq!(judge(&before, &times(lacks("a"), 1)), None, "long ago");
        assert_eq!(judge(&times(lacks("a"), 200), &times(None, 5)), None, "the page itself is well");
        assert_eq!(judge(&times(lacks("a"), 200), &times(lacks("b"), 5)), None);
    }

    #[test]
    fn a_page_larger_than_the_window_is_judged_whole() {
        let page = [times(lacks("a"), 300), times(None, 600)].concat();
        assert!(judge(&times(None, 10), &page).is_some());
    }
}
