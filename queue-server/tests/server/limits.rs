//! What all queues together may hold.

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
