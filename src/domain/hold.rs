//! Who is held out of other routes because of a call: its result means nothing to anybody yet, or the route wants its
//! people left alone for some days after such a result (users 4, 18).

use super::operation::named_enum;
use super::result_words::ResultWords;
use super::{CampaignId, HistoryId, Reason, ReasonCode, RouteName, Timestamp};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

named_enum! {
    /// What a result without a word of the CRM's means for other routes.
    UnmappedAbort {
        /// Whoever gave it is held out, where it is an abort or of unknown type.
        Hold = "hold",
        /// Nothing.
        Pass = "pass",
    }
}

named_enum! {
    /// What a result is, by the dialler's flags.
    ResultType {
        /// Success, final.
        Done = "done",
        /// Failure, final.
        Abort = "abort",
        /// To be called again.
        GoesOn = "goes_on",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

impl ResultType {
    /// By the flags; what is final wins.
    pub fn of(done: Option<bool>, aborted: Option<bool>, again: Option<bool>) -> Self {
        match (done == Some(true), aborted == Some(true), again == Some(true)) {
            (_, true, _) => Self::Abort,
            (true, false, _) => Self::Done,
            (false, false, true) => Self::GoesOn,
            (false, false, false) => Self::Unknown,
        }
    }
}

/// For how long a person is left alone by the other routes of the client after a final result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoolOff {
    /// Whole days after the call.
    pub days: u16,
    /// After results of these types.
    pub after: BTreeSet<ResultType>,
}

impl CoolOff {
    /// Whether people are left alone after a result of this type. One of which nobody knows the type counts as any of them:
    /// without the batch read that is every result, and whoever declined must not be called for that.
    pub fn follows(&self, kind: ResultType) -> bool {
        match kind {
            ResultType::Unknown => true,
            ResultType::Done | ResultType::Abort | ResultType::GoesOn => self.after.contains(&kind),
        }
    }
}

/// How a cool-off is written as one text; the config's table is read into it.
pub const COOL_OFF_EXPECTED: &str = "{ days = 90, after = [\"abort\"], across = \"client\" }: 1 to 3650 days, after \"abort\", \"done\" or both, across \"client\"";

impl fmt::Display for CoolOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after: Vec<&str> = self.after.iter().map(|kind| kind.as_str()).collect();
        write!(f, "{} days after {}", self.days, after.join(","))
    }
}

impl FromStr for CoolOff {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (days, after) = text.split_once(" days after ").ok_or(COOL_OFF_EXPECTED)?;
        let days = days.trim().parse().ok().filter(|days| (1..=3650).contains(days));
        let kinds = after.split(',').map(|word| match ResultType::parse(word.trim()) {
            Some(kind @ (ResultType::Done | ResultType::Abort)) => Some(kind),
            Some(ResultType::GoesOn | ResultType::Unknown) | None => None,
        });
        let after: Option<BTreeSet<ResultType>> = kinds.collect();
        days.zip(after).map(|(days, after)| Self { days, after }).ok_or(COOL_OFF_EXPECTED)
    }
}

/// What a route says of its results for the other routes of its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRules {
    /// The results that it has a word for, or by which somebody says no.
    pub words: ResultWords,
    /// What one without a word means; nothing where no result has one, because then nobody has begun to map them.
    pub unmapped: UnmappedAbort,
    /// How long people are left alone.
    pub cool_off: Option<CoolOff>,
    /// The zone whose days are meant, the dialler's; what was stored by a program without this key counted UTC's.
    #[serde(with = "zone_by_name", default = "utc")]
    pub zone: Tz,
}

fn utc() -> Tz {
    Tz::UTC
}

mod zone_by_name {
    use chrono_tz::Tz;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(zone: &Tz, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Tz, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A call's result, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The call.
    pub call: HistoryId,
    /// Its campaign.
    pub campaign: Option<CampaignId>,
    /// The result's number.
    pub code: i64,
    /// Its export key.
    pub export_key: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub kind: ResultType,
    /// When the call began.
    pub at: Timestamp,
}

/// What a result means for other routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldWord {
    /// Nothing.
    Nothing,
    /// Held out until somebody says what it means.
    Unmapped,
    /// Left alone for so many days.
    CoolOff(u16),
}

/// That somebody is held out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why, with the call it rests on.
    pub reason: Reason,
    /// The last day of it; `None`: until somebody says what the result means.
    pub until: Option<NaiveDate>,
}

impl HoldRules {
    /// Whether anybody can be held out by them.
    pub fn say_something(&self) -> bool {
        let maps = !self.words.is_empty() && self.unmapped == UnmappedAbort::Hold;
        maps || self.cool_off.is_some()
    }

    /// What a result means for other routes, whenever it was given.
    pub fn word(&self, outcome: &Outcome) -> HoldWord {
        let Outcome { campaign, code, export_key, name, kind, .. } = outcome;
        let mapped = self.words.names(*campaign, *code, export_key.as_deref(), name.as_deref());
        let unclear = match (self.unmapped, kind) {
            (UnmappedAbort::Hold, ResultType::Abort | ResultType::Unknown) => {
                !mapped && !self.words.is_empty()
            }
            (UnmappedAbort::Hold, ResultType::Done | ResultType::GoesOn) | (UnmappedAbort::Pass, _) => false,
        };
        match &self.cool_off {
            _ if unclear => HoldWord::Unmapped,
            Some(cool_off) if cool_off.follows(*kind) => HoldWord::CoolOff(cool_off.days),
            Some(_) | None => HoldWord::Nothing,
        }
    }

