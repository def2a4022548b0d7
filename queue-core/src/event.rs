//! What happened: the facts a log keeps and a recovery replays.
//!
//! An event holds what was decided and not why, so that a later change of a rule (ordering, jitter,
//! limits) does not change the past.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::Seq;
use crate::attempt::{Fence, How};
use crate::blob::Blob;
use crate::idempotency::Recalled;
use crate::settings::Settings;
use crate::terms::Terms;
use crate::time::Time;

/// One change of a queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The queue decides by these settings from here on.
    Configured(Box<Settings>),
    /// An item came in.
    Enqueued {
        /// When.
        at: Time,
        /// The place it got: always the next one.
        seq: Seq,
        /// Its body.
        body: Blob,
        /// When it may be lent first, if not at once.
        due: Option<Time>,
        /// What else it was given, if anything.
        terms: Option<Box<Terms>>,
    },
    /// Items did not come in, because others have their keys.
    Duplicated {
        /// How many.
        count: u64,
    },
    /// An item was lent to a worker.
    Leased {
        /// When.
        at: Time,
        /// Which.
        seq: Seq,
        /// What a settle must show.
        fence: Fence,
        /// When the lease ends.
        deadline: Time,
        /// Who holds it.
        worker: Option<Arc<str>>,
    },
    /// A lease got a new end.
    Extended {
        /// When.
        at: Time,
        /// Whose.
        seq: Seq,
        /// When the lease ends now.
        deadline: Time,
    },
    /// A lease ended: its worker settled it, or it ran out.
    Settled {
        /// When.
        at: Time,
        /// Whose.
        seq: Seq,
        /// How it ended.
        how: How,
        /// What becomes of the item.
        next: Next,
        /// Whether the attempt counts.
        spent: bool,
        /// The result or the error.
        note: Option<Blob>,
        /// The exit code of the command that handled it.
        exit_code: Option<i32>,
        /// What the attempt printed.
        log: Option<Blob>,
    },
    /// A delayed item became ready.
    FellDue {
        /// Which.
        seq: Seq,
    },
    /// An item was delivered and done in one (the MemQ API).
    Taken {
        /// When.
        at: Time,
        /// Which.
        seq: Seq,
    },
    /// An item was thrown away.
    Purged {
        /// Which.
        seq: Seq,
    },
    /// An item expired that was in nobody's hands.
    Expired {
        /// When.
        at: Time,
        /// Which.
        seq: Seq,
    },
    /// An item in nobody's hands is not wanted any more.
    Cancelled {
        /// When.
        at: Time,
        /// Which.
        seq: Seq,
    },
    /// A dead item is tried again, from its first attempt on.
    Redriven {
        /// Which.
        seq: Seq,
    },
    /// The key of an item that ended may be used again.
    KeyFreed {
        /// Whose.
        seq: Seq,
    },
    /// The answer to an enqueue is kept, for when it is sent again.
    Remembered {
        /// When.
        at: Time,
        /// The name the caller gave the enqueue.
        key: Arc<str>,
        /// What was answered.
        answer: Recalled,
    },
    /// An enqueue was sent again.
    Recalled {
        /// When.
        at: Time,
        /// The name the caller gave it.
        key: Arc<str>,
    },
    /// The oldest outcomes, up to this number and with it, are past retention.
    Forgotten {
        /// The last one to forget.
        through: u64,
    },
    /// No new items are taken.
    Sealed,
    /// New items are taken again.
    Reopened,
    /// No new leases are given.
    Paused,
    /// New leases are given again.
    Resumed,
}

/// Where an item goes when its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Done.
    Done,
    /// Ready at once, at its old place.
    Ready,
    /// Ready at this instant.
    Delayed(Time),
    /// Given up on.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch is as many events, each moved several times before it is applied.
    #[test]
    fn an_event_stays_small() {
        assert!(size_of::<Event>() <= 96, "{}", size_of::<Event>());
    }
}
