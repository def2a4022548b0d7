//! Priority: who is lent first.

use serde_json::json;

use crate::harness::Api;

/// Items named after their priority, enqueued in this order.
async fn load(api: &Api, priorities: &[i64]) {
    api.make(json!({"backoff": {"min_ms": 0, "max_ms": 0}}))
        .await;
    for (at, priority) in priorities.iter().enumerate() {
        let path = format!("/v1/queues/q/items?priority={priority}");
        api.post(&path, format!("{priority}#{at}")).await.is(201);
    }
}

async fn bodies(api: &Api, max: usize) -> Vec<String> {
    let answer = api.lease(json!({"max": max})).await;
    let items = answer["items"].as_array().expect("a list");
    let body = |item: &serde_json::Value| item["body"].as_str().expect("text").to_owned();
    items.iter().map(body).collect()
}

#[tokio::test]
async fn the_highest_comes_first_and_among_equals_the_oldest() {
    let api = Api::start();
    load(&api, &[0, 5, -5, 5, 0, 32767, -32768]).await;
    let expected = ["32767#5", "5#1", "5#3", "0#0", "0#4", "-5#2", "-32768#6"];
    assert_eq!(bodies(&api, 1000).await, expected);
}

#[tokio::test]
async fn one_by_one_is_the_same_order() {
    let api = Api::start();
    load(&api, &[0, 5, -5, 5, 0]).await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(api.take().await.body);
    }
    assert_eq!(all, ["5#1", "5#3", "0#0", "0#4", "-5#2"]);
}

#[tokio::test]
async fn an_urgent_item_overtakes_a_backlog_that_is_older() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post(
        "/v1/queues/q/items?lines=true&ids=false",
        "old\n".repeat(1_000),
    )
    .await
    .is(201);
    api.post("/v1/queues/q/items?priority=1", "urgent")
        .await
        .is(201);
    assert_eq!(api.take().await.body, "urgent");
    assert_eq!(api.take().await.body, "old");
}

#[tokio::test]
async fn an_item_that_comes_back_has_its_old_place() {
    let api = Api::start();
    load(&api, &[1, 1, 0]).await;
    let first = api.take().await;
    api.one(&first, "release", ()).await.is(200);
    assert_eq!(api.take().await.body, "1#0");
    let second = api.take().await;
    assert_eq!(second.body, "1#1");
    api.one(&second, "nack?delay_ms=0", "no").await.is(200);
    assert_eq!(
        api.take().await.body,
        "1#1",
        "before the one of a lower priority"
    );
}

#[tokio::test]
async fn a_client_of_the_memq_api_is_given_the_most_urgent() {
    let api = Api::start();
    load(&api, &[0, 9]).await;
    let dequeue = "/memq/server/queues/q/dequeue";
    assert_eq!(api.post(dequeue, ()).await.is(200).json()["body"], "9#1");
    assert_eq!(api.post(dequeue, ()).await.is(200).json()["body"], "0#0");
    api.post(dequeue, ()).await.is(204);
}

#[tokio::test]
async fn the_order_is_the_same_after_a_restart() {
    let mut api = Api::start();
    load(&api, &[0, 5, -5, 5, 0]).await;
    api.restart().await;
    assert_eq!(bodies(&api, 10).await, ["5#1", "5#3", "0#0", "0#4", "-5#2"]);
}
