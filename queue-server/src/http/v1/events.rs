//! Server-sent events: all queues as they are, then each as it changes.
//!
//! A stream is a number in the engine's list of changes. When its client takes the next bytes, it looks at
//! what was listed since, and shows those queues as they are by then. So a client that is slow holds nothing
//! back and nothing is kept for it but the text it is reading; and a queue that changes a thousand times
//! meanwhile is told of once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use queue_api::limits::MAX_EVENT_STREAMS;
use queue_api::{Code, Deleted, EVENT_STREAM, Event, QueueName};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::engine::{Changed, Engine, Fault, Watch};
use crate::http::App;
use crate::http::error::ApiError;
use crate::http::input::FromQuery;
use crate::http::openapi::NoQueue;

/// Shortest time between two looks of one stream: so no queue is told of more than four times a second.
const PACE: Duration = Duration::from_millis(250);
/// A comment goes after so long without an event, so that nobody on the way takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Text that goes at once, in bytes: what a stream holds is this and one queue more.
const PIECE: usize = 64 * 1024;

/// Places for streams.
#[derive(Debug, Clone)]
pub(in crate::http) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_EVENT_STREAMS)))
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Tell of this queue alone. It need not be there yet.
    queue: Option<QueueName>,
}

#[utoipa::path(
    get, path = "/v1/events", tag = "queues", operation_id = "events",
    summary = "All queues, then each as it changes",
    params(EventsQuery),
    responses(
        (
            status = 200,
            description = "Server-sent events without end: `snapshot` with a QueueList, then `queue` with a Queue that was made or has changed, at most four times a second each, and `deleted` with a name; a comment every 15 seconds",
            body = String,
            content_type = "text/event-stream"
        ),
        NoQueue,
    )
)]
pub(super) async fn events(
    State(engine): Shared,
    State(Streams(places)): State<Streams>,
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
    // Before anything is looked at, so that nothing falls in between.
    let watch = engine.watch();
    let stop = engine.stopping();
    let names = names(&engine, only.as_ref())?;
    let teller = Teller {
        engine,
        watch,
        only,
        stop,
        looked: Instant::now(),
        said: Instant::now(),
        left: Left::Snapshot {
            names,
            begun: false,
        },
        _place: place,
    };
    let body = Body::from_stream(stream::try_unfold(teller, Teller::next));
    let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// All queues that a stream tells of, the last first.
fn names(engine: &Engine, only: Option<&QueueName>) -> Result<Vec<QueueName>, Fault> {
    let queues = engine.queues()?;
    let names = queues.iter().rev().map(|queue| queue.name());
    let asked = names.filter(|name| only.is_none_or(|only| only == *name));
    Ok(asked.cloned().collect())
}

/// One stream.
struct Teller {
    engine: Arc<Engine>,
    watch: Watch,
    only: Option<QueueName>,
    stop: CancellationToken,
    looked: Instant,
    said: Instant,
    left: Left,
    _place: OwnedSemaphorePermit,
}

/// What is still to be told before the next look, the last first.
enum Left {
    /// These queues, as one event.
    Snapshot { names: Vec<QueueName>, begun: bool },
    /// These queues, each for itself.
    Changes(Vec<QueueName>),
}

impl Teller {
    /// The next piece of text, or the end: the server stops.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Unsaid> {
        loop {
            let text = self.text().await?;
            if !text.is_empty() {
                self.said = Instant::now();
                return Ok(Some((text.into(), self)));
            }
            match self.look().await? {
                Look::Changed => {}
                Look::Quiet => {
                    self.said = Instant::now();
                    return Ok(Some((Bytes::from_static(b": still here\n\n"), self)));
                }
                Look::Stopping => return Ok(None),
            }
        }
    }

    /// Some of what is left to tell; nothing if there is nothing left.
    async fn text(&mut self) -> Result<Vec<u8>, Unsaid> {
        let mut text = Vec::new();
        let mut left = std::mem::replace(&mut self.left, Left::Changes(Vec::new()));
        while text.len() < PIECE {
            match &mut left {
                Left::Snapshot { names, begun } => {
                    let before: &[u8] = match *begun {
                        true => b",",
                        false => b"event: snapshot\ndata: {\"queues\":[",
                    };
                    let Some(name) = names.pop() else {
                        text.extend_from_slice(if *begun { b"" } else { before });
                        text.extend_from_slice(b"]}\n\n");
                        return Ok(text);
                    };
                    // One that was deleted meanwhile is told of by the next look.
                    if let Event::Queue(queue) = self.one(name).await? {
                        text.extend_from_slice(before);
                        serde_json::to_writer(&mut text, &queue)?;
                        *begun = true;
                    }
                }
                Left::Changes(names) => {
                    let Some(name) = names.pop() else {
                        return Ok(text);
                    };
                    let event = self.one(name).await?;
                    let said = format!("event: {}\ndata: {}\n\n", event.name(), event.data()?);
                    text.extend_from_slice(said.as_bytes());
                }
            }
        }
        self.left = left;
        Ok(text)
    }

    /// Waits until there may be something to tell, and finds out what.
    async fn look(&mut self) -> Result<Look, Fault> {
        let pace = self.looked + PACE;
        let changed = async {
            tokio::time::sleep_until(pace).await;
            self.watch.changed().await;
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(Look::Stopping),
            () = changed => {}
            () = tokio::time::sleep_until(self.said + KEEP_ALIVE) => return Ok(Look::Quiet),
        }
        self.looked = Instant::now();
        self.left = match self.watch.look() {
            Changed::Unknown => Left::Snapshot {
                names: names(&self.engine, self.only.as_ref())?,
                begun: false,
            },
            Changed::These(mut names) => {
                names.retain(|name| self.only.as_ref().is_none_or(|only| only == name));
                names.reverse();
                Left::Changes(names)
            }
        };
        Ok(Look::Changed)
    }

    /// A queue that was listed, as it is now.
    async fn one(&self, name: QueueName) -> Result<Event, Fault> {
        let shown = match self.engine.queue(&name) {
            Ok(queue) => queue.view().await,
            Err(fault) => Err(fault),
        };
        match shown {
            Ok(view) => Ok(Event::Queue(Box::new(view))),
            Err(Fault::NoSuchQueue(_)) => Ok(Event::Deleted(Deleted { name })),
            Err(fault) => Err(fault),
        }
    }
}

/// What came of waiting.
enum Look {
    Changed,
    Quiet,
    Stopping,
}

/// Why a stream breaks off.
#[derive(Debug, thiserror::Error)]
enum Unsaid {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("an event cannot be written as json")]
    Json(#[from] serde_json::Error),
}

/// Where a call about events finds its place.
impl axum::extract::FromRef<App> for Streams {
    fn from_ref(app: &App) -> Self {
        app.streams.clone()
    }
}
