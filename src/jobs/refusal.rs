//! A dialler that refuses us as a whole (a wrong token, a wrong address): no waiting mends that, so its routes stop and
//! say why. They go on by themselves once it answers again.

use super::{JobError, stops};
use crate::domain::{Reason, ReasonCode, RouteName};
use crate::ledger::{Ledger, LedgerError};
use crate::remote::{CallErrorKind, Side};

/// Marks a stop as one that ends when the dialler answers.
const BY_DIALLER: &str = "dialler";

/// Whether this stop ends when the dialler answers.
pub fn is_refusal(stop: &Reason) -> bool {
    stop.code == ReasonCode::Systemic && stop.params.get("by").is_some_and(|by| by == BY_DIALLER)
}

/// Stops the routes if the job failed because the dialler refuses us; a route that is stopped for something else keeps
/// its reason.
///
/// # Errors
/// The ledger cannot be used.
pub async fn stop_refused(
    ledger: &Ledger,
    routes: impl Iterator<Item = &RouteName>,
    error: &JobError,
) -> Result<(), LedgerError> {
    let Some(reason) = refusal(error) else { return Ok(()) };
    for route in routes {
        stops::stop(ledger, route, reason.clone()).await?;
    }
    Ok(())
}

fn refusal(error: &JobError) -> Option<Reason> {
    let JobError::Call(call) = error else { return None };
    if call.side != Side::Dialler {
        return None;
    }
    match call.kind {
        CallErrorKind::Unauthorized | CallErrorKind::WrongUrl | CallErrorKind::Configuration => {
            Some(Reason::new(ReasonCode::Systemic).with("text", call).with("by", BY_DIALLER))
        }
        CallErrorKind::NotSent
        | CallErrorKind::Overtaken
        | CallErrorKind::Refused { .. }
        | CallErrorKind::Rejected { .. }
        | CallErrorKind::NotFound
        | CallErrorKind::Uncertain
        | CallErrorKind::Unavailable
        | CallErrorKind::BadAnswer => None,
    }
}
