//! The call that opens a stream of server-sent events, and the places for streams.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use queue_api::limits::MAX_EVENT_STREAMS;
use queue_api::{Code, EVENT_STREAM, QueueName};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Shared;
use super::teller::Teller;
use crate::http::App;
use crate::http::error::ApiError;
use crate::http::input::FromQuery;
use crate::http::openapi::NoQueue;
use crate::runs::Runs;

/// Names one start of the server: who connects again and finds another was away over a restart.
const INSTANCE: HeaderName = HeaderName::from_static("memq-instance");

/// Asks a proxy to pass on what comes when it comes.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Places for streams.
#[derive(Debug, Clone)]
pub(in crate::http) struct Streams {
    places: Arc<Semaphore>,
    instance: HeaderValue,
}

impl Default for Streams {
    fn default() -> Self {
        // A name and no secret: std's random keys are enough.
        let name = RandomState::new().build_hasher().finish();
        let instance = format!("{name:016x}");
        Self {
            places: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            instance: HeaderValue::from_str(&instance).expect("hex digits are ASCII"),
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Tell of this queue alone, and of no run. It need not be there yet.
    queue: Option<QueueName>,
}

#[utoipa::path(
    get, path = "/v1/events", tag = "queues", operation_id = "events",
    summary = "All queues and runs, then each as it changes",
    params(EventsQuery),
    responses(
        (
            status = 200,
            description = "Server-sent events without end: `snapshot` with a Snapshot; then `queue` with a Queue that was made or has changed and `run` with a RunReport, at most four times a second each, `deleted` with the name of a queue and `run_deleted` with that of a run; a comment every 15 seconds",
            body = String,
            content_type = "text/event-stream",
            headers(("memq-instance" = String, description = "Names this start of the server: another one after a restart"))
        ),
        NoQueue,
    )
)]
pub(super) async fn events(
    State(engine): Shared,
    State(Streams { places, instance }): State<Streams>,
    State(runs): State<Runs>,
    FromQuery(EventsQuery { queue: only }): FromQuery<EventsQuery>,
) -> Result<Response, ApiError> {
    engine.check_ready()?;
    let place = places.try_acquire_owned().map_err(|_| {
        ApiError::new(
            Code::Overloaded,
            format!(
                "the server has {MAX_EVENT_STREAMS} streams of events, its most; ask again later"
            ),
        )
    })?;
    let teller = Teller::new(engine, runs, only, place)?;
    let body = Body::from_stream(stream::try_unfold(teller, Teller::next));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (INSTANCE, instance),
        // Told to nginx and those that understand it, which would hold an answer back until it is long.
        (UNBUFFERED, HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

/// Where a call about events finds its place.
impl axum::extract::FromRef<App> for Streams {
    fn from_ref(app: &App) -> Self {
        app.streams.clone()
    }
}
