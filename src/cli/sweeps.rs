//! What sweeps cost the dialler, in words for `status` and `ledger`.

use super::zone::Zone;
use crate::domain::{CampaignId, Timestamp};
use crate::ledger::{Ledger, RouteRow, Shares, SweepCost, SweepKind};
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::BTreeSet;

/// The newest list of a campaign.
#[derive(Debug, Serialize)]
pub(super) struct ListOf {
    pub(super) campaign: CampaignId,
    pub(super) list: SweepCost,
}

/// A list of a campaign that no route names is not read at all where its contacts are few: an older one is no news.
const OLD: TimeDelta = TimeDelta::hours(24);

/// The newest list of each campaign that a route has or contacts of ours stand in.
pub(super) async fn lists(
    ledger: &Ledger,
    routes: &[&RouteRow],
    now: Timestamp,
) -> anyhow::Result<Vec<ListOf>> {
    let campaigns: BTreeSet<CampaignId> = routes.iter().filter_map(|row| row.campaign).collect();
    let mut found = Vec::new();
    for campaign in &campaigns {
        if let Some(list) = ledger.list_cost(Some(*campaign)).await? {
            found.push(ListOf { campaign: *campaign, list });
        }
    }
    for place in ledger.campaigns_elsewhere(campaigns.into_iter().collect()).await? {
        let list = ledger.list_cost(Some(place.campaign)).await?;
        if let Some(list) = list.filter(|list| now - list.began_at < OLD) {
            found.push(ListOf { campaign: place.campaign, list });
        }
    }
    Ok(found)
}

/// A line for `status`.
pub(super) fn line(of: &ListOf, zone: Zone) -> String {
    let ListOf { campaign, list } = of;
    format!("Campaign {campaign}: {}, read {}{}.\n", size(list), zone.at(list.began_at), rest(list, zone))
}

/// What of a run's sweep its balance does not say.
pub(super) fn of_run(sweep: &SweepCost, zone: Zone) -> String {
    match sweep.kind {
        SweepKind::List => format!("{}{}", size(sweep), rest(sweep, zone)),
        SweepKind::Likely => {
            let until = sweep.rests_until.map(|at| format!(" until {}", zone.at(at))).unwrap_or_default();
            format!("the list rests{until}: {} contacts likely to move read", sweep.read_likely)
        }
    }
}

/// What the reads after the list were for, and what they found; several lines for one run.
pub(super) fn reads_of_run(sweep: &SweepCost) -> String {
    let Shares { changed, due, likely, elsewhere, audit, single } = sweep.requests;
    let mut text = format!(
        "history requests: {changed} for what changed, {due} for what was due, {likely} for contacts likely to move, \
         {elsewhere} for ours in other campaigns, {audit} for the audit; {single} contacts asked about singly"
    );
    for (count, what) in [
        (sweep.found_by_audit, "calls were found by the audit only"),
        (sweep.not_adding_up, "contacts read whose tries and calls are not as many"),
        (sweep.missing, "known contacts were not in the list"),
    ] {
        if count > 0 {
            text.push_str(&format!("\n{count} {what}"));
        }
    }
    text
}

fn size(list: &SweepCost) -> String {
    let cut = if list.complete { "" } else { ", not complete" };
    format!(
        "list of {} contacts, {} in {}.{} s{cut}",
        list.contacts,
        bytes(list.bytes),
        list.list_ms / 1000,
        list.list_ms % 1000 / 100
    )
}

fn rest(list: &SweepCost, zone: Zone) -> String {
    let Some(until) = list.rests_until else { return String::new() };
    format!(
        "; that is more than a fifth of the time between harvests: it is read again after {}, until then only contacts \
         likely to move",
        zone.at(until)
    )
}

fn bytes(bytes: i64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", (bytes + 999) / 1000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(kind: SweepKind, rests_until: Option<&str>) -> SweepCost {
        SweepCost {
            kind,
            began_at: "2026-03-02T08:00:00Z".parse().expect("an instant"),
            contacts: 100_000,
            bytes: 200_500_000,
            list_ms: 92_400,
            complete: true,
            bad: 0,
            missing: 0,
            held: 0,
            read_likely: 120,
            requests: Shares::default(),
            found_by_audit: 0,
            not_adding_up: 0,
            rests_until: rests_until.map(|at| at.parse().expect("an instant")),
            refused_until: None,
            remark: None,
        }
    }

    #[test]
    fn a_list_that_takes_too_long_says_until_when_it_rests() {
        let zone = Zone::utc();
        let of = |kind, until| of_run(&cost(kind, until), zone);
        assert_eq!(of(SweepKind::List, None), "list of 100000 contacts, 200.5 MB in 92.4 s");
        let rests = Some("2026-03-02T08:07:42Z");
        let said = of(SweepKind::List, rests);
        assert!(said.contains("more than a fifth") && said.contains("08:07"), "{said}");
        let said = of(SweepKind::Likely, rests);
        assert!(
            said.starts_with("the list rests until") && said.contains("120 contacts likely to move"),
            "{said}"
        );
    }
}
