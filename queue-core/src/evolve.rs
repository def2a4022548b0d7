//! Applying events: the only code that changes a queue, live and in recovery.
//!
//! An event that does not fit the queue is a broken invariant and panics: the log can rebuild the
//! queue, a wrong one cannot be trusted.

use alloc::vec::Vec;

use crate::Seq;
use crate::attempt::{Attempt, How, Lease};
use crate::blob::Blob;
use crate::event::{Event, Next};
use crate::idempotency::Remembered;
use crate::item::{Change, Item, State};
use crate::pace::Pace;
use crate::queue::{Outcome, Queue};
use crate::settings::Settings;
use crate::terms::Terms;
use crate::time::Time;

impl Queue {
    /// Makes an event true. Pushes to `free` each blob that nothing refers to any more.
    ///
    /// In a queue that is being put together from a snapshot (see [`Part`](crate::Part)):
    /// 1. What an event says of the queue or of outcomes is applied.
    /// 2. What it says of an item whose part is still to come is left to that part; a note it brings
    ///    goes to `free`, for the part brings it again if it is still kept.
    /// 3. What it says of any other item is applied: that item is there.
    /// 4. Outcomes and items that are forgotten or purged before their part came never come.
    /// 5. Totals mean nothing until the snapshot closes.
    ///
    /// # Panics
    /// If the event does not fit the queue, as it cannot if a decision made it.
    pub fn evolve(&mut self, event: &Event, free: &mut Vec<Blob>) {
        match *event {
            Event::Leased { seq, .. }
            | Event::Extended { seq, .. }
            | Event::FellDue { seq }
            | Event::Purged { seq }
            | Event::Redriven { seq }
                if self.awaits(seq) => {}
            Event::Settled {
                at,
                seq,
                next,
                note,
                log,
                ..
            } if self.awaits(seq) => {
                free.extend(note);
                free.extend(log);
                if let state @ (State::Done | State::Dead) = next.into() {
                    self.tell(seq, state, at);
                }
            }
            Event::Taken { at, seq } if self.awaits(seq) => self.tell(seq, State::Done, at),
            Event::Expired { at, seq } if self.awaits(seq) => self.tell(seq, State::Expired, at),
            Event::Cancelled { at, seq } if self.awaits(seq) => {
                self.tell(seq, State::Cancelled, at);
            }
            Event::Configured(ref settings) => self.configured(**settings),
            Event::Enqueued {
                at,
                seq,
                body,
                due,
                ref terms,
            } => self.enter(at, seq, body, due, terms.as_deref()),
            Event::Duplicated { count } => self.totals.duplicates += count,
            Event::Leased {
                at,
                seq,
                fence,
                deadline,
                ref worker,
            } => {
                let worker = worker.clone();
                self.served(seq, at);
                self.lend(
                    seq,
                    Lease {
                        fence,
                        worker,
                        started: at,
                        renewed: at,
                        deadline,
                    },
                );
            }
            Event::Extended { at, seq, deadline } => self.prolong(at, seq, deadline),
            Event::Settled {
                at,
                seq,
                how,
                next,
                spent,
                note,
                exit_code,
                log,
            } => {
                self.count(how);
                let ended = |lease: Lease| Attempt {
                    fence: lease.fence,
                    worker: lease.worker,
                    started: lease.started,
                    ended: at,
                    how,
                    note,
                    exit_code,
                    log,
                };
                self.give_back(seq, next, spent, how, ended, free);
            }
            Event::FellDue { seq } => {
                self.move_to(seq, Change::FallDue);
            }
            Event::Taken { at, seq } => {
                self.totals.taken += 1;
                self.served(seq, at);
                self.move_to(seq, Change::Take);
                self.finish(seq, State::Done, at);
            }
            Event::Expired { at, seq } => {
                self.totals.item_expired += 1;
                self.move_to(seq, Change::Expire);
                self.finish(seq, State::Expired, at);
            }
            Event::Cancelled { at, seq } => {
                self.totals.cancelled += 1;
                self.move_to(seq, Change::Cancel);
                self.finish(seq, State::Cancelled, at);
            }
            Event::Redriven { seq } => {
                self.totals.redriven += 1;
                let item = self.move_to(seq, Change::Redrive);
                item.attempts = 0;
                item.releases = 0;
                self.reclaim_key(seq);
            }
            Event::KeyFreed { seq } => self.free_key(seq),
            Event::Remembered {
                at,
                ref key,
                ref answer,
            } => {
                let (key, answer) = (key.clone(), answer.clone());
                let idempotency = self.idempotency.get_or_insert_default();
                idempotency.remember(Remembered { at, key, answer });
            }
            Event::Recalled { at, ref key } => {
                let idempotency = self.idempotency.get_or_insert_default();
                idempotency.use_again(at, key);
            }
            Event::Purged { seq } => {
                self.totals.purged += 1;
                self.free_key(seq);
                self.drop_item(seq, Change::Purge, free);
            }
            Event::Forgotten { through } => self.forget(through, free),
            Event::Sealed => self.sealed = true,
            Event::Reopened => self.sealed = false,
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
        }
    }

