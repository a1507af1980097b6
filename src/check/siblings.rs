//! What one route of a client hears in its calls and another one does not: a no is a no whichever route called.

use super::notes::Notes;
use super::settings::RouteSettings;
use crate::config::RawRoute;
use crate::domain::{Problem, RouteName};
use std::collections::BTreeMap;

/// Warns of each route without a list whose sibling has one. An empty list says that it is meant.
pub(super) fn check(
    raw: &BTreeMap<String, RawRoute>,
    routes: &BTreeMap<RouteName, RouteSettings>,
    notes: &mut Notes<'_>,
) {
    let says_nothing = |route: &&RouteSettings| {
        raw.get(route.name.as_str()).is_some_and(|raw| raw.opt_out_results.is_none())
    };
    for deaf in routes.values().filter(says_nothing) {
        let hears = |other: &&RouteSettings| other.client == deaf.client && !other.opt_out_results.is_empty();
        if let Some(other) = routes.values().find(hears) {
            notes.warning(unheard(deaf, other));
        }
    }
}

fn unheard(deaf: &RouteSettings, other: &RouteSettings) -> Problem {
    let words: Vec<String> = other.opt_out_results.iter().map(|word| format!("{word:?}")).collect();
    let given = format!("not there, and [route.{}] of the same client has it", other.name);
    let key = format!("route.{}.opt_out_results", deaf.name);
    Problem::new(key, given, "the results by which somebody says no in this route's calls").remedy(format!(
        "Whoever says no in a call of [route.{}] is not blocked. Add opt_out_results = [{}] with the names that its campaign has for \
         them, or opt_out_results = [] if nobody can say no there",
        deaf.name,
        words.join(", ")
    ))
}
