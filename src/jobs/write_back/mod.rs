//! Write-back: calls become activities of their records in the CRM, and fields of the records follow from them.
//!
//! The unit is the route. First whoever said no is told of, whatever else waits or is held. Then what is in doubt is
//! settled by the means that the connector declares; then what waits is told, one request at a time for each record,
//! activities before fields. Values are worked out at the moment of sending, from all that the ledger knows by then
//! (semantics 3).

mod agents;
mod before;
mod carry;
mod ends;
mod objection;
mod settle;
mod shown;
mod tell;
mod values;

pub use agents::Agents;
use agents::{all_named, named};
use before::Before;
pub use carry::TwoWayContext;
pub use ends::{Fate, TellKind, fate_of};
pub use shown::{ShowContext, WouldTell, would_tell};

use super::JobError;
use crate::crm::{CrmRead, CrmWrite, Safe};
use crate::domain::policy::Job;
use crate::domain::{CallResult, Counts, LinkId, ReasonCode, RouteName, RunId, WriteBackId};
use crate::env::Env;
use crate::ledger::{
    Approval, Brake, HeldRow, Ledger, LedgerError, RunEnd, RunStart, TellBrake, Tells, ToTell,
};
use crate::mapping::Telling;
use chrono::TimeDelta;
use futures_util::stream::{self, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Rows that are read at once.
const PAGE: u32 = 200;
/// So long a run asks about what is in doubt: then what waits is told, and the next run asks on.
const ASKED_FOR: Duration = Duration::from_secs(60);
/// So many of the last tellings are looked at by the brake.
const LAST: usize = 200;
/// So many of them must have been rejected, and so many in a hundred of all.
const REJECTED: (usize, usize) = (20, 30);

/// What a write-back works with.
#[derive(Clone)]
pub struct WriteBackContext {
    /// The ledger.
    pub ledger: Ledger,
    /// Clock and shutdown.
    pub env: Env,
    /// The CRM.
    pub crm: Arc<dyn CrmWrite>,
    /// Reads what fields had before they are told, where many records are one request.
    pub before: Option<Arc<dyn CrmRead>>,
    /// The route.
    pub route: RouteName,
    /// How its calls are told.
    pub telling: Arc<Telling>,
    /// The agents' names, where the route tells them.
    pub agents: Option<Arc<Agents>>,
    /// Its fields that both sides may change, if it has any.
    pub two_way: Option<TwoWayContext>,
    /// Names this ledger in the keys of activities.
    pub instance: Arc<str>,
    /// The limits.
    pub limits: TellLimits,
}

/// The limits of a write-back.
#[derive(Debug, Clone)]
pub struct TellLimits {
    /// More than that needs approval.
    pub most: TellBrake,
    /// Records at a time.
    pub in_flight: usize,
    /// The waits between the tries of one row.
    pub retry: Vec<Duration>,
    /// How long what is in doubt is left alone, at least.
    pub settle_after: Duration,
    /// Writes of one record's fields within an hour, or of what a field had before within a day; more is a loop.
    pub max_own_changes: i64,
}

impl WriteBackContext {
    /// How long what is in doubt is left alone: until it has happened, and then as long as the CRM may take to show it.
    fn quiet(&self) -> Duration {
        let visible = match self.crm.contract().activities {
            Some(Safe::Find { visible_after }) => visible_after,
            Some(Safe::Key | Safe::No) | None => Duration::ZERO,
        };
        self.limits.settle_after + visible
    }
}

impl WriteBackContext {
    /// What lists in files and other records would tell the CRM has the same brake, by the day: a wrong file must not mark everybody
    /// there.
    async fn listed(&self) -> Result<(), JobError> {
        let most = self.limits.most.per_run;
        if let Brake::Holds { wave, count, new: true } =
            self.ledger.listed_take(self.route.clone(), most).await?
        {
            tracing::warn!(
                route = %self.route,
                "the CRM is not told yet of {count} records for whom a list in a file, or another record, says no, more than max_write_back_per_run = {most} \
                 in a day: `dialbridge plan show --wave {wave}` names them, `plan approve` lets them go; their contacts are locked"
            );
        }
        Ok(())
    }

    /// Writes into the CRM have the brake of additions and changes (users 5, 10): past it what nobody approved is a wave
    /// that waits, and the rest goes on. With what is to be said of it.
    async fn approval(&self) -> Result<(Approval, Option<String>), JobError> {
        let (most, now) = (self.limits.most, self.env.now());
        let Brake::Holds { wave, count, new } =
            self.ledger.write_back_brake(self.route.clone(), most).await?
        else {
            return Ok((Approval::NotNeeded(now), None));
        };
        let remark = format!(
            "{count} calls and records wait to be told to the CRM, more than max_write_back_per_run = {}{}{}: `dialbridge \
             plan show --wave {wave}` names them, `plan approve` lets them go",
            most.per_run,
            most.per_day.map_or_else(String::new, |most| format!(
                ", or more in a day than max_write_back_per_day = {most}"
            )),
            most.percent.map_or_else(String::new, |most| format!(
                ", or more of the route's contacts than max_write_back_percent = {most}"
            ))
        );
        if new {
            tracing::warn!(route = %self.route, "{remark}");
        }
        Ok((Approval::Needed, Some(remark)))
    }
}

/// What a write-back did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBackReport {
    /// Its row.
    pub run: RunId,
    /// Its balance.
    pub counts: Counts,
}

