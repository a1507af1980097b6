//! The loop of everything but locks: settle, meet, lease, send, and once more while there is something.

use super::fate::{Fate, Sent};
use super::storing::Storing;
use super::{DailyLimit, PushRoute, Work, brake, plan, quiet};
use crate::domain::{OperationId, Reason, ReasonCode, RecordId, RouteName};
use crate::jobs::{JobError, identity, settle, stops};
use crate::ledger::{Drip, GateAnswer, LeaseOrder, Leased, QueuePlace, Today};
use crate::runtime::Scope;
use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// So many passes through the queue at most: a lane advances by one operation in each.
const PASSES: usize = 32;
/// So many times what may be in flight is leased at most (semantics, "Outcomes of a write").
const LEASED: usize = 4;
/// So many times as many answers wait for their commit at most. They share it: with more of them the disk is asked
/// more rarely, and a slow one holds the dialler up only where it is slower than that.
const STORING: usize = 4;

/// What a pass did.
#[derive(Default)]
struct Pass {
    /// Operations taken.
    taken: i64,
    /// Records to be decided anew before their operations may go.
    too_old: BTreeMap<RouteName, Vec<RecordId>>,
}

/// What a lease brought.
struct Batch {
    taken: i64,
    leased: Vec<Leased>,
    next: Option<QueuePlace>,
    today: Option<Today>,
}

