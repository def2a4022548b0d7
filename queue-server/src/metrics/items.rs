//! How long items of all queues waited, and how long they took.

use std::time::Duration;

use metrics::{Family, Label, Rows, Timing};
use prometheus::proto::MetricFamily;
use queue_core::{Event, How, Item, Queue, Time};

/// From a millisecond, a local worker on an idle queue, to a day.
const WAITS: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0,
];
/// From a millisecond to half a day.
const DURATIONS: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
    14400.0, 43200.0,
];

const LEASE_WAIT: Family = Family::seconds(
    "memq_lease_wait_seconds",
    WAITS,
    "How long items had been ready when they were leased. A paused queue and one at its rate make them wait too.",
);

const DURATION: Family = Family::seconds(
    "memq_item_duration_seconds",
    DURATIONS,
    "How long items were leased, by how that ended: acknowledged, failed, given back, found to be poison, with a \
     lease that ran out, or cancelled meanwhile.",
)
.by(&[Label::of("as", &ENDS)]);

/// How a lease ends, as [`index`] counts.
const ENDS: [&str; 6] = ["ack", "nack", "release", "dead", "expired", "revoked"];

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[&LEASE_WAIT, &DURATION];

/// What is counted of items as they come and go.
#[derive(Debug)]
pub(crate) struct Items {
    waits: Timing,
    durations: [Timing; ENDS.len()],
}

impl Default for Items {
    fn default() -> Self {
        Self {
            waits: Timing::new(&LEASE_WAIT),
            durations: ENDS.map(|_| Timing::new(&DURATION)),
        }
    }
}

impl Items {
    /// An event is about to become true of a queue.
    pub(crate) fn observe(&self, core: &Queue, event: &Event, now: Time) {
        match *event {
            Event::Leased { seq, .. } | Event::Taken { seq, .. } => {
                let ready = core.item(seq).and_then(Item::ready_since);
                if let Some(since) = ready {
                    self.leased(now.since(since));
                }
            }
            Event::Settled { seq, how, .. } => {
                if let Some(lease) = core.lease_of(seq) {
                    self.ended(how, now.since(lease.started));
                }
            }
            _ => {}
        }
    }

    /// An item is leased, or taken, after it was ready for so long.
    fn leased(&self, waited: Duration) {
        self.waits.add(waited);
    }

    /// A lease ended after so long.
    fn ended(&self, how: How, took: Duration) {
        self.durations[index(how)].add(took);
    }

    pub(super) fn collect(&self) -> [MetricFamily; 2] {
        let mut durations = Rows::new(&DURATION);
        for (end, timing) in ENDS.iter().zip(&self.durations) {
            timing.put(&[end], &mut durations);
        }
        [self.waits.collect(), durations.into_family()]
    }
}

fn index(how: How) -> usize {
    match how {
        How::Acked => 0,
        How::Nacked => 1,
        How::Released => 2,
        How::Buried => 3,
        How::Expired => 4,
        How::Revoked => 5,
    }
}
