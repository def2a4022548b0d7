//! One line of the joblog. Readers ignore fields they do not know, so fields may be added; none may
//! change its meaning.

use jiff::Timestamp;
use queue_api::{Body, Finish, ItemId, Outcome};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Line<'a> {
    step: &'a str,
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

/// What became of a step that has no items, or of one element of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended<'a> {
    /// The step.
    pub step: &'a str,
    /// The key of the element, of a step that runs once for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<&'a str>,
    /// Whether it is done.
    #[serde(rename = "state", serialize_with = "state_of")]
    pub done: bool,
    /// Tries it took.
    #[serde(rename = "attempts")]
    pub tries: u32,
    /// When its first try began.
    pub started: Timestamp,
    /// When its last try ended.
    pub ended: Timestamp,
    /// What it gave back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'a str>,
    /// Why it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// The exit code of its last try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

fn state_of<S: serde::Serializer>(done: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(if *done { DONE } else { "failed" })
}

/// What a later run must know of a line: of an item, or of a step or an element of it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    Item {
        #[serde(flatten)]
        body: Body,
        state: String,
        step: Option<String>,
    },
    Step {
        step: String,
        element: Option<String>,
        state: String,
    },
}

/// The state of what need not be done again.
pub(super) const DONE: &str = "done";
/// The state that says that a step is done anew: what stands above it of this step counts no more.
pub(super) const ANEW: &str = "anew";

/// Puts a line with its end into the buffer.
pub(super) fn write(buffer: &mut Vec<u8>, step: &str, outcome: &Outcome) {
    let line = Line {
        step,
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
    put(buffer, &line);
}

/// The same for a step or an element.
pub(super) fn write_ended(buffer: &mut Vec<u8>, ended: &Ended<'_>) {
    put(buffer, ended);
}

/// The same for a step that begins anew.
pub(super) fn write_anew(buffer: &mut Vec<u8>, step: &str) {
    #[derive(Serialize)]
    struct Anew<'a> {
        step: &'a str,
        state: &'a str,
    }
    put(buffer, &Anew { step, state: ANEW });
}

fn put(buffer: &mut Vec<u8>, line: &impl Serialize) {
    // Texts, numbers and times: none of them can fail to be JSON, nor can a buffer fail to grow.
    serde_json::to_writer(&mut *buffer, line).expect("a line of the joblog is JSON");
    buffer.push(b'\n');
}
