//! What harvests leave for a person to look at. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use super::sweeps::ListOf;
use crate::domain::Timestamp;
use crate::ledger::{HarvestShown, RouteRow, SweepCost};
use chrono::TimeDelta;

/// A list of the account serves one push; what was wrong with an older one says nothing any more.
const OLD: TimeDelta = TimeDelta::hours(24);

/// What the newest list of a campaign left open.
pub(super) fn of_list(of: &ListOf, routes: &[&RouteRow]) -> Option<Concern> {
    let ListOf { campaign, list } = of;
    let named = routes.iter().find(|row| row.campaign == Some(*campaign));
    let route = named.map_or("R", |row| row.route.as_str());
    let remedy = if list.held > 0 {
        format!(
            "look into the campaign in the dialler's portal; if they really were deleted: `dialbridge plan list` names the wave of ours, \
             which `plan approve` believes; contacts of others as well: `dialbridge sync harvest --route {route} --believe-missing`"
        )
    } else if list.bad > 0 {
        "the others are read; whoever runs the dialler can see which contact it cannot show. Until then nobody's \
         absence is noticed"
            .to_owned()
    } else if named.is_none() && !list.complete {
        return Some(Concern {
            weight: Weight::Note,
            what: format!(
                "contacts of ours stand in campaign {campaign}, which no route names: {}",
                list.remark.as_deref().unwrap_or("its list did not come whole")
            ),
            since: Some(list.began_at),
            remedy: "nothing is lost: each harvest reads a thousand of them (a hundred without the batch read), and the list is \
                     asked for again. If they belong there, name the campaign in a route; else move them in the dialler's portal"
                .to_owned(),
        });
    } else {
        return None;
    };
    let remark = list.remark.as_deref().unwrap_or("its list is in doubt");
    Some(person(format!("campaign {campaign}: {remark}"), Some(list.began_at), remedy))
}

/// The newest list of the account, where it was not believed.
pub(super) fn of_account(list: &SweepCost, now: Timestamp) -> Option<Concern> {
    let remark = list.remark.as_deref().filter(|_| !list.complete && now - list.began_at < OLD)?;
    Some(person(
        format!("the list of the whole account is not used: {remark}"),
        Some(list.began_at),
        "each UserData is asked for by itself instead; look whether the token is of the right client: `dialbridge check`"
            .to_owned(),
    ))
}

/// What the reads of the last days left open.
pub(super) fn of_reads(shown: &HarvestShown) -> Vec<Concern> {
    let mut found = Vec::new();
    if shown.found_lately > 0 {
        found.push(person(
            format!(
                "{} calls of the last 7 days were found by the audit only: nothing that the list shows had moved",
                shown.found_lately
            ),
            shown.found_since,
            "none is lost. Inbound calls and corrected results come so; if it is other calls, results are seen up to a \
             day late: `dialbridge ledger runs` and `ledger show RUN` say in which run, the view v_calls which"
                .to_owned(),
        ));
    }
    if let Some(at) = shown.gap_seen {
        found.push(person(
            "calls carry a time that does not exist in [dialler] time_zone (the hour that is left out in spring): the \
             zone is wrong"
                .to_owned(),
            Some(at),
            "set it to the zone of the dialler's server and restart; the calls' times are read anew".to_owned(),
        ));
    }
    if shown.shown_nos > 0 {
        found.push(person(
            format!(
                "{} contacts are blocked because the dialler showed a result at them that is a no, and no call has said so for more \
                 than a day",
                shown.shown_nos
            ),
            shown.shown_nos_since,
            "`dialbridge block list` names them. Their calls may not be readable, or the result was corrected: who did not say so is \
             let go with `dialbridge block remove`, as after any corrected result"
                .to_owned(),
        ));
    }
    if shown.not_adding_up > 0 {
        found.push(Concern {
            weight: Weight::Note,
            what: format!(
                "{} contacts have not had as many calls as tries for more than a day",
                shown.not_adding_up
            ),
            since: shown.not_adding_up_since,
            remedy: "each is read again once a day; counters that somebody put back in the portal look alike"
                .to_owned(),
        });
    }
    if shown.audit_late > 0 {
        found.push(Concern {
            weight: Weight::Note,
            what: format!(
                "{} contacts are read late by the audit: the newest harvest found their turn an hour past and had others to read",
                shown.audit_late
            ),
            since: shown.audit_late_since,
            remedy: "a call that the list does not show, and a result that was corrected, is seen as late for these. It passes when \
                     fewer are called; if it stays, harvest more often"
                .to_owned(),
        });
    }
    found
}

fn person(what: String, since: Option<Timestamp>, remedy: String) -> Concern {
    Concern { weight: Weight::Person, what, since, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> Timestamp {
        format!("2026-03-{day:02}T08:00:00Z").parse().expect("an instant")
    }

    #[test]
    fn what_only_the_audit_found_is_told_first_and_nothing_is_told_of_a_healthy_house() {
        assert_eq!(of_reads(&HarvestShown { found_by_audit: 9, ..HarvestShown::default() }), []);
        let shown = HarvestShown {
            found_by_audit: 9,
            found_lately: 2,
            found_since: Some(at(2)),
            not_adding_up: 3,
            not_adding_up_since: Some(at(1)),
            gap_seen: Some(at(3)),
            shown_nos: 4,
            shown_nos_since: Some(at(4)),
            audit_late: 5,
            audit_late_since: Some(at(5)),
        };
        let told: Vec<(Weight, Option<Timestamp>, bool)> = of_reads(&shown)
            .into_iter()
            .zip([
                "2 calls of the last 7 days",
                "time_zone",
                "4 contacts are blocked",
                "3 contacts have not had",
                "5 contacts are read late",
            ])
            .map(|(concern, words)| (concern.weight, concern.since, concern.what.contains(words)))
            .collect();
        assert_eq!(
            told,
            [
                (Weight::Person, Some(at(2)), true),
                (Weight::Person, Some(at(3)), true),
                (Weight::Person, Some(at(4)), true),
                (Weight::Note, Some(at(1)), true),
                (Weight::Note, Some(at(5)), true)
            ]
        );
    }
}
