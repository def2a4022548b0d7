//! What an enqueue may say of an item besides its body.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::encoding::Body;
use crate::limits;

/// The options of an item. Every field may be absent.
///
/// In the query of an enqueue they hold for its item, or, where it brings many, for each of them that
/// does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Not lent before so many milliseconds have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Lent before items of a lower one; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i16>,
    /// Unique key: while an item with it is ready, delayed or leased, and for the queue's
    /// `key_window_ms` after that was enqueued, another is a duplicate and not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Items of a group take turns with those of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Ends as `expired` unless it is lent within so many milliseconds of the enqueue, or done later
    /// by whoever held it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// A line of an enqueue of `application/x-ndjson`, as a client writes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NewItem {
    /// The item itself.
    #[serde(flatten)]
    pub body: Body,
    /// Its options.
    #[serde(flatten)]
    pub options: Options,
}

impl<T: Into<Body>> From<T> for NewItem {
    /// An item without options.
    fn from(body: T) -> Self {
        Self {
            body: body.into(),
            options: Options::default(),
        }
    }
}

/// Why options are refused: the field and the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionsError {
    field: &'static str,
    rule: String,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option `{}` {}", self.field, self.rule)
    }
}

impl core::error::Error for OptionsError {}

impl Options {
    /// Whether each option is within its limits.
    pub fn check(&self) -> Result<(), OptionsError> {
        if let Some(key) = &self.key {
            check_key(key)?;
        }
        if let Some(group) = &self.group {
            check_group(group)?;
        }
        if let Some(delay_ms) = self.delay_ms {
            check_delay(Duration::from_millis(delay_ms))?;
        }
        self.ttl_ms
            .map_or(Ok(()), |ttl_ms| check_ttl(Duration::from_millis(ttl_ms)))
    }
}

/// Whether a text may be a unique key: 1 to [`limits::MAX_KEY_BYTES`] bytes without control characters.
pub fn check_key(key: &str) -> Result<(), OptionsError> {
    check_text("key", key, limits::MAX_KEY_BYTES)
}

/// Whether a text may name a group: 1 to [`limits::MAX_GROUP_BYTES`] bytes without control characters.
pub fn check_group(group: &str) -> Result<(), OptionsError> {
    check_text("group", group, limits::MAX_GROUP_BYTES)
}

/// Whether an item may be delayed so long: at most [`limits::MAX_DURATION`].
pub fn check_delay(delay: Duration) -> Result<(), OptionsError> {
    check_span("delay_ms", delay, Duration::ZERO)
}

/// Whether an item may live so long: a millisecond to [`limits::MAX_DURATION`].
pub fn check_ttl(ttl: Duration) -> Result<(), OptionsError> {
    check_span("ttl_ms", ttl, Duration::from_millis(1))
}

fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), OptionsError> {
    let rule = if text.is_empty() {
        format!("is empty: give 1 to {most} bytes, or leave it out")
    } else if text.len() > most {
        format!("has {} bytes: give at most {most}", text.len())
    } else if text.chars().any(char::is_control) {
        "holds a control character: give text without any".into()
    } else {
        return Ok(());
    };
    Err(OptionsError { field, rule })
}

fn check_span(field: &'static str, span: Duration, least: Duration) -> Result<(), OptionsError> {
    let most = limits::MAX_DURATION;
    if (least..=most).contains(&span) {
        return Ok(());
    }
    let (span, least, most) = (span.as_millis(), least.as_millis(), most.as_millis());
    let rule = format!("is {span}: give {least} to {most}");
    Err(OptionsError { field, rule })
}

/// For fields that are absent where they are 0.
pub(crate) fn is_zero(priority: &i16) -> bool {
    *priority == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_body_and_the_options_that_are_given() {
        let mut item = NewItem::from("a");
        assert_eq!(json(&item), r#"{"body":"a"}"#);
        item.options.priority = Some(-3);
        item.options.key = Some("k".into());
        assert_eq!(json(&item), r#"{"body":"a","priority":-3,"key":"k"}"#);
        let binary = NewItem::from(vec![0xff]);
        assert_eq!(json(&binary), r#"{"body_base64":"/w=="}"#);
    }

    fn json(item: &NewItem) -> String {
        serde_json::to_string(item).expect("json")
    }

    #[test]
    fn an_option_is_refused_one_past_its_limit() {
        let longest = limits::MAX_DURATION.as_millis() as u64;
        for (good, bad, field) in [
            (key("k".repeat(255)), key("k".repeat(256)), "key"),
            (key("é".repeat(127)), key("é".repeat(128)), "key"),
            (key("a b"), key("a\tb"), "key"),
            (key(" "), key(""), "key"),
            (group("g".repeat(255)), group("g".repeat(256)), "group"),
            (group("ü"), group("\u{85}"), "group"),
            (ttl(1), ttl(0), "ttl_ms"),
            (ttl(longest), ttl(longest + 1), "ttl_ms"),
            (delay(0), delay(longest + 1), "delay_ms"),
            (delay(longest), delay(u64::MAX), "delay_ms"),
        ] {
            assert_eq!(good.check(), Ok(()));
            let error = bad.check().expect_err(field).to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    fn key(key: impl Into<String>) -> Options {
        Options {
            key: Some(key.into()),
            ..Options::default()
        }
    }

    fn group(group: impl Into<String>) -> Options {
        Options {
            group: Some(group.into()),
            ..Options::default()
        }
    }

    fn ttl(ttl_ms: u64) -> Options {
        Options {
            ttl_ms: Some(ttl_ms),
            ..Options::default()
        }
    }

    fn delay(delay_ms: u64) -> Options {
        Options {
            delay_ms: Some(delay_ms),
            ..Options::default()
        }
    }
}
