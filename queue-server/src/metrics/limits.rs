//! Whether the server may serve, what it holds, how much it may hold, and how often a limit refused something.

use metrics::{Family, Label};

const READY: Family = Family::gauge(
    "memq_ready",
    "1 or 0",
    "1 while the server may serve, 0 while it recovers, is restored or stops.",
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
    "Bytes of the bodies of those items.",
);
const MAX_BYTES: Family = Family::gauge(
    "memq_max_held_bytes",
    "bytes",
    "The most bytes of bodies that all queues may hold: --max-bytes.",
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
    "Calls that a limit refused, by the limit. rate_limited and max_leased count the lease calls that got fewer \
     items than there were, or none, because the queue was at its rate_per_s or at its max_leased; queue_full is \
     a queue's own max_items or max_bytes; connections counts connections that were turned away; overloaded is \
     any other limit of the server. unauthenticated and forbidden are calls without a token that is known, and \
     with one whose role is too low.",
)
.by(&[Label::of(
    "limit",
    &[
        "queue_full",
        "rate_limited",
        "max_leased",
        "max_queues",
        "max_items",
        "max_bytes",
        "storage_full",
        "waiters",
        "connections",
        "overloaded",
        "unauthenticated",
        "forbidden",
    ],
)]);

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
