//! One command's time with its queue: what is decided is recorded, then made true; what can be lent to
//! parked calls is lent.

use std::time::Duration;

use queue_api::limits::MAX_LEASE_BYTES;
use queue_api::{QueueState, Until};
use queue_core::{Event, Fence, How, Lendable, Next, Queue, SLICE, Seq, Settlement, Time};
use queue_log::{Lsn, Room};

use super::bodies::Stored;
use super::grant::{Bytes, Grant, Granted};
use super::live::{Inner, LiveQueue, Progress};
use super::store::encode::{self, Source};
use super::waiters::{Ask, Waiter};
use crate::metrics::Limit;

/// Most events that room is kept for between turns: a turn that moved millions must not hold on to
/// their memory.
pub(super) const KEPT_EVENTS: usize = 4 * SLICE;
/// After so long it is tried again what there was no room to record.
const AGAIN: Duration = Duration::from_secs(1);

/// One command's time with the queue: the lock is held, and `now` is stamped once.
pub(super) struct Turn<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) now: Time,
    queue: &'a LiveQueue,
}

impl<'a> Turn<'a> {
    /// A command's time with a queue that is locked.
    pub(super) fn begin(queue: &'a LiveQueue, inner: &'a mut Inner, now: Time) -> Self {
        Self { inner, now, queue }
    }
}

