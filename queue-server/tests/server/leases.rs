//! Leasing: what an answer holds, why it holds nothing, and what time does to a lease.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, BOUND, Held};

#[tokio::test]
async fn a_lease_says_all_that_a_worker_needs() {
    let api = Api::start();
    api.load(json!({}), &["hello"]).await;
    let answer = api.lease(json!({"worker": "me"})).await;
    let item = answer["items"][0].as_object().expect("an item");
    let mut fields: Vec<_> = item.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "attempt",
            "body",
            "enqueued",
            "id",
            "lease",
            "lease_expires",
            "lease_ms"
        ]
    );
    assert_eq!(
        (&item["body"], &item["attempt"]),
        (&json!("hello"), &json!(1))
    );
    let left = item["lease_ms"].as_u64().expect("a number");
    assert!((29_000..=30_000).contains(&left), "{left}");
    let token = item["lease"].as_str().expect("a token");
    let url_safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    assert!(
        (1..=64).contains(&token.len()) && token.bytes().all(url_safe),
        "{token}"
    );
    let time = |name: &str| {
        item[name]
            .as_str()
            .expect("text")
            .parse::<jiff::Timestamp>()
            .expect("RFC 3339")
    };
    let lasts = time("lease_expires")
        .duration_since(time("enqueued"))
        .as_secs();
    assert!((29..=40).contains(&lasts), "{lasts}");
    assert_eq!(answer["state"], "open");
    assert_eq!(answer.get("settled"), None);
}

#[tokio::test]
async fn items_are_lent_oldest_first_and_to_one_worker_each() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    let two = api.lease(json!({"max": 2})).await;
    let bodies: Vec<_> = two["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| &i["body"])
        .collect();
    assert_eq!(bodies, ["a", "b"]);
    let rest = api.lease(json!({"max": 2})).await;
    assert_eq!(Held::of(&rest).body, "c");
    assert_eq!(
        api.lease(json!({})).await,
        json!({"items": [], "state": "waiting"})
    );
    assert_eq!(api.queue().await["counts"]["leased"], 3);
}

#[rstest]
#[case::no_body("")]
#[case::empty("{}")]
#[case::nulls(
    r#"{"max":null,"wait_ms":null,"lease_ms":null,"worker":null,"until":null,"settle":null}"#
)]
#[case::no_settlements(r#"{"settle":[]}"#)]
#[tokio::test]
async fn every_field_may_be_absent(#[case] request: &str) {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let answer = api.post("/v1/queues/q/lease", request).await.is(200).json();
    assert_eq!(Held::of(&answer).body, "a");
}

#[rstest]
#[case::max("max", json!(1000), json!(1001))]
#[case::wait("wait_ms", json!(300_000), json!(300_001))]
#[case::short_lease("lease_ms", json!(100), json!(99))]
#[case::long_lease("lease_ms", json!(315_360_000_000_u64), json!(315_360_000_001_u64))]
#[case::worker("worker", json!("w".repeat(253)), json!("w".repeat(254)))]
#[case::until("until", json!("empty"), json!("tomorrow"))]
#[case::kind("max", json!(1), json!("1"))]
#[case::sign("max", json!(1), json!(-1))]
#[tokio::test]
async fn a_field_is_taken_at_its_limit_and_refused_one_past_it(
    #[case] field: &str,
    #[case] at: Value,
    #[case] past: Value,
) {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    api.post("/v1/queues/q/lease", json!({ field: past }))
        .await
        .problem(400, "bad_request");
    assert_eq!(api.queue().await["counts"]["leased"], 0);
    let answer = api.lease(json!({ field: at })).await;
    assert_eq!(answer["state"], "open");
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let refused = api.post("/v1/queues/q/lease", json!({"wait": 5})).await;
    assert!(refused.problem(400, "bad_request").contains("wait"));
    let refused = api.post("/v1/queues/q/lease?wait=5", ()).await;
    assert!(refused.problem(400, "bad_request").contains("wait"));
    assert_eq!(api.queue().await["counts"]["leased"], 0);
}

#[tokio::test]
async fn a_lease_call_for_no_items_takes_none() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let held = api.take().await;
    let settle = json!([{"lease": held.lease, "as": "ack"}]);
    let answer = api.lease(json!({"max": 0, "settle": settle})).await;
    assert_eq!(answer["items"], json!([]));
    assert_eq!(
        answer["settled"],
        json!([{"lease": held.lease, "ok": true}])
    );
    assert_eq!(api.queue().await["counts"]["ready"], 1);
}

#[tokio::test]
async fn an_empty_answer_says_why() {
    let api = Api::start();
    api.make(json!({"quiet_ms": 0})).await;
    let state = async || api.lease(json!({})).await["state"].clone();
    assert_eq!(
        state().await,
        "waiting",
        "nothing was ever enqueued: more may come"
    );
    api.enqueue("a").await;
    let held = api.take().await;
    assert_eq!(state().await, "waiting", "somebody holds an item");
    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert_eq!(state().await, "paused");
    api.one(&held, "ack", ()).await.is(200);
    assert_eq!(state().await, "empty", "comes before paused");
    api.post("/v1/queues/q/seal", ()).await.is(200);
    assert_eq!(state().await, "drained", "comes before all");
}

