//! The list that all checks write into; it finds the place of each key.

use crate::config::Places;
use crate::domain::Problem;

/// Problems (nothing starts) and warnings (it starts, but a person should know).
pub(super) struct Notes<'a> {
    places: &'a Places,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self { places, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(self.placed(problem));
    }

    pub(super) fn warning(&mut self, warning: Problem) {
        self.warnings.push(self.placed(warning));
    }

    /// Takes what another room found.
    pub(super) fn take<T>(&mut self, found: Result<(T, Vec<Problem>), Vec<Problem>>) -> Option<T> {
        match found {
            Ok((part, warnings)) => {
                warnings.into_iter().for_each(|warning| self.warning(warning));
                Some(part)
            }
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.problem(problem));
                None
            }
        }
    }

    fn placed(&self, mut problem: Problem) -> Problem {
        if problem.place.is_none() {
            problem.place = self.places.find(&problem.key).cloned();
        }
        problem
    }
}
