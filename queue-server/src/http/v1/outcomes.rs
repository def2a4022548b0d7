//! Waiting for the end, and reading what became of the items: the joblog.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use queue_api::limits::MAX_OUTCOMES;
use queue_api::{NDJSON, Queue, QueueName, Until};
use serde::Deserialize;

use super::Shared;
use crate::engine::{Fault, LiveQueue, Page};
use crate::http::answer::Json;
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, checked_wait, duration};
use crate::http::openapi::{Follows, OneQueue, Waits};

/// Outcomes in a page where the caller names no number.
const DEFAULT_OUTCOMES: usize = 1_000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// What to wait for.
    #[serde(rename = "for")]
    until: Until,
    /// How long, default 0.
    #[param(value_type = Option<u64>, maximum = 300_000)]
    #[serde(default, deserialize_with = "duration")]
    wait_ms: Option<Duration>,
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}/wait", tag = "outcomes", operation_id = "waitFor",
    summary = "Wait until a queue is drained or empty",
    params(OneQueue, WaitQuery),
    responses(
        (status = 200, description = "It is so", body = Queue),
        (status = 204, description = "It is not so yet, and the time is over"),
        Waits,
    )
)]
pub(super) async fn wait(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<WaitQuery>,
) -> Result<Response, ApiError> {
    let queue = engine.queue(&name)?;
    let reached = queue
        .wait(query.until, checked_wait(query.wait_ms)?)
        .await?;
    Ok(match reached {
        Some(view) => Json(view).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OutcomesQuery {
    /// The cursor of the last outcome that is known.
    #[serde(default)]
    after: u64,
    /// Most outcomes, default 1,000, or all with `follow`.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
    /// Go on until the queue is drained.
    #[serde(default)]
    follow: bool,
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}/outcomes", tag = "outcomes", operation_id = "outcomes",
    summary = "What became of the items, in order",
    params(OneQueue, OutcomesQuery),
    responses(
        (status = 200, description = "One Outcome a line", body = String, content_type = "application/x-ndjson"),
        Follows,
    )
)]
pub(super) async fn outcomes(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<OutcomesQuery>,
) -> Result<Response, ApiError> {
    let queue = engine.queue(&name)?;
    if let Some(limit) = query
        .limit
        .filter(|limit| !(1..=MAX_OUTCOMES).contains(limit))
    {
        return Err(ApiError::bad_request(format!(
            "limit is {limit}: give 1 to {MAX_OUTCOMES}"
        )));
    }
    let page_limit = query.limit.unwrap_or(DEFAULT_OUTCOMES);
    // Looked at before the answer begins, so that a cursor past retention is an error and not a
    // stream that breaks off.
    let first = queue.outcomes(query.after, page_limit).await?;
    let body = if query.follow {
        let follow = Follow {
            queue,
            after: query.after,
            left: query.limit,
            stop: engine.stopping(),
        };
        Body::from_stream(stream::try_unfold(follow, Follow::next))
    } else {
        Body::from(ndjson(&first).map_err(ApiError::internal)?)
    };
    Ok(([(CONTENT_TYPE, NDJSON)], body).into_response())
}

fn ndjson(page: &Page) -> serde_json::Result<Bytes> {
    let mut text = Vec::new();
    for outcome in &page.outcomes {
        serde_json::to_writer(&mut text, outcome)?;
        text.push(b'\n');
    }
    Ok(text.into())
}

/// Outcomes as they come.
struct Follow {
    queue: Arc<LiveQueue>,
    after: u64,
    /// How many the caller still wants, where it said.
    left: Option<usize>,
    stop: tokio_util::sync::CancellationToken,
}

/// Why a stream breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Not an orderly end: that would say that the queue is drained.
    #[error("the server stops")]
    Stopping,
    #[error("an outcome cannot be written as json")]
    Json(#[from] serde_json::Error),
}

impl Follow {
    /// The next outcomes, or the end: drained, or as many as were wanted.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Broken> {
        let queue = Arc::clone(&self.queue);
        loop {
            // Registered before looking, so that nothing falls in between.
            let mut progress = std::pin::pin!(queue.progress());
            progress.as_mut().enable();
            let limit = self.left.unwrap_or(DEFAULT_OUTCOMES);
            if limit == 0 {
                return Ok(None);
            }
            let page = queue.outcomes(self.after, limit).await?;
            if let Some(last) = page.outcomes.last() {
                self.after = last.outcome;
                self.left = self.left.map(|left| left - page.outcomes.len());
                return Ok(Some((ndjson(&page)?, self)));
            }
            if page.drained {
                return Ok(None);
            }
            tokio::select! {
                () = progress => {}
                () = self.stop.cancelled() => return Err(Broken::Stopping),
            }
        }
    }
}
