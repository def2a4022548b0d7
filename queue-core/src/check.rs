//! Recounting what is kept counted.

use crate::Seq;
use crate::item::State;
use crate::queue::Queue;
use crate::timers::Timers;

impl Queue {
    /// Recounts everything that is kept counted, of a queue that is whole. Costs a pass over the queue: for tests.
    ///
    /// # Panics
    /// If an invariant of [`Queue`] does not hold.
    pub fn check(&self) {
        let (mut ready, mut delayed, mut leased, mut dead, mut done) = (0, 0, 0, 0, 0);
        let (mut held, mut retained, mut starts) = (0, 0, 0);
        let mut timers = Timers::default();
        for (seq, item) in self.items.range(0) {
            let seq = Seq(seq);
            let (body, notes) = self.bytes_of(seq);
            match item.state {
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
                    }
                }
                State::Dead => dead += u64::from(self.dead.contains(seq)),
                State::Done => done += 1,
            }
            match item.state {
                State::Done => retained += body + notes,
                _ => held += body,
            }
        }
        let counts = self.counts();
        assert_eq!(ready, counts.ready, "invariant 1: ready");
        assert_eq!(delayed, counts.delayed, "invariant 1: delayed");
        assert_eq!(leased, counts.leased, "invariant 1: leased");
        assert_eq!(dead, counts.dead, "invariant 1: dead");
        assert_eq!(timers, self.timers, "invariant 2: timers");
        let totals = self.totals();
        let accounted = ready + leased + delayed + dead + counts.done + totals.purged;
        assert_eq!(totals.enqueued, accounted, "invariant 3: identity");
        assert_eq!(held, self.held_bytes, "invariant 4: held bytes");
        assert_eq!(retained, self.retained_bytes, "invariant 4: retained bytes");
        assert_eq!(starts, self.lease_starts, "invariant 4: lease starts");
        let kept = self
            .outcomes(0)
            .filter(|(_, outcome)| outcome.state == State::Done);
        assert_eq!(done, kept.count() as u64, "invariant 5: outcomes");
        let attempts = self.stories.recount();
        let counted = self.stories.attempts();
        assert_eq!(attempts, counted, "invariant 6: attempts");
    }
}
