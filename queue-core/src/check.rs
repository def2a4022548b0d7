//! Recounting what is kept counted.

use crate::Seq;
use crate::expiries::Expiries;
use crate::item::{State, flag};
use crate::queue::Queue;
use crate::timers::Timers;
use crate::traces::Traces;

impl Queue {
    /// Recounts everything that is kept counted, of a queue that is whole. Costs a pass over the queue: for tests.
    ///
    /// # Panics
    /// If an invariant of [`Queue`] does not hold.
    pub fn check(&self) {
        let (mut ready, mut delayed, mut leased, mut dead, mut finished) = (0, 0, 0, 0, 0);
        let (mut held, mut retained, mut starts, mut lease_names) = (0, 0, 0, 0);
        let mut timers = Timers::default();
        for (seq, item) in self.items.range(0) {
            let seq = Seq(seq);
            let bytes = self.bytes_of(seq);
            match item.state() {
                State::Ready => ready += u64::from(self.ready.contains(seq)),
                State::Delayed(due) => {
                    delayed += u64::from(self.delayed.contains(seq));
                    timers.insert(due, seq);
                }
                State::Leased => {
                    let lease = self.leases.get(seq.0);
                    leased += u64::from(lease.is_some());
                    if let Some(lease) = lease {
                        timers.insert(lease.deadline, seq);
                        starts += u128::from(lease.started.0);
                        lease_names += lease.name_bytes();
                    }
                }
                State::Dead => dead += u64::from(self.dead.contains(seq)),
                State::Done | State::Expired | State::Cancelled => finished += 1,
            }
            match item.state().is_finished() {
                true => retained += bytes,
                false => held += bytes,
            }
        }
        let counts = self.counts();
        assert_eq!(ready, counts.ready, "invariant 1: ready");
        assert_eq!(delayed, counts.delayed, "invariant 1: delayed");
        assert_eq!(leased, counts.leased, "invariant 1: leased");
        assert_eq!(dead, counts.dead, "invariant 1: dead");
        assert_eq!(timers, self.timers, "invariant 2: timers");
        let accounted = self.accounted();
        assert_eq!(self.totals.enqueued, accounted, "invariant 3: identity");
        assert_eq!(held, self.held_bytes, "invariant 4: held bytes");
        assert_eq!(retained, self.retained_bytes, "invariant 4: retained bytes");
        assert_eq!(starts, self.lease_starts, "invariant 4: lease starts");
        assert_eq!(lease_names, self.lease_names, "invariant 4: lease names");
        let kept = self
            .outcomes(0)
            .filter(|(_, outcome)| outcome.state.is_finished());
        assert_eq!(finished, kept.count() as u64, "invariant 5: outcomes");
        let attempts = self.stories.recount();
        let counted = (self.stories.attempts(), self.stories.names());
        assert_eq!(attempts, counted, "invariant 6: attempts and their workers");
        let (logs, logged) = self.stories.recount_logs();
        assert_eq!(logs, logged, "invariant 6: logs");
        self.check_extras();
    }

    /// Items that came in, by what became of them.
    pub(crate) fn accounted(&self) -> u64 {
        let counts = self.counts();
        let totals = &self.totals;
        let held = counts.ready + counts.leased + counts.delayed + counts.dead;
        held + counts.done + totals.purged + totals.item_expired + totals.cancelled
    }

    fn check_extras(&self) {
        let flagged = |flag: u8| {
            let items = self.items.range(0).map(|(seq, item)| (Seq(seq), item));
            items.filter(move |(_, item)| item.has(flag))
        };
        let laned = flagged(flag::LANE).count() > 0;
        assert_eq!(laned, self.lanes.is_some(), "invariant 7: lanes");
        if let Some(lanes) = &self.lanes {
            lanes.check(&self.ready, |seq| self.leases.contains(seq.0));
        }
        let mut expiries = Expiries::default();
        for (seq, item) in flagged(flag::EXPIRES) {
            if let Some(expires) = self.expires(seq) {
                expiries.add(seq, expires);
            }
            if let State::Ready | State::Delayed(_) = item.state() {
                expiries.start(seq);
            }
        }
        let expiries = (expiries.len() > 0).then(|| expiries.into());
        assert_eq!(expiries, self.expiries, "invariant 7: expiries");
        let mut traces = Traces::default();
        for (seq, _) in flagged(flag::TRACE) {
            let trace = self.traces.as_ref().and_then(|traces| traces.of(seq));
            traces.add(seq, trace.expect("invariant 7: traces"));
        }
        let traces = (traces.len() > 0).then(|| traces.into());
        assert_eq!(traces, self.traces, "invariant 7: traces");
        let item = |seq: Seq| self.item(seq).filter(|item| item.has(flag::KEY));
        let keyed = flagged(flag::KEY).count() as u64;
        if let Some(idempotency) = &self.idempotency {
            idempotency.check();
        }
        let Some(keys) = &self.keys else {
            assert_eq!(keyed, 0, "invariant 7: keys");
            return;
        };
        assert!(!keys.is_empty(), "invariant 7: keys");
        keys.check(
            |seq| item(seq).is_some(),
            |seq| item(seq).is_some_and(|item| item.state().is_live()),
        );
    }
}
