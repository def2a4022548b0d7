//! A queue as the wire shows it.

use serde::{Deserialize, Serialize};

use crate::name::QueueName;
use crate::settings::Settings;

/// The answer of `GET /v1/queues`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueList {
    /// All queues, by name.
    pub queues: Vec<Queue>,
}

/// One queue: what it holds, what passed through it, how it is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// No new items are taken.
    pub sealed: bool,
    /// No new leases are given.
    pub paused: bool,
    /// Sealed, and nothing ready, leased or delayed.
    pub drained: bool,
    /// Unsealed, nothing ready, leased or delayed, something ever enqueued, and nothing for `quiet_ms`.
    pub empty: bool,
    /// Whether any item is dead; present once nothing is unfinished and something was enqueued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Verdict>,
    /// Items by state.
    pub counts: Counts,
    /// Items that could be worked on now: ready, leased, and delayed ones that are due.
    pub backlog: u64,
    /// Items that are not done or dead: ready, leased and delayed.
    pub unfinished: u64,
    /// Items worked off a second, done or dead, over the last minute or so. Those that were cancelled, expired or
    /// purged do not count.
    pub rate_per_s: f64,
    /// Milliseconds until nothing is unfinished at that rate; absent while it cannot be said, and while the queue is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// How long its items take. A server that does not tell yet counts as one that measured nothing.
    #[serde(default)]
    pub handling: Handling,
    /// Everything that ever happened to its items.
    pub totals: Totals,
    /// How long the oldest ready item has been in the queue, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ready_ms: Option<u64>,
    /// Its settings, defaults filled in.
    pub settings: Settings,
}

/// How a finished queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No item is dead.
    Clean,
    /// Some item is dead.
    Dead,
}

/// Items by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Can be leased now.
    pub ready: u64,
    /// Lent to a worker.
    pub leased: u64,
    /// Wait for their time.
    pub delayed: u64,
    /// Gave up on; kept until purged.
    pub dead: u64,
    /// Finished, ever: retention forgets the outcome, not the count.
    pub done: u64,
}

/// How long the items of a queue take: what sizing its workers needs, at a cost that does not grow
/// with its items.
///
/// Measured is the time from a lease to the `ack`, `nack` or `dead` that settled it: how long an item
/// keeps a place of a worker. A release says nothing of that, and a lease that ran out only that it is
/// longer than the lease or that the worker died; neither is measured, nor is what the MemQ API takes.
/// The server keeps none of it over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Handling {
    /// How many were measured, since the queue was made or the server started.
    pub completions: u64,
    /// The mean, in milliseconds and hundredths of them; recent ones weigh more. Absent until one was
    /// measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<f64>,
    /// Nineteen of twenty take no longer than this, in milliseconds; recent ones weigh more. Never
    /// below what was measured, and at most an eighth above it. Absent until one was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// How long ago the leases that are held now were given, on average, however often they were
    /// extended. Absent while nothing is leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_mean_age_ms: Option<u64>,
}

/// Everything that ever happened to the items of a queue. Always: enqueued = ready + leased +
/// delayed + dead + done + purged + item_expired + cancelled, where an item that was redriven counts
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Totals {
    /// Items that came in.
    pub enqueued: u64,
    /// Items that were left out of an enqueue because another with their key was there.
    #[serde(default)]
    pub duplicates: u64,
    /// Leases given.
    pub leased: u64,
    /// Leases settled with `ack`.
    pub acked: u64,
    /// Leases settled with `nack`.
    pub nacked: u64,
    /// Leases given back.
    pub released: u64,
    /// Leases that ran out.
    pub lease_expired: u64,
    /// Items that ended at their `expires`.
    #[serde(default)]
    pub item_expired: u64,
    /// Items that were cancelled.
    #[serde(default)]
    pub cancelled: u64,
    /// Items that died.
    pub dead: u64,
    /// Dead items that were made ready again.
    #[serde(default)]
    pub redriven: u64,
    /// Items thrown away unfinished, or as dead letters, by `purge`.
    pub purged: u64,
    /// Items taken through the MemQ API, which is delivery and acknowledgement in one.
    pub taken: u64,
}

/// What a restore brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Restored {
    /// Queues.
    pub queues: u64,
    /// Items in them that are neither done nor dead.
    pub unfinished: u64,
}

/// A queue after a call that changed many of its items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Affected {
    /// How many items the call changed.
    pub affected: u64,
    /// The queue afterwards.
    #[serde(flatten)]
    pub queue: Queue,
}
