//! The standing locks of the night: sent again a few at a time, whenever no other lock is to be sent, and not for long
//! in one run, so that neither a new block nor anything else of the push waits for them.

use super::Work;
use crate::domain::Timestamp;
use crate::jobs::JobError;
use chrono::{NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use std::time::Duration;

/// So many are queued at once: a new lock waits for no more than these.
const BATCH: usize = 25;
/// So long one run goes on with them; the next one goes on from there.
pub(super) const SPELL: Duration = Duration::from_secs(20);

/// When all wished locks are sent again: from this time of day on.
#[derive(Debug, Clone, Copy)]
pub struct StandingLocks {
    /// The time of day.
    pub at: NaiveTime,
    /// In this zone.
    pub zone: Tz,
}

impl StandingLocks {
    /// The last time it was due, at or before `now`.
    pub fn last_due(&self, now: Timestamp) -> Timestamp {
        let local = now.with_timezone(&self.zone);
        let today = local.date_naive();
        let day = if local.time() < self.at { today.pred_opt().unwrap_or(today) } else { today };
        let naive = day.and_time(self.at);
        // In the hour that is left out in spring there is no such time: the round begins when it is over.
        let found = (0..3).find_map(|hours| {
            self.zone.from_local_datetime(&(naive + chrono::TimeDelta::hours(hours))).earliest()
        });
        found.map_or(now, |at| at.to_utc().min(now))
    }
}

impl Work<'_> {
    /// Queues the next of them; how many. Who waits for a person's takeover of the ledger is locked all the same.
    pub(super) async fn standing_locks(&self) -> Result<usize, JobError> {
        Ok(self.context.ledger.lock_round_go_on(BATCH, self.run).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_a_day_in_its_zone_also_where_its_hour_is_left_out() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let half_past = |hour| StandingLocks {
            at: NaiveTime::from_hms_opt(hour, 30, 0).expect("a time"),
            zone: chrono_tz::Europe::Berlin,
        };
        let last = |hour, now: &str| half_past(hour).last_due(at(now));
        assert_eq!(last(4, "2026-03-02T09:00:00Z"), at("2026-03-02T03:30:00Z"));
        assert_eq!(last(4, "2026-03-02T03:29:59Z"), at("2026-03-01T03:30:00Z"));
        assert_eq!(last(4, "2026-03-02T03:30:00Z"), at("2026-03-02T03:30:00Z"));
        assert_eq!(last(2, "2026-03-29T09:00:00Z"), at("2026-03-29T01:30:00Z"), "half past three, by then");
    }
}
