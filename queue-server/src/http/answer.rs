//! Answers with a document: JSON that ends with a newline, so that a shell's next line is its own.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

/// Room for most documents, so that writing one rarely has to grow its buffer.
const USUAL_BYTES: usize = 512;

/// A value as JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(USUAL_BYTES);
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => json(StatusCode::OK, text),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// A document of JSON that is written already.
pub(super) fn json(status: StatusCode, text: Vec<u8>) -> Response {
    document(status, HeaderValue::from_static("application/json"), text)
}

/// A document of a type; the newline is added.
pub(super) fn document(status: StatusCode, kind: HeaderValue, mut text: Vec<u8>) -> Response {
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
