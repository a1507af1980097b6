//! Two routes must never make the same UserData: one person's result would land on another's record
//! (users 11; ids of different CRM objects overlap).

use super::finding::{Finding, Level};
use super::notes::Notes;
use super::settings::RouteSettings;
use crate::domain::{Problem, RouteName};
use crate::mapping::Template;
use crate::mapping::template::Part;
use std::collections::{BTreeMap, BTreeSet};

/// Compares every pair of routes; there is one dialler.
pub(super) fn check(routes: &BTreeMap<RouteName, RouteSettings>, notes: &mut Notes<'_>) {
    let all: Vec<&RouteSettings> = routes.values().collect();
    for (index, second) in all.iter().enumerate() {
        for first in &all[..index] {
            match compare(first, second) {
                Some(problem) => notes.problem(problem),
                None => one_list(first, second).into_iter().for_each(|warning| notes.warning(warning)),
            }
        }
    }
}

fn compare(first: &RouteSettings, second: &RouteSettings) -> Option<Problem> {
    let (a, b) = (&first.name, &second.name);
    // The ledger folds as the dialler may: a difference in case is none.
    if first.id.as_str().eq_ignore_ascii_case(second.id.as_str()) {
        let given = format!("the id {:?}, which [route.{a}] has too", second.id.as_str());
        return Some(Problem::new(format!("route.{b}.id"), given, "an id that no other route has"));
    }
    let (one, other) = (first.mapping.template(), second.mapping.template());
    may_meet(one, other).then(|| {
        let given = format!("{other} can give the same value as {one} of [route.{a}]");
        Problem::new(format!("route.{b}.user_data"), given, "UserData that differ over all routes")
            .remedy(format!("Let each begin with another text, for example \"'{b}.' ~ id\""))
    })
}

/// Two routes from the same records into one campaign: whoever both take stands there under two keys.
fn one_list(first: &RouteSettings, second: &RouteSettings) -> Option<Problem> {
    let one = (&first.crm, &first.object, &first.campaign) == (&second.crm, &second.object, &second.campaign);
    one.then(|| {
        let given = format!("the campaign of [route.{}], filled from the same records", first.name);
        Problem::new(format!("route.{}.campaign", second.name), given, "a campaign of its own").remedy(
            "A record that both routes take stands in the campaign twice, under two UserData, and is called twice: make \
             sure that no record meets both their only_if, or write one route",
        )
    })
}

/// Compares the keys that the routes give the first of their records: the templates alone do not show
/// what ids with signs in them make of two different beginnings.
pub(super) fn in_practice(routes: &[(&RouteName, BTreeSet<String>)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, (second, keys)) in routes.iter().enumerate() {
        for (first, others) in &routes[..index] {
            let mut both = keys.intersection(others);
            if let Some(example) = both.next() {
                let text = format!(
                    "{} of its first records get the same UserData as records of [route.{first}], {example:?} for one",
                    both.count() + 1
                );
                let remedy = format!(
                    "Let the user_data of each begin with another text, for example \"'{second}.' ~ id\"."
                );
                findings.push(Finding::new(Level::Error, &format!("route.{second}"), text).remedy(remedy));
            }
        }
    }
    findings
}

/// What stands before the first id and behind the last one, in the form in which keys collide.
pub(super) fn ends(template: &Template) -> (String, String) {
    let text = |part: &Part| match part {
        Part::Constant(text) => Some(text.to_lowercase()),
        Part::Id => None,
    };
    let before: Vec<String> = template.parts().iter().map_while(text).collect();
    let mut behind: Vec<String> = template.parts().iter().rev().map_while(text).collect();
    behind.reverse();
    (before.concat(), behind.concat())
}

/// Whether two ids may exist that give both the same value.
///
/// Where one text goes on beyond the other, the rest would have to be part of an id. A rest with a
/// sign in it (`leads-` and `leads-b2b-`, as names of routes make them) is let through: ids are letters
/// and digits, and should one not be, the ledger parks the second record of a key.
fn may_meet(one: &Template, other: &Template) -> bool {
    let in_an_id = |rest: &str| rest.chars().all(char::is_alphanumeric);
    let ((before, behind), (before_2, behind_2)) = (ends(one), ends(other));
    let rest = before.strip_prefix(&before_2).or_else(|| before_2.strip_prefix(&before));
    let rest_2 = behind.strip_suffix(&behind_2).or_else(|| behind_2.strip_suffix(&behind));
    rest.is_some_and(in_an_id) && rest_2.is_some_and(in_an_id)
}
