//! Lease calls that are parked on a queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use queue_api::Until;
use tokio::sync::oneshot;

use super::grant::Granted;

/// What a lease call asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Most items.
    pub(crate) max: usize,
    /// Length of the leases, where it is not the queue's own.
    pub(crate) length: Option<Duration>,
    /// Who asks.
    pub(crate) worker: Option<Arc<str>>,
    /// What else ends the wait.
    pub(crate) until: Option<Until>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ask: Ask,
    pub(super) reply: oneshot::Sender<Granted>,
}

/// Parked calls in the order they came. The queue lends to the first of them under its own lock, so
/// one item wakes one call and no wake-up is lost.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    calls: BTreeMap<u64, Waiter>,
    next: u64,
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn push(&mut self, waiter: Waiter) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.calls.insert(ticket, waiter);
        ticket
    }

    pub(super) fn pop(&mut self) -> Option<Waiter> {
        self.calls.pop_first().map(|(_, waiter)| waiter)
    }

    pub(super) fn remove(&mut self, ticket: u64) -> Option<Waiter> {
        self.calls.remove(&ticket)
    }

    /// Takes out the calls that wait for no more than the queue being empty.
    pub(super) fn pop_until_empty(&mut self) -> Vec<Waiter> {
        let wanted = |waiter: &Waiter| waiter.ask.until == Some(Until::Empty);
        self.calls
            .extract_if(.., |_, waiter| wanted(waiter))
            .map(|(_, waiter)| waiter)
            .collect()
    }
}
