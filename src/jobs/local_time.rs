//! Reads the dialler's times: naive local ones in the configured zone, `Z`, and offsets (facts 3.8).
//!
//! The hour that comes twice in autumn is settled by the row's own order (start <= alert <= connect <=
//! end <= created), then by the rows around it in the campaign, else the first occurrence is taken (where part
//! of the row is settled, the one that makes the shortest call) and flagged. An hour that does not exist in spring means that the configured zone is wrong, and is flagged.

use crate::domain::{CallTimes, ReadTime, TimeReading, Timestamp};
use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The texts of a row's times, in the order in which they happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowTexts<'a> {
    /// `dtCallStart`.
    pub start: Option<&'a str>,
    /// `dtCallAlert`.
    pub alert: Option<&'a str>,
    /// `dtCallConnect`.
    pub connect: Option<&'a str>,
    /// `dtCallEnd`.
    pub end: Option<&'a str>,
    /// `dtCreatedDiallerContactsHistory`.
    pub created: Option<&'a str>,
}

/// When the rows with the next lower and the next higher history id of the same campaign were created:
/// ids are given in the order of creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// The row before.
    pub before: Option<Timestamp>,
    /// The row after.
    pub after: Option<Timestamp>,
}

/// A time as written: an instant, or a wall-clock reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// With `Z` or an offset.
    Instant(Timestamp),
    /// Without a zone.
    Local(NaiveDateTime),
}

