//! Enqueue: bytes become items.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use queue_api::limits::MAX_ENQUEUE_ITEMS;
use queue_api::{
    Code, Enqueued, IDEMPOTENCY_REPLAYED, LeaseToken, NDJSON, QueueName, Settings, SettingsPatch,
    Trace,
};
use serde::Deserialize;

use super::options::Given;
use super::repeat::{Key, Mode, digest};
use super::{Shared, ndjson};
use crate::engine::{Engine, Entered, Entry, Fault, Idempotent, Incoming, LiveQueue, check_sizes};
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload, duration};
use crate::http::openapi::{Enqueues, OneQueue, Raw};
use crate::http::{answer, json, trace};

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
    /// Not lent before so many milliseconds have passed.
    #[serde(default, deserialize_with = "duration")]
    #[param(value_type = Option<u64>, maximum = 315_360_000_000_u64)]
    delay_ms: Option<Duration>,
    /// Lent before items of a lower one; default 0.
    #[param(minimum = -32_768, maximum = 32_767)]
    priority: Option<i16>,
    /// Unique key; only where the body is one item.
    #[param(
        min_length = 1,
        max_length = 255,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    key: Option<String>,
    /// Items of a group take turns with those of the others.
    #[param(
        min_length = 1,
        max_length = 255,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    group: Option<String>,
    /// Ends as expired unless it is lent within so many milliseconds.
    #[serde(default, deserialize_with = "duration")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 315_360_000_000_u64)]
    ttl_ms: Option<Duration>,
    /// A live lease of the same queue, in whose name the items come in even where it is sealed.
    lease: Option<LeaseToken>,
}

fn yes() -> bool {
    true
}

impl EnqueueQuery {
    /// What it says of every item, checked.
    fn given(&mut self, mode: Mode, trace: Option<Trace>) -> Result<Given, ApiError> {
        if self.key.is_some() && mode != Mode::Raw {
            return Err(ApiError::bad_request(
                "`key` in the query would be the key of every item: give each line its own",
            ));
        }
        let given = Given {
            delay: self.delay_ms,
            priority: self.priority,
            key: self.key.take().map(Arc::from),
            group: self.group.take().map(Arc::from),
            ttl: self.ttl_ms,
            trace: trace.map(|trace| Arc::clone(trace.text())),
        };
        given.check()?;
        Ok(given)
    }
}

/// What the head of an enqueue may say of it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "never made: it is there to be described")]
pub(super) struct EnqueueHeaders {
    /// Names the request: sent again, it is answered again and does nothing.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]*$"
    )]
    idempotency_key: Option<String>,
    /// W3C trace context: goes with the items, and is told to whoever gets one. One that is not well
    /// formed is passed over.
    traceparent: Option<String>,
    /// What tracing systems add to it.
    tracestate: Option<String>,
}

#[utoipa::path(
    method(post, put), path = "/v1/queues/{queue}/items", tag = "items", operation_id = "enqueue",
    summary = "Enqueue one item, or many",
    params(OneQueue, EnqueueQuery, EnqueueHeaders),
    request_body(
        description = "One item as it is, or with `lines` one a text line; or one JSON object a line",
        content((Option<Raw> = "application/octet-stream"), (Option<String> = "application/x-ndjson"))
    ),
    responses(
        (status = 201, description = "All of them are in the queue", body = Enqueued, headers(("idempotency-replayed" = bool, description = "`true` where the answer repeats an earlier one"))),
        Enqueues,
    )
)]
pub(super) async fn enqueue(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<EnqueueQuery>,
    head: Head,
    payload: Payload,
) -> Result<Response, ApiError> {
    enter(&engine, &name, query, head, &payload).await
}

