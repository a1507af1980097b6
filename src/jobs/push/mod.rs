//! Push: what waits in the ledger goes to the dialler.
//!
//! Locks have a lane of their own beside everything else. The rest: what is uncertain is settled, keys
//! that the ledger does not know are met, then operations are leased, pass the gate and are sent. One
//! push at a time serves all routes, because limits and locks are the dialler's, not a route's.

mod answered;
mod brake;
mod calls_rest;
mod daily;
mod dry;
mod fate;
mod given;
mod index;
mod lock_lane;
mod lock_probe;
mod locks;
mod look_before;
mod meet;
pub mod outcome;
mod pass;
mod pinned;
pub mod plan;
mod resting;
mod send;
mod standing;
mod storing;
mod vanish;
mod work;

use super::JobError;
use super::campaigns::WantedCampaign;
use super::harvest::ToE164;
use super::identity::Sides;
use crate::dialler::{DiallerRead, DiallerWrite, ImportMode};
use crate::domain::policy::{Job, ReadBefore};
use crate::domain::{Appended, OperationId, Policy, RecordId, RouteName, RunId, TwoWay};
use crate::env::Env;
use crate::ledger::{Counts, Ledger, RunEnd, RunStart};
use crate::runtime::Scope;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(in crate::jobs) use answered::{commanded, imported};
pub(in crate::jobs) use calls_rest::waits_for_calls;
pub use daily::DailyLimit;
pub use dry::{DryMeet, meet_dry};
pub(in crate::jobs) use meet::{judge_found, look_up};
pub use resting::Resting;
pub use standing::StandingLocks;

/// Decides anew what a push found too old to act on; pull does it.
#[async_trait::async_trait]
pub trait Refresher: Send + Sync {
    /// Reads the named records by id and decides about each again. The ids that could be decided come back:
    /// the operations of all others wait.
    ///
    /// # Errors
    /// The CRM cannot be read: these operations wait, and only these.
    async fn decide_anew(&self, route: &RouteName, ids: Vec<RecordId>) -> Result<Vec<RecordId>, JobError>;
}

/// What a push knows of a route.
#[derive(Debug, Clone)]
pub struct PushRoute {
    /// The route's choices for decisions.
    pub policy: Policy,
    /// What its imports may do with a contact that is there; from the server's release.
    pub import_mode: ImportMode,
    /// An older decision is made anew before anybody is made callable by it.
    pub max_decision_age: Duration,
    /// How many contacts it may add and change a day, as far as that is limited.
    pub daily: Vec<DailyLimit>,
    /// Its fields that both sides may change.
    pub two_way: TwoWay,
    /// Its fields of which the CRM has a part only: a contact is always read before one is changed.
    pub append: Appended,
    /// Whether a contact is read for them right before an update.
    pub read_before: ReadBefore,
}

/// The bounds of a push. `Default` holds what the config's defaults file says.
#[derive(Debug, Clone)]
pub struct PushLimits {
    /// Requests at once, locks' own two not counted; four times as many are leased at most.
    pub max_in_flight: usize,
    /// The quiet time of an uncertain operation.
    pub settle_after: Duration,
    /// What waited longer than this, because the dialler was down or we were, is decided anew whatever it is.
    pub max_wait: Duration,
    /// A contact's history must have looked alike for so long before it is deleted with its contact.
    pub settle_calls: Duration,
    /// When all wished locks are sent again.
    pub standing_locks: StandingLocks,
    /// How long an answer to "who has this key?" holds.
    pub index_age: Duration,
    /// From so many unknown keys on the whole account is listed, where no young list is there.
    pub index_from: usize,
    /// How long a refused operation waits, by its tries.
    pub schedule: Vec<Duration>,
    /// The longest Retry-After that is honoured.
    pub retry_after_cap: Duration,
    /// So many equal 5xx on one operation, while others succeed, park it.
    pub hopeless_after: u32,
}

/// The default of `[push] standing_locks`.
const HALF_PAST_FOUR: chrono::NaiveTime = chrono::NaiveTime::from_hms_opt(4, 30, 0).expect("a time of day");

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 6,
            settle_after: Duration::from_secs(60),
            max_wait: Duration::from_secs(3600),
            settle_calls: Duration::from_secs(15 * 60),
            standing_locks: StandingLocks { at: HALF_PAST_FOUR, zone: chrono_tz::Tz::UTC },
            index_age: Duration::from_secs(15 * 60),
            index_from: 100,
            schedule: [60, 300, 900, 3600, 4 * 3600].map(Duration::from_secs).to_vec(),
            retry_after_cap: Duration::from_secs(3600),
            hopeless_after: 5,
        }
    }
}

