//! The harvest of one campaign as an activity of a runner.

use super::activities::{Common, Ended, outcome, stopping};
use crate::check::{RouteSettings, Settings};
use crate::dialler::jtel::JtelClient;
use crate::dialler::{CampaignRef, DiallerRead};
use crate::domain::policy::Job;
use crate::domain::result_words::ResultWords;
use crate::domain::{CampaignId, RouteName, Timestamp};
use crate::env::Env;
use crate::jobs::JobError;
use crate::jobs::campaigns::{WantedCampaign, pin_campaigns};
use crate::jobs::harvest::{
    Brake, HarvestContext, HarvestReport, HarvestSettings, Listed, Notes, ToE164, harvest,
};
use crate::jobs::identity::{self, Sides};
use crate::ledger::{CallReading, Counts, Ledger, LedgerError, RouteRow, RunEnd, RunStart, SweepKind};
use crate::remote::{CallError, CallErrorKind};
use crate::runtime::{Activator, Activity, Ask, Missing, Outcome, RunLog, Schedule};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The unit of harvest is the campaign: two routes on one campaign must not read it twice (semantics 18), also where
/// one names it by its name and one by its number.
pub(super) fn harvest_units(
    wanted: &[WantedCampaign],
    pinned: &BTreeMap<RouteName, CampaignId>,
) -> Vec<(CampaignRef, Vec<RouteName>)> {
    let mut units: Vec<(CampaignRef, Vec<RouteName>)> = Vec::new();
    for want in wanted {
        let id = pinned.get(&want.route);
        let same = |(campaign, routes): &&mut (CampaignRef, Vec<RouteName>)| {
            *campaign == want.campaign || id.is_some() && routes.iter().any(|route| pinned.get(route) == id)
        };
        match units.iter_mut().find(same) {
            Some((_, routes)) => routes.push(want.route.clone()),
            None => units.push((want.campaign.clone(), vec![want.route.clone()])),
        }
    }
    units
}

/// Harvest of one campaign.
pub(super) struct HarvestActivity {
    settings: Arc<Settings>,
    env: Env,
    ledger: Ledger,
    dialler: Arc<JtelClient>,
    sides: Sides,
    wanted: Vec<WantedCampaign>,
    push: Activator,
    /// The write-backs of its routes.
    told: Vec<Activator>,
}

impl HarvestActivity {
    pub fn new(common: &Common, wanted: Vec<WantedCampaign>, push: Activator, told: Vec<Activator>) -> Self {
        let Common { settings, env, ledger, dialler, sides, instance: _, agents: _ } = common;
        Self {
            settings: settings.clone(),
            env: env.clone(),
            ledger: ledger.clone(),
            dialler: dialler.clone(),
            sides: sides.clone(),
            wanted,
            push,
            told,
        }
    }