impl Turn<'_> {
    /// Decides, records what was decided, then makes it true.
    pub(super) fn apply<R>(
        &mut self,
        decide: impl FnOnce(&Queue, Time, &mut Vec<Event>) -> R,
    ) -> R {
        let decided = decide(&self.inner.core, self.now, &mut self.inner.events);
        if !self.inner.events.is_empty() {
            self.record();
            self.evolve();
        }
        decided
    }

    fn evolve(&mut self) {
        let inner = &mut *self.inner;
        let meters = &self.queue.shared.meters.items;
        inner.changed |= !inner.events.is_empty();
        for event in inner.events.drain(..) {
            meters.observe(&inner.core, &event, self.now);
            inner.core.evolve(&event, &mut inner.free);
        }
        for blob in inner.free.drain(..) {
            inner.bodies.free(blob);
        }
        inner.events.shrink_to(KEPT_EVENTS);
        inner.free.shrink_to(KEPT_EVENTS);
    }

    /// Makes true what time alone has made true by now. False if that must wait because there is no room
    /// to record it: nothing can be lent then, and a late settle is refused whether its lease is ended
    /// or not.
    pub(super) fn catch_up(&mut self) -> bool {
        self.inner.core.due(self.now, &mut self.inner.events);
        if self.inner.events.is_empty() {
            return true;
        }
        let has_room = self.can_record_leases();
        if has_room {
            self.record();
            self.evolve();
        } else {
            self.inner.events.clear();
        }
        has_room
    }

    /// Makes leases longer. Where there is no room to record that, it is so all the same, as long as the
    /// server runs: each start gives every lease its whole length again.
    pub(super) fn prolong<R>(
        &mut self,
        decide: impl FnOnce(&Queue, Time, &mut Vec<Event>) -> R,
    ) -> R {
        if self.can_record_leases() {
            return self.apply(decide);
        }
        let decided = decide(&self.inner.core, self.now, &mut self.inner.events);
        self.evolve();
        decided
    }

    fn can_record_leases(&self) -> bool {
        let room = self.queue.shared.room_for(Room::Lend, SLICE, 0);
        room.is_ok()
    }

    /// Appends the events to the log, and leaves bodies to it alone if memory has no room for them.
    fn record(&mut self) {
        let (queue, now) = (self.queue, self.now);
        let store = queue.shared.store();
        if !store.is_durable() {
            return;
        }
        let Inner {
            bodies,
            events,
            settings,
            rest,
            ..
        } = &mut *self.inner;
        let spills = store.is_over_budget();
        let mut placed = Vec::new();
        let recorded = store.append(|record| {
            let here = |blob| match bodies.get(blob) {
                Stored::Here(bytes) => bytes,
                Stored::Logged(_) => unreachable!("an event brings its bytes in memory"),
            };
            let mut source = Source {
                bytes: &here,
                placed: &mut |blob, at| {
                    if spills {
                        placed.push((blob, at));
                    }
                },
            };
            encode::events(
                record,
                queue.incarnation,
                now,
                settings,
                events,
                &mut source,
            );
        });
        // The last first: so memory is given back as it was taken.
        for (blob, at) in placed.into_iter().rev() {
            bodies.move_to_log(blob, at);
        }
        let (_, end) = recorded.unwrap_or_default();
        rest.written = end;
        if !events.iter().all(may_trail) {
            rest.durable = end;
        }
    }

    pub(super) fn report(&mut self) {
        self.inner.report(&self.queue.shared);
    }

    /// A random number.
    pub(super) fn draw(&mut self) -> u64 {
        self.inner.entropy.draw()
    }

    /// Why a call that is given nothing is given nothing.
    pub(super) fn state(&self) -> QueueState {
        let core = &self.inner.core;
        if core.is_drained() {
            QueueState::Drained
        } else if core.is_empty(self.now) {
            QueueState::Empty
        } else if core.is_paused() {
            QueueState::Paused
        } else {
            QueueState::Waiting
        }
    }

    /// Lends what there is, if there is room to record that.
    pub(super) fn lend(&mut self, ask: &Ask) -> Granted {
        if !self.can_lend() {
            return self.granted(Vec::new(), self.state());
        }
        let entropy = self.inner.entropy.draw();
        let own = Duration::from_millis(self.inner.settings.lease_ms);
        let length = ask.length.unwrap_or(own);
        let mut lent: Vec<(Seq, Fence, Time)> = Vec::new();
        let asked = queue_core::Ask {
            max: ask.max,
            max_bytes: MAX_LEASE_BYTES,
            length,
            worker: ask.worker.as_ref(),
        };
        self.apply(|core, now, events| {
            core.lease(now, asked, entropy, events);
            lent.extend(events.iter().filter_map(|event| match *event {
                Event::Leased {
                    seq,
                    fence,
                    deadline,
                    ..
                } => Some((seq, fence, deadline)),
                _ => None,
            }));
        });
        let Inner { core, bodies, .. } = &*self.inner;
        let grant = |(seq, fence, deadline)| {
            let item = core
                .item(seq)
                .expect("an item that was just leased is in the queue");
            Grant {
                seq,
                fence,
                deadline,
                attempt: item.attempts(),
                enqueued: item.enqueued(),
                body: Bytes::of(bodies.get(item.body())),
                terms: core.terms_of(seq).map(|terms| Box::new(terms.into())),
            }
        };
        let items: Vec<Grant> = lent.into_iter().map(grant).collect();
        let state = if items.is_empty() {
            self.state()
        } else {
            QueueState::Open
        };
        self.granted(items, state)
    }

    /// Whether there is something to lend, and room to record that.
    fn can_lend(&self) -> bool {
        self.could_lend() && self.can_record_leases()
    }

    /// Whether there is something to lend, if there is room to record that.
    pub(super) fn could_lend(&self) -> bool {
        self.inner.core.lendable(self.now) == Lendable::Some
    }

    /// How long it takes until something can be lent, if nothing but the queue's rate forbids it now.
    pub(super) fn next_token(&self) -> Option<Duration> {
        match self.inner.core.lendable(self.now) {
            Lendable::Until(at) => Some(at.since(self.now)),
            Lendable::Some | Lendable::Nothing | Lendable::Limited => None,
        }
    }

    /// An answer to a lease call, with what it rests on.
    pub(super) fn granted(&self, items: Vec<Grant>, state: QueueState) -> Granted {
        let mut rest = self.inner.rest;
        if items.is_empty() {
            rest.written = Lsn::default();
        }
        Granted {
            now: self.now,
            items,
            state,
            rest,
        }
    }

    /// Counts what kept a call from being given as much as it asked for, if it was a limit.
    pub(super) fn count_limit(&self) {
        let limit = match self.inner.core.lendable(self.now) {
            Lendable::Until(_) => Limit::RateLimited,
            Lendable::Limited => Limit::MaxLeased,
            Lendable::Some | Lendable::Nothing => return,
        };
        self.queue.shared.meters.limits.hit(limit);
    }

    /// Gives back, unspent, what reached nobody.
    pub(super) fn take_back(&mut self, granted: &Granted) {
        let unspent = Settlement {
            how: How::Released,
            delay: None,
            note: None,
            exit_code: None,
            log: None,
        };
        for item in &granted.items {
            if self.queue.shared.room_for(Room::Settle, 1, 0).is_err() {
                // They run out by themselves.
                return;
            }
            // One that ran out meanwhile is back already.
            let _lost = self.apply(|core, now, events| {
                core.settle(now, item.seq, item.fence, unspent, 0, events)
            });
        }
    }

    pub(super) fn serve_waiters(&mut self) {
        while self.inner.waiters.len() > 0 && self.can_lend() {
            let Some(Waiter { ask, reply }) = self.inner.waiters.pop() else {
                break;
            };
            let granted = self.lend(&ask);
            if let Err(granted) = reply.send(granted) {
                self.take_back(&granted);
            }
        }
        if self.inner.waiters.len() == 0 {
            return;
        }
        let state = self.state();
        let done: Vec<Waiter> = match state {
            QueueState::Drained => std::iter::from_fn(|| self.inner.waiters.pop()).collect(),
            QueueState::Empty => self.inner.waiters.pop_until_empty(),
            QueueState::Open | QueueState::Paused | QueueState::Waiting => return,
        };
        for waiter in done {
            // A caller that is gone needs no answer.
            let _gone = waiter.reply.send(self.granted(Vec::new(), state));
        }
    }

    /// When the timer must come round, if it does not know yet.
    pub(super) fn wake_up_at(&mut self) -> Option<Time> {
        let inner = &self.inner;
        let deadline = inner.core.next_deadline(self.now);
        // Nobody who waits, no need to come round for a token.
        let token = (inner.waiters.len() > 0).then(|| inner.core.lendable(self.now));
        let token = token.and_then(|lendable| match lendable {
            Lendable::Until(at) => Some(at),
            Lendable::Some | Lendable::Nothing | Lendable::Limited => None,
        });
        let next = [deadline, token].into_iter().flatten().min()?;
        let sooner = self.inner.armed.is_none_or(|armed| next < armed);
        sooner.then(|| {
            self.inner.armed = Some(next);
            next
        })
    }

    /// When the timer must come round to try again what cannot be done now.
    pub(super) fn wake_up_later(&mut self) -> Option<Time> {
        let again = self.now + AGAIN;
        let sooner = self.inner.armed.is_none_or(|armed| again < armed);
        sooner.then(|| {
            self.inner.armed = Some(again);
            again
        })
    }

    pub(super) fn has_moved(&mut self) -> bool {
        let progress = Progress::of(&self.inner.core, self.now);
        let worked_off = progress.worked_off - self.inner.told.worked_off;
        self.inner.rate.add(self.now, worked_off);
        std::mem::replace(&mut self.inner.told, progress) != progress
    }

    /// Whether a call that waits for `until` has what it waits for, besides an item.
    pub(super) fn has_reached(&self, until: Option<Until>) -> bool {
        match self.state() {
            QueueState::Drained => true,
            QueueState::Empty => until == Some(Until::Empty),
            QueueState::Open | QueueState::Paused | QueueState::Waiting => false,
        }
    }
}

/// Whether an answer may be given before this is on disk: a lease, whose loss costs a redelivery, what
/// time makes true again by itself, and the count of what was not kept.
///
/// An item that expired is not among them: its outcome has a number, which may be told and must stay.
fn may_trail(event: &Event) -> bool {
    matches!(
        event,
        Event::Leased { .. }
            | Event::Extended { .. }
            | Event::FellDue { .. }
            | Event::KeyFreed { .. }
            | Event::Duplicated { .. }
            | Event::Forgotten { .. }
            | Event::Settled {
                how: How::Expired,
                next: Next::Ready | Next::Delayed(_),
                ..
            }
    )
}
