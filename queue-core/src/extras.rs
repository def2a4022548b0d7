//! What a queue keeps of the few items that have more than a body: lanes, keys, expiries, traces. Part of
//! applying events.
//!
//! Each comes into being with the first item that has need of it, and goes with the last.

use crate::Seq;
use crate::item::{State, flag};
use crate::lanes::{Lane, Lanes};
use crate::queue::Queue;
use crate::terms::Terms;
use crate::time::Time;

impl Queue {
    /// Keeps what an item was given, but for its key, and says by which flags it is found again. It is in
    /// no index yet.
    pub(crate) fn enter_terms(&mut self, seq: Seq, terms: &Terms) -> u8 {
        let mut flags = 0;
        if terms.has_lane() {
            flags |= flag::LANE;
            let cap = self.settings.max_leased_per_group;
            let begin = || Lanes::begin(self.ready.clone(), cap).into();
            let lanes = self.lanes.get_or_insert_with(begin);
            let group = terms.group.as_ref();
            let lane = Lane {
                group: group.map(|group| group.id).unwrap_or_default(),
                priority: terms.priority,
            };
            lanes.add(seq, lane, group.map(|group| &group.name));
        }
        if terms.key.is_some() {
            flags |= flag::KEY;
        }
        if let Some(expires) = terms.expires {
            flags |= flag::EXPIRES;
            self.expiries.get_or_insert_default().add(seq, expires);
        }
        if let Some(trace) = &terms.trace {
            flags |= flag::TRACE;
            self.traces.get_or_insert_default().add(seq, trace);
        }
        flags
    }

    /// The item goes from one state to another, or leaves. One that comes in is told as if it had been
    /// lent: nothing waits for its expiry yet.
    pub(crate) fn follow_expiry(&mut self, seq: Seq, from: State, to: Option<State>) {
        let waits = |state: State| matches!(state, State::Ready | State::Delayed(_));
        let Some(expiries) = &mut self.expiries else {
            return;
        };
        match (waits(from), to.is_some_and(waits)) {
            (true, false) => expiries.stop(seq),
            (false, true) => expiries.start(seq),
            _ => {}
        }
    }

    /// An item that had terms has left the queue.
    pub(crate) fn forget_terms(&mut self, seq: Seq) {
        if let Some(lanes) = &mut self.lanes {
            lanes.forget(seq);
            if lanes.is_empty() {
                self.lanes = None;
            }
        }
        if let Some(keys) = &mut self.keys {
            keys.forget(seq);
            if keys.is_empty() {
                self.keys = None;
            }
        }
        if let Some(expiries) = &mut self.expiries
            && expiries.remove(seq)
        {
            self.expiries = None;
        }
        if let Some(traces) = &mut self.traces
            && traces.remove(seq)
        {
            self.traces = None;
        }
    }

    /// An item goes out, to a worker or for good.
    pub(crate) fn served(&mut self, seq: Seq, at: Time) {
        self.pace.lent(&self.settings, at);
        if let Some(lanes) = &mut self.lanes {
            let group = lanes.lane(seq).group;
            lanes.set_last(group);
        }
    }

    /// An item ended: its key stays taken for the rest of the window. Nobody waits for what was
    /// cancelled. For how long is part of what a log means: no event says it.
    pub(crate) fn end_key(&mut self, seq: Seq, state: State, ended: Time) {
        let Some(keys) = &mut self.keys else { return };
        let item = self.items.get(seq.0).filter(|item| item.has(flag::KEY));
        let Some(item) = item else { return };
        let until = item.enqueued + self.settings.key_window;
        match until > ended && state != State::Cancelled {
            true => keys.hold(seq, until),
            false => keys.free(seq),
        }
    }

    /// The key of an item may be used again. The item may be gone, or be still to come.
    pub(crate) fn free_key(&mut self, seq: Seq) {
        if let Some(keys) = &mut self.keys {
            keys.free(seq);
            if keys.is_empty() {
                self.keys = None;
            }
        }
    }

    /// An item that had ended is live again.
    pub(crate) fn reclaim_key(&mut self, seq: Seq) {
        if let Some(keys) = &mut self.keys {
            keys.reclaim(seq);
        }
    }
}