    async fn harvest(&self, ask: &Ask, noting: &Ledger) -> Result<Ended, JobError> {
        let cause = ask.cause;
        // What an earlier one stored and could not look at: no pause and no failure of the dialler holds it up.
        block_who_said_no(&self.ledger, &self.settings).await?;
        if cause != Ask::takeover().cause && self.paused().await? {
            let text = "paused: `dialbridge route resume` lets it go on".to_owned();
            return Ok(Ended { run: None, text, parked_new: false });
        }
        // Every harvest looks whether names and numbers still agree.
        let unchecked = match pin_campaigns(&self.ledger, &*self.dialler, &self.wanted).await {
            Ok(()) => None,
            // No reason to miss results: the campaign that is pinned is read by its number.
            Err(JobError::Call(error)) if is_of_that_list(&error) && self.is_pinned().await? => Some(error),
            Err(error) => {
                self.leave_failed_run(noting, cause, &error).await?;
                return Err(error);
            }
        };
        let Some(first) = self.wanted.first() else {
            return Ok(Ended { run: None, text: "no route".to_owned(), parked_new: false });
        };
        let row = self.ledger.route_show(first.route.clone()).await?;
        let Some(campaign) = row.and_then(|row| row.campaign) else {
            return Err(JobError::Stopped(format!("the campaign of route {} is not known", first.route)));
        };
        if let Some(route) = self.harvested_with(campaign).await? {
            let text = format!("campaign {campaign} is harvested with route {route}");
            return Ok(Ended { run: None, text, parked_new: false });
        }
        if let Err(error) = identity::dialler(&self.sides, &self.ledger, &*self.dialler).await {
            self.leave_failed_run(noting, cause, &error).await?;
            return Err(error);
        }
        let context = HarvestContext { ledger: noting.clone(), ..self.context(ask).await? };
        let harvested_so_far = harvest(&context, campaign).await;
        // Also after a failure: what was seen before it may show a second contact, and lock somebody.
        let run = harvested_so_far.as_ref().ok().and_then(|report| report.run);
        let doubled = self.ledger.doubles_lock(campaign, run).await;
        self.push.activate("schedule");
        self.told.iter().for_each(|write_back| write_back.activate("schedule"));
        let (report, doubled) = (harvested_so_far?, doubled?);
        let mut text = harvested(&report);
        if doubled > 0 {
            text.push_str(&format!(
                "; {doubled} contacts bear a UserData of ours a second time: they are being locked, the records are parked"
            ));
        }
        if let Some(error) = unchecked {
            let remark = format!(
                "whether the campaign is still the one that is meant could not be looked at: {error}"
            );
            text.push_str(&format!("; {remark}"));
            if let Some(run) = report.run {
                noting.run_remark(run, remark).await?;
            }
        }
        Ok(Ended { run: report.run, text, parked_new: doubled > 0 })
    }

    async fn is_pinned(&self) -> Result<bool, LedgerError> {
        let Some(first) = self.wanted.first() else { return Ok(false) };
        let row = self.ledger.route_show(first.route.clone()).await?;
        Ok(row.is_some_and(|row| row.campaign.is_some()))
    }

    /// A harvest that could not even begin has a row all the same: how long that lasts is asked of the rows.
    async fn leave_failed_run(
        &self,
        noting: &Ledger,
        cause: &'static str,
        error: &JobError,
    ) -> Result<(), JobError> {
        let rows = self.ledger.routes_list().await?;
        let of_ours = |row: &RouteRow| self.wanted.iter().any(|want| want.route == row.route);
        let campaign = rows.iter().find(|row| of_ours(row)).and_then(|row| row.campaign);
        let start = RunStart { job: Job::Harvest, route: None, campaign, cause };
        let run = noting.run_start(start).await?;
        noting.run_finish(run, RunEnd::Failed(error.to_string()), Counts::default()).await?;
        Ok(())
    }

    /// The route of another harvest that turned out to have the same campaign, named otherwise: one of the two reads
    /// it until the next start makes one harvest of both.
    async fn harvested_with(&self, campaign: CampaignId) -> Result<Option<RouteName>, JobError> {
        let rows = self.configured().await?;
        let first = rows.into_iter().filter(|row| row.campaign == Some(campaign)).map(|row| row.route).min();
        Ok(first.filter(|route| self.wanted.iter().all(|want| want.route != *route)))
    }

    /// The campaigns of the config, and how often each is harvested.
    async fn listed(&self) -> Result<Vec<Listed>, LedgerError> {
        let mut listed: BTreeMap<CampaignId, Option<TimeDelta>> = BTreeMap::new();
        for row in self.configured().await? {
            let Some(campaign) = row.campaign else { continue };
            let settings = self.settings.routes.values().find(|settings| settings.id == row.route);
            let schedule = settings.and_then(|route| Schedule::parse(&route.harvest, route.time_zone).ok());
            let every = schedule.and_then(|schedule| schedule.shortest_gap(self.env.now()));
            let going = every.filter(|_| !row.harvest_paused);
            let known = listed.entry(campaign).or_default();
            *known = known.iter().copied().chain(going).min();
        }
        Ok(listed.into_iter().map(|(campaign, every)| Listed { campaign, every }).collect())
    }