/// Reads `YYYY-MM-DD`, `T` or a blank, `HH:MM:SS`, a fraction of any length up to nine digits (kept to
/// microseconds), and nothing, `Z` or an offset (`+02:00`, `+0200`). `None` for anything else.
pub fn parse(text: &str) -> Option<Written> {
    let text = text.trim();
    // A time of day follows a date of ten characters; asked before, because chrono would also take a
    // year of any length.
    if text.as_bytes().get(4) != Some(&b'-') || !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    let joined = format!("{date}T{time}");
    let local = ["%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&joined, format).ok());
    if let Some(local) = local {
        return Some(Written::Local(micros(local)));
    }
    let zoned =
        joined.strip_suffix(['Z', 'z']).map_or_else(|| joined.clone(), |front| format!("{front}+00:00"));
    let instant: DateTime<FixedOffset> = DateTime::parse_from_str(&zoned, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(Written::Instant(micros(instant.naive_utc()).and_utc()))
}

/// A leap second (`:60`) counts as the second before; the ledger keeps microseconds.
fn micros(at: NaiveDateTime) -> NaiveDateTime {
    let utc = at.and_utc();
    DateTime::<Utc>::from_timestamp_micros(utc.timestamp_micros()).unwrap_or(utc).naive_utc()
}

/// One time on its own, for fields that have no row around them.
pub fn resolve(zone: Tz, text: &str) -> Option<ReadTime> {
    let texts = RowTexts { start: Some(text), ..RowTexts::default() };
    resolve_row(zone, &texts, Neighbours::default()).start
}

/// The times of a row as instants.
pub fn resolve_row(zone: Tz, texts: &RowTexts<'_>, neighbours: Neighbours) -> CallTimes {
    let texts = [texts.start, texts.alert, texts.connect, texts.end, texts.created];
    let candidates = texts.map(|text| text.and_then(parse).map(|written| candidates(zone, written)));
    let all = choices(&candidates);
    let doubled = all.len() > 1;
    let ordered: Vec<Choice> = all.iter().copied().filter(is_ordered).collect();
    let placed: Vec<Choice> = ordered.iter().copied().filter(|c| fits(c, neighbours)).collect();
    // Where no choice fits, the evidence is worth nothing (a clock that was set back): it is not used.
    let by_row = if ordered.is_empty() { &all } else { &ordered };
    let by_order = if placed.is_empty() { by_row } else { &placed };
    let mut times = [None; 5];
    for (slot, time) in times.iter_mut().enumerate() {
        let Some(Candidates { first, how, .. }) = candidates[slot] else { continue };
        let agreed = |set: &[Choice]| {
            let at = set.first()?[slot]?;
            set.iter().all(|choice| choice[slot] == Some(at)).then_some(at)
        };
        *time = Some(match how {
            Some(how) => ReadTime { at: first, how },
            None if !doubled => ReadTime { at: first, how: TimeReading::First },
            None => agreed(by_row)
                .map(|at| ReadTime { at, how: TimeReading::ByRow })
                .or_else(|| agreed(by_order).map(|at| ReadTime { at, how: TimeReading::ByOrder }))
                .or_else(|| Some(ReadTime { at: likeliest(by_order)?[slot]?, how: TimeReading::First }))
                .unwrap_or(ReadTime { at: first, how: TimeReading::First }),
        });
    }
    let [start, alert, connect, end, created] = times;
    CallTimes { start, alert, connect, end, created }
}

/// What a written time may mean.
#[derive(Clone, Copy)]
struct Candidates {
    first: Timestamp,
    /// The second occurrence in the doubled hour.
    second: Option<Timestamp>,
    /// How it was read, unless it is doubled.
    how: Option<TimeReading>,
}

type Choice = [Option<Timestamp>; 5];

fn candidates(zone: Tz, written: Written) -> Candidates {
    let sure = |first, how| Candidates { first, second: None, how: Some(how) };
    match written {
        Written::Instant(at) => sure(at, TimeReading::Offset),
        Written::Local(local) => match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => sure(at.to_utc(), TimeReading::Plain),
            MappedLocalTime::Ambiguous(a, b) => Candidates {
                first: a.to_utc().min(b.to_utc()),
                second: Some(a.to_utc().max(b.to_utc())),
                how: None,
            },
            MappedLocalTime::None => sure(in_the_gap(zone, local), TimeReading::Gap),
        },
    }
}

/// A clock that was not put forward shows the time that its old offset gives.
fn in_the_gap(zone: Tz, local: NaiveDateTime) -> Timestamp {
    let before = local - TimeDelta::hours(6);
    match zone.from_local_datetime(&before).earliest() {
        Some(at) => at.to_utc() + TimeDelta::hours(6),
        None => local.and_utc(),
    }
}

/// Every way to read the doubled times together, earlier readings first: at most 2^5.
fn choices(candidates: &[Option<Candidates>; 5]) -> Vec<Choice> {
    let mut all: Vec<Choice> = vec![[None; 5]];
    for (slot, candidate) in candidates.iter().enumerate() {
        let Some(candidate) = candidate else { continue };
        all = all
            .into_iter()
            .flat_map(|choice| {
                [Some(candidate.first), candidate.second].into_iter().flatten().map(move |at| {
                    let mut choice = choice;
                    choice[slot] = Some(at);
                    choice
                })
            })
            .collect();
    }
    all
}

fn is_ordered(choice: &Choice) -> bool {
    let mut times = choice.iter().flatten();
    let Some(mut last) = times.next() else { return true };
    times.all(|at| at >= std::mem::replace(&mut last, at))
}

/// The one that makes the shortest call (none goes on for an hour while its row says a minute); of several the
/// earliest.
fn likeliest(choices: &[Choice]) -> Option<&Choice> {
    choices.iter().min_by_key(|choice| {
        let times = || choice.iter().flatten();
        times().max().zip(times().min()).map(|(last, first)| *last - *first)
    })
}

fn fits(choice: &Choice, neighbours: Neighbours) -> bool {
    let Some(created) = choice[4] else { return true };
    neighbours.before.is_none_or(|before| created >= before)
        && neighbours.after.is_none_or(|after| created <= after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn read(text: &str) -> (String, TimeReading) {
        let read = resolve(BERLIN, text).expect("readable");
        (read.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), read.how)
    }

    #[test]
    fn every_shape_of_the_api_family_is_read() {
        let noon = "2020-11-11T14:31:47.070000Z".to_owned();
        assert_eq!(read("2020-11-11T15:31:47.070"), (noon.clone(), TimeReading::Plain));
        assert_eq!(read("2020-11-11 15:31:47.07"), (noon.clone(), TimeReading::Plain));
        assert_eq!(read("2020-11-11T14:31:47.070000Z"), (noon.clone(), TimeReading::Offset));
        assert_eq!(read("2020-11-11T15:31:47.070+01:00"), (noon.clone(), TimeReading::Offset));
        assert_eq!(read("2020-11-11 15:31:47.070+0100"), (noon, TimeReading::Offset));
        assert_eq!(
            read("2030-01-01T00:00:00"),
            ("2029-12-31T23:00:00.000000Z".to_owned(), TimeReading::Plain)
        );
        assert_eq!(
            read("2022-07-08T11:33:18.900977Z"),
            ("2022-07-08T11:33:18.900977Z".to_owned(), TimeReading::Offset)
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2020-11-11",
            "15:31:47",
            "11.11.2020 15:31:47",
            "2020-13-01T00:00:00",
            "null",
            "é020-11-11T1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_gap_in_spring_is_flagged() {
        // 2026-03-29 02:30 does not exist in Berlin; with the old offset it is 01:30 UTC.
        assert_eq!(read("2026-03-29T02:30:00").1, TimeReading::Gap);
        assert_eq!(resolve(BERLIN, "2026-03-29T02:30:00").map(|r| r.at), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(read("2026-03-29T03:00:00").1, TimeReading::Plain);
    }

    #[test]
    fn the_rows_own_order_settles_the_doubled_hour() {
        // 02:55 until 02:05: only the first 02:55 and the second 02:05 are in order.
        let texts = RowTexts {
            start: Some("2026-10-25T02:55:00"),
            end: Some("2026-10-25T02:05:00"),
            created: Some("2026-10-25T02:05:20"),
            ..RowTexts::default()
        };
        let times = resolve_row(BERLIN, &texts, Neighbours::default());
        let expect = |text: &str| Some(ReadTime { at: at(text), how: TimeReading::ByRow });
        assert_eq!(times.start, expect("2026-10-25T00:55:00Z"));
        assert_eq!(times.end, expect("2026-10-25T01:05:00Z"));
        assert_eq!(times.created, expect("2026-10-25T01:05:20Z"));
    }

    #[test]
    fn the_campaigns_order_settles_what_the_row_cannot() {
        let texts = RowTexts {
            start: Some("2026-10-25T02:10:00"),
            end: Some("2026-10-25T02:15:00"),
            created: Some("2026-10-25T02:15:20"),
            ..RowTexts::default()
        };
        let alone = resolve_row(BERLIN, &texts, Neighbours::default());
        assert_eq!(
            alone.start,
            Some(ReadTime { at: at("2026-10-25T00:10:00Z"), how: TimeReading::First }),
            "nothing settles it: the first occurrence, flagged"
        );
        let early = Neighbours { before: None, after: Some(at("2026-10-25T00:40:00Z")) };
        let early = resolve_row(BERLIN, &texts, early);
        assert_eq!(early.start, Some(ReadTime { at: at("2026-10-25T00:10:00Z"), how: TimeReading::ByOrder }));
        let late = Neighbours { before: Some(at("2026-10-25T00:40:00Z")), after: None };
        let late = resolve_row(BERLIN, &texts, late);
        assert_eq!(
            late.created,
            Some(ReadTime { at: at("2026-10-25T01:15:20Z"), how: TimeReading::ByOrder })
        );
    }

    #[test]
    fn evidence_that_fits_nothing_is_not_used() {
        let texts = RowTexts {
            start: Some("2026-10-25T02:10:00"),
            end: Some("2026-10-25T01:00:00"),
            ..RowTexts::default()
        };
        let times = resolve_row(BERLIN, &texts, Neighbours::default());
        assert_eq!(times.start, Some(ReadTime { at: at("2026-10-25T00:10:00Z"), how: TimeReading::First }));
    }

    proptest! {
        /// Whatever the dialler wrote as local time around either night: a call's true instants are among
        /// the readings, a reading that claims to be sure is the true one, and order is kept.
        #[test]
        fn a_sure_reading_is_the_true_one(
            night in prop_oneof![Just("2026-10-24T20:00:00Z"), Just("2026-03-28T20:00:00Z")],
            start in 0_i64..10 * 3600,
            steps in proptest::array::uniform4(0_i64..1800),
            present in proptest::array::uniform4(any::<bool>()),
            gap_before in 0_i64..3600,
            gap_after in 0_i64..3600,
            neighbours in proptest::array::uniform2(any::<bool>()),
        ) {
            let mut instant = at(night) + TimeDelta::seconds(start);
            let mut truth = vec![Some(instant)];
            for (step, present) in steps.iter().zip(present) {
                instant += TimeDelta::seconds(*step);
                truth.push(present.then_some(instant));
            }
            let texts: Vec<Option<String>> = truth
                .iter()
                .map(|t| t.map(|t| t.with_timezone(&BERLIN).format("%Y-%m-%dT%H:%M:%S%.3f").to_string()))
                .collect();
            let row = RowTexts {
                start: texts[0].as_deref(), alert: texts[1].as_deref(), connect: texts[2].as_deref(),
                end: texts[3].as_deref(), created: texts[4].as_deref(),
            };
            let around = Neighbours {
                before: neighbours[0].then(|| instant - TimeDelta::seconds(gap_before)),
                after: neighbours[1].then(|| instant + TimeDelta::seconds(gap_after)),
            };
            let read = resolve_row(BERLIN, &row, around);
            let read = [read.start, read.alert, read.connect, read.end, read.created];
            for (truth, read) in truth.iter().zip(read) {
                prop_assert_eq!(truth.is_some(), read.is_some());
                let (Some(truth), Some(read)) = (truth, read) else { continue };
                prop_assert_ne!(read.how, TimeReading::Gap, "a true time is never in the gap");
                match read.how {
                    TimeReading::First => prop_assert!(
                        read.at == *truth || read.at + TimeDelta::hours(1) == *truth
                            || read.at == *truth + TimeDelta::hours(1)
                    ),
                    _ => prop_assert_eq!(read.at, *truth),
                }
            }
            let sequence: Vec<_> = read.iter().flatten().map(|r| r.at).collect();
            prop_assert!(sequence.is_sorted());
        }
    }
}
