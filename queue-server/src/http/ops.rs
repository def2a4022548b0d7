//! What operators and their machines ask: alive, may serve, metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use queue_api::Code;

use super::App;
use super::error::ApiError;
use super::metrics;
use crate::engine::Engine;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        // The same under the names that probes of kuard ask for.
        .route("/healthy", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(scrape))
}

/// May serve: not while it is recovering, stopping, or without a disk, so that a Service sends nobody.
async fn ready(State(engine): State<Arc<Engine>>) -> Result<&'static str, ApiError> {
    if engine.stopping().is_cancelled() {
        return Err(ApiError::new(Code::NotReady, "the server is stopping"));
    }
    engine.check_ready()?;
    Ok("ready\n")
}

async fn scrape(State(engine): State<Arc<Engine>>) -> Result<Response, ApiError> {
    let text = metrics::text(&engine).map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}
