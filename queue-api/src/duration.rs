//! Durations as people write them: `1500` (milliseconds), `30s`, `10m`, `1h30m`.

use core::fmt;
use core::time::Duration;

use crate::limits;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError {
    text: String,
    rule: &'static str,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, rule } = self;
        write!(f, "`{text}` is not a duration: {rule}")
    }
}

impl core::error::Error for DurationError {}

/// Reads a duration: a bare number is milliseconds, else number-unit pairs of `ms s m h d`, largest
/// first as one likes. Bounded by [`limits::MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let rule = "write milliseconds, or units such as 500ms, 30s, 10m, 1h30m, 7d (at most 10 years)";
    bounded(text).ok_or_else(|| DurationError::new(text, rule))
}

/// Reads a duration that names its unit, for command lines: whoever writes `--grace 60` means
/// seconds. Only 0 needs none.
pub fn parse_duration_with_unit(text: &str) -> Result<Duration, DurationError> {
    let rule = "write it with its unit, such as 500ms, 30s, 10m, 1h30m, 7d (at most 10 years)";
    let bare = text.bytes().all(|b| b.is_ascii_digit());
    bounded(text)
        .filter(|duration| !bare || duration.is_zero())
        .ok_or_else(|| DurationError::new(text, rule))
}

impl DurationError {
    fn new(text: &str, rule: &'static str) -> Self {
        let text = text.chars().take(64).collect();
        Self { text, rule }
    }
}

fn bounded(text: &str) -> Option<Duration> {
    read(text).filter(|duration| *duration <= limits::MAX_DURATION)
}

fn read(text: &str) -> Option<Duration> {
    if let Ok(millis) = text.parse::<u64>() {
        return (!text.starts_with('+')).then_some(Duration::from_millis(millis));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let unit_ms: u64 = match &after[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit_ms)?))?;
        rest = &after[letters..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [
            ("0", 0),
            ("1500", 1_500),
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_command_line_names_the_unit() {
        assert_eq!(parse_duration_with_unit("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration_with_unit("0"), Ok(Duration::ZERO));
        let error = parse_duration_with_unit("60").unwrap_err().to_string();
        assert!(error.contains("unit"), "{error}");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "-1",
            "+1",
            "1.5s",
            "30 s",
            "1w",
            "99999999999999999999",
            "3651d",
            "١s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
