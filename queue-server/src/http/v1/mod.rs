//! The calls of `/v1`.

mod backup;
mod items;
mod leases;
mod outcomes;
mod queues;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::error::ApiError;
use crate::engine::{Engine, Fault};

pub(super) type Shared = axum::extract::State<Arc<Engine>>;

pub(super) fn routes() -> Router<Arc<Engine>> {
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

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code(), fault.to_string())
    }
}
