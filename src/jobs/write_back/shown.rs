//! What the CRM would be told of what waits, value by value, for a dry run. It holds no half of anything that writes to
//! a side: the values are worked out as at the moment of sending, and what both sides may change is merged with the
//! record as it is.

use super::values::{RecordValues, is_known, of_call, of_objection, of_record};
use super::{Agents, TwoWayContext, all_named, named, release};
use crate::crm::CrmValues;
use crate::domain::{Activities, HistoryId, Reason, ReasonCode, RouteName};
use crate::ledger::{Ledger, LedgerError, TellFacts, ToTell};
use crate::mapping::Telling;
use chrono::TimeDelta;
use serde::Serialize;
use std::sync::Arc;

/// What a dry run of the write-back works with.
pub struct ShowContext {
    /// A copy of the ledger: what a changed config lets go is let go in it.
    pub ledger: Ledger,
    /// The route.
    pub route: RouteName,
    /// How its calls are told.
    pub telling: Arc<Telling>,
    /// The agents' names, where the route tells them.
    pub agents: Option<Arc<Agents>>,
    /// Its fields that both sides may change, if it has any.
    pub two_way: Option<TwoWayContext>,
    /// Whether activities can be changed.
    pub activities: Activities,
}

/// One request that would tell the CRM something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WouldTell {
    /// The record.
    pub record: String,
    /// The call, where it is one's activity.
    pub call: Option<HistoryId>,
    /// What would be written, by the CRM's names.
    pub values: CrmValues,
    /// Why nothing would, or not all.
    pub reason: Option<Reason>,
}

/// The first so many of what waits, with what would be told; what the CRM knows already is left out.
///
/// # Errors
/// The ledger's copy cannot be used.
pub async fn would_tell(context: &ShowContext, limit: u32) -> Result<Vec<WouldTell>, LedgerError> {
    release(&context.ledger, &context.telling, &context.route, TimeDelta::zero()).await?;
    let rows = context.ledger.write_back_shown(context.route.clone(), limit).await?;
    let mut shown = Vec::with_capacity(rows.len());
    for row in &rows {
        let (mut values, mut reason) = context.values(row).await;
        match context.edits(row).await {
            Ok(edits) => values.extend(edits),
            Err(problem) => reason = reason.or(Some(problem)),
        }
        if !values.is_empty() || reason.is_some() {
            shown.push(WouldTell { record: row.record.to_string(), call: row.call, values, reason });
        }
    }
    Ok(shown)
}

impl ShowContext {
    async fn values(&self, row: &ToTell) -> (CrmValues, Option<Reason>) {
        let agents = self.agents.as_deref();
        match &row.facts {
            TellFacts::Call(call) if call.erased => (CrmValues::new(), None),
            TellFacts::Call(call) => {
                let call = named(&self.telling, agents, call).await;
                match of_call(&self.telling, self.activities, row, &call) {
                    Ok(words) if is_known(row, &words) => (CrmValues::new(), None),
                    Ok(_) if row.activity.is_some() && self.activities == Activities::Fixed => {
                        (CrmValues::new(), Some(ReasonCode::ActivityFixed.into()))
                    }
                    Ok(words) => (words.values, None),
                    Err(reason) => (CrmValues::new(), Some(reason)),
                }
            }
            TellFacts::History(history) => {
                let history = all_named(&self.telling, agents, history).await;
                let (no, wrong) = match of_objection(&self.telling, row, &history) {
                    Ok(no) => (no.map(|(no, _)| no).unwrap_or_default(), None),
                    Err(reason) => (CrmValues::new(), Some(reason)),
                };
                let (mut values, left_out) = match of_record(&self.telling, row, &history) {
                    Ok(RecordValues { words, left_out }) if is_known(row, &words) => {
                        (CrmValues::new(), left_out)
                    }
                    Ok(RecordValues { words, left_out }) => (words.values, left_out),
                    Err(reason) => (CrmValues::new(), Some(reason)),
                };
                values.extend(no);
                (values, wrong.or(left_out))
            }
        }
    }

    /// What the dialler's side changed and the CRM would take.
    async fn edits(&self, row: &ToTell) -> Result<CrmValues, Reason> {
        let (Some(link), Some(two_way)) = (&row.edited, &self.two_way) else { return Ok(CrmValues::new()) };
        let carried = match two_way.read(&row.record).await {
            Ok(Some(record)) => two_way.merge(link, &record).carried,
            Ok(None) => Vec::new(),
            Err(error) => {
                let problem = format!("the record cannot be read: {error}");
                return Err(Reason::new(ReasonCode::RecordUnreadable).with("problem", problem));
            }
        };
        Ok(carried.into_iter().map(|edit| (edit.name, edit.value.crm)).collect())
    }
}
