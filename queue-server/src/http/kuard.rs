//! kuard's MemQ API, as its server answers it: a client that knows only this notices no difference.
//!
//! Delivery is acknowledgement here (at most once), `drain` means purge, and errors are plain text.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use queue_api::{ItemId, QueueName};
use queue_core::{Refusal, Seq, Time};

use super::error::ApiError;
use crate::engine::{Engine, Fault, LiveQueue, MassPurge, timestamp};

type Shared = State<Arc<Engine>>;

pub(super) fn routes() -> Router<Arc<Engine>> {
    Router::new()
        .route("/stats", get(stats))
        .route("/queues/{queue}", put(create).merge(delete(remove)))
        .route("/queues/{queue}/enqueue", post(enqueue))
        .route("/queues/{queue}/dequeue", post(dequeue))
        .route("/queues/{queue}/drain", post(drain))
        .fallback(async || Refused(StatusCode::NOT_FOUND, "404 page not found".into()))
        .method_not_allowed_fallback(async || {
            Refused(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed".into())
        })
}

/// An error as kuard says it: a line of text.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, text) = self;
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (status, headers, text + "\n").into_response();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let text = match &fault {
            Fault::NoSuchQueue(_) | Fault::Deleted(_) => "does not exist".to_owned(),
            Fault::QueueExists(_) => "already exists".to_owned(),
            Fault::Refused {
                refusal: Refusal::Sealed,
                ..
            } => "sealed".to_owned(),
            // Nothing of kuard's says these; their status tells a client to wait or to give up.
            other => {
                let status = StatusCode::from_u16(other.code().status());
                return Self(status.unwrap_or(StatusCode::BAD_REQUEST), other.to_string());
            }
        };
        Self(StatusCode::BAD_REQUEST, text)
    }
}

fn find(engine: &Engine, name: &str) -> Result<Arc<LiveQueue>, Refused> {
    Ok(engine.queue(&checked(name)?)?)
}

fn checked(name: &str) -> Result<QueueName, Refused> {
    name.parse()
        .map_err(|error| Refused(StatusCode::BAD_REQUEST, format!("{error}")))
}

async fn create(State(engine): Shared, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    let name = checked(&name)?;
    engine.create(&name).await?;
    Ok(StatusCode::OK)
}

/// Deletes a queue with all that is in it: kuard knows no leases that could be in the way.
async fn remove(State(engine): Shared, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    engine.delete(&checked(&name)?, true).await?;
    Ok(StatusCode::OK)
}

async fn enqueue(
    State(engine): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let queue = find(&engine, &name)?;
    let body = Bytes::from_request(request, &())
        .await
        .map_err(|rejection| {
            let error = ApiError::from(rejection);
            let status = StatusCode::from_u16(error.code().status());
            Refused(
                status.unwrap_or(StatusCode::BAD_REQUEST),
                error.detail().to_owned(),
            )
        })?;
    let (seq, at) = queue.enqueue(&[&body], false).await?;
    Ok(message(&queue, seq, at, &body))
}

async fn dequeue(State(engine): Shared, Path(name): Path<String>) -> Result<Response, Refused> {
    let queue = find(&engine, &name)?;
    match queue.take().await? {
        Ok(Some(taken)) => Ok(message(&queue, taken.seq, taken.enqueued, &taken.body)),
        Ok(None) => Ok(StatusCode::NO_CONTENT.into_response()),
        // Not 204: kuard's consumer leaves on that, and tries again on an error.
        Err(_paused) => Err(Refused(StatusCode::SERVICE_UNAVAILABLE, "paused".into())),
    }
}

async fn drain(State(engine): Shared, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    let waiting = MassPurge {
        ready: true,
        ..MassPurge::default()
    };
    find(&engine, &name)?.purge(waiting).await?;
    Ok(StatusCode::OK)
}

async fn stats(State(engine): Shared) -> Result<Response, Refused> {
    let mut text = Vec::from(br#"{"kind":"stats","queues":["#);
    let views = engine
        .queues()?
        .into_iter()
        .filter_map(|queue| queue.glance().ok());
    for (at, view) in views.enumerate() {
        let (enqueued, depth, drained) =
            (view.totals.enqueued, view.counts.ready, view.totals.purged);
        let dequeued = enqueued - depth - drained;
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(br#"{"name":"#);
        json_string(view.name.as_str().as_bytes(), &mut text);
        let numbers = format!(
            r#","depth":{depth},"enqueued":{enqueued},"dequeued":{dequeued},"drained":{drained}}}"#
        );
        text.extend_from_slice(numbers.as_bytes());
    }
    text.extend_from_slice(b"]}\n");
    Ok(json(text))
}

fn message(queue: &LiveQueue, seq: Seq, enqueued: Time, body: &[u8]) -> Response {
    let id = ItemId::derive(queue.incarnation(), seq.0);
    let mut text = format!(r#"{{"kind":"message","id":"{id}","body":"#).into_bytes();
    json_string(body, &mut text);
    let end = format!(",\"creationTimestamp\":\"{}\"}}\n", timestamp(enqueued));
    text.extend_from_slice(end.as_bytes());
    json(text)
}

fn json(text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-cache, private, max-age=0"),
        (EXPIRES, "Thu, 01 Jan 1970 00:00:00 UTC"),
        (PRAGMA, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Writes bytes as Go's encoder writes a string: `<`, `>`, `&` and the two line separators escaped,
/// each byte that is no UTF-8 as U+FFFD.
fn json_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_escapes_it() {
        for (bytes, text) in [
            (b"work-item-1".as_slice(), r#""work-item-1""#),
            (b"<a>&\"\\/", r#""\u003ca\u003e\u0026\"\\/""#),
            (
                b"\x00\n\r\t\x08\x0c\x1b\x7f",
                "\"\\u0000\\n\\r\\t\\b\\f\\u001b\x7f\"",
            ),
            ("é\u{2028}".as_bytes(), "\"é\\u2028\""),
            (b"a\xff\xfeb", r#""a\ufffd\ufffdb""#),
        ] {
            let mut out = Vec::new();
            json_string(bytes, &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), text);
        }
    }
}
