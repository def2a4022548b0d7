//! kuard's MemQ API, as its server answers it: a client that knows only this notices no difference.
//!
//! Delivery is acknowledgement here (at most once), `drain` means purge, and errors are plain text.

use std::sync::Arc;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::handler::Handler;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Body as HttpBody;
use queue_api::{NameError, QueueName, Trace};
use queue_core::{Options, Refusal, Seq, Time};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::error::{ApiError, CHALLENGE};
use super::guard::{Form, Gate, Guard, Role, Routes};
use super::json::{item_id, string_as_go, time};
use super::openapi::{Message, OneQueue, Raw, Stats};
use super::trace;
use crate::engine::{Engine, Entry, Fault, Incoming, LiveQueue, MassPurge};
use crate::metrics::Limit;

type Shared = State<Arc<Engine>>;

/// Bytes of a message beside its body, with room for an escape or two.
const AROUND_BODY: usize = 160;

pub(super) fn routes(guard: &Arc<Guard>) -> OpenApiRouter<App> {
    let (router, document) = Routes::new(guard, Form::Text)
        .read(routes!(stats))
        .work(routes!(create))
        .admin(routes!(remove))
        .work(routes!(enqueue))
        .work(routes!(dequeue))
        .admin(routes!(drain))
        .done()
        .split_for_parts();
    let gate = Gate::new(guard, Role::Read, Form::Text);
    let router = router
        .fallback(not_found.layer(gate.clone()))
        .method_not_allowed_fallback(method_not_allowed.layer(gate));
    let mut routes = OpenApiRouter::from(router);
    *routes.get_openapi_mut() = document;
    routes
}

async fn not_found() -> Refused {
    Refused(StatusCode::NOT_FOUND, "404 page not found".into(), None)
}

async fn method_not_allowed() -> Refused {
    Refused(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method Not Allowed".into(),
        None,
    )
}

/// An error as kuard says it: a line of text. With the limit that it comes from, if one refused the call.
pub(super) struct Refused(StatusCode, String, Option<Limit>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, text, limit) = self;
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (status, headers, text + "\n").into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(limit) = limit {
            response.extensions_mut().insert(limit);
        }
        response
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let status = StatusCode::from_u16(error.code().status());
        let status = status.unwrap_or(StatusCode::BAD_REQUEST);
        Self(status, error.detail().to_owned(), error.limit())
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
                let status = status.unwrap_or(StatusCode::BAD_REQUEST);
                return Self(status, other.to_string(), other.limit());
            }
        };
        Self(StatusCode::BAD_REQUEST, text, None)
    }
}

/// The queue that the path names.
struct Name(QueueName);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let refused = |text| Refused(StatusCode::BAD_REQUEST, text, None);
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| refused(rejection.body_text()))?;
        let name = name
            .parse()
            .map_err(|error: NameError| refused(error.to_string()))?;
        Ok(Self(name))
    }
}

#[utoipa::path(
    put, path = "/queues/{queue}", tag = "memq", operation_id = "memqCreate",
    summary = "Make a queue",
    params(OneQueue),
    responses(
        (status = 200, description = "It is made"),
        Refused,
    )
)]
async fn create(State(engine): Shared, Name(name): Name) -> Result<StatusCode, Refused> {
    engine.create(&name).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(
    delete, path = "/queues/{queue}", tag = "memq", operation_id = "memqDelete",
    summary = "Delete a queue",
    params(OneQueue),
    responses(
        (status = 200, description = "It is gone"),
        Refused,
    )
)]
/// Deletes a queue with all that is in it: kuard knows no leases that could be in the way.
async fn remove(State(engine): Shared, Name(name): Name) -> Result<StatusCode, Refused> {
    engine.delete(&name, true).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(
    post, path = "/queues/{queue}/enqueue", tag = "memq", operation_id = "memqEnqueue",
    summary = "Enqueue an item",
    params(OneQueue),
    request_body(content = Option<Raw>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The item", body = Message),
        Refused,
    )
)]
async fn enqueue(
    State(app): State<App>,
    Name(name): Name,
    request: Request,
) -> Result<Response, Refused> {
    let trace = trace::of(request.headers());
    put_in(&app, &name, trace, request.into_body()).await
}

