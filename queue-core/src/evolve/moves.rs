//! An item goes from one state to another, and from one index to another. Part of applying events.

use crate::Seq;
use crate::attempt::Lease;
use crate::blob::Blob;
use crate::event::Next;
use crate::item::{Change, Item, State};
use crate::queue::Queue;
use crate::time::Time;

impl Queue {
    /// Takes an item out of the index of its state and puts it into that of the next, where it ends at this
    /// time if that is an end. Does `with` the item what else the change means to it.
    pub(super) fn move_to<R>(
        &mut self,
        seq: Seq,
        change: Change,
        ended: Time,
        with: impl FnOnce(&mut Item) -> R,
    ) -> R {
        let item = self
            .items
            .get_mut(seq.0)
            .unwrap_or_else(|| panic!("{seq:?} is not in the queue"));
        let from = item.state();
        let to = from
            .next(change)
            .unwrap_or_else(|illegal| panic!("{seq:?}: {illegal}"));
        if let Some(to) = to {
            item.set_state(to, ended);
        }
        let done = with(item);
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
        done
    }

    /// Puts a lease in, with its terms.
    pub(crate) fn enter_lease(&mut self, seq: Seq, lease: Lease) {
        self.timers.insert(lease.deadline, seq);
        self.lease_starts += u128::from(lease.started.0);
        self.lease_names += lease.name_bytes();
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

    /// Bytes of what an item came in with that takes room: its trace beside its body.
    pub(crate) fn brought(&self, seq: Seq, body: Blob) -> u64 {
        let traces = self.traces.as_ref();
        let trace = traces.and_then(|traces| traces.of(seq));
        u64::from(body.len) + trace.map_or(0, |trace| trace.len() as u64)
    }

    /// Bytes of an item's body and trace, and of its kept notes and logs.
    pub(crate) fn bytes_of(&self, seq: Seq) -> u64 {
        let brought = self
            .item(seq)
            .map_or(0, |item| self.brought(seq, item.body()));
        brought + self.stories.bytes(seq)
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
