//! `Idempotency-Key`: a request that is sent again is answered again, and does nothing.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

/// An enqueue into `q` with a key.
async fn send(api: &Api, key: &str, query: &str, body: &str) -> Answer {
    let path = format!("/v1/queues/q/items{query}");
    let headers = [("idempotency-key", key)];
    api.call_with("POST", &path, &headers, body).await
}

#[track_caller]
fn is_replayed(answer: &Answer) -> bool {
    match answer.headers.get("idempotency-replayed") {
        Some(value) => {
            assert_eq!(value, "true");
            true
        }
        None => false,
    }
}

#[rstest]
#[case::one_item("", "a", 1)]
#[case::lines("?lines=true", "a\nb\n", 2)]
#[case::with_options("?priority=3&delay_ms=1h&group=g&ttl_ms=2h&key=k", "a", 1)]
#[case::nothing("?lines=true", "", 0)]
#[tokio::test]
async fn the_same_again_gives_the_same_ids(
    #[case] query: &str,
    #[case] body: &str,
    #[case] count: u64,
) {
    let api = Api::start();
    api.make(json!({})).await;
    let first = send(&api, "k", query, body).await.is(201);
    assert!(!is_replayed(&first));
    for _ in 0..2 {
        let again = send(&api, "k", query, body).await.is(201);
        assert!(is_replayed(&again));
        assert_eq!(again.json(), first.json());
    }
    let queue = api.queue().await;
    assert_eq!(
        (&queue["totals"]["enqueued"], &queue["totals"]["duplicates"]),
        (&json!(count), &json!(0))
    );
}

#[tokio::test]
async fn what_was_answered_is_answered_again_however_the_queue_has_changed() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines =
        "{\"body\":\"a\",\"key\":\"1\"}\n{\"body\":\"b\",\"key\":\"1\"}\n{\"body\":\"c\"}\n";
    let headers = [
        ("idempotency-key", "k"),
        ("content-type", "application/x-ndjson"),
    ];
    let path = "/v1/queues/q/items?seal=true";
    let first = api
        .call_with("POST", path, &headers, lines)
        .await
        .is(201)
        .json();
    let flags: Vec<_> = (0..3).map(|at| &first["items"][at]["duplicate"]).collect();
    assert_eq!(flags, [false, true, false]);
    while let Some(lease) = api.lease(json!({})).await["items"][0]["lease"].as_str() {
        api.post(&format!("/v1/leases/{lease}/ack"), ())
            .await
            .is(200);
    }
    assert_eq!(api.queue().await["drained"], true);
    let again = api.call_with("POST", path, &headers, lines).await.is(201);
    assert!(is_replayed(&again));
    assert_eq!(again.json(), first);
    assert_eq!(api.queue().await["drained"], true, "nothing came in");
    let count = api.call_with(
        "POST",
        "/v1/queues/q/items?seal=true&ids=false",
        &headers,
        lines,
    );
    assert_eq!(
        count.await.is(201).json(),
        json!({"count": 3}),
        "ids are only left out"
    );
}

#[rstest]
#[case::another_body("", "b")]
#[case::another_mode("?lines=true", "a")]
#[case::an_option("?priority=1", "a")]
#[case::a_delay("?delay_ms=1", "a")]
#[case::a_seal("?seal=true", "a")]
#[tokio::test]
async fn another_request_with_the_same_key_is_refused(#[case] query: &str, #[case] body: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    send(&api, "k", "", "a").await.is(201);
    let refused = send(&api, "k", query, body).await;
    refused.problem(422, "idempotency_mismatch");
    assert_eq!(api.queue().await["totals"]["enqueued"], 1);
    send(&api, "another", query, body).await.is(201);
}

#[tokio::test]
async fn a_request_that_was_refused_leaves_its_key_free() {
    let api = Api::start();
    api.make(json!({"max_items": 1})).await;
    api.enqueue("full").await;
    send(&api, "k", "", "a").await.problem(429, "queue_full");
    api.put("/v1/queues/q", json!({"max_items": 2}))
        .await
        .is(200);
    assert!(!is_replayed(&send(&api, "k", "", "a").await.is(201)));
    assert!(
        is_replayed(&send(&api, "k", "", "a").await.is(201)),
        "though the queue is full"
    );
}

#[tokio::test]
async fn keys_are_a_queues_own() {
    let api = Api::start();
    api.make(json!({})).await;
    send(&api, "k", "", "a").await.is(201);
    let headers = [("idempotency-key", "k")];
    let other = api
        .call_with("POST", "/v1/queues/other/items?create=true", &headers, "b")
        .await;
    assert!(!is_replayed(&other.is(201)));
}

#[tokio::test]
async fn two_at_once_enqueue_one() {
    let api = Api::start();
    let all = (0..20).map(|_| Box::pin(send(&api, "k", "?create=true", "a")));
    let answers = futures_util::future::join_all(all).await;
    let ids: Vec<Value> = answers
        .into_iter()
        .map(|answer| answer.is(201).json())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(api.queue().await["totals"]["enqueued"], 1);
}

#[tokio::test]
async fn keys_are_remembered_over_a_restart() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let first = send(&api, "k", "?lines=true", "a\nb\n")
        .await
        .is(201)
        .json();
    api.restart().await;
    let again = send(&api, "k", "?lines=true", "a\nb\n").await.is(201);
    assert!(is_replayed(&again));
    assert_eq!(again.json(), first);
    send(&api, "k", "?lines=true", "a\n")
        .await
        .problem(422, "idempotency_mismatch");
    assert_eq!(api.queue().await["totals"]["enqueued"], 2);
}

#[tokio::test]
async fn a_key_may_have_255_characters() {
    let api = Api::start();
    api.make(json!({})).await;
    let longest = "~".repeat(255);
    send(&api, &longest, "", "a").await.is(201);
    for bad in ["", "a b", &(longest.clone() + "~")] {
        let detail = send(&api, bad, "", "a").await.problem(400, "bad_request");
        assert!(detail.contains("Idempotency-Key"), "{detail}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let refused = api
        .call_with("POST", "/v1/queues/q/items", &twice, "a")
        .await;
    refused.problem(400, "bad_request");
    assert_eq!(api.queue().await["totals"]["enqueued"], 1);
}
