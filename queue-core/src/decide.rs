//! Decisions: what would make a command true. They look, push events and change nothing.
//!
//! The caller applies the events of one decision before it asks for the next, and begins each command
//! with [`Queue::due`]. A settle checks its deadline itself, so a lease that ran out is lost even
//! where a slice of `due` has not reached it yet.

use alloc::sync::Arc;
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
use crate::{FREE_RELEASES, SLICE, Seq};

/// Why a queue takes no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is sealed.
    Sealed,
    /// It would hold more items than this.
    TooManyItems(u64),
    /// It would hold more bytes of bodies than this.
    TooManyBytes(u64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed => f.write_str("the queue is sealed"),
            Self::TooManyItems(limit) => write!(f, "the queue is at its limit of {limit} items"),
            Self::TooManyBytes(limit) => write!(f, "the queue is at its limit of {limit} bytes"),
        }
    }
}

impl core::error::Error for Refusal {}

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
    /// How the attempt ended. Not [`How::Expired`]: only time says that.
    pub how: How,
    /// Retry after this instead of the back-off.
    pub delay: Option<Duration>,
    /// The result or the error.
    pub note: Option<Blob>,
    /// The exit code of the command that handled it.
    pub exit_code: Option<i32>,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Its events make it true.
    Now,
    /// The same settlement was applied before: nothing to do.
    Before,
}

/// Which items a purge throws away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Those that could be leased.
    pub ready: bool,
    /// Those that wait for their time.
    pub delayed: bool,
    /// Those given up on.
    pub dead: bool,
    /// Only those that came in before this place: what comes in meanwhile stays.
    pub before: Seq,
}

impl Queue {
    /// What time alone makes true by `now`, at most [`SLICE`] changes of each kind: leases that ran
    /// out, items that fell due, outcomes past retention.
    pub fn due(&self, now: Time, events: &mut Vec<Event>) {
        let due = self.timers.iter().take_while(|(at, _)| *at <= now);
        for (at, seq) in due.take(SLICE) {
            events.push(match self.leases.contains(seq.0) {
                true => self.expire(at, seq),
                false => Event::FellDue { seq },
            });
        }
        if let Some(through) = self.past_retention(now) {
            events.push(Event::Forgotten { through });
        }
    }

    fn expire(&self, at: Time, seq: Seq) -> Event {
        let next = if self.attempts(seq) >= self.settings.max_attempts {
            Next::Dead
        } else {
            Next::Ready
        };
        Event::Settled {
            at,
            seq,
            how: How::Expired,
            next,
            spent: true,
            note: None,
            exit_code: None,
        }
    }

    fn past_retention(&self, now: Time) -> Option<u64> {
        let settings = &self.settings;
        let mut count = self.next_outcome - self.first_outcome;
        let mut bytes = self.retained_bytes;
        let mut through = None;
        for (number, outcome) in self.outcomes(self.outcomes_from()).take(SLICE) {
            let keep = count <= settings.done_retention_items
                && bytes <= settings.done_retention_bytes
                && outcome.ended + settings.done_retention > now;
            if keep {
                break;
            }
            count -= 1;
            if outcome.state == State::Done {
                let (body, notes) = self.bytes_of(outcome.seq);
                bytes -= body + notes;
            }
            through = Some(number);
        }
        through
    }

    /// Lets items in, all or none, in their order.
    pub fn enqueue(
        &self,
        now: Time,
        bodies: &[Blob],
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if self.sealed {
            return Err(Refusal::Sealed);
        }
        let counts = self.counts();
        let held = counts.ready + counts.leased + counts.delayed + counts.dead;
        let Settings {
            max_items,
            max_bytes,
            ..
        } = self.settings;
        if let Some(limit) = max_items.filter(|limit| held + bodies.len() as u64 > *limit) {
            return Err(Refusal::TooManyItems(limit));
        }
        let bytes: u64 = bodies.iter().map(|body| u64::from(body.len)).sum();
        if let Some(limit) = max_bytes.filter(|limit| self.held_bytes + bytes > *limit) {
            return Err(Refusal::TooManyBytes(limit));
        }
        events.extend(
            bodies
                .iter()
                .zip(self.next_seq.0..)
                .map(|(&body, seq)| Event::Enqueued {
                    at: now,
                    seq: Seq(seq),
                    body,
                }),
        );
        Ok(())
    }

    /// Lends up to `max` items, oldest first; none while paused.
    pub fn lease(
        &self,
        now: Time,
        max: usize,
        length: Duration,
        worker: Option<&Arc<str>>,
        entropy: u64,
        events: &mut Vec<Event>,
    ) {
        if self.paused {
            return;
        }
        let deadline = now
            + self
                .settings
                .max_lease
                .map_or(length, |longest| longest.min(length));
        events.extend(self.ready.iter().take(max).map(|seq| Event::Leased {
            at: now,
            seq,
            fence: Fence(spread(entropy, seq.0)),
            deadline,
            worker: worker.cloned(),
        }));
    }

