//! What the controller does itself, whatever its runs are.

use metrics::{Family, Label};

/// From ten milliseconds to the longest that a look may take.
const LOOKS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

pub(super) const LEADER: Family = Family::gauge(
    "memq_controller_leader",
    "1 or 0",
    "1 while this controller holds the lease and works, 0 while it waits.",
);
pub(super) const KEPT: Family = Family::gauge(
    "memq_controller_runs",
    "runs",
    "Runs this controller looks after now.",
);
pub(super) const LOOKS_TAKEN: Family = Family::counter(
    "memq_controller_looks_total",
    "looks",
    "Times a run was looked at and planned.",
);
pub(super) const LOOK_DURATION: Family = Family::seconds(
    "memq_controller_look_duration_seconds",
    LOOKS,
    "How long it took to look at a run, plan, write its status and act.",
);
pub(super) const ERRORS: Family = Family::counter(
    "memq_controller_errors_total",
    "errors",
    "Things that failed and are tried again, by what.",
)
.by(&[Label::of(
    "what",
    &["action", "look", "panic", "read", "watch", "write"],
)]);
pub(super) const API_REQUESTS: Family = Family::counter(
    "memq_controller_api_requests_total",
    "requests",
    "Requests to the API server by their answer; error is none at all. A watch counts when it begins.",
)
.by(&[
    Label::of("method", &["GET", "POST", "PUT", "PATCH", "DELETE"]),
    Label::of(
        "status",
        &["1xx", "2xx", "3xx", "401", "403", "404", "409", "429", "4xx", "5xx", "error"],
    ),
]);

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &LEADER,
    &KEPT,
    &LOOKS_TAKEN,
    &LOOK_DURATION,
    &ERRORS,
    &API_REQUESTS,
];
