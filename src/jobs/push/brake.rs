//! The systemic brake: many rejections for one reason are a mistake in the route, not in its records.
//!
//! One bad record of three is a third, so it takes at least twenty (semantics 14). The window is what the
//! ledger says of the route's last operations, whichever run sent them.

use crate::domain::OperationId;
use crate::ledger::LastEnd;
use std::collections::HashMap;

/// So many outcomes are looked at.
pub(super) const WINDOW: u32 = 200;
/// At least so many of them for the same reason ...
const LEAST: usize = 20;
/// ... and at least so many in a hundred.
const SHARE: usize = 30;

/// Why a route must stop, and who was parked for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pulled {
    /// What their rejections have in common.
    pub(super) reason: String,
    /// They wait again: the mistake is not theirs.
    pub(super) parked: Vec<OperationId>,
}

/// Whether one reason stands behind too many of the last outcomes.
pub(super) fn judge(ends: &[LastEnd]) -> Option<Pulled> {
    let mut by_reason: HashMap<String, Vec<OperationId>> = HashMap::new();
    for end in ends {
        match end {
            LastEnd::Accepted => {}
            LastEnd::Rejected { id, status, text } => {
                by_reason.entry(common(status, text)).or_default().push(*id);
            }
        }
    }
    let (reason, parked) = by_reason.into_iter().max_by_key(|(_, ids)| ids.len())?;
    let too_many = parked.len() >= LEAST && parked.len() * 100 >= SHARE * ends.len();
    too_many.then_some(Pulled { reason, parked })
}

/// What rejections of one kind have in common: a server names the contact in its text, and the reason is the
/// same all the same.
pub(super) fn common(status: &str, text: &str) -> String {
    let words: String = text.chars().filter(|c| !c.is_numeric()).take(200).collect();
    format!("{status} {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(n: i64, status: u16, text: &str) -> LastEnd {
        LastEnd::Rejected { id: OperationId(n), status: status.to_string(), text: text.to_owned() }
    }

    #[test]
    fn one_bad_record_of_three_does_not_pull_it() {
        let ends: Vec<LastEnd> = (0..19).map(|n| rejected(n, 400, "no name")).collect();
        assert_eq!(judge(&ends), None);
    }

    #[test]
    fn twenty_and_three_in_ten_for_the_same_reason_pull_it() {
        let mut ends = vec![LastEnd::Accepted; 60];
        ends.push(rejected(900, 422, "something else"));
        let mut pulled = None;
        for n in 0..40 {
            ends.push(rejected(n, 400, &format!("contact {n}: no campaign")));
            pulled = judge(&ends);
            if pulled.is_some() {
                break;
            }
        }
        let pulled = pulled.expect("pulled");
        assert_eq!(
            pulled.parked.len(),
            27,
            "27 of 88 are the first three in ten; the other one stays parked"
        );
        assert_eq!(pulled.reason, common("400", "contact 1: no campaign"));
    }

    #[test]
    fn few_among_many_do_not_pull_it() {
        let ends: Vec<LastEnd> = (0..200)
            .map(|n| if n % 5 == 0 { rejected(n, 400, "no name") } else { LastEnd::Accepted })
            .collect();
        assert_eq!(judge(&ends), None);
    }
}
