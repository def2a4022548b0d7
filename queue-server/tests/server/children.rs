//! Items that make items: an enqueue under the lease of an item, even where the queue is sealed.

use crate::harness::{Api, Held};

/// A sealed queue with one item, and that item in our hands.
async fn parent(api: &Api) -> Held {
    api.post("/v1/queues/q/items?create=true&seal=true", "parent")
        .await
        .is(201);
    api.take().await
}

#[tokio::test]
async fn who_holds_an_item_may_add_to_a_sealed_queue() {
    let api = Api::start();
    let parent = parent(&api).await;
    api.post("/v1/queues/q/items", "stranger")
        .await
        .problem(409, "queue_sealed");
    let path = format!("/v1/queues/q/items?lines=true&lease={}", parent.lease);
    let made = api.post(&path, "one\ntwo\n").await.is(201).json();
    assert_eq!(made["count"], 2);
    api.one(&parent, "ack", ()).await.is(200);
    assert_eq!(
        api.queue().await["drained"],
        false,
        "its children are to be done"
    );
    for body in ["one", "two"] {
        let child = api.take().await;
        assert_eq!(child.body, body);
        api.one(&child, "ack", ()).await.is(200);
    }
    assert_eq!(api.queue().await["drained"], true);
}

#[tokio::test]
async fn a_lease_that_is_gone_adds_nothing() {
    let api = Api::start();
    let parent = parent(&api).await;
    let path = format!("/v1/queues/q/items?lease={}", parent.lease);
    api.one(&parent, "ack", ()).await.is(200);
    api.post(&path, "late").await.problem(409, "lease_lost");
    api.post("/v1/queues/q/reopen", ()).await.is(200);
    api.post(&path, "late").await.problem(409, "lease_lost");
    api.post("/v1/queues/q/items?lease=nonsense", "late")
        .await
        .problem(409, "lease_lost");
    assert_eq!(api.queue().await["totals"]["enqueued"], 1);
}

#[tokio::test]
async fn a_lease_of_another_queue_adds_nothing() {
    let api = Api::start();
    let parent = parent(&api).await;
    let path = format!("/v1/queues/other/items?create=true&lease={}", parent.lease);
    api.post(&path, "a").await.problem(409, "lease_lost");
    api.get("/v1/queues/other")
        .await
        .problem(404, "no_such_queue");
    api.put("/v1/queues/other", ()).await.is(201);
    api.post(&path, "a").await.problem(409, "lease_lost");
}

#[tokio::test]
async fn children_are_made_once_whatever_becomes_of_the_attempt() {
    let api = Api::start();
    let parent = parent(&api).await;
    let headers = [("idempotency-key", parent.id.as_str())];
    let path = |held: &Held| format!("/v1/queues/q/items?lease={}", held.lease);
    let made = api
        .call_with("POST", &path(&parent), &headers, "child")
        .await
        .is(201)
        .json();
    api.one(&parent, "nack?delay_ms=0", "died after that")
        .await
        .is(200);
    let mut again = api.take().await;
    if again.body == "child" {
        api.one(&again, "release?delay_ms=1h", ()).await.is(200);
        again = api.take().await;
    }
    assert_eq!(again.id, parent.id);
    let repeated = api
        .call_with("POST", &path(&again), &headers, "child")
        .await
        .is(201);
    assert_eq!(
        repeated.json(),
        made,
        "under another lease it is the same request"
    );
    assert_eq!(api.queue().await["totals"]["enqueued"], 2);
}
