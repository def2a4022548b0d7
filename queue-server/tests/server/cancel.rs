//! Cancelling an item: wherever it is in its life, it ends.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::Api;

async fn cancel(api: &Api, id: &str) -> crate::harness::Answer {
    api.delete(&format!("/v1/queues/q/items/{id}")).await
}

#[rstest]
#[case::ready("")]
#[case::delayed("?delay_ms=1h")]
#[tokio::test]
async fn an_item_that_waits_ends_as_cancelled(#[case] query: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let made = api
        .post(&format!("/v1/queues/q/items{query}"), "a")
        .await
        .is(201)
        .json();
    let id = made["items"][0]["id"].as_str().expect("an id").to_owned();
    api.post("/v1/queues/q/seal", ()).await.is(200);
    cancel(&api, &id).await.is(204);
    cancel(&api, &id).await.is(204);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["drained"], &queue["totals"]["cancelled"]),
        (&json!(true), &json!(1))
    );
    let outcomes = api.outcomes().await;
    assert_eq!(outcomes.len(), 1, "once");
    assert_eq!(
        (&outcomes[0]["state"], &outcomes[0]["body"]),
        (&json!("cancelled"), &json!("a"))
    );
    assert_eq!(api.item(&id).await["state"], "cancelled");
}

#[tokio::test]
async fn a_leased_item_is_taken_from_its_worker() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take_with(json!({"worker": "w"})).await;
    cancel(&api, &held.id).await.is(204);
    api.one(&held, "ack", "too late")
        .await
        .problem(409, "lease_lost");
    api.one(&held, "extend", ())
        .await
        .problem(409, "lease_lost");
    let settled = api.settle(json!({"lease": held.lease, "as": "nack"})).await;
    assert_eq!(
        (&settled["ok"], &settled["code"]),
        (&json!(false), &json!("lease_lost"))
    );
    let item = api.item(&held.id).await;
    assert_eq!(item["state"], "cancelled");
    assert_eq!(item.get("lease"), None);
    assert_eq!(item["history"][0]["as"], "revoked");
    assert_eq!(item["history"][0]["worker"], "w");
    assert_eq!(api.queue().await["counts"]["leased"], 0);
}

#[tokio::test]
async fn whoever_waits_for_the_end_hears_of_it() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    let parked = api.lease(json!({"wait_ms": 30_000}));
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        cancel(&api, &held.id).await.is(204);
    });
    assert_eq!(answer, json!({"items": [], "state": "drained"}));
}

#[tokio::test]
async fn a_dead_item_is_thrown_away() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "dead", ()).await.is(200);
    cancel(&api, &held.id).await.is(204);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["dead"], &queue["totals"]["purged"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn what_is_finished_cannot_be_cancelled() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    cancel(&api, &held.id).await.problem(409, "item_finished");
    let made = api
        .post("/v1/queues/q/items?ttl_ms=1", "b")
        .await
        .is(201)
        .json();
    let id = made["items"][0]["id"].as_str().expect("an id");
    crate::harness::until("it expired", async || {
        api.item(id).await["state"] == "expired"
    })
    .await;
    cancel(&api, id).await.problem(409, "item_finished");
    assert_eq!(api.queue().await["totals"]["cancelled"], 0);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_cancelled() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let elsewhere = api
        .post("/v1/queues/other/items?create=true", "b")
        .await
        .is(201)
        .json();
    let other = elsewhere["items"][0]["id"].as_str().expect("an id");
    cancel(&api, other).await.problem(404, "no_such_item");
    let next = format!("{}{:016x}", &held.id[..16], 7);
    cancel(&api, &next).await.problem(404, "no_such_item");
    cancel(&api, "nonsense").await.problem(400, "bad_request");
    let nowhere = format!("/v1/queues/nowhere/items/{}", held.id);
    api.delete(&nowhere).await.problem(404, "no_such_queue");
    assert_eq!(api.queue().await["counts"]["leased"], 1);
}

#[tokio::test]
async fn what_was_cancelled_stays_so_after_a_restart() {
    let mut api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let held = api.take().await;
    cancel(&api, &held.id).await.is(204);
    let before: Value = api.item(&held.id).await;
    api.restart().await;
    assert_eq!(api.item(&held.id).await, before);
    api.one(&held, "ack", ()).await.problem(409, "lease_lost");
    assert_eq!(api.take().await.body, "b");
}
