//! The calls of `/v1`.

mod backup;
mod items;
mod leases;
mod lent;
mod outcomes;
mod queues;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{BoxError, Router};
use hyper::body::Body;
use queue_api::QueueName;

use super::App;
use super::encoding::Encoding;
use super::error::ApiError;
use super::input::{FromPath, FromQuery};
use crate::engine::{Engine, Fault};

pub(super) type Shared = State<Arc<Engine>>;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/backup", get(backup::backup))
        .route("/v1/restore", post(backup::restore))
        .route("/v1/queues", get(queues::list))
        .route(
            "/v1/queues/{queue}",
            get(queues::show).put(queues::put).delete(queues::delete),
        )
        .route("/v1/queues/{queue}/seal", post(queues::seal))
        .route("/v1/queues/{queue}/reopen", post(queues::reopen))
        .route("/v1/queues/{queue}/pause", post(queues::pause))
        .route("/v1/queues/{queue}/resume", post(queues::resume))
        .route("/v1/queues/{queue}/purge", post(queues::purge))
        .route(
            "/v1/queues/{queue}/items",
            post(items::enqueue).put(items::enqueue),
        )
        .route("/v1/queues/{queue}/lease", post(leases::lease))
        .route("/v1/queues/{queue}/settle", post(leases::settle))
        .route("/v1/queues/{queue}/extend", post(leases::extend))
        .route("/v1/leases/{lease}/ack", post(leases::ack))
        .route("/v1/leases/{lease}/nack", post(leases::nack))
        .route("/v1/leases/{lease}/release", post(leases::release))
        .route("/v1/leases/{lease}/dead", post(leases::dead))
        .route("/v1/leases/{lease}/extend", post(leases::extend_one))
        .route("/v1/queues/{queue}/wait", get(outcomes::wait))
        .route("/v1/queues/{queue}/outcomes", get(outcomes::outcomes))
}

/// An enqueue that needs no router.
pub(super) async fn enqueue<B>(app: &App, name: QueueName, parts: Parts, body: B) -> Response
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let answered = async {
        let mut parts = parts;
        let query = FromQuery::from_request_parts(&mut parts, app).await?;
        let Ok(form) = items::Form::from_request_parts(&mut parts, app).await;
        let encoding = Encoding::of(&parts.headers)?;
        // They hold the connection's read buffer.
        drop(parts);
        let payload = app.intake.read_as(encoding, body).await?;
        let engine = State(Arc::clone(&app.engine));
        items::enqueue(engine, FromPath(name), query, form, payload).await
    };
    answered.await.into_response()
}

/// A lease call that needs no router.
pub(super) async fn lease<B>(app: &App, name: QueueName, parts: Parts, body: B) -> Response
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let answered = async {
        let mut parts = parts;
        let query = FromQuery::from_request_parts(&mut parts, app).await?;
        let encoding = Encoding::of(&parts.headers)?;
        drop(parts);
        let payload = app.intake.read_as(encoding, body).await?;
        let engine = State(Arc::clone(&app.engine));
        leases::lease(engine, FromPath(name), query, payload).await
    };
    answered.await.into_response()
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code(), fault.to_string())
    }
}
