//! Daily limits of the config, and which of them hold something back now.

use super::Settings;
use crate::check::RouteSettings;
use crate::domain::Timestamp;
use crate::jobs::push::DailyLimit;
use crate::ledger::{DayFull, Drip, Ledger, LedgerError};

/// A route's daily limits.
pub(super) fn daily_limits(route: &RouteSettings) -> Vec<DailyLimit> {
    DailyLimit::of(Some(route.max_new_per_day), route.max_changed_per_day, route.time_zone)
}

/// The daily limits that are reached while something waits for the next day.
///
/// # Errors
/// The ledger cannot be read.
pub async fn days_full(
    settings: &Settings,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Vec<DayFull>, LedgerError> {
    let of = |route: &RouteSettings| {
        let today = |limit: DailyLimit| limit.today(&route.id, now, now);
        daily_limits(route).into_iter().map(today).collect::<Vec<_>>()
    };
    let drips: Vec<Drip> = settings.routes.values().flat_map(of).collect();
    if drips.is_empty() { Ok(Vec::new()) } else { ledger.days_full(drips).await }
}
