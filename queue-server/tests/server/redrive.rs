//! Redriving: dead items get another chance, all of them or those one names.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::Api;

/// Dead items: their bodies, groups, errors and exit codes.
const DEAD: [(&str, &str, &str, i32); 4] = [
    ("a", "g", "disk full on /data", 28),
    ("b", "g", "timed out", 75),
    ("c", "h", "disk full on /tmp", 28),
    ("d", "h", "no such host", 6),
];

/// A queue with these dead items; their ids.
async fn dead(api: &Api) -> Vec<String> {
    api.make(json!({"max_attempts": 1})).await;
    let mut ids = Vec::new();
    for (body, group, error, exit_code) in DEAD {
        api.post(&format!("/v1/queues/q/items?group={group}"), body)
            .await
            .is(201);
        let held = api.take_with(json!({"worker": "w"})).await;
        api.one(&held, &format!("nack?exit_code={exit_code}"), error)
            .await
            .is(200);
        ids.push(held.id);
    }
    assert_eq!(api.queue().await["counts"]["dead"], 4);
    ids
}

async fn redrive(api: &Api, request: Value) -> Value {
    api.post("/v1/queues/q/redrive", request)
        .await
        .is(200)
        .json()
}

/// The bodies of all ready items.
async fn ready(api: &Api) -> Vec<String> {
    let page = api
        .get("/v1/queues/q/items?state=ready")
        .await
        .is(200)
        .json();
    let items = page["items"].as_array().expect("a list");
    let body = |item: &Value| item["body"].as_str().expect("text").to_owned();
    items.iter().map(body).collect()
}

