//! One pass through the queue. The next operations are leased while others are under way: whoever waits for a commit
//! must not keep an answer from being stored.

use super::fate::{Fate, Sent};
use super::storing::Storing;
use super::{DailyLimit, PushRoute, Work, plan, quiet};
use crate::domain::{RecordId, RouteName};
use crate::jobs::JobError;
use crate::ledger::{Drip, Going, LeaseOrder, QueuePlace, Today};
use crate::runtime::Scope;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, VecDeque};

/// So many times what may be in flight is leased at most (semantics, "Outcomes of a write").
const LEASED: usize = 4;
/// So many times as many answers wait for their commit at most. They share it: with more of them the disk is asked
/// more rarely, and a slow one holds the dialler up only where it is slower than that.
const STORING: usize = 4;

/// What a pass did.
#[derive(Default)]
pub(super) struct Pass {
    /// Operations taken.
    pub(super) taken: i64,
    /// Records to be decided anew before their operations may go.
    pub(super) too_old: BTreeMap<RouteName, Vec<RecordId>>,
}

/// What a lease brought.
struct Batch {
    taken: i64,
    going: Vec<Going>,
    next: Option<QueuePlace>,
    today: Option<Today>,
}

/// Something under way.
type Under<'a, T> = BoxFuture<'a, Result<T, JobError>>;

/// What waits in a pass and what is under way in it.
struct Flow<'a> {
    /// Where the next lease begins; nowhere while one is under way, and when the queue was gone through.
    place: Option<QueuePlace>,
    today: Option<Today>,
    leasing: OptionFuture<Under<'a, Batch>>,
    ready: VecDeque<Going>,
    running: FuturesUnordered<Under<'a, Sent>>,
    storing: &'a Storing,
    pass: Pass,
    /// Why nothing new is begun any more.
    stop: Option<JobError>,
}

impl<'a> Flow<'a> {
    fn new(storing: &'a Storing) -> Self {
        Self {
            place: Some(QueuePlace::default()),
            today: None,
            leasing: None.into(),
            ready: VecDeque::new(),
            running: FuturesUnordered::new(),
            storing,
            pass: Pass::default(),
            stop: None,
        }
    }

    /// What is with the dialler: an answer that is with the writer counts no more.
    fn in_flight(&self) -> usize {
        self.running.len() - self.storing.now()
    }

    fn stop(&mut self, why: Option<JobError>) {
        self.stop = self.stop.take().or(why);
    }

    /// Whether there is nothing more to begin; asked where nothing is under way.
    fn is_over(&self) -> bool {
        self.stop.is_some() || (self.place.is_none() && self.ready.is_empty())
    }
}

impl Work<'_> {
    /// Goes through the queue once.
    pub(super) async fn pass(&self) -> Result<Pass, JobError> {
        let storing = Storing::default();
        let mut flow = Flow::new(&storing);
        loop {
            self.begin(&mut flow);
            // In a fixed order, so that a seed of the simulation stays one history.
            tokio::select! {
                biased;
                Some(batch) = &mut flow.leasing => Self::leased(&mut flow, batch),
                Some(sent) = flow.running.next() => match sent {
                    Ok(sent) => {
                        let failed = self.account(sent, &mut flow.pass).await;
                        flow.stop(failed);
                    }
                    Err(error) => flow.stop(Some(error)),
                },
                else => {
                    if flow.is_over() {
                        break;
                    }
                }
            }
        }
        let unsent: Vec<_> = flow.ready.iter().map(|going| going.leased.id).collect();
        self.count(|counts| counts.put_back += unsent.len() as i64);
        self.context.ledger.operations_put_back(unsent, None).await?;
        flow.stop.map_or(Ok(flow.pass), Err)
    }

    /// Begins what there is room for: a lease, and what is ready to be sent.
    fn begin<'a>(&'a self, flow: &mut Flow<'a>) {
        if self.context.env.shutdown().is_cancelled() {
            flow.stop(Some(JobError::ShuttingDown));
        }
        if flow.stop.is_some() {
            return;
        }
        let most = self.context.limits.max_in_flight.max(1);
        let leased = flow.ready.len() + flow.in_flight();
        let room = (LEASED * most).saturating_sub(leased);
        // While a lease is under way it has the place. A lease costs a commit: never for one or two.
        if room >= most.div_ceil(2)
            && let Some(after) = flow.place.take()
        {
            let lease: Under<'a, Batch> = Box::pin(self.lease(after, room, flow.today.take()));
            flow.leasing = Some(lease).into();
        }
        while flow.in_flight() < most
            && flow.running.len() <= STORING * most
            && let Some(Going { leased, gate }) = flow.ready.pop_front()
        {
            flow.running.push(Box::pin(self.send(leased, gate, flow.storing)));
        }
    }

    async fn lease(&self, after: QueuePlace, limit: usize, today: Option<Today>) -> Result<Batch, JobError> {
        let ledger = &self.context.ledger;
        let order = LeaseOrder {
            limit,
            after,
            absent_since: self.context.env.now() - quiet(self.context.limits.index_age),
            only: self.only(),
            clearing: ledger.clearing().await?,
            drips: self.drips(),
            today,
            plan: plan::plan,
            question: plan::question,
        };
        let batch = ledger.operations_lease(order).await?;
        crate::env::crash::point("after_lease");
        let taken = batch.going.len() as i64 + batch.refused + batch.superseded;
        self.count(|counts| {
            counts.taken += taken;
            counts.refused += batch.refused;
            counts.superseded += batch.superseded;
        });
        Ok(Batch { taken, going: batch.going, next: batch.next, today: batch.today })
    }

    fn leased(flow: &mut Flow<'_>, batch: Result<Batch, JobError>) {
        flow.leasing = None.into();
        match batch {
            Ok(batch) => {
                flow.pass.taken += batch.taken;
                (flow.place, flow.today) = (batch.next, batch.today);
                flow.ready.extend(batch.going);
            }
            Err(error) => flow.stop(Some(error)),
        }
    }

    /// Counts what became of an operation; answers why the pass must stop, if it must.
    async fn account(&self, sent: Sent, pass: &mut Pass) -> Option<JobError> {
        self.count(|counts| sent.fate.count(counts));
        let Some(route) = sent.route else { return sent.stop };
        match sent.fate {
            Fate::TooOld(record) => pass.too_old.entry(route).or_default().push(record),
            Fate::Parked { status, text } => {
                self.tally(|tally| tally.parked.insert(sent.id));
                if let Err(error) = self.brake(&route, sent.id, status, &text).await {
                    return Some(error);
                }
            }
            Fate::Done | Fate::Refused | Fate::Uncertain | Fate::PutBack => {}
        }
        sent.stop
    }

    /// The route that this push is for, if it is for one.
    pub(super) fn only(&self) -> Option<RouteName> {
        match &self.context.scope {
            Scope::Route(route) => Some(route.clone()),
            Scope::All | Scope::Locks => None,
        }
    }

    /// The days of the routes that have daily limits.
    pub(super) fn drips(&self) -> Vec<Drip> {
        let now = self.context.env.now();
        let of = |(route, known): (&RouteName, &PushRoute)| {
            let fresh_since = now - quiet(self.callable_age(Some(route)));
            let today = |limit: &DailyLimit| limit.today(route, now, fresh_since);
            known.daily.iter().map(today).collect::<Vec<_>>()
        };
        self.context.routes.iter().flat_map(of).collect()
    }
}
