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

pub(super) async fn show(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.view().await?))
}

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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    #[serde(default)]
    force: bool,
}

pub(super) async fn delete(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    engine.delete(&name, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn seal(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.seal().await?))
}

pub(super) async fn reopen(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.reopen().await?))
}

pub(super) async fn pause(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.pause().await?))
}

pub(super) async fn resume(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
) -> Result<Json<Queue>, ApiError> {
    Ok(Json(engine.queue(&name)?.resume().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PurgeQuery {
    state: Option<String>,
}

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
