//! Which errors a call may be answered with, each in its shape.

use std::collections::BTreeMap;

use queue_api::{Code, PROBLEM_JSON, Problem};
use serde_json::json;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::http::kuard::Refused;

/// What any call may be answered with.
const ANY: &[Code] = &[
    Code::BadRequest,
    Code::RequestTimeout,
    Code::Overloaded,
    Code::Internal,
    Code::NotReady,
];
/// What comes on top where a body is read.
const BODY: &[Code] = &[Code::BodyTooLarge, Code::UnsupportedMediaType];

/// Names the errors of a kind of call.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($all:ident)* + $($code:ident)*;)*) => {$(
        $(#[$doc])*
        pub(in crate::http) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let codes = [$($all,)* &[$(Code::$code),*]];
                responses(&codes.concat())
            }
        }
    )*};
}

problems! {
    /// A call that is about no queue.
    NoQueue: ANY + ;
    /// A call that shows a queue.
    Shows: ANY + NoSuchQueue;
    /// A call that shows a run.
    ShowsRun: ANY + NoSuchRun;
    /// A call that reports a run.
    Reports: ANY BODY + ;
    /// A call that forgets a run.
    DeletesRun: ANY + NoSuchRun;
    /// A call that shows an item.
    ShowsItem: ANY + NoSuchQueue NoSuchItem;
    /// A call that ends an item.
    Cancels: ANY + NoSuchQueue NoSuchItem ItemFinished StorageFull;
    /// A call that brings items back.
    Redrives: ANY BODY + NoSuchQueue StorageFull;
    /// A call that may park on a queue, and changes nothing.
    Waits: ANY + NoSuchQueue Gone;
    /// A call that makes a queue, or changes its settings.
    Makes: ANY BODY + StorageFull;
    /// A call that changes a queue.
    Changes: ANY + NoSuchQueue StorageFull;
    /// A call that deletes a queue.
    Deletes: ANY + NoSuchQueue QueueBusy StorageFull;
    /// An enqueue.
    Enqueues: ANY BODY + NoSuchQueue QueueSealed LeaseLost IdempotencyMismatch QueueFull StorageFull;
    /// A lease call.
    Lends: ANY BODY + NoSuchQueue Gone RateLimited StorageFull;
    /// A call about leases of a queue.
    Settles: ANY BODY + NoSuchQueue StorageFull;
    /// A call about one lease.
    SettlesOne: ANY BODY + LeaseLost NoSuchQueue StorageFull;
    /// A call that follows outcomes.
    Follows: ANY + NoSuchQueue OutcomesGone;
    /// A call that brings a backup.
    Restores: ANY + UnsupportedMediaType NotEmpty StorageFull;
}

/// The MemQ API says its errors as lines of text.
impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let answers = [
            (400, "no such queue, sealed, or not as it should be"),
            (408, "the request did not arrive in time"),
            (413, "the item is too large"),
            (429, "a limit is reached"),
            (500, "a fault of the server"),
            (503, "paused, starting or stopping"),
            (507, "the disk is full"),
        ];
        let answer = |(status, description): (u16, &str)| {
            (status.to_string(), RefOr::T(text_problem(description)))
        };
        answers.into_iter().map(answer).collect()
    }
}

/// An answer of the MemQ API that says an error.
pub(in crate::http) fn text_problem(description: &str) -> Response {
    let text = ContentBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("text/plain", text)
        .build()
}

/// One answer a status: a status may stand for several codes.
fn responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(*code);
    }
    let response = |(status, codes): (u16, Vec<Code>)| {
        let response = RefOr::T(problem(status, &codes));
        (status.to_string(), response)
    };
    by_status.into_iter().map(response).collect()
}

/// An answer of this status, with one of these codes.
pub(in crate::http) fn problem(status: u16, codes: &[Code]) -> Response {
    let said = codes
        .iter()
        .map(|code| format!("`{code}`: {}", code.title()))
        .collect::<Vec<_>>();
    let one_of = |kind, values: Vec<serde_json::Value>| {
        ObjectBuilder::new()
            .schema_type(kind)
            .enum_values(Some(values))
    };
    let codes_here = codes.iter().map(|code| json!(code)).collect();
    let here = ObjectBuilder::new()
        .property("status", one_of(Type::Integer, vec![json!(status)]))
        .property("code", one_of(Type::String, codes_here));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name(Problem::name()))
        .item(here);
    let content = ContentBuilder::new()
        .schema(Some(Schema::from(schema)))
        .build();
    let mut response = ResponseBuilder::new()
        .description(said.join("; "))
        .content(PROBLEM_JSON, content);
    if codes.iter().all(|code| code.is_transient()) {
        response = response.header("Retry-After", retry_after());
    }
    response.build()
}

fn retry_after() -> Header {
    HeaderBuilder::new()
        .description(Some(
            "Seconds after which the same request may be sent again",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1)),
        ))
        .build()
}
