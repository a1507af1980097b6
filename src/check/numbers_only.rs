//! What is not known of results where the dialler has no batch read: neither names nor types, only numbers (users 18).

use super::finding::{Finding, Level};
use super::settings::{RouteSettings, Settings};
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, RouteName};
use std::collections::BTreeMap;

/// What of the routes' words and rules can never match there. `campaigns`: the routes' own, as far as they can be told.
pub(super) fn findings(settings: &Settings, campaigns: &BTreeMap<RouteName, CampaignId>) -> Vec<Finding> {
    settings.routes.values().flat_map(|route| of_route(route, campaigns.get(&route.id).copied())).collect()
}

fn of_route(route: &RouteSettings, campaign: Option<CampaignId>) -> Vec<Finding> {
    let about = format!("route.{}", route.name);
    let mut found = Vec::new();
    let number =
        campaign.map_or_else(String::new, |campaign| format!(" (as {campaign}/CODE in its campaign)"));
    if let Some(words) = no_numbers(&route.opt_out_results, campaign) {
        let text = format!(
            "opt_out_results names {words}, and without the batch read only a result's number{number} is known: nobody who says so \
             is heard"
        );
        found.push(Finding::new(Level::Error, &about, text).remedy(HOW));
    }
    let told = ResultWords::new(
        route.hold_rules.words.iter().filter(|word| !route.opt_out_results.iter().any(|no| no == *word)),
    );
    if let Some(words) = no_numbers(&told, campaign) {
        let text = format!(
            "[{about}.results] names {words}, and without the batch read only a result's number{number} is known: calls with these \
             wait"
        );
        found.push(Finding::new(Level::Warning, &about, text).remedy(HOW));
    }
    if route.hold_rules.cool_off.is_some() {
        let text =
            "cool_off counts every result as final, because without the batch read no result's type is known";
        let remedy = "Whoever was called here at all is left alone by the client's other routes; leave it out if that is too much.";
        found.push(Finding::new(Level::Warning, &about, text).remedy(remedy));
    }
    found
}

const HOW: &str = "Write each as \"CAMPAIGN/CODE\", the dialler's numbers; `dialbridge results codes` shows those that were seen. A name beside \
                   its number does no harm.";

/// The words, if not one number of the campaign is among them: where both stand, the names are another dialler's or for later,
/// and another campaign's numbers are of one that the route had before.
fn no_numbers(words: &ResultWords, campaign: Option<CampaignId>) -> Option<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    (!words.is_empty() && !words.has_numbers(campaign)).then(|| quoted.join(", "))
}
