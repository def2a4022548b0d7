//! Requests and connections.

mod routes;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use axum::http::{Method, StatusCode};
use metrics::{Family, Label, Rows, Timing};
use prometheus::proto::MetricFamily;

pub(crate) use self::routes::Route;
use self::routes::Templates;

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
/// The methods, in the order of [`method_index`].
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "other"];
/// The classes of statuses, in the order of [`status_index`].
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
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

/// Requests by route, method and status. A series comes with its first request.
#[derive(Debug)]
pub(crate) struct Requests {
    templates: Templates,
    cells: Box<[Cell]>,
}

/// What came at one route.
type Cell = [[OnceLock<Timing>; STATUSES.len()]; METHODS.len()];

impl Requests {
    /// Of a server with these paths, as its description has them.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let templates = Templates::new(paths);
        let cells = templates.names().map(|_| Cell::default()).collect();
        Self { templates, cells }
    }

    /// The route of a path.
    pub(crate) fn route(&self, path: &str) -> Route {
        self.templates.find(path)
    }

    /// Begins to count a request; it is counted when it is [answered](Counting::answered).
    pub(crate) fn begin(&self, route: Route, method: &Method) -> Counting<'_> {
        Counting {
            by_status: &self.cells[route.index()][method_index(method)],
            begun: Instant::now(),
        }
    }

    pub(super) fn collect(&self) -> MetricFamily {
        let mut rows = Rows::new(&REQUESTS);
        for (name, cell) in self.templates.names().zip(&self.cells) {
            for (method, by_status) in METHODS.iter().zip(cell) {
                for (status, timing) in STATUSES.iter().zip(by_status) {
                    if let Some(timing) = timing.get() {
                        timing.put(&[name, method, status], &mut rows);
                    }
                }
            }
        }
        rows.into_family()
    }
}

/// A request on its way. One that is given up by its client is not counted, one whose handler panics is.
#[derive(Debug)]
pub(crate) struct Counting<'a> {
    by_status: &'a [OnceLock<Timing>; STATUSES.len()],
    begun: Instant,
}

impl Counting<'_> {
    /// It is answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let timing = &self.by_status[status_index(status)];
        timing
            .get_or_init(|| Timing::new(&REQUESTS))
            .add(self.begun.elapsed());
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.answered(StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        _ => 5,
    }
}

fn status_index(status: StatusCode) -> usize {
    // What is no class of statuses is nobody's but ours.
    usize::from(status.as_u16() / 100).clamp(1, STATUSES.len()) - 1
}

/// Connections, counted by whoever takes them in.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    most: usize,
    open: AtomicUsize,
    accepted: AtomicU64,
    turned_away: AtomicU64,
}

impl Connections {
    /// Of a server that serves at most so many at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        }
    }

    /// So many are open now.
    pub(crate) fn are(&self, open: usize) {
        self.open.store(open, Relaxed);
    }

    /// One came in, perhaps to be turned away.
    pub(crate) fn accepted(&self, turned_away: bool) {
        self.accepted.fetch_add(1, Relaxed);
        self.turned_away.fetch_add(turned_away.into(), Relaxed);
    }

    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Relaxed)
    }

    pub(super) fn collect(&self) -> [MetricFamily; 3] {
        [
            (&CONNECTIONS, self.open.load(Relaxed) as u64),
            (&MAX_CONNECTIONS, self.most as u64),
            (&ACCEPTED, self.accepted.load(Relaxed)),
        ]
        .map(|(family, value)| Rows::one(family, value as f64))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn counted(requests: &Requests, status: &str, count: u64) {
        let text = metrics::text(vec![requests.collect()]).expect("a legal family");
        let name = "memq_http_request_duration_seconds_count";
        let line = format!("{name}{{route=\"/a\",method=\"GET\",status=\"{status}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }

    #[test]
    fn a_request_counts_under_the_class_of_its_answer() {
        let requests = Requests::new(["/a"].into_iter());
        for (status, class) in [
            (StatusCode::CONTINUE, "1xx"),
            (StatusCode::OK, "2xx"),
            (StatusCode::FOUND, "3xx"),
            (StatusCode::NOT_FOUND, "4xx"),
            (StatusCode::INTERNAL_SERVER_ERROR, "5xx"),
        ] {
            let route = requests.route("/a");
            requests.begin(route, &Method::GET).answered(status);
            counted(&requests, class, 1);
        }
    }

    #[test]
    fn a_request_whose_answer_panicked_counts_as_our_fault() {
        let requests = Requests::new(["/a"].into_iter());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _counting = requests.begin(requests.route("/a"), &Method::GET);
            panic!("boom")
        }));
        assert!(panicked.is_err());
        counted(&requests, "5xx", 1);
    }

    #[test]
    fn a_connection_that_was_turned_away_was_accepted_before() {
        let connections = Connections::new(7);
        connections.accepted(false);
        connections.accepted(true);
        connections.are(1);
        assert_eq!(connections.turned_away(), 1);
        let text = metrics::text(connections.collect().into()).expect("legal families");
        for line in [
            "memq_http_connections 1\n",
            "memq_http_max_connections 7\n",
            "memq_http_connections_total 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
