//! A queue that is held to a rate: never more leases than it allows, and nobody loses an item to it.

use std::time::Instant;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, Held};

/// Milliseconds since 1970 at which each item of `q` was leased, in order.
async fn leased_at(api: &Api) -> Vec<i64> {
    let outcomes = api.outcomes().await;
    let started = |line: &Value| {
        let time = line["started"].as_str().expect("a time");
        time.parse::<jiff::Timestamp>()
            .expect("a time")
            .as_millisecond()
    };
    let mut times: Vec<i64> = outcomes.iter().map(started).collect();
    times.sort_unstable();
    times
}

/// Leases and settles everything, as fast as it is given.
async fn drain(api: &Api, mut left: usize, max: usize) {
    let mut settle: Vec<Value> = Vec::new();
    while left > 0 {
        let answer = api
            .lease(json!({"max": max, "wait_ms": 30_000, "settle": settle}))
            .await;
        let items = answer["items"].as_array().expect("a list");
        left -= items.len();
        let ack = |item: &Value| json!({"lease": item["lease"], "as": "ack"});
        settle = items.iter().map(ack).collect();
    }
    api.post("/v1/queues/q/settle", json!({"settle": settle}))
        .await
        .is(200);
}

#[rstest]
#[case::one_by_one(json!({"rate_per_s": 100}), 1, 10)]
#[case::in_batches(json!({"rate_per_s": 100}), 50, 10)]
#[case::evenly(json!({"rate_per_s": 100, "burst": 1}), 10, 1)]
#[case::in_bursts(json!({"rate_per_s": 100, "burst": 40}), 100, 40)]
#[tokio::test]
async fn never_more_is_leased_than_the_rate_allows(
    #[case] settings: Value,
    #[case] max: usize,
    #[case] burst: i64,
) {
    let api = Api::start();
    api.make(settings).await;
    let items = 200;
    api.post(
        "/v1/queues/q/items?lines=true&ids=false",
        "x\n".repeat(items),
    )
    .await
    .is(201);
    drain(&api, items, max).await;
    let times = leased_at(&api).await;
    assert_eq!(times.len(), items);
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let leases = (last - first + 1) as i64;
            // Times are whole milliseconds: what was a tenth of a lease more is not told from it.
            let allowed = burst + (to - from + 1) / 10;
            assert!(leases <= allowed, "{leases} leases in {} ms", to - from);
        }
    }
}

#[tokio::test]
async fn who_may_not_wait_is_told_when_to_come_again() {
    let api = Api::start();
    api.load(json!({"rate_per_s": 0.1}), &["1", "2"]).await;
    api.take().await;
    for path in ["/v1/queues/q/lease", "/v1/queues/q/lease?raw=true"] {
        let refused = api.post(path, ()).await;
        let detail = refused.problem(429, "rate_limited");
        assert!(detail.contains("rate_per_s"), "{detail}");
        let seconds: u64 = refused.header("retry-after").parse().expect("a number");
        assert!((1..=10).contains(&seconds), "{seconds}");
    }
    assert_eq!(api.queue().await["counts"]["leased"], 1);
}

#[tokio::test]
async fn a_settlement_is_not_refused_with_the_lease_it_came_with() {
    let api = Api::start();
    api.load(json!({"rate_per_s": 0.1}), &["1", "2"]).await;
    let held = api.take().await;
    let settle = json!({"settle": [{"lease": held.lease, "as": "ack"}]});
    let answer = api.lease(settle).await;
    assert_eq!(
        (&answer["state"], &answer["items"]),
        (&json!("waiting"), &json!([]))
    );
    assert_eq!(answer["settled"][0]["ok"], true);
}

#[tokio::test]
async fn what_is_no_matter_of_the_rate_is_told_as_ever() {
    let api = Api::start();
    api.make(json!({"rate_per_s": 0.1})).await;
    assert_eq!(
        api.lease(json!({})).await["state"],
        "waiting",
        "there is nothing"
    );
    api.enqueue("1").await;
    api.enqueue("2").await;
    let held = api.take().await;
    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert_eq!(api.lease(json!({})).await["state"], "paused");
    api.post("/v1/queues/q/resume", ()).await.is(200);
    assert_eq!(
        api.lease(json!({"max": 0})).await["state"],
        "waiting",
        "nothing is asked for"
    );
    api.post("/v1/queues/q/purge", ()).await.is(200);
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.one(&held, "ack", ()).await.is(200);
    assert_eq!(api.lease(json!({})).await["state"], "drained");
}

