//! Spans of time as a config writes them: a whole number and one unit.

use std::time::Duration;

/// What [`parse`] takes, for error texts.
pub const EXPECTED: &str = "a span of time such as \"90s\", \"15m\", \"2h\" or \"7d\"";

/// Reads `90s`, `15m`, `2h` or `7d`. No fraction, no sign, no blank, no second unit: one way to
/// write a thing is one way to misread it less.
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

/// Writes a span the way [`parse`] reads it, in the largest unit that fits without a rest.
pub fn write(span: Duration) -> String {
    let seconds = span.as_secs();
    match [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        for text in ["90s", "15m", "2h", "7d", "0s", "1s"] {
            assert_eq!(parse(text).map(write).as_deref(), Some(text));
        }
        for text in ["", "s", "90", "1.5h", "-1s", "1 h", "1h30m", "90S", "5ü", "99999999999999999999d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
