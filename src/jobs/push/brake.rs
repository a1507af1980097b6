//! The systemic brake: many rejections for one reason are a mistake in the route, not in its records.
//!
//! One bad record of three is a third, so it takes at least twenty (semantics 14).

use crate::domain::OperationId;
use std::collections::VecDeque;

/// So many outcomes are looked at.
const WINDOW: usize = 200;
/// At least so many of them for the same reason ...
const LEAST: usize = 20;
/// ... and at least so many in a hundred.
const SHARE: usize = 30;

/// The brake of one route in one run.
#[derive(Debug, Default)]
pub(super) struct Brake {
    outcomes: VecDeque<Option<String>>,
    parked: Vec<(String, OperationId)>,
    pulled: Option<String>,
}

impl Brake {
    /// An operation was accepted.
    pub(super) fn accepted(&mut self) {
        self.note(None);
    }

    /// One was rejected and parked. `true`: that was one too many.
    pub(super) fn rejected(&mut self, id: OperationId, status: u16, text: &str) -> bool {
        let key = format!("{status} {}", without_numbers(text));
        self.parked.push((key.clone(), id));
        self.note(Some(key.clone()));
        let same = self.outcomes.iter().filter(|outcome| outcome.as_ref() == Some(&key)).count();
        if same >= LEAST && same * 100 >= SHARE * self.outcomes.len() {
            self.pulled = Some(key);
        }
        self.pulled.is_some()
    }

    /// Whether it was pulled.
    pub(super) fn is_pulled(&self) -> bool {
        self.pulled.is_some()
    }

    /// What was parked for the reason that pulled it: it waits again.
    pub(super) fn take_parked(&mut self) -> Vec<OperationId> {
        let Some(reason) = &self.pulled else { return Vec::new() };
        let (same, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parked).into_iter().partition(|(key, _)| key == reason);
        self.parked = others;
        same.into_iter().map(|(_, id)| id).collect()
    }

    fn note(&mut self, outcome: Option<String>) {
        self.outcomes.push_back(outcome);
        if self.outcomes.len() > WINDOW {
            self.outcomes.pop_front();
        }
    }
}

/// A server names the contact in its text; the reason is the same all the same.
fn without_numbers(text: &str) -> String {
    text.chars().filter(|c| !c.is_numeric()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_record_of_three_does_not_pull_it() {
        let mut brake = Brake::default();
        for n in 0..19 {
            assert!(!brake.rejected(OperationId(n), 400, "no name"));
        }
        assert!(!brake.is_pulled());
    }

    #[test]
    fn twenty_and_three_in_ten_for_the_same_reason_pull_it() {
        let mut brake = Brake::default();
        for _ in 0..60 {
            brake.accepted();
        }
        assert!(!brake.rejected(OperationId(900), 422, "something else"));
        let mut pulled_at = None;
        for n in 0..40 {
            if brake.rejected(OperationId(n), 400, &format!("contact {n}: no campaign")) {
                pulled_at = Some(n);
                break;
            }
        }
        assert_eq!(pulled_at, Some(26), "27 of 88 are the first three in ten");
        assert_eq!(brake.take_parked().len(), 27, "the other one stays parked");
    }

    #[test]
    fn few_among_many_do_not_pull_it() {
        let mut brake = Brake::default();
        for n in 0..1000 {
            brake.accepted();
            if n % 5 == 0 {
                assert!(!brake.rejected(OperationId(n), 400, "no name"));
            }
        }
    }
}
