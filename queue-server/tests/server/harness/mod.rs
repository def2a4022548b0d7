//! A server of its own for each test, and a client that hides nothing.
//!
//! When a test is over its server is stopped, and must have kept its promises: every queue's
//! numbers add up, and no connection had to be cut.

mod answer;
mod books;
mod calls;
pub(crate) mod client;
mod events;
mod lives;
mod process;
mod server;

use std::time::{Duration, Instant};

pub(crate) use answer::Answer;
pub(crate) use books::OPERATOR;
pub(crate) use calls::Held;
pub(crate) use client::{IntoBody, Wire};
pub(crate) use events::Events;
pub(crate) use lives::{End, Lives, lasting};
pub(crate) use process::Program;
pub(crate) use server::Api;

/// Longer than anything takes on a busy machine: reached only when something hangs.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Fails instead of hanging.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(BOUND, future).await.expect("it hangs")
}

/// Asks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < BOUND, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