#[utoipa::path(
    post, path = "/queues/{queue}/dequeue", tag = "memq", operation_id = "memqDequeue",
    summary = "Take an item out for good",
    params(OneQueue),
    responses(
        (status = 200, description = "The item", body = Message),
        (status = 204, description = "There is none"),
        Refused,
    )
)]
async fn dequeue(State(app): State<App>, Name(name): Name) -> Result<Response, Refused> {
    take_out(&app, &name).await
}

/// An enqueue that needs no router.
pub(super) async fn enqueue_one<B>(
    app: &App,
    name: &QueueName,
    trace: Option<Trace>,
    body: B,
) -> Response
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    put_in(app, name, trace, body).await.into_response()
}

/// A dequeue that needs no router.
pub(super) async fn dequeue_one(app: &App, name: &QueueName) -> Response {
    take_out(app, name).await.into_response()
}

async fn put_in<B>(
    app: &App,
    name: &QueueName,
    trace: Option<Trace>,
    body: B,
) -> Result<Response, Refused>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let queue = app.engine.queue(name)?;
    let payload = app.intake.read(body).await?;
    let body = payload.bytes();
    let options = trace.map(|trace| Options {
        trace: Some(Arc::clone(trace.text())),
        ..Options::default()
    });
    let entries = [Entry {
        options: options.as_ref(),
        ..Entry::plain(body)
    }];
    let entered = queue.enqueue(Incoming::of(&entries)).await?;
    Ok(message(&queue, entered.first, entered.at, body))
}

async fn take_out(app: &App, name: &QueueName) -> Result<Response, Refused> {
    let queue = app.engine.queue(name)?;
    match queue.take().await? {
        Ok(Some(taken)) => Ok(message(&queue, taken.seq, taken.enqueued, &taken.body)),
        Ok(None) => Ok(StatusCode::NO_CONTENT.into_response()),
        // Not 204: kuard's consumer leaves on that, and tries again on an error.
        Err(_paused) => Err(Refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "paused".into(),
            None,
        )),
    }
}

#[utoipa::path(
    post, path = "/queues/{queue}/drain", tag = "memq", operation_id = "memqDrain",
    summary = "Throw away the items that are ready",
    params(OneQueue),
    responses(
        (status = 200, description = "They are gone"),
        Refused,
    )
)]
async fn drain(State(engine): Shared, Name(name): Name) -> Result<StatusCode, Refused> {
    let waiting = MassPurge {
        ready: true,
        ..MassPurge::default()
    };
    engine.queue(&name)?.purge(waiting).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(
    get, path = "/stats", tag = "memq", operation_id = "memqStats",
    summary = "All queues",
    responses(
        (status = 200, description = "All queues", body = Stats),
        Refused,
    )
)]
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
        string_as_go(view.name.as_str().as_bytes(), &mut text);
        let numbers = format!(
            r#","depth":{depth},"enqueued":{enqueued},"dequeued":{dequeued},"drained":{drained}}}"#
        );
        text.extend_from_slice(numbers.as_bytes());
    }
    text.extend_from_slice(b"]}\n");
    Ok(json(text))
}

fn message(queue: &LiveQueue, seq: Seq, enqueued: Time, body: &[u8]) -> Response {
    let mut text = Vec::with_capacity(AROUND_BODY + body.len());
    text.extend_from_slice(br#"{"kind":"message","id":"#);
    item_id(queue.incarnation(), seq.0, &mut text);
    text.extend_from_slice(br#","body":"#);
    string_as_go(body, &mut text);
    text.extend_from_slice(br#","creationTimestamp":"#);
    time(enqueued, &mut text);
    text.extend_from_slice(b"}\n");
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
