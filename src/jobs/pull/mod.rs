//! Pull: the CRM's changed records become decisions and operations; nothing is sent from here.
//!
//! Order inside a run: companions (facts that move no modification time), the day's dated decisions,
//! hints by id, then everything modified since the cursor. The dialler is not asked: a key that the
//! ledger does not know is met by push, so that a pull needs one side only.

mod by_id;
mod companions;
mod dated;
mod examine;
mod hints;
mod pages;
mod refresh;

use super::JobError;
use crate::crm::CrmRead;
use crate::domain::policy::{Job, Unblock};
use crate::domain::{Policy, RouteName, RunId};
use crate::env::Env;
use crate::ledger::{Counts, Ledger, RunEnd, RunStart};
use crate::mapping::Mapping;
use chrono_tz::Tz;
use std::sync::Arc;

pub use examine::{Examined, examine};

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
}

/// One pull of one route, as a run with a balance.
///
/// # Errors
/// Why it ended before its end; what it stored stays.
pub async fn pull(context: &PullContext, cause: &'static str) -> Result<PullReport, JobError> {
    let ledger = &context.ledger;
    let start = RunStart { job: Job::Pull, route: Some(context.route.route.clone()), campaign: None, cause };
    let run = ledger.run_start(start).await?;
    let mut work = Work {
        context,
        run,
        counts: Counts::default(),
        not_taken: Vec::new(),
        brake: pages::Brake::default(),
    };
    let result = work.all().await;
    let end = match &result {
        Ok(()) => RunEnd::Done,
        Err(error) => RunEnd::Failed(error.to_string()),
    };
    ledger.run_finish(run, end, work.counts).await?;
    settle_stop(context, &result).await?;
    result.map(|()| PullReport { run, counts: work.counts, companions_not_taken: work.not_taken })
}

/// A route that pulled to the end is no longer stopped; a systemic failure stops it.
async fn settle_stop(context: &PullContext, result: &Result<(), JobError>) -> Result<(), JobError> {
    match result {
        Ok(()) => {
            let row = context.ledger.route_show(context.route.route.clone()).await?;
            if row.and_then(|row| row.stopped).is_some_and(|stop| super::ends_with_a_pull(&stop)) {
                context.ledger.route_set_stopped(context.route.route.clone(), None).await?;
            }
            Ok(())
        }
        Err(error) => match super::stop_reason(error) {
            Some(reason) => {
                context.ledger.route_set_stopped(context.route.route.clone(), Some(reason)).await?;
                Ok(())
            }
            None => Ok(()),
        },
    }
}

/// A pull under way.
struct Work<'a> {
    context: &'a PullContext,
    run: RunId,
    counts: Counts,
    not_taken: Vec<(String, String)>,
    brake: pages::Brake,
}

impl Work<'_> {
    async fn all(&mut self) -> Result<(), JobError> {
        self.companions().await?;
        self.dated().await?;
        self.hints().await?;
        self.changes().await
    }

    fn stop_if_ending(&self) -> Result<(), JobError> {
        if self.context.env.shutdown().is_cancelled() { Err(JobError::ShuttingDown) } else { Ok(()) }
    }
}
