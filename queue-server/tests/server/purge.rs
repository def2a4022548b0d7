//! Throwing away what waits.

use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn purge_throws_away_what_waits_and_leaves_what_is_leased() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c", "d"]).await;
    let held = api.take().await;
    let delayed = api.take().await;
    api.one(&delayed, "nack?delay_ms=60000", ()).await.is(200);
    let dead = api.take().await;
    api.one(&dead, "dead", ()).await.is(200);

    let purged = api.post("/v1/queues/q/purge", ()).await.is(200).json();
    assert_eq!(purged["affected"], 2, "one ready, one delayed");
    assert_eq!(purged["name"], "q", "and the queue is in the answer");
    assert_eq!(
        purged["counts"],
        json!({"ready": 0, "leased": 1, "delayed": 0, "dead": 1, "done": 0})
    );
    assert_eq!(purged["totals"]["purged"], 2);
    api.one(&held, "ack", ()).await.is(200);

    let purged = api
        .post("/v1/queues/q/purge?state=dead", ())
        .await
        .is(200)
        .json();
    assert_eq!(
        (&purged["affected"], &purged["counts"]["dead"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        api.post("/v1/queues/q/purge", ()).await.is(200).json()["affected"],
        0
    );
    api.post("/v1/queues/q/purge?state=leased", ())
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn purging_the_last_item_of_a_sealed_queue_drains_it() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.enqueue("b").await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.one(&held, "ack", ()).await.is(200);
    // The only item is paused away from the one who waits, then thrown away.
    api.post("/v1/queues/q/pause", ()).await.is(200);
    let (answer, ()) = tokio::join!(api.lease(json!({"wait_ms": 30_000})), async {
        api.until_parked(1).await;
        api.post("/v1/queues/q/purge", ()).await.is(200);
    });
    assert_eq!(answer["state"], "drained");
}

#[tokio::test]
async fn purging_many_items_lets_others_work_meanwhile() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = "x\n".repeat(100_000);
    api.post("/v1/queues/q/items?lines=true&ids=false", lines)
        .await
        .is(201);
    let (purged, other) = tokio::join!(api.post("/v1/queues/q/purge", ()), api.get("/v1/queues/q"));
    assert_eq!(purged.is(200).json()["affected"], 100_000);
    other.is(200);
}
