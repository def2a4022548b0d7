//! The answer to a lease call that a shell can use: one body, and the rest in headers.

use axum::body::Body as HttpBody;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use queue_api::{Code, ItemId, LEASE_HEADER, QueueState, Trace, Until};

use super::lent;
use crate::engine::{Granted, LiveQueue};
use crate::http::error::ApiError;
use crate::http::trace::{TRACEPARENT, TRACESTATE};

/// Headers that tell a shell what a JSON answer tells in fields.
const ITEM_ID: HeaderName = HeaderName::from_static("memq-item-id");
const ATTEMPT: HeaderName = HeaderName::from_static("memq-attempt");
const ITEM_KEY: HeaderName = HeaderName::from_static("memq-item-key");
const ITEM_GROUP: HeaderName = HeaderName::from_static("memq-item-group");

/// The body as it is, or a status that says why there is none.
pub(super) fn answer(
    queue: &LiveQueue,
    granted: Granted,
    until: Option<Until>,
) -> Result<Response, ApiError> {
    let finished = match granted.state {
        QueueState::Drained => true,
        QueueState::Empty => until == Some(Until::Empty),
        QueueState::Open | QueueState::Paused | QueueState::Waiting => false,
    };
    let Some(grant) = granted.items.into_iter().next() else {
        return if finished {
            let name = queue.name();
            Err(ApiError::new(
                Code::Gone,
                format!("queue `{name}` is finished: nothing will come"),
            ))
        } else {
            Ok(StatusCode::NO_CONTENT.into_response())
        };
    };
    let incarnation = queue.incarnation();
    let id = ItemId::derive(incarnation, grant.seq.0).to_string();
    let lease = lent::token(incarnation, grant.seq, grant.fence);
    let attempt = grant.attempt;
    let terms = grant.terms;
    let mut response = Response::new(HttpBody::from(grant.body.into_vec()));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(ATTEMPT, attempt.into());
    for (name, value) in [
        (HeaderName::from_static(LEASE_HEADER), lease.as_str()),
        (ITEM_ID, &id),
    ] {
        headers.insert(
            name,
            HeaderValue::from_str(value).map_err(ApiError::internal)?,
        );
    }
    let terms = terms.as_deref();
    let trace = terms.and_then(|terms| terms.trace.as_ref());
    for (name, value) in [
        (ITEM_KEY, terms.and_then(|terms| terms.key.as_deref())),
        (ITEM_GROUP, terms.and_then(|terms| terms.group.as_deref())),
        (TRACEPARENT, trace.map(Trace::traceparent)),
        (TRACESTATE, trace.and_then(Trace::tracestate)),
    ] {
        // UTF-8, which a header can carry: no control character is in it.
        if let Some(value) = value {
            let value = HeaderValue::from_bytes(value.as_bytes());
            headers.insert(name, value.map_err(ApiError::internal)?);
        }
    }
    Ok(response)
}
