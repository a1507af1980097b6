//! Activates runners when their schedules are due.

use super::{Activator, Heartbeat, Schedule};
use crate::domain::Timestamp;
use crate::env::Env;
use std::sync::Arc;
use tokio::sync::Notify;

/// The clock may be so far behind the latest time that was looked at (leap seconds, small corrections) without being
/// "set back". Measured from the latest and not from the last look: many small steps back are a large one.
const JITTER: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// When each of several schedules is due next. Pure: what the clock says is an argument.
///
/// However many due instants lie between two looks (a suspended machine, a clock put forward), a schedule is due once
/// for all of them. A clock that was set back starts the reckoning anew: what is due is what lies ahead of the new
/// time, so that nothing rests for as long as the clock was wrong.
#[derive(Debug, Default)]
struct Timetable {
    entries: Vec<(Schedule, Option<Timestamp>)>,
    latest_look: Option<Timestamp>,
}

impl Timetable {
    fn add(&mut self, schedule: Schedule) {
        self.entries.push((schedule, None));
    }

    /// The places, in order of adding, of what is due at `now`.
    fn due(&mut self, now: Timestamp) -> Vec<usize> {
        let set_back = self.latest_look.is_some_and(|latest| now < latest - JITTER);
        self.latest_look = if set_back { Some(now) } else { self.latest_look.max(Some(now)) };
        let mut due = Vec::new();
        for (place, (schedule, next)) in self.entries.iter_mut().enumerate() {
            match next {
                Some(at) if *at <= now => {
                    due.push(place);
                    *next = schedule.next_after(now);
                }
                Some(_) if !set_back => {}
                Some(_) | None => *next = schedule.next_after(now),
            }
        }
        due
    }
}

/// Holds the schedules; knows nothing of what the runners do.
#[derive(Debug, Default)]
pub struct Scheduler {
    timetable: Timetable,
    runners: Vec<Activator>,
}

impl Scheduler {
    /// Adds a schedule for a runner.
    pub fn add(&mut self, schedule: Schedule, runner: Activator) {
        self.timetable.add(schedule);
        self.runners.push(runner);
    }

    /// Looks at every beat until shutdown; `pulse` is notified after each look, for whoever watches over it.
    pub async fn run(mut self, env: Env, heartbeat: Heartbeat, pulse: Arc<Notify>) {
        self.look(env.now());
        while heartbeat.next(&env).await {
            self.look(env.now());
            pulse.notify_one();
        }
        heartbeat.stop().await;
    }

    fn look(&mut self, now: Timestamp) {
        for place in self.timetable.due(now) {
            self.runners[place].activate("schedule");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use chrono_tz::Europe::Berlin;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn timetable(cron: &str) -> Timetable {
        let mut timetable = Timetable::default();
        timetable.add(Schedule::parse(cron, Berlin).expect("a schedule"));
        timetable
    }

    /// The local times at which it was due, looking once a second.
    fn lived(timetable: &mut Timetable, from: Timestamp, seconds: i64) -> Vec<String> {
        (0..seconds)
            .map(|second| from + TimeDelta::seconds(second))
            .filter(|now| !timetable.due(*now).is_empty())
            .map(|now| now.with_timezone(&Berlin).format("%d %H:%M:%S %Z").to_string())
            .collect()
    }

    const DAY: i64 = 24 * 3600;

    #[test]
    fn the_right_local_hour_once_in_the_night_that_is_an_hour_longer() {
        // 25 October 2026: 3:00 CEST becomes 2:00 CET.
        let from = at("2026-10-24T12:00:00Z");
        assert_eq!(lived(&mut timetable("0 9 * * *"), from, DAY), ["25 09:00:00 CET"]);
        assert_eq!(lived(&mut timetable("30 2 * * *"), from, DAY), ["25 02:30:00 CEST"]);
        assert_eq!(lived(&mut timetable("0 1 * * *"), from, DAY), ["25 01:00:00 CEST"]);
        // What is due all the time is due all the time, in the doubled hour too.
        assert_eq!(lived(&mut timetable("*/5 * * * *"), from, DAY + 1).len() as i64, DAY / 300);
    }

    #[test]
    fn the_right_local_hour_once_in_the_night_that_is_an_hour_shorter() {
        // 29 March 2026: 2:00 CET becomes 3:00 CEST.
        let from = at("2026-03-28T12:00:00Z");
        assert_eq!(lived(&mut timetable("0 9 * * *"), from, DAY), ["29 09:00:00 CEST"]);
        assert_eq!(
            lived(&mut timetable("30 2 * * *"), from, DAY).len(),
            1,
            "an hour that is not there is made up for"
        );
        assert_eq!(lived(&mut timetable("*/5 * * * *"), from, DAY + 1).len() as i64, DAY / 300);
    }

    #[test]
    fn what_was_slept_through_is_made_up_for_once() {
        let mut table = timetable("*/5 * * * *");
        let from = at("2026-03-02T09:00:30Z");
        assert!(table.due(from).is_empty());
        assert_eq!(table.due(from + TimeDelta::hours(7)), [0], "84 instants are one run");
        assert!(table.due(from + TimeDelta::hours(7) + TimeDelta::seconds(1)).is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_stop_what_is_due() {
        let mut table = timetable("*/5 * * * *");
        let wrong = at("2027-01-01T00:00:30Z");
        assert!(table.due(wrong).is_empty());
        let right = at("2026-03-02T09:02:00Z");
        assert!(table.due(right).is_empty());
        assert_eq!(table.due(right + TimeDelta::minutes(3)), [0], "not only next year");
    }

    #[test]
    fn a_clock_that_is_corrected_by_a_second_finds_nothing_due_twice() {
        let mut table = timetable("*/5 * * * *");
        let on_the_dot = at("2026-03-02T09:05:00Z");
        table.due(on_the_dot - TimeDelta::seconds(1));
        assert_eq!(table.due(on_the_dot), [0]);
        assert!(table.due(on_the_dot - TimeDelta::seconds(1)).is_empty());
        assert!(table.due(on_the_dot).is_empty());
        // Second by second backwards for ten minutes is set back all the same.
        for second in 1..600 {
            table.due(on_the_dot - TimeDelta::seconds(second));
        }
        assert_eq!(table.due(on_the_dot), [0]);
    }

    proptest! {
        /// Whatever the clock does, two looks never find one due instant twice while it goes forward, and within one
        /// period after any look something is due: counted from the latest look where the clock went back by so little
        /// that it was not set back, because what was due by then is not due again.
        #[test]
        fn nothing_twice_and_nothing_forgotten(steps in proptest::collection::vec(-7_200_i64..7_200, 1..60)) {
            let mut table = timetable("*/5 * * * *");
            let mut now = at("2026-10-24T23:00:00Z");
            table.due(now);
            let mut last_due: Option<Timestamp> = None;
            for step in steps {
                let before = now;
                now += TimeDelta::seconds(step);
                if step < 0 {
                    last_due = None;
                }
                if !table.due(now).is_empty() {
                    let slot = now.timestamp().div_euclid(300);
                    prop_assert!(last_due.is_none_or(|last| last.timestamp().div_euclid(300) < slot), "{before} {now}");
                    last_due = Some(now);
                }
                let latest = table.latest_look.expect("a look");
                prop_assert!(latest >= now && latest - now <= JITTER, "{latest} {now}");
                let soon = latest + TimeDelta::seconds(300);
                let mut copy = Timetable { entries: table.entries.clone(), latest_look: table.latest_look };
                prop_assert_eq!(copy.due(soon), vec![0]);
            }
        }
    }
}