    /// The routes of the config as the ledger has them.
    async fn configured(&self) -> Result<Vec<RouteRow>, LedgerError> {
        let rows = self.ledger.routes_list().await?;
        let named = |row: &RouteRow| self.settings.routes.values().any(|settings| settings.id == row.route);
        Ok(rows.into_iter().filter(named).collect())
    }

    /// Whether every route that the campaign serves is paused with its harvest.
    async fn paused(&self) -> Result<bool, JobError> {
        let rows = self.ledger.routes_list().await?;
        let paused =
            |want: &WantedCampaign| rows.iter().any(|row| row.route == want.route && row.harvest_paused);
        Ok(self.wanted.iter().all(paused))
    }

    /// When one of the routes' schedules has the campaign harvested next.
    fn next_due(&self) -> Option<Timestamp> {
        let routes = self.settings.routes.values();
        let ours = routes.filter(|route| self.wanted.iter().any(|want| want.route == route.id));
        let schedules = ours.filter_map(|route| Schedule::parse(&route.harvest, route.time_zone).ok());
        schedules.filter_map(|schedule| schedule.with_bookends().next_after(self.env.now())).min()
    }

    /// The results that the campaign's routes know, where they have begun to map them.
    fn words(&self) -> Vec<ResultWords> {
        let routes = self.settings.routes.values();
        let ours = routes.filter(|route| self.wanted.iter().any(|want| want.route == route.id));
        ours.map(|route| route.hold_rules.words.clone()).filter(|words| !words.is_empty()).collect()
    }

    async fn context(&self, ask: &Ask) -> Result<HarvestContext, LedgerError> {
        let country = self.settings.dialler.country.clone();
        let revision = country.clone().unwrap_or_default();
        let dialler: Arc<dyn DiallerRead> = self.dialler.clone();
        Ok(HarvestContext {
            ledger: self.ledger.clone(),
            env: self.env.clone(),
            dialler,
            zone: self.settings.dialler.time_zone,
            to_e164: to_e164(country),
            listed: self.listed().await?,
            settings: HarvestSettings {
                words: self.words(),
                ..harvest_settings(&self.settings, revision, ask.missing)
            },
            next_due: self.next_due(),
            cause: ask.cause,
        })
    }
}

/// The words by which results are a no, as the config has them now; what is on the lists and waits is blocked before
/// anything is sent.
pub(super) async fn hear_opt_outs(ledger: &Ledger, settings: &Settings) -> Result<(), LedgerError> {
    let words = settings.routes.values().map(|route| (route.id.clone(), route.opt_out_results.clone()));
    ledger.opt_out_words_set(words.collect()).await?;
    block_who_said_no(ledger, settings).await
}

/// What the config's routes say of their results for other routes.
pub(super) async fn set_hold_rules(ledger: &Ledger, settings: &Settings) -> Result<(), LedgerError> {
    let rules = settings.routes.values().map(|route| (route.id.clone(), route.hold_rules.clone()));
    ledger.hold_rules_set(rules.collect()).await
}

/// What was stored and not looked at yet: a run that broke off, a new word, a contact that has come to be a record's.
async fn block_who_said_no(ledger: &Ledger, settings: &Settings) -> Result<(), LedgerError> {
    let heard = ledger.opt_outs_take(reading(settings), None).await?;
    if heard > 0 {
        tracing::info!(heard, "results of earlier calls said no: their records and numbers are blocked");
    }
    Ok(())
}

fn reading(settings: &Settings) -> CallReading {
    CallReading { to_e164: to_e164(settings.dialler.country.clone()), zone: settings.dialler.time_zone }
}

