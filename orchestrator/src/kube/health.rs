//! Answers `/healthz`, `/readyz` and `/metrics` of the controller.
//!
//! Alive means that this answers; ready that work has begun or that another leads. Neither looks at the
//! API server or at a queue server: a restart would not mend those.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::metrics::Metrics;

#[derive(Clone)]
struct Known {
    ready: Arc<AtomicBool>,
    metrics: Metrics,
}

/// Answers on this address until told to stop; gives the address it got.
pub(super) async fn serve(
    listen: SocketAddr,
    ready: &Arc<AtomicBool>,
    metrics: &Metrics,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let known = Known {
        ready: Arc::clone(ready),
        metrics: metrics.clone(),
    };
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(known);
    let stop = stop.clone();
    tasks.spawn(async move {
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            warn!(error.message = %error, "health and metrics are not answered any more");
        }
    });
    Ok(address)
}

async fn readyz(State(known): State<Known>) -> Response {
    if known.ready.load(Ordering::Acquire) {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: Jobs and pods have not been listed\n",
        )
            .into_response()
    }
}

async fn scrape(State(known): State<Known>) -> Response {
    match known.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            warn!(error.message = %error, "cannot write metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
