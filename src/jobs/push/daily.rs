//! Daily limits: how many contacts a route may add or change in one of its days.

use crate::domain::policy::WaveKind;
use crate::domain::{RouteName, Timestamp};
use crate::ledger::Drip;
use chrono_tz::Tz;

/// A route's limit of new or of changed contacts a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimit {
    /// Additions or changes.
    pub kind: WaveKind,
    /// So many.
    pub most: u32,
    /// The zone in which its day begins.
    pub zone: Tz,
}

impl DailyLimit {
    /// The limits of a route; none where the config names none.
    pub fn of(new: Option<u32>, changed: Option<u32>, zone: Tz) -> Vec<Self> {
        let limit = |kind, most: Option<u32>| most.map(|most| Self { kind, most, zone });
        [limit(WaveKind::New, new), limit(WaveKind::Changed, changed)].into_iter().flatten().collect()
    }

    /// The route's day that is under way; what was decided before `fresh_since` is decided anew before it is sent.
    pub fn today(self, route: &RouteName, now: Timestamp, fresh_since: Timestamp) -> Drip {
        let Self { kind, most, zone } = self;
        Drip { route: route.clone(), kind, since: day_began(now, zone), most, fresh_since }
    }
}

/// When the local day of an instant began: the first instant that has its date.
fn day_began(now: Timestamp, zone: Tz) -> Timestamp {
    let midnight = now.with_timezone(&zone).date_naive().and_time(chrono::NaiveTime::MIN);
    // Where the clock is set forward at midnight, the day begins an hour later.
    (0..=3)
        .find_map(|hours| (midnight + chrono::TimeDelta::hours(hours)).and_local_timezone(zone).earliest())
        .map_or(now, |local| local.with_timezone(&chrono::Utc))
}