/// Tells the CRM what waits; `None` where nothing is to be told, and nothing was stored.
///
/// # Errors
/// The CRM or the ledger cannot be used, too much waits, or the CRM rejects most of it. What was told is stored; the
/// next run goes on from there.
pub async fn write_back(
    context: &WriteBackContext,
    cause: &'static str,
) -> Result<Option<WriteBackReport>, JobError> {
    let ledger = &context.ledger;
    let quiet = TimeDelta::from_std(context.quiet()).unwrap_or(TimeDelta::hours(1));
    release(ledger, &context.telling, &context.route, quiet).await?;
    context.listed().await?;
    let (approval, _) = context.approval().await?;
    let doubtful = ledger.write_back_doubtful(context.route.clone(), PAGE).await?;
    let nothing = doubtful.is_empty()
        && ledger.write_back_objections(context.route.clone(), 1).await?.is_empty()
        && ledger.write_back_take(context.route.clone(), approval, None, 1).await?.is_empty();
    if nothing {
        return Ok(None);
    }
    let start = RunStart { job: Job::WriteBack, route: Some(context.route.clone()), campaign: None, cause };
    let run = ledger.run_start(start).await?;
    let pass = Pass {
        context,
        run,
        ending: AtomicBool::new(false),
        apart: Mutex::default(),
        before: Before::default(),
    };
    let mut counts = Counts::default();
    let told = pass.all(doubtful, &mut counts).await;
    let end = told.as_ref().map_or_else(|error| RunEnd::Failed(error.to_string()), |()| RunEnd::Done);
    ledger.run_finish(run, end, counts).await?;
    told.map(|()| Some(WriteBackReport { run, counts }))
}

/// Lets go what another mapping held and this one can tell, and enters whose standing in the dialler moved.
async fn release(
    ledger: &Ledger,
    telling: &Telling,
    route: &RouteName,
    quiet: TimeDelta,
) -> Result<(), LedgerError> {
    let rules = telling.revision().to_owned();
    let held = ledger.write_back_held(route.clone(), rules.clone()).await?;
    let again = held.iter().filter(|row| may_go(telling, row)).map(|row| row.id).collect();
    ledger.write_back_release(route.clone(), rules, again, quiet).await?;
    ledger.status_take(route.clone()).await?;
    Ok(())
}

/// Whether what another mapping held may be told by this one. What has no word now either is not even taken: it would count
/// for the brake, and nothing would come of it.
fn may_go(telling: &Telling, row: &HeldRow) -> bool {
    match row.code {
        ReasonCode::UnmappedResult => row.result.as_ref().is_none_or(|result| {
            let CallResult { code, name, export_key } = result;
            !telling.needs_word(row.told)
                || telling.word_for(row.campaign, *code, export_key.as_deref(), name.as_deref()).is_some()
        }),
        ReasonCode::NotAsked => telling.has_activity(),
        _ => true,
    }
}

/// One run under way.
struct Pass<'a> {
    context: &'a WriteBackContext,
    run: RunId,
    /// Nothing new is begun.
    ending: AtomicBool,
    /// Rows of which the CRM rejected several things at once: these go one by one, so that it says which it means.
    apart: Mutex<BTreeSet<WriteBackId>>,
    /// What the fields of the records had that are told now.
    before: Before,
}

