//! What the worker tells a kubelet: alive while its loop turns, ready while it has work. Beside that its
//! metrics are to be had.
//!
//! Ready here means *has held a lease in the last half minute*: Kubernetes removes pods that are not
//! ready first, which are then the idle ones. It knows nothing of the server: a worker that waits
//! for one is alive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::metrics::{self, Meters};

/// Ready for this long after the last lease; shorter would flap between items.
const READY_FOR: Duration = Duration::from_secs(30);
/// The loop turns every few seconds whatever happens; a loop that has not for so long is stuck.
const ALIVE_FOR: Duration = Duration::from_secs(30);

/// Signs of life of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Health(Arc<Signs>);

#[derive(Debug)]
struct Signs {
    start: Instant,
    /// Milliseconds after the start.
    turned: AtomicU64,
    /// Milliseconds after the start.
    leased: AtomicU64,
    stopping: AtomicBool,
}

/// What answers need: signs of life, and counts where a queue is drained.
#[derive(Debug, Clone)]
struct Told {
    health: Health,
    meters: Option<Arc<Meters>>,
}

impl FromRef<Told> for Health {
    fn from_ref(told: &Told) -> Self {
        told.health.clone()
    }
}

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Signs {
            start: Instant::now(),
            turned: AtomicU64::new(0),
            leased: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    /// The loop has turned; whether the worker holds an item.
    pub(crate) fn turned(&self, holds_an_item: bool) {
        let now = self.since_start(Instant::now());
        self.0.turned.store(now, Relaxed);
        if holds_an_item {
            self.0.leased.store(now, Relaxed);
        }
    }

    /// The worker takes no more items.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Relaxed);
    }

    fn since_start(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.0.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn age(&self, sign: &AtomicU64, now: Instant) -> Duration {
        Duration::from_millis(self.since_start(now).saturating_sub(sign.load(Relaxed)))
    }

    fn is_ready(&self, now: Instant) -> bool {
        !self.0.stopping.load(Relaxed) && self.age(&self.0.leased, now) < READY_FOR
    }

    fn is_alive(&self, now: Instant) -> bool {
        self.age(&self.0.turned, now) < ALIVE_FOR
    }

    /// Binds the address and answers probes and Prometheus on it from a task, until the runtime ends.
    pub(crate) async fn serve(
        &self,
        address: SocketAddr,
        meters: Option<Arc<Meters>>,
    ) -> std::io::Result<SocketAddr> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let app = Router::new()
            .route("/readyz", get(ready))
            .route("/ready", get(ready))
            .route("/healthz", get(alive))
            .route("/healthy", get(alive))
            .route("/metrics", get(scrape))
            .with_state(Told {
                health: self.clone(),
                meters,
            });
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(error.message = %error, "cannot answer health probes any more");
            }
        });
        Ok(bound)
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    match health.is_ready(Instant::now()) {
        true => (StatusCode::OK, "ok\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "idle: no lease in the last 30 s, or stopping\n",
        ),
    }
}

async fn alive(State(health): State<Health>) -> (StatusCode, &'static str) {
    match health.is_alive(Instant::now()) {
        true => (StatusCode::OK, "ok\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the worker's loop is stuck\n",
        ),
    }
}

async fn scrape(State(told): State<Told>) -> Result<impl IntoResponse, StatusCode> {
    let text = metrics::text(told.meters.as_deref()).map_err(|error| {
        tracing::error!("cannot write the metrics: {error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(([(CONTENT_TYPE, ::metrics::CONTENT_TYPE)], text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_ready_from_its_start_and_for_a_while_after_each_lease() {
        let health = Health::new();
        let start = health.0.start;
        assert!(health.is_ready(start));
        assert!(health.is_ready(start + READY_FOR - Duration::from_millis(1)));
        assert!(!health.is_ready(start + READY_FOR));
        health.0.leased.store(60_000, Relaxed);
        assert!(health.is_ready(start + Duration::from_secs(89)));
        assert!(!health.is_ready(start + Duration::from_secs(90)));
        health.stopping();
        assert!(!health.is_ready(start + Duration::from_secs(61)));
    }

    #[test]
    fn a_worker_is_alive_while_its_loop_turns_even_if_it_holds_nothing() {
        let health = Health::new();
        let start = health.0.start;
        assert!(!health.is_alive(start + ALIVE_FOR));
        health.0.turned.store(29_000, Relaxed);
        assert!(health.is_alive(start + Duration::from_secs(58)));
        assert!(!health.is_ready(start + Duration::from_secs(58)));
    }
}
