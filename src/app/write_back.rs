//! The write-back of one route as an activity of a runner.

use super::activities::{Common, Ended, outcome};
use super::reading::ReadingSide;
use super::routes::RoutePart;
use crate::check::{AgentsTold, RouteSettings, Settings};
use crate::dialler::DiallerRead;
use crate::domain::{Activities, BlocksTold, Counts, RouteName, Shapes};
use crate::env::Env;
use crate::jobs::JobError;
use crate::jobs::write_back::{Agents, ShowContext, TellLimits, TwoWayContext, WriteBackContext, write_back};
use crate::ledger::{Ledger, LedgerError, TellBrake};
use crate::runtime::{Activator, Activity, Ask, Outcome, RunLog};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Write-back of one route.
pub(super) struct WriteBackActivity {
    context: WriteBackContext,
}

impl WriteBackActivity {
    /// `None` where the route's calls stay with us.
    pub fn of(common: &Common, part: &RoutePart) -> Option<Self> {
        let settings = part.settings.write_back.as_ref()?;
        let crm = common.settings.crms.get(&part.settings.crm)?;
        let limits = TellLimits {
            most: TellBrake {
                per_run: settings.max_per_run.into(),
                per_day: settings.max_per_day.map(Into::into),
                percent: settings.max_percent.map(Into::into),
            },
            in_flight: crm.max_in_flight,
            retry: common.settings.push.retry.clone(),
            settle_after: settle_after(crm.request_timeout),
            max_own_changes: settings.max_own_changes.into(),
        };
        Some(Self {
            context: WriteBackContext {
                ledger: common.ledger.clone(),
                env: common.env.clone(),
                crm: part.told.clone()?,
                before: part.before.clone(),
                route: part.settings.id.clone(),
                telling: settings.telling.clone(),
                agents: match settings.agents {
                    AgentsTold::ByName => Some(common.agents.clone()),
                    AgentsTold::ByNumber => None,
                },
                two_way: (!part.settings.two_way.is_empty()).then(|| TwoWayContext {
                    crm: part.pull.crm.clone(),
                    mapping: part.settings.mapping.clone(),
                }),
                instance: common.instance.clone(),
                limits,
            },
        })
    }
}

/// One for each route whose calls go back.
pub(super) fn runners(
    common: &Common,
    routes: &BTreeMap<RouteName, RoutePart>,
    tracker: &TaskTracker,
) -> BTreeMap<RouteName, Activator> {
    let activities =
        routes.iter().filter_map(|(name, part)| Some((name, WriteBackActivity::of(common, part)?)));
    activities
        .map(|(name, activity)| {
            let title = format!("write_back {name}");
            (name.clone(), Activator::start(&title, &common.env, tracker, Arc::new(activity)))
        })
        .collect()
}

/// As at the dialler: twice the time-out, at least a minute (semantics 4).
fn settle_after(request_timeout: Duration) -> Duration {
    (2 * request_timeout).max(Duration::from_secs(60))
}

/// What a dry run of the route's write-back works with, on a copy of the ledger.
pub(super) fn shown(
    copy: &Ledger,
    env: &Env,
    route: &RouteSettings,
    side: &ReadingSide,
    dialler: &Arc<dyn DiallerRead>,
) -> Option<ShowContext> {
    let settings = route.write_back.as_ref()?;
    Some(ShowContext {
        ledger: copy.clone(),
        route: route.id.clone(),
        telling: settings.telling.clone(),
        agents: match settings.agents {
            AgentsTold::ByName => Some(Arc::new(Agents::new(dialler.clone(), env.clone()))),
            AgentsTold::ByNumber => None,
        },
        two_way: (!route.two_way.is_empty())
            .then(|| TwoWayContext { crm: side.crm.clone(), mapping: route.mapping.clone() }),
        activities: side.once_there?,
    })
}

/// What was under way at the last end may have happened; called once, before anything is told.
///
/// # Errors
/// The ledger cannot be written.
pub(super) async fn begin(ledger: &Ledger, settings: &Settings, env: &Env) -> Result<(), LedgerError> {
    let longest = settings
        .crms
        .values()
        .map(|crm| settle_after(crm.request_timeout) + crm.connector.visible_after())
        .max();
    let quiet = TimeDelta::from_std(longest.unwrap_or_default()).unwrap_or(TimeDelta::hours(1));
    ledger.write_backs_mark_interrupted(env.now() + quiet).await?;
    Ok(())
}

/// Notes what the route's calls become; the first time, it is the beginning.
///
/// # Errors
/// The ledger cannot be written.
pub(super) async fn register(
    ledger: &Ledger,
    route: &RouteSettings,
    once_there: Option<Activities>,
) -> Result<(), LedgerError> {
    ledger.owners_set(route.id.clone(), route.two_way.clone(), route.kept.clone()).await?;
    let Some(settings) = &route.write_back else {
        // Nobody would take what is noted for a route that tells nothing any more.
        return ledger.status_told_set(route.id.clone(), BlocksTold::Kept).await;
    };
    let shapes = match (settings.telling.has_activity(), settings.telling.has_fields()) {
        (true, true) => Shapes::Both,
        (true, false) => Shapes::Activities,
        (false, true) => Shapes::Fields,
        (false, false) => Shapes::Nothing,
    };
    let once_there = once_there.unwrap_or(Activities::Change);
    ledger.write_back_set(route.id.clone(), shapes, once_there).await?;
    ledger.blocks_told_set(route.id.clone(), settings.telling.blocks_told()).await?;
    ledger.status_told_set(route.id.clone(), settings.telling.status_told()).await?;
    Ok(())
}

fn in_words(counts: &Counts) -> String {
    let Counts { taken, done, unchanged, held, refused, uncertain, parked, gone, put_back, .. } = counts;
    format!(
        "{taken} calls and records taken, {done} told, {unchanged} unchanged, {held} held, {refused} refused, {uncertain} \
         uncertain, {parked} parked, {gone} gone, {put_back} put back"
    )
}

#[async_trait::async_trait]
impl Activity for WriteBackActivity {
    async fn run(&self, ask: &Ask, log: &RunLog) -> Outcome {
        let ledger = self.context.ledger.noting_runs_in(log);
        let context = WriteBackContext { ledger, ..self.context.clone() };
        let told: Result<_, JobError> = write_back(&context, ask.cause).await;
        outcome(told.map(|report| match report {
            None => Ended { run: None, text: "nothing is to be told now".to_owned(), parked_new: false },
            Some(report) => Ended {
                run: Some(report.run),
                text: format!("run {}: {}", report.run, in_words(&report.counts)),
                parked_new: report.counts.parked_new > 0,
            },
        }))
    }
}
