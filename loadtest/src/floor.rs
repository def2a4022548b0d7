//! The floor: what any axum server pays to answer a POST with a JSON message, and nothing else.
//!
//! Served by plain `axum::serve`. It reads the body and forgets it; nothing is kept but a number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;

/// Largest message in bytes.
const MOST_BYTES: usize = 1024 * 1024;
/// What a message has besides its body, in bytes: keys, quotes and the id.
const AROUND_BODY: usize = r#"{"id":"","body":""}"#.len() + 32;

/// Serves the floor until the task that polls it is gone.
///
/// # Errors
///
/// The listener fails.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let floor = Arc::new(Floor {
        answered: AtomicU64::new(0),
        body: "x".repeat(MOST_BYTES),
    });
    let app = Router::new()
        .route("/answered", get(answered))
        .route("/{bytes}", post(answer))
        .with_state(floor);
    axum::serve(listener, app).await
}

struct Floor {
    answered: AtomicU64,
    body: String,
}

/// Shaped like the message of an item.
#[derive(Serialize)]
struct Message {
    id: String,
    body: String,
}

/// Answers a message of so many bytes, as near as its id allows. The body is a new string each
/// time, as an item's would be.
async fn answer(
    State(floor): State<Arc<Floor>>,
    Path(bytes): Path<usize>,
    _: Bytes,
) -> Result<Json<Message>, StatusCode> {
    let number = floor.answered.fetch_add(1, Ordering::Relaxed);
    let body = floor.body.get(..bytes.saturating_sub(AROUND_BODY));
    let body = body.ok_or(StatusCode::PAYLOAD_TOO_LARGE)?.to_owned();
    Ok(Json(Message {
        id: format!("{number:032x}"),
        body,
    }))
}

/// How many messages were answered, for whoever doubts a client's count.
async fn answered(State(floor): State<Arc<Floor>>) -> String {
    floor.answered.load(Ordering::Relaxed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_was_asked_to_be() {
        let message = Message {
            id: "0".repeat(32),
            body: "x".repeat(100 - AROUND_BODY),
        };
        let json = serde_json::to_string(&message).expect("a message is JSON");
        assert_eq!(json.len(), 100);
    }
}
