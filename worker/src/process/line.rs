//! The lines between the worker and a long-lived process: an item in, its answer out.

use std::time::Duration;

use queue_api::{Body, ItemId, limits};
use queue_client::Lease;
use serde::{Deserialize, Serialize};

use crate::verdict::{Failure, Verdict, ack_with};

/// Longest answer in bytes: a result and an error at their limits, most of it escaped.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// Of an answer that makes no sense, so much is shown.
const SHOWN: usize = 200;

/// What is the same in each item's line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct About {
    pub(crate) queue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
}

/// An item as the process reads it.
#[derive(Serialize)]
struct Item<'a> {
    id: ItemId,
    #[serde(flatten)]
    body: &'a Body,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    priority: i16,
    enqueued: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'a str>,
    #[serde(flatten)]
    about: &'a About,
}

/// Writes an item's line into `line`, over what stood there.
pub(super) fn write(line: &mut Vec<u8>, lease: &Lease, about: &About) -> serde_json::Result<()> {
    line.clear();
    let item = Item {
        id: lease.id,
        body: &lease.body,
        attempt: lease.attempt,
        key: lease.key.as_deref(),
        group: lease.group.as_deref(),
        priority: lease.priority,
        enqueued: lease.enqueued,
        traceparent: lease.traceparent.as_deref(),
        tracestate: lease.tracestate.as_deref(),
        about,
    };
    serde_json::to_writer(&mut *line, &item)?;
    line.push(b'\n');
    Ok(())
}

/// What the process says became of its item.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    id: ItemId,
    #[serde(rename = "as")]
    verdict: queue_api::SettleAs,
    #[serde(default)]
    result: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    delay_ms: Option<u64>,
    #[serde(default)]
    exit_code: Option<i32>,
}

/// Reads the answer to this item; what is wrong with it otherwise.
pub(super) fn read(line: &[u8], item: ItemId) -> Result<Verdict, String> {
    let answer: Answer = serde_json::from_slice(line).map_err(|error| {
        let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
        format!("its answer makes no sense: {error}: {shown}")
    })?;
    if answer.id != item {
        return Err(format!("it answered for item {} instead", answer.id));
    }
    let Answer {
        id: _,
        verdict,
        result,
        error,
        delay_ms,
        exit_code,
    } = answer;
    let delay = delay_ms.map(Duration::from_millis);
    if delay.is_some_and(|delay| delay > limits::MAX_DURATION) {
        return Err("its answer asks for a delay of more than ten years".into());
    }
    let failure = |word: &str| Failure {
        error: error
            .filter(|error| !error.is_empty())
            .unwrap_or_else(|| format!("the process answered {word}")),
        exit_code,
    };
    Ok(match verdict {
        queue_api::SettleAs::Ack => match result {
            None => Verdict::done(),
            Some(serde_json::Value::String(text)) => ack_with(text.as_bytes()),
            Some(other) => ack_with(other.to_string().as_bytes()),
        },
        queue_api::SettleAs::Nack => Verdict::Nack(failure("nack"), delay),
        queue_api::SettleAs::Release => Verdict::Release(failure("release"), delay),
        queue_api::SettleAs::Dead => Verdict::Dead(failure("dead")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lease;

    #[tokio::test]
    async fn an_item_is_one_line_with_what_is_known_of_it() {
        let about = About {
            queue: "jobs".into(),
            run: None,
            step: Some("resize".into()),
        };
        let mut line = b"the last one".to_vec();
        write(&mut line, &lease("two\nlines"), &about).expect("JSON");
        let text = String::from_utf8(line).expect("text");
        assert_eq!(
            (text.matches('\n').count(), text.ends_with('\n')),
            (1, true)
        );
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "id": ITEM, "body": "two\nlines", "attempt": 3, "key": "user/42", "group": "customer a",
            "priority": -5, "enqueued": "2026-01-02T03:04:05Z", "queue": "jobs", "step": "resize",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1",
        });
        assert_eq!(read, expected);
    }

    const ITEM: &str = "0123456789abcdef0123456789abcdef";

    fn read_for(item: &str, rest: &str) -> Result<Verdict, String> {
        let line = format!(r#"{{"id":"{item}",{rest}}}"#);
        read(line.as_bytes(), ITEM.parse().expect("an id"))
    }

    fn ack(result: &str) -> Verdict {
        ack_with(result.as_bytes())
    }

    #[test]
    fn each_answer_is_a_verdict() {
        let second = Some(Duration::from_secs(1));
        let failure = |error: &str, exit_code| Failure {
            error: error.into(),
            exit_code,
        };
        for (rest, verdict) in [
            (r#""as":"ack""#, Verdict::done()),
            (r#""as":"ack","result":null"#, Verdict::done()),
            (r#""as":"ack","result":"text""#, ack("text")),
            (r#""as":"ack","result":{"a":[1,2]}"#, ack(r#"{"a":[1,2]}"#)),
            (
                r#""as":"nack","error":"no","delay_ms":1000"#,
                Verdict::Nack(failure("no", None), second),
            ),
            (
                r#""as":"nack""#,
                Verdict::Nack(failure("the process answered nack", None), None),
            ),
            (
                r#""as":"release","error":"later""#,
                Verdict::Release(failure("later", None), None),
            ),
            (
                r#""as":"dead","error":"never","exit_code":3"#,
                Verdict::Dead(failure("never", Some(3))),
            ),
        ] {
            assert_eq!(read_for(ITEM, rest), Ok(verdict), "{rest}");
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_shown() {
        for (rest, complaint) in [
            (r#""result":1"#, "missing field `as`"),
            (r#""as":"done""#, "unknown variant `done`"),
            (r#""as":"ack","results":1"#, "unknown field `results`"),
            (r#""as":"nack","delay_ms":-1"#, "invalid value"),
            (
                r#""as":"nack","delay_ms":999999999999"#,
                "more than ten years",
            ),
        ] {
            let error = read_for(ITEM, rest).expect_err(rest);
            assert!(error.contains(complaint), "{error}");
        }
        let id = ITEM.parse().expect("an id");
        let error = read(b"Traceback (most recent call last):", id).expect_err("no JSON");
        assert!(
            error.contains("makes no sense") && error.ends_with("call last):"),
            "{error}"
        );
        let long = read(&[b'x'; 10_000], id).expect_err("no JSON");
        assert!(long.len() < 400, "{}", long.len());
    }

    #[test]
    fn an_answer_for_another_item_is_none() {
        let other = "ffffffffffffffffffffffffffffffff";
        let error = read_for(other, r#""as":"ack""#).expect_err("another item");
        assert_eq!(error, format!("it answered for item {other} instead"));
    }

    #[test]
    fn a_result_too_large_is_an_error_and_not_half_a_result() {
        let rest = format!(r#""as":"ack","result":"{}""#, "x".repeat(64 * 1024 + 1));
        let verdict = read_for(ITEM, &rest).expect("an answer");
        assert!(matches!(verdict, Verdict::Nack(..)), "{verdict:?}");
    }
}