/// Everything a push may touch.
#[derive(Clone)]
pub struct PushContext {
    /// The ledger.
    pub ledger: Ledger,
    /// Clock, chance and shutdown.
    pub env: Env,
    /// Reading the dialler.
    pub read: Arc<dyn DiallerRead>,
    /// Writing to it.
    pub write: Arc<dyn DiallerWrite>,
    /// How its numbers are read.
    pub to_e164: Arc<ToE164>,
    /// The routes by name.
    pub routes: Arc<BTreeMap<RouteName, PushRoute>>,
    /// The campaigns that the config names: what is not pinned is looked for. Locks do not wait for it.
    pub wanted: Vec<WantedCampaign>,
    /// Decides anew.
    pub refresher: Arc<dyn Refresher>,
    /// Its bounds.
    pub limits: PushLimits,
    /// Keys that cannot be asked for; handed from push to push.
    pub resting: Resting,
    /// How much is sent. Locks go in any case: they wait for nobody.
    pub scope: Scope,
    /// Whether the dialler is the one that the ledger knows. Locks do not ask.
    pub sides: Sides,
}

impl PushContext {
    /// What to do with what is found under a key of a route.
    pub(in crate::jobs) fn policy_of(&self, route: &RouteName) -> Policy {
        self.routes.get(route).map_or_else(Policy::careful, |route| route.policy.clone())
    }
}

impl std::fmt::Debug for PushContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushContext").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// How a push ended.
#[derive(Debug, Clone)]
pub struct PushReport {
    /// Its run.
    pub run: RunId,
    /// Its balance: taken = done + refused + uncertain + superseded + parked + put back.
    pub counts: Counts,
}

/// One push over all routes, as a run with a balance.
///
/// # Errors
/// Why it ended before its end. What was answered is stored; the next push goes on from there.
pub async fn push(context: &PushContext, cause: &'static str) -> Result<PushReport, JobError> {
    let ledger = &context.ledger;
    // Nothing is in flight when a push begins: what says so was left by a run that died.
    ledger.operations_recover(quiet(context.limits.settle_after)).await?;
    ledger.blocks_end_due().await?;
    ledger.holds_end_due().await?;
    for (route, state) in ledger.routes_end_spans().await? {
        tracing::info!(%route, %state, "a pause or a pilot came to its end");
    }
    // Before keys are asked for: whose turn it is must be known by then.
    ledger.pilots_choose().await?;
    ledger.lock_round_begin(context.limits.standing_locks.last_due(context.env.now())).await?;
    let run = ledger.run_start(RunStart { job: Job::Push, route: None, campaign: None, cause }).await?;
    let tally = Mutex::default();
    let work = Work { context, run, tally: &tally };
    let result = work.all().await;
    let counts = work.counts();
    let end = match &result {
        Ok(()) => RunEnd::Done,
        Err(error) => RunEnd::Failed(error.to_string()),
    };
    ledger.run_finish(run, end, counts).await?;
    result?;
    Ok(PushReport { run, counts })
}

/// A duration as the ledger counts it.
pub(in crate::jobs) fn quiet(duration: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX)
}

fn count(tally: &Mutex<Tally>, act: impl FnOnce(&mut Counts)) {
    act(&mut tally.lock().unwrap_or_else(PoisonError::into_inner).counts);
}

/// A push under way. The lock lane and the rest run side by side and share the tally.
struct Work<'a> {
    context: &'a PushContext,
    run: RunId,
    tally: &'a Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    /// What this run parked.
    parked: BTreeSet<OperationId>,
    /// Whether a lock of this run was looked at before it was sent.
    probed: bool,
    /// The routes that this run stopped, and what their rejections have in common.
    stopped: BTreeMap<RouteName, String>,
}

impl Work<'_> {
    async fn all(&self) -> Result<(), JobError> {
        let rest_ended = tokio_util::sync::CancellationToken::new();
        let rest = async {
            let result = match self.context.scope {
                Scope::All | Scope::Route(_) => self.pinned_rest().await,
                Scope::Locks => Ok(()),
            };
            rest_ended.cancel();
            result
        };
        let (rest, locks) = tokio::join!(rest, self.locks(&rest_ended));
        rest.and(locks)
    }

    fn tally<T>(&self, act: impl FnOnce(&mut Tally) -> T) -> T {
        act(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, act: impl FnOnce(&mut Counts)) {
        count(self.tally, act);
    }

    fn counts(&self) -> Counts {
        self.tally(|tally| tally.counts)
    }

    fn stop_if_ending(&self) -> Result<(), JobError> {
        if self.context.env.shutdown().is_cancelled() { Err(JobError::ShuttingDown) } else { Ok(()) }
    }
}
