//! Decisions: what would make a command true. They look, push events and change nothing.
//!
//! The caller applies the events of one decision before it asks for the next, and begins each command
//! with [`Queue::due`]. A settle checks its deadline itself, so a lease that ran out is lost even
//! where a slice of `due` has not reached it yet.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::attempt::{Fence, How, Lease};
use crate::backoff::spread;
use crate::blob::Blob;
use crate::event::{Event, Next};
use crate::item::{Item, State};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::time::Time;
use crate::{FREE_RELEASES, MAX_KEY_HOLDS, SLICE, Seq};

mod enqueue;
mod lease;
mod life;

pub use enqueue::{Enqueue, Entered, Entry, Idempotent, Options, Refusal};
pub use lease::{Ask, Lendable};
pub use life::{Cancelled, NotCancellable, Purge};

/// The lease a settle or an extend named is not live: it ran out, was settled otherwise, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseLost;

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease is lost")
    }
}

impl core::error::Error for LeaseLost {}

/// What a worker says of an item it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// How the attempt ended. Not [`How::Expired`] or [`How::Revoked`]: no worker says that.
    pub how: How,
    /// Retry after this instead of the back-off.
    pub delay: Option<Duration>,
    /// The result or the error.
    pub note: Option<Blob>,
    /// The exit code of the command that handled it.
    pub exit_code: Option<i32>,
    /// What the attempt printed.
    pub log: Option<Blob>,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Its events make it true.
    Now,
    /// The same settlement was applied before: nothing to do.
    Before,
}

impl Queue {
    /// What time alone makes true by `now`, at most [`SLICE`] changes of each kind: leases that ran
    /// out, items that fell due or expired, keys that came free or are too many, outcomes past retention.
    ///
    /// An item ends as expired when that is found, which may be long after its expiry: the outcomes are
    /// in the order of their instants, and each is kept as long as its caller was promised.
    pub fn due(&self, now: Time, events: &mut Vec<Event>) {
        let due = self.timers.iter().take_while(|(at, _)| *at <= now);
        for (at, seq) in due.take(SLICE) {
            match self.leases.contains(seq.0) {
                true => self.expire_lease(now, at, seq, events),
                false => events.push(Event::FellDue { seq }),
            }
        }
        if let Some(expiries) = &self.expiries {
            let due = expiries.waiting().take_while(|(at, _)| *at <= now);
            let expired = |(_, seq)| Event::Expired { at: now, seq };
            events.extend(due.take(SLICE).map(expired));
        }
        if let Some(keys) = &self.keys {
            let due = keys.due(now, MAX_KEY_HOLDS).take(SLICE);
            events.extend(due.map(|seq| Event::KeyFreed { seq }));
        }
        if let Some(through) = self.past_retention(now) {
            events.push(Event::Forgotten { through });
        }
    }

    fn expire_lease(&self, now: Time, at: Time, seq: Seq, events: &mut Vec<Event>) {
        let expires = self.expires_by(now, seq);
        let exhausted = self.attempts(seq) >= self.settings.max_attempts;
        events.push(Event::Settled {
            at,
            seq,
            how: How::Expired,
            next: match exhausted && expires.is_none() {
                true => Next::Dead,
                false => Next::Ready,
            },
            spent: true,
            note: None,
            exit_code: None,
            log: None,
        });
        events.extend(expires.map(|_| Event::Expired { at: now, seq }));
    }

    /// When an item expired, if it has by now.
    fn expires_by(&self, now: Time, seq: Seq) -> Option<Time> {
        self.expires(seq).filter(|expires| *expires <= now)
    }

    fn past_retention(&self, now: Time) -> Option<u64> {
        let settings = &self.settings;
        let mut count = self.next_outcome - self.first_outcome;
        let mut over = self
            .retained_bytes
            .saturating_sub(settings.done_retention_bytes);
        let mut through = None;
        for (number, outcome) in self.outcomes(self.outcomes_from()).take(SLICE) {
            let keep = count <= settings.done_retention_items
                && over == 0
                && outcome.ended + settings.done_retention > now;
            if keep {
                break;
            }
            count -= 1;
            if over > 0 && outcome.state.is_finished() {
                over = over.saturating_sub(self.bytes_of(outcome.seq));
            }
            through = Some(number);
        }
        through
    }

