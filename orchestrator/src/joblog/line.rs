//! One line of the joblog. Readers ignore fields they do not know, so fields may be added; none may
//! change its meaning.

use jiff::Timestamp;
use queue_api::{Body, Finish, ItemId, Outcome};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Line<'a> {
    id: ItemId,
    #[serde(flatten)]
    body: &'a Body,
    state: Finish,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    ended: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
}

/// What a later run must know of a line.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) body: Body,
    pub(super) state: String,
}

/// The state of an item that need not be done again.
pub(super) const DONE: &str = "done";

/// Puts a line with its end into the buffer.
pub(super) fn write(buffer: &mut Vec<u8>, outcome: &Outcome) {
    let line = Line {
        id: outcome.id,
        body: &outcome.body,
        state: outcome.state,
        attempts: outcome.attempts,
        worker: outcome.worker.as_deref(),
        started: outcome.started,
        ended: outcome.ended,
        result: outcome.result.as_deref(),
        error: outcome.error.as_deref(),
        exit_code: outcome.exit_code,
    };
    // Texts, numbers and times: none of them can fail to be JSON, nor can a buffer fail to grow.
    serde_json::to_writer(&mut *buffer, &line).expect("an outcome is JSON");
    buffer.push(b'\n');
}
