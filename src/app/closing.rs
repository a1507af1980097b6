//! The close of the days: once a night everybody called lately is read again, so that a day's calls are all there or it is said
//! that they are not.

use crate::domain::{RouteName, Timestamp};
use crate::env::{Env, crash};
use crate::ledger::{DayEnd, DaySpan, Ledger, LedgerError};
use crate::runtime::{Activator, Activity, Ask, Outcome, RunLog};
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

/// In the dialler's zone: after the last call of a day, and again each hour of the night while a day could not be closed.
pub(super) const WHEN: &str = "20 1-6 * * *";

/// So many days are read again, because results are corrected for about as long.
const DAYS: u64 = 3;

/// The close of the days that are over.
pub(super) struct ClosingActivity {
    pub ledger: Ledger,
    pub env: Env,
    pub zone: Tz,
    /// Each campaign's harvest, with the routes it serves.
    pub harvests: Vec<(Vec<RouteName>, Activator)>,
}

impl ClosingActivity {
    async fn close_all(&self) -> Result<String, LedgerError> {
        let (mut closed, mut open, mut unlisted) = (0, 0, 0);
        for (routes, harvest) in &self.harvests {
            match self.close(routes, harvest).await? {
                Some(DayEnd::Closed) => closed += 1,
                Some(DayEnd::Open(_)) => open += 1,
                Some(DayEnd::Unlisted) => unlisted += 1,
                None => {}
            }
        }
        Ok(match (closed, open + unlisted) {
            (0, 0) => "no day is to be closed".to_owned(),
            (_, 0) => format!("the days of {closed} campaigns are closed"),
            (_, not) => format!(
                "the days of {closed} campaigns are closed, those of {not} are not: of {open} not everybody could be read \
                 again, of {unlisted} the list could not be read to its end (`dialbridge ledger runs` says why); it is tried again \
                 within the hour, until 6:20"
            ),
        })
    }

    async fn close(&self, routes: &[RouteName], harvest: &Activator) -> Result<Option<DayEnd>, LedgerError> {
        let Some(first) = routes.first() else { return Ok(None) };
        let row = self.ledger.route_show(first.clone()).await?;
        let Some(campaign) = row.and_then(|row| row.campaign) else { return Ok(None) };
        let days = days_over(self.zone, self.env.now());
        let Some(began) = self.ledger.closing_begin(campaign, days.clone()).await? else { return Ok(None) };
        crash::point("after_closing_begin");
        // How it ended is asked of the ledger, which knows whether its list was complete too. A list that rests says nothing
        // of a day, so it is read as where a person asks.
        let _outcome = harvest.run_now("closing").await;
        self.ledger.closing_end(campaign, began, days).await.map(Some)
    }
}

/// The last days that are over.
fn days_over(zone: Tz, now: Timestamp) -> Vec<DaySpan> {
    let today = now.with_timezone(&zone).date_naive();
    let spans = (1..=DAYS).rev().filter_map(|back| {
        let day = today.checked_sub_days(Days::new(back))?;
        Some(DaySpan { day, from: beginning(zone, day)?, until: beginning(zone, day.succ_opt()?)? })
    });
    spans.collect()
}

/// The first instant of a day; where midnight is left out, the day begins after it.
fn beginning(zone: Tz, day: NaiveDate) -> Option<Timestamp> {
    (0..3).find_map(|hours| {
        let local = day.and_time(NaiveTime::MIN) + TimeDelta::hours(hours);
        zone.from_local_datetime(&local).earliest().map(|at| at.to_utc())
    })
}

#[async_trait::async_trait]
impl Activity for ClosingActivity {
    async fn run(&self, _ask: &Ask, _log: &RunLog) -> Outcome {
        match self.close_all().await {
            Ok(text) => Outcome::Done { run: None, text, parked_new: false },
            Err(error) => Outcome::Failed { text: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_days_are_those_of_the_zone_with_their_own_lengths() {
        // In the night after the clocks went forward.
        let now: Timestamp = "2026-03-29T22:30:00Z".parse().expect("an instant");
        let days = days_over(chrono_tz::Europe::Berlin, now);
        let hours: Vec<(String, i64)> =
            days.iter().map(|day| (day.day.to_string(), (day.until - day.from).num_hours())).collect();
        let expected = [("2026-03-27", 24), ("2026-03-28", 24), ("2026-03-29", 23)];
        assert_eq!(hours, expected.map(|(day, hours)| (day.to_owned(), hours)));
        assert!(days.last().is_some_and(|day| day.until < now));
    }
}
