//! Answers of GETs that go compressed, where the client asks.
//!
//! What is written line by line still goes line by line: the encoder gives out what it has whenever the
//! next line is not there yet. Each answer under way holds an encoder's memory, so only so many are
//! compressed at a time, and what comes on top goes as it is.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::{BoxError, Router};
use futures_util::StreamExt;
use http_body_util::{BodyStream, StreamBody};
use queue_api::EVENT_STREAM;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service as _;
use tower_http::CompressionLevel;
use tower_http::compression::{Compression, Predicate};

/// Most answers that are compressed at a time: an encoder takes up to a few MiB.
const MAX_COMPRESSED: usize = 32;
/// Smallest answer that is compressed, in bytes: a smaller one fits a packet as it is.
const MIN_BYTES: u64 = 1024;

/// Compresses what the router answers.
#[derive(Debug, Clone)]
pub(super) struct Compressor {
    places: Arc<Semaphore>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_COMPRESSED)),
        }
    }
}

impl Compressor {
    /// Whether the answer to this request may go compressed.
    pub(super) fn is_asked(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::GET && headers.contains_key(ACCEPT_ENCODING)
    }

    /// The router's answer, compressed as the client likes it best.
    pub(super) async fn answer(&self, router: Router, request: Request<Body>) -> Response<Body> {
        let gate = Gate {
            places: Arc::clone(&self.places),
            taken: Arc::default(),
        };
        let taken = Arc::clone(&gate.taken);
        let mut compression = Compression::new(router)
            .quality(CompressionLevel::Fastest)
            .compress_when(gate);
        let response = match compression.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let place = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It may be that the client takes none of what there is.
        let place = place.filter(|_| response.headers().contains_key(CONTENT_ENCODING));
        response.map(|body| match place {
            Some(place) => in_turns(body, place),
            None => Body::new(body),
        })
    }
}

/// A body that is encoded piece by piece, about 4 KiB of what comes out of it, with all else that is to be
/// done between the pieces: a page of a mebibyte takes its encoder longer than a thousand other answers take.
/// The place is given back with the body.
fn in_turns<B>(body: B, place: OwnedSemaphorePermit) -> Body
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let pieces = BodyStream::new(body).then(move |piece| {
        let _held = &place;
        async {
            tokio::task::yield_now().await;
            piece
        }
    });
    Body::new(StreamBody::new(pieces))
}

/// Decides about one answer once it is known, and takes its place.
#[derive(Debug, Clone)]
struct Gate {
    places: Arc<Semaphore>,
    taken: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Predicate for Gate {
    fn should_compress<B: hyper::body::Body>(&self, response: &Response<B>) -> bool {
        let large = response
            .body()
            .size_hint()
            .upper()
            .is_none_or(|bytes| bytes >= MIN_BYTES);
        if response.status() != StatusCode::OK || !large || !is_text(response.headers()) {
            return false;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = place;
        taken.is_some()
    }
}

/// Whether an answer is worth it. Events are not: each stream of them lives as long as somebody looks at
/// it, and would hold an encoder for a few lines a minute.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let text = kind.starts_with("text/") || kind.starts_with("application/");
        text && !kind.starts_with(EVENT_STREAM) && !kind.starts_with("application/octet-stream")
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tokio::task::yield_now;

    use super::*;

    /// Text of a mebibyte that hardly gets shorter than half of it.
    fn long() -> String {
        let next = |number: &u64| Some(number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        let numbers = std::iter::successors(Some(1), next);
        let text = numbers.take(1 << 17).map(|it| format!("{:08x}", it >> 32));
        text.collect()
    }

    #[tokio::test]
    async fn between_the_pieces_of_a_long_answer_others_have_their_turn() {
        let router = Router::new().route("/", get(|| async { long() }));
        let compressor = Compressor::default();
        let asking = Request::get("/").header(ACCEPT_ENCODING, "gzip");
        let request = asking.body(Body::empty()).expect("a request");
        let mut answer = compressor.answer(router, request).await;
        assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
        let mut turns = 0;
        let others = async {
            loop {
                turns += 1;
                yield_now().await;
            }
        };
        let body = tokio::select! {
            body = answer.body_mut().collect() => body.expect("the answer").to_bytes(),
            () = others => unreachable!("it does not end"),
        };
        assert!(body.len() > 1 << 18, "{}", body.len());
        assert!(turns > body.len() >> 13, "{turns} of {}", body.len());
        assert_eq!(compressor.places.available_permits(), MAX_COMPRESSED - 1);
        drop(answer);
        assert_eq!(compressor.places.available_permits(), MAX_COMPRESSED);
    }
}
