//! The description of the API in the OpenAPI format, 3.1: made of the routes that the server serves, so that
//! it has no call that they have not, and they none that it has not.
//!
//! What a call takes and answers stands beside its handler. Here is what all calls have in common, and what
//! the library says in another way than the wire.

mod mend;
mod params;
mod problems;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use queue_api::{Code, Deleted, Outcome, Problem, RunDeleted, Snapshot};
use utoipa::OpenApi;
use utoipa::openapi;

pub(super) use params::{Message, OneItem, OneLease, OneQueue, OneRun, Raw, Stats};
pub(super) use problems::*;

use super::described;
use super::guard::{self, Guard};

/// What is said of all calls.
const INTRODUCTION: &str = include_str!("introduction.md");

/// What stands around the calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "memq",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact()
    ),
    components(schemas(Code, Deleted, Outcome, Problem, RunDeleted, Snapshot)),
    tags(
        (name = "queues", description = "Queues: making, showing, setting, and what changes all of one"),
        (name = "items", description = "Items: putting in, looking, cancelling"),
        (name = "leases", description = "Leases: taking items out, and saying what became of them"),
        (name = "outcomes", description = "Waiting for the end, and what became of the items"),
        (name = "runs", description = "Runs: how far they are, as those say who carry them out"),
        (name = "operations", description = "For those who operate the server"),
        (name = "memq", description = "kuard's MemQ API: delivery is acknowledgement, errors are plain text"),
    )
)]
struct Frame;

/// The frame that routes put their calls into.
pub(super) fn frame() -> openapi::OpenApi {
    let mut frame = Frame::openapi();
    frame.info.contact = None;
    frame.info.description = Some(INTRODUCTION.trim().to_owned());
    let components = frame.components.get_or_insert_default();
    components.add_security_schemes_from_iter(guard::schemes());
    frame
}

/// The document as it is served and committed.
///
/// # Panics
/// If the document of the routes is not one of JSON, which a test rules out.
#[must_use]
pub fn document() -> String {
    let (_, document) = described(&Arc::new(Guard::default())).split_for_parts();
    let document = mend::mended(document);
    let mut text = serde_json::to_string_pretty(&document).expect("a document is JSON");
    text.push('\n');
    text
}

/// The document that describes this API.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "describe",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), NoQueue)
)]
pub(super) async fn serve() -> Response {
    static DOCUMENT: std::sync::LazyLock<Bytes> = std::sync::LazyLock::new(|| document().into());
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
