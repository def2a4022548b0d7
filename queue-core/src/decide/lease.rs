//! Lending items, and taking them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::LeaseLost;
use crate::attempt::Fence;
use crate::backoff::spread;
use crate::event::Event;
use crate::item::Item;
use crate::queue::Queue;
use crate::time::Time;
use crate::{SLICE, Seq};

/// What a worker asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Most items.
    pub max: usize,
    /// Most bytes of bodies together. The first item is given whatever its length.
    pub max_bytes: u64,
    /// How long the leases last.
    pub length: Duration,
    /// Who asks.
    pub worker: Option<&'a Arc<str>>,
}

/// Whether a queue has something to lend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lendable {
    /// It has.
    Some,
    /// It is paused, or nothing is ready.
    Nothing,
    /// Not before a lease ends: as many are given as may be, in all or of each group.
    Limited,
    /// Not before this instant, for the rate's sake alone.
    Until(Time),
}

impl Queue {
    /// Lends items in their order; as many as are asked for, ready, and within the limits.
    pub fn lease(&self, now: Time, ask: Ask<'_>, entropy: u64, events: &mut Vec<Event>) {
        let longest = self.settings.max_lease;
        let deadline = now + longest.map_or(ask.length, |longest| longest.min(ask.length));
        let leased = |seq: Seq| Event::Leased {
            at: now,
            seq,
            fence: Fence(spread(entropy, seq.0)),
            deadline,
            worker: ask.worker.cloned(),
        };
        let max = self.may_lend(now).min(ask.max as u64) as usize;
        if max == 0 {
            return;
        }
        let (mut given, mut sum) = (0_usize, 0);
        let mut fits = |seq: &Seq| {
            given += 1;
            sum += self.item(*seq).map_or(0, |item| u64::from(item.body().len));
            given == 1 || sum <= ask.max_bytes
        };
        match &self.lanes {
            None if max == 1 => events.extend(self.ready.first().map(leased)),
            None => events.extend(
                self.ready
                    .iter()
                    .take(max)
                    .take_while(&mut fits)
                    .map(leased),
            ),
            Some(lanes) => {
                events.extend(lanes.draw().take(max).take_while(&mut fits).map(leased));
            }
        }
    }

    /// Whether [`Queue::lease`] would lend an item.
    #[must_use]
    pub fn lendable(&self, now: Time) -> Lendable {
        if self.paused || self.ready.len() == 0 || self.is_behind(now) {
            return Lendable::Nothing;
        }
        let stuck = (self.lanes.as_ref()).is_some_and(|lanes| lanes.first().is_none());
        if stuck || self.room_to_lend() == 0 {
            return Lendable::Limited;
        }
        match self.pace.next_token(&self.settings, now) {
            Some(token) => Lendable::Until(token),
            None => Lendable::Some,
        }
    }

    /// The item that [`Queue::take`] would deliver, and a lease would lend first.
    #[must_use]
    pub fn next_ready(&self, now: Time) -> Option<&Item> {
        self.item(self.next_to_lend(now)?)
    }

    /// Delivers the next item and is done with it: at most once, as the MemQ API has it.
    pub fn take(&self, now: Time, events: &mut Vec<Event>) -> Option<Seq> {
        let seq = self.next_to_lend(now)?;
        events.push(Event::Taken { at: now, seq });
        Some(seq)
    }

    fn next_to_lend(&self, now: Time) -> Option<Seq> {
        if self.may_lend(now) == 0 {
            return None;
        }
        match &self.lanes {
            None => self.ready.first(),
            Some(lanes) => lanes.first(),
        }
    }

    /// How many items may be lent now, by everything but the limits of groups.
    fn may_lend(&self, now: Time) -> u64 {
        if self.paused || self.is_behind(now) {
            return 0;
        }
        let room = self.room_to_lend();
        let tokens = self.pace.tokens(&self.settings, now);
        tokens.map_or(room, |tokens| tokens.min(room))
    }

    fn room_to_lend(&self) -> u64 {
        let most = self.settings.max_leased.unwrap_or(u64::MAX);
        most.saturating_sub(self.leases.len())
    }

    /// Whether more items expired than [`Queue::due`] has come round to yet. What is over must not be
    /// lent, and to find what is not among the rest could take long: nothing is lent until then.
    fn is_behind(&self, now: Time) -> bool {
        let first = self.expiries.as_ref().and_then(|it| it.first());
        first.is_some_and(|first| first <= now)
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
}