impl Work<'_> {
    pub(super) async fn rest(&self) -> Result<(), JobError> {
        identity::dialler(&self.context.sides, &self.context.ledger, &*self.context.read).await?;
        let parked = settle::settle(self.context).await?;
        self.count(|counts| counts.parked_new += parked);
        for _ in 0..PASSES {
            self.stop_if_ending()?;
            // Who cannot be met is not imported; everything else goes on.
            let met = self.meet().await;
            let pass = self.pass().await?;
            met?;
            let again = pass.taken > 0;
            self.decide_anew(pass.too_old).await?;
            if !again {
                return self.stopped_routes();
            }
        }
        self.stopped_routes()
    }

    /// Goes through the queue once. The next operations are leased while others are under way: whoever waits for
    /// a commit must not keep an answer from being stored.
    async fn pass(&self) -> Result<Pass, JobError> {
        let in_flight = self.context.limits.max_in_flight.max(1);
        let mut place = Some(QueuePlace::default());
        let mut ready: VecDeque<(Leased, GateAnswer)> = VecDeque::new();
        let mut today = None;
        let mut leasing: OptionFuture<_> = None.into();
        let mut asking = FuturesOrdered::new();
        let mut asked_about = 0;
        let storing = Storing::default();
        let mut running = FuturesUnordered::new();
        let mut pass = Pass::default();
        let mut stop: Option<JobError> = None;
        loop {
            if self.context.env.shutdown().is_cancelled() && stop.is_none() {
                stop = Some(JobError::ShuttingDown);
            }
            if stop.is_none() {
                let leased = asked_about + ready.len() + running.len() - storing.now();
                let room = (LEASED * in_flight).saturating_sub(leased);
                // While a lease is under way it has the place. A lease costs a commit: never for one or two.
                if room >= in_flight.div_ceil(2)
                    && let Some(after) = place.take()
                {
                    leasing = Some(Box::pin(self.lease(after, room, today.take()))).into();
                }
                while running.len() - storing.now() < in_flight
                    && running.len() <= STORING * in_flight
                    && let Some((leased, gate)) = ready.pop_front()
                {
                    running.push(Box::pin(self.send(leased, gate, &storing)));
                }
            }
            // In a fixed order, so that a seed of the simulation stays one history.
            tokio::select! {
                biased;
                Some(batch) = &mut leasing => {
                    leasing = None.into();
                    match batch {
                        Ok(batch) => {
                            pass.taken += batch.taken;
                            (place, today) = (batch.next, batch.today);
                            asked_about += batch.leased.len();
                            asking.push_back(self.ask_gate(batch.leased));
                        }
                        Err(error) => stop = stop.or(Some(error)),
                    }
                }
                Some(asked) = asking.next() => match asked {
                    Ok(asked) => {
                        asked_about -= asked.len();
                        ready.extend(asked);
                    }
                    Err(error) => stop = stop.or(Some(error)),
                },
                Some(sent) = running.next() => match sent {
                    Ok(sent) => {
                        let failed = self.account(sent, &mut pass).await;
                        stop = stop.or(failed);
                    }
                    Err(error) => stop = stop.or(Some(error)),
                },
                else => {
                    if stop.is_some() || (place.is_none() && ready.is_empty()) {
                        break;
                    }
                }
            }
        }
        drop(running);
        let unsent: Vec<_> = ready.iter().map(|(leased, _)| leased.id).collect();
        self.count(|counts| counts.put_back += unsent.len() as i64);
        self.context.ledger.operations_put_back(unsent, None).await?;
        stop.map_or(Ok(pass), Err)
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
        };
        let batch = ledger.operations_lease(order).await?;
        crate::env::crash::point("after_lease");
        let taken = batch.leased.len() as i64 + batch.refused + batch.superseded;
        self.count(|counts| {
            counts.taken += taken;
            counts.refused += batch.refused;
            counts.superseded += batch.superseded;
        });
        Ok(Batch { taken, leased: batch.leased, next: batch.next, today: batch.today })
    }

    /// The next lease does not wait for it.
    async fn ask_gate(&self, leased: Vec<Leased>) -> Result<Vec<(Leased, GateAnswer)>, JobError> {
        let links = leased.iter().map(|leased| (leased.link, plan::opens(leased))).collect();
        let answers = self.context.ledger.gate_ask_many(links).await?;
        Ok(leased.into_iter().zip(answers).collect())
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

    /// Many were rejected for one reason: the route stops, and nobody stays parked for it. What was under way
    /// then and is rejected for the same reason is not parked either.
    async fn brake(
        &self,
        route: &RouteName,
        id: OperationId,
        status: u16,
        text: &str,
    ) -> Result<(), JobError> {
        let ledger = &self.context.ledger;
        if let Some(reason) = self.tally(|tally| tally.stopped.get(route).cloned()) {
            let same = reason == brake::common(&status.to_string(), text);
            return if same { self.unpark(vec![id]).await } else { Ok(()) };
        }
        let ends = ledger.route_last_ends(route.clone(), brake::WINDOW).await?;
        let Some(pulled) = brake::judge(&ends) else { return Ok(()) };
        self.tally(|tally| tally.stopped.insert(route.clone(), pulled.reason));
        self.unpark(pulled.parked).await?;
        let reason = Reason::new(ReasonCode::Systemic).with("text", stopped_text(route, status));
        Ok(stops::stop(ledger, route, reason).await?)
    }

    /// They wait again; those that this run parked are put back in its balance.
    async fn unpark(&self, ids: Vec<OperationId>) -> Result<(), JobError> {
        self.tally(|tally| {
            let ours = ids.iter().filter(|id| tally.parked.remove(id)).count() as i64;
            tally.counts.parked -= ours;
            tally.counts.parked_new -= ours;
            tally.counts.put_back += ours;
        });
        Ok(self.context.ledger.operations_unpark(ids).await?)
    }

    fn stopped_routes(&self) -> Result<(), JobError> {
        let stopped: Vec<String> =
            self.tally(|tally| tally.stopped.keys().map(ToString::to_string).collect());
        if stopped.is_empty() {
            return Ok(());
        }
        Err(JobError::Stopped(format!(
            "route {} was stopped: the dialler rejected many of its records for the same reason; see `ledger parked` and \
             its operations, correct the mapping or the campaign, then `dialbridge route on`",
            stopped.join(", ")
        )))
    }

    /// Whatever rests on an old reading is decided anew; a CRM that cannot be read holds these operations
    /// for a minute, and only these.
    async fn decide_anew(&self, too_old: BTreeMap<RouteName, Vec<RecordId>>) -> Result<(), JobError> {
        for (route, mut records) in too_old {
            records.sort();
            records.dedup();
            let asked = records.len();
            match self.context.refresher.decide_anew(&route, records).await {
                Ok(decided) => {
                    if decided.len() < asked {
                        let held = asked - decided.len();
                        tracing::warn!(%route, held, "records could not be decided again: what waits for them is held");
                    }
                    self.context.ledger.operations_refreshed(route, decided).await?;
                }
                Err(JobError::ShuttingDown) => return Err(JobError::ShuttingDown),
                Err(JobError::Ledger(error)) => return Err(JobError::Ledger(error)),
                Err(error) => {
                    tracing::warn!(%route, %error, held = asked, "decisions are too old and the CRM cannot be read");
                }
            }
        }
        Ok(())
    }
}

fn stopped_text(route: &RouteName, status: u16) -> String {
    format!("the dialler rejected many records of route {route} for the same reason (status {status})")
}

/// How long an operation with an old decision waits where the CRM cannot be read.
pub(super) const HOLD: Duration = Duration::from_secs(60);
