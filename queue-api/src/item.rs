//! Items as they go in and as they are lent out.

use serde::{Deserialize, Serialize};

use crate::encoding::Body;
use crate::name::{ItemId, LeaseToken};
use crate::options::is_zero;
use crate::trace::Trace;

/// The answer to an enqueue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Enqueued {
    /// One entry an item, in the order of the request; absent with `?ids=false`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<EnqueuedItem>,
    /// How many items the request held, duplicates among them.
    pub count: u64,
}

/// What became of one item of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnqueuedItem {
    /// The id the item got, or of the item that has its key.
    pub id: ItemId,
    /// True if another item has the same key, and nothing of this one was kept.
    pub duplicate: bool,
}

/// An item lent to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Leased {
    /// The item's id.
    pub id: ItemId,
    /// The item itself.
    #[serde(flatten)]
    pub body: Body,
    /// Which of the item's `max_attempts` this is, from 1: after a release that spent none it is the same
    /// again, and a redriven item begins anew.
    pub attempt: u32,
    /// Names this lease; every settle and extend carries it.
    pub lease: LeaseToken,
    /// What remains of the lease, in milliseconds: a worker's clock may differ from the server's.
    pub lease_ms: u64,
    /// When the lease ends by the server's clock.
    pub lease_expires: jiff::Timestamp,
    /// When the item was enqueued.
    pub enqueued: jiff::Timestamp,
    /// Its unique key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its group, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its priority; absent where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i16,
    /// The trace it was enqueued in, if it was in one: W3C trace context, to be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What tracing systems added to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}

impl Leased {
    /// The id of the trace it was enqueued in, if it was in one.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.get(Trace::ID)
    }

    /// The trace it was enqueued in, if it was in one.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        Trace::new(self.traceparent.as_deref()?, self.tracestate.as_deref())
    }
}
