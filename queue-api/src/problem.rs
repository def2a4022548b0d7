//! Errors of `/v1`: RFC 9457 problem details with a stable code.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The stable code of an error. Clients decide on this, never on the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is malformed; the detail says where. Do not repeat it.
    BadRequest,
    /// The call needs a token, and none came that is valid. Send one, or another.
    Unauthenticated,
    /// The token's role is too little for the call, or a browser was made to send it. Do not repeat it.
    Forbidden,
    /// No such queue. Create it, or wait for whoever does.
    NoSuchQueue,
    /// No such item, or it is past retention.
    NoSuchItem,
    /// No such run was reported, or it was forgotten.
    NoSuchRun,
    /// No such path.
    NotFound,
    /// The path exists, the method does not; see `Allow`.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The queue is sealed: it takes no new items.
    QueueSealed,
    /// Items are leased; `?force=true` deletes the queue all the same.
    QueueBusy,
    /// The lease ended, was settled otherwise, or never was. The item is no longer yours: drop it.
    LeaseLost,
    /// The item is done or expired: there is nothing left to cancel.
    ItemFinished,
    /// The outcomes after that cursor are past retention.
    OutcomesGone,
    /// The queue was deleted while the call was parked on it, or is drained (`?raw=true`).
    Gone,
    /// A body, an item or a result is over its limit. Do not repeat it.
    BodyTooLarge,
    /// The content type is not one this call takes.
    UnsupportedMediaType,
    /// Another request had this `Idempotency-Key`. Give each request a key of its own.
    IdempotencyMismatch,
    /// The queue has given as many leases as its `rate_per_s` allows; try again after `Retry-After`,
    /// or wait in the call.
    RateLimited,
    /// The queue is at its limit; try again after `Retry-After`.
    QueueFull,
    /// The server is at one of its limits; try again after `Retry-After`.
    Overloaded,
    /// The server is starting or stopping; try again after `Retry-After`.
    NotReady,
    /// The server has queues already. Restore into one that has none.
    NotEmpty,
    /// The disk is full: what ends items still works. Wait, settle or purge, or give it room.
    StorageFull,
    /// A fault of the server; its log has the chain under the request's id.
    Internal,
}

impl Code {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that carries it.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The short title for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// Whether the same request may succeed later unchanged.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::QueueFull
                | Self::RateLimited
                | Self::Overloaded
                | Self::NotReady
                | Self::RequestTimeout
                | Self::StorageFull
        )
    }

    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::BadRequest => ("bad_request", 400, "Malformed request"),
            Self::Unauthenticated => ("unauthenticated", 401, "No valid token"),
            Self::Forbidden => ("forbidden", 403, "Not allowed"),
            Self::NoSuchQueue => ("no_such_queue", 404, "No such queue"),
            Self::NoSuchItem => ("no_such_item", 404, "No such item"),
            Self::NoSuchRun => ("no_such_run", 404, "No such run"),
            Self::NotFound => ("not_found", 404, "No such path"),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "Method not allowed"),
            Self::RequestTimeout => ("request_timeout", 408, "Request did not arrive in time"),
            Self::QueueSealed => ("queue_sealed", 409, "Queue is sealed"),
            Self::QueueBusy => ("queue_busy", 409, "Queue has leased items"),
            Self::LeaseLost => ("lease_lost", 409, "Lease lost"),
            Self::ItemFinished => ("item_finished", 409, "Item is finished"),
            Self::OutcomesGone => ("outcomes_gone", 410, "Outcomes are past retention"),
            Self::Gone => ("gone", 410, "Gone"),
            Self::BodyTooLarge => ("body_too_large", 413, "Body too large"),
            Self::UnsupportedMediaType => ("unsupported_media_type", 415, "Unsupported media type"),
            Self::IdempotencyMismatch => {
                let title = "Idempotency key was used for another request";
                ("idempotency_mismatch", 422, title)
            }
            Self::RateLimited => ("rate_limited", 429, "Queue is at its rate"),
            Self::QueueFull => ("queue_full", 429, "Queue is full"),
            Self::Overloaded => ("overloaded", 429, "Server is at a limit"),
            Self::NotReady => ("not_ready", 503, "Not ready"),
            Self::NotEmpty => ("not_empty", 409, "Not empty"),
            Self::StorageFull => ("storage_full", 507, "Storage full"),
            Self::Internal => ("internal", 500, "Internal error"),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of an error answer, media type [`crate::PROBLEM_JSON`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI for the kind of problem, `urn:memq:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The short title for people.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// What failed, on what, and what to do next.
    pub detail: String,
}

impl Problem {
    /// A problem of this code with its detail.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:memq:problem:{code}"),
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_on_the_wire_as_it_prints() {
        for code in [
            Code::BadRequest,
            Code::LeaseLost,
            Code::NoSuchQueue,
            Code::OutcomesGone,
            Code::ItemFinished,
            Code::IdempotencyMismatch,
            Code::RateLimited,
            Code::Unauthenticated,
            Code::Forbidden,
        ] {
            let json = serde_json::to_string(&code).expect("a code is JSON");
            assert_eq!(json, format!("\"{code}\""));
        }
    }
}
