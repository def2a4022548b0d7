//! Keeps leases alive: one task, one call for all that are due.
//!
//! A lease is renewed when a third of what remained has passed. A renewal that fails on the way is
//! tried again until the lease has run out by our own clock; then, or when the server says so, its
//! holder is told that it is lost. Decisions are [`Book`]'s, a plain table over instants; the task
//! around it sleeps, calls and tells.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_api::{LeaseToken, Leased, Settled};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::error::Chain;
use crate::{Lease, QueueClient};

/// Longest a renewal call may take.
const MAX_TRY: Duration = Duration::from_secs(10);
/// Shortest time a renewal call gets, however little remains.
const MIN_TRY: Duration = Duration::from_millis(50);
/// Shortest wait between two tries of a renewal.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// The task that renews the leases of one queue. Ends when this and all its leases are dropped.
#[derive(Debug)]
pub struct Renewer {
    held: Arc<Held>,
}

/// What a holder has of the task: dropping the last one ends it.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the task and the holders share.
#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    changed: Notify,
    faded: Notify,
}

impl Renewer {
    pub(crate) fn start(queue: QueueClient, length: Option<Duration>) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(renew(shared.clone(), queue, length).in_current_span());
        let held = Held {
            shared,
            task: task.abort_handle(),
        };
        Self {
            held: Arc::new(held),
        }
    }

    /// Keeps this lease alive from now on. Call it as soon as the item is there: the lease runs.
    #[must_use]
    pub fn hold(&self, item: Leased) -> Lease {
        let ends = Arc::new(Ends::default());
        let remains = Duration::from_millis(item.lease_ms);
        let sooner =
            self.held
                .shared
                .book()
                .add(item.lease.clone(), ends.clone(), Instant::now(), remains);
        if sooner {
            self.held.shared.changed.notify_one();
        }
        Lease::new(item, ends, self.held.clone())
    }

    /// Ends when the server gives some lease no more time ([`Lease::is_fading`]) that it was still
    /// giving time before. Told once, to one who waits.
    pub async fn faded(&self) {
        self.held.shared.faded.notified().await;
    }

    /// How many leases are held and not lost.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.shared.book().leases.len()
    }

    /// Whether no lease is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Held {
    pub(crate) fn forget(&self, token: &LeaseToken) {
        self.shared.book().leases.remove(token);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// A panic elsewhere leaves the table whole: each change is one insert or remove.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn renew(shared: Arc<Shared>, queue: QueueClient, length: Option<Duration>) {
    let mut failing = false;
    loop {
        let wake = shared.book().next_wake();
        let changed = shared.changed.notified();
        match wake {
            None => changed.await,
            // Woken or due: the table says which.
            Some(at) => drop(tokio::time::timeout_at(at, changed).await),
        }
        let now = Instant::now();
        let (due, within) = shared.book().due(now);
        if due.is_empty() {
            continue;
        }
        let error = match queue.extend_once(&due, length, within).await {
            Ok(answers) => {
                failing = false;
                if shared.book().renewed(now, &answers) {
                    shared.faded.notify_one();
                }
                continue;
            }
            Err(error) => error,
        };
        let leases = due.len();
        // Said once: as long as the server is away, every try fails in the same way.
        if std::mem::replace(&mut failing, true) {
            tracing::debug!(queue.name = %queue.name(), lease.count = leases, error.message = %Chain(&error), "still cannot renew leases");
        } else {
            tracing::warn!(queue.name = %queue.name(), lease.count = leases, error.message = %Chain(&error), "cannot renew leases");
        }
        if matches!(error.status(), Some(404 | 410)) {
            shared.book().gone(&due);
        } else {
            shared.book().failed(Instant::now(), &due);
        }
    }
}

/// When each lease is to be renewed, and when it is over.
#[derive(Debug, Default)]
struct Book {
    leases: HashMap<LeaseToken, Entry>,
    /// What the task sleeps until.
    wake: Option<Instant>,
}

/// What a holder is told of its lease.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) lost: CancellationToken,
    /// The server gives no more time.
    pub(crate) fading: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    ends: Arc<Ends>,
    /// When it is over by our clock.
    deadline: Instant,
    /// When it is renewed next; none once the server gives no more time.
    renew: Option<Instant>,
    /// What remained by the last answer.
    remained: Duration,
    /// That answer left the deadline where it was, with less time than the one before.
    stayed: bool,
}

impl Entry {
    /// From renewal to renewal.
    fn interval(&self) -> Duration {
        self.remained / 3
    }

