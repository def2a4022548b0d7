//! Everything out of a server, and everything into one.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use queue_api::Restored;
use tokio::sync::mpsc;

use super::Shared;
use crate::http::answer::Json;
use crate::http::encoding::Encoding;
use crate::http::error::ApiError;
use crate::http::openapi::{NoQueue, Raw, Restores};

/// Chunks of a backup that wait for the disk.
const CHUNKS: usize = 4;

#[utoipa::path(
    get, path = "/v1/backup", tag = "operations", operation_id = "backup",
    summary = "All queues as of one moment",
    responses(
        (status = 200, description = "Bytes for a restore", body = Raw, content_type = "application/octet-stream"),
        NoQueue,
    )
)]
pub(super) async fn backup(State(engine): Shared) -> Result<Response, ApiError> {
    let chunks = engine.backup()?;
    let next = async |mut chunks: crate::engine::Chunks| Some((chunks.recv().await?, chunks));
    let body = Body::from_stream(stream::unfold(chunks, next));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, "attachment; filename=\"memq.backup\""),
    ];
    Ok((headers, body).into_response())
}

/// Not bounded in size: a backup is as large as the log it was made of, and goes through memory in
/// small chunks.
#[utoipa::path(
    post, path = "/v1/restore", tag = "operations", operation_id = "restore",
    summary = "Bring the queues of a backup into a server that has none",
    request_body(content = Raw, description = "What a backup answered", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "What it brought", body = Restored),
        Restores,
    )
)]
pub(super) async fn restore(
    State(engine): Shared,
    request: Request,
) -> Result<Json<Restored>, ApiError> {
    Encoding::check_none(request.headers())?;
    let (chunks, backup) = mpsc::channel(CHUNKS);
    let mut arriving = request.into_body().into_data_stream();
    let receive = async move {
        while let Some(chunk) = arriving.next().await {
            if chunks
                .send(chunk.map_err(std::io::Error::other))
                .await
                .is_err()
            {
                // Refused before its end.
                return;
            }
        }
    };
    // In a task of its own: it comes to its end also where the client does not wait for it.
    let restoring = tokio::spawn(async move { engine.restore(backup).await });
    receive.await;
    Ok(Json(restoring.await.map_err(ApiError::internal)??))
}
