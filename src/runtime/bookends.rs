//! One run after the last due instant of the day and one before the first, whatever the cron says (semantics 8): a
//! harvest that sleeps from evening to morning would leave a "no" of the last call unseen until the first new one.
//!
//! When agents work is not known here, so the schedule's own window counts as the active time. Pure: everything is
//! computed from when the schedule is due.

use crate::domain::Timestamp;
use chrono::TimeDelta;

/// So long after the last and before the first due instant, at least.
const MARGIN: TimeDelta = TimeDelta::minutes(30);
/// Nobody reads for longer than this, and for longer than two of the schedule's own steps: that is a rest.
const REST: TimeDelta = TimeDelta::hours(2);
/// This is one whatever the schedule's steps are.
const NIGHT: TimeDelta = TimeDelta::hours(12);
/// A rest's beginning is looked for so far back.
const FARTHEST: TimeDelta = TimeDelta::days(8);

/// The first instant after `now` at which the schedule `cron` or one of its bookends is due.
pub(super) fn next_after(
    now: Timestamp,
    cron: &impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let next = cron(now)?;
    let last = last_until(now, cron);
    let step = last.and_then(|last| Some(last - last_until(last - TimeDelta::seconds(1), cron)?));
    if last.is_some_and(|last| !is_rest(next - last, step)) {
        return Some(next);
    }
    // The window ends a step after its last instant: until then its agents may work.
    let step = step.filter(|step| *step < NIGHT).unwrap_or(MARGIN);
    let evening = last.map(|last| last + step.clamp(MARGIN, REST));
    [evening, Some(next - MARGIN)]
        .into_iter()
        .flatten()
        .filter(|at| *at > now && *at < next)
        .min()
        .or(Some(next))
}

fn is_rest(gap: TimeDelta, step: Option<TimeDelta>) -> bool {
    gap >= NIGHT || (gap > REST && step.is_none_or(|step| gap > step * 2))
}

/// The last due instant up to `at`. Looks back in growing steps, so that neither a rest nor a busy hour costs much.
fn last_until(at: Timestamp, cron: &impl Fn(Timestamp) -> Option<Timestamp>) -> Option<Timestamp> {
    let mut back = TimeDelta::minutes(1);
    while back <= FARTHEST {
        let mut due = cron(at - back)?;
        if due <= at {
            while let Some(later) = cron(due).filter(|later| *later <= at) {
                due = later;
            }
            return Some(due);
        }
        back = back * 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::domain::Timestamp;
    use crate::runtime::Schedule;
    use chrono_tz::Europe::Berlin;

    fn due(cron: &str, from: &str, times: usize) -> Vec<String> {
        let schedule = Schedule::parse(cron, Berlin).expect("a schedule").with_bookends();
        let mut now: Timestamp = from.parse().expect("an instant");
        (0..times)
            .map(|_| {
                now = schedule.next_after(now).expect("due again");
                now.with_timezone(&Berlin).format("%a %d %H:%M %Z").to_string()
            })
            .collect()
    }

    #[test]
    fn an_opt_out_of_saturday_night_is_seen_before_monday_morning() {
        assert_eq!(
            due("*/15 7-21 * * Mon-Sat", "2026-11-07T20:31:00Z", 5),
            [
                "Sat 07 21:45 CET",
                "Sat 07 22:15 CET",
                "Mon 09 06:30 CET",
                "Mon 09 07:00 CET",
                "Mon 09 07:15 CET"
            ]
        );
        // Also for a program that starts in the middle of the rest, before and after its first bookend.
        assert_eq!(due("*/15 7-21 * * Mon-Sat", "2026-11-07T21:00:00Z", 1), ["Sat 07 22:15 CET"]);
        assert_eq!(due("*/15 7-21 * * Mon-Sat", "2026-11-08T12:00:00Z", 1), ["Mon 09 06:30 CET"]);
        assert_eq!(due("*/15 7-21 * * Mon-Sat", "2026-11-09T05:45:00Z", 1), ["Mon 09 07:00 CET"]);
    }

    #[test]
    fn the_window_may_pass_midnight_and_its_steps_may_be_long() {
        assert_eq!(
            due("*/15 18-23,0-1 * * *", "2026-11-07T00:31:00Z", 4),
            ["Sat 07 01:45 CET", "Sat 07 02:15 CET", "Sat 07 17:30 CET", "Sat 07 18:00 CET"]
        );
        assert_eq!(
            due("0 8-20/2 * * *", "2026-11-07T18:30:00Z", 4),
            ["Sat 07 20:00 CET", "Sat 07 22:00 CET", "Sun 08 07:30 CET", "Sun 08 08:00 CET"]
        );
        assert_eq!(
            due("0 12 * * *", "2026-11-07T10:59:00Z", 4),
            ["Sat 07 12:00 CET", "Sat 07 12:30 CET", "Sun 08 11:30 CET", "Sun 08 12:00 CET"]
        );
    }

    #[test]
    fn where_nobody_rests_nothing_is_added() {
        for cron in ["*/15 * * * *", "0 * * * *", "0 */4 * * *"] {
            let plain = Schedule::parse(cron, Berlin).expect("a schedule");
            let with = plain.clone().with_bookends();
            let mut now: Timestamp = "2026-10-24T00:00:00Z".parse().expect("an instant");
            for _ in 0..60 {
                let next = plain.next_after(now);
                assert_eq!(with.next_after(now), next, "{cron} after {now}");
                now = next.expect("due again");
            }
        }
    }

    #[test]
    fn both_nights_of_the_change_of_the_clock_have_their_bookends_in_local_time() {
        assert_eq!(
            due("*/15 7-21 * * *", "2026-10-24T19:31:00Z", 4),
            ["Sat 24 21:45 CEST", "Sat 24 22:15 CEST", "Sun 25 06:30 CET", "Sun 25 07:00 CET"]
        );
        assert_eq!(
            due("*/15 7-21 * * *", "2026-03-28T20:31:00Z", 4),
            ["Sat 28 21:45 CET", "Sat 28 22:15 CET", "Sun 29 06:30 CEST", "Sun 29 07:00 CEST"]
        );
    }
}