#[tokio::test]
async fn without_a_condition_all_dead_items_are_ready_again() {
    let api = Api::start();
    dead(&api).await;
    let answer = api.post("/v1/queues/q/redrive", ()).await.is(200).json();
    assert_eq!(answer["affected"], 4);
    assert_eq!(answer["counts"]["dead"], 0);
    assert_eq!(
        (&answer["counts"]["ready"], &answer["totals"]["redriven"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(answer["totals"]["enqueued"], 4, "counted once");
    assert_eq!(
        redrive(&api, json!({})).await["affected"],
        0,
        "none is left"
    );
}

#[rstest]
#[case::of_a_group(json!({"group": "g"}), &["a", "b"])]
#[case::by_error(json!({"error_contains": "disk full"}), &["a", "c"])]
#[case::by_exit_code(json!({"exit_code": 75}), &["b"])]
#[case::both(json!({"error_contains": "disk full", "group": "h"}), &["c"])]
#[case::so_many(json!({"limit": 2}), &["a", "b"])]
#[case::so_many_of_those(json!({"limit": 1, "exit_code": 28}), &["a"])]
#[case::since_long_ago(json!({"ended_after": "2000-01-01T00:00:00Z"}), &["a", "b", "c", "d"])]
#[case::in_the_future(json!({"ended_after": "2200-01-01T00:00:00Z"}), &[])]
#[case::before_long_ago(json!({"ended_before": "2000-01-01T00:00:00Z"}), &[])]
#[case::nothing_like_it(json!({"error_contains": "DISK FULL"}), &[])]
#[case::null_is_absent(json!({"group": null, "exit_code": 6}), &["d"])]
#[tokio::test]
async fn each_condition_that_is_given_must_hold(#[case] request: Value, #[case] expected: &[&str]) {
    let api = Api::start();
    dead(&api).await;
    let answer = redrive(&api, request).await;
    assert_eq!(answer["affected"], expected.len());
    assert_eq!(ready(&api).await, expected);
}

#[tokio::test]
async fn those_that_are_named_and_dead_are_redriven() {
    let api = Api::start();
    let ids = dead(&api).await;
    let live = api.enqueue("live").await;
    let named = json!({"ids": [ids[3], ids[0], live, "0".repeat(32), ids[0]]});
    assert_eq!(redrive(&api, named).await["affected"], 2);
    assert_eq!(ready(&api).await, ["a", "d", "live"]);
    assert_eq!(
        redrive(&api, json!({"ids": []})).await["affected"],
        0,
        "none is named"
    );
}

#[tokio::test]
async fn when_they_died_decides() {
    let api = Api::start();
    let ids = dead(&api).await;
    let ended = api.item(&ids[2]).await["ended"].clone();
    let before = redrive(&api, json!({"ended_before": ended})).await["affected"].clone();
    let after = redrive(&api, json!({"ended_after": ended})).await["affected"].clone();
    let number = |value: &Value| value.as_u64().expect("a number");
    assert_eq!(number(&before) + number(&after), 4);
    assert!(
        number(&after) >= 2 && number(&before) <= 2,
        "the one that died then is not before"
    );
}

#[tokio::test]
async fn a_redriven_item_has_all_its_attempts_and_its_history() {
    let api = Api::start();
    api.load(
        json!({"max_attempts": 2, "backoff": {"min_ms": 0, "max_ms": 0}}),
        &["a"],
    )
    .await;
    for error in ["first", "second"] {
        let held = api.take().await;
        api.one(&held, "nack?delay_ms=0", error).await.is(200);
    }
    api.post("/v1/queues/q/seal", ()).await.is(200);
    assert_eq!(api.queue().await["drained"], true);
    assert_eq!(redrive(&api, json!({})).await["drained"], false);
    let held = api.take().await;
    assert_eq!(held.attempt, 1);
    api.one(&held, "nack?delay_ms=0", "third").await.is(200);
    let held = api.take().await;
    assert_eq!(held.attempt, 2, "not dead at once");
    api.one(&held, "ack", "at last").await.is(200);
    let item = api.item(&held.id).await;
    let history: Vec<_> = (0..4).map(|at| &item["history"][at]["as"]).collect();
    assert_eq!(history, ["nack", "nack", "nack", "ack"]);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["drained"], &queue["outcome"]),
        (&json!(true), &json!("clean"))
    );
    let states: Vec<_> = api
        .outcomes()
        .await
        .iter()
        .map(|line| line["state"].clone())
        .collect();
    assert_eq!(states, ["dead", "done"]);
}

#[tokio::test]
async fn attempts_are_numbered_through_and_each_log_is_found_by_its_number() {
    let mut api = Api::start();
    api.load(json!({"max_attempts": 2}), &["a"]).await;
    let attempt = async |api: &Api, number: u32, verdict: &str, which: u64| {
        let held = api.take().await;
        assert_eq!(held.attempt, which, "of those it may have");
        let settlement = json!({"lease": held.lease, "as": verdict, "delay_ms": (verdict != "dead").then_some(0), "log": number.to_string()});
        assert_eq!(api.settle(settlement).await["ok"], true);
        held.id
    };
    for (number, verdict, which) in [(1, "release", 1), (2, "nack", 1), (3, "nack", 2)] {
        attempt(&api, number, verdict, which).await;
    }
    let died = api.outcomes().await;
    assert_eq!(died[0]["attempts"], 2);
    redrive(&api, json!({})).await;
    for restarted in [false, true] {
        if restarted {
            api.restart().await;
        }
        assert_eq!(api.outcomes().await, died, "as it was when it died");
    }
    attempt(&api, 4, "nack", 1).await;
    let id = attempt(&api, 5, "dead", 2).await;
    redrive(&api, json!({})).await;
    let held = api.take().await;
    for restarted in [false, true] {
        if restarted {
            api.restart().await;
        }
        let item = api.item(&id).await;
        assert_eq!(item["attempts"], 1, "its attempts anew");
        let path = |number| format!("/v1/queues/q/items/{id}/log?attempt={number}");
        for number in 1..=5 {
            assert_eq!(item["history"][number - 1]["attempt"], number);
            let log = api.get(&path(number)).await;
            assert_eq!(log.is(200).text(), number.to_string());
        }
        // It runs, and has printed nothing that is kept.
        let log = api.get(&path(6)).await;
        assert_eq!(log.is(200).text(), "");
        let log = api.get(&path(7)).await;
        log.problem(404, "no_such_item");
    }
    api.one(&held, "ack", ()).await.is(200);
    let attempts: Vec<_> = (api.outcomes().await.iter())
        .map(|line| line["attempts"].clone())
        .collect();
    assert_eq!(attempts, [2, 2, 1]);
}

#[tokio::test]
async fn attempts_keep_their_numbers_when_the_oldest_are_forgotten() {
    let api = Api::start();
    api.load(json!({"max_attempts": 100}), &["a"]).await;
    let mut id = String::new();
    for _ in 0..25 {
        let held = api.take().await;
        api.one(&held, "nack?delay_ms=0", "failed").await.is(200);
        id = held.id;
    }
    let item = api.item(&id).await;
    let history = item["history"].as_array().expect("a list");
    let numbers: Vec<_> = history.iter().map(|it| it["attempt"].clone()).collect();
    assert_eq!(numbers, (6..=25).collect::<Vec<_>>());
    let forgotten = format!("/v1/queues/q/items/{id}/log?attempt=5");
    api.get(&forgotten).await.problem(404, "no_such_item");
}

#[tokio::test]
async fn an_item_whose_key_is_taken_again_stays_dead() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post("/v1/queues/q/items?key=k", "old").await.is(201);
    let held = api.take().await;
    api.one(&held, "dead", ()).await.is(200);
    api.post("/v1/queues/q/items?key=k", "new").await.is(201);
    assert_eq!(redrive(&api, json!({})).await["affected"], 0);
    let newer = api.take().await;
    assert_eq!(newer.body, "new");
    api.one(&newer, "ack", ()).await.is(200);
    assert_eq!(redrive(&api, json!({})).await["affected"], 1);
    let again = api
        .post("/v1/queues/q/items?key=k", "newest")
        .await
        .is(201)
        .json();
    assert_eq!(again["items"][0]["duplicate"], true, "it has its key back");
    assert_eq!(again["items"][0]["id"], held.id.as_str());
}

