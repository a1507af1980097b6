//! Times for people: in the zone in which the dialler's people live, with the offset, because the server's own zone
//! is nobody's.

use crate::app::Settings;
use crate::domain::Timestamp;
use chrono::{NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

/// The zone of the config's dialler.
#[derive(Debug, Clone, Copy)]
pub struct Zone(Tz);

impl Zone {
    /// Of this config.
    pub fn of(settings: &Settings) -> Self {
        Self(settings.dialler.time_zone)
    }

    /// For tests.
    #[cfg(test)]
    pub fn utc() -> Self {
        Self(Tz::UTC)
    }

    /// An instant, to the second, with its offset.
    pub fn at(self, at: Timestamp) -> String {
        at.with_timezone(&self.0).format("%Y-%m-%d %H:%M:%S%:z").to_string()
    }

    /// The day of an instant.
    pub fn day_of(self, at: Timestamp) -> NaiveDate {
        at.with_timezone(&self.0).date_naive()
    }

    /// The first instant of a day.
    pub fn day_start(self, day: NaiveDate) -> Option<Timestamp> {
        // Where midnight falls into the hour that is left out, the day begins after it.
        (0..3).find_map(|hours| {
            let local = day.and_time(NaiveTime::MIN) + TimeDelta::hours(hours);
            self.0.from_local_datetime(&local).earliest().map(|at| at.to_utc())
        })
    }
}

/// How long, roughly: in the largest unit that fits.
pub fn roughly(span: TimeDelta) -> String {
    let (number, unit) = match span.num_seconds().max(0) {
        seconds @ 0..120 => (seconds, "s"),
        seconds @ 120..7200 => (seconds / 60, "min"),
        seconds @ 7200..172_800 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "days"),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_with_their_offset_on_both_sides_of_the_change() {
        let zone = Zone(chrono_tz::Europe::Berlin);
        let at = |text: &str| zone.at(text.parse().expect("an instant"));
        assert_eq!(at("2026-10-25T00:30:00Z"), "2026-10-25 02:30:00+02:00");
        assert_eq!(at("2026-10-25T01:30:00Z"), "2026-10-25 02:30:00+01:00");
        let day = "2027-01-31".parse().expect("a day");
        assert_eq!(zone.day_start(day), Some("2027-01-30T23:00:00Z".parse().expect("an instant")));
        assert_eq!(roughly(TimeDelta::minutes(125)), "2 h");
    }
}