    /// Notes what remains from `sent` on. True if the server has begun to give no more time.
    ///
    /// At its hard end a lease has less each time, and ends when it would have ended anyway. One answer like that may
    /// be a lease that was made shorter, so it takes two in a row. Then it is not asked for again.
    fn runs(&mut self, sent: Instant, remains: Duration) -> bool {
        let deadline = sent + remains;
        let moved = deadline
            .max(self.deadline)
            .duration_since(deadline.min(self.deadline));
        let stays = remains < self.remained && moved <= self.interval() / 4;
        let fades = stays && self.stayed;
        (self.deadline, self.remained, self.stayed) = (deadline, remains, stays);
        self.renew = (!fades).then(|| sent + self.interval());
        self.ends.fading.swap(fades, Relaxed) != fades && fades
    }
}

impl Book {
    /// Adds a lease; true if the task has to wake up sooner than it meant to.
    fn add(&mut self, token: LeaseToken, ends: Arc<Ends>, now: Instant, remains: Duration) -> bool {
        let renew = now + remains / 3;
        let entry = Entry {
            ends,
            deadline: now + remains,
            renew: Some(renew),
            remained: remains,
            stayed: false,
        };
        self.leases.insert(token, entry);
        self.wake.is_none_or(|wake| renew < wake)
    }

    fn next_wake(&mut self) -> Option<Instant> {
        let wakes = self.leases.values().map(|entry| match entry.renew {
            Some(renew) => renew.min(entry.deadline),
            None => entry.deadline,
        });
        self.wake = wakes.min();
        self.wake
    }

    /// Tells the holders of leases that are over, and names those to renew in one call, with the
    /// time it may take. Leases past half of their interval come along, so that leases taken at
    /// different times fall into step.
    fn due(&mut self, now: Instant) -> (Vec<LeaseToken>, Duration) {
        self.leases.retain(|_, entry| {
            let over = now >= entry.deadline;
            if over {
                entry.ends.lost.cancel();
            }
            !over
        });
        let is_due = |entry: &Entry| entry.renew.is_some_and(|renew| now >= renew);
        if !self.leases.values().any(is_due) {
            return (Vec::new(), Duration::ZERO);
        }
        let nearly = |entry: &Entry| {
            entry
                .renew
                .is_some_and(|renew| now + entry.interval() / 2 >= renew)
        };
        let mut within = MAX_TRY;
        let mut due = Vec::new();
        for (token, entry) in self.leases.iter().filter(|(_, entry)| nearly(entry)) {
            within = within.min((entry.deadline - now) / 2);
            due.push(token.clone());
        }
        due.truncate(queue_api::limits::MAX_SETTLEMENTS);
        (due, within.max(MIN_TRY))
    }

    /// What the server said to a renewal sent at `sent`. True if some lease gets no more time.
    fn renewed(&mut self, sent: Instant, answers: &[Settled]) -> bool {
        let mut faded = false;
        for answer in answers {
            let Some(entry) = self.leases.get_mut(&answer.lease) else {
                continue;
            };
            if !answer.ok {
                entry.ends.lost.cancel();
                self.leases.remove(&answer.lease);
                continue;
            }
            // Counted from when the call was sent, the lease ends no later by our clock than by
            // the server's.
            let remains = answer
                .lease_ms
                .map_or(entry.remained, Duration::from_millis);
            faded |= entry.runs(sent, remains);
        }
        faded
    }

    /// The queue is not there any more, and no lease of it.
    fn gone(&mut self, tokens: &[LeaseToken]) {
        for token in tokens {
            if let Some(entry) = self.leases.remove(token) {
                entry.ends.lost.cancel();
            }
        }
    }