#[tokio::test]
async fn one_who_waits_gets_what_is_redriven() {
    let api = Api::start();
    dead(&api).await;
    let parked = api.lease(json!({"wait_ms": 30_000}));
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        redrive(&api, json!({"limit": 1})).await;
    });
    assert_eq!(answer["items"][0]["body"], "a");
}

#[rstest]
#[case::unknown(json!({"exitcode": 1}), "exitcode")]
#[case::no_id(json!({"ids": ["x"]}), "item id")]
#[case::no_time(json!({"ended_after": "yesterday"}), "year")]
#[case::no_limit(json!({"limit": 0}), "limit")]
#[case::no_needle(json!({"error_contains": ""}), "error_contains")]
#[case::long_needle(json!({"error_contains": "x".repeat(1_025)}), "error_contains")]
#[case::no_group(json!({"group": ""}), "group")]
#[case::too_many(json!({"ids": vec!["0".repeat(32); 10_001]}), "10001")]
#[tokio::test]
async fn a_redrive_is_refused_whole(#[case] request: Value, #[case] named: &str) {
    let api = Api::start();
    dead(&api).await;
    let refused = api.post("/v1/queues/q/redrive", request).await;
    let detail = refused.problem(400, "bad_request");
    assert!(detail.contains(named), "{detail}");
    assert_eq!(api.queue().await["counts"]["dead"], 4);
}

#[tokio::test]
async fn ten_thousand_may_be_named_and_a_needle_may_be_long() {
    let api = Api::start();
    dead(&api).await;
    let most = json!({"ids": vec!["0".repeat(32); 10_000], "error_contains": "x".repeat(1_024)});
    assert_eq!(redrive(&api, most).await["affected"], 0);
}

#[tokio::test]
async fn more_than_one_step_takes_at_once_are_redriven() {
    let api = Api::start();
    api.make(json!({})).await;
    let count = 5_000;
    api.post(
        "/v1/queues/q/items?lines=true&ids=false",
        "x\n".repeat(count),
    )
    .await
    .is(201);
    for _ in 0..count / 1_000 {
        let answer = api.lease(json!({"max": 1_000})).await;
        let dead = |item: &Value| json!({"lease": item["lease"], "as": "dead"});
        let all: Vec<_> = answer["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(dead)
            .collect();
        api.post("/v1/queues/q/settle", json!({"settle": all}))
            .await
            .is(200);
    }
    assert_eq!(
        redrive(&api, json!({"limit": 4_999})).await["affected"],
        4_999
    );
    assert_eq!(redrive(&api, json!({})).await["affected"], 1);
}