impl Pass<'_> {
    async fn all(&self, doubtful: Vec<ToTell>, counts: &mut Counts) -> Result<(), JobError> {
        let outcomes = self.context.ledger.write_back_rejections(self.context.route.clone(), LAST).await?;
        let mut rejections = Rejections { last: outcomes.into() };
        self.objections(counts, &mut rejections).await?;
        let until = self.context.env.instant() + ASKED_FOR;
        for row in doubtful {
            if self.context.env.shutdown().is_cancelled() {
                return Err(JobError::ShuttingDown);
            }
            if self.context.env.instant() >= until {
                break;
            }
            counts.requests += self.settle(row).await?;
        }
        let mut approval = self.approval().await?;
        self.not_rejected(&rejections)?;
        let (mut behind, mut last) = (None, None);
        loop {
            self.objections(counts, &mut rejections).await?;
            let route = self.context.route.clone();
            let waiting = self.context.ledger.write_back_take(route, approval, behind, PAGE).await?;
            let first = waiting.first().map(|row| (row.id, row.wanted, row.tries, row.activity.is_some()));
            match (first, behind) {
                (None, None) => return Ok(()),
                // What came to wait, or waits again, behind the walk has a walk of its own, and is measured for itself: a flood
                // that begins while the CRM is told must not ride on the word for the few of before.
                (None, Some(_)) => {
                    (behind, approval) = (None, self.approval().await?);
                    continue;
                }
                // Every telling moves its row; one that comes again as it was is a defect, and must not be told for ever.
                (Some(_), None) if first == last => return Ok(()),
                (Some(_), None) => last = first,
                (Some(_), Some(_)) => {}
            }
            behind = waiting.last().map(ToTell::place);
            self.page(waiting, Tells::TheRest, counts, &mut rejections).await?;
        }
    }

    async fn approval(&self) -> Result<Approval, JobError> {
        let (approval, remark) = self.context.approval().await?;
        if let Some(remark) = remark {
            self.context.ledger.run_remark(self.run, remark).await?;
        }
        Ok(approval)
    }

    async fn page(
        &self,
        rows: Vec<ToTell>,
        tells: Tells,
        counts: &mut Counts,
        rejections: &mut Rejections,
    ) -> Result<(), JobError> {
        match tells {
            // It waits for nothing, and for no look either.
            Tells::Objection => {}
            Tells::TheRest => self.look_before(&rows).await,
        }
        let mut by_record: BTreeMap<LinkId, Vec<ToTell>> = BTreeMap::new();
        for row in rows {
            by_record.entry(row.link).or_default().push(row);
        }
        let mut told = stream::iter(by_record.into_values())
            .map(|rows| self.record(rows, tells))
            .buffer_unordered(self.context.limits.in_flight.max(1));
        let mut first_error = None;
        // To the end also after an error: a request under way that nobody waits for would be one in doubt.
        while let Some((fates, result)) = told.next().await {
            for fate in fates {
                fate.count(counts);
                rejections.note(fate);
            }
            let result = match tells {
                Tells::Objection => result,
                Tells::TheRest => result.and_then(|()| self.not_rejected(rejections)),
            };
            if let Err(error) = result {
                self.ending.store(true, Ordering::Relaxed);
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Whether the CRM says no to most: a mistake in the config, or a right that is missing, must not park every call
    /// there is.
    fn not_rejected(&self, rejections: &Rejections) -> Result<(), JobError> {
        if !rejections.are_most() {
            return Ok(());
        }
        let route = &self.context.route;
        Err(JobError::Stopped(format!(
            "the CRM rejects most of what it is told, or does not know the records ({} of the last {}): `dialbridge results open --route {route}` shows with \
             which words; nothing more is told before `dialbridge results retry --route {route}` says that this is mended",
            rejections.count(),
            rejections.last.len(),
        )))
    }

    /// One record's rows, one after the other; none once the run is ending.
    async fn record(&self, rows: Vec<ToTell>, tells: Tells) -> (Vec<Fate>, Result<(), JobError>) {
        let mut fates = Vec::with_capacity(rows.len());
        for row in rows {
            if self.context.env.shutdown().is_cancelled() {
                return (fates, Err(JobError::ShuttingDown));
            }
            if self.ending.load(Ordering::Relaxed) {
                break;
            }
            let told = match tells {
                Tells::Objection => self.tell_objection(row).await,
                Tells::TheRest => self.tell(row).await,
            };
            match told {
                Ok(told) => {
                    fates.push(told.fate);
                    if let Some(error) = told.ends_run {
                        return (fates, Err(error));
                    }
                    // What is in doubt holds up whatever follows it.
                    if told.fate == Fate::Uncertain {
                        break;
                    }
                }
                Err(error) => return (fates, Err(error)),
            }
        }
        (fates, Ok(()))
    }
}

/// Whether the CRM says no to this route as such, and not to a record here and there.
struct Rejections {
    last: VecDeque<bool>,
}

impl Rejections {
    fn note(&mut self, fate: Fate) {
        let rejected = match fate {
            // A wrong address says "gone" of everybody.
            Fate::Rejected | Fate::Gone => true,
            Fate::Done => false,
            Fate::Unchanged | Fate::Held | Fate::Refused | Fate::Uncertain | Fate::Parked | Fate::PutBack => {
                return;
            }
        };
        self.last.push_back(rejected);
        if self.last.len() > LAST {
            self.last.pop_front();
        }
    }

    fn count(&self) -> usize {
        self.last.iter().filter(|rejected| **rejected).count()
    }

    fn are_most(&self) -> bool {
        let (least, percent) = REJECTED;
        self.count() >= least && self.count() * 100 >= percent * self.last.len()
    }
}