    fn configured(&mut self, settings: Settings) {
        let old = core::mem::replace(&mut self.settings, settings);
        if (old.rate_per_s, old.burst) != (settings.rate_per_s, settings.burst) {
            // What was lent at the old pace says nothing of the new one.
            self.pace = Pace::default();
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.set_cap(settings.max_leased_per_group);
        }
    }

    fn enter(&mut self, at: Time, seq: Seq, body: Blob, due: Option<Time>, terms: Option<&Terms>) {
        assert_eq!(seq, self.next_seq, "an item enters at the next place");
        self.next_seq.0 += 1;
        self.last_enqueued = at;
        self.totals.enqueued += 1;
        self.held_bytes += u64::from(body.len);
        let mut item = Item::new(body, at);
        if let Some(due) = due {
            item.state = State::Delayed(due);
        }
        let state = item.state;
        if let Some(terms) = terms {
            item.flags = self.enter_terms(seq, terms);
            if let Some(key) = &terms.key {
                self.keys.get_or_insert_default().claim(seq, key);
            }
        }
        self.items.insert(seq.0, item);
        self.enter_index(seq, state);
        self.follow_expiry(seq, State::Leased, Some(state));
    }

    fn lend(&mut self, seq: Seq, lease: Lease) {
        self.totals.leased += 1;
        self.move_to(seq, Change::Lease).attempts += 1;
        self.enter_lease(seq, lease);
    }

    fn prolong(&mut self, at: Time, seq: Seq, deadline: Time) {
        self.move_to(seq, Change::Extend);
        if let Some(lease) = self.leases.get_mut(seq.0) {
            self.timers.remove(lease.deadline, seq);
            self.timers.insert(deadline, seq);
            lease.renewed = at;
            lease.deadline = deadline;
        }
    }

    fn count(&mut self, how: How) {
        let total = match how {
            How::Acked => &mut self.totals.acked,
            How::Nacked => &mut self.totals.nacked,
            How::Released => &mut self.totals.released,
            How::Expired => &mut self.totals.lease_expired,
            // Counted as the item's death or cancellation, and as nothing else.
            How::Buried | How::Revoked => return,
        };
        *total += 1;
    }

    fn give_back(
        &mut self,
        seq: Seq,
        next: Next,
        spent: bool,
        how: How,
        ended: impl FnOnce(Lease) -> Attempt,
        free: &mut Vec<Blob>,
    ) {
        let to = State::from(next);
        let lease = self
            .leases
            .remove(seq.0)
            .unwrap_or_else(|| panic!("{seq:?} is settled and not leased"));
        self.timers.remove(lease.deadline, seq);
        self.lease_starts -= u128::from(lease.started.0);
        if let Some(lanes) = &mut self.lanes {
            lanes.returned(seq);
        }
        let attempt = ended(lease);
        let at = attempt.ended;
        self.stories.add(seq, attempt, free);
        let item = self.move_to(seq, Change::Settle(to));
        if !spent {
            item.attempts -= 1;
        }
        if how == How::Released {
            item.releases = item.releases.saturating_add(1);
        }
        if let State::Done | State::Dead = to {
            self.finish(seq, to, at);
        }
    }

    /// Records the outcome of an item that ended.
    fn finish(&mut self, seq: Seq, state: State, ended: Time) {
        match state {
            State::Dead => self.totals.dead += 1,
            _ => {
                let (body, notes) = self.bytes_of(seq);
                self.held_bytes -= body;
                self.retained_bytes += body + notes;
            }
        }
        self.tell(seq, state, ended);
        self.end_key(seq, state, ended);
    }

