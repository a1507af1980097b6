//! The close of a day in words. Pure: the facts are arguments.

use super::concerns::{Concern, Weight};
use super::zone::Zone;
use crate::domain::{CampaignId, Timestamp};
use crate::ledger::Closing;
use chrono::TimeDelta;

/// So long the nightly passes try.
const TRIES_FOR: TimeDelta = TimeDelta::hours(8);

/// One campaign's day.
pub(super) fn in_words(campaign: CampaignId, closing: Option<&Closing>, zone: Zone) -> String {
    let Some((closing, at)) = closing.and_then(|closing| Some((closing, closing.closed_at?))) else {
        return format!(
            "  campaign {campaign}: NOT CLOSED: the pass of the night, over everybody called in three days, has not come to its \
             end; the daemon tries it again"
        );
    };
    let mut text = format!(
        "  campaign {campaign}: closed at {}: {} contacts called in three days were read again, which found {} calls",
        zone.at(at),
        closing.contacts,
        closing.found
    );
    match drift(closing) {
        Some(drift) => text.push_str(&format!("; DRIFT: {drift}")),
        None => text.push_str("; whatever the dialler counts is in the ledger"),
    }
    if closing.late > 0 {
        text.push_str(&format!("; {} calls came or changed after that", closing.late));
    }
    text
}

fn drift(closing: &Closing) -> Option<String> {
    (closing.short_calls > 0).then(|| {
        format!(
            "the dialler counts {} tries more, of {} contacts, than it has calls",
            closing.short_calls, closing.short_contacts
        )
    })
}

/// What the newest close of a campaign leaves for a person.
pub(super) fn concern(closing: &Closing, now: Timestamp) -> Option<Concern> {
    let Closing { campaign, day, began_at, closed_at, .. } = closing;
    let (what, since, remedy) = match (closed_at, drift(closing)) {
        (None, _) if now - *began_at > TRIES_FOR => (
            format!(
                "campaign {campaign}: {day} is not closed: not everybody called in three days could be read again, or the list not to its end"
            ),
            *began_at,
            "`dialbridge ledger runs` tells how its harvests ended; the next night closes that day too",
        ),
        (Some(at), Some(drift)) => (
            format!("campaign {campaign}: after the close of {day} {drift}"),
            *at,
            "the dialler did not give their rows out: whoever runs it can see why. Counters that somebody put back in the \
             portal look alike",
        ),
        (None, _) | (Some(_), None) => return None,
    };
    Some(Concern { weight: Weight::Person, what, since: Some(since), remedy: remedy.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32) -> Timestamp {
        format!("2026-03-03T{hour:02}:20:00Z").parse().expect("an instant")
    }

    fn closing(closed_at: Option<Timestamp>, short_calls: i64) -> Closing {
        Closing {
            campaign: CampaignId(538),
            day: "2026-03-02".parse().expect("a day"),
            began_at: at(1),
            closed_at,
            contacts: 12,
            found: 1,
            short_contacts: i64::from(short_calls > 0),
            short_calls,
            late: 0,
        }
    }

    #[test]
    fn a_day_that_is_not_closed_or_drifts_is_told_and_a_closed_one_is_not() {
        let told = |closing: &Closing, hour| concern(closing, at(hour)).map(|concern| concern.what);
        assert_eq!(told(&closing(Some(at(1)), 0), 23), None);
        assert_eq!(told(&closing(None, 0), 6), None, "the night is not over");
        assert!(told(&closing(None, 0), 10).is_some_and(|what| what.contains("2026-03-02 is not closed")));
        assert!(
            told(&closing(Some(at(1)), 3), 2)
                .is_some_and(|what| what.contains("3 tries more, of 1 contacts"))
        );
        let words = |closing: Option<&Closing>| in_words(CampaignId(538), closing, Zone::utc());
        assert!(words(None).contains("NOT CLOSED") && words(Some(&closing(None, 0))).contains("NOT CLOSED"));
        assert!(words(Some(&closing(Some(at(1)), 3))).contains("DRIFT"));
        let late = Closing { late: 2, ..closing(Some(at(1)), 0) };
        assert!(words(Some(&late)).ends_with("is in the ledger; 2 calls came or changed after that"));
    }
}
