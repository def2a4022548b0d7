//! What the disk has room for, and what each kind of command needs of it.
//!
//! A full disk refuses what makes the log larger, then what lends items, and what ends them last. What
//! makes it larger leaves room for all live data to be written down once more: a log that could not
//! be compacted would stay full for ever, whatever is settled or purged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use queue_log::{Log, Room, Usage};
use tokio::sync::Notify;

use super::Shared;
use super::fault::Fault;

/// Bytes of a record beside its events, at most.
const RECORD_BYTES: u64 = 64;
/// Bytes of an event beside what it brings, at most, names of workers apart.
const EVENT_BYTES: u64 = 64;
/// Bytes of the two records that lend an item and end it without a note, by a worker whose name is as
/// long as a pod's.
const ENDING_BYTES: u64 = 128;
/// Bytes of the leases that a turn may give, and of a slice of what time makes due.
pub(super) const LEND_BYTES: u64 = RECORD_BYTES + queue_core::SLICE as u64 * EVENT_BYTES;
/// Bytes of the record of a queue that is made: its name and its settings.
pub(super) const MADE_BYTES: u64 = 1024;
/// Bytes of a result or an error that are taken as long as an item can end at all.
pub(super) const A_NOTE: usize = 1024;

/// How long a log is, and how long it may be.
#[derive(Debug)]
pub(super) struct Length {
    /// Bytes that all queues would take if they were written down now, about.
    live: AtomicU64,
    /// Length beside what lives below which no log is worth the work, in bytes.
    slack: u64,
    /// What the last compaction had to leave: segments go as a whole.
    remains: AtomicU64,
    /// A command was refused for want of room.
    is_wanted: AtomicBool,
    calls: Notify,
}

impl Length {
    pub(super) fn new(slack: u64) -> Self {
        Self {
            live: AtomicU64::new(0),
            slack,
            remains: AtomicU64::new(0),
            is_wanted: AtomicBool::new(false),
            calls: Notify::new(),
        }
    }

    /// A queue would take `now` bytes, after it would have taken `before`.
    pub(super) fn change(&self, before: u64, now: u64) {
        // Wraps below zero on the way, and comes out right in the end.
        let change = now.wrapping_sub(before);
        self.live.fetch_add(change, Ordering::Relaxed);
    }

    /// Whether a log may grow by so many bytes that stay: it can be compacted afterwards, and there is
    /// room for the `ends` of all items.
    pub(super) fn may_grow(&self, log: &Log, bytes: u64, ends: u64) -> bool {
        let live = self.live() + bytes;
        let keeps = ends.max(live + self.gap(live));
        log.left() >= bytes + keeps && log.room_for(bytes) == Room::Grow
    }

    /// Whether so many bytes that stay can be written and the log be compacted afterwards, if nothing else
    /// comes in between.
    pub(super) fn may_keep(&self, log: &Log, bytes: u64) -> bool {
        log.left() >= self.live() + 2 * bytes
    }

    /// Calls whoever compacts the log, if it is too long.
    pub(super) fn measure(&self, log: &Log) {
        if self.is_too_long(log) {
            self.calls.notify_one();
        }
    }

    /// Calls whoever compacts the log: a command was refused.
    pub(super) fn want(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
        self.calls.notify_one();
    }

    /// Resolves when somebody called.
    pub(super) async fn called(&self) {
        self.calls.notified().await;
    }

    /// Whether compacting the log is worth the work: each byte of what lives is then copied about once
    /// for each byte that is let go, and more often only where there is hardly room left.
    pub(super) fn is_too_long(&self, log: &Log) -> bool {
        let live = self.live();
        let garbage = self.garbage(log);
        let is_tight = self.is_tight(log) || self.is_wanted.load(Ordering::Relaxed);
        garbage > self.remains.load(Ordering::Relaxed) + self.gap(live) / 2
            && (garbage > live + self.slack || is_tight)
    }

    /// Bytes of the log that may stay: none where there is hardly room left.
    pub(super) fn aim(&self, log: &Log) -> u64 {
        let is_tight = self.is_tight(log) || self.is_wanted.load(Ordering::Relaxed);
        match is_tight {
            true => 0,
            false => self.live() + self.slack,
        }
    }

    /// The log was compacted as far as it could be; so many bytes had to stay of what it held when that
    /// began.
    pub(super) fn compacted(&self, log: &Log, kept: u64) {
        self.is_wanted.store(false, Ordering::Relaxed);
        let remains = kept.min(self.garbage(log));
        self.remains.store(remains, Ordering::Relaxed);
    }

    /// Bytes that all queues would take if they were written down now, about.
    pub(super) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    fn garbage(&self, log: &Log) -> u64 {
        let Usage { start, end, .. } = log.usage();
        (end.0 - start.0).saturating_sub(self.live())
    }

    /// Whether there is hardly room for everything to be written down once more.
    fn is_tight(&self, log: &Log) -> bool {
        let live = self.live();
        log.left() < live + self.gap(live) / 2
    }

    /// What is kept free beside the room for a snapshot: what may be written until it is whole.
    fn gap(&self, live: u64) -> u64 {
        live / 4 + self.slack / 4
    }
}

impl Shared {
    /// Whether the disk has room for so many bytes that an item leaves behind.
    pub(super) fn room_to_keep(&self, bytes: u64) -> Result<(), Fault> {
        match self.store().may_keep(bytes + RECORD_BYTES + EVENT_BYTES) {
            true => Ok(()),
            false => Err(Fault::StorageFull),
        }
    }

    /// Whether the disk has room for a command that brings so many bytes in so many parts, and for what
    /// is to find room after it. Asked right before the command, so that those who come at once pass by
    /// a request each at most, for which there is the log's reserve.
    pub(super) fn room_for(&self, room: Room, parts: usize, bytes: u64) -> Result<(), Fault> {
        let store = self.store();
        let bytes = bytes + RECORD_BYTES + parts as u64 * EVENT_BYTES;
        // What comes in must be able to leave: room to end it is kept back for each item there is.
        let ends = (self.held.items() + parts as u64) * ENDING_BYTES;
        if store.has_room(room, bytes, ends) {
            return Ok(());
        }
        // Whatever can be let go by now must go.
        store.length().want();
        Err(Fault::StorageFull)
    }
}
