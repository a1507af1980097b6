//! The one rule about stops: a route has one reason to be stopped, and who may put another in its place. Each kind ends
//! in its own way, so a stop that gave way to one that ends sooner would be over before its cause is.

use super::refusal;
use crate::domain::{Reason, ReasonCode, RouteName};
use crate::ledger::{Ledger, LedgerError, StopChange};

/// Marks a stop as pull's own.
const BY_PULL: &str = "pull";

/// What ends a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The next pull that comes to its end.
    Pull,
    /// The dialler, once it answers.
    Dialler,
    /// A look at the dialler's campaigns that finds the route's own.
    Campaign,
    /// A person.
    Person,
}

impl Kind {
    /// The kind of a stop.
    pub fn of(stop: &Reason) -> Self {
        match stop.code {
            ReasonCode::RecordsMissing => Self::Pull,
            ReasonCode::CampaignChanged
            | ReasonCode::CampaignMoved
            | ReasonCode::CampaignWaits
            | ReasonCode::UnknownCampaign => Self::Campaign,
            _ if refusal::is_refusal(stop) => Self::Dialler,
            _ if stop.params.get("by").is_some_and(|by| by == BY_PULL) => Self::Pull,
            // What push found: the dialler rejects the route's records.
            _ => Self::Person,
        }
    }

    /// Whether a stop of this kind takes the place of a standing one.
    fn displaces(self, standing: Self) -> bool {
        match self {
            // Both end by themselves; the one that stands is told until it does.
            Self::Pull | Self::Dialler => self == standing,
            // Records in another campaign cannot be taken back.
            Self::Campaign => true,
            Self::Person => standing != Self::Campaign,
        }
    }
}

/// A failure of pull as a stop.
pub(super) fn by_pull(text: String) -> Reason {
    Reason::new(ReasonCode::Systemic).with("text", text).with("by", BY_PULL)
}

/// Stops the route, unless it is stopped already for something that this reason must not hide.
///
/// # Errors
/// The ledger cannot be used.
pub async fn stop(ledger: &Ledger, route: &RouteName, reason: Reason) -> Result<(), LedgerError> {
    let judge = move |standing: Option<&Reason>| match standing {
        Some(standing) if !Kind::of(&reason).displaces(Kind::of(standing)) => StopChange::Stays,
        Some(_) | None => StopChange::To(Some(reason)),
    };
    ledger.route_judge_stop(route.clone(), judge).await
}

/// Ends the route's stop if it is of one of these kinds.
///
/// # Errors
/// The ledger cannot be used.
pub async fn end(ledger: &Ledger, route: &RouteName, kinds: &'static [Kind]) -> Result<(), LedgerError> {
    // Most runs meet no stop: those write nothing.
    let known = ledger.route_show(route.clone()).await?;
    if known.is_none_or(|row| row.stopped.is_none()) {
        return Ok(());
    }
    let judge = |standing: Option<&Reason>| match standing {
        Some(standing) if kinds.contains(&Kind::of(standing)) => StopChange::To(None),
        Some(_) | None => StopChange::Stays,
    };
    ledger.route_judge_stop(route.clone(), judge).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_gives_way_only_to_one_that_does_not_end_sooner() {
        let by_pull = by_pull("most records are older".to_owned());
        let by_push = Reason::new(ReasonCode::Systemic).with("text", "the dialler rejected many records");
        let campaign = Reason::from(ReasonCode::CampaignChanged);
        let missing = Reason::from(ReasonCode::RecordsMissing);
        let gives_way = |standing: &Reason, new: &Reason| Kind::of(new).displaces(Kind::of(standing));
        for (standing, new, expected) in [
            (&by_push, &by_pull, false),
            (&by_push, &missing, false),
            (&campaign, &by_pull, false),
            (&campaign, &missing, false),
            (&campaign, &by_push, false),
            (&by_pull, &missing, true),
            (&missing, &by_pull, true),
            (&by_pull, &by_push, true),
            (&by_pull, &campaign, true),
            (&by_push, &campaign, true),
        ] {
            assert_eq!(gives_way(standing, new), expected, "{standing} -> {new}");
        }
    }
}
