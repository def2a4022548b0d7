//! What the engine refuses, in words for the caller.

use std::time::Duration;

use queue_api::{Code, ItemId, QueueName, SettingsError};
use queue_core::Refusal;

use super::store::LogFailed;
use crate::metrics::Limit;

/// A command that was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Create the queue first.
    #[error(
        "queue `{0}` does not exist: create it with PUT /v1/queues/{0}, or enqueue with ?create=true"
    )]
    NoSuchQueue(QueueName),
    /// The MemQ API creates a queue once.
    #[error("queue `{0}` exists already")]
    QueueExists(QueueName),
    /// Call it something else.
    #[error(
        "no queue can be made with the name `{0}`: metrics tell of many queues together under it"
    )]
    NameReserved(QueueName),
    /// Wait for the leases to end, or force it.
    #[error(
        "queue `{name}` has {leased} leased items: wait for them, or delete it with ?force=true"
    )]
    QueueBusy {
        /// The queue.
        name: QueueName,
        /// Items in workers' hands.
        leased: u64,
    },
    /// The queue takes no items.
    #[error("queue `{name}` refused the items: {refusal}")]
    Refused {
        /// The queue.
        name: QueueName,
        /// Why.
        refusal: Refusal,
    },
    /// The queue was deleted under a parked call.
    #[error("queue `{0}` was deleted")]
    Deleted(QueueName),
    /// The settings are out of their limits.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An item is over the queue's limit.
    #[error(
        "item {index} has {bytes} bytes, and queue `{name}` takes at most {limit} (setting max_body_bytes)"
    )]
    BodyTooLarge {
        /// The queue.
        name: QueueName,
        /// Which item of the request, from 1.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: u64,
    },
    /// A result is over the queue's limit.
    #[error(
        "the result has {bytes} bytes, and queue `{name}` takes at most {limit} (setting max_result_bytes)"
    )]
    ResultTooLarge {
        /// The queue.
        name: QueueName,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: u64,
    },
    /// The lease is not live. Drop the item: it is no longer yours.
    #[error(
        "the lease ended, was settled otherwise, or never was: drop the item, it is no longer yours"
    )]
    LeaseLost,
    /// Another item, or none. It may be past retention.
    #[error("item `{0}` is not in the queue: it never was, was purged, or is past retention")]
    NoSuchItem(ItemId),
    /// The item had no such attempt, or it is not kept.
    #[error("attempt {number} of item `{id}` is not kept: look at its history")]
    NoSuchAttempt {
        /// The item.
        id: ItemId,
        /// What was asked for.
        number: u32,
    },
    /// A cursor of another queue.
    #[error("item `{id}` is not of queue `{name}`, or of an earlier one of that name: begin anew")]
    ForeignItem {
        /// The queue.
        name: QueueName,
        /// The item.
        id: ItemId,
    },
    /// There is nothing left to cancel.
    #[error("item `{0}` is done or expired: there is nothing left to cancel")]
    ItemFinished(ItemId),
    /// Give each request a key of its own.
    #[error(
        "Idempotency-Key `{0}` was used for another request on this queue: give each request a key of its own"
    )]
    IdempotencyMismatch(String),
    /// Ask again later, or wait in the call.
    #[error(
        "queue `{name}` has given as many leases as its rate_per_s allows: ask again later, or with wait_ms"
    )]
    RateLimited {
        /// The queue.
        name: QueueName,
        /// When the next lease can be given.
        after: Duration,
    },
    /// The cursor is past retention.
    #[error(
        "outcomes after {after} are past retention: the oldest that can be followed is after={oldest}"
    )]
    OutcomesGone {
        /// What was asked.
        after: u64,
        /// What could be asked.
        oldest: u64,
    },
    /// Wait, or raise the limit.
    #[error("the server has {0} queues, its limit (--max-queues): delete some")]
    TooManyQueues(usize),
    /// Too many calls are parked.
    #[error("the server has {0} parked calls, its limit (--max-waiters): ask again later")]
    TooManyWaiters(usize),
    /// All queues together hold as many items as they may. Wait until some are finished.
    #[error("the server holds {0} items, its limit (--max-items): enqueue again later")]
    TooManyItems(u64),
    /// All queues together hold as many bytes as they may. Wait until some are finished.
    #[error("the server holds {0} bytes of items, its limit (--max-bytes): enqueue again later")]
    TooManyBytes(u64),
    /// The server is reading its log, or a backup. Try again.
    #[error("the server is recovering, or being restored: it serves once it has read everything")]
    Recovering,
    /// The disk failed under the log.
    #[error(
        "the log cannot be written ({0}): the server stops, and recovers from disk when it is started again"
    )]
    LogFailed(String),
    /// The disk is full.
    #[error(
        "the disk is full, or the log at its limit (--max-data-bytes): settle or purge items, or give it room"
    )]
    StorageFull,
    /// Back up a server that keeps its items on disk.
    #[error("the server keeps its items in memory: there is nothing to back up")]
    NothingToBackUp,
    /// Wait until one of those under way has ended.
    #[error("{0} backups are under way, as many as there may be: ask again later")]
    TooManyBackups(usize),
    /// Restore into a server without queues.
    #[error("the server has {0} queues: restore into one that has none")]
    NotEmpty(usize),
    /// Send a backup, whole.
    #[error("the backup is refused, and nothing of it restored: {0}")]
    BadBackup(String),
    /// Bytes on disk cannot be read.
    #[error("the item's bytes cannot be read from the log: {0}")]
    Unreadable(String),
}

