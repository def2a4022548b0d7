//! Unique keys: the same thing is not enqueued twice while it is to be done, nor for a while after.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, until};

/// Enqueues an item with a key into `q`; its id, and whether it is a duplicate.
async fn put(api: &Api, key: &str, body: &str) -> (String, bool) {
    let path = format!("/v1/queues/q/items?key={key}");
    let answer = api.post(&path, body).await.is(201).json();
    assert_eq!(answer["count"], 1);
    let item = &answer["items"][0];
    let id = item["id"].as_str().expect("an id").to_owned();
    (id, item["duplicate"].as_bool().expect("a flag"))
}

#[tokio::test]
async fn a_duplicate_is_told_whose_it_is_and_not_kept() {
    let api = Api::start();
    api.make(json!({})).await;
    let (first, duplicate) = put(&api, "k", "first").await;
    assert!(!duplicate);
    assert_eq!(put(&api, "k", "second").await, (first.clone(), true));
    let (other, duplicate) = put(&api, "K", "another key").await;
    assert!(!duplicate && other != first);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["totals"]["enqueued"], &queue["totals"]["duplicates"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(api.take().await.body, "first");
}

#[tokio::test]
async fn the_second_with_a_key_in_one_request_is_a_duplicate_of_the_first() {
    let api = Api::start();
    api.make(json!({})).await;
    let (there, _) = put(&api, "c", "there").await;
    let lines = concat!(
        "{\"body\":\"1\",\"key\":\"a\"}\n",
        "{\"body\":\"2\",\"key\":\"a\"}\n",
        "{\"body\":\"3\"}\n",
        "{\"body\":\"4\",\"key\":\"c\"}\n",
        "{\"body\":\"5\",\"key\":\"b\"}\n",
    );
    let answer = api.ndjson("", lines).await.is(201).json();
    assert_eq!(answer["count"], 5);
    let flags: Vec<_> = (0..5).map(|at| &answer["items"][at]["duplicate"]).collect();
    assert_eq!(flags, [false, true, false, true, false]);
    assert_eq!(answer["items"][1]["id"], answer["items"][0]["id"]);
    assert_eq!(answer["items"][3]["id"], there.as_str());
    let leased = api.lease(json!({"max": 10})).await;
    let bodies: Vec<_> = leased["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["body"])
        .collect();
    assert_eq!(bodies, ["there", "1", "3", "5"]);
    let ids: Vec<&Value> = [0, 2, 4]
        .iter()
        .map(|at| &answer["items"][*at]["id"])
        .collect();
    let leased: Vec<&Value> = (1..4).map(|at| &leased["items"][at]["id"]).collect();
    assert_eq!(ids, leased);
}

#[rstest]
#[case::leased("ready")]
#[case::waiting_for_a_retry("delayed")]
#[tokio::test]
async fn a_key_is_taken_until_its_item_has_ended(#[case] way: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let (id, _) = put(&api, "k", "a").await;
    let held = api.take().await;
    assert_eq!(put(&api, "k", "a").await, (id.clone(), true));
    if way == "delayed" {
        api.one(&held, "nack?delay_ms=1h", ()).await.is(200);
        assert_eq!(put(&api, "k", "a").await, (id, true));
        return;
    }
    api.one(&held, "ack", ()).await.is(200);
    let (again, duplicate) = put(&api, "k", "a").await;
    assert!(!duplicate && again != id);
}

#[tokio::test]
async fn a_dead_item_leaves_its_key() {
    let api = Api::start();
    api.make(json!({})).await;
    let (id, _) = put(&api, "k", "a").await;
    let held = api.take().await;
    api.one(&held, "dead", ()).await.is(200);
    assert_ne!(put(&api, "k", "a").await.0, id);
}

#[tokio::test]
async fn within_the_window_a_key_stays_taken_whatever_became_of_its_item() {
    let api = Api::start();
    api.make(json!({"key_window_ms": 3_600_000})).await;
    for (key, verdict) in [("done", "ack"), ("dead", "dead")] {
        let (id, _) = put(&api, key, "a").await;
        let held = api.take().await;
        api.one(&held, verdict, ()).await.is(200);
        assert_eq!(put(&api, key, "a").await, (id, true), "{key}");
    }
}

#[tokio::test]
async fn after_the_window_a_key_is_free() {
    let api = Api::start();
    api.make(json!({"key_window_ms": 500})).await;
    let (id, _) = put(&api, "k", "a").await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    until("the key is free", async || {
        put(&api, "k", "a").await.0 != id
    })
    .await;
}

#[tokio::test]
async fn cancelling_and_purging_free_a_key_at_once() {
    let api = Api::start();
    api.make(json!({"key_window_ms": 3_600_000})).await;
    let (cancelled, _) = put(&api, "c", "a").await;
    api.delete(&format!("/v1/queues/q/items/{cancelled}"))
        .await
        .is(204);
    let (purged, duplicate) = put(&api, "c", "a").await;
    assert!(!duplicate);
    api.post("/v1/queues/q/purge", ()).await.is(200);
    let (again, duplicate) = put(&api, "c", "a").await;
    assert!(!duplicate && again != purged);
}

#[tokio::test]
async fn the_same_key_in_another_queue_is_another() {
    let api = Api::start();
    api.make(json!({})).await;
    let (id, _) = put(&api, "k", "a").await;
    let answer = api
        .post("/v1/queues/other/items?create=true&key=k", "a")
        .await
        .is(201)
        .json();
    assert_eq!(answer["items"][0]["duplicate"], false);
    assert_ne!(answer["items"][0]["id"], id.as_str());
}

#[tokio::test]
async fn keys_that_are_taken_are_taken_after_a_restart() {
    let mut api = Api::start();
    api.make(json!({"key_window_ms": 3_600_000})).await;
    let (live, _) = put(&api, "live", "a").await;
    let (done, _) = put(&api, "done", "b").await;
    let first = api.take().await;
    let second = api.take().await;
    api.one(&first, "release", ()).await.is(200);
    api.one(&second, "ack", ()).await.is(200);
    api.restart().await;
    assert_eq!(put(&api, "live", "a").await, (live, true));
    assert_eq!(put(&api, "done", "b").await, (done, true));
    assert_eq!(api.queue().await["totals"]["duplicates"], 2);
}

#[tokio::test]
async fn duplicates_alone_do_not_fill_a_queue() {
    let api = Api::start();
    api.make(json!({"max_items": 1})).await;
    let (id, _) = put(&api, "k", "a").await;
    assert_eq!(put(&api, "k", "a").await, (id, true));
    api.post("/v1/queues/q/items?key=other", "a")
        .await
        .problem(429, "queue_full");
}
