//! The parts of paths, and shapes that are written by hand elsewhere.

// Never made: they are there to be described.
#![expect(dead_code, reason = "handlers take each part by itself")]

use queue_api::{ItemId, LeaseToken, QueueName, RunName};

/// A call about one queue.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OneQueue {
    /// The queue's name.
    queue: QueueName,
}

/// A call about one item.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OneItem {
    /// The queue's name.
    queue: QueueName,
    /// The item's id.
    id: ItemId,
}

/// A call about one lease.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OneLease {
    /// The lease's token.
    lease: LeaseToken,
}

/// A call about one run.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OneRun {
    /// The run's name.
    run: RunName,
}

/// Whatever bytes.
#[derive(utoipa::ToSchema)]
#[schema(as = Bytes, value_type = String, format = Binary)]
pub(in crate::http) struct Raw(Vec<u8>);

/// An item of the MemQ API.
#[derive(utoipa::ToSchema)]
pub(in crate::http) struct Message {
    /// Always `message`.
    #[schema(pattern = "^message$")]
    kind: String,
    /// The item's id.
    id: ItemId,
    /// The item itself; a byte that is not UTF-8 is U+FFFD.
    body: String,
    /// When it was enqueued.
    #[serde(rename = "creationTimestamp")]
    creation_timestamp: jiff::Timestamp,
}

/// All queues as the MemQ API shows them.
#[derive(utoipa::ToSchema)]
pub(in crate::http) struct Stats {
    /// Always `stats`.
    #[schema(pattern = "^stats$")]
    kind: String,
    /// The queues.
    queues: Vec<Stat>,
}

/// A queue as the MemQ API shows it.
#[derive(utoipa::ToSchema)]
pub(in crate::http) struct Stat {
    /// Its name.
    name: QueueName,
    /// Items that are ready.
    depth: u64,
    /// Items that came in.
    enqueued: u64,
    /// Items that were taken out, or are being worked on.
    dequeued: u64,
    /// Items that were thrown away.
    drained: u64,
}
