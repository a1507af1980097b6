//! Dates: what a CRM writes into the dialler's local time without a zone.
//!
//! Read are `2026-05-01T10:00:00Z` (or with an offset), `2026-05-01 10:00:00` and
//! `2026-05-01T10:00:00` (naive: UTC, as CRMs store it), each with or without seconds and fractions, and
//! `2026-05-01` (a day: midnight in the dialler's zone, not shifted). From UTC to local time nothing is
//! ambiguous in itself, but in the doubled hour of autumn two instants get the same local text: the
//! dialler's form has no place for the difference. A local midnight that the spring gap swallowed
//! becomes the first moment after the gap.

use chrono::{DateTime, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Timelike};
use chrono_tz::Tz;

/// The form in which the dialler takes times.
const DIALLER_FORM: &str = "%Y-%m-%dT%H:%M:%S";

/// Longer texts are no date.
const MAX_INPUT_BYTES: usize = 64;

/// A CRM's date or time as an instant in the dialler's zone; `None` if it is neither.
///
/// `naive_zone`: the zone in which a time without one was written (UTC unless the expression says
/// otherwise). In that zone's doubled hour the first occurrence is taken, in its gap the moment after.
pub fn parse(text: &str, zone: Tz, naive_zone: Tz) -> Option<DateTime<Tz>> {
    let text = text.trim();
    if text.len() > MAX_INPUT_BYTES {
        return None;
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.with_timezone(&zone));
    }
    if let Ok(instant) = DateTime::<FixedOffset>::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(instant.with_timezone(&zone));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return local(day.and_hms_opt(0, 0, 0)?, zone);
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(local(naive, naive_zone)?.with_timezone(&zone))
}

/// Writes an instant as the dialler takes it.
pub fn dialler_form(instant: &DateTime<Tz>) -> String {
    instant.format(DIALLER_FORM).to_string()
}

/// Whether `format` is a usable pattern (`%d.%m.%Y`); checked when the config is read, because a bad
/// pattern makes the writing of a date fail.
pub fn is_format(format: &str) -> bool {
    chrono::format::StrftimeItems::new(format).all(|item| item != chrono::format::Item::Error)
}

fn local(naive: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant),
        LocalResult::None => {
            // Gaps begin and end at quarters of an hour and none is longer than a day, so the first
            // quarter that exists is the gap's end.
            let quarter = naive.with_minute(naive.minute() / 15 * 15)?.with_second(0)?.with_nanosecond(0)?;
            (1..=96)
                .filter_map(|n| quarter.checked_add_signed(Duration::minutes(15 * n)))
                .find_map(|later| zone.from_local_datetime(&later).earliest())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn berlin(text: &str) -> Option<String> {
        parse(text, chrono_tz::Europe::Berlin, chrono_tz::UTC).map(|instant| dialler_form(&instant))
    }

    #[test]
    fn utc_becomes_local_time() {
        for (text, expected) in [
            ("2026-05-01 10:00:00", "2026-05-01T12:00:00"),
            ("2026-01-01 10:00:00", "2026-01-01T11:00:00"),
            ("2026-05-01T10:00:00Z", "2026-05-01T12:00:00"),
            ("2026-05-01T10:00:00.123+02:00", "2026-05-01T10:00:00"),
            ("2026-05-01T10:00:00.000+0000", "2026-05-01T12:00:00"),
            ("2026-05-01T10:00", "2026-05-01T12:00:00"),
            ("2026-05-01", "2026-05-01T00:00:00"),
            // Both occurrences of the doubled hour get the same text.
            ("2026-10-25 00:30:00", "2026-10-25T02:30:00"),
            ("2026-10-25 01:30:00", "2026-10-25T02:30:00"),
        ] {
            assert_eq!(berlin(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "tomorrow", "01.05.2026", "2026-13-01", "2026-05-01 25:00:00", &"2".repeat(100)] {
            assert_eq!(berlin(text), None, "{text}");
        }
    }

    #[test]
    fn a_midnight_in_a_gap_becomes_the_moment_after_it() {
        let text = parse("2019-03-31", chrono_tz::Asia::Beirut, chrono_tz::UTC).map(|t| dialler_form(&t));
        assert_eq!(text.as_deref(), Some("2019-03-31T01:00:00"));
    }

    #[test]
    fn a_naive_time_of_another_zone() {
        let zone = chrono_tz::Europe::Berlin;
        let in_gap = parse("2026-03-29 02:37:12", zone, zone).map(|t| dialler_form(&t));
        assert_eq!(in_gap.as_deref(), Some("2026-03-29T03:00:00"));
        let usual = parse("2026-05-01 10:00:00", zone, zone).map(|t| dialler_form(&t));
        assert_eq!(usual.as_deref(), Some("2026-05-01T10:00:00"));
    }

    #[test]
    fn patterns_are_checked() {
        assert!(is_format("%d.%m.%Y"));
        assert!(!is_format("%Q"));
    }

    proptest! {
        #[test]
        fn what_was_written_with_its_offset_is_read_as_the_same(seconds in 0i64..4_000_000_000) {
            let utc = DateTime::from_timestamp(seconds, 0).unwrap();
            let zone = chrono_tz::Europe::Berlin;
            let first = parse(&utc.to_rfc3339(), zone, chrono_tz::UTC).unwrap();
            let again = parse(&first.to_rfc3339(), zone, chrono_tz::UTC).unwrap();
            prop_assert_eq!(first, again);
            prop_assert_eq!(first.with_timezone(&chrono_tz::UTC).timestamp(), seconds);
        }
    }
}
