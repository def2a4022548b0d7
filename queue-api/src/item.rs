//! Items as they go in and as they are lent out.

use serde::{Deserialize, Serialize};

use crate::encoding::Body;
use crate::name::{ItemId, LeaseToken};

/// The answer to an enqueue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueued {
    /// One entry an item, in the order of the request; absent with `?ids=false`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<EnqueuedItem>,
    /// How many items the request held.
    pub count: u64,
}

/// What became of one item of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueuedItem {
    /// The id the item got.
    pub id: ItemId,
    /// True if an item with the same key was already live and nothing was added.
    pub duplicate: bool,
}

/// An item lent to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// The item's id.
    pub id: ItemId,
    /// The item itself.
    #[serde(flatten)]
    pub body: Body,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Names this lease; every settle and extend carries it.
    pub lease: LeaseToken,
    /// What remains of the lease, in milliseconds: a worker's clock may differ from the server's.
    pub lease_ms: u64,
    /// When the lease ends by the server's clock.
    pub lease_expires: jiff::Timestamp,
    /// When the item was enqueued.
    pub enqueued: jiff::Timestamp,
}
