//! Whether the server may serve, what it holds, how much it may hold, and how often a limit refused something.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metrics::{Family, Label, Rows};
use prometheus::proto::MetricFamily;
use queue_api::Code;

use crate::engine::EngineFigures;

const READY: Family = Family::gauge(
    "memq_ready",
    "1 or 0",
    "Whether the server may serve: 1 if so, 0 while it recovers, is restored or stops.",
);
const QUEUES: Family = Family::gauge("memq_queues", "queues", "Queues on this server.");
const MAX_QUEUES: Family = Family::gauge(
    "memq_max_queues",
    "queues",
    "The most queues on this server: --max-queues.",
);
const ITEMS: Family = Family::gauge(
    "memq_held_items",
    "items",
    "Items of all queues that are ready, leased, delayed or dead.",
);
const MAX_ITEMS: Family = Family::gauge(
    "memq_max_held_items",
    "items",
    "The most items that all queues may hold: --max-items.",
);
const BYTES: Family = Family::gauge(
    "memq_held_bytes",
    "bytes",
    "Bytes of the bodies, errors and logs of those items.",
);
const MAX_BYTES: Family = Family::gauge(
    "memq_max_held_bytes",
    "bytes",
    "The most such bytes that all queues may hold: --max-bytes.",
);
const BODY_MEMORY: Family = Family::gauge(
    "memq_body_memory_bytes",
    "bytes",
    "Bytes of bodies, results and errors that are in memory.",
);
const PARKED: Family = Family::gauge(
    "memq_parked_calls",
    "calls",
    "Calls that are parked: on a lease, or until a queue is drained or empty.",
);
const MAX_PARKED: Family = Family::gauge(
    "memq_max_parked_calls",
    "calls",
    "The most calls that may be parked: --max-waiters.",
);
const HITS: Family = Family::counter(
    "memq_limits_hit_total",
    "calls",
    "Calls that a limit refused, by the limit. rate_limited and max_leased count the lease calls that were given \
     less than they asked for because the queue was at its rate_per_s, or at its max_leased or \
     max_leased_per_group; queue_full is a queue's own max_items or max_bytes; connections counts connections that \
     were turned away; overloaded is any other limit of the server. unauthenticated and forbidden are calls without a \
     token that is known, and with one whose role is too low; foreign_site and unknown_host are those that a page of \
     another site made, and that named a host that is none of the server's.",
)
.by(&[Label::of("limit", &WORDS)]);

/// The limits, in the order of [`Limit`].
const WORDS: [&str; 14] = [
    "queue_full",
    "rate_limited",
    "max_leased",
    "max_queues",
    "max_items",
    "max_bytes",
    "storage_full",
    "waiters",
    "overloaded",
    "connections",
    "unauthenticated",
    "forbidden",
    "foreign_site",
    "unknown_host",
];
/// Those that are counted here: all before `connections`.
const COUNTED: usize = Limit::Overloaded as usize + 1;

/// A limit that refused something. It travels with the answer, to where answers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    QueueFull,
    RateLimited,
    MaxLeased,
    MaxQueues,
    MaxItems,
    MaxBytes,
    StorageFull,
    Waiters,
    Overloaded,
}

impl Limit {
    /// The limit that an error of this code tells of. Calls at a queue's rate are counted where they are made to
    /// wait, and what others count is not counted again.
    pub(crate) fn of(code: Code) -> Option<Self> {
        match code {
            Code::QueueFull => Some(Self::QueueFull),
            Code::StorageFull => Some(Self::StorageFull),
            Code::Overloaded => Some(Self::Overloaded),
            _ => None,
        }
    }
}

/// How often each limit refused something.
#[derive(Debug, Default)]
pub(crate) struct Limits([AtomicU64; COUNTED]);

/// What others count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere {
    pub(super) connections: u64,
    pub(super) unauthenticated: u64,
    pub(super) forbidden: u64,
    pub(super) foreign_site: u64,
    pub(super) unknown_host: u64,
}

impl Limits {
    /// A limit refused something.
    pub(crate) fn hit(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn collect(&self, elsewhere: &Elsewhere) -> MetricFamily {
        let Elsewhere {
            connections,
            unauthenticated,
            forbidden,
            foreign_site,
            unknown_host,
        } = *elsewhere;
        let others = [
            connections,
            unauthenticated,
            forbidden,
            foreign_site,
            unknown_host,
        ];
        let counted = self.0.iter().map(|hits| hits.load(Relaxed));
        let mut rows = Rows::new(&HITS);
        for (limit, hits) in WORDS.iter().zip(counted.chain(others)) {
            rows.add(&[limit], hits as f64);
        }
        rows.into_family()
    }
}

/// What the server holds and may hold.
pub(super) fn collect(figures: &EngineFigures) -> Vec<MetricFamily> {
    let EngineFigures {
        ready,
        queues,
        items,
        bytes,
        parked,
        body_memory,
        limits,
    } = *figures;
    [
        (&READY, u64::from(ready)),
        (&QUEUES, queues as u64),
        (&MAX_QUEUES, limits.max_queues as u64),
        (&ITEMS, items),
        (&MAX_ITEMS, limits.max_items),
        (&BYTES, bytes),
        (&MAX_BYTES, limits.max_bytes),
        (&BODY_MEMORY, body_memory),
        (&PARKED, parked as u64),
        (&MAX_PARKED, limits.max_waiters as u64),
    ]
    .map(|(family, value)| Rows::one(family, value as f64))
    .into()
}

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &READY,
    &QUEUES,
    &MAX_QUEUES,
    &ITEMS,
    &MAX_ITEMS,
    &BYTES,
    &MAX_BYTES,
    &BODY_MEMORY,
    &PARKED,
    &MAX_PARKED,
    &HITS,
];
