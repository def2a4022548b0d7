//! A queue as a pure state machine.
//!
//! [`Queue`] knows items, leases, retries and outcomes. It does no I/O, reads no clock and draws no
//! random number: the caller passes `now` and entropy in, so that a test replays any schedule.
//!
//! Every command is split in two. A *decision* ([`decide`]: `queue.enqueue`, `queue.lease`,
//! `queue.settle`…) looks at the queue, changes nothing and pushes the [`Event`]s that would make the
//! command true. [`Queue::evolve`] applies one event and decides nothing. The live queue and a
//! recovered one run the same `evolve`, so folding the events of a queue gives the queue.
//!
//! Bodies, results and errors are bytes the core never reads: it holds a [`Blob`], a handle that the
//! caller's store gave out, and tells the caller when nothing refers to it any more.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attempt;
mod backoff;
mod blob;
mod check;
pub mod decide;
mod directory;
mod event;
mod evolve;
mod expiries;
mod extras;
mod idempotency;
mod item;
mod keys;
mod lanes;
mod look;
mod pace;
mod paged;
mod queue;
mod seqset;
mod settings;
mod snapshot;
mod stories;
mod terms;
mod time;
mod timers;
mod traces;

pub use attempt::{Attempt, Fence, How, Lease};
pub use blob::Blob;
pub use decide::{
    Ask, Cancelled, Enqueue, Entered, Entry, Idempotent, LeaseLost, Lendable, NotCancellable,
    Options, Purge, Refusal, Settled, Settlement,
};
pub use event::{Event, Next};
pub use idempotency::{
    IDEMPOTENCY_KEPT, MAX_IDEMPOTENCY_DUPLICATES, MAX_IDEMPOTENCY_KEYS, Recalled,
};
pub use item::{Change, IllegalChange, Item, Kind, State};
pub use lanes::GroupId;
pub use look::Look;
pub use queue::{Counts, Outcome, Queue, Totals};
pub use settings::{Backoff, Settings};
pub use snapshot::{Cursor, Head, Kept, Part};
pub use terms::{Group, Terms, TermsOf};
pub use time::Time;

/// The place of an item in its queue's order, from 0: assigned at enqueue, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

/// Most items one time-driven or mass step touches, so that no step holds a queue for long.
pub const SLICE: usize = 1_000;

/// Releases of one item that do not spend an attempt; each further one does, so that an item which
/// every worker gives back still ends.
pub const FREE_RELEASES: u8 = 10;

/// Most keys that a queue holds for items that ended. Where there would be more, those come free first
/// whose window ends first: a window bounds for how long, and this how many, whatever the window.
pub const MAX_KEY_HOLDS: u64 = 10_000_000;

/// Attempts kept in an item's story; older ones are forgotten first. Part of what a log means.
pub const STORY_ATTEMPTS: usize = 20;

/// Bytes of notes and logs in an item's story: past it those of the oldest attempts go first, and those of
/// the last never. Part of what a log means.
pub const STORY_BYTES: u64 = 1024 * 1024;
