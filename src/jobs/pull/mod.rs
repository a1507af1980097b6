//! Pull: the CRM's changed records become decisions and operations; nothing is sent from here.
//!
//! Order inside a run: the day's dated decisions (they need no CRM), companions (facts that move no modification
//! time), hints by id, what the CRM says was deleted, then everything modified since the cursor. The dialler is not
//! asked: a key that the ledger does not know is met by push, so that a pull needs one side only.

mod brake;
mod by_id;
mod clock;
mod companions;
mod dated;
mod deleted;
mod examine;
mod full;
mod hints;
mod pages;
mod refresh;
mod scope;
mod store;

use super::identity::{self, Sides};
use super::{JobError, stops};
use crate::crm::CrmRead;
use crate::domain::limits::MissingLimits;
use crate::domain::policy::{Job, Unblock};
use crate::domain::{Policy, Reason, ReasonCode, RouteName, RunId};
use crate::env::Env;
use crate::ledger::{Counts, Ledger, RunEnd, RunStart, Under};
use crate::mapping::Mapping;
use chrono_tz::Tz;
use std::sync::Arc;
use std::time::Duration;

pub use examine::examine;
use examine::unreadable;
pub use full::PassReport;

/// What a pull knows of its route.
#[derive(Debug)]
pub struct PullRoute {
    /// Its name.
    pub route: RouteName,
    /// Its client.
    pub client: String,
    /// The CRM's name in the config.
    pub crm: String,
    /// The CRM's object.
    pub object: String,
    /// The route's choices for decisions.
    pub policy: Policy,
    /// How its blocks end.
    pub unblock: Unblock,
    /// The zone in which a day begins (`today`).
    pub zone: Tz,
    /// When the day's dated decisions are made at the earliest.
    pub day_start: chrono::NaiveTime,
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// How often everything is read again without being asked.
    pub full_pass: Duration,
    /// How many known records it may fail to name before its answers are in doubt.
    pub missing: MissingLimits,
    /// The rules by which its records are judged, as text.
    pub rules: String,
    /// Mapping, conditions, connector: a change of any of them makes every record "changed".
    pub revision: String,
}

/// Everything a pull may touch.
#[derive(Clone)]
pub struct PullContext {
    /// The ledger.
    pub ledger: Ledger,
    /// Clock and shutdown.
    pub env: Env,
    /// The CRM.
    pub crm: Arc<dyn CrmRead>,
    /// The route.
    pub route: Arc<PullRoute>,
    /// Whether the CRM is the one that the ledger knows.
    pub sides: Sides,
}

/// How a pull ended.
#[derive(Debug, Clone)]
pub struct PullReport {
    /// Its run.
    pub run: RunId,
    /// Its balance.
    pub counts: Counts,
    /// Companions whose answer was not taken, with why: reported, and the pull went on.
    pub companions_not_taken: Vec<(String, String)>,
    /// The stretch of a full pass that followed, if one is under way.
    pub pass: Option<PassReport>,
}

/// One pull of one route, as a run with a balance, and a stretch of a full pass if one is under way.
///
/// # Errors
/// Why it ended before its end; what it stored stays.
pub async fn pull(context: &PullContext, cause: &'static str) -> Result<PullReport, JobError> {
    let mut work = Work::begin(context, cause).await?;
    let result = work.all().await;
    let result = work.end(result).await;
    let result = match result {
        Ok(()) => full::go_on(context).await,
        Err(error) => Err(error),
    };
    settle_stop(context, &result, work.missing_reason()).await?;
    result.map(|pass| PullReport {
        run: work.run,
        counts: work.counts,
        companions_not_taken: work.not_taken,
        pass,
    })
}

