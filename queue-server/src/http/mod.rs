//! HTTP: two families of calls on one port, kuard's MemQ API and `/v1`, and what operators ask.

pub(crate) mod error;
mod input;
mod kuard;
mod metrics;
mod ops;
pub(crate) mod request_id;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::config::HttpLimits;
use crate::engine::Engine;

/// Everything the server answers.
pub(crate) fn router(engine: Arc<Engine>, limits: &HttpLimits) -> Router {
    Router::new()
        .merge(v1::routes())
        .merge(ops::routes())
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .nest("/memq/server", kuard::routes())
        .layer(DefaultBodyLimit::max(limits.max_request_bytes))
        .with_state(engine)
}
