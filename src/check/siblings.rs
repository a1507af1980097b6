//! What one route of a client hears in its calls and another one does not: a no is a no whichever route called. And a no
//! that is heard and of which the CRM is told nothing, though it could be.

use super::notes::Notes;
use super::settings::{CrmSettings, RouteSettings};
use crate::config::RawRoute;
use crate::domain::{Problem, RouteName};
use std::collections::BTreeMap;

/// Warns of each route without a list whose sibling has one. An empty list says that it is meant.
pub(super) fn check(
    raw: &BTreeMap<String, RawRoute>,
    crms: &BTreeMap<String, CrmSettings>,
    routes: &BTreeMap<RouteName, RouteSettings>,
    notes: &mut Notes<'_>,
) {
    let says_nothing = |route: &&RouteSettings| {
        raw.get(route.name.as_str()).is_some_and(|raw| raw.opt_out_results.is_none())
    };
    let may_tell = |route: &&RouteSettings| {
        route.write_back.is_some() || crms.get(&route.crm).is_some_and(|crm| crm.connector.takes_fields())
    };
    for mute in routes.values().filter(may_tell).filter(|route| keeps_the_no(route)) {
        let key = format!("route.{}.opt_out_results", mute.name);
        let problem = Problem::new(
            key,
            "results that are a no, and no [block_fields]",
            "where in the CRM a no is written",
        );
        let schedule = if mute.write_back.is_some() { "" } else { "write_back = \"*/5 * * * *\" and " };
        notes.warning(problem.remedy(format!(
            "Whoever says no is not called any more, but the CRM does not hear of it. Add {schedule}[route.{}.block_fields]; for Odoo \
             phone_blacklist = \"numbers\", or category_id with a tag (docs/connectors.md)",
            mute.name
        )));
    }
    for deaf in routes.values().filter(says_nothing) {
        let hears = |other: &&RouteSettings| other.client == deaf.client && !other.opt_out_results.is_empty();
        if let Some(other) = routes.values().find(hears) {
            notes.warning(unheard(deaf, other));
        }
    }
}

/// A no stays with us.
fn keeps_the_no(route: &RouteSettings) -> bool {
    let told = route.write_back.as_ref();
    !route.opt_out_results.is_empty() && told.is_none_or(|told| told.telling.block_names().next().is_none())
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