    /// Makes a lease end at `now + length`, at most at the hard end of its attempt, and says when.
    ///
    /// Where the hard end was set before the time the lease already has, that time stays: a holder who
    /// is told its lease goes on must not find it over.
    pub fn extend(
        &self,
        now: Time,
        seq: Seq,
        fence: Fence,
        length: Duration,
        events: &mut Vec<Event>,
    ) -> Result<Time, LeaseLost> {
        let lease = self.live_lease(now, seq, fence).ok_or(LeaseLost)?;
        let longest = self.settings.max_lease;
        let hard_end = longest.map(|longest| lease.deadline.max(lease.started + longest));
        let deadline = hard_end.map_or(now + length, |end| end.min(now + length));
        events.push(Event::Extended {
            at: now,
            seq,
            deadline,
        });
        Ok(deadline)
    }

    /// Gives each lease that has less than its own length left that length again, from `now` on: a
    /// holder could not renew it while the queue was away. Looks at [`SLICE`] leases from a place on,
    /// and says where to go on, `None` at the end.
    ///
    /// To be called after a recovery and before [`Queue::due`], which would end those leases.
    pub fn recovered(&self, now: Time, from: Seq, events: &mut Vec<Event>) -> Option<Seq> {
        let mut leases = self.leases.range(from.0);
        for (seq, lease) in leases.by_ref().take(SLICE) {
            let deadline = now + lease.length();
            if deadline > lease.deadline {
                events.push(Event::Extended {
                    at: now,
                    seq: Seq(seq),
                    deadline,
                });
            }
        }
        leases.next().map(|(seq, _)| Seq(seq))
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
        } = settlement;
        if self.live_lease(now, seq, fence).is_none() {
            return self
                .settled_before(seq, fence, how)
                .ok_or(LeaseLost)
                .map(|()| Settled::Before);
        }
        let attempts = self.attempts(seq);
        let releases = self.item(seq).map_or(0, |item| item.releases);
        let spent = how != How::Released || releases >= FREE_RELEASES;
        let exhausted = spent && attempts >= self.settings.max_attempts;
        let wait = match how {
            How::Nacked => delay
                .unwrap_or_else(|| self.settings.backoff.wait(attempts, spread(entropy, seq.0))),
            _ => delay.unwrap_or(Duration::ZERO),
        };
        let next = match how {
            How::Acked => Next::Done,
            How::Buried => Next::Dead,
            How::Nacked | How::Released | How::Expired if exhausted => Next::Dead,
            How::Nacked | How::Released | How::Expired if wait.is_zero() => Next::Ready,
            How::Nacked | How::Released | How::Expired => Next::Delayed(now + wait),
        };
        events.push(Event::Settled {
            at: now,
            seq,
            how,
            next,
            spent,
            note,
            exit_code,
        });
        Ok(Settled::Now)
    }

    /// Delivers the oldest ready item and is done with it: at most once, as the MemQ API has it.
    pub fn take(&self, now: Time, events: &mut Vec<Event>) -> Option<Seq> {
        let seq = self.ready.first().filter(|_| !self.paused)?;
        events.push(Event::Taken { at: now, seq });
        Some(seq)
    }

    /// Throws items away, at most [`SLICE`]; again, until it pushes no event.
    pub fn purge(&self, purge: Purge, events: &mut Vec<Event>) {
        let sets = [
            (purge.ready, &self.ready),
            (purge.delayed, &self.delayed),
            (purge.dead, &self.dead),
        ];
        let chosen = sets
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .flat_map(|(_, set)| set.iter().take_while(|seq| *seq < purge.before));
        events.extend(chosen.take(SLICE).map(|seq| Event::Purged { seq }));
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
            events.push(Event::Configured(settings));
        }
    }

    /// The lease, if it is this one and has not run out.
    #[must_use]
    pub fn live_lease(&self, now: Time, seq: Seq, fence: Fence) -> Option<&Lease> {
        self.leases
            .get(seq.0)
            .filter(|lease| lease.fence == fence && lease.deadline > now)
    }

    /// Whether the item's last attempt had this fence and ended this way. An item that was leased
    /// again has moved on: no repeated settle can be about its last step.
    fn settled_before(&self, seq: Seq, fence: Fence, how: How) -> Option<()> {
        let ending = self.stories.ending(seq)?;
        (ending == (fence, how) && !self.leases.contains(seq.0)).then_some(())
    }

    fn attempts(&self, seq: Seq) -> u32 {
        self.item(seq).map_or(0, Item::attempts)
    }
}