/// Whether it is the list of campaigns that failed, and not the dialler as such.
fn is_of_that_list(error: &CallError) -> bool {
    match error.kind {
        CallErrorKind::Rejected { .. }
        | CallErrorKind::NotFound
        | CallErrorKind::Unavailable
        | CallErrorKind::BadAnswer => true,
        CallErrorKind::NotSent
        | CallErrorKind::Overtaken
        | CallErrorKind::Refused { .. }
        | CallErrorKind::Unauthorized
        | CallErrorKind::WrongUrl
        | CallErrorKind::Configuration
        | CallErrorKind::Uncertain => false,
    }
}

/// How numbers in the dialler are read.
pub(super) fn to_e164(country: Option<String>) -> Arc<ToE164> {
    Arc::new(move |number: &str| crate::mapping::dialler_number_to_e164(number, country.as_deref()))
}

fn harvested(report: &HarvestReport) -> String {
    let Counts { listed, unchanged, due, foreign_contacts, calls_new, calls_changed, requests, .. } =
        report.counts;
    let mut text = report.run.map(|run| format!("run {run}: ")).unwrap_or_default();
    text.push_str(&format!(
        "{listed} contacts listed, {unchanged} unchanged, {due} due, {foreign_contacts} foreign; {calls_new} calls new, \
         {calls_changed} changed; {requests} requests"
    ));
    text.push_str(&rest(report));
    if report.gone > 0 {
        text.push_str(&format!("; {} contacts gone", report.gone));
    }
    if report.opt_outs > 0 {
        text.push_str(&format!("; {} results said no: who gave them is blocked", report.opt_outs));
    }
    if report.failed > 0 {
        text.push_str(&format!("; {} contacts could not be read and are tried again", report.failed));
    }
    if let Some(remark) = &report.sweep.remark {
        text.push_str(&format!("; {remark}"));
    }
    text
}

/// What is to be said of a list that rests, or has to from now on.
fn rest(report: &HarvestReport) -> String {
    let Some(until) = report.sweep.rests_until else { return String::new() };
    let until = until.format("%Y-%m-%dT%H:%M:%SZ");
    match report.sweep.kind {
        SweepKind::List => format!(
            "; the list took {} s, more than a fifth of the time between harvests: it is read again after {until}, \
             until then only contacts likely to move",
            report.sweep.list_ms / 1000
        ),
        SweepKind::Likely => format!(
            "; the list rests until {until}: {} contacts likely to move were read",
            report.sweep.read_likely
        ),
    }
}

fn harvest_settings(settings: &Settings, numbers_revision: String, missing: Missing) -> HarvestSettings {
    let brake = match missing {
        Missing::Doubted => Brake::default(),
        Missing::Believed => Brake::Off,
    };
    let told = |route: &RouteSettings| route.write_back.as_ref().is_some_and(|told| told.telling.uses_note());
    let notes = if settings.routes.values().any(told) { Notes::Kept } else { Notes::Left };
    let two_way = settings.routes.values().filter(|route| !route.two_way.is_empty());
    let two_way = two_way.map(|route| (route.id.clone(), route.two_way.clone())).collect();
    let mut harvest =
        HarvestSettings { numbers_revision, brake, two_way, notes, ..HarvestSettings::default() };
    let vanished = settings.routes.values().map(|route| (route.id.clone(), route.max_vanished));
    harvest.rules.vanished = Arc::new(vanished.collect());
    let span = |duration| chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX);
    if let Some(audit) = &mut harvest.rules.audit {
        audit.active = span(settings.harvest.audit_active);
        audit.idle = span(settings.harvest.audit_rest);
    }
    harvest
}

#[async_trait::async_trait]
impl Activity for HarvestActivity {
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome {
        let routes = self.wanted.iter().map(|want| &want.route);
        let noting = self.ledger.noting_runs_in(log);
        outcome(stopping(&self.ledger, routes, self.harvest(ask, &noting).await).await)
    }
}
