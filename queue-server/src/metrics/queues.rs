//! What each queue holds and what passed through it.

use metrics::{Family, Label};

const QUEUE: Label = Label::any("queue", "its name, or `_other`");

const ITEMS: Family = Family::gauge(
    "memq_queue_items",
    "items",
    "Items in a queue by state. Done items count for ever, also past retention.",
)
.by(&[
    QUEUE,
    Label::of("state", &["ready", "leased", "delayed", "dead", "done"]),
]);

const BACKLOG: Family = Family::gauge(
    "memq_queue_backlog_items",
    "items",
    "Items that could be worked on now: ready, leased, and delayed ones that are due.",
)
.by(&[QUEUE]);

const BYTES: Family = Family::gauge(
    "memq_queue_bytes",
    "bytes",
    "Bytes of the bodies of the ready, leased, delayed and dead items of a queue.",
)
.by(&[QUEUE]);

const EVENTS: Family = Family::counter(
    "memq_queue_events_total",
    "items",
    "What ever happened to the items of a queue, also before a restart. Enqueued is ready + leased + delayed + \
     dead + done + purged + item_expired + cancelled, a redriven item counted once.",
)
.by(&[
    QUEUE,
    Label::of(
        "event",
        &[
            "enqueued",
            "duplicates",
            "leased",
            "acked",
            "nacked",
            "released",
            "lease_expired",
            "item_expired",
            "cancelled",
            "dead",
            "redriven",
            "purged",
            "taken",
        ],
    ),
]);

const IS: Family = Family::gauge(
    "memq_queue_is",
    "1 or 0; of `_other` the number of queues",
    "Whether a queue is sealed, paused, drained or empty: 1 if so.",
)
.by(&[
    QUEUE,
    Label::of("flag", &["sealed", "paused", "drained", "empty"]),
]);

const OLDEST_READY: Family = Family::gauge(
    "memq_queue_oldest_ready_seconds",
    "seconds",
    "How long the oldest ready item has been in the queue; 0 if none is ready.",
)
.by(&[QUEUE]);

const OLDEST_ITEM: Family = Family::gauge(
    "memq_queue_oldest_item_seconds",
    "seconds",
    "How long the oldest item that is ready, leased or delayed has been in the queue; 0 if there is none.",
)
.by(&[QUEUE]);

const PARKED: Family = Family::gauge(
    "memq_queue_parked_calls",
    "calls",
    "Lease calls that are parked on a queue until it has an item for them.",
)
.by(&[QUEUE]);

const MAX_ITEMS: Family = Family::gauge(
    "memq_queue_max_items",
    "items",
    "The most items that a queue takes: its setting max_items.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_BYTES: Family = Family::gauge(
    "memq_queue_max_bytes",
    "bytes",
    "The most bytes of bodies that a queue takes: its setting max_bytes.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_LEASED: Family = Family::gauge(
    "memq_queue_max_leased",
    "items",
    "The most items of a queue that are leased at a time: its setting max_leased.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_RATE: Family = Family::gauge(
    "memq_queue_max_leases_per_second",
    "items a second",
    "The most leases a second that a queue gives: its setting rate_per_s.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &ITEMS,
    &BACKLOG,
    &BYTES,
    &EVENTS,
    &IS,
    &OLDEST_READY,
    &OLDEST_ITEM,
    &PARKED,
    &MAX_ITEMS,
    &MAX_BYTES,
    &MAX_LEASED,
    &MAX_RATE,
];
