//! Queues: making, showing, setting, deleting; seal, pause, purge.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, Held, within};

#[tokio::test]
async fn a_new_queue_is_shown_whole() {
    let api = Api::start();
    let made = api.put("/v1/queues/q", ()).await.is(201).json();
    let expected = json!({
        "name": "q", "sealed": false, "paused": false, "drained": false, "empty": false,
        "counts": {"ready": 0, "leased": 0, "delayed": 0, "dead": 0, "done": 0},
        "backlog": 0, "unfinished": 0, "rate_per_s": 0.0, "handling": {"completions": 0},
        "totals": {"enqueued": 0, "duplicates": 0, "leased": 0, "acked": 0, "nacked": 0, "released": 0,
            "lease_expired": 0, "item_expired": 0, "cancelled": 0, "dead": 0, "redriven": 0,
            "purged": 0, "taken": 0},
        "settings": {
            "lease_ms": 30_000, "max_attempts": 5,
            "backoff": {"min_ms": 1000, "max_ms": 300_000, "factor": 2.0},
            "done_retention_items": 1_000_000, "done_retention_ms": 7 * 24 * 3_600_000_u64,
            "done_retention_bytes": 256 * 1024 * 1024, "quiet_ms": 5000,
            "max_body_bytes": 1_048_576, "max_result_bytes": 65_536, "key_window_ms": 0,
        },
    });
    assert_eq!(made, expected, "no null is sent, nothing is missing");
    assert_eq!(api.queue().await, expected);
}

#[tokio::test]
async fn a_queue_is_made_once_and_then_changed() {
    let api = Api::start();
    api.put(
        "/v1/queues/q",
        json!({"lease_ms": 1000, "max_items": 7, "max_attempts": 2}),
    )
    .await
    .is(201);
    let changed = api
        .put("/v1/queues/q", json!({"lease_ms": null, "max_items": null}))
        .await
        .is(200);
    let settings = &changed.json()["settings"];
    assert_eq!(settings["lease_ms"], 30_000, "null resets");
    assert_eq!(settings.get("max_items"), None, "null resets");
    assert_eq!(settings["max_attempts"], 2, "absent keeps");
    assert_eq!(
        api.put("/v1/queues/q", ()).await.is(200).json()["settings"],
        *settings
    );
}

#[tokio::test]
async fn an_unknown_setting_is_refused_by_name_and_nothing_is_made() {
    let api = Api::start();
    let refused = api.put("/v1/queues/q", json!({"leese_ms": 1000})).await;
    assert!(refused.problem(400, "bad_request").contains("leese_ms"));
    api.get("/v1/queues/q").await.problem(404, "no_such_queue");
    api.make(json!({"lease_ms": 1000})).await;
    let refused = api
        .put("/v1/queues/q", json!({"lease_ms": 2000, "prio": 1}))
        .await;
    assert!(refused.problem(400, "bad_request").contains("prio"));
    assert_eq!(api.queue().await["settings"]["lease_ms"], 1000);
}

#[rstest]
#[case::shortest_lease("lease_ms", json!(100), json!(99))]
#[case::longest_lease("lease_ms", json!(315_360_000_000_u64), json!(315_360_000_001_u64))]
#[case::hard_end("max_lease_ms", json!(100), json!(99))]
#[case::fewest_attempts("max_attempts", json!(1), json!(0))]
#[case::most_attempts("max_attempts", json!(1000), json!(1001))]
#[case::smallest_body("max_body_bytes", json!(1), json!(0))]
#[case::largest_body("max_body_bytes", json!(16_777_216), json!(16_777_217))]
#[case::factor("backoff", json!({"factor": 10}), json!({"factor": 10.5}))]
#[case::least_factor("backoff", json!({"factor": 1}), json!({"factor": 0.9}))]
#[case::backwards("backoff", json!({"min_ms": 8, "max_ms": 8}), json!({"min_ms": 9, "max_ms": 8}))]
#[case::no_number("quiet_ms", json!(0), json!("5s"))]
#[case::negative("done_retention_items", json!(0), json!(-1))]
#[case::unknown_inside("backoff", json!({}), json!({"mim_ms": 1}))]
#[tokio::test]
async fn a_setting_is_taken_at_its_limit_and_refused_one_past_it(
    #[case] setting: &str,
    #[case] at: Value,
    #[case] past: Value,
) {
    let api = Api::start();
    api.put("/v1/queues/q", json!({ setting: at }))
        .await
        .is(201);
    let before = api.queue().await["settings"].clone();
    let refused = api.put("/v1/queues/q", json!({ setting: past })).await;
    let detail = refused.problem(400, "bad_request");
    let named = detail.contains(setting) || setting == "backoff" && detail.contains("mim_ms");
    assert!(named || detail.contains("column"), "{detail}");
    assert_eq!(api.queue().await["settings"], before);
}

