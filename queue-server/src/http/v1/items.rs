//! Enqueue: bytes become items.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use queue_api::limits::MAX_ENQUEUE_ITEMS;
use queue_api::{Code, Enqueued, EnqueuedItem, ItemId, NDJSON, QueueName, Settings, SettingsPatch};
use serde::Deserialize;

use super::Shared;
use crate::engine::{Fault, LiveQueue, check_sizes};
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnqueueQuery {
    /// Each text line is an item, instead of the whole body.
    #[serde(default)]
    lines: bool,
    /// Make the queue if there is none.
    #[serde(default)]
    create: bool,
    /// Seal the queue in the same step.
    #[serde(default)]
    seal: bool,
    /// Answer with the ids.
    #[serde(default = "yes")]
    ids: bool,
}

fn yes() -> bool {
    true
}

pub(super) async fn enqueue(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<EnqueueQuery>,
    headers: HeaderMap,
    Payload(bytes): Payload,
) -> Result<(StatusCode, Json<Enqueued>), ApiError> {
    if is_ndjson(&headers) {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "enqueue takes one item as the raw body, or one a text line with ?lines=true; it does not take NDJSON",
        ));
    }
    let bodies: Vec<&[u8]> = if query.lines {
        lines(&bytes).take(MAX_ENQUEUE_ITEMS + 1).collect()
    } else {
        vec![&bytes]
    };
    if bodies.len() > MAX_ENQUEUE_ITEMS {
        return Err(ApiError::new(
            Code::BodyTooLarge,
            format!("the request has more than {MAX_ENQUEUE_ITEMS} lines: send them in several"),
        ));
    }
    let into = async |queue: Arc<LiveQueue>| {
        let (first, _) = queue.enqueue(&bodies, query.seal).await?;
        Ok((queue.incarnation(), first))
    };
    let entered = match engine.queue(&name) {
        Ok(queue) => into(queue).await,
        Err(fault) => Err(fault),
    };
    let (incarnation, first) = match entered {
        Err(Fault::NoSuchQueue(_)) if query.create => {
            // Before the queue is made, so that a refused request leaves nothing behind.
            check_sizes(&name, &Settings::default(), &bodies)?;
            let patch = SettingsPatch::default();
            let entered = engine.in_a_queue(&name, &patch, |queue, _| into(queue));
            entered.await?.0
        }
        entered => entered?,
    };
    let count = bodies.len() as u64;
    let items = if query.ids {
        first.0..first.0 + count
    } else {
        0..0
    };
    let items = items.map(|seq| EnqueuedItem {
        id: ItemId::derive(incarnation, seq),
        duplicate: false,
    });
    let answer = Enqueued {
        items: items.collect(),
        count,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(NDJSON))
}

/// The lines of a text: ended by LF, one CR before it dropped, empty ones skipped.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_lf_and_loses_one_cr() {
        let text = b"a\nb\r\n\n\r\nc\r\r\n  \nlast";
        let items: Vec<&[u8]> = lines(text).collect();
        assert_eq!(items, [b"a".as_slice(), b"b", b"c\r", b"  ", b"last"]);
        assert_eq!(lines(b"").count(), 0);
    }
}
