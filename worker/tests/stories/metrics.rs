//! What a worker tells Prometheus: all that its catalog declares and nothing else, and the right numbers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use metrics::check::{Scrape, declarations};
use metrics::{Catalog, Group, PROCESS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use worker::metrics::CATALOG;

use crate::bench::{Bench, Running, Worker, until};
use crate::proxy::Proxy;

/// What the worker tells, held to a catalog.
async fn scraped(worker: &Running, catalog: &Catalog) -> Scrape {
    worker.says("answering health probes on http://").await;
    let log = worker.log();
    let after = log.split("health probes on http://").nth(1).unwrap();
    let address = after.split_whitespace().next().unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let scrape = Scrape::read(text).unwrap();
    assert_eq!(scrape.undeclared(catalog), Vec::<String>::new());
    assert_eq!(scrape.missing(catalog), BTreeSet::new());
    scrape
}

/// Asks until the worker tells this.
async fn tells(worker: &Running, name: &str, labels: &[(&str, &str)], value: f64) {
    until(&format!("{name} {labels:?} is {value}"), async || {
        scraped(worker, &CATALOG).await.value(name, labels) == Some(value)
    })
    .await;
}

#[test]
fn every_family_is_declared_by_the_rules() {
    assert_eq!(declarations(&CATALOG), Vec::<String>::new());
}

#[tokio::test]
async fn a_worker_tells_of_its_slots_its_items_and_its_calls() {
    let bench = Bench::new(r#"{"max_attempts":1}"#).await;
    let dir = tempfile::tempdir().unwrap();
    let gate = dir.path().join("gate");
    let script = format!(
        "read -r code; while [ $code = 0 ] && ! [ -e {} ]; do sleep 0.01; done; exit $code",
        gate.display()
    );
    let args = [
        "--until",
        "forever",
        "--health-listen",
        "127.0.0.1:0",
        "--concurrency",
        "3",
        "--dead-on",
        "9",
    ];
    let worker = bench.worker().args(args).sh(&script).start();
    for code in ["1\n", "9\n"] {
        bench.add(code.as_bytes()).await;
    }
    let items = "memq_worker_items_total";
    tells(&worker, items, &[("verdict", "nack")], 1.0).await;
    tells(&worker, items, &[("verdict", "dead")], 1.0).await;
    for _ in 0..2 {
        bench.add(b"0\n").await;
    }
    tells(&worker, "memq_worker_slots", &[("state", "busy")], 2.0).await;
    tells(&worker, "memq_worker_slots", &[("state", "idle")], 1.0).await;
    let busy = async || {
        let scrape = scraped(&worker, &CATALOG).await;
        scrape.value("memq_worker_busy_seconds_total", &[]).unwrap()
    };
    // Items that are not through yet count, too.
    let before = busy().await;
    until("time passes", async || busy().await > before).await;
    std::fs::write(&gate, "").unwrap();
    tells(&worker, items, &[("verdict", "ack")], 2.0).await;
    tells(&worker, "memq_worker_slots", &[("state", "busy")], 0.0).await;
    tells(&worker, "memq_worker_unsettled_items", &[], 0.0).await;

    let scrape = scraped(&worker, &CATALOG).await;
    for (verdict, count) in [
        ("ack", 2.0),
        ("nack", 1.0),
        ("dead", 1.0),
        ("release", 0.0),
        ("lost", 0.0),
    ] {
        let name = "memq_worker_handler_duration_seconds_count";
        assert_eq!(
            scrape.value(name, &[("verdict", verdict)]),
            Some(count),
            "{verdict}"
        );
    }
    let called = [("call", "lease"), ("result", "answered")];
    assert!(scrape.value("memq_worker_calls_total", &called).unwrap() >= 1.0);
    assert_eq!(
        scrape.value("memq_worker_call_retries_total", &[]),
        Some(0.0)
    );
    assert_eq!(
        scrape.value("memq_build_info", &[("program", "memq-worker")]),
        Some(1.0)
    );
}

#[tokio::test]
async fn an_item_counts_as_soon_as_it_is_settled_and_costs_a_busy_worker_one_call() {
    let bench = Bench::with("{}", &["x"; 50]).await;
    let args = ["--until", "forever", "--health-listen", "127.0.0.1:0"];
    let worker = bench.worker().args(args).args(["--builtin", "echo"]);
    let worker = worker.start();
    let acked = async |count| {
        tells(
            &worker,
            "memq_worker_items_total",
            &[("verdict", "ack")],
            count,
        )
        .await;
    };
    let calls = async |call| {
        let scrape = scraped(&worker, &CATALOG).await;
        let labels = [("call", call), ("result", "answered")];
        scrape.value("memq_worker_calls_total", &labels).unwrap()
    };
    let start = Instant::now();
    acked(50.0).await;
    // The first call took an item, each of the others settled one and took the next; the last found no more.
    assert_eq!((calls("lease").await, calls("settle").await), (51.0, 0.0));
    bench.add(b"x").await;
    acked(51.0).await;
    // One that was parked took it, one settled it.
    assert_eq!((calls("lease").await, calls("settle").await), (53.0, 0.0));
    // A call is parked for longer than all of this.
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn calls_that_are_tried_again_are_counted() {
    let bench = Bench::new("{}").await;
    let proxy = Proxy::to(&bench.url).await;
    let url = proxy.url();
    let args = [
        "--server",
        &url,
        "--queue",
        "q",
        "--until",
        "forever",
        "--health-listen",
        "127.0.0.1:0",
    ];
    let worker = Worker::bare().args(args).sh("cat").start();
    worker.says("answering health probes").await;
    proxy.cut();
    until("a call is tried again", async || {
        let scrape = scraped(&worker, &CATALOG).await;
        scrape.value("memq_worker_call_retries_total", &[]).unwrap() >= 1.0
    })
    .await;
}

#[tokio::test]
async fn items_that_wait_for_a_slot_are_told_of() {
    let bench = Bench::with("{}", &["1", "2", "3"]).await;
    let args = [
        "--until",
        "forever",
        "--health-listen",
        "127.0.0.1:0",
        "--prefetch",
        "2",
    ];
    let worker = bench.worker().args(args).sh("exec sleep 60").start();
    tells(&worker, "memq_worker_items_ahead", &[], 2.0).await;
    tells(&worker, "memq_worker_slots", &[("state", "busy")], 1.0).await;
    tells(&worker, "memq_worker_slots", &[("state", "idle")], 0.0).await;
}

#[tokio::test]
async fn the_workload_of_kuard_tells_of_its_process_alone() {
    const OF_A_PROCESS: Catalog = Catalog {
        groups: &[Group {
            title: "process",
            about: "",
            families: PROCESS,
        }],
        ..CATALOG
    };
    let args = [
        "--keygen-enable",
        "--keygen-num-to-gen",
        "1000",
        "--health-listen",
        "127.0.0.1:0",
    ];
    let worker = Worker::bare().args(args).start();
    scraped(&worker, &OF_A_PROCESS).await;
}
