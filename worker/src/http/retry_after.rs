//! The header `Retry-After`: seconds, or a date.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use queue_api::limits;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long the answer asks to wait, if it says so in a way that makes sense. A date counts from the
/// answer's own date, so that two clocks which differ do no harm; without one it is not heeded.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let wait = date(headers, &RETRY_AFTER)?.duration_since(date(headers, &DATE)?);
            Duration::try_from(wait).unwrap_or(Duration::ZERO)
        }
    };
    Some(asked.min(limits::MAX_DURATION))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn read_from(retry_after: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        read(&headers)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let noon = Some("Sun, 06 Nov 1994 12:00:00 GMT");
        let half_past = "Sun, 06 Nov 1994 12:30:00 GMT";
        for (retry_after, date, seconds) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            (half_past, noon, Some(1_800)),
            ("Sun, 06 Nov 1994 11:00:00 GMT", noon, Some(0)),
            (half_past, None, None),
            ("soon", noon, None),
            ("-1", noon, None),
        ] {
            let wait = read_from(retry_after, date);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{retry_after}");
        }
        assert_eq!(
            read_from("99999999999", None),
            Some(limits::MAX_DURATION),
            "no longer than a queue delays an item"
        );
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
