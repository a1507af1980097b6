//! A five-field cron expression in a named time zone.

use super::bookends;
use crate::domain::Timestamp;
use chrono::{FixedOffset, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// When something is due. Pure: "now" is an argument.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: croner::Cron,
    zone: Tz,
    text: String,
    bookends: Bookends,
}

/// Whether a schedule that rests is due once more at the beginning and at the end of each rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bookends {
    None,
    Added,
}

/// So many gaps are looked at to say how often something is due.
const GAPS: usize = 4;

/// Why a text is no schedule.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text:?} is no schedule: {why}")]
pub struct ScheduleError {
    text: String,
    why: String,
}

/// The fields in their order, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day", "1-31"),
    ("month", "1-12, or Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
    ("weekday", "0-7, or Mon Tue Wed Thu Fri Sat Sun"),
];

/// Which field the library does not take: it speaks of its own parts instead.
fn wrong_field(text: &str, otherwise: &str) -> String {
    for (place, ((name, takes), field)) in FIELDS.iter().zip(text.split_whitespace()).enumerate() {
        let alone: Vec<&str> =
            (0..FIELDS.len()).map(|other| if other == place { field } else { "*" }).collect();
        if alone.join(" ").parse::<croner::Cron>().is_err() {
            return format!("{field:?} is no {name} ({takes})");
        }
    }
    otherwise.to_owned()
}

