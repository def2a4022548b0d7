//! One task that comes round when time alone changes a queue: it sleeps until the earliest wake-up
//! of all queues, so that a thousand idle queues cost nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::Time;
use tokio::sync::Notify;

/// Wake-ups by time; a queue arms it again only for something earlier.
#[derive(Debug, Default)]
pub(super) struct Timer {
    wake_ups: Mutex<BTreeSet<(Time, u64)>>,
    earlier: Notify,
}

impl Timer {
    /// Has the queue of this incarnation woken at `at`.
    pub(super) fn arm(&self, at: Time, incarnation: u64) {
        let mut wake_ups = self.lock();
        wake_ups.insert((at, incarnation));
        let is_first = wake_ups.first() == Some(&(at, incarnation));
        drop(wake_ups);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Waits for something earlier than was known.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// The earliest wake-up.
    pub(super) fn next(&self) -> Option<Time> {
        self.lock().first().map(|(at, _)| *at)
    }

    /// Takes out the queues whose time has come.
    pub(super) fn pop_due(&self, now: Time) -> Vec<u64> {
        let mut wake_ups = self.lock();
        let later = wake_ups.split_off(&(now + Duration::from_millis(1), 0));
        let due = std::mem::replace(&mut *wake_ups, later);
        due.into_iter()
            .map(|(_, incarnation)| incarnation)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Time, u64)>> {
        // A set of numbers is whole after any panic.
        self.wake_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
