//! The ledger: what a client was told of each item, held against what a server has in the end.
//!
//! Every item has a number of its own in its body. The ledger notes what was sent, what the server
//! acknowledged, what it delivered, and what it shows at the end. From that alone it tells whether
//! an acknowledged item was lost and whether one was worked on twice although it must not be. It
//! knows no network, no clock and no server: a *tick* counts what was noted, in the order in which
//! the client knew it.

mod audit;
mod bodies;

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use audit::{Audit, Finding};
pub use bodies::{Bodies, LEAST_BODY};

/// A moment in the client's own order of what it did and heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(NonZeroU64);

/// What became of an enqueue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Put {
    /// Sent, and never answered: the item may be there or not.
    #[default]
    Unanswered,
    Accepted,
    Refused,
}

/// All that is known of one item.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    put: Put,
    /// When the client knew that it was accepted.
    accepted_at: Option<Tick>,
    /// Times it was delivered.
    deliveries: u8,
    /// Times the client itself asked for another delivery.
    given_back: u8,
    /// Times it was settled for good, repetitions of the same settlement apart.
    settled: u8,
    /// When the client first knew that it was.
    settled_at: Option<Tick>,
    /// Deliveries that were asked for after that.
    after_settle: u8,
    /// Times it is among what is done in the end.
    done: u8,
    /// Times it is still there in the end.
    left: u8,
}

/// What is known of the items of one run.
#[derive(Debug)]
pub struct Ledger {
    bodies: Bodies,
    entries: Vec<Entry>,
    now: Tick,
    /// Items that this run did not make.
    strange: u64,
}

/// A ledger that the connections of one thread share, so that nobody waits for it.
#[derive(Debug, Clone)]
pub struct Book(Arc<Mutex<Ledger>>);

impl Book {
    /// A new ledger for bodies of this kind.
    #[must_use]
    pub fn new(bodies: Bodies) -> Self {
        Self::of(Ledger::new(bodies))
    }

    /// This ledger, to be shared.
    #[must_use]
    pub fn of(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }

    /// What is wrong, with each acknowledged settlement taken for its item's end.
    #[must_use]
    pub fn audit_by_answers(&self) -> Audit {
        let mut ledger = self.lock();
        ledger.take_settled_for_done();
        ledger.audit()
    }

    /// The ledger itself. Never held across a wait.
    pub fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Of no items yet.
    #[must_use]
    pub fn new(bodies: Bodies) -> Self {
        Self {
            bodies,
            entries: Vec::new(),
            now: Tick(NonZeroU64::MIN),
            strange: 0,
        }
    }

    /// How the items' bodies look.
    #[must_use]
    pub fn bodies(&self) -> Bodies {
        self.bodies
    }

    /// This moment, after everything noted so far.
    pub fn tick(&mut self) -> Tick {
        self.now = Tick(self.now.0.saturating_add(1));
        self.now
    }

    /// The number of the next item to send. From now on it may be there.
    pub fn send(&mut self) -> u64 {
        self.entries.push(Entry::default());
        self.entries.len() as u64 - 1
    }

    /// The numbers of items sent so far are those below this one.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The enqueue was acknowledged: from now on the item must not get lost.
    pub fn accepted(&mut self, number: u64) {
        let now = self.tick();
        self.note(number, |entry| {
            entry.put = Put::Accepted;
            entry.accepted_at = Some(now);
        });
    }

    /// The enqueue was refused: the item must never be seen.
    pub fn refused(&mut self, number: u64) {
        self.note(number, |entry| entry.put = Put::Refused);
    }

    /// The item with this body came back from a call that was made at `asked`. Answers its number,
    /// or `None` if this run made no such item.
    pub fn delivered(&mut self, body: &str, asked: Tick) -> Option<u64> {
        let number = self.number(body)?;
        self.note(number, |entry| {
            entry.deliveries = entry.deliveries.saturating_add(1);
            let late = entry.settled_at.is_some_and(|settled| settled < asked);
            entry.after_settle = entry.after_settle.saturating_add(u8::from(late));
        });
        Some(number)
    }

    /// The client asked for the item to be delivered again, by a nack, by a release or by letting its
    /// lease run out.
    pub fn given_back(&mut self, number: u64) {
        self.note(number, |entry| {
            entry.given_back = entry.given_back.saturating_add(1);
        });
    }

    /// Its settlement as done was acknowledged; `repeated` if the server said that it had been
    /// already, by this very lease.
    pub fn settled(&mut self, number: u64, repeated: bool) {
        let now = self.tick();
        self.note(number, |entry| {
            let again = entry.settled_at.is_some() && repeated;
            entry.settled = entry.settled.saturating_add(u8::from(!again));
            entry.settled_at.get_or_insert(now);
        });
    }

    /// In the end an item with this body is done.
    pub fn found_done(&mut self, body: &str) {
        if let Some(number) = self.number(body) {
            self.note(number, |entry| entry.done = entry.done.saturating_add(1));
        }
    }

    /// In the end an item with this body is still there, ready, leased, delayed or dead.
    pub fn found_left(&mut self, body: &str) {
        if let Some(number) = self.number(body) {
            self.note(number, |entry| entry.left = entry.left.saturating_add(1));
        }
    }

    /// Takes each acknowledged settlement for the item's end, where the server keeps no outcomes or
    /// reading them would take too long. What the server has done unasked is not seen then.
    pub fn take_settled_for_done(&mut self) {
        for entry in &mut self.entries {
            entry.done = entry.settled;
        }
    }

    /// The ledger as it must hold for a server that goes on from what was on disk at this moment: what
    /// had been acknowledged counts, and of the rest nothing is known.
    #[must_use]
    pub fn as_of(&self, moment: Tick) -> Self {
        let by_then = |at: Option<Tick>| at.filter(|at| *at < moment);
        let entries = self.entries.iter().map(|entry| {
            let accepted_at = by_then(entry.accepted_at);
            let settled_at = by_then(entry.settled_at);
            Entry {
                put: match (entry.put, accepted_at) {
                    (Put::Accepted, None) => Put::Unanswered,
                    (put, _) => put,
                },
                accepted_at,
                settled: u8::from(settled_at.is_some()),
                settled_at,
                ..Entry::default()
            }
        });
        Self {
            bodies: self.bodies,
            entries: entries.collect(),
            now: self.now,
            strange: 0,
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn audit(&self) -> Audit {
        let mut audit = Audit::of(self.strange);
        for (number, entry) in (0..).zip(&self.entries) {
            audit.look_at(number, entry);
        }
        audit
    }

    fn number(&mut self, body: &str) -> Option<u64> {
        let number = self.bodies.number(body);
        let known = number.filter(|&number| number < self.sent());
        self.strange += u64::from(known.is_none());
        known
    }

    fn note(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let entry = usize::try_from(number)
            .ok()
            .and_then(|at| self.entries.get_mut(at));
        debug_assert!(entry.is_some(), "item {number} was never sent");
        if let Some(entry) = entry {
            change(entry);
        }
    }
}

#[cfg(test)]
mod tests;
