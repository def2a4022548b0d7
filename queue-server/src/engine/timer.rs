//! One task that comes round when time alone changes a queue: it sleeps until the earliest wake-up
//! of all queues, so that a thousand idle queues cost nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::Time;
use tokio::sync::Notify;

/// The earliest wake-up of each queue; it arms the timer again when it has been woken.
#[derive(Debug, Default)]
pub(super) struct Timer {
    wake_ups: Mutex<WakeUps>,
    earlier: Notify,
}

/// One of each queue at most: clients choose the times, and those of a year must not pile up.
#[derive(Debug, Default)]
struct WakeUps {
    by_time: BTreeSet<(Time, u64)>,
    of_queue: HashMap<u64, Time>,
}

impl Timer {
    /// Has the queue of this incarnation woken at `at`, unless it is woken sooner.
    pub(super) fn arm(&self, at: Time, incarnation: u64) {
        let mut wake_ups = self.lock();
        let known = wake_ups.of_queue.get(&incarnation).copied();
        if known.is_some_and(|known| known <= at) {
            return;
        }
        if let Some(later) = known {
            wake_ups.by_time.remove(&(later, incarnation));
        }
        wake_ups.of_queue.insert(incarnation, at);
        wake_ups.by_time.insert((at, incarnation));
        let is_first = wake_ups.by_time.first() == Some(&(at, incarnation));
        drop(wake_ups);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Wakes the queue of this incarnation no more.
    pub(super) fn forget(&self, incarnation: u64) {
        let mut wake_ups = self.lock();
        if let Some(at) = wake_ups.of_queue.remove(&incarnation) {
            wake_ups.by_time.remove(&(at, incarnation));
        }
    }

    /// Waits for something earlier than was known.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// The earliest wake-up.
    pub(super) fn next(&self) -> Option<Time> {
        self.lock().by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the queues whose time has come.
    pub(super) fn pop_due(&self, now: Time) -> Vec<u64> {
        let mut wake_ups = self.lock();
        let later = wake_ups
            .by_time
            .split_off(&(now + Duration::from_millis(1), 0));
        let due = std::mem::replace(&mut wake_ups.by_time, later);
        for (_, incarnation) in &due {
            wake_ups.of_queue.remove(incarnation);
        }
        drop(wake_ups);
        due.into_iter()
            .map(|(_, incarnation)| incarnation)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, WakeUps> {
        // Nothing that is done under the lock can panic half way.
        self.wake_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_one_wake_up_however_often_it_is_armed() {
        let timer = Timer::default();
        for at in (1_000..2_000).rev() {
            timer.arm(Time(at), 7);
        }
        timer.arm(Time(1_500), 7);
        timer.arm(Time(1_200), 8);
        assert_eq!(timer.next(), Some(Time(1_000)));
        assert_eq!(timer.lock().by_time.len(), 2);
        assert!(timer.pop_due(Time(999)).is_empty());
        assert_eq!(timer.pop_due(Time(1_000)), [7]);
        timer.arm(Time(3_000), 7);
        assert_eq!(timer.pop_due(Time(3_000)), [8, 7]);
        assert_eq!(timer.next(), None);
        assert!(timer.lock().of_queue.is_empty());
    }

    #[test]
    fn a_queue_that_is_forgotten_is_not_woken() {
        let timer = Timer::default();
        timer.arm(Time(1_000), 7);
        timer.arm(Time(1_000), 8);
        timer.forget(7);
        assert_eq!(timer.pop_due(Time(1_000)), [8]);
    }
}
