//! The loop of everything but locks: settle, meet, lease, send, and once more while there is something.

use super::{Work, brake};
use crate::domain::{OperationId, Reason, ReasonCode, RecordId, RouteName};
use crate::jobs::{JobError, identity, settle, stops};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many passes through the queue at most: a lane advances by one operation in each.
const PASSES: usize = 32;

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

    /// Many were rejected for one reason: the route stops, and nobody stays parked for it. What was under way
    /// then and is rejected for the same reason is not parked either.
    pub(super) async fn brake(
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
            match self.context.refresher.decide_anew(&route, records.clone()).await {
                Ok(decided) => {
                    records.retain(|record| !decided.contains(record));
                    let gone = self.context.ledger.operations_of_the_gone(route.clone(), records).await?;
                    let held = asked - decided.len() - gone;
                    if held > 0 {
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
