//! Items that are wanted for a while only: what is not begun by then ends as expired.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, until};

/// Puts an item in that expires soon, and gives its id.
async fn soon(api: &Api, body: &str) -> String {
    let answer = api
        .post("/v1/queues/q/items?ttl_ms=100", body)
        .await
        .is(201)
        .json();
    answer["items"][0]["id"].as_str().expect("an id").to_owned()
}

async fn until_expired(api: &Api, count: u64) {
    until("they expired", async || {
        api.queue().await["totals"]["item_expired"] == count
    })
    .await;
}

/// Waits until what expires as soon as this item has expired.
async fn until_past(api: &Api, id: &str) {
    let item = api.item(id).await;
    let expires: jiff::Timestamp = item["expires"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    until("its time has passed", async || {
        // The server's own clock, not the test's.
        let enqueued = api.enqueue("clock").await;
        let now = api.item(&enqueued).await["enqueued"].clone();
        api.delete(&format!("/v1/queues/q/items/{enqueued}"))
            .await
            .is(204);
        now.as_str()
            .expect("a time")
            .parse::<jiff::Timestamp>()
            .expect("a time")
            >= expires
    })
    .await;
}

#[rstest]
#[case::ready("?ttl_ms=50")]
#[case::delayed("?ttl_ms=50&delay_ms=1h")]
#[tokio::test]
async fn an_item_that_nobody_takes_in_time_ends_as_expired(#[case] query: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let made = api
        .post(&format!("/v1/queues/q/items{query}&seal=true"), "a")
        .await;
    let id = made.is(201).json()["items"][0]["id"].clone();
    let parked = api
        .get("/v1/queues/q/wait?for=drained&wait_ms=30000")
        .await
        .is(200);
    let queue = parked.json();
    assert_eq!(
        queue["counts"],
        json!({"ready": 0, "leased": 0, "delayed": 0, "dead": 0, "done": 0})
    );
    assert_eq!(queue["totals"]["item_expired"], 1);
    assert_eq!(queue["outcome"], "clean");
    let outcomes = api.outcomes().await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(
        (&outcomes[0]["id"], &outcomes[0]["state"]),
        (&id, &json!("expired"))
    );
    assert_eq!(outcomes[0]["attempts"], 0);
    assert_eq!(
        api.item(id.as_str().expect("an id")).await["state"],
        "expired"
    );
}

#[tokio::test]
async fn whoever_began_in_time_may_finish_late() {
    let api = Api::start();
    api.make(json!({})).await;
    let id = soon(&api, "a").await;
    let held = api.take().await;
    until_past(&api, &id).await;
    api.one(&held, "ack", "done all the same").await.is(200);
    assert_eq!(api.item(&id).await["state"], "done");
    assert_eq!(api.queue().await["totals"]["item_expired"], 0);
}

#[rstest]
#[case::failed("nack", "nack")]
#[case::failed_with_a_delay("nack?delay_ms=1h", "nack")]
#[case::given_back("release", "release")]
#[tokio::test]
async fn what_comes_back_too_late_is_expired(#[case] verdict: &str, #[case] kept: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let id = soon(&api, "a").await;
    let held = api.take().await;
    until_past(&api, &id).await;
    api.one(&held, verdict, "no").await.is(200);
    until_expired(&api, 1).await;
    let item = api.item(&id).await;
    assert_eq!(
        (&item["state"], &item["error"]),
        (&json!("expired"), &json!("no"))
    );
    assert_eq!(item["history"][0]["as"], kept);
    assert_eq!(api.lease(json!({})).await["items"], json!([]));
}

#[tokio::test]
async fn a_lease_that_runs_out_too_late_expires_the_item() {
    let api = Api::start();
    api.make(json!({"lease_ms": 200})).await;
    let id = soon(&api, "a").await;
    api.take().await;
    until_expired(&api, 1).await;
    let item = api.item(&id).await;
    assert_eq!(
        (&item["state"], &item["history"][0]["as"]),
        (&json!("expired"), &json!("expired"))
    );
}

#[tokio::test]
async fn what_waits_is_not_woken_by_what_expires() {
    let api = Api::start();
    api.make(json!({"quiet_ms": 0})).await;
    soon(&api, "a").await;
    let held = api.take().await;
    soon(&api, "b").await;
    until_expired(&api, 1).await;
    let answer: Value = api.lease(json!({"wait_ms": 1, "max": 10})).await;
    assert_eq!(answer["items"], json!([]));
    api.one(&held, "ack", ()).await.is(200);
}

#[tokio::test]
async fn what_expired_while_the_server_was_down_is_gone_when_it_is_back() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let id = soon(&api, "a").await;
    api.restart().await;
    until_expired(&api, 1).await;
    assert_eq!(api.item(&id).await["state"], "expired");
}
