//! The request's id, and the one place where a request becomes log lines.
//!
//! A caller's `x-request-id` is kept if it is sane, else one is made; it is on the answer, in the
//! span, and in the line that tells of a failure. Spans are at `debug`: made for every request,
//! they would cost more than serving it.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use queue_api::Trace;
use telemetry::{Kind, Span};
use tracing::{Instrument, debug, debug_span, error};

use super::error::{ApiError, Cause};
use super::{rare, route, trace};
use telemetry::chain;

/// The header that carries it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken from a caller, in bytes: it is repeated in logs.
const MAX_BYTES: usize = 128;

/// How long the last part of a call was a wait for other items than those it settled. A part of an answer.
///
/// The trace that the call is part of is the settled item's, which has nothing to do with how long the next
/// one lets wait: the span ends where the wait began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parked(pub(crate) Duration);

/// Has a request answered: with an id, in a span, and with a panic turned into an answer like any
/// other fault of ours.
pub(crate) async fn answer<B, F>(
    request: Request<B>,
    answer: impl FnOnce(Request<B>) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let id = take_or_make(request.headers());
    let id_text = id.to_str().unwrap_or_default();
    let trace = trace::of(request.headers());
    let trace_id = trace.as_ref().map(Trace::trace_id);
    let mut exported = exported(&request, trace.as_ref(), id_text);
    let span = debug_span!("request", http.request.id = id_text, trace.id = trace_id);
    let began = (!span.is_disabled()).then(Instant::now);
    // For the line that tells of a failure. Copied, because a part of the request's own would keep
    // the connection's whole read buffer from being used again, and a call may park for minutes.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = AssertUnwindSafe(answer(request)).catch_unwind();
    let result = if span.is_disabled() {
        answered.await
    } else {
        answered.instrument(span.clone()).await
    };
    let mut response = match result {
        Ok(response) => response,
        Err(panic) => ApiError::internal(Panicked::new(panic.as_ref())).into_response(),
    };
    if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
        let cause = chain(&*cause);
        error!(
            http.request.id = id_text,
            http.request.method = %method,
            url.path = %route::shown(&path),
            trace.id = trace_id,
            error.message = cause,
            "request failed"
        );
        exported.fail(cause);
    }
    let status = response.status().as_u16();
    exported.count("http.response.status_code", status.into());
    if let Some(began) = began {
        debug!(
            parent: &span,
            http.request.id = id_text,
            http.request.method = %method,
            url.path = %route::shown(&path),
            http.response.status_code = status,
            duration_ms = began.elapsed().as_millis() as u64,
            trace.id = trace_id,
            "answered"
        );
    }
    if let Some(Parked(parked)) = response.extensions_mut().remove() {
        exported.end_before(parked);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// What is exported of a request. It is nothing unless spans are exported and the request is part of a trace:
/// polls and probes would drown everything else.
fn exported<B>(request: &Request<B>, trace: Option<&Trace>, id: &str) -> Span {
    let Some(trace) = trace.filter(|_| telemetry::is_exporting()) else {
        return Span::default();
    };
    let (method, path) = (request.method().as_str(), request.uri().path());
    let name = || format!("{method} {}", route::template(path));
    let mut span = Span::begin(Kind::Server, name, Some(trace));
    span.say("http.request.method", method);
    span.say("http.request.id", id);
    span.say("url.path", route::shown(path));
    if let Some(queue) = route::queue(path) {
        span.say("queue.name", queue);
    }
    span
}

fn take_or_make(headers: &HeaderMap) -> HeaderValue {
    let taken = match rare::values(headers, REQUEST_ID).next() {
        // Copied for the same reason as the path.
        Some(id) if is_sane(id.as_bytes()) => HeaderValue::from_bytes(id.as_bytes()).ok(),
        _ => None,
    };
    taken.unwrap_or_else(make)
}

/// Fit to stand in a log line and in a header: short, printable, without blanks or quotes.
fn is_sane(id: &[u8]) -> bool {
    let sane = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(sane)
}

/// Counts on from a random start: unlike any other of this process, and hardly like one of another.
fn make() -> HeaderValue {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        // Without randomness ids are still unlike each other, which is what the log needs.
        AtomicU64::new(getrandom::u64().unwrap_or_default())
    });
    let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut text = [0; 16];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// A handler panicked: a bug of ours, told like any other fault.
#[derive(Debug)]
struct Panicked(String);

impl Panicked {
    fn new(panic: &(dyn Any + Send)) -> Self {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self(said.unwrap_or_else(|| "no message".into()))
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a handler panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use rstest::rstest;
    use tower::Service as _;

    use super::*;

    async fn ask(router: &Router, id: Option<&str>) -> Response<Body> {
        let mut request = Request::builder().uri("/");
        if let Some(id) = id {
            request = request.header(REQUEST_ID, id);
        }
        let request = request.body(Body::empty()).expect("a request");
        let mut router = router.clone();
        answer(request, async |request| match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        })
        .await
    }

    #[rstest]
    #[case::kept("trace-1/2:3", true)]
    #[case::blank("a b", false)]
    #[case::quote("a\"b", false)]
    #[case::empty("", false)]
    #[case::too_long(&"a".repeat(MAX_BYTES + 1), false)]
    #[case::longest(&"a".repeat(MAX_BYTES), true)]
    #[tokio::test]
    async fn a_callers_id_is_kept_if_it_is_sane(#[case] id: &str, #[case] kept: bool) {
        let router = Router::new().route("/", get(|| async { "hello" }));
        let response = ask(&router, Some(id)).await;
        assert_eq!(
            response.headers()[REQUEST_ID] == id,
            kept,
            "{:?}",
            response.headers()
        );
    }

    #[tokio::test]
    async fn each_request_without_an_id_gets_one_of_its_own() {
        let router = Router::new().route("/", get(|| async { "hello" }));
        let (first, second) = (ask(&router, None).await, ask(&router, None).await);
        let (first, second) = (&first.headers()[REQUEST_ID], &second.headers()[REQUEST_ID]);
        assert_eq!(first.len(), 16);
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_not_the_end() {
        let fails = || async {
            if true {
                panic!("boom")
            }
        };
        let router = Router::new().route("/", get(fails));
        let response = ask(&router, Some("it")).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[REQUEST_ID], "it");
        assert_eq!(ask(&router, None).await.status(), 500, "and so is the next");
    }
}
