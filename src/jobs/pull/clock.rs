//! The CRM's clock: where the cursor moves to, and whether it can be trusted.

use super::Work;
use crate::crm::Page;
use crate::domain::Timestamp;
use crate::jobs::JobError;
use chrono::TimeDelta;
use std::time::Duration;

/// What the CRM's clock said when the read began, or the greatest modification time seen, which is whatever a record
/// bears: one dated ahead must not carry the cursor past changes that are yet to come.
pub(super) struct Clock {
    /// When the read began, by our clock.
    ours: Timestamp,
    began: Option<Timestamp>,
    answered: bool,
    greatest: Option<Timestamp>,
}

impl Clock {
    pub(super) fn new(ours: Timestamp) -> Self {
        Self { ours, began: None, answered: false, greatest: None }
    }

    pub(super) fn see(&mut self, page: &Page) {
        if !self.answered {
            self.began = page.crm_time;
            self.answered = true;
        }
        let newest = page.records.iter().filter_map(|record| record.as_ref().ok()?.modified).max();
        self.greatest = self.greatest.max(newest);
    }

    pub(super) fn position(&self) -> Option<Timestamp> {
        self.began.or(self.greatest.map(|greatest| greatest.min(self.ours)))
    }
}

/// A `Date` header shows whole seconds, and clocks that nobody set by NTP differ by some: nobody is stopped for less.
const LEAST: TimeDelta = TimeDelta::minutes(1);

impl Work<'_> {
    /// The cursor rests on the CRM's clock; one that is far off from ours would hide changes. Only pages that move it
    /// are judged: an answer by ids moves nothing, and refused it would keep objections from being heard. `asked` is when
    /// the request left. What is read again besides is what may be wrong; no clock is held to less than [`LEAST`].
    pub(super) fn check_skew(
        &self,
        page: &Page,
        asked: Timestamp,
        overlap: Duration,
    ) -> Result<(), JobError> {
        let Some(theirs) = page.crm_time else { return Ok(()) };
        let skew = skew(theirs, asked, self.context.env.now());
        let allowed = time_delta(overlap).max(LEAST);
        if skew > allowed {
            return Err(JobError::Stopped(format!(
                "the CRM's clock and this machine's are {} seconds apart, and {} are allowed (the connector's overlap, at \
                 least a minute); set the clocks (NTP) on both",
                skew.num_seconds(),
                allowed.num_seconds()
            )));
        }
        Ok(())
    }
}

/// How far the clocks are apart at least: when between request and answer the CRM looked at its clock is not known,
/// and its time was counted back by what the call took.
fn skew(theirs: Timestamp, asked: Timestamp, answered: Timestamp) -> TimeDelta {
    let took = answered - asked;
    let (least, most) = (theirs - answered, theirs + took - asked);
    if least > TimeDelta::zero() {
        least
    } else if most < TimeDelta::zero() {
        -most
    } else {
        TimeDelta::zero()
    }
}

pub(super) fn time_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew_and_a_wrong_clock_is_one() {
        let at = |seconds: i64| Timestamp::from_timestamp(1_800_000_000 + seconds, 0).expect("in range");
        // An answer that took 300 s: its header was written at its beginning, or at its end.
        assert_eq!(skew(at(-300), at(0), at(300)), TimeDelta::zero());
        assert_eq!(skew(at(0), at(0), at(300)), TimeDelta::zero());
        assert_eq!(skew(at(600), at(0), at(1)).num_seconds(), 599);
        assert_eq!(skew(at(-600), at(0), at(1)).num_seconds(), 599);
    }
}