#[tokio::test]
async fn who_waits_is_given_the_next_lease_when_it_may_be_given() {
    let api = Api::start();
    api.load(json!({"rate_per_s": 4}), &["1", "2"]).await;
    api.take().await;
    let begin = Instant::now();
    let held = api.take_with(json!({"wait_ms": 30_000})).await;
    assert_eq!(held.body, "2");
    assert!(
        begin.elapsed().as_secs() < 15,
        "not only when the call ends"
    );
}

#[tokio::test]
async fn a_rate_that_is_lifted_wakes_those_who_wait() {
    let api = Api::start();
    api.load(json!({"rate_per_s": 0.001}), &["1", "2"]).await;
    api.take().await;
    let parked = api.lease(json!({"wait_ms": 30_000}));
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.put("/v1/queues/q", json!({"rate_per_s": null}))
            .await
            .is(200);
    });
    assert_eq!(Held::of(&answer).body, "2");
}

#[tokio::test]
async fn a_client_of_the_memq_api_finds_a_queue_at_its_rate_empty() {
    let api = Api::start();
    api.load(json!({"rate_per_s": 0.1}), &["1", "2"]).await;
    let dequeue = "/memq/server/queues/q/dequeue";
    assert_eq!(api.post(dequeue, ()).await.is(200).json()["body"], "1");
    api.post(dequeue, ()).await.is(204);
    assert_eq!(api.queue().await["counts"]["ready"], 1);
}

#[tokio::test]
async fn a_restart_gives_no_leases_for_nothing() {
    let mut api = Api::start();
    api.load(json!({"rate_per_s": 0.001}), &["1", "2"]).await;
    api.take().await;
    api.restart().await;
    api.post("/v1/queues/q/lease", ())
        .await
        .problem(429, "rate_limited");
}

#[rstest]
#[case::nothing(json!({"rate_per_s": 0}), "rate_per_s")]
#[case::less_than_nothing(json!({"rate_per_s": -1}), "rate_per_s")]
#[case::too_fast(json!({"rate_per_s": 1_000_001}), "rate_per_s")]
#[case::burst_alone(json!({"burst": 5}), "burst")]
#[case::no_burst(json!({"rate_per_s": 5, "burst": 0}), "burst")]
#[case::no_lease_at_all(json!({"max_leased": 0}), "max_leased")]
#[case::none_a_group(json!({"max_leased_per_group": 0}), "max_leased_per_group")]
#[case::long_window(json!({"key_window_ms": 315_360_000_001_u64}), "key_window_ms")]
#[tokio::test]
async fn a_limit_that_makes_no_sense_is_refused(#[case] settings: Value, #[case] named: &str) {
    let api = Api::start();
    let detail = api
        .put("/v1/queues/q", settings)
        .await
        .problem(400, "bad_request");
    assert!(detail.contains(named), "{detail}");
}

#[tokio::test]
async fn limits_are_shown_and_reset() {
    let api = Api::start();
    let limits = json!({
        "rate_per_s": 12.5, "burst": 3, "max_leased": 10, "max_leased_per_group": 2, "key_window_ms": 1000,
    });
    let made = api.put("/v1/queues/q", limits.clone()).await.is(201).json();
    for (name, value) in limits.as_object().expect("settings") {
        assert_eq!(made["settings"][name], *value);
    }
    let reset = json!({"rate_per_s": null, "max_leased": null, "key_window_ms": null});
    let reset = api.put("/v1/queues/q", reset).await.is(200).json();
    let settings = reset["settings"].as_object().expect("settings");
    for gone in ["rate_per_s", "burst", "max_leased"] {
        assert!(!settings.contains_key(gone), "{settings:?}");
    }
    assert_eq!(
        (
            &settings["max_leased_per_group"],
            &settings["key_window_ms"]
        ),
        (&json!(2), &json!(0))
    );
}
