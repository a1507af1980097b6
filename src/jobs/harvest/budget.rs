//! How often a campaign's list is read. A long list is the dialler's most expensive request, so it may take a fifth of
//! the time between two harvests; one that takes more is read less often, and the harvests between read only contacts
//! that are likely to move. What these cannot see waits for the next list, the ladder and the audit, as ever.

use super::HarvestContext;
use crate::domain::{Contact, Timestamp};
use crate::jobs::local_time::resolve;
use crate::ledger::LastList;
use chrono::{NaiveTime, TimeDelta, TimeZone as _};

/// A list may take one part of so many.
const PARTS: i32 = 5;
/// So many contacts likely to move are read in one harvest at least, where there are so many,
const LEAST: i64 = 500;
/// one of so many of a large campaign,
const ONE_OF: i64 = 20;
/// and so many where each costs a request of its own.
const SINGLY: usize = 100;

/// What a harvest does about the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is read.
    List,
    /// It rests; only contacts likely to move are read.
    Likely {
        /// Until then.
        until: Timestamp,
    },
}

/// Until when a list rests that began at `began` and took so long, if it took more than its part of the time until
/// the next harvest was due. Without a schedule there is no such time, and it does not rest.
pub(super) fn rests_until(
    began: Timestamp,
    took: TimeDelta,
    next_due: Option<Timestamp>,
) -> Option<Timestamp> {
    let until = began + took * PARTS;
    next_due.filter(|next| until > *next).map(|_| until)
}

/// Whether the list is read now. A list that rests is read all the same where the next harvest is far enough away
/// (the last one of the day): then this one takes no more than its part of the time, and nothing waits overnight.
pub(super) fn plan(last: Option<&LastList>, now: Timestamp, next_due: Option<Timestamp>) -> Plan {
    let resting = |last: &LastList| {
        let until = last.rests_until?;
        // A clock that was set back must not make it rest for as long as it was wrong.
        let rests = last.began_at <= now && now < until;
        let room = next_due.is_none_or(|next| next - now >= until - last.began_at);
        (rests && !room).then_some(until)
    };
    last.and_then(resting).map_or(Plan::List, |until| Plan::Likely { until })
}

/// At most so many contacts are read between two lists.
pub(super) fn likely_limit(ctx: &HarvestContext, contacts: i64) -> usize {
    match ctx.dialler.facts().batch_read {
        Some(false) => SINGLY,
        Some(true) | None => usize::try_from((contacts / ONE_OF).max(LEAST)).unwrap_or(SINGLY),
    }
}

/// The beginning of the day in the dialler's zone: whoever had a try since then was tried today.
pub(super) fn day_began(ctx: &HarvestContext) -> Timestamp {
    let now = ctx.env.now();
    let midnight = now.with_timezone(&ctx.zone).date_naive().and_time(NaiveTime::MIN);
    // A midnight that does not exist, where clocks change at it, is less than a day ago.
    ctx.zone.from_local_datetime(&midnight).earliest().map_or(now - TimeDelta::days(1), |at| at.to_utc())
}

/// When the dialler means to call a contact again.
pub(super) fn next_try(ctx: &HarvestContext, contact: &Contact) -> Option<Timestamp> {
    let time = |field: &str| resolve(ctx.zone, contact.get(field).as_str()?).map(|read| read.at);
    time("dtNextTry").or_else(|| time("FollowUpDateTime"))
}

/// From when on the dialler or an agent is likely to touch a contact: its next try or follow-up; at once while an
/// agent has it reserved.
pub(super) fn likely_at(ctx: &HarvestContext, contact: &Contact) -> Option<Timestamp> {
    let time = |field: &str| resolve(ctx.zone, contact.get(field).as_str()?).map(|read| read.at);
    let reserved = contact.get("ReservedUsersUID").as_str().is_some_and(|uid| !uid.trim().is_empty());
    let times = [time("dtNextTry"), time("FollowUpDateTime"), reserved.then(|| ctx.env.now())];
    times.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        "2026-03-02T08:00:00Z".parse::<Timestamp>().expect("an instant") + TimeDelta::minutes(minute)
    }

    fn last(rests_until: Option<Timestamp>) -> LastList {
        LastList { began_at: at(0), rests_until, carries_result: None }
    }

    #[test]
    fn a_list_rests_only_if_it_took_more_than_a_fifth_of_its_interval() {
        assert_eq!(rests_until(at(0), TimeDelta::minutes(1), Some(at(5))), None, "a fifth to the second");
        assert_eq!(
            rests_until(at(0), TimeDelta::seconds(61), Some(at(5))),
            Some(at(5) + TimeDelta::seconds(5))
        );
        assert_eq!(rests_until(at(0), TimeDelta::hours(1), None), None, "no schedule, no interval");
    }

    #[test]
    fn a_resting_list_is_read_again_when_its_time_has_passed() {
        let rested = last(Some(at(10)));
        assert_eq!(plan(Some(&rested), at(5), Some(at(10))), Plan::Likely { until: at(10) });
        assert_eq!(plan(Some(&rested), at(10), Some(at(15))), Plan::List);
        assert_eq!(plan(Some(&last(None)), at(5), Some(at(10))), Plan::List);
        assert_eq!(plan(None, at(5), Some(at(10))), Plan::List, "the first");
    }

    #[test]
    fn the_last_harvest_of_the_day_reads_the_list() {
        let rested = last(Some(at(60)));
        assert_eq!(plan(Some(&rested), at(30), Some(at(45))), Plan::Likely { until: at(60) });
        assert_eq!(plan(Some(&rested), at(30), Some(at(9 * 60))), Plan::List);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_list_from_being_read() {
        assert_eq!(plan(Some(&last(Some(at(10)))), at(-600), Some(at(-595))), Plan::List);
    }
}
