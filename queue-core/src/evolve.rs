//! Applying events: the only code that changes a queue, live and in recovery.
//!
//! An event that does not fit the queue is a broken invariant and panics: the log can rebuild the
//! queue, a wrong one cannot be trusted.

mod moves;

use alloc::vec::Vec;

use crate::Seq;
use crate::attempt::{Attempt, How, Lease};
use crate::blob::Blob;
use crate::event::Event;
use crate::idempotency::Remembered;
use crate::item::{Change, Item, State};
use crate::pace::Pace;
use crate::queue::{Outcome, Queue};
use crate::settings::Settings;
use crate::terms::Terms;
use crate::time::Time;

/// When an item ended that a change does not end.
const NEVER: Time = Time(0);

/// How a lease ended, and where its item goes.
struct Ending {
    at: Time,
    how: How,
    next: State,
    spent: bool,
    note: Option<Blob>,
    exit_code: Option<i32>,
    log: Option<Blob>,
}

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
                let ending = Ending {
                    at,
                    how,
                    next: next.into(),
                    spent,
                    note,
                    exit_code,
                    log,
                };
                self.give_back(seq, ending, free);
            }
            Event::FellDue { seq } => {
                self.move_to(seq, Change::FallDue, NEVER, |_| ());
            }
            Event::Taken { at, seq } => {
                self.totals.taken += 1;
                self.served(seq, at);
                self.end_unheld(seq, Change::Take, State::Done, at);
            }
            Event::Expired { at, seq } => {
                self.totals.item_expired += 1;
                self.end_unheld(seq, Change::Expire, State::Expired, at);
            }
            Event::Cancelled { at, seq } => {
                self.totals.cancelled += 1;
                self.end_unheld(seq, Change::Cancel, State::Cancelled, at);
            }
            Event::Redriven { seq } => {
                self.totals.redriven += 1;
                self.move_to(seq, Change::Redrive, NEVER, Item::begin_anew);
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
        let mut item = Item::new(body, at);
        let state = due.map_or(State::Ready, State::Delayed);
        item.set_state(state, at);
        if let Some(terms) = terms {
            item.flags = self.enter_terms(seq, terms);
            if let Some(key) = &terms.key {
                self.keys.get_or_insert_default().claim(seq, key);
            }
        }
        self.held_bytes += self.brought(seq, body);
        self.items.insert(seq.0, item);
        self.enter_index(seq, state);
        self.follow_expiry(seq, State::Leased, Some(state));
    }

    fn lend(&mut self, seq: Seq, lease: Lease) {
        self.totals.leased += 1;
        self.move_to(seq, Change::Lease, NEVER, |item| item.attempts += 1);
        self.enter_lease(seq, lease);
    }

    fn prolong(&mut self, at: Time, seq: Seq, deadline: Time) {
        self.move_to(seq, Change::Extend, NEVER, |_| ());
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

    fn give_back(&mut self, seq: Seq, ending: Ending, free: &mut Vec<Blob>) {
        let Ending { at, how, next, .. } = ending;
        let lease = self
            .leases
            .remove(seq.0)
            .unwrap_or_else(|| panic!("{seq:?} is settled and not leased"));
        self.timers.remove(lease.deadline, seq);
        self.lease_starts -= u128::from(lease.started.0);
        self.lease_names -= lease.name_bytes();
        if let Some(lanes) = &mut self.lanes {
            lanes.returned(seq);
        }
        let (nth, body) = self.move_to(seq, Change::Settle(next), at, |item| {
            let nth = item.attempts;
            if !ending.spent {
                item.unspend();
            }
            if how == How::Released {
                item.releases = item.releases.saturating_add(1);
            }
            (nth, item.body())
        });
        let brought = self.brought(seq, body);
        let attempt = Attempt {
            fence: lease.fence,
            nth,
            worker: lease.worker,
            started: lease.started,
            ended: at,
            how,
            note: ending.note,
            exit_code: ending.exit_code,
            log: ending.log,
        };
        let (before, notes) = self.stories.add(seq, attempt, free);
        self.held_bytes = self.held_bytes - before + notes;
        if let State::Done | State::Dead = next {
            self.finish(seq, next, at, brought + notes);
        }
    }

    /// An item ends that is in nobody's hands.
    fn end_unheld(&mut self, seq: Seq, change: Change, state: State, at: Time) {
        let (body, was_lent) =
            self.move_to(seq, change, at, |item| (item.body(), item.leases() > 0));
        let notes = match was_lent {
            true => self.stories.bytes(seq),
            false => 0,
        };
        self.finish(seq, state, at, self.brought(seq, body) + notes);
    }

    /// Records the outcome of an item that ended, and that it holds so many bytes.
    fn finish(&mut self, seq: Seq, state: State, ended: Time, bytes: u64) {
        match state {
            State::Dead => self.totals.dead += 1,
            _ => {
                self.held_bytes -= bytes;
                self.retained_bytes += bytes;
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
        let was_lent = self.move_to(seq, change, NEVER, |item| {
            free.push(item.body());
            item.leases() > 0
        });
        let notes = match was_lent {
            true => self.stories.remove(seq, free),
            false => 0,
        };
        let Some(item) = self.items.remove(seq.0) else {
            return;
        };
        let bytes = self.brought(seq, item.body()) + notes;
        match change {
            Change::Forget => self.retained_bytes -= bytes,
            _ => self.held_bytes -= bytes,
        }
        if item.flags != 0 {
            self.forget_terms(seq);
        }
    }
}
