//! Queues: making, showing, setting, and the calls that change a whole queue.

use axum::extract::State;
use axum::http::StatusCode;
use queue_api::{Affected, Queue, QueueList, QueueName, SettingsPatch};
use serde::Deserialize;

use super::Shared;
use crate::engine::{Fault, MassPurge};
use crate::http::answer::Json;
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload};
use crate::http::openapi::{Changes, Deletes, Makes, NoQueue, OneQueue, Shows};

#[utoipa::path(
    get, path = "/v1/queues", tag = "queues", operation_id = "listQueues",
    summary = "All queues",
    responses(
        (status = 200, description = "All queues, by name", body = QueueList),
        NoQueue,
    )
)]
pub(super) async fn list(State(engine): Shared) -> Result<Json<QueueList>, ApiError> {
    let mut queues = Vec::new();
    for queue in engine.queues()? {
        match queue.view().await {
            Ok(view) => queues.push(view),
            // Deleted since the names were read.
            Err(Fault::NoSuchQueue(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(Json(QueueList { queues }))
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}", tag = "queues", operation_id = "showQueue",
    summary = "A queue",
    params(OneQueue),
    responses(
        (status = 200, description = "The queue", body = Queue),
        Shows,
    )
)]
pub(super) async fn show(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.view().await?))
}

#[utoipa::path(
    put, path = "/v1/queues/{queue}", tag = "queues", operation_id = "putQueue",
    summary = "Make a queue, or change its settings",
    params(OneQueue),
    request_body(content = Option<SettingsPatch>, description = "An absent setting keeps its value, null resets it", content_type = "application/json"),
    responses(
        (status = 200, description = "It was there: the settings are changed", body = Queue),
        (status = 201, description = "It was made", body = Queue),
        Makes,
    )
)]
pub(super) async fn put(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    payload: Payload,
) -> Result<(StatusCode, Json<Queue>), ApiError> {
    let patch: SettingsPatch = payload.json_or_default("the settings object")?;
    let (queue, made) = engine.put(&name, &patch).await?;
    let status = if made {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(queue)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Also while items are leased.
    #[serde(default)]
    force: bool,
}

#[utoipa::path(
    delete, path = "/v1/queues/{queue}", tag = "queues", operation_id = "deleteQueue",
    summary = "Delete a queue and all that is in it",
    params(OneQueue, DeleteQuery),
    responses(
        (status = 204, description = "It is gone"),
        Deletes,
    )
)]
pub(super) async fn delete(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    engine.delete(&name, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/seal", tag = "queues", operation_id = "sealQueue",
    summary = "Take no new items",
    params(OneQueue),
    responses(
        (status = 200, description = "It is sealed", body = Queue),
        Changes,
    )
)]
pub(super) async fn seal(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.seal().await?))
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/reopen", tag = "queues", operation_id = "reopenQueue",
    summary = "Take new items again",
    params(OneQueue),
    responses(
        (status = 200, description = "It is open", body = Queue),
        Changes,
    )
)]
pub(super) async fn reopen(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.reopen().await?))
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/pause", tag = "queues", operation_id = "pauseQueue",
    summary = "Give no new leases",
    params(OneQueue),
    responses(
        (status = 200, description = "It is paused", body = Queue),
        Changes,
    )
)]
pub(super) async fn pause(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.pause().await?))
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/resume", tag = "queues", operation_id = "resumeQueue",
    summary = "Give leases again",
    params(OneQueue),
    responses(
        (status = 200, description = "It is not paused", body = Queue),
        Changes,
    )
)]
pub(super) async fn resume(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.resume().await?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PurgeQuery {
    /// Which items, separated by commas: `ready`, `delayed`, `dead`. Default `ready,delayed`.
    #[param(pattern = "^(ready|delayed|dead)(,(ready|delayed|dead))*$")]
    state: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/purge", tag = "queues", operation_id = "purgeQueue",
    summary = "Throw items away",
    params(OneQueue, PurgeQuery),
    responses(
        (status = 200, description = "How many, and the queue afterwards", body = Affected),
        Changes,
    )
)]
pub(super) async fn purge(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<PurgeQuery>,
) -> Result<Json<Affected>, ApiError> {
    let queue = engine.queue(&name)?;
    let which = states(query.state.as_deref().unwrap_or("ready,delayed"))?;
    let (affected, queue) = queue.purge(which).await?;
    Ok(Json(Affected { affected, queue }))
}

fn states(text: &str) -> Result<MassPurge, ApiError> {
    let mut which = MassPurge::default();
    for state in text.split(',') {
        match state {
            "ready" => which.ready = true,
            "delayed" => which.delayed = true,
            "dead" => which.dead = true,
            other => {
                return Err(ApiError::bad_request(format!(
                    "items that are `{}` cannot be purged: give ready, delayed or dead, separated by commas",
                    other.escape_debug()
                )));
            }
        }
    }
    Ok(which)
}
