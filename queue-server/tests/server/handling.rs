//! How long items take, as a queue tells it to whoever sizes its workers.

use serde_json::{Value, json};

use crate::harness::{Api, until};

/// What `q` tells.
async fn handling(api: &Api) -> Value {
    api.queue().await["handling"].clone()
}

/// Leases so many items of `q` in one instant, and gives their tokens.
async fn hold(api: &Api, items: usize) -> Vec<Value> {
    let answer = api.lease(json!({"max": items, "lease_ms": 60_000})).await;
    let leased = answer["items"].as_array().expect("items");
    assert_eq!(leased.len(), items);
    leased.iter().map(|item| item["lease"].clone()).collect()
}

/// Waits until what is leased has been so for this long on average.
async fn until_age(api: &Api, ms: u64) {
    until(&format!("leases are {ms} ms old"), async || {
        handling(api).await["running_mean_age_ms"].as_u64() >= Some(ms)
    })
    .await;
}

async fn settle(api: &Api, lease: &Value, verdict: &str) -> Value {
    let settled = api.settle(json!({"lease": lease, "as": verdict})).await;
    assert_eq!(settled["ok"], true, "{settled}");
    settled
}

#[tokio::test]
async fn a_queue_tells_how_long_its_workers_took() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c", "d"]).await;
    let new = handling(&api).await;
    assert_eq!(new, json!({"completions": 0}), "nothing is made up");

    let leases = hold(&api, 4).await;
    until_age(&api, 50).await;
    for (lease, verdict) in leases.iter().zip(["ack", "nack", "dead"]) {
        settle(&api, lease, verdict).await;
    }
    let told = handling(&api).await;
    assert_eq!(told["completions"], 3, "each kept a place of a worker");
    let mean = told["mean_ms"].as_f64().expect("a mean");
    let p95 = told["p95_ms"].as_f64().expect("a percentile");
    assert!(50.0 <= mean && mean <= p95, "{told}");

    settle(&api, &leases[3], "release").await;
    let repeated = settle(&api, &leases[2], "dead").await;
    assert_eq!(repeated["repeated"], true);
    let after = handling(&api).await;
    let expected = json!({
        "completions": 3, "mean_ms": told["mean_ms"], "p95_ms": told["p95_ms"],
    });
    assert_eq!(
        after, expected,
        "nothing is leased, and nothing new is known"
    );
}

#[tokio::test]
async fn an_extended_lease_is_as_old_as_its_attempt() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let leases = hold(&api, 1).await;
    until_age(&api, 50).await;
    api.post("/v1/queues/q/extend", json!({"leases": leases}))
        .await
        .is(200);
    let told = handling(&api).await;
    assert!(told["running_mean_age_ms"].as_u64() >= Some(50), "{told}");
}

#[tokio::test]
async fn what_no_worker_settled_says_nothing_of_how_long_it_takes() {
    let api = Api::start();
    api.load(json!({"lease_ms": 100}), &["runs out", "taken"])
        .await;
    api.take().await;
    api.post("/memq/server/queues/q/dequeue", ()).await.is(200);
    until("the lease ran out", async || {
        api.queue().await["totals"]["lease_expired"] == 1
    })
    .await;
    assert_eq!(handling(&api).await, json!({"completions": 0}));
}

#[tokio::test]
async fn after_a_restart_it_measures_anew_and_knows_the_age_of_what_runs() {
    let mut api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let leases = hold(&api, 2).await;
    until_age(&api, 50).await;
    settle(&api, &leases[0], "ack").await;
    api.restart().await;
    let told = handling(&api).await;
    assert_eq!(told["completions"], 0, "{told}");
    assert_eq!(told.get("mean_ms"), None);
    assert!(told["running_mean_age_ms"].as_u64() >= Some(50), "{told}");
    settle(&api, &leases[1], "ack").await;
    let told = handling(&api).await;
    assert!(told["mean_ms"].as_f64() >= Some(50.0), "{told}");
}
