//! How a CRM writes instants: in its filters and in its answers.

use crate::domain::Timestamp;
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use serde_json::Value;
use std::time::Duration;

/// The form of an instant on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    /// `2026-01-31T10:00:00Z`; with a fraction where the resolution is finer than a second.
    IsoZ,
    /// `2026-01-31T10:00:00+00:00`.
    IsoOffset,
    /// A strftime pattern without a zone, in UTC (`%Y-%m-%d %H:%M:%S`).
    Naive(String),
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

impl TimeForm {
    /// Reads a form's name or pattern.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "iso8601_z" => Ok(Self::IsoZ),
            "iso8601_offset" => Ok(Self::IsoOffset),
            "epoch_s" => Ok(Self::EpochSeconds),
            "epoch_ms" => Ok(Self::EpochMillis),
            pattern if pattern.contains('%') => {
                let form = Self::Naive(pattern.to_owned());
                let probe = DateTime::from_timestamp(1_769_853_600, 0).unwrap_or_default();
                let valid = !chrono::format::StrftimeItems::new(pattern)
                    .any(|item| matches!(item, chrono::format::Item::Error));
                let same = valid && form.read(&form.write(probe, Duration::from_secs(1))) == Ok(probe);
                if same {
                    Ok(form)
                } else {
                    Err("a strftime pattern with date and time to the second, as UTC")
                }
            }
            _ => {
                Err("iso8601_z, iso8601_offset, epoch_s, epoch_ms or a pattern such as \"%Y-%m-%d %H:%M:%S\"")
            }
        }
    }

    /// Writes an instant that was cut to `resolution` already.
    pub fn write(&self, at: Timestamp, resolution: Duration) -> Value {
        let fraction = match resolution.as_nanos() {
            1_000_000_000.. => "",
            1_000_000.. => "%.3f",
            _ => "%.6f",
        };
        match self {
            Self::IsoZ => Value::from(at.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}Z")).to_string()),
            Self::IsoOffset => {
                Value::from(at.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}+00:00")).to_string())
            }
            Self::Naive(pattern) => Value::from(at.format(pattern).to_string()),
            Self::EpochSeconds => Value::from(at.timestamp()),
            Self::EpochMillis => Value::from(at.timestamp_millis()),
        }
    }

    /// Reads an instant of an answer.
    ///
    /// # Errors
    /// What stands there is none in this form; the text holds no value.
    pub fn read(&self, value: &Value) -> Result<Timestamp, &'static str> {
        let number = || value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let text = value.as_str();
        match self {
            Self::IsoZ | Self::IsoOffset => {
                text.and_then(read_iso).ok_or("the modification time is no ISO 8601 time")
            }
            Self::Naive(pattern) => text
                .and_then(|text| read_naive(text, pattern))
                .ok_or("the modification time does not follow the connector's pattern"),
            Self::EpochSeconds => number()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .ok_or("the modification time is no number of seconds"),
            Self::EpochMillis => number()
                .and_then(DateTime::from_timestamp_millis)
                .ok_or("the modification time is no number of milliseconds"),
        }
    }
}

fn read_iso(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text)
        // Salesforce writes +0000.
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|at| at.to_utc())
        .ok()
}

fn read_naive(text: &str, pattern: &str) -> Option<Timestamp> {
    NaiveDateTime::parse_from_str(text, pattern)
        // The same CRM may answer with a fraction elsewhere (Odoo's webhooks do).
        .or_else(|_| NaiveDateTime::parse_from_str(text, &format!("{pattern}%.f")))
        .map(|at| at.and_utc())
        .ok()
}

/// What a filter must say so that everything modified at or after `since` is in the answer: cut down
/// to the resolution (the CRM's own times are cut too), and one resolution earlier where the CRM's
/// comparison is exclusive.
pub fn filter_from(since: Timestamp, resolution: Duration, exclusive: bool) -> Timestamp {
    let floor = cut(since, resolution);
    if exclusive { floor - delta(resolution) } else { floor }
}

/// Cuts an instant down to a multiple of `resolution`.
pub fn cut(at: Timestamp, resolution: Duration) -> Timestamp {
    let step = i64::try_from(resolution.as_micros()).unwrap_or(i64::MAX).max(1);
    let micros = at.timestamp_micros();
    DateTime::from_timestamp_micros(micros - micros.rem_euclid(step)).unwrap_or(at)
}

/// A span as chrono adds it.
pub fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn every_form_reads_what_it_writes() {
        let time = at("2026-03-01T23:59:58.123Z");
        for (name, written) in [
            ("iso8601_z", json!("2026-03-01T23:59:58.123Z")),
            ("iso8601_offset", json!("2026-03-01T23:59:58.123+00:00")),
            ("epoch_ms", json!(1_772_409_598_123_i64)),
        ] {
            let form = TimeForm::parse(name).unwrap();
            assert_eq!(form.write(time, Duration::from_millis(1)), written);
            assert_eq!(form.read(&written), Ok(time), "{name}");
        }
        let naive = TimeForm::parse("%Y-%m-%d %H:%M:%S").unwrap();
        assert_eq!(naive.write(time, Duration::from_secs(1)), json!("2026-03-01 23:59:58"));
        assert_eq!(naive.read(&json!("2026-03-01 23:59:58.5")), Ok(at("2026-03-01T23:59:58.5Z")));
        assert_eq!(TimeForm::EpochSeconds.read(&json!("1772409598")), Ok(at("2026-03-01T23:59:58Z")));
        assert!(naive.read(&json!(false)).is_err());
    }

    #[test]
    fn a_pattern_that_loses_the_time_is_none() {
        for text in ["%Y-%m-%d", "%Q", "%H:%M:%S", "rfc"] {
            assert!(TimeForm::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_begins_low_enough_for_a_coarse_and_for_an_exclusive_filter() {
        let since = at("2026-03-01T10:00:30.9Z");
        assert_eq!(filter_from(since, Duration::from_secs(1), false), at("2026-03-01T10:00:30Z"));
        assert_eq!(filter_from(since, Duration::from_secs(1), true), at("2026-03-01T10:00:29Z"));
        assert_eq!(filter_from(since, Duration::from_secs(60), false), at("2026-03-01T10:00:00Z"));
    }
}