    fn tell(&mut self, seq: Seq, state: State, ended: Time) {
        self.outcomes
            .insert(self.next_outcome, Outcome { seq, state, ended });
        self.next_outcome += 1;
    }

    fn forget(&mut self, through: u64, free: &mut Vec<Blob>) {
        while self.first_outcome <= through {
            let number = self.first_outcome;
            self.first_outcome += 1;
            let Some(outcome) = self.outcomes.remove(number) else {
                assert!(
                    self.awaits_outcome(number),
                    "outcome {number} is forgotten and was not kept"
                );
                continue;
            };
            // A dead item outlives its outcome: it is kept until someone purges it.
            if outcome.state.is_finished() && !self.awaits(outcome.seq) {
                self.drop_item(outcome.seq, Change::Forget, free);
            }
        }
    }

    fn drop_item(&mut self, seq: Seq, change: Change, free: &mut Vec<Blob>) {
        let (body, notes) = self.bytes_of(seq);
        match change {
            Change::Forget => self.retained_bytes -= body + notes,
            _ => self.held_bytes -= body,
        }
        let item = self.move_to(seq, change);
        let (body, flags) = (item.body(), item.flags);
        free.push(body);
        self.items.remove(seq.0);
        if flags != 0 {
            self.forget_terms(seq);
        }
        self.stories.remove(seq, free);
    }

    /// Takes an item out of the index of its state and puts it into that of the next.
    fn move_to(&mut self, seq: Seq, change: Change) -> &mut Item {
        let from = self.item_mut(seq).state;
        let to = from
            .next(change)
            .unwrap_or_else(|illegal| panic!("{seq:?}: {illegal}"));
        match from {
            State::Ready => {
                self.ready.remove(seq);
                if let Some(lanes) = &mut self.lanes {
                    lanes.unready(seq);
                }
            }
            State::Delayed(due) => {
                self.delayed.remove(seq);
                self.timers.remove(due, seq);
            }
            State::Dead => self.dead.remove(seq),
            State::Leased | State::Done | State::Expired | State::Cancelled => {}
        }
        if let Some(to) = to {
            self.enter_index(seq, to);
        }
        if self.expiries.is_some() {
            self.follow_expiry(seq, from, to);
        }
        let item = self.item_mut(seq);
        item.state = to.unwrap_or(from);
        item
    }

    /// Puts a lease in, with its terms.
    pub(crate) fn enter_lease(&mut self, seq: Seq, lease: Lease) {
        self.timers.insert(lease.deadline, seq);
        self.lease_starts += u128::from(lease.started.0);
        self.leases.insert(seq.0, lease);
        if let Some(lanes) = &mut self.lanes {
            lanes.lent(seq);
        }
    }

    /// Puts an item into the index of its state. A lease is put in with its terms, elsewhere.
    pub(crate) fn enter_index(&mut self, seq: Seq, state: State) {
        match state {
            State::Ready => {
                self.ready.insert(seq);
                if let Some(lanes) = &mut self.lanes {
                    lanes.ready(seq);
                }
            }
            State::Delayed(due) => {
                self.delayed.insert(seq);
                self.timers.insert(due, seq);
            }
            State::Dead => self.dead.insert(seq),
            State::Leased | State::Done | State::Expired | State::Cancelled => {}
        }
    }

    /// Bytes of an item's body, and of its kept notes and logs.
    pub(crate) fn bytes_of(&self, seq: Seq) -> (u64, u64) {
        let body = self.item(seq).map_or(0, |item| u64::from(item.body().len));
        let notes = self.stories.blobs(seq).map(|blob| u64::from(blob.len));
        (body, notes.sum())
    }

    fn item_mut(&mut self, seq: Seq) -> &mut Item {
        self.items
            .get_mut(seq.0)
            .unwrap_or_else(|| panic!("{seq:?} is not in the queue"))
    }
}

impl From<Next> for State {
    fn from(next: Next) -> Self {
        match next {
            Next::Done => Self::Done,
            Next::Ready => Self::Ready,
            Next::Delayed(due) => Self::Delayed(due),
            Next::Dead => Self::Dead,
        }
    }
}
