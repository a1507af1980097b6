//! Campaigns that no route names and in which contacts of ours stand: somebody moved them in the dialler, their route was
//! given another campaign, or left the config (semantics 18). Whoever is called there may say no as anywhere, so they are
//! read as often as the campaigns of the config, with the harvest of one of these.
//!
//! Their list may be others' and of any size: a few contacts are read by their numbers each time, all of them, and only
//! where that takes many requests the list is read. Of others in it blocks must know key and numbers; their calls nobody
//! has asked for.

use super::budget::{self, Plan};
use super::sweep::Strangers;
use super::{Harvest, HarvestReport, JobError, tell_gap};
use crate::domain::{CampaignId, Timestamp};
use crate::ledger::{Elsewhere, LastList, RunEnd, Share, SweepCost};
use crate::remote::CallErrorKind;
use chrono::TimeDelta;

/// A campaign that a route names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The campaign.
    pub campaign: CampaignId,
    /// How far apart its harvests are; `None` while they are paused.
    pub every: Option<TimeDelta>,
}

/// So many requests for contacts of ours are no more of a load than a list of unknown size.
const FEW_REQUESTS: i64 = 10;
/// So many contacts are read with one request, where there is the batch read.
const IN_BATCH: i64 = 100;
/// Where each is read by itself, its history and the contact are two.
const SINGLE: i64 = 2;
/// So many contacts of one campaign are read by their numbers in one harvest at most, with the batch read and without.
const AT_ONCE: (usize, usize) = (1_000, 100);
/// A list that the dialler does not give is asked for again after so long.
const REFUSED_FOR: TimeDelta = TimeDelta::hours(1);

/// How contacts elsewhere are read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each by its number.
    Numbers,
    /// By their campaign's list, as those of the config.
    List,
}

/// Which harvest answers for a campaign that no route names: the most frequent of those whose routes' contacts stand
/// there, and for routes that left the config the most frequent of all. None where all of them are paused.
fn answering(place: &Elsewhere, listed: &[Listed]) -> Option<CampaignId> {
    let most_frequent = |among: &dyn Fn(CampaignId) -> bool| {
        let going = listed.iter().filter_map(|of| Some((of.every?, of.campaign)));
        going.filter(|(_, campaign)| among(*campaign)).min().map(|(_, campaign)| campaign)
    };
    let of_routes = |campaign: CampaignId| place.routes_have.contains(&Some(campaign));
    let of_the_config = |had: &Option<CampaignId>| listed.iter().any(|of| Some(of.campaign) == *had);
    let any = !place.routes_have.iter().all(of_the_config);
    most_frequent(&of_routes).or_else(|| any.then(|| most_frequent(&|_| true)).flatten())
}

/// By their numbers while that takes few requests, and whenever their list cannot be had or rests.
fn way(contacts: i64, batch_read: Option<bool>, list: Option<&SweepCost>, now: Timestamp) -> Way {
    let requests = match batch_read {
        Some(true) | None => (contacts + IN_BATCH - 1) / IN_BATCH,
        Some(false) => contacts * SINGLE,
    };
    // A clock that was set back must not make it wait for as long as it was wrong.
    let refused =
        list.is_some_and(|list| list.began_at <= now && list.refused_until.is_some_and(|until| now < until));
    if requests <= FEW_REQUESTS || refused { Way::Numbers } else { Way::List }
}

/// Whether the dialler does not give this list, and asking at once again is in vain.
fn is_refused(kind: &CallErrorKind) -> bool {
    match kind {
        CallErrorKind::NotFound | CallErrorKind::Rejected { .. } => true,
        CallErrorKind::NotSent
        | CallErrorKind::Overtaken
        | CallErrorKind::Refused { .. }
        | CallErrorKind::Unauthorized
        | CallErrorKind::WrongUrl
        | CallErrorKind::Configuration
        | CallErrorKind::Uncertain
        | CallErrorKind::Unavailable
        | CallErrorKind::BadAnswer => false,
    }
}

