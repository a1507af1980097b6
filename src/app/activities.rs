//! The jobs as activities of runners: each run ends in one line for people.

use super::harvesting::to_e164;
use super::limits::daily_limits;
use super::routes::RoutePart;
use crate::check::Settings;
use crate::dialler::ImportMode;
use crate::dialler::jtel::JtelClient;
use crate::domain::{RecordId, RouteName, RunId, Timestamp};
use crate::env::Env;
use crate::jobs::JobError;
use crate::jobs::campaigns::WantedCampaign;
use crate::jobs::identity::Sides;
use crate::jobs::pull::{PullContext, pull};
use crate::jobs::push::{PushContext, PushLimits, PushRoute, Refresher, Resting, StandingLocks, push};
use crate::jobs::refusal;
use crate::jobs::write_back::Agents;
use crate::ledger::{Counts, Ledger};
use crate::runtime::{Activator, Activity, Ask, Outcome, RunLog, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// How a run ended well.
pub(super) struct Ended {
    pub run: Option<RunId>,
    pub text: String,
    pub parked_new: bool,
}

pub(super) fn outcome(result: Result<Ended, JobError>) -> Outcome {
    match result {
        Ok(Ended { run, text, parked_new }) => Outcome::Done { run, text, parked_new },
        Err(error) => Outcome::Failed { text: error.to_string() },
    }
}

/// Stops the routes if the dialler refuses us as a whole.
pub(super) async fn stopping(
    ledger: &Ledger,
    routes: impl Iterator<Item = &RouteName>,
    result: Result<Ended, JobError>,
) -> Result<Ended, JobError> {
    if let Err(error) = &result {
        refusal::stop_refused(ledger, routes, error).await?;
    }
    result
}

/// What all activities work with.
pub(super) struct Common {
    pub settings: Arc<Settings>,
    pub env: Env,
    pub ledger: Ledger,
    pub dialler: Arc<JtelClient>,
    pub sides: Sides,
    /// Names this ledger to the CRM.
    pub instance: Arc<str>,
    /// The agents' names, one list for all routes.
    pub agents: Arc<Agents>,
}

fn noting(pull: &PullContext, log: &RunLog) -> PullContext {
    PullContext { ledger: pull.ledger.noting_runs_in(log), ..pull.clone() }
}

/// Pull of one route; push follows at once.
pub(super) struct PullActivity {
    pub pull: PullContext,
    pub push: Activator,
}

#[async_trait::async_trait]
impl Activity for PullActivity {
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome {
        let result = pull(&noting(&self.pull, log), ask.cause).await;
        // Also after a failure: what was stored before it is good to go.
        self.push.activate("schedule");
        outcome(result.map(|report| {
            let Counts { records_read, unchanged, queued, skipped, blocked, parked, parked_new, noted, .. } =
                report.counts;
            let mut text = format!(
                "run {}: {records_read} records read, {unchanged} unchanged, {queued} queued, {skipped} skipped, {blocked} \
                 blocked, {parked} parked ({parked_new} new)",
                report.run
            );
            if noted > 0 {
                text.push_str(&format!("; {noted} notes"));
            }
            for (name, why) in &report.companions_not_taken {
                text.push_str(&format!("; companion {name} not taken: {why}"));
            }
            let mut new = parked_new;
            if let Some(pass) = &report.pass {
                let Counts { records_read, unchanged, queued, parked_new, .. } = pass.counts;
                new += parked_new;
                text.push_str(&format!(
                    "; full pass ({}), run {}: {records_read} records read, {unchanged} unchanged, {queued} queued, {}",
                    pass.why.in_words(),
                    pass.run,
                    if pass.finished { "at its end" } else { "goes on with the next pull" }
                ));
            }
            Ended { run: Some(report.run), text, parked_new: new > 0 }
        }))
    }
}

/// The day's decisions of one route whose conditions depend on the date; push follows at once.
pub(super) struct DayActivity {
    pub pull: PullContext,
    pub push: Activator,
}

#[async_trait::async_trait]
impl Activity for DayActivity {
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome {
        let result = noting(&self.pull, log).decide_day(ask.cause).await;
        self.push.activate("schedule");
        outcome(result.map(|counts| {
            let Counts { skipped, blocked, parked, parked_new, .. } = counts;
            let text =
                format!("by the date: {skipped} not eligible any more, {blocked} blocked, {parked} parked");
            Ended { run: None, text, parked_new: parked_new > 0 }
        }))
    }
}

/// Push over all routes, settle included.
pub(super) struct PushActivity {
    settings: Arc<Settings>,
    env: Env,
    ledger: Ledger,
    dialler: Arc<JtelClient>,
    sides: Sides,
    wanted: Vec<WantedCampaign>,
    routes: BTreeMap<RouteName, RoutePart>,
    next_due: watch::Sender<Option<Timestamp>>,
    resting: Resting,
}

impl PushActivity {
    pub fn new(
        common: &Common,
        routes: &BTreeMap<RouteName, RoutePart>,
        wanted: Vec<WantedCampaign>,
        next_due: watch::Sender<Option<Timestamp>>,
    ) -> Self {
        Self {
            settings: common.settings.clone(),
            env: common.env.clone(),
            ledger: common.ledger.clone(),
            dialler: common.dialler.clone(),
            sides: common.sides.clone(),
            wanted,
            routes: routes.clone(),
            next_due,
            resting: Resting::default(),
        }
    }

    async fn push(&self, ask: &Ask, noting: &Ledger) -> Result<Ended, JobError> {
        let began = self.env.now();
        let context = PushContext { ledger: noting.clone(), ..self.context(ask.scope.clone()).await? };
        let pushed = push(&context, ask.cause).await;
        // A lock to be repeated in seconds must not wait for the next minute's run.
        self.next_due.send_replace(self.ledger.operations_next_due(began).await?);
        let report = pushed?;
        if report.counts == Counts::default() && noting.run_forget(report.run).await? {
            return Ok(Ended { run: None, text: "nothing is to be sent now".to_owned(), parked_new: false });
        }
        let Counts { taken, done, refused, uncertain, superseded, parked, parked_new, put_back, .. } =
            report.counts;
        let text = format!(
            "run {}: {taken} operations taken, {done} done, {refused} refused, {uncertain} uncertain, {superseded} \
             superseded, {parked} parked, {put_back} put back",
            report.run
        );
        Ok(Ended { run: Some(report.run), text, parked_new: parked_new > 0 })
    }

    async fn context(&self, scope: Scope) -> Result<PushContext, JobError> {
        // Without the flags an overwriting import unlocks; push then never imports over a contact that exists.
        let flag = self.dialler.takes_import_flags().then_some(false);
        let routes = self
            .routes
            .iter()
            .map(|(name, part)| {
                let route = PushRoute {
                    policy: part.pull.route.policy.clone(),
                    import_mode: ImportMode { overwrite: true, reset: flag, unlock: flag },
                    max_decision_age: part.settings.max_decision_age,
                    daily: daily_limits(&part.settings),
                    two_way: part.settings.two_way.clone(),
                    append: part.settings.append.clone(),
                    read_before: part.settings.read_before_update,
                };
                (name.clone(), route)
            })
            .collect();
        let limits = PushLimits {
            max_in_flight: self.settings.dialler.max_in_flight.saturating_sub(2).max(1),
            settle_after: self.settings.dialler.settle_after,
            schedule: self.settings.push.retry.clone(),
            retry_after_cap: self.settings.push.max_retry_after,
            settle_calls: self.settings.push.settle_calls,
            standing_locks: StandingLocks {
                at: self.settings.push.standing_locks,
                zone: self.settings.dialler.time_zone,
            },
            ..PushLimits::default()
        };
        Ok(PushContext {
            ledger: self.ledger.clone(),
            env: self.env.clone(),
            read: self.dialler.clone(),
            write: self.dialler.clone(),
            to_e164: to_e164(self.settings.dialler.country.clone()),
            routes: Arc::new(routes),
            wanted: self.wanted.clone(),
            refresher: Arc::new(ByPull(
                self.routes.iter().map(|(n, p)| (n.clone(), p.pull.clone())).collect(),
            )),
            limits,
            resting: self.resting.clone(),
            scope,
            sides: self.sides.clone(),
        })
    }
}

#[async_trait::async_trait]
impl Activity for PushActivity {
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome {
        let (routes, noting) = (self.routes.keys(), self.ledger.noting_runs_in(log));
        outcome(stopping(&self.ledger, routes, self.push(ask, &noting).await).await)
    }
}

/// Deciding anew is pull's business.
struct ByPull(BTreeMap<RouteName, PullContext>);

#[async_trait::async_trait]
impl Refresher for ByPull {
    async fn decide_anew(&self, route: &RouteName, ids: Vec<RecordId>) -> Result<Vec<RecordId>, JobError> {
        match self.0.get(route) {
            Some(pull) => pull.decide_anew(&ids).await,
            // A route that left the config decides nothing any more; what waits for it goes on waiting.
            None => Err(JobError::Stopped(format!("route {route} is no longer in the config"))),
        }
    }
}
