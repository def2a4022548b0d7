//! What may happen to a queue in a story that nobody wrote.

use proptest::prelude::*;
use queue_core::{Backoff, How, Settings};

use crate::support::{Offer, ms};

/// One step. Leases are named by how many were given since, items by how many came in since.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Enqueue {
        offers: Vec<Offer>,
        /// Under the lease given so many leases ago, or a forged one.
        under: Option<(usize, bool)>,
        /// An idempotency key, and what stands for the digest of the request.
        idempotent: Option<(u8, u64)>,
    },
    Lease {
        max: usize,
        max_bytes: u64,
        length: u64,
    },
    Settle {
        lease: usize,
        how: How,
        delay: Option<u64>,
        note: Option<u32>,
        log: Option<u32>,
        forged: bool,
    },
    Extend {
        lease: usize,
        length: u64,
        forged: bool,
    },
    Take,
    Cancel(usize),
    Redrive(Vec<usize>),
    Purge {
        ready: bool,
        delayed: bool,
        dead: bool,
        newer: u64,
    },
    Seal,
    Reopen,
    Pause,
    Resume,
    Configure(Settings),
    Snapshot,
    Slice(usize),
    Pass(u64),
    /// To the next deadline, less so many milliseconds.
    PassToDeadline(u64),
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let attempts = (
        prop_oneof![Just(None), (5_u64..60).prop_map(Some)],
        1_u32..5,
    );
    let backoff = (0_u64..20, 0_u64..60, 1_u8..4);
    let retention = (
        prop_oneof![0_u64..6, Just(1_000)],
        prop_oneof![1_u64..200, Just(100_000)],
        prop_oneof![0_u64..60, Just(10_000)],
    );
    let seldom =
        |limit: std::ops::Range<u64>| prop_oneof![4 => Just(None), 1 => limit.prop_map(Some)];
    let limits = (seldom(0..8), seldom(0..60), seldom(1..6), seldom(1..3));
    let rate = prop_oneof![
        4 => Just(None),
        1 => prop::sample::select(vec![0.5, 40.0, 250.0, 1_500.0, 30_000.0]).prop_map(Some),
    ];
    let pace = (rate, prop_oneof![Just(None), (1_u64..4).prop_map(Some)]);
    let window = prop_oneof![Just(0), 1_u64..300];
    let times = (0_u64..100, window);
    (attempts, backoff, retention, limits, pace, times).prop_map(
        |((max_lease, max_attempts), (min, more, factor), retention, limits, pace, times)| {
            Settings {
                max_lease: max_lease.map(ms),
                max_attempts,
                backoff: Backoff {
                    min: ms(min),
                    max: ms(min + more),
                    factor: f64::from(factor),
                },
                done_retention_items: retention.0,
                done_retention: ms(retention.1),
                done_retention_bytes: retention.2,
                quiet: ms(times.0),
                max_items: limits.0,
                max_bytes: limits.1,
                max_leased: limits.2,
                max_leased_per_group: limits.3,
                rate_per_s: pace.0,
                burst: pace.1,
                key_window: ms(times.1),
            }
        },
    )
}

/// Half of the items are plain ones.
fn offer() -> impl Strategy<Value = Offer> {
    let name = |kind: &'static str, count: u8| {
        proptest::option::of((0..count).prop_map(move |number| format!("{kind}{number}")))
    };
    let delay = prop_oneof![3 => Just(0), 1 => 1_u64..60];
    let ttl = prop_oneof![3 => Just(None), 1 => (1_u64..100).prop_map(Some)];
    let priority = prop_oneof![3 => Just(0), 2 => -2_i16..3];
    let rich = (0_u32..20, priority, name("g", 4), name("k", 5), delay, ttl);
    let rich = rich.prop_map(|(body, priority, group, key, delay, ttl)| Offer {
        body,
        priority,
        group,
        key,
        delay,
        ttl,
    });
    let plain = (0_u32..20).prop_map(|body| Offer {
        body,
        ..Offer::default()
    });
    prop_oneof![plain, rich]
}

fn enqueue() -> impl Strategy<Value = Step> {
    let under = prop_oneof![
        6 => Just(None),
        1 => (0_usize..4, 0..5).prop_map(|(lease, forged)| Some((lease, forged == 0))),
    ];
    let idempotent = prop_oneof![3 => Just(None), 1 => (0_u8..3, 0_u64..2).prop_map(Some)];
    (proptest::collection::vec(offer(), 0..4), under, idempotent).prop_map(
        |(offers, under, idempotent)| Step::Enqueue {
            offers,
            under,
            idempotent,
        },
    )
}

fn settle() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        3 => Just(How::Acked), 3 => Just(How::Nacked),
        3 => Just(How::Released), 1 => Just(How::Buried),
    ];
    let delay = prop_oneof![2 => Just(None), 1 => (0_u64..40).prop_map(Some)];
    let text = || prop_oneof![9 => 0_u32..20, 1 => 200_000_u32..700_000];
    let (note, log) = (proptest::option::of(text()), proptest::option::of(text()));
    (lease(), how, delay, note, log, 0..20).prop_map(|(lease, how, delay, note, log, forged)| {
        Step::Settle {
            lease,
            how,
            delay,
            note,
            log,
            forged: forged == 0,
        }
    })
}

fn lease() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0_usize..3, 2 => 0_usize..12]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let extend = (lease(), 1_u64..60, 0..20).prop_map(|(lease, length, forged)| Step::Extend {
        lease,
        length,
        forged: forged == 0,
    });
    let purge = (any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..4).prop_map(
        |(ready, delayed, dead, newer)| Step::Purge {
            ready,
            delayed,
            dead,
            newer,
        },
    );
    let bytes = prop_oneof![3 => Just(u64::MAX), 1 => 0_u64..40];
    let ask = (0_usize..4, bytes, 1_u64..60).prop_map(|(max, max_bytes, length)| Step::Lease {
        max,
        max_bytes,
        length,
    });
    // Two such steps are more than a day, after which answers are forgotten.
    let pass = prop_oneof![30 => 0_u64..50, 1 => Just(13 * 60 * 60 * 1_000)];
    prop_oneof![
        20 => enqueue(),
        30 => ask,
        50 => settle(),
        10 => extend,
        4 => Just(Step::Take),
        6 => (0_usize..8).prop_map(Step::Cancel),
        6 => proptest::collection::vec(0_usize..12, 1..12).prop_map(Step::Redrive),
        3 => purge,
        1 => Just(Step::Seal),
        3 => Just(Step::Reopen),
        1 => Just(Step::Pause),
        3 => Just(Step::Resume),
        4 => settings().prop_map(Step::Configure),
        5 => Just(Step::Snapshot),
        40 => (1_usize..4).prop_map(Step::Slice),
        10 => pass.prop_map(Step::Pass),
        14 => (0_u64..3).prop_map(Step::PassToDeadline),
    ]
}
