//! Until when items are wanted, of those that say so.

use crate::Seq;
use crate::paged::Paged;
use crate::time::Time;
use crate::timers::Timers;

/// The expiry of each item that has one, and a timer for each of those that is ready or delayed: a
/// lease outlasts the expiry of its item, and what is over does not end again.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Expiries {
    of: Paged<Time>,
    timers: Timers,
}

impl Expiries {
    /// An item came in; its timer is not set.
    pub(crate) fn add(&mut self, seq: Seq, expires: Time) {
        self.of.insert(seq.0, expires);
    }

    /// An item left the queue; its timer was stopped before. True if no item is left.
    pub(crate) fn remove(&mut self, seq: Seq) -> bool {
        self.of.remove(seq.0);
        self.of.len() == 0
    }

    pub(crate) fn of(&self, seq: Seq) -> Option<Time> {
        self.of.get(seq.0).copied()
    }

    /// The item waits now, ready or delayed.
    pub(crate) fn start(&mut self, seq: Seq) {
        if let Some(expires) = self.of(seq) {
            self.timers.insert(expires, seq);
        }
    }

    /// The item does not wait any more.
    pub(crate) fn stop(&mut self, seq: Seq) {
        if let Some(expires) = self.of(seq) {
            self.timers.remove(expires, seq);
        }
    }

    /// The earliest expiry of an item that waits.
    pub(crate) fn first(&self) -> Option<Time> {
        self.timers.first()
    }

    /// Items that wait, by expiry and then by place.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Time, Seq)> {
        self.timers.iter()
    }

    /// How many items have an expiry.
    pub(crate) fn len(&self) -> u64 {
        self.of.len()
    }
}