    /// Ends a lease as its worker says.
    pub fn settle(
        &self,
        now: Time,
        seq: Seq,
        fence: Fence,
        settlement: Settlement,
        entropy: u64,
        events: &mut Vec<Event>,
    ) -> Result<Settled, LeaseLost> {
        let Settlement {
            how,
            delay,
            note,
            exit_code,
            log,
        } = settlement;
        if self.live_lease(now, seq, fence).is_none() {
            return self
                .is_settled(seq, fence, how)
                .then_some(Settled::Before)
                .ok_or(LeaseLost);
        }
        let item = self.item(seq);
        let (attempts, releases) = item.map_or((0, 0), |item| (item.attempts(), item.releases));
        let spent = how != How::Released || releases >= FREE_RELEASES;
        let exhausted = spent && attempts >= self.settings.max_attempts;
        let wait = match how {
            How::Nacked => delay
                .unwrap_or_else(|| self.settings.backoff.wait(attempts, spread(entropy, seq.0))),
            _ => delay.unwrap_or(Duration::ZERO),
        };
        let expired = match how {
            How::Acked | How::Buried => None,
            _ => self.expires_by(now, seq),
        };
        let next = match how {
            How::Acked => Next::Done,
            How::Buried => Next::Dead,
            // It goes no further than that: it ends there.
            _ if expired.is_some() => Next::Ready,
            _ if exhausted => Next::Dead,
            _ if wait.is_zero() => Next::Ready,
            _ => Next::Delayed(now + wait),
        };
        events.push(Event::Settled {
            at: now,
            seq,
            how,
            next,
            spent,
            note,
            exit_code,
            log,
        });
        if expired.is_some() {
            events.push(Event::Expired { at: now, seq });
        }
        Ok(Settled::Now)
    }

    /// Takes no new items from here on.
    pub fn seal(&self, events: &mut Vec<Event>) {
        if !self.sealed {
            events.push(Event::Sealed);
        }
    }

    /// Takes new items again.
    pub fn reopen(&self, events: &mut Vec<Event>) {
        if self.sealed {
            events.push(Event::Reopened);
        }
    }

    /// Gives no new leases from here on.
    pub fn pause(&self, events: &mut Vec<Event>) {
        if !self.paused {
            events.push(Event::Paused);
        }
    }

    /// Gives new leases again.
    pub fn resume(&self, events: &mut Vec<Event>) {
        if self.paused {
            events.push(Event::Resumed);
        }
    }

    /// Decides by other settings from here on. Running leases and waiting retries keep their times.
    pub fn configure(&self, settings: Settings, events: &mut Vec<Event>) {
        if self.settings != settings {
            events.push(Event::Configured(Box::new(settings)));
        }
    }

    /// The lease, if it is this one and has not run out.
    #[must_use]
    pub fn live_lease(&self, now: Time, seq: Seq, fence: Fence) -> Option<&Lease> {
        self.leases
            .get(seq.0)
            .filter(|lease| lease.fence == fence && lease.deadline > now)
    }

    /// Whether an attempt with this fence ended this way, and the item stands where that put it or has
    /// merely fallen due since. One that was leased again, redriven, taken, cancelled or expired has
    /// moved on: no repeated settle can be about its last step.
    fn is_settled(&self, seq: Seq, fence: Fence, how: How) -> bool {
        let last = self.stories.last(seq).zip(self.item(seq));
        last.is_some_and(|(last, item)| {
            let expired_then = || self.expires_by(last.ended, seq).is_some();
            (last.fence, last.how) == (fence, how)
                && match (how, item.state()) {
                    (How::Acked, State::Done) | (_, State::Dead) => true,
                    // A redriven item has neither attempts nor releases.
                    (How::Nacked, State::Ready | State::Delayed(_)) => item.attempts > 0,
                    (How::Released, State::Ready | State::Delayed(_)) => item.releases > 0,
                    (How::Nacked | How::Released, State::Expired) => expired_then(),
                    _ => false,
                }
        })
    }

    fn attempts(&self, seq: Seq) -> u32 {
        self.item(seq).map_or(0, Item::attempts)
    }
}
