//! What the controller does itself, whatever its runs are.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::client::Body;
use metrics::{Family, Label, Timing};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};
use tower::service_fn;

/// From ten milliseconds to the longest that a look may take.
const LOOKS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// What can fail and is tried again.
const WHAT: [&str; 5] = ["action", "panic", "read", "watch", "write"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// How requests are answered; those that mean something by themselves apart from their class.
const STATUSES: [&str; 11] = [
    "1xx", "2xx", "3xx", "401", "403", "404", "409", "429", "4xx", "5xx", "error",
];

const LEADER: Family = Family::gauge(
    "memq_controller_leader",
    "1 or 0",
    "Whether this controller holds the lease and works: 1 if so, 0 while it waits.",
);
const KEPT: Family = Family::gauge(
    "memq_controller_runs",
    "runs",
    "Runs this controller looks after now.",
);
const LOOKS_TAKEN: Family = Family::counter(
    "memq_controller_looks_total",
    "looks",
    "Times a run was looked at and planned.",
);
const LOOK_DURATION: Family = Family::seconds(
    "memq_controller_look_duration_seconds",
    LOOKS,
    "How long it took to look at a run, plan, write its status and act.",
);
const ERRORS: Family = Family::counter(
    "memq_controller_errors_total",
    "errors",
    "Things that failed and are tried again, by what.",
)
.by(&[Label::of("what", &WHAT)]);
const API_REQUESTS: Family = Family::counter(
    "memq_controller_api_requests_total",
    "requests",
    "Requests to the API server by their answer; error is none at all. A watch counts when it begins.",
)
.by(&[
    Label::of("method", &METHODS),
    Label::of("status", &STATUSES),
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

/// What a controller counts of itself.
#[derive(Debug, Clone)]
pub(super) struct Itself {
    pub(super) leading: IntGauge,
    pub(super) kept: IntGauge,
    looks: IntCounter,
    look_time: Arc<Timing>,
    errors: IntCounterVec,
    requests: IntCounterVec,
}

impl Itself {
    /// All of it at zero, some of it in a registry.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let itself = Self {
            leading: LEADER.to_gauge(),
            kept: KEPT.to_gauge(),
            looks: LOOKS_TAKEN.to_counter(),
            look_time: Arc::new(Timing::new(&LOOK_DURATION)),
            errors: ERRORS.to_counters(),
            requests: API_REQUESTS.to_counters(),
        };
        for what in WHAT {
            itself.errors.with_label_values(&[what]);
        }
        let Self {
            leading,
            kept,
            looks,
            look_time: _,
            errors,
            requests,
        } = itself.clone();
        registry.register(Box::new(leading))?;
        registry.register(Box::new(kept))?;
        registry.register(Box::new(looks))?;
        registry.register(Box::new(errors))?;
        registry.register(Box::new(requests))?;
        Ok(itself)
    }

    /// What is not in the registry.
    pub(super) fn collect(&self) -> MetricFamily {
        self.look_time.collect()
    }

    pub(super) fn looked(&self, took: Duration) {
        self.looks.inc();
        self.look_time.add(took);
    }

    pub(super) fn failed(&self, what: &str) {
        self.errors.with_label_values(&[what]).inc();
    }

    /// The same client, whose requests are counted.
    pub(super) fn counted(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let requests = self.requests.clone();
        let send = service_fn(move |request: axum::http::Request<Body>| {
            let (client, requests) = (client.clone(), requests.clone());
            async move {
                let method = request.method().as_str().to_owned();
                let answer = client.send(request).await;
                let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
                requests
                    .with_label_values(&[method.as_str(), word(status)])
                    .inc();
                answer
            }
        });
        Client::new(send, namespace)
    }
}

/// How a request was answered; none at all is an error.
fn word(status: Option<u16>) -> &'static str {
    match status {
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(409) => "409",
        Some(429) => "429",
        Some(100..200) => "1xx",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(_) => "5xx",
        None => "error",
    }
}
