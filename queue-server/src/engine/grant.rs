//! What a lease call is given.

use queue_api::QueueState;
use queue_core::{Fence, Seq, Time};

/// One item lent out, with a copy of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) seq: Seq,
    pub(crate) fence: Fence,
    pub(crate) deadline: Time,
    pub(crate) attempt: u32,
    pub(crate) enqueued: Time,
    pub(crate) body: Vec<u8>,
}

/// The answer to a lease call, as of `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) now: Time,
    pub(crate) items: Vec<Grant>,
    /// Why there are items, or none.
    pub(crate) state: QueueState,
}