/// Has the items of a request enter their queue.
pub(super) async fn enter(
    engine: &Engine,
    name: &QueueName,
    mut query: EnqueueQuery,
    head: Head,
    payload: &Payload,
) -> Result<Response, ApiError> {
    let mode = mode(head.is_ndjson, query.lines)?;
    let given = query.given(mode, head.trace)?;
    let shared = given.options();
    let shared = shared.as_ref();
    let items;
    let entries: Vec<Entry<'_>> = match mode {
        Mode::Raw => vec![Entry {
            body: payload.bytes(),
            options: shared,
        }],
        Mode::Lines => {
            let entry = |body| Entry {
                body,
                options: shared,
            };
            lines(payload.bytes())
                .take(MAX_ENQUEUE_ITEMS + 1)
                .map(entry)
                .collect()
        }
        Mode::Ndjson => {
            // On the heap: the calls that have no lines would have a place for it, too.
            items = Box::pin(ndjson::read(payload.bytes(), &given)).await?;
            items.entries(shared)
        }
    };
    if entries.len() > MAX_ENQUEUE_ITEMS {
        return Err(too_many());
    }
    let idempotent = head.key.as_ref().map(|Key(key)| Idempotent {
        key,
        digest: digest(mode, query.seal, shared, payload.bytes()),
    });
    let into = async |queue: Arc<LiveQueue>| {
        let incoming = Incoming {
            entries: &entries,
            seal: query.seal,
            under: query.lease.as_ref(),
            idempotent,
        };
        let entered = queue.enqueue(incoming).await?;
        Ok((queue.incarnation(), entered))
    };
    let entered = match engine.queue(name) {
        Ok(queue) => into(queue).await,
        Err(fault) => Err(fault),
    };
    let (incarnation, entered) = match entered {
        // Before the queue is made, so that a refused request leaves nothing behind.
        Err(Fault::NoSuchQueue(_)) if query.create && query.lease.is_some() => {
            return Err(Fault::LeaseLost.into());
        }
        Err(Fault::NoSuchQueue(_)) if query.create => {
            check_sizes(name, &Settings::default(), &entries)?;
            let patch = SettingsPatch::default();
            let entered = engine.in_a_queue(name, &patch, |queue, _| into(queue));
            // Rare, and every call would have a place for it.
            Box::pin(entered).await?.0
        }
        entered => entered?,
    };
    let text = enqueued(incarnation, &entered, query.ids);
    let mut response = answer::json(StatusCode::CREATED, text);
    if entered.replayed {
        let name = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn mode(is_ndjson: bool, lines: bool) -> Result<Mode, ApiError> {
    match (is_ndjson, lines) {
        (false, false) => Ok(Mode::Raw),
        (false, true) => Ok(Mode::Lines),
        (true, false) => Ok(Mode::Ndjson),
        (true, true) => Err(ApiError::bad_request(
            "the request is NDJSON by its content type and text lines by its query: choose one",
        )),
    }
}

pub(super) fn too_many() -> ApiError {
    let detail =
        format!("the request has more than {MAX_ENQUEUE_ITEMS} items: send them in several");
    ApiError::new(Code::BodyTooLarge, detail)
}

/// [`queue_api::Enqueued`], as serde would write it.
fn enqueued(incarnation: u64, entered: &Entered, ids: bool) -> Vec<u8> {
    let count = entered.count + entered.duplicates.len() as u64;
    let named = if ids { count as usize } else { 0 };
    let mut text = Vec::with_capacity(AROUND_IDS + EACH_ID * named);
    text.push(b'{');
    for (at, (seq, duplicate)) in entered.places().take(named).enumerate() {
        let begin: &[u8] = if at == 0 {
            br#""items":[{"id":"#
        } else {
            br#",{"id":"#
        };
        text.extend_from_slice(begin);
        json::item_id(incarnation, seq.0, &mut text);
        text.extend_from_slice(if duplicate {
            br#","duplicate":true}"#
        } else {
            br#","duplicate":false}"#
        });
    }
    if named > 0 {
        text.extend_from_slice(b"],");
    }
    text.extend_from_slice(br#""count":"#);
    json::number(count, &mut text);
    text.push(b'}');
    text
}

/// What the head of an enqueue says of its body. Read off it at once, so that the call does not hold on
/// to all headers and the buffer they lie in.
pub(super) struct Head {
    is_ndjson: bool,
    key: Option<Key>,
    trace: Option<Trace>,
}

impl<S: Sync> FromRequestParts<S> for Head {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.headers)
    }
}

impl Head {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self {
            is_ndjson: is_ndjson(headers),
            key: Key::of(headers)?,
            trace: trace::of(headers),
        })
    }
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
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
    use queue_api::{EnqueuedItem, ItemId};
    use queue_core::{Seq, Time};

    use super::*;

    const INCARNATION: u64 = 0x0123_4567_89ab_cdef;

    #[test]
    fn a_line_ends_at_lf_and_loses_one_cr() {
        let text = b"a\nb\r\n\n\r\nc\r\r\n  \nlast";
        let items: Vec<&[u8]> = lines(text).collect();
        assert_eq!(items, [b"a".as_slice(), b"b", b"c\r", b"  ", b"last"]);
        assert_eq!(lines(b"").count(), 0);
    }

    fn entered(first: u64, count: u64, duplicates: &[(usize, u64)]) -> Entered {
        let duplicate = |&(at, sequence): &(usize, u64)| (at, Seq(sequence));
        Entered {
            first: Seq(first),
            count,
            duplicates: duplicates.iter().map(duplicate).collect(),
            replayed: false,
            at: Time(0),
        }
    }

    fn serdes(items: &[(u64, bool)], count: u64) -> String {
        let item = |&(sequence, duplicate): &(u64, bool)| EnqueuedItem {
            id: ItemId::derive(INCARNATION, sequence),
            duplicate,
        };
        let items = items.iter().map(item).collect();
        serde_json::to_string(&Enqueued { items, count }).expect("JSON")
    }

    #[test]
    fn the_answer_is_as_serde_writes_it() {
        let plain = |first: u64, count: u64| -> Vec<_> {
            (first..first + count).map(|n| (n, false)).collect()
        };
        for (entered, items) in [
            (entered(0, 0, &[]), vec![]),
            (entered(0, 1, &[]), plain(0, 1)),
            (entered(u64::MAX - 9, 3, &[]), plain(u64::MAX - 9, 3)),
            (entered(9, 0, &[(0, 4)]), vec![(4, true)]),
            (
                entered(9, 2, &[(0, 4), (2, 9), (3, 9)]),
                vec![(4, true), (9, false), (9, true), (9, true), (10, false)],
            ),
        ] {
            let ours = |ids| String::from_utf8(enqueued(INCARNATION, &entered, ids)).expect("text");
            assert_eq!(ours(true), serdes(&items, items.len() as u64));
            assert_eq!(ours(false), serdes(&[], items.len() as u64));
        }
    }
}
