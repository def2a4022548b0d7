//! What all queues together may hold.

use queue_server::Config;
use serde_json::json;

use crate::harness::{Answer, Api};

async fn put(api: &Api, queue: &str, body: &str) -> Answer {
    let path = format!("/v1/queues/{queue}/items?create=true");
    api.post(&path, body).await
}

#[track_caller]
fn refused(answer: &Answer, flag: &str) {
    let detail = answer.problem(429, "overloaded");
    assert!(detail.contains(flag), "{detail}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

#[tokio::test]
async fn a_server_holds_so_many_items_and_no_more_until_some_are_finished() {
    let mut api = Api::start_with(|config| config.max_items = 3);
    for queue in ["q", "q", "r"] {
        put(&api, queue, "item").await.is(201);
    }
    refused(&put(&api, "r", "one too many").await, "--max-items");
    let lines = api.post("/v1/queues/q/items?lines=true", "a\nb\n").await;
    refused(&lines, "--max-items");
    api.restart().await;
    refused(&put(&api, "r", "still too many").await, "--max-items");

    let held = api.take().await;
    refused(&put(&api, "q", "a leased one counts").await, "--max-items");
    api.one(&held, "ack", ()).await.is(200);
    put(&api, "q", "there is room").await.is(201);
    refused(&put(&api, "q", "and no more").await, "--max-items");
    api.delete("/v1/queues/r").await.is(204);
    put(&api, "q", "what was deleted makes room").await.is(201);
    api.post("/v1/queues/q/purge", ()).await.is(200);
    for _ in 0..3 {
        put(&api, "q", "so does what was purged").await.is(201);
    }
}

#[tokio::test]
async fn a_server_holds_so_many_bytes_and_no_more() {
    let api = Api::start_with(|config| config.max_bytes = Some(10));
    put(&api, "q", "12345").await.is(201);
    put(&api, "r", "12345").await.is(201);
    refused(&put(&api, "r", "6").await, "--max-bytes");
    put(&api, "r", "").await.is(201);
    assert_eq!(api.lease(json!({})).await["items"][0]["body"], "12345");
}

/// Lines of NDJSON, one item for each key.
fn keyed(keys: &[&str]) -> String {
    let line = |key: &&str| format!("{{\"body\":\"{key}\",\"key\":\"{key}\"}}\n");
    keys.iter().map(line).collect()
}

#[tokio::test]
async fn a_full_server_tells_of_duplicates_and_takes_nothing_new() {
    for limited in [
        |config: &mut Config| config.max_items = 2,
        |config: &mut Config| config.max_bytes = Some(2),
    ] {
        let api = Api::start_with(limited);
        api.make(json!({})).await;
        let first = api.ndjson("", keyed(&["a", "b"])).await.is(201).json();
        let again = api.ndjson("", keyed(&["b", "a", "b"])).await.is(201).json();
        let ids = [1, 0, 1].map(|at| first["items"][at]["id"].clone());
        for (item, id) in again["items"].as_array().expect("items").iter().zip(ids) {
            assert_eq!(*item, json!({"id": id, "duplicate": true}));
        }
        for replayed in [false, true] {
            let headers = [
                ("content-type", "application/x-ndjson"),
                ("idempotency-key", "once"),
            ];
            let path = "/v1/queues/q/items?seal=false";
            let answer = api.call_with("POST", path, &headers, keyed(&["a"])).await;
            let answer = answer.is(201);
            assert_eq!(
                answer.headers.contains_key("idempotency-replayed"),
                replayed
            );
        }
        let refused = api.ndjson("", keyed(&["a", "c"])).await;
        refused.problem(429, "overloaded");
        let totals = api.queue().await["totals"].clone();
        assert_eq!(
            (&totals["enqueued"], &totals["duplicates"]),
            (&json!(2), &json!(4)),
            "nothing of what was refused came in or is counted"
        );
    }
}

#[tokio::test]
async fn what_attempts_leave_takes_room_and_a_full_server_keeps_less_of_it() {
    let api = Api::start_with(|config| config.max_bytes = Some(100_000));
    api.make(json!({"max_attempts": 9})).await;
    let id = api.enqueue("item").await;
    let fail = async |error: &str, log: &str| {
        let held = api.take().await;
        let settlement =
            json!({"lease": held.lease, "as": "nack", "error": error, "log": log, "delay_ms": 0});
        assert_eq!(api.settle(settlement).await["ok"], true);
    };
    fail(&"e".repeat(2_000), &"l".repeat(90_000)).await;
    let more = "x".repeat(10_000);
    refused(&put(&api, "q", &more).await, "--max-bytes");
    fail(&"f".repeat(20_000), &"m".repeat(20_000)).await;
    let history = api.item(&id).await["history"].clone();
    assert_eq!(history[0]["log_bytes"], 90_000);
    assert_eq!(history[0]["error"], "e".repeat(2_000));
    assert_eq!(history[1].get("log_bytes"), None, "no room for it");
    assert_eq!(history[1]["error"], "f".repeat(1_024));
    // A result is kept with what is done, which has a bound of its own.
    let held = api.take().await;
    api.one(&held, "ack", "r".repeat(20_000)).await.is(200);
    assert_eq!(api.item(&id).await["result"], "r".repeat(20_000));
    put(&api, "q", &more).await.is(201);
}

#[tokio::test]
async fn a_queue_counts_what_attempts_leave_and_keeps_it() {
    let api = Api::start();
    api.make(json!({"max_bytes": 100})).await;
    api.enqueue("item").await;
    let held = api.take().await;
    let settlement =
        json!({"lease": held.lease, "as": "dead", "error": "e".repeat(50), "log": "l".repeat(60)});
    assert_eq!(api.settle(settlement).await["ok"], true);
    let item = api.item(&held.id).await;
    assert_eq!(item["history"][0]["log_bytes"], 60);
    api.post("/v1/queues/q/items", "one more")
        .await
        .problem(429, "queue_full");
    api.post("/v1/queues/q/purge?state=dead", ()).await.is(200);
    api.enqueue("one more").await;
}

#[tokio::test]
async fn traces_take_room_of_a_queue_and_of_the_server() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = |ids: u64| {
        let line = json!({"body": "x", "traceparent": parent}).to_string() + "\n";
        line.repeat(ids as usize)
    };
    let each = parent.len() as u64 + 1;
    for of_server in [true, false] {
        let api = Api::start_with(|config| {
            config.max_bytes = of_server.then_some(5 * each);
        });
        let of_queue = (!of_server).then_some(5 * each);
        api.make(json!({"max_bytes": of_queue})).await;
        let put = async |items: u64| {
            let ndjson = [("content-type", "application/x-ndjson")];
            api.call_with("POST", "/v1/queues/q/items", &ndjson, traced(items))
                .await
        };
        let code = if of_server {
            "overloaded"
        } else {
            "queue_full"
        };
        put(6).await.problem(429, code);
        put(5).await.is(201);
        let more = api.post("/v1/queues/q/items", "x").await;
        more.problem(429, code);
        let held = api.take().await;
        api.one(&held, "ack", ()).await.is(200);
        put(1).await.is(201);
    }
}