#[tokio::test]
async fn a_queue_is_empty_only_when_it_was_left_alone_for_a_while() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 60_000}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
    assert_eq!(api.queue().await["empty"], false);
    api.put("/v1/queues/q", json!({"quiet_ms": 0}))
        .await
        .is(200);
    assert_eq!(api.lease(json!({})).await["state"], "empty");
    assert_eq!(api.queue().await["empty"], true);
}

#[tokio::test]
async fn a_lease_has_the_length_its_worker_asks_for() {
    let api = Api::start();
    api.load(json!({"lease_ms": 5000}), &["a", "b"]).await;
    let length = |answer: Value| answer["items"][0]["lease_ms"].as_u64().expect("a number");
    assert!((4000..=5000).contains(&length(api.lease(json!({})).await)));
    let asked = length(api.lease(json!({"lease_ms": 90_000})).await);
    assert!((89_000..=90_000).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_lease_lasts_no_longer_than_an_attempt_may() {
    let api = Api::start();
    api.load(json!({"max_lease_ms": 2000}), &["a"]).await;
    let answer = api.lease(json!({"lease_ms": 90_000})).await;
    assert!(
        answer["items"][0]["lease_ms"].as_u64() <= Some(2000),
        "{answer}"
    );
}

#[tokio::test]
async fn an_item_whose_lease_ran_out_is_lent_again_at_once() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let begin = Instant::now();
    let first = api.take_with(json!({"lease_ms": 150})).await;
    let second = api.take_with(json!({"wait_ms": 30_000})).await;
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(150), "{waited:?}");
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert_ne!(second.lease, first.lease);
    assert_eq!(api.queue().await["totals"]["lease_expired"], 1);
}

#[tokio::test]
async fn an_item_whose_last_lease_ran_out_is_dead() {
    let api = Api::start();
    api.load(json!({"max_attempts": 2}), &["a"]).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.take_with(json!({"lease_ms": 100})).await;
    let last = api
        .take_with(json!({"lease_ms": 100, "wait_ms": 30_000}))
        .await;
    assert_eq!(last.attempt, 2);
    let answer = api.lease(json!({"wait_ms": 30_000})).await;
    assert_eq!(
        answer["state"], "drained",
        "the end of the last lease drains the queue"
    );
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["dead"], &queue["outcome"]),
        (&json!(1), &json!("dead"))
    );
    assert_eq!(queue["totals"]["lease_expired"], 2);
}

#[tokio::test]
async fn a_retry_goes_before_what_came_after_it() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let held = api.take().await;
    api.one(&held, "nack?delay_ms=0", ()).await.is(200);
    assert_eq!(api.take().await.body, "a");
    assert_eq!(api.take().await.body, "b");
}

#[tokio::test]
async fn settlements_are_carried_by_the_next_lease() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    let first = api.lease(json!({"max": 2})).await;
    let lease = |n: usize| first["items"][n]["lease"].clone();
    let settle = json!([
        {"lease": lease(0), "as": "ack", "result": "good"},
        {"lease": lease(1), "as": "nack", "error": "bad", "delay_ms": 0},
    ]);
    let answer = api.lease(json!({"max": 5, "settle": settle})).await;
    assert_eq!(
        answer["settled"],
        json!([{"lease": lease(0), "ok": true}, {"lease": lease(1), "ok": true}])
    );
    let bodies: Vec<_> = answer["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| &i["body"])
        .collect();
    assert_eq!(
        bodies,
        ["b", "c"],
        "applied before the lease: the retry is lent at once"
    );
}

#[tokio::test]
async fn the_settlement_that_drains_a_queue_hears_so() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    let held = api.take().await;
    let settle = json!([{"lease": held.lease, "as": "ack"}]);
    let answer = api
        .lease(json!({"wait_ms": 30_000, "settle": settle}))
        .await;
    assert_eq!(
        answer,
        json!({"items": [], "state": "drained", "settled": [{"lease": held.lease, "ok": true}]})
    );
}

#[tokio::test]
async fn a_refused_settlement_is_answered_at_once() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.post("/v1/queues/q/reopen", ()).await.is(200);
    let settle = json!([{"lease": held.lease, "as": "dead"}]);
    let begin = Instant::now();
    let answer = api
        .lease(json!({"wait_ms": 60_000, "settle": settle}))
        .await;
    assert!(begin.elapsed() < BOUND, "it did not park");
    assert_eq!(
        answer["settled"],
        json!([{"lease": held.lease, "ok": false, "code": "lease_lost"}])
    );
}

#[tokio::test]
async fn a_call_that_runs_out_of_time_still_tells_what_it_settled() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 60_000}), &["a"]).await;
    let held = api.take().await;
    let settle = json!([{"lease": held.lease, "as": "ack"}]);
    let answer = api.lease(json!({"wait_ms": 50, "settle": settle})).await;
    assert_eq!(
        answer,
        json!({"items": [], "state": "waiting", "settled": [{"lease": held.lease, "ok": true}]})
    );
}
