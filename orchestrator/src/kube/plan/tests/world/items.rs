//! The queue server: one queue a step, with leases that run out, attempts, the seal, and outages.

use std::collections::BTreeMap;

use super::super::super::QueueSeen;
use super::super::forms;

/// An item's length of a lease, in milliseconds.
const LEASE: i64 = 15_000;
/// Attempts before an item is dead.
const ATTEMPTS: u32 = 3;

/// A queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Items {
    pub(crate) sealed: bool,
    pub(crate) ready: Vec<u32>,
    /// Item to attempt's worker and deadline.
    leased: BTreeMap<u32, (String, i64)>,
    attempts: BTreeMap<u32, u32>,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) total: u64,
}

impl Items {
    /// What a run leaves behind that went through so many.
    pub(crate) fn left_behind(total: u64) -> Self {
        Self {
            sealed: true,
            done: total,
            total,
            ..Self::default()
        }
    }

    /// Puts in items up to this many.
    pub(crate) fn put(&mut self, upto: u64) {
        while self.total < upto {
            self.ready
                .push(u32::try_from(self.total).expect("few items"));
            self.total += 1;
        }
    }

    pub(crate) fn drained(&self) -> bool {
        self.sealed && self.ready.is_empty() && self.leased.is_empty()
    }

    /// Lends an item to a worker.
    pub(crate) fn lease(&mut self, worker: &str, now: i64) -> Option<u32> {
        let item = self.ready.pop()?;
        *self.attempts.entry(item).or_default() += 1;
        self.leased.insert(item, (worker.to_owned(), now + LEASE));
        Some(item)
    }

    pub(crate) fn renew(&mut self, item: u32, worker: &str, now: i64) {
        if let Some((held, deadline)) = self.leased.get_mut(&item)
            && held == worker
        {
            *deadline = now + LEASE;
        }
    }

    /// A worker is through with an item.
    pub(crate) fn settle(&mut self, item: u32, worker: &str, good: bool) {
        if self
            .leased
            .get(&item)
            .is_none_or(|(held, _)| held != worker)
        {
            return;
        }
        self.leased.remove(&item);
        if good {
            self.done += 1;
        } else {
            self.back(item);
        }
    }

    /// Leases that ran out come back.
    pub(crate) fn expire(&mut self, now: i64) {
        let over = self
            .leased
            .iter()
            .filter(|(_, (_, deadline))| *deadline <= now);
        let over: Vec<_> = over.map(|(item, _)| *item).collect();
        for item in over {
            self.leased.remove(&item);
            self.back(item);
        }
    }

    fn back(&mut self, item: u32) {
        if self.attempts[&item] >= ATTEMPTS {
            self.dead += 1;
        } else {
            self.ready.insert(0, item);
        }
    }

    pub(crate) fn seen(&self) -> QueueSeen {
        let mut queue = forms::queue(0, 0);
        queue.sealed = self.sealed;
        queue.drained = self.drained();
        queue.counts.ready = self.ready.len() as u64;
        queue.counts.leased = self.leased.len() as u64;
        queue.counts.done = self.done;
        queue.counts.dead = self.dead;
        queue.unfinished = queue.counts.ready + queue.counts.leased;
        queue.backlog = queue.unfinished;
        queue.totals.enqueued = self.total;
        queue.handling.completions = self.done;
        queue.handling.mean_ms = (self.done > 0).then_some(4_000.0);
        QueueSeen::There(Box::new(queue))
    }
}
