//! Looking at items without taking them, and ending one before its time.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use queue_api::limits::{MAX_NEEDLE_BYTES, MAX_PAGE_ITEMS, MAX_REDRIVE_IDS};
use queue_api::{Affected, Item, ItemId, ItemPage, ItemState, QueueName, Redrive, check_group};
use serde::Deserialize;

use super::Shared;
use crate::engine::Wanted;
use crate::http::answer::Json;
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload};
use crate::http::openapi::{Cancels, OneItem, OneQueue, Redrives, Shows, ShowsItem};

/// Items in a page where the caller names no number.
const DEFAULT_ITEMS: usize = 100;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LookQuery {
    /// Only items of this state.
    #[param(value_type = Option<ItemState>)]
    state: Option<String>,
    /// Only items of this group.
    #[param(
        min_length = 1,
        max_length = 255,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    group: Option<String>,
    /// Most items, default 100.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// Only items that came in after this one: `next` of the page before.
    after: Option<ItemId>,
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}/items", tag = "items", operation_id = "listItems",
    summary = "Look at items without taking them",
    params(OneQueue, LookQuery),
    responses(
        (status = 200, description = "Items in the order in which they were enqueued", body = ItemPage),
        Shows,
    )
)]
pub(super) async fn list(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<LookQuery>,
) -> Result<Json<ItemPage>, ApiError> {
    let LookQuery {
        state,
        group,
        limit,
        after,
    } = query;
    let limit = limit.unwrap_or(DEFAULT_ITEMS);
    if !(1..=MAX_PAGE_ITEMS).contains(&limit) {
        return Err(ApiError::bad_request(format!(
            "limit is {limit}: give 1 to {MAX_PAGE_ITEMS}"
        )));
    }
    let state = state.as_deref().map(one_state).transpose()?;
    group.as_deref().map_or(Ok(()), check_group)?;
    let queue = engine.queue(&name)?;
    let wanted = Wanted {
        state,
        group: group.as_deref(),
        after,
        limit,
    };
    Ok(Json(queue.items(wanted).await?))
}

fn one_state(text: &str) -> Result<ItemState, ApiError> {
    let named = ItemState::ALL
        .into_iter()
        .find(|state| state.as_str() == text);
    named.ok_or_else(|| {
        let states = ItemState::ALL.map(ItemState::as_str).join(", ");
        ApiError::bad_request(format!(
            "state is `{}`: give one of {states}",
            text.escape_debug()
        ))
    })
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}/items/{id}", tag = "items", operation_id = "showItem",
    summary = "An item and its past attempts",
    params(OneItem),
    responses((status = 200, description = "The item", body = Item), ShowsItem)
)]
pub(super) async fn show(
    State(engine): Shared,
    FromPath((name, id)): FromPath<(QueueName, ItemId)>,
) -> Result<Json<Item>, ApiError> {
    Ok(Json(engine.queue(&name)?.item(id).await?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// Which attempt, by its number in the item's history; default the last that ended.
    attempt: Option<u32>,
}

#[utoipa::path(
    get, path = "/v1/queues/{queue}/items/{id}/log", tag = "items", operation_id = "showLog",
    summary = "What an attempt at an item printed",
    params(OneItem, LogQuery),
    responses(
        (status = 200, description = "Its log, else its error; empty if there is neither", body = String, content_type = "text/plain"),
        ShowsItem,
    )
)]
pub(super) async fn log(
    State(engine): Shared,
    FromPath((name, id)): FromPath<(QueueName, ItemId)>,
    FromQuery(query): FromQuery<LogQuery>,
) -> Result<Response, ApiError> {
    let text = engine.queue(&name)?.item_log(id, query.attempt).await?;
    // It is whatever a command printed: no browser may guess that it is a page.
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}

#[utoipa::path(
    delete, path = "/v1/queues/{queue}/items/{id}", tag = "items", operation_id = "cancelItem",
    summary = "Cancel an item",
    params(OneItem),
    responses((status = 204, description = "It is cancelled, now or before"), Cancels)
)]
pub(super) async fn cancel(
    State(engine): Shared,
    FromPath((name, id)): FromPath<(QueueName, ItemId)>,
) -> Result<StatusCode, ApiError> {
    engine.queue(&name)?.cancel(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/redrive", tag = "queues", operation_id = "redriveQueue",
    summary = "Make dead items ready again",
    params(OneQueue),
    request_body(content = Option<Redrive>, description = "Which; without a body, all", content_type = "application/json"),
    responses(
        (status = 200, description = "How many, and the queue afterwards", body = Affected),
        Redrives,
    )
)]
pub(super) async fn redrive(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    payload: Payload,
) -> Result<Json<Affected>, ApiError> {
    let redrive: Redrive = payload.json_or_default("the redrive request")?;
    drop(payload);
    check(&redrive)?;
    let (affected, queue) = engine.queue(&name)?.redrive(&redrive).await?;
    Ok(Json(Affected { affected, queue }))
}

fn check(redrive: &Redrive) -> Result<(), ApiError> {
    if let Some(ids) = redrive
        .ids
        .as_ref()
        .filter(|ids| ids.len() > MAX_REDRIVE_IDS)
    {
        return Err(ApiError::bad_request(format!(
            "the request names {} items: give at most {MAX_REDRIVE_IDS}",
            ids.len()
        )));
    }
    let needle = redrive.error_contains.as_ref();
    if let Some(needle) = needle.filter(|needle| !(1..=MAX_NEEDLE_BYTES).contains(&needle.len())) {
        return Err(ApiError::bad_request(format!(
            "error_contains has {} bytes: give 1 to {MAX_NEEDLE_BYTES}",
            needle.len()
        )));
    }
    if redrive.limit == Some(0) {
        return Err(ApiError::bad_request("limit is 0: give at least 1"));
    }
    redrive.group.as_deref().map_or(Ok(()), check_group)?;
    Ok(())
}
