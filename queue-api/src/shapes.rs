//! Shapes that are more than their types say, for the description of the API.
//!
//! Nothing is read or written with them: the types they stand for do that by hand.

#![expect(dead_code, reason = "they are looked at, not made")]

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::encoding::Body;
use crate::lease::Settlement;
use crate::name::LeaseToken;

/// Bytes: as text, or in base64.
#[derive(ToSchema)]
#[serde(untagged)]
enum BodyShape {
    /// Bytes that are UTF-8.
    Text {
        /// The bytes as text.
        body: String,
    },
    /// Any other bytes.
    Base64 {
        /// The bytes in base64.
        #[schema(content_encoding = "base64")]
        body_base64: String,
    },
}

impl PartialSchema for Body {
    fn schema() -> RefOr<Schema> {
        BodyShape::schema()
    }
}

impl ToSchema for Body {}

/// What a worker says became of an item it held: what it may say besides depends on the verdict.
#[derive(ToSchema)]
#[serde(tag = "as", rename_all = "lowercase", deny_unknown_fields)]
enum SettlementShape {
    /// Done.
    Ack {
        /// The lease it settles.
        lease: LeaseToken,
        /// Kept with the outcome. A JSON string is kept as its text, any other value as its JSON.
        result: Option<serde_json::Value>,
        /// The exit code of the command that handled the item.
        exit_code: Option<i32>,
        /// What the attempt printed.
        log: Option<String>,
    },
    /// Failed: spends an attempt, retried after a back-off, dead after the last.
    Nack {
        /// The lease it settles.
        lease: LeaseToken,
        /// Kept with the attempt.
        error: Option<String>,
        /// Retry after this instead of the queue's back-off.
        #[schema(maximum = 315_360_000_000_u64)]
        delay_ms: Option<u64>,
        /// The exit code of the command that handled the item.
        exit_code: Option<i32>,
        /// What the attempt printed.
        log: Option<String>,
    },
    /// Given back unspent.
    Release {
        /// The lease it settles.
        lease: LeaseToken,
        /// Kept with the attempt.
        error: Option<String>,
        /// Ready after this instead of at once.
        #[schema(maximum = 315_360_000_000_u64)]
        delay_ms: Option<u64>,
        /// The exit code of the command that handled the item.
        exit_code: Option<i32>,
        /// What the attempt printed.
        log: Option<String>,
    },
    /// Can never work: dead at once.
    Dead {
        /// The lease it settles.
        lease: LeaseToken,
        /// Kept with the attempt.
        error: Option<String>,
        /// The exit code of the command that handled the item.
        exit_code: Option<i32>,
        /// What the attempt printed.
        log: Option<String>,
    },
}

impl PartialSchema for Settlement {
    fn schema() -> RefOr<Schema> {
        SettlementShape::schema()
    }
}

impl ToSchema for Settlement {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SettlementShape::schemas(schemas);
    }
}
