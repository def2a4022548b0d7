//! The worker's metrics: its slots, its items and its calls.
//!
//! No label names a worker, an item or a queue: Prometheus knows the pod, and a queue's name may be made up
//! for one run.

use metrics::{Catalog, Family, Group, Label, PROCESS};

/// From a millisecond to half a day.
const DURATIONS: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
    14400.0, 43200.0,
];

const VERDICT: Label = Label::of("verdict", &["ack", "nack", "dead", "release", "lost"]);

const SLOTS: Family = Family::gauge(
    "memq_worker_slots",
    "slots",
    "Slots of the worker by what they do: busy with an item, or idle.",
)
.by(&[Label::of("state", &["busy", "idle"])]);
const BUSY: Family = Family::counter(
    "memq_worker_busy_seconds_total",
    "seconds",
    "Time that slots were busy with items, added up over all slots; items that are being handled count up to now.",
);
const AHEAD: Family = Family::gauge(
    "memq_worker_items_ahead",
    "items",
    "Items that are leased and wait for a slot: --prefetch.",
);
const UNSETTLED: Family = Family::gauge(
    "memq_worker_unsettled_items",
    "items",
    "Items that are handled and whose settlement the server has not taken yet.",
);
const ITEMS: Family = Family::counter(
    "memq_worker_items_total",
    "items",
    "Items that the worker has finished with, by what the server took as their verdict; lost are those whose lease ended first.",
)
.by(&[VERDICT]);
const DURATION: Family = Family::seconds(
    "memq_worker_handler_duration_seconds",
    DURATIONS,
    "How long the handler took for an item, by what it said of it.",
)
.by(&[VERDICT]);
const CALLS: Family = Family::counter(
    "memq_worker_calls_total",
    "calls",
    "Calls to the server by how they ended: answered, refused for good, or given up because the server could not be \
     reached. A call that is repeated until it is answered counts once.",
)
.by(&[
    Label::of("call", &["lease", "settle"]),
    Label::of("result", &["answered", "refused", "unreachable"]),
]);
const RETRIES: Family = Family::counter(
    "memq_worker_call_retries_total",
    "tries",
    "Tries of calls that failed and were made again.",
);

/// Everything that `GET /metrics` of a worker shows.
pub const CATALOG: Catalog = Catalog {
    program: "memq-worker",
    place: "`GET /metrics` on the address of `--health-listen`, beside its probes. A worker without that flag has none.",
    groups: &[
        Group {
            title: "slots, items and calls",
            about: "Since the worker started. It has no series of items while it does the workload of kuard.",
            families: &[
                &SLOTS, &BUSY, &AHEAD, &UNSETTLED, &ITEMS, &DURATION, &CALLS, &RETRIES,
            ],
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};
