//! Bodies, results and errors that memory has no room for lie in the log alone, and are read when they
//! are wanted.

use queue_server::{Config, DiskStorage, Storage};
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::Api;

fn with_memory(body_memory: u64) -> Api {
    Api::start_with(|config: &mut Config| {
        if let Storage::Disk(storage) = &mut config.storage {
            *storage = DiskStorage {
                body_memory,
                segment_bytes: 64 * 1024,
                ..storage.clone()
            };
        }
    })
}

/// A body that tells which it is, longer than any buffer on its way.
fn body(n: usize) -> String {
    format!("{n}:{}", "x".repeat(3_000 + n % 7))
}

async fn load(api: &Api, items: usize) {
    api.make(json!({"lease_ms": 600_000, "max_result_bytes": 10_000}))
        .await;
    for n in 0..items {
        api.enqueue(body(n)).await;
    }
}

fn bodies(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().expect("items");
    let text = |item: &Value| item["body"].as_str().expect("text").to_owned();
    items.iter().map(text).collect()
}

#[rstest]
#[case::none(0)]
#[case::little(20_000)]
#[tokio::test]
async fn every_way_to_an_item_reads_its_body(#[case] body_memory: u64) {
    let api = with_memory(body_memory);
    load(&api, 60).await;
    assert_eq!(api.take().await.body, body(0), "a single lease");
    let batch = api.lease(json!({"max": 20})).await;
    let expected: Vec<_> = (1..21).map(body).collect();
    assert_eq!(bodies(&batch), expected, "a batch");
    let raw = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert_eq!(raw.text(), body(21), "a raw lease");
    let taken = api.post("/memq/server/queues/q/dequeue", ()).await.is(200);
    assert_eq!(taken.json()["body"], body(22), "kuard's dequeue");
}

#[tokio::test]
async fn a_parked_call_reads_the_body_of_what_comes_in() {
    let api = with_memory(0);
    load(&api, 1).await;
    let first = api.take().await;
    let parked = async { api.take_with(json!({"wait_ms": 20_000})).await };
    let enqueue = async {
        api.until_parked(1).await;
        api.enqueue(body(1)).await
    };
    let (held, _) = tokio::join!(parked, enqueue);
    assert_eq!(held.body, body(1));
    api.one(&first, "release", ()).await.is(200);
    assert_eq!(api.take().await.body, body(0));
}

#[rstest]
#[case::none(0)]
#[case::little(20_000)]
#[case::plenty(100_000_000)]
#[tokio::test]
async fn the_joblog_has_bodies_results_and_errors_over_a_restart(#[case] body_memory: u64) {
    let mut api = with_memory(body_memory);
    load(&api, 20).await;
    for n in 0..20 {
        let held = api.take().await;
        let (verdict, note) = match n % 2 {
            0 => ("ack", "result"),
            _ => ("dead", "error"),
        };
        let settled = api
            .settle(
                json!({"lease": held.lease, "as": verdict, note: format!("{note} of {}", body(n))}),
            )
            .await;
        assert_eq!(settled["ok"], true, "{settled}");
    }
    let before = api.get("/v1/queues/q/outcomes").await.is(200).text();
    api.restart().await;
    let after = api.get("/v1/queues/q/outcomes").await.is(200).text();
    assert_eq!(before, after);
    for (n, line) in after.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let note = if n % 2 == 0 { "result" } else { "error" };
        assert_eq!(line["body"], body(n));
        assert_eq!(line[note], format!("{note} of {}", body(n)));
    }
}

/// Traffic enough for many compactions, while old items stay that lie in the log alone.
#[tokio::test]
async fn a_compaction_moves_bodies_and_nobody_notices() {
    let mut api = with_memory(0);
    load(&api, 30).await;
    api.put("/v1/queues/passing", json!({"done_retention_items": 0}))
        .await
        .is(201);
    let traffic = async |api: &Api| {
        for n in 0..60 {
            api.post("/v1/queues/passing/items", body(n)).await.is(201);
            let answer = api
                .post("/v1/queues/passing/lease", ())
                .await
                .is(200)
                .json();
            assert_eq!(bodies(&answer), [body(n)]);
            let lease = answer["items"][0]["lease"].as_str().expect("a lease");
            api.post(&format!("/v1/leases/{lease}/ack"), body(n))
                .await
                .is(200);
        }
    };
    for from in [0, 10, 20] {
        let ((), leased) = tokio::join!(traffic(&api), async {
            let mut leased = Vec::new();
            for _ in 0..10 {
                leased.push(api.take().await.body);
            }
            leased
        });
        let expected: Vec<_> = (from..from + 10).map(body).collect();
        assert_eq!(leased, expected);
        api.restart().await;
    }
}
