//! What all queues hold together, and how much that may be.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::live::Inner;
use super::{EngineLimits, Shared};

/// Items that are ready, leased, delayed or dead, and the bytes of their bodies, over all queues.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: AtomicU64,
    bytes: AtomicU64,
}

impl Held {
    /// Whether there is room for more. Some that come at once may pass a limit by what they bring.
    pub(super) fn has_room_for(
        &self,
        limits: &EngineLimits,
        items: u64,
        bytes: u64,
    ) -> Result<(), Fault> {
        if self.items.load(Ordering::Relaxed) + items > limits.max_items {
            return Err(Fault::TooManyItems(limits.max_items));
        }
        if self.bytes.load(Ordering::Relaxed) + bytes > limits.max_bytes {
            return Err(Fault::TooManyBytes(limits.max_bytes));
        }
        Ok(())
    }

    /// Items over all queues.
    pub(super) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// A queue holds `now`, items and bytes, after it held `before`.
    pub(super) fn change(&self, before: (u64, u64), now: (u64, u64)) {
        // Wraps below zero on the way, and comes out right in the end.
        if before.0 != now.0 {
            let change = now.0.wrapping_sub(before.0);
            self.items.fetch_add(change, Ordering::Relaxed);
        }
        if before.1 != now.1 {
            let change = now.1.wrapping_sub(before.1);
            self.bytes.fetch_add(change, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// Tells the engine what the queue holds, and the store how much memory and disk it takes.
    pub(super) fn report(&mut self, shared: &Shared) {
        let holds = (self.bodies.held(), self.core.held(), self.live_bytes());
        self.report_as(shared, holds);
    }

    /// Tells that the queue holds nothing any more.
    pub(super) fn report_gone(&mut self, shared: &Shared) {
        self.report_as(shared, (0, (0, 0), 0));
    }

    fn report_as(&mut self, shared: &Shared, (in_memory, held, live): (u64, (u64, u64), u64)) {
        let before = std::mem::replace(&mut self.in_memory, in_memory);
        if before != in_memory {
            shared.store().holds(before, in_memory);
        }
        let before = std::mem::replace(&mut self.held, held);
        shared.held.change(before, held);
        let before = std::mem::replace(&mut self.live, live);
        if before != live {
            shared.store().length().change(before, live);
        }
    }
}
