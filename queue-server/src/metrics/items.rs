//! How long items of all queues waited, and how long they took.

use metrics::{Family, Label};

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
    "How long items were leased, by how that ended: acknowledged, failed, given back, found to be poison, or \
     with a lease that ran out.",
)
.by(&[Label::of("as", &["ack", "nack", "release", "dead", "expired"])]);

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[&LEASE_WAIT, &DURATION];
