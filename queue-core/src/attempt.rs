//! Leases and what became of them.

use alloc::sync::Arc;
use core::time::Duration;

use crate::blob::Blob;
use crate::paged::Vacant;
use crate::time::Time;

/// Tells one lease of an item from every other lease of it. Drawn at random, so that a lease which a
/// crash made the log forget is not given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// An item in a worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// What a settle must show.
    pub fence: Fence,
    /// Who holds it, if the worker said.
    pub worker: Option<Arc<str>>,
    /// When the attempt began.
    pub started: Time,
    /// When it was given its present deadline: at the start, or by the latest extension.
    pub renewed: Time,
    /// From this instant on the lease is lost.
    pub deadline: Time,
}

impl Lease {
    /// How long it was told to last when it was given its present deadline.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.deadline.since(self.renewed)
    }

    pub(crate) fn name_bytes(&self) -> u64 {
        self.worker.as_ref().map_or(0, |name| name.len() as u64)
    }
}

impl Vacant for Lease {
    fn vacant() -> Self {
        Self {
            fence: Fence(0),
            worker: None,
            started: Time(0),
            renewed: Time(0),
            deadline: Time(0),
        }
    }
}

/// One past attempt of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The fence its lease had: by it a repeated settle is known.
    pub fence: Fence,
    /// Which of the attempts that the item may have it was, from 1: the next one has the same if this was
    /// given back unspent, and a redriven item begins anew. 0 where a snapshot does not tell.
    pub nth: u16,
    /// Who held it.
    pub worker: Option<Arc<str>>,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub ended: Time,
    /// How it ended.
    pub how: How,
    /// The result of an ack, the error of anything else.
    pub note: Option<Blob>,
    /// The exit code of the command that handled it, if one did.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub log: Option<Blob>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// The worker did it.
    Acked,
    /// The worker failed at it.
    Nacked,
    /// The worker gave it back.
    Released,
    /// The worker said it can never work.
    Buried,
    /// The lease ran out.
    Expired,
    /// The item was cancelled under its worker.
    Revoked,
}
