//! Requests and connections.

use metrics::{Family, Label};

/// From half a millisecond to the longest that a call may be parked.
const DURATIONS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0,
];

const REQUESTS: Family = Family::seconds(
    "memq_http_request_duration_seconds",
    DURATIONS,
    "How long requests took from their head to the head of their answer, the time that they were parked \
     included. Its count is the number of requests.",
)
.by(&[
    Label::any(
        "route",
        "the path as the API's description has it, as `/v1/queues/{queue}/items`; `other` where there is no such path",
    ),
    Label::of("method", &["GET", "HEAD", "POST", "PUT", "DELETE", "other"]),
    Label::of("status", &["1xx", "2xx", "3xx", "4xx", "5xx"]),
]);
const CONNECTIONS: Family = Family::gauge(
    "memq_http_connections",
    "connections",
    "Connections that are open.",
);
const MAX_CONNECTIONS: Family = Family::gauge(
    "memq_http_max_connections",
    "connections",
    "The most connections: --max-connections.",
);
const ACCEPTED: Family = Family::counter(
    "memq_http_connections_total",
    "connections",
    "Connections that were accepted, those that were turned away included.",
);

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[&REQUESTS, &CONNECTIONS, &MAX_CONNECTIONS, &ACCEPTED];