#[tokio::test]
async fn queues_are_listed_by_name() {
    let api = Api::start();
    assert_eq!(
        api.get("/v1/queues").await.is(200).json(),
        json!({"queues": []})
    );
    for name in ["b", "a", "C"] {
        api.put(&format!("/v1/queues/{name}"), ()).await.is(201);
    }
    let list = api.get("/v1/queues").await.is(200).json();
    let names: Vec<_> = list["queues"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|q| &q["name"])
        .collect();
    assert_eq!(names, ["C", "a", "b"]);
    assert_eq!(list["queues"][1], api.get("/v1/queues/a").await.json());
}

#[rstest]
#[case::one_letter("a", true)]
#[case::all_kinds("A.b_c-9", true)]
#[case::underscore_first("_x", true)]
#[case::longest(&"a".repeat(128), true)]
#[case::too_long(&"a".repeat(129), false)]
#[case::hidden(".hidden", false)]
#[case::like_a_flag("-rf", false)]
#[case::blank("a%20b", false)]
#[case::slash("a%2Fb", false)]
#[case::up("..%2Fetc", false)]
#[case::not_ascii("%C3%A9", false)]
#[case::not_utf8("%FF", false)]
#[case::nul("a%00", false)]
#[tokio::test]
async fn a_name_is_safe_or_refused(#[case] name: &str, #[case] safe: bool) {
    let api = Api::start();
    let path = format!("/v1/queues/{name}");
    if safe {
        api.put(&path, ()).await.is(201);
        api.get(&path).await.is(200);
    } else {
        for method in ["PUT", "GET", "DELETE"] {
            api.call(method, &path, ())
                .await
                .problem(400, "bad_request");
        }
        api.post(&format!("{path}/items?create=true"), "x")
            .await
            .problem(400, "bad_request");
        assert_eq!(api.get("/v1/queues").await.json()["queues"], json!([]));
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_to_be_missing() {
    let api = Api::start();
    for (method, path) in [
        ("GET", "/v1/queues/q"),
        ("DELETE", "/v1/queues/q"),
        ("POST", "/v1/queues/q/items"),
        ("PUT", "/v1/queues/q/items"),
        ("POST", "/v1/queues/q/lease"),
        ("POST", "/v1/queues/q/lease?raw=true"),
        ("GET", "/v1/queues/q/wait?for=drained"),
        ("GET", "/v1/queues/q/outcomes"),
        ("POST", "/v1/queues/q/seal"),
        ("POST", "/v1/queues/q/reopen"),
        ("POST", "/v1/queues/q/pause"),
        ("POST", "/v1/queues/q/resume"),
        ("POST", "/v1/queues/q/purge"),
    ] {
        let detail = api
            .call(method, path, ())
            .await
            .problem(404, "no_such_queue");
        assert!(detail.contains("`q`"), "{method} {path}: {detail}");
    }
    for (path, body) in [
        ("settle", json!({"settle": []})),
        ("extend", json!({"leases": []})),
    ] {
        api.post(&format!("/v1/queues/q/{path}"), body)
            .await
            .problem(404, "no_such_queue");
    }
}

#[tokio::test]
async fn a_queue_is_deleted_with_all_that_is_in_it() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let gone = api.delete("/v1/queues/q").await.is(204);
    assert!(gone.body.is_empty());
    api.delete("/v1/queues/q")
        .await
        .problem(404, "no_such_queue");
    api.make(json!({})).await;
    assert_eq!(
        api.queue().await["totals"]["enqueued"],
        0,
        "a new queue of that name begins anew"
    );
}

#[tokio::test]
async fn a_queue_with_leased_items_is_deleted_by_force_only() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.delete("/v1/queues/q").await.problem(409, "queue_busy");
    api.delete("/v1/queues/q?force=false")
        .await
        .problem(409, "queue_busy");
    api.delete("/v1/queues/q?force=true").await.is(204);
    api.one(&held, "ack", ()).await.problem(409, "lease_lost");

    api.load(json!({}), &["a"]).await;
    let other = api.take().await;
    assert_ne!(other.lease, held.lease);
    assert_ne!(other.id, held.id);
    api.one(&held, "ack", ()).await.problem(409, "lease_lost");
    assert_eq!(
        api.queue().await["counts"]["leased"],
        1,
        "the old token means nothing to the new queue"
    );
}

#[tokio::test]
async fn one_queue_past_the_limit_is_refused() {
    let api = Api::start_with(|config| config.max_queues = 2);
    api.put("/v1/queues/a", ()).await.is(201);
    api.put("/v1/queues/b", ()).await.is(201);
    let detail = api.put("/v1/queues/c", ()).await.problem(429, "overloaded");
    assert!(detail.contains('2'), "{detail}");
    api.post("/v1/queues/c/items?create=true", "x")
        .await
        .problem(429, "overloaded");
    api.put("/v1/queues/a", json!({"lease_ms": 1000}))
        .await
        .is(200);
    api.delete("/v1/queues/a").await.is(204);
    api.put("/v1/queues/c", ()).await.is(201);
}