    /// The call did not get through: a few more tries fit into what remains of each lease.
    fn failed(&mut self, now: Instant, tokens: &[LeaseToken]) {
        for token in tokens {
            if let Some(entry) = self.leases.get_mut(token) {
                let remains = entry.deadline.saturating_duration_since(now);
                entry.renew = Some(now + (remains / 8).max(MIN_PAUSE));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(name: &str) -> LeaseToken {
        name.parse().expect("a token")
    }

    fn book(now: Instant, leases: &[(&str, Duration)]) -> (Book, Vec<Arc<Ends>>) {
        let mut book = Book::default();
        let ends = leases
            .iter()
            .map(|(name, remains)| {
                let ends = Arc::new(Ends::default());
                book.add(token(name), ends.clone(), now, *remains);
                ends
            })
            .collect();
        (book, ends)
    }

    fn ok(name: &str, lease_ms: u64) -> Settled {
        Settled {
            lease: token(name),
            ok: true,
            repeated: false,
            code: None,
            lease_ms: Some(lease_ms),
        }
    }

    #[test]
    fn a_lease_is_renewed_at_a_third_of_what_remains() {
        let now = Instant::now();
        let (mut book, _) = book(now, &[("a", 30 * SECOND)]);
        assert_eq!(book.next_wake(), Some(now + 10 * SECOND));
        assert!(book.due(now + 9 * SECOND).0.is_empty());
        let (due, within) = book.due(now + 10 * SECOND);
        assert_eq!((due, within), (vec![token("a")], 10 * SECOND));
        book.renewed(now + 10 * SECOND, &[ok("a", 60_000)]);
        assert_eq!(book.next_wake(), Some(now + 30 * SECOND));
    }

    #[test]
    fn leases_that_are_nearly_due_are_renewed_in_the_same_call() {
        let now = Instant::now();
        let (mut book, _) = book(now, &[("a", 30 * SECOND)]);
        for (name, later) in [("b", 4), ("c", 6)] {
            let ends = Arc::new(Ends::default());
            book.add(token(name), ends, now + later * SECOND, 30 * SECOND);
        }
        let (mut due, _) = book.due(now + 10 * SECOND);
        due.sort();
        assert_eq!(due, [token("a"), token("b")], "c is not half way yet");
    }

    #[test]
    fn a_lease_that_runs_out_unrenewed_is_lost() {
        let now = Instant::now();
        let (mut book, ends) = book(now, &[("a", 3 * SECOND), ("b", 9 * SECOND)]);
        let (due, _) = book.due(now + SECOND);
        book.failed(now + SECOND, &due);
        assert!(
            book.next_wake() < Some(now + 2 * SECOND),
            "it tries again soon"
        );
        book.due(now + 3 * SECOND);
        assert_eq!(
            (ends[0].lost.is_cancelled(), ends[1].lost.is_cancelled()),
            (true, false)
        );
    }

    #[test]
    fn a_lease_the_server_calls_lost_is_lost_at_once() {
        let now = Instant::now();
        let (mut book, ends) = book(now, &[("a", 3 * SECOND), ("b", 3 * SECOND)]);
        let refused = Settled {
            ok: false,
            code: Some(queue_api::Code::LeaseLost),
            lease_ms: None,
            ..ok("a", 0)
        };
        book.renewed(now + SECOND, &[refused, ok("b", 3_000)]);
        assert_eq!(
            (ends[0].lost.is_cancelled(), ends[1].lost.is_cancelled()),
            (true, false)
        );
        assert_eq!(book.leases.len(), 1);
    }

    #[test]
    fn a_lease_at_its_hard_end_is_not_asked_for_again_and_again() {
        let now = Instant::now();
        let (mut book, ends) = book(now, &[("a", 30 * SECOND)]);
        // The hard end is 35 s after the start: the first renewal adds 5 s, the next adds nothing.
        let (mut calls, mut faded) = (0, 0);
        while let Some(wake) = book.next_wake() {
            let (due, _) = book.due(wake);
            if !due.is_empty() {
                calls += 1;
                let left = 35 * SECOND - (wake - now);
                let left = u64::try_from(left.as_millis()).expect("few");
                faded += u32::from(book.renewed(wake, &[ok("a", left)]));
            }
        }
        assert_eq!(faded, 1, "its holder hears of it once");
        assert!(ends[0].fading.load(Relaxed));
        assert!(ends[0].lost.is_cancelled());
        assert!(calls <= 3, "{calls} calls");
    }

    /// How long a lease lasts whose renewals are answered by this function of the time since the start.
    fn lasts(remains: u64, answer: impl Fn(u64) -> u64) -> (u64, bool) {
        let now = Instant::now();
        let (mut book, ends) = book(now, &[("a", Duration::from_millis(remains))]);
        let mut at = 0;
        while at < 100_000
            && let Some(wake) = book.next_wake()
        {
            at = u64::try_from((wake - now).as_millis()).expect("few");
            if !book.due(wake).0.is_empty() {
                book.renewed(wake, &[ok("a", answer(at))]);
            }
        }
        (at, ends[0].fading.load(Relaxed))
    }

    #[test]
    fn a_lease_that_is_made_shorter_is_renewed_on() {
        // To two thirds: it then ends when it would have ended anyway.
        for shorter in [3_000, 6_000, 8_900] {
            for from in [0, 20_000] {
                let answer = |at| if at < from { 9_000 } else { shorter };
                let (at, fading) = lasts(9_000, answer);
                assert!(at >= 100_000 && !fading, "{shorter} ms: it ends at {at} ms");
            }
        }
    }

    #[test]
    fn a_lease_ends_at_its_hard_end() {
        for end in [9_000, 10_000, 40_000] {
            for shorter in [9_000, 2_000] {
                let length = |at| if at < 5_000 { 9_000 } else { shorter };
                let answer = |at: u64| (end - at).min(length(at));
                assert_eq!(lasts(9_000, answer), (end, true), "{shorter} ms");
            }
        }
    }

    #[test]
    fn the_task_is_woken_only_for_what_is_due_sooner() {
        let now = Instant::now();
        let mut book = Book::default();
        let add = |book: &mut Book, name: &str, seconds: u32| {
            book.add(token(name), Arc::default(), now, seconds * SECOND)
        };
        assert!(add(&mut book, "a", 30));
        book.next_wake();
        assert!(!add(&mut book, "b", 30));
        assert!(add(&mut book, "c", 3));
    }
}
