//! Enqueue: bytes become items.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::Response;
use queue_api::limits::MAX_ENQUEUE_ITEMS;
use queue_api::{Code, Enqueued, NDJSON, QueueName, Settings, SettingsPatch};
use serde::Deserialize;

use super::Shared;
use crate::engine::{Entry, Fault, Incoming, LiveQueue, check_sizes};
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload};
use crate::http::openapi::{Enqueues, OneQueue, Raw};
use crate::http::{answer, json};

/// Bytes of an answer beside its ids, and of each id with what is around it.
const AROUND_IDS: usize = 48;
const EACH_ID: usize = 64;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
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

#[utoipa::path(
    method(post, put), path = "/v1/queues/{queue}/items", tag = "items", operation_id = "enqueue",
    summary = "Enqueue one item, or many",
    params(OneQueue, EnqueueQuery),
    request_body(
        description = "One item as it is, or with `lines` one a text line; or one JSON object a line",
        content((Option<Raw> = "application/octet-stream"), (Option<String> = "application/x-ndjson"))
    ),
    responses(
        (status = 201, description = "All of them are in the queue", body = Enqueued),
        Enqueues,
    )
)]
pub(super) async fn enqueue(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<EnqueueQuery>,
    form: Form,
    payload: Payload,
) -> Result<Response, ApiError> {
    if form == Form::Ndjson {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "enqueue takes one item as the raw body, or one a text line with ?lines=true; it does not take NDJSON",
        ));
    }
    let entries: Vec<Entry<'_>> = if query.lines {
        let lines = lines(payload.bytes()).take(MAX_ENQUEUE_ITEMS + 1);
        lines.map(Entry::plain).collect()
    } else {
        vec![Entry::plain(payload.bytes())]
    };
    let incoming = Incoming {
        seal: query.seal,
        ..Incoming::of(&entries)
    };
    if entries.len() > MAX_ENQUEUE_ITEMS {
        return Err(ApiError::new(
            Code::BodyTooLarge,
            format!("the request has more than {MAX_ENQUEUE_ITEMS} lines: send them in several"),
        ));
    }
    let into = async |queue: Arc<LiveQueue>| {
        let entered = queue.enqueue(incoming).await?;
        Ok((queue.incarnation(), entered.first))
    };
    let entered = match engine.queue(&name) {
        Ok(queue) => into(queue).await,
        Err(fault) => Err(fault),
    };
    let (incarnation, first) = match entered {
        Err(Fault::NoSuchQueue(_)) if query.create => {
            // Before the queue is made, so that a refused request leaves nothing behind.
            check_sizes(&name, &Settings::default(), &entries)?;
            let patch = SettingsPatch::default();
            let entered = engine.in_a_queue(&name, &patch, |queue, _| into(queue));
            entered.await?.0
        }
        entered => entered?,
    };
    let count = entries.len() as u64;
    let named = if query.ids { count } else { 0 };
    let text = enqueued(incarnation, first.0..first.0 + named, count);
    Ok(answer::json(StatusCode::CREATED, text))
}

/// [`queue_api::Enqueued`] of new items, as serde would write it.
fn enqueued(incarnation: u64, ids: Range<u64>, count: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(AROUND_IDS + EACH_ID * (ids.end - ids.start) as usize);
    text.push(b'{');
    for (at, sequence) in ids.clone().enumerate() {
        let begin: &[u8] = if at == 0 {
            br#""items":[{"id":"#
        } else {
            br#",{"id":"#
        };
        text.extend_from_slice(begin);
        json::item_id(incarnation, sequence, &mut text);
        text.extend_from_slice(br#","duplicate":false}"#);
    }
    if !ids.is_empty() {
        text.extend_from_slice(b"],");
    }
    text.extend_from_slice(br#""count":"#);
    json::number(count, &mut text);
    text.push(b'}');
    text
}

/// What the body of an enqueue is by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object a line.
    Ndjson,
    /// Whatever it likes.
    Raw,
}

/// Read off the head, so that the call does not hold on to all headers and the buffer they lie in.
impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let content_type = parts.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next());
        let is_ndjson = essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(NDJSON));
        Ok(if is_ndjson { Self::Ndjson } else { Self::Raw })
    }
}

/// The lines of a text: ended by LF, one CR before it dropped, empty ones skipped.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use queue_api::{EnqueuedItem, ItemId};

    use super::*;

    #[test]
    fn a_line_ends_at_lf_and_loses_one_cr() {
        let text = b"a\nb\r\n\n\r\nc\r\r\n  \nlast";
        let items: Vec<&[u8]> = lines(text).collect();
        assert_eq!(items, [b"a".as_slice(), b"b", b"c\r", b"  ", b"last"]);
        assert_eq!(lines(b"").count(), 0);
    }

    #[test]
    fn the_answer_is_as_serde_writes_it() {
        for (first, named, count) in [(0, 1, 1), (u64::MAX - 9, 3, 3), (5, 0, 1_000)] {
            let items = (first..first + named).map(|sequence| EnqueuedItem {
                id: ItemId::derive(0x0123_4567_89ab_cdef, sequence),
                duplicate: false,
            });
            let items = items.collect();
            let serdes = serde_json::to_string(&Enqueued { items, count }).expect("JSON");
            let ours = enqueued(0x0123_4567_89ab_cdef, first..first + named, count);
            assert_eq!(String::from_utf8(ours).expect("text"), serdes);
        }
    }
}