#[tokio::test]
async fn a_sealed_queue_takes_no_items_and_drains() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let sealed = api.post("/v1/queues/q/seal", ()).await.is(200).json();
    assert_eq!(
        (&sealed["sealed"], &sealed["drained"]),
        (&json!(true), &json!(false))
    );
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.post("/v1/queues/q/items", "b")
        .await
        .problem(409, "queue_sealed");
    api.post("/v1/queues/q/items?lines=true", "b\nc\n")
        .await
        .problem(409, "queue_sealed");

    let held = api.take().await;
    assert_eq!(
        api.queue().await["drained"],
        false,
        "leased elsewhere is not drained"
    );
    api.one(&held, "nack?delay_ms=0", ()).await.is(200);
    assert_eq!(
        api.queue().await["drained"],
        false,
        "a retry is not drained"
    );
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["drained"], &queue["outcome"]),
        (&json!(true), &json!("clean"))
    );

    let reopened = api.post("/v1/queues/q/reopen", ()).await.is(200).json();
    assert_eq!(
        (&reopened["sealed"], &reopened["drained"]),
        (&json!(false), &json!(false))
    );
    api.enqueue("b").await;
}

#[tokio::test]
async fn dead_items_do_not_keep_a_queue_from_draining_but_its_outcome_tells() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    assert_eq!(
        api.queue().await.get("outcome"),
        None,
        "not before all is finished"
    );
    let held = api.take().await;
    api.one(&held, "dead", "hopeless").await.is(200);
    let queue = api.post("/v1/queues/q/seal", ()).await.is(200).json();
    assert_eq!(
        (&queue["drained"], &queue["outcome"]),
        (&json!(true), &json!("dead"))
    );
    assert_eq!(
        (&queue["counts"]["dead"], &queue["totals"]["dead"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_paused_queue_takes_items_and_lends_none() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    assert_eq!(
        api.post("/v1/queues/q/pause", ()).await.is(200).json()["paused"],
        true
    );
    api.enqueue("b").await;
    let answer = api.lease(json!({})).await;
    assert_eq!(answer, json!({"items": [], "state": "paused"}));
    assert_eq!(
        api.post("/v1/queues/q/resume", ()).await.is(200).json()["paused"],
        false
    );
    assert_eq!(api.take().await.body, "a");
}

#[tokio::test]
async fn nobody_can_say_how_long_a_paused_queue_takes() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    let left = async || api.get("/v1/queues/q").await.is(200).json()["eta_ms"].clone();
    assert!(left().await.is_u64());
    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert!(left().await.is_null());
    api.post("/v1/queues/q/resume", ()).await.is(200);
    assert!(left().await.is_u64());
}

#[tokio::test]
async fn resuming_lends_to_those_who_waited() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/v1/queues/q/pause", ()).await.is(200);
    let (answer, ()) = tokio::join!(api.lease(json!({"wait_ms": 30_000})), async {
        api.until_parked(1).await;
        api.post("/v1/queues/q/resume", ()).await.is(200);
    });
    assert_eq!(Held::of(&answer).body, "a");
}

#[tokio::test]
async fn what_is_leased_when_a_queue_is_paused_is_settled_as_ever() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.post("/v1/queues/q/pause", ()).await.is(200);
    api.one(&held, "ack", ()).await.is(200);
    let queue = api.post("/v1/queues/q/seal", ()).await.is(200).json();
    assert_eq!(queue["drained"], true, "pausing does not matter");
    assert_eq!(api.lease(json!({})).await["state"], "drained");
}

#[tokio::test]
async fn whoever_is_parked_on_a_queue_that_is_deleted_is_told() {
    let api = Api::start();
    api.make(json!({})).await;
    let parked = api.post("/v1/queues/q/lease", json!({"wait_ms": 30_000}));
    let waiting = api.get("/v1/queues/q/wait?for=drained&wait_ms=30000");
    let (parked, waiting, ()) = tokio::join!(parked, waiting, async {
        api.until_parked(2).await;
        api.delete("/v1/queues/q").await.is(204);
    });
    parked.problem(410, "gone");
    waiting.problem(410, "gone");
}

#[tokio::test]
async fn the_oldest_ready_item_tells_its_age() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    within(async { while api.queue().await["oldest_ready_ms"].as_u64() < Some(50) {} }).await;
    api.take().await;
    assert_eq!(
        api.queue().await.get("oldest_ready_ms"),
        None,
        "none is ready"
    );
}