impl Harvest<'_> {
    pub(super) async fn read_elsewhere(&self, report: &mut HarvestReport) -> Result<(), JobError> {
        let ctx = self.ctx;
        let listed = ctx.listed.iter().map(|of| of.campaign).collect();
        let places = ctx.ledger.campaigns_elsewhere(listed).await?;
        // Before their lists are read: whoever is seen there for the first time is held against the blocks at once.
        ctx.ledger.elsewhere_note(&places).await?;
        for place in places {
            if answering(&place, &ctx.listed) != Some(self.campaign) {
                continue;
            }
            let now = ctx.env.now();
            let list = ctx.ledger.list_cost(Some(place.campaign)).await?;
            let read = match way(place.contacts, ctx.dialler.facts().batch_read, list.as_ref(), now) {
                Way::List => self.read_by_list(place.campaign, list).await?,
                Way::Numbers => false,
            };
            if !read {
                self.read_by_numbers(&place, report).await?;
            }
        }
        Ok(())
    }

    /// Everybody of ours there, or as many as one harvest may; those that were read longest ago first.
    async fn read_by_numbers(&self, place: &Elsewhere, report: &mut HarvestReport) -> Result<(), JobError> {
        // Younger than that of the campaign's own: its missing ones have just been found here.
        let now = self.ctx.env.now();
        self.read_due_there(place.campaign, now, false, report).await?;
        let share = Share::Elsewhere { read_before: now };
        self.pass(place.campaign, share, false).run_into(now, self.at_once(), report).await?;
        self.read_held(place.campaign, report).await
    }

    /// What is due among them anyway.
    async fn read_due_there(
        &self,
        campaign: CampaignId,
        cutoff: Timestamp,
        result_in_list: bool,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        let singly = self.ctx.settings.single_reads;
        for (share, limit) in
            [(Share::Missing, singly), (Share::Changed, usize::MAX), (Share::Due, usize::MAX)]
        {
            self.pass(campaign, share, result_in_list).run_into(cutoff, limit, report).await?;
        }
        Ok(())
    }

    /// A harvest of its own, in a run of its own. `false`: the list rests or did not come whole, and its contacts are to be
    /// read by their numbers; that is told of the list, and fails no harvest.
    async fn read_by_list(&self, campaign: CampaignId, last: Option<SweepCost>) -> Result<bool, JobError> {
        let ctx = self.ctx;
        let newest = last.as_ref().map(|list| LastList {
            began_at: list.began_at,
            rests_until: list.rests_until,
            carries_result: None,
        });
        match budget::plan(newest.as_ref(), ctx.env.now(), ctx.next_due) {
            Plan::List => {}
            Plan::Likely { .. } => return Ok(false),
        }
        let there = Harvest::begin(ctx, campaign).await?;
        let mut report = HarvestReport::default();
        let result = there.with_list_there(last, &mut report).await;
        tell_gap(ctx, &mut report);
        there.close(&report, RunEnd::Done).await?;
        result
    }

    async fn with_list_there(
        &self,
        last: Option<SweepCost>,
        report: &mut HarvestReport,
    ) -> Result<bool, JobError> {
        let Self { ctx, campaign, .. } = *self;
        let failure = self.read_list(Strangers::Indexed, report).await?;
        if let Some(error) = &failure {
            report.sweep.remark(format!("{error}: contacts of ours there are read by their numbers"));
            if is_refused(&error.kind) {
                report.sweep.refused_until = Some(ctx.env.now() + REFUSED_FOR);
            }
            if last.is_none_or(|last| last.refused_until.is_none()) {
                tracing::warn!(
                    campaign = campaign.0,
                    "{error}: no route names this campaign, contacts of ours there are read by their numbers"
                );
            }
        }
        let cutoff = ctx.env.now();
        let result_in_list = report.sweep.carries_result.unwrap_or(true);
        self.read_due_there(campaign, cutoff, result_in_list, report).await?;
        if report.sweep.complete {
            // Else they are read beside those who are read by their numbers.
            self.read_held(campaign, report).await?;
        }
        match failure {
            Some(error) if error.speaks_of_the_side() => Err(error.into()),
            // Asked by its number each one answers for itself, whatever is to be thought of the list.
            _ if !report.sweep.complete => Ok(false),
            _ => self.audit_there(cutoff, result_in_list, report).await.map(|()| true),
        }
    }

    /// Ours whose calls the list may not have shown, each in turn.
    async fn audit_there(
        &self,
        cutoff: Timestamp,
        result_in_list: bool,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        let Some(audit) = self.ctx.settings.rules.audit else { return Ok(()) };
        let each = if result_in_list { audit.active } else { audit.active_blind };
        let share = Share::Elsewhere { read_before: cutoff - each };
        self.pass(self.campaign, share, result_in_list).run_into(cutoff, self.at_once(), report).await
    }

    /// Many of ours that the dialler did not name, with a brake on their absence: somebody may have moved them all, or it did not tell
    /// of them for a while.
    /// Who answers to the number is read where it stands now, and belongs to that campaign from here on; that the others do
    /// not answer says nothing yet. In an order by chance, so that each hundred tells of all: once one of them names nobody, they
    /// are gone rather than moved, and no more of them are asked for, each of which may be a request.
    pub(super) async fn read_held(
        &self,
        campaign: CampaignId,
        report: &mut HarvestReport,
    ) -> Result<(), JobError> {
        let mut held = self.ctx.ledger.unlisted_there(campaign).await?;
        self.ctx.env.fork_rng().shuffle(&mut held);
        held.truncate(self.at_once());
        let result_in_list = report.sweep.carries_result.unwrap_or(true);
        let pass = self.pass(campaign, Share::Held, result_in_list);
        for hundred in held.chunks(usize::try_from(IN_BATCH).unwrap_or(1)) {
            let read_before = report.sweep.read_elsewhere;
            match pass.read_these(hundred.to_vec(), report).await {
                // Whom the dialler may not have any more fails nobody's harvest.
                Err(JobError::Call(error)) if !error.speaks_of_the_side() => {
                    report
                        .sweep
                        .remark(format!("{error}: nothing more is asked about those who are missing"));
                    break;
                }
                other => other?,
            }
            if report.sweep.read_elsewhere == read_before {
                break;
            }
        }
        Ok(())
    }

    fn at_once(&self) -> usize {
        let (in_batches, singly) = AT_ONCE;
        match self.ctx.dialler.facts().batch_read {
            Some(true) | None => in_batches,
            Some(false) => singly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(routes_have: &[Option<i64>]) -> Elsewhere {
        let routes_have = routes_have.iter().map(|had| had.map(CampaignId)).collect();
        Elsewhere { campaign: CampaignId(9), contacts: 1, routes_have, routes: Vec::new() }
    }

    #[test]
    fn the_most_frequent_harvest_answers_of_those_whose_contacts_stand_there() {
        let listed = |every: [Option<i64>; 3]| {
            let of = |(campaign, every): (i64, Option<i64>)| Listed {
                campaign: CampaignId(campaign),
                every: every.map(TimeDelta::minutes),
            };
            [5, 6, 7].into_iter().zip(every).map(of).collect::<Vec<_>>()
        };
        let all = [Some(15), Some(30), Some(5)];
        for (had, every, answers, why) in [
            (vec![Some(6)], all, Some(6), "its own route's, be it rare"),
            (vec![Some(6), Some(5)], all, Some(5), "the more frequent of two"),
            (vec![Some(8)], all, Some(7), "the route left the config"),
            (vec![None], all, Some(7), "it never had a campaign"),
            (vec![Some(6)], [Some(15), None, Some(5)], None, "its route's harvest is paused"),
            (
                vec![Some(6), Some(8)],
                [Some(15), None, Some(5)],
                Some(7),
                "one that left the config stands there too",
            ),
            (vec![Some(8)], [Some(15), Some(15), None], Some(5), "the most frequent that goes on"),
            (vec![Some(8)], [None; 3], None, "all are paused"),
        ] {
            assert_eq!(answering(&place(&had), &listed(every)), answers.map(CampaignId), "{why}");
        }
    }

    #[test]
    fn a_list_is_read_where_numbers_would_take_many_requests_and_it_can_be_had() {
        let now = "2026-03-02T08:00:00Z".parse::<Timestamp>().expect("an instant");
        let of = |contacts, batch_read| way(contacts, batch_read, None, now);
        assert_eq!(of(1_000, Some(true)), Way::Numbers);
        assert_eq!(of(1_001, Some(true)), Way::List);
        assert_eq!(of(1_001, None), Way::List);
        assert_eq!(of(5, Some(false)), Way::Numbers);
        assert_eq!(of(6, Some(false)), Way::List);
    }
}
