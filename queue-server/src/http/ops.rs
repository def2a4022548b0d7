//! What operators and their machines ask: alive, may serve, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use queue_api::Code;
use tokio::task::spawn_blocking;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::error::ApiError;
use super::guard::{Form, Guard, Routes};
use super::openapi::{self, NoQueue};
use crate::engine::Engine;

pub(super) fn routes(guard: &Arc<Guard>) -> OpenApiRouter<App> {
    Routes::new(guard, Form::Problem)
        .open(routes!(healthz))
        .open(routes!(readyz))
        .open(routes!(healthy))
        .open(routes!(ready))
        .read(routes!(scrape))
        .open(routes!(openapi::serve))
        .done()
}

#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "healthz",
    summary = "Whether the server is alive",
    responses((status = 200, description = "It is", body = String))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "readyz",
    summary = "Whether the server may serve",
    responses((status = 200, description = "It may", body = String), NoQueue)
)]
async fn readyz(engine: State<Arc<Engine>>) -> Result<&'static str, ApiError> {
    ready_to_serve(&engine)
}

/// The same under the name that probes of kuard ask for.
#[utoipa::path(
    get, path = "/healthy", tag = "memq", operation_id = "healthy",
    summary = "Whether the server is alive",
    responses((status = 200, description = "It is", body = String))
)]
async fn healthy() -> &'static str {
    "ok\n"
}

/// The same under the name that probes of kuard ask for.
#[utoipa::path(
    get, path = "/ready", tag = "memq", operation_id = "ready",
    summary = "Whether the server may serve",
    responses((status = 200, description = "It may", body = String), NoQueue)
)]
async fn ready(engine: State<Arc<Engine>>) -> Result<&'static str, ApiError> {
    ready_to_serve(&engine)
}

/// May serve: not while it is recovering, stopping, or without a disk, so that a Service sends nobody.
fn ready_to_serve(engine: &Engine) -> Result<&'static str, ApiError> {
    if engine.stopping().is_cancelled() {
        return Err(ApiError::new(Code::NotReady, "the server is stopping"));
    }
    engine.check_ready()?;
    Ok("ready\n")
}

#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics",
    summary = "Figures for Prometheus",
    responses((status = 200, description = "In its text format", body = String), NoQueue)
)]
async fn scrape(State(app): State<App>) -> Result<Response, ApiError> {
    // Off the threads that serve: thousands of queues take milliseconds.
    let scraped = spawn_blocking(move || app.scraper.text(&app.engine, app.guard.refused())).await;
    let text = scraped
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
