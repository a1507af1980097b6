//! A five-field cron expression in a named time zone.

use crate::domain::Timestamp;
use chrono::Utc;
use chrono_tz::Tz;

/// When something is due. Pure: "now" is an argument.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: croner::Cron,
    zone: Tz,
    text: String,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{text:?} is no schedule: {why}; write five fields: minute hour day month weekday, as in \"*/5 7-21 * * Mon-Sat\""
)]
pub struct ScheduleError {
    text: String,
    why: String,
}

impl Schedule {
    /// Reads five fields: minute, hour, day of month, month, weekday.
    ///
    /// # Errors
    /// Says what is wrong and shows an example.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let refuse = |why: String| ScheduleError { text: text.to_owned(), why };
        let fields = text.split_whitespace().count();
        // The library takes seconds too where they are given; a sixth field is a mistake in a crontab line.
        if fields != 5 {
            return Err(refuse(format!("it has {fields} fields")));
        }
        let cron: croner::Cron =
            text.parse().map_err(|error: croner::errors::CronError| refuse(error.to_string()))?;
        let schedule = Self { cron, zone, text: text.to_owned() };
        // From a fixed instant: whether it is ever due must not depend on the clock.
        if schedule.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(refuse("it is never due".to_owned()));
        }
        Ok(schedule)
    }

    /// The first due instant after `now`; `None` if there is none. Computed from local time each time,
    /// so that 09:00 stays 09:00 across both changes of the clock; an hour that does not exist is due
    /// once at its end, one that exists twice once, at its first passage (unless hours are a range).
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|next| next.with_timezone(&Utc))
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
    fn mistakes_are_said() {
        for (text, why) in
            [("* * *", "3 fields"), ("61 * * * *", ""), ("0 0 31 2 *", "never due"), ("", "0 fields")]
        {
            let error = Schedule::parse(text, Berlin).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("five fields"), "{error}");
        }
    }
}