impl Schedule {
    /// Reads five fields: minute, hour, day of month, month, weekday.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let refuse = |why: String| ScheduleError { text: text.to_owned(), why };
        let fields = text.split_whitespace().count();
        // The library takes seconds too where they are given; a sixth field is a mistake in a crontab line.
        if fields != 5 {
            let unit = if fields == 1 { "field" } else { "fields" };
            return Err(refuse(format!("it has {fields} {unit}")));
        }
        let cron: croner::Cron = text
            .parse()
            .map_err(|error: croner::errors::CronError| refuse(wrong_field(text, &error.to_string())))?;
        let schedule = Self { cron, zone, text: text.to_owned(), bookends: Bookends::None };
        // From a fixed instant: whether it is ever due must not depend on the clock.
        if schedule.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(refuse("it is never due".to_owned()));
        }
        Ok(schedule)
    }

    /// Due once more after the last instant of the day and before the first, so that nothing of the day waits until
    /// the next one has begun.
    #[must_use]
    pub fn with_bookends(self) -> Self {
        Self { bookends: Bookends::Added, ..self }
    }

    /// The first due instant after `now`; `None` if there is none.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self.bookends {
            Bookends::None => self.next_of_cron(now),
            Bookends::Added => bookends::next_after(now, &|from| self.next_of_cron(from)),
        }
    }

    /// The shortest of the next few gaps between two due instants: a rest at night says nothing about how often it is due
    /// by day. `None` for what is due once more at most.
    pub fn shortest_gap(&self, now: Timestamp) -> Option<TimeDelta> {
        let due = |from: &Timestamp| self.next_after(*from);
        let next: Vec<Timestamp> = std::iter::successors(self.next_after(now), due).take(GAPS + 1).collect();
        next.windows(2).map(|two| two[1] - two[0]).min()
    }

    /// Computed from local time each time, so that 09:00 stays 09:00 across both changes of the clock. A fixed time of
    /// day in an hour that does not exist is due once, at its end; in one that exists twice once, at its first passage.
    /// What recurs within the day (`*`, ranges and steps among minutes and hours) goes on through both.
    ///
    /// The library is asked within stretches of one offset only: in the hour that exists twice it skips the second
    /// passage, or answers an instant that is past.
    fn next_of_cron(&self, now: Timestamp) -> Option<Timestamp> {
        let mut from = now;
        let mut inclusive = false;
        loop {
            let offset = self.offset(from);
            let local = from.with_timezone(&offset);
            let next = self.cron.find_next_occurrence(&local, inclusive).ok()?;
            let Some(change) = self.first_change(from, next.with_timezone(&Utc)) else {
                let next = next.with_timezone(&Utc);
                if self.recurs() || !self.is_second_passage(next) {
                    return Some(next);
                }
                (from, inclusive) = (next, false);
                continue;
            };
            let skipped_until = change.with_timezone(&self.offset(change)).naive_local();
            if !self.recurs() && next.naive_local() < skipped_until {
                return Some(change);
            }
            (from, inclusive) = (change, true);
        }
    }

    /// Whether it is due all through the day and not at fixed times of it, as cron distinguishes the two.
    fn recurs(&self) -> bool {
        self.text.split_whitespace().take(2).any(|field| field.contains(['*', '/', '-']))
    }

    fn offset(&self, at: Timestamp) -> FixedOffset {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// Whether the local time of an instant has been there before, with another offset.
    fn is_second_passage(&self, at: Timestamp) -> bool {
        let local = at.with_timezone(&self.zone).naive_local();
        self.zone.from_local_datetime(&local).earliest().is_some_and(|first| first.with_timezone(&Utc) < at)
    }

    /// The first change of the offset after `from` and up to `until`, to the second.
    fn first_change(&self, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let offset = self.offset(from);
        let mut before = from;
        let mut after = loop {
            // No zone changes twice within a day.
            let probe = (before + TimeDelta::days(1)).min(until);
            if self.offset(probe) != offset {
                break probe;
            }
            if probe == until {
                return None;
            }
            before = probe;
        };
        while after - before > TimeDelta::seconds(1) {
            let middle = before + (after - before) / 2;
            if self.offset(middle) == offset { before = middle } else { after = middle }
        }
        // Changes happen on whole seconds.
        Timestamp::from_timestamp(after.timestamp(), 0)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Berlin;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn due(cron: &str, from: &str, times: usize) -> Vec<String> {
        let schedule = Schedule::parse(cron, Berlin).unwrap();
        let mut now = at(from);
        (0..times)
            .map(|_| {
                now = schedule.next_after(now).unwrap();
                now.with_timezone(&Berlin).format("%d %H:%M %Z").to_string()
            })
            .collect()
    }

    #[test]
    fn a_rest_at_night_says_nothing_of_how_often_it_is_due() {
        for (cron, minutes) in
            [("*/5 7-21 * * *", 5), ("0 * * * *", 60), ("0 9 * * *", 24 * 60), ("0,2 8 * * *", 2)]
        {
            let schedule = Schedule::parse(cron, Berlin).unwrap();
            for instant in ["2026-03-02T06:31:00Z", "2026-03-02T20:50:00Z", "2026-03-02T20:56:00Z"] {
                assert_eq!(
                    schedule.shortest_gap(at(instant)),
                    Some(TimeDelta::minutes(minutes)),
                    "{cron} {instant}"
                );
            }
        }
    }

    #[test]
    fn nine_stays_nine_across_both_changes_of_the_clock() {
        assert_eq!(
            due("0 9 * * *", "2026-10-24T00:00:00Z", 3),
            ["24 09:00 CEST", "25 09:00 CET", "26 09:00 CET"]
        );
        assert_eq!(
            due("0 9 * * *", "2026-03-28T00:00:00Z", 3),
            ["28 09:00 CET", "29 09:00 CEST", "30 09:00 CEST"]
        );
    }

    #[test]
    fn an_hour_that_does_not_exist_is_due_once() {
        let due = due("30 2 * * *", "2026-03-28T12:00:00Z", 2);
        assert!(due[0].starts_with("29 03:"), "{due:?}");
        assert_eq!(due[1], "30 02:30 CEST");
    }

    #[test]
    fn an_hour_that_exists_twice_is_due_once() {
        assert_eq!(due("30 2 * * *", "2026-10-24T12:00:00Z", 2), ["25 02:30 CEST", "26 02:30 CET"]);
    }

    #[test]
    fn what_recurs_goes_on_through_the_hour_that_exists_twice() {
        assert_eq!(
            due("*/30 * * * *", "2026-10-24T23:59:00Z", 6),
            [
                "25 02:00 CEST",
                "25 02:30 CEST",
                "25 02:00 CET",
                "25 02:30 CET",
                "25 03:00 CET",
                "25 03:30 CET"
            ]
        );
        // Also for a program that starts within the second passage.
        assert_eq!(due("*/30 * * * *", "2026-10-25T01:10:00Z", 2), ["25 02:30 CET", "25 03:00 CET"]);
        assert_eq!(
            due("0 2-3 * * *", "2026-10-24T12:00:00Z", 3),
            ["25 02:00 CEST", "25 02:00 CET", "25 03:00 CET"]
        );
    }

    #[test]
    fn what_recurs_skips_the_hour_that_does_not_exist() {
        assert_eq!(
            due("*/30 * * * *", "2026-03-29T00:29:00Z", 3),
            ["29 01:30 CET", "29 03:00 CEST", "29 03:30 CEST"]
        );
    }

    #[test]
    fn a_fixed_time_of_a_doubled_hour_is_due_once_however_far_ahead() {
        assert_eq!(due("30 2 25 10 *", "2026-01-01T00:00:00Z", 1), ["25 02:30 CEST"]);
        assert_eq!(due("30 2 * * *", "2026-10-25T00:30:00Z", 1), ["26 02:30 CET"]);
        assert_eq!(due("0 9 1 7 *", "2026-01-01T00:00:00Z", 1), ["01 09:00 CEST"]);
    }

    #[test]
    fn mistakes_are_said() {
        for (text, why) in [
            ("* * *", "it has 3 fields"),
            ("0 */2 * * * *", "it has 6 fields"),
            ("@hourly", "it has 1 field"),
            ("", "it has 0 fields"),
            ("61 * * * *", "\"61\" is no minute (0-59)"),
            ("*/5 7-25 * * *", "\"7-25\" is no hour (0-23)"),
            ("*/5 7-21 * * Mo-Sa", "\"Mo-Sa\" is no weekday (0-7, or Mon Tue Wed Thu Fri Sat Sun)"),
            ("0 0 31 2 *", "it is never due"),
        ] {
            let error = Schedule::parse(text, Berlin).unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is no schedule: {why}"));
        }
    }
}
