//! What a server tells Prometheus: all that its catalog declares and nothing else, and the right numbers.

use std::collections::BTreeSet;

use metrics::check::{Scrape, declarations};
use queue_server::metrics::CATALOG;
use queue_server::{Config, Storage};
use serde_json::json;

use crate::harness::{Api, until};

/// What a scrape says, held to the catalog.
pub(crate) async fn scraped(api: &Api) -> Scrape {
    let answer = api.get("/metrics").await.is(200);
    let kind = answer.header("content-type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{answer:?}");
    let scrape = Scrape::read(&answer.text()).expect("what Prometheus reads");
    assert_eq!(scrape.undeclared(&CATALOG), Vec::<String>::new());
    scrape
}

/// The one value of this name whose labels say at least this.
#[track_caller]
pub(crate) fn value(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    let value = scrape.value(name, labels);
    value.unwrap_or_else(|| panic!("not one series of {name} with {labels:?}"))
}

fn of_the_log() -> BTreeSet<&'static str> {
    let groups = CATALOG.groups.iter();
    let mut log = groups.filter(|group| group.title == "log and disk");
    let log = log.next().expect("the group of the log");
    log.families.iter().map(|family| family.name).collect()
}

#[test]
fn every_family_is_declared_by_the_rules() {
    assert_eq!(declarations(&CATALOG), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_tells_all_that_is_declared_and_nothing_else() {
    let api = Api::start_with(|config| {
        if let Storage::Disk(storage) = &mut config.storage {
            storage.max_data_bytes = Some(1 << 30);
        }
    });
    let settings = json!({"max_items": 9, "max_bytes": 900, "max_leased": 5, "rate_per_s": 100});
    api.load(settings, &["item"]).await;
    let scrape = scraped(&api).await;
    assert_eq!(scrape.missing(&CATALOG), BTreeSet::new());
    for (name, expected) in [
        ("memq_queue_max_items", 9.0),
        ("memq_queue_max_bytes", 900.0),
        ("memq_queue_max_leased", 5.0),
        ("memq_queue_max_leases_per_second", 100.0),
    ] {
        assert_eq!(value(&scrape, name, &[("queue", "q")]), expected, "{name}");
    }
    assert_eq!(
        value(&scrape, "memq_log_max_disk_bytes", &[]),
        (1 << 30) as f64
    );
}

#[tokio::test]
async fn a_server_in_memory_tells_nothing_of_a_log() {
    let api = Api::start_with(|config| config.storage = Storage::Memory);
    let settings = json!({"max_items": 9, "max_bytes": 900, "max_leased": 5, "rate_per_s": 100});
    api.load(settings, &["item"]).await;
    assert_eq!(scraped(&api).await.missing(&CATALOG), of_the_log());
}

#[tokio::test]
async fn an_empty_server_tells_what_it_is_and_may_hold() {
    let api = Api::start();
    let scrape = scraped(&api).await;
    let defaults = Config::default();
    for (name, expected) in [
        ("memq_ready", 1.0),
        ("memq_queues", 0.0),
        ("memq_max_queues", defaults.max_queues as f64),
        ("memq_held_items", 0.0),
        ("memq_max_held_items", defaults.max_items as f64),
        ("memq_lease_wait_seconds_count", 0.0),
    ] {
        assert_eq!(value(&scrape, name, &[]), expected, "{name}");
    }
    // As many as there may be open files, and not more than that.
    assert!(value(&scrape, "memq_max_parked_calls", &[]) > 0.0);
    assert!(value(&scrape, "memq_http_max_connections", &[]) > 0.0);
    let version = [
        ("program", "memq-server"),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(value(&scrape, "memq_build_info", &version), 1.0);
}

#[tokio::test]
async fn each_queue_tells_its_counts_and_totals() {
    let api = Api::start();
    api.load(json!({"max_attempts": 1}), &["a", "b", "c", "d", "e", "f"])
        .await;
    api.put("/v1/queues/other", ()).await.is(201);
    api.post("/v1/queues/other/pause", ()).await.is(200);
    for verdict in ["ack", "nack", "dead", "release?delay_ms=60000"] {
        let held = api.take().await;
        api.one(&held, verdict, ()).await.is(200);
    }
    api.take().await;
    let queue = api.queue().await;
    let scrape = scraped(&api).await;
    for (state, count) in queue["counts"].as_object().expect("counts") {
        let labels = [("queue", "q"), ("state", state.as_str())];
        let told = value(&scrape, "memq_queue_items", &labels);
        assert_eq!(Some(told), count.as_f64(), "{state}");
    }
    for (event, count) in queue["totals"].as_object().expect("totals") {
        let labels = [("queue", "q"), ("event", event.as_str())];
        let told = value(&scrape, "memq_queue_events_total", &labels);
        assert_eq!(Some(told), count.as_f64(), "{event}");
    }
    let q = [("queue", "q")];
    assert_eq!(value(&scrape, "memq_queue_backlog_items", &q), 2.0);
    assert_eq!(
        value(&scrape, "memq_queue_bytes", &q),
        5.0,
        "all but the one that is done"
    );
    assert_eq!(value(&scrape, "memq_held_items", &[]), 5.0);
    assert_eq!(value(&scrape, "memq_held_bytes", &[]), 5.0);
    assert_eq!(value(&scrape, "memq_queues", &[]), 2.0);
    let paused = [("queue", "other"), ("flag", "paused")];
    assert_eq!(value(&scrape, "memq_queue_is", &paused), 1.0);
    let sealed = [("queue", "other"), ("flag", "sealed")];
    assert_eq!(value(&scrape, "memq_queue_is", &sealed), 0.0);
}

#[tokio::test]
async fn a_redriven_item_is_ready_again_and_counts_as_redriven() {
    let api = Api::start();
    api.load(json!({"max_attempts": 1}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "nack", ()).await.is(200);
    let dead = [("queue", "q"), ("state", "dead")];
    assert_eq!(value(&scraped(&api).await, "memq_queue_items", &dead), 1.0);
    api.post("/v1/queues/q/redrive", ()).await.is(200);
    let scrape = scraped(&api).await;
    let ready = [("queue", "q"), ("state", "ready")];
    let redriven = [("queue", "q"), ("event", "redriven")];
    assert_eq!(value(&scrape, "memq_queue_items", &dead), 0.0);
    assert_eq!(value(&scrape, "memq_queue_items", &ready), 1.0);
    assert_eq!(value(&scrape, "memq_queue_events_total", &redriven), 1.0);
}

#[tokio::test]
async fn a_deleted_queue_is_no_longer_in_the_metrics() {
    let api = Api::start();
    api.make(json!({"max_items": 5})).await;
    assert!(api.get("/metrics").await.text().contains("\"q\""));
    api.delete("/v1/queues/q").await.is(204);
    assert!(!api.get("/metrics").await.text().contains("\"q\""));
}

#[tokio::test]
async fn each_end_of_a_lease_is_timed_as_what_it_was() {
    let api = Api::start();
    let settings = json!({"lease_ms": 100, "max_attempts": 9});
    api.load(settings, &["a", "b", "c", "d", "e", "f"]).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(api.take_with(json!({"lease_ms": 60_000})).await);
    }
    // Two leases that nobody ends but time.
    api.lease(json!({"max": 2})).await;
    until("both ran out", async || {
        api.queue().await["totals"]["lease_expired"] == 2
    })
    .await;
    for (held, verdict) in held.iter().zip(["ack", "nack", "release", "dead"]) {
        api.one(held, verdict, ()).await.is(200);
    }
    let cancelled = api.take_with(json!({"lease_ms": 60_000})).await;
    let path = format!("/v1/queues/q/items/{}", cancelled.id);
    api.delete(&path).await.is(204);
    let scrape = scraped(&api).await;
    for (end, count) in [
        ("ack", 1.0),
        ("nack", 1.0),
        ("release", 1.0),
        ("dead", 1.0),
        ("expired", 2.0),
        ("revoked", 1.0),
    ] {
        let name = "memq_item_duration_seconds_count";
        assert_eq!(value(&scrape, name, &[("as", end)]), count, "{end}");
    }
    let expired = [("as", "expired"), ("le", "0.02")];
    let name = "memq_item_duration_seconds_bucket";
    assert_eq!(
        value(&scrape, name, &expired),
        0.0,
        "they lasted a tenth of a second"
    );
    let sum = value(
        &scrape,
        "memq_item_duration_seconds_sum",
        &[("as", "expired")],
    );
    assert!((0.2..30.0).contains(&sum), "{sum}");
}

#[tokio::test]
async fn the_wait_of_an_item_begins_when_it_is_ready() {
    let api = Api::start();
    api.make(json!({"backoff": {"min_ms": 300, "max_ms": 300, "factor": 1}}))
        .await;
    // Waited for by a call that is parked: it is leased as soon as it is due.
    let parked = api.post("/v1/queues/q/lease", json!({"wait_ms": 30_000}));
    let late = async {
        api.until_parked(1).await;
        let q = [("queue", "q")];
        assert_eq!(
            value(&scraped(&api).await, "memq_queue_parked_calls", &q),
            1.0
        );
        api.post("/v1/queues/q/items?delay_ms=300", "late")
            .await
            .is(201);
    };
    let (answer, ()) = tokio::join!(parked, late);
    let held = crate::harness::Held::of(&answer.is(200).json());
    api.one(&held, "nack", ()).await.is(200);
    let again = api.take_with(json!({"wait_ms": 30_000})).await;
    let scrape = scraped(&api).await;
    assert_eq!(value(&scrape, "memq_lease_wait_seconds_count", &[]), 2.0);
    let sum = value(&scrape, "memq_lease_wait_seconds_sum", &[]);
    assert!(sum < 0.3, "it was never ready for so long: {sum}");
    let q = [("queue", "q")];
    assert_eq!(value(&scrape, "memq_queue_parked_calls", &q), 0.0);
    let oldest = value(&scrape, "memq_queue_oldest_item_seconds", &q);
    assert!(
        (0.4..30.0).contains(&oldest),
        "it came in that long ago: {oldest}"
    );
    assert_eq!(value(&scrape, "memq_queue_oldest_ready_seconds", &q), 0.0);
    // Given back: ready since now, and in the queue since long.
    api.one(&again, "release", ()).await.is(200);
    let scrape = scraped(&api).await;
    let ready = value(&scrape, "memq_queue_oldest_ready_seconds", &q);
    assert!((0.4..30.0).contains(&ready), "{ready}");
}

#[tokio::test]
async fn what_kuards_clients_take_waited_too() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/memq/server/queues/q/dequeue", ()).await.is(200);
    let scrape = scraped(&api).await;
    assert_eq!(value(&scrape, "memq_lease_wait_seconds_count", &[]), 1.0);
    let taken = [("queue", "q"), ("event", "taken")];
    assert_eq!(value(&scrape, "memq_queue_events_total", &taken), 1.0);
}

#[tokio::test]
async fn the_log_tells_what_was_written_and_what_a_start_read() {
    let mut api = Api::start();
    let before = scraped(&api).await;
    assert_eq!(value(&before, "memq_recovery_records", &[]), 0.0);
    api.load(json!({}), &["a", "b"]).await;
    let after = scraped(&api).await;
    for name in [
        "memq_log_syncs_total",
        "memq_log_sync_duration_seconds_count",
        "memq_log_sync_duration_seconds_sum",
        "memq_log_frames_total",
        "memq_log_written_bytes_total",
        "memq_log_length_bytes",
        "memq_log_live_bytes",
    ] {
        let grown = value(&after, name, &[]) - value(&before, name, &[]);
        assert!(grown > 0.0, "{name}: {grown}");
    }
    let free = value(&after, "memq_disk_free_bytes", &[]);
    assert!(free > 0.0 && free < value(&after, "memq_disk_size_bytes", &[]));
    let left = value(&after, "memq_log_left_bytes", &[]);
    assert!(left <= free + value(&after, "memq_log_disk_bytes", &[]));
    let written = value(&after, "memq_log_written_bytes_total", &[]);

    api.restart().await;
    let again = scraped(&api).await;
    assert_eq!(
        value(&again, "memq_recovery_records", &[]),
        3.0,
        "a queue and two items"
    );
    assert!(value(&again, "memq_recovery_bytes", &[]) > 0.0);
    assert!(value(&again, "memq_recovery_duration_seconds", &[]) > 0.0);
    assert_eq!(value(&again, "memq_recovery_lost_bytes", &[]), 0.0);
    assert!(value(&again, "memq_log_written_bytes_total", &[]) >= written);
    let enqueued = [("queue", "q"), ("event", "enqueued")];
    assert_eq!(value(&again, "memq_queue_events_total", &enqueued), 2.0);
}

#[tokio::test]
async fn requests_are_timed_by_route_and_never_by_path() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    api.get("/v1/queues/secret-name").await.is(404);
    api.get("/no/such/path").await.is(404);
    api.call("PATCH", "/v1/queues/q", ()).await.is(405);
    let parked = api.lease(json!({"max": 0, "wait_ms": 0}));
    parked.await;
    let answer = api.get("/metrics").await;
    let scrape = scraped(&api).await;
    let text = answer.text();
    assert!(
        !text.contains("secret-name") && !text.contains("no/such"),
        "{text}"
    );
    for (route, method, status, count) in [
        ("/v1/queues/{queue}", "PUT", "2xx", 1.0),
        ("/v1/queues/{queue}/items", "POST", "2xx", 2.0),
        ("/v1/queues/{queue}", "GET", "4xx", 1.0),
        ("/v1/queues/{queue}", "other", "4xx", 1.0),
        ("/v1/queues/{queue}/lease", "POST", "2xx", 1.0),
        ("other", "GET", "4xx", 1.0),
        ("/metrics", "GET", "2xx", 1.0),
    ] {
        let labels = [("route", route), ("method", method), ("status", status)];
        let name = "memq_http_request_duration_seconds_count";
        assert_eq!(value(&scrape, name, &labels), count, "{labels:?}");
    }
    assert!(value(&scrape, "memq_http_connections", &[]) >= 1.0);
    assert!(value(&scrape, "memq_http_connections_total", &[]) >= 7.0);
}

#[tokio::test]
async fn past_a_thousand_queues_the_rest_is_told_as_one() {
    let api = Api::start_with(|config| config.storage = Storage::Memory);
    for number in 0..1_005 {
        let path = format!("/v1/queues/q{number:04}/items?create=true");
        api.post(&path, "a").await.is(201);
    }
    // Two that are clearly busier, and would be the last by name. None can have the name of the rest.
    let enqueue = async |name: &str| {
        let path = format!("/v1/queues/{name}/items?create=true&lines=true");
        api.post(&path, "a\n".repeat(50)).await
    };
    enqueue("y").await.is(201);
    enqueue("z").await.is(201);
    enqueue("_other").await.problem(400, "bad_request");
    let answer = api.put("/v1/queues/_other", json!({})).await;
    answer.problem(400, "bad_request");
    let answer = api.put("/memq/server/queues/_other", ()).await;
    answer.is(400);
    let scrape = scraped(&api).await;
    let queues: BTreeSet<_> = scrape
        .having("memq_queue_backlog_items", &[])
        .map(|sample| sample.labels["queue"].clone())
        .collect();
    assert_eq!(queues.len(), 1_001, "a thousand, and the rest");
    assert!(
        ["y", "z", "_other"]
            .iter()
            .all(|name| queues.contains(*name))
    );
    let ready = [("state", "ready")];
    let sum = |scrape: &Scrape| -> f64 {
        let all = scrape.having("memq_queue_items", &ready);
        all.map(|sample| sample.value).sum()
    };
    assert_eq!(sum(&scrape), 1_105.0, "nothing is lost");
    let other = [("queue", "_other"), ("event", "enqueued")];
    let before = value(&scrape, "memq_queue_events_total", &other);
    assert_eq!(before, 7.0);

    // What the rest did stays, though those who did it go.
    let gone = (0..1_005).map(|number| format!("q{number:04}"));
    let gone: Vec<_> = gone.filter(|name| !queues.contains(name)).collect();
    assert_eq!(gone.len(), 7);
    for name in &gone[..5] {
        api.delete(&format!("/v1/queues/{name}")).await.is(204);
    }
    let scrape = scraped(&api).await;
    assert_eq!(value(&scrape, "memq_queue_events_total", &other), before);
    assert_eq!(sum(&scrape), 1_100.0);
}
