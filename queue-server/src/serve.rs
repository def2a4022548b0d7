//! The accept loop: connections in, bounded in number and in time, and an end within a bound that
//! says how it went.
//!
//! `axum::serve` installs no timer, so its time-outs are inert, and it takes as many connections as
//! come. This loop owns each connection's task, from accept to the end. It does not
//! know what is served.

mod accept;
mod body;
mod clock;
mod connection;
mod io;
mod limits;
mod listen;
mod signals;
#[cfg(test)]
mod tests;
mod waker;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Body as _;
use queue_api::Code;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tracing::{error, warn};

use self::accept::Acceptor;
pub(crate) use self::body::{ArrivingBody, BodyTimedOut};
use self::connection::Keep;
pub use self::limits::ConnectionLimits;
pub(crate) use self::limits::TURNED_AWAY;
pub(crate) use self::listen::listen;
use crate::http::error::ApiError;
use crate::metrics::Connections;
use telemetry::chain;

/// What answers requests.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// The answer to one request. Nothing may happen before the first poll.
    fn answer(&self, request: Request<ArrivingBody>) -> impl Future<Output = Response> + Send;
}

impl Answers for Router {
    async fn answer(&self, request: Request<ArrivingBody>) -> Response {
        let request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(body),
        });
        match self.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// What all connections look at.
#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    closing: CancellationToken,
    is_closing: AtomicBool,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were open when the order to stop came.
    pub open: usize,
    /// Of these, how many were cut because their time ran out.
    pub cut: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open, cut, took } = self;
        match cut {
            0 => write!(
                f,
                "all {open} connections ended by themselves within {took:.1?}"
            ),
            _ => write!(f, "{cut} of {open} connections were cut after {took:.1?}"),
        }
    }
}

/// Serves the listener's connections until told to stop, then ends: idle connections are closed,
/// requests under way have [`ConnectionLimits::grace`] to finish, the rest is cut.
///
/// Dropping the future ends every connection at once.
pub(crate) async fn serve(
    listener: TcpListener,
    answers: impl Answers,
    limits: &ConnectionLimits,
    meter: &Connections,
    stop: CancellationToken,
) -> Stopped {
    let shared = Arc::new(Shared {
        limits: limits.clone(),
        closing: CancellationToken::new(),
        is_closing: AtomicBool::new(false),
    });
    let turned_away = turn_away(limits);
    let mut acceptor = Acceptor::new(listener);
    let mut connections = JoinSet::new();
    let mut full = false;
    let stopped = stop.cancelled();
    tokio::pin!(stopped);
    loop {
        meter.are(connections.len());
        let room = connections.len() < limits.max_connections + TURNED_AWAY;
        tokio::select! {
            biased;
            () = &mut stopped => break,
            Some(ended) = connections.join_next() => note(ended),
            stream = acceptor.next(), if room => {
                let over = connections.len() >= limits.max_connections;
                if over && !full {
                    warn!(connection.limit = limits.max_connections, "connection limit reached: new connections are turned away");
                }
                full = over;
                meter.accepted(over);
                let shared = Arc::clone(&shared);
                if over {
                    connections.spawn(connection::serve(stream, turned_away.clone(), Keep::One, shared));
                } else {
                    connections.spawn(connection::serve(stream, answers.clone(), Keep::Alive, shared));
                }
            }
        }
    }
    // Closed first, so that a client is refused rather than left in the backlog.
    drop(acceptor);
    shared.is_closing.store(true, Ordering::Release);
    shared.closing.cancel();
    end(connections, limits.grace).await
}

async fn end(mut connections: JoinSet<()>, grace: Duration) -> Stopped {
    let begin = Instant::now();
    let open = connections.len();
    let all_end = async {
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    };
    let in_time = tokio::time::timeout(grace, all_end).await.is_ok();
    let cut = if in_time { 0 } else { connections.len() };
    connections.shutdown().await;
    Stopped {
        open,
        cut,
        took: begin.elapsed(),
    }
}

/// Answers whoever comes while the connection limit is reached.
fn turn_away(limits: &ConnectionLimits) -> Router {
    let detail = format!(
        "the server has {} connections, its most; close some or try again",
        limits.max_connections
    );
    Router::new().fallback(move || async { ApiError::new(Code::Overloaded, detail) })
}

/// A connection's end. Handlers' panics are caught where they are answered; one that comes this
/// far is the connection's own.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(
            error.message = %chain(&error),
            "a connection's task panicked"
        );
    }
}