    /// The day that an instant lies in, as people there count them.
    pub fn day(&self, at: Timestamp) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// Whether whoever has this as the last result on `route` is held out of other routes now.
    pub fn hold(&self, route: &RouteName, outcome: &Outcome, now: Timestamp) -> Option<Hold> {
        let day = self.day(outcome.at);
        let because = |code| {
            Reason::new(code)
                .with("call", outcome.call)
                .with("date", day)
                .with("route", route)
                .with("result", outcome.spoken())
        };
        match self.word(outcome) {
            HoldWord::Nothing => None,
            HoldWord::Unmapped => Some(Hold { reason: because(ReasonCode::HeldOut), until: None }),
            HoldWord::CoolOff(days) => {
                let until = day.checked_add_days(Days::new(days.into()))?;
                let reason = because(ReasonCode::CoolingOff).with("until", until);
                (self.day(now) <= until).then_some(Hold { reason, until: Some(until) })
            }
        }
    }
}

impl Outcome {
    fn spoken(&self) -> String {
        self.name.clone().or_else(|| self.export_key.clone()).unwrap_or_else(|| self.code.to_string())
    }
}

impl Hold {
    /// Of two the one that lasts longer is told.
    #[must_use]
    pub fn longer(self, other: Option<Self>) -> Self {
        let lasts = |hold: &Self| (hold.until.is_none(), hold.until);
        match other {
            Some(other) if lasts(&other) > lasts(&self) => other,
            Some(_) | None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: ResultType) -> Outcome {
        Outcome {
            call: HistoryId(5),
            campaign: Some(CampaignId(538)),
            code: 5383,
            export_key: Some("REFUSED".to_owned()),
            name: None,
            kind,
            at: "2026-03-02T10:00:00Z".parse().expect("an instant"),
        }
    }

    fn rules(words: &[&str], cool_off: Option<&str>) -> HoldRules {
        HoldRules {
            words: ResultWords::new(words.iter().copied()),
            unmapped: UnmappedAbort::Hold,
            cool_off: cool_off.map(|text| text.parse().expect("a cool-off")),
            zone: Tz::UTC,
        }
    }

    #[test]
    fn only_what_ends_or_is_unknown_and_has_no_word_holds() {
        for kind in ResultType::ALL.iter().copied() {
            let unclear = matches!(kind, ResultType::Abort | ResultType::Unknown);
            let expected = if unclear { HoldWord::Unmapped } else { HoldWord::Nothing };
            assert_eq!(rules(&["SALE"], None).word(&outcome(kind)), expected, "{kind:?}");
            let passing = HoldRules { unmapped: UnmappedAbort::Pass, ..rules(&["SALE"], None) };
            for rules in [rules(&["SALE", "REFUSED"], None), rules(&[], None), passing] {
                assert_eq!(rules.word(&outcome(kind)), HoldWord::Nothing, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_result_of_unknown_type_cools_off_as_any_other() {
        let rules = rules(&["REFUSED"], Some("90 days after abort"));
        for kind in ResultType::ALL.iter().copied() {
            let cools = matches!(kind, ResultType::Abort | ResultType::Unknown);
            let expected = if cools { HoldWord::CoolOff(90) } else { HoldWord::Nothing };
            assert_eq!(rules.word(&outcome(kind)), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_cool_off_ends_with_its_last_day() {
        let rules = rules(&["REFUSED"], Some("90 days after abort"));
        let (route, abort) = (RouteName::from("leads"), outcome(ResultType::Abort));
        for (now, held) in [("2026-05-31T23:59:59Z", true), ("2026-06-01T00:00:00Z", false)] {
            let now = now.parse().expect("an instant");
            assert_eq!(rules.hold(&route, &abort, now).is_some(), held, "{now}");
            assert_eq!(rules.hold(&route, &outcome(ResultType::Done), now), None);
        }
    }

    #[test]
    fn the_days_of_a_cool_off_are_those_of_the_diallers_zone() {
        let zone: Tz = "Pacific/Auckland".parse().expect("a zone");
        let rules = HoldRules { zone, ..rules(&["REFUSED"], Some("1 days after abort")) };
        let (route, abort) = (RouteName::from("leads"), outcome(ResultType::Abort));
        // 23:00 on the second there; the third ends at 11:00 UTC.
        for (now, held) in [("2026-03-03T10:59:59Z", true), ("2026-03-03T11:00:00Z", false)] {
            let now = now.parse().expect("an instant");
            assert_eq!(rules.hold(&route, &abort, now).is_some(), held, "{now}");
        }
        let stored = serde_json::to_string(&rules).expect("text");
        assert_eq!(serde_json::from_str::<HoldRules>(&stored).expect("read"), rules);
        let before = stored.replace(",\"zone\":\"Pacific/Auckland\"", "");
        assert_eq!(serde_json::from_str::<HoldRules>(&before).expect("read").zone, Tz::UTC);
    }

    #[test]
    fn a_cool_off_reads_as_it_is_written_and_nothing_else() {
        let text = "30 days after abort,done";
        let read: CoolOff = text.parse().expect("a cool-off");
        assert_eq!(read.to_string().parse(), Ok(read));
        for wrong in
            ["0 days after abort", "9 days after delay", "9 days after ", "9 days", "3651 days after done"]
        {
            assert!(wrong.parse::<CoolOff>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_two_holds_the_longer_one_is_told() {
        let hold = |until: Option<&str>| Hold {
            reason: ReasonCode::HeldOut.into(),
            until: until.map(|day| day.parse().expect("a day")),
        };
        let (open, late, early) = (hold(None), hold(Some("2026-06-01")), hold(Some("2026-05-01")));
        assert_eq!(late.clone().longer(Some(open.clone())), open);
        assert_eq!(open.clone().longer(Some(late.clone())), open);
        assert_eq!(early.longer(Some(late.clone())), late);
    }
}