impl From<LogFailed> for Fault {
    fn from(LogFailed(reason): LogFailed) -> Self {
        Self::LogFailed(reason)
    }
}

impl Fault {
    /// How long to wait before the same is asked for again, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// The limit that refused it, if one did that is not counted where it is looked at.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooManyQueues(_) => Some(Limit::MaxQueues),
            Self::TooManyWaiters(_) => Some(Limit::Waiters),
            Self::TooManyItems(_) => Some(Limit::MaxItems),
            Self::TooManyBytes(_) => Some(Limit::MaxBytes),
            other => Limit::of(other.code()),
        }
    }

    /// The stable code of the refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoSuchQueue(_) => Code::NoSuchQueue,
            Self::QueueExists(_)
            | Self::NameReserved(_)
            | Self::Settings(_)
            | Self::ForeignItem { .. }
            | Self::NothingToBackUp
            | Self::BadBackup(_) => Code::BadRequest,
            Self::NotEmpty(_) => Code::NotEmpty,
            Self::QueueBusy { .. } => Code::QueueBusy,
            Self::Refused {
                refusal: Refusal::Sealed,
                ..
            } => Code::QueueSealed,
            Self::Refused { .. } => Code::QueueFull,
            Self::NoSuchItem(_) | Self::NoSuchAttempt { .. } => Code::NoSuchItem,
            Self::ItemFinished(_) => Code::ItemFinished,
            Self::IdempotencyMismatch(_) => Code::IdempotencyMismatch,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Deleted(_) => Code::Gone,
            Self::BodyTooLarge { .. } | Self::ResultTooLarge { .. } => Code::BodyTooLarge,
            Self::LeaseLost => Code::LeaseLost,
            Self::OutcomesGone { .. } => Code::OutcomesGone,
            Self::TooManyQueues(_)
            | Self::TooManyWaiters(_)
            | Self::TooManyBackups(_)
            | Self::TooManyItems(_)
            | Self::TooManyBytes(_) => Code::Overloaded,
            Self::Recovering | Self::LogFailed(_) => Code::NotReady,
            Self::StorageFull => Code::StorageFull,
            Self::Unreadable(_) => Code::Internal,
        }
    }
}