/// A route that pulled to the end is no longer stopped; a systemic failure stops it. Where too many records are
/// missed it stays stopped until they are found, or a person has seen it.
async fn settle_stop<T>(
    context: &PullContext,
    result: &Result<T, JobError>,
    missing: Option<Reason>,
) -> Result<(), JobError> {
    let (ledger, route) = (&context.ledger, &context.route.route);
    let stop = missing.or_else(|| result.as_ref().err().and_then(super::stop_reason));
    match (stop, result) {
        (Some(reason), _) => stops::stop(ledger, route, reason).await?,
        (None, Ok(_)) => stops::end(ledger, route, &[stops::Kind::Pull]).await?,
        (None, Err(_)) => {}
    }
    Ok(())
}

/// A pull under way.
struct Work<'a> {
    context: &'a PullContext,
    run: RunId,
    counts: Counts,
    not_taken: Vec<(String, String)>,
    /// How many records were read by their ids.
    found_by_id: usize,
    /// So many known records are not named in answers that these are in doubt.
    missing: Option<usize>,
    /// How many known records came in an older version.
    seniority: pages::Seniority,
    /// The brake has struck: from here on only objections are heard, and the run fails.
    struck: Option<brake::Strike>,
    /// The rules before the present ones, where they can be told.
    before: scope::Earlier,
}

impl<'a> Work<'a> {
    async fn begin(context: &'a PullContext, cause: &'static str) -> Result<Self, JobError> {
        let (ledger, route) = (&context.ledger, &context.route.route);
        let start = RunStart { job: Job::Pull, route: Some(route.clone()), campaign: None, cause };
        let run = ledger.run_start(start).await?;
        let (revision, rules) = (context.route.revision.clone(), context.route.rules.clone());
        let began = ledger.route_pull_begins(route.clone(), revision, rules, run).await?;
        let before = scope::Earlier::new(began.before);
        match began.under {
            Under::Others => before.warn_if_unreadable(route, &context.route.rules),
            Under::TheSame => {}
        }
        let stopped = ledger.route_show(route.clone()).await?.and_then(|row| row.stopped);
        let in_doubt = stopped.is_some_and(|stop| stop.code == ReasonCode::RecordsMissing);
        let missing = if in_doubt { Some(ledger.absences_by_id(route.clone()).await?) } else { None };
        Ok(Self {
            context,
            run,
            counts: Counts::default(),
            not_taken: Vec::new(),
            found_by_id: 0,
            missing,
            seniority: pages::Seniority::default(),
            struck: None,
            before,
        })
    }

    /// Why the route is stopped, if so many known records are not named in answers that these are in doubt.
    fn missing_reason(&self) -> Option<Reason> {
        let count = self.missing?;
        let reason = Reason::new(ReasonCode::RecordsMissing);
        Some(reason.with("count", count).with("route", &self.context.route.route))
    }

    /// Ends the run with its balance.
    async fn end(&mut self, result: Result<(), JobError>) -> Result<(), JobError> {
        let stopped = self.struck.as_ref().map(ToString::to_string);
        let stopped = stopped.or_else(|| self.missing_reason().map(|reason| reason.to_string()));
        let result = match stopped {
            Some(text) => result.and(Err(JobError::Stopped(text))),
            None => result,
        };
        let ledger = &self.context.ledger;
        let end = match &result {
            Ok(()) => RunEnd::Done,
            Err(error) => RunEnd::Failed(error.to_string()),
        };
        ledger.run_finish(self.run, end, self.counts).await?;
        if !self.not_taken.is_empty() {
            let told: Vec<String> = self
                .not_taken
                .iter()
                .map(|(name, why)| format!("companion {name} not taken: {why}"))
                .collect();
            ledger.run_remark(self.run, told.join("; ")).await?;
        }
        result
    }
}

impl Work<'_> {
    async fn all(&mut self) -> Result<(), JobError> {
        self.dated().await?;
        identity::crm(self.context).await?;
        self.companions().await?;
        self.hints().await?;
        self.deleted().await?;
        self.changes().await?;
        self.judge_missing_again().await
    }

    fn stop_if_ending(&self) -> Result<(), JobError> {
        if self.context.env.shutdown().is_cancelled() { Err(JobError::ShuttingDown) } else { Ok(()) }
    }
}
