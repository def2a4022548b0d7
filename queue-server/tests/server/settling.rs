//! Settling and extending: verdicts, retries, fences against the late, and limits.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::Api;

/// The outcomes of `q`, one value each.
async fn outcomes(api: &Api) -> Vec<Value> {
    let text = api.get("/v1/queues/q/outcomes").await.is(200).text();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn each_settlement_is_answered_for_itself_and_in_order() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let (a, b) = (api.take().await, api.take().await);
    let settle = json!([
        {"lease": b.lease, "as": "ack"},
        {"lease": "never-was", "as": "ack"},
        {"lease": a.lease, "as": "dead", "error": "poison"},
    ]);
    let answer = api
        .post("/v1/queues/q/settle", json!({"settle": settle}))
        .await
        .is(200)
        .json();
    let expected = json!({"settled": [
        {"lease": b.lease, "ok": true},
        {"lease": "never-was", "ok": false, "code": "lease_lost"},
        {"lease": a.lease, "ok": true},
    ]});
    assert_eq!(answer, expected);
    let queue = api.queue().await;
    assert_eq!(
        queue["counts"],
        json!({"ready": 0, "leased": 0, "delayed": 0, "dead": 1, "done": 1})
    );
}

#[rstest]
#[case::text(json!("two words"), "two words")]
#[case::number(json!(42), "42")]
#[case::object(json!({"a": [1, null]}), r#"{"a":[1,null]}"#)]
#[tokio::test]
async fn a_result_is_kept_as_its_text_or_its_json(#[case] result: Value, #[case] kept: &str) {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.settle(json!({"lease": held.lease, "as": "ack", "result": result}))
        .await;
    assert_eq!(outcomes(&api).await[0]["result"], kept);
}

#[tokio::test]
async fn a_failed_item_waits_before_its_retry() {
    let api = Api::start();
    api.load(json!({"backoff": {"min_ms": 60_000}}), &["a"])
        .await;
    let held = api.take().await;
    let settled = api
        .settle(json!({"lease": held.lease, "as": "nack", "error": "no"}))
        .await;
    assert_eq!(settled, json!({"lease": held.lease, "ok": true}));
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["delayed"], &queue["unfinished"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&queue["backlog"], &queue["totals"]["nacked"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
}

#[tokio::test]
async fn a_retry_that_falls_due_goes_to_the_one_who_waits() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.settle(json!({"lease": held.lease, "as": "nack", "delay_ms": 150}))
        .await;
    let again = api.take_with(json!({"wait_ms": 30_000})).await;
    assert_eq!((again.id, again.attempt), (held.id, 2));
}

#[tokio::test]
async fn an_item_that_fails_its_last_attempt_is_dead() {
    let api = Api::start();
    api.load(json!({"max_attempts": 3}), &["a"]).await;
    for attempt in 1..=3 {
        let held = api.take().await;
        assert_eq!(held.attempt, attempt);
        let error = format!("failure {attempt}");
        let nack = json!({"lease": held.lease, "as": "nack", "delay_ms": 0, "error": error, "exit_code": 7});
        assert_eq!(api.settle(nack).await["ok"], true);
    }
    assert_eq!(api.queue().await["counts"]["dead"], 1);
    let outcome = outcomes(&api).await.remove(0);
    assert_eq!(
        (&outcome["state"], &outcome["attempts"]),
        (&json!("dead"), &json!(3))
    );
    assert_eq!(
        (&outcome["error"], &outcome["exit_code"]),
        (&json!("failure 3"), &json!(7))
    );
}

#[tokio::test]
async fn ten_releases_are_free_and_the_next_one_spends_an_attempt() {
    let api = Api::start();
    api.load(json!({"max_attempts": 2}), &["a"]).await;
    for _ in 0..11 {
        let held = api.take().await;
        assert_eq!(held.attempt, 1);
        assert_eq!(
            api.settle(json!({"lease": held.lease, "as": "release"}))
                .await["ok"],
            true
        );
    }
    let held = api.take().await;
    assert_eq!(held.attempt, 2, "the eleventh spent one");
    api.settle(json!({"lease": held.lease, "as": "release"}))
        .await;
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["dead"], &queue["totals"]["released"]),
        (&json!(1), &json!(12))
    );
}

#[rstest]
#[case::ack("ack")]
#[case::nack("nack")]
#[case::release("release")]
#[case::dead("dead")]
#[tokio::test]
async fn the_same_settlement_again_is_ok_and_changes_nothing(#[case] verdict: &str) {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let settlement = json!({"lease": held.lease, "as": verdict});
    assert_eq!(
        api.settle(settlement.clone()).await,
        json!({"lease": held.lease, "ok": true})
    );
    let before = api.queue().await;
    let again = api.settle(settlement).await;
    assert_eq!(
        again,
        json!({"lease": held.lease, "ok": true, "repeated": true})
    );
    for other in ["ack", "nack", "release", "dead"]
        .iter()
        .filter(|other| **other != verdict)
    {
        let refused = api.settle(json!({"lease": held.lease, "as": other})).await;
        assert_eq!(
            refused,
            json!({"lease": held.lease, "ok": false, "code": "lease_lost"})
        );
    }
    let after = api.queue().await;
    assert_eq!(
        (&before["counts"], &before["totals"]),
        (&after["counts"], &after["totals"])
    );
}

#[tokio::test]
async fn a_repeat_counts_as_one_only_while_nothing_has_happened_since() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let first = api.take().await;
    let nack = json!({"lease": first.lease, "as": "nack", "delay_ms": 0});
    api.settle(nack.clone()).await;
    let second = api.take().await;
    let refused = api.settle(json!({"lease": first.lease, "as": "ack"})).await;
    assert_eq!(refused["code"], "lease_lost");
    assert_eq!(
        api.settle(json!({"lease": second.lease, "as": "ack"}))
            .await["ok"],
        true
    );
    let stale = api.settle(nack).await;
    assert!(
        stale["repeated"] == true || stale["code"] == "lease_lost",
        "{stale}"
    );
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["done"], &queue["totals"]["nacked"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn an_expired_lease_cannot_settle_even_if_nobody_took_the_item() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take_with(json!({"lease_ms": 100})).await;
    api.until_count("ready", 1).await;
    for verdict in ["ack", "nack", "release", "dead"] {
        let late = api
            .settle(json!({"lease": held.lease, "as": verdict}))
            .await;
        assert_eq!(
            late,
            json!({"lease": held.lease, "ok": false, "code": "lease_lost"})
        );
    }
    let queue = api.queue().await;
    assert_eq!(
        queue["counts"],
        json!({"ready": 1, "leased": 0, "delayed": 0, "dead": 0, "done": 0})
    );
    assert!(outcomes(&api).await.is_empty());
}

#[tokio::test]
async fn a_late_worker_does_not_disturb_the_one_who_holds_the_item_now() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let late = api
        .take_with(json!({"lease_ms": 100, "worker": "late"}))
        .await;
    let now = api
        .take_with(json!({"wait_ms": 30_000, "worker": "now"}))
        .await;
    assert_eq!(now.id, late.id);
    api.one(&late, "ack", "late")
        .await
        .problem(409, "lease_lost");
    api.one(&now, "ack", "now").await.is(200);
    let outcome = outcomes(&api).await.remove(0);
    assert_eq!(
        (&outcome["result"], &outcome["worker"]),
        (&json!("now"), &json!("now"))
    );
    assert_eq!(outcome["attempts"], 2);
}

#[tokio::test]
async fn a_token_settles_in_its_own_queue_only() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.put("/v1/queues/other", ()).await.is(201);
    let held = api.take().await;
    let settle = json!({"settle": [{"lease": held.lease, "as": "ack"}]});
    let answer = api
        .post("/v1/queues/other/settle", settle)
        .await
        .is(200)
        .json();
    assert_eq!(answer["settled"][0]["code"], "lease_lost");
    assert_eq!(api.queue().await["counts"]["leased"], 1);
}

#[tokio::test]
async fn a_result_past_its_limit_is_refused_and_the_lease_goes_on() {
    let api = Api::start();
    api.load(json!({"max_result_bytes": 10}), &["a"]).await;
    let held = api.take().await;
    let ack = |result: &str| json!({"lease": held.lease, "as": "ack", "result": result});
    let refused = api.settle(ack("01234567890")).await;
    assert_eq!(
        refused,
        json!({"lease": held.lease, "ok": false, "code": "body_too_large"})
    );
    api.one(&held, "ack", "01234567890")
        .await
        .problem(413, "body_too_large");
    assert_eq!(api.queue().await["counts"]["leased"], 1);
    assert_eq!(api.settle(ack("0123456789")).await["ok"], true);
}

#[tokio::test]
async fn a_long_error_is_cut_and_never_refused() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let error = "é".repeat(200_000);
    assert_eq!(
        api.settle(json!({"lease": held.lease, "as": "dead", "error": error}))
            .await["ok"],
        true
    );
    let kept = outcomes(&api).await[0]["error"]
        .as_str()
        .expect("text")
        .len();
    assert!((100 * 1024..=132 * 1024).contains(&kept), "{kept}");
}

#[rstest]
#[case::verdict(json!({"settle": [{"lease": "x", "as": "done"}]}), "done")]
#[case::no_verdict(json!({"settle": [{"lease": "x"}]}), "as")]
#[case::no_token(json!({"settle": [{"as": "ack"}]}), "lease")]
#[case::bad_token(json!({"settle": [{"lease": "a b", "as": "ack"}]}), "a b")]
#[case::unknown_field(json!({"settle": [{"lease": "x", "as": "ack", "reslut": 1}]}), "reslut")]
#[case::no_list(json!({}), "settle")]
#[case::too_many(json!({"settle": vec![json!({"lease": "x", "as": "ack"}); 10_001]}), "10000")]
#[tokio::test]
async fn what_is_no_settlement_is_refused(#[case] request: Value, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let detail = api
        .post("/v1/queues/q/settle", request)
        .await
        .problem(400, "bad_request");
    assert!(detail.contains(named), "{named} in {detail}");
}

#[tokio::test]
async fn as_many_settlements_as_one_call_may_hold_are_taken() {
    let api = Api::start();
    api.make(json!({})).await;
    let most = json!({"settle": vec![json!({"lease": "x", "as": "ack"}); 10_000]});
    let answer = api.post("/v1/queues/q/settle", most).await.is(200).json();
    assert_eq!(answer["settled"].as_array().map(Vec::len), Some(10_000));
}

#[tokio::test]
async fn an_extended_lease_outlives_its_first_deadline() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take_with(json!({"lease_ms": 1500})).await;
    let extend = json!({"leases": [held.lease, "never-was"], "lease_ms": 60_000});
    let answer = api.post("/v1/queues/q/extend", extend).await.is(200).json();
    let left = answer["settled"][0]["lease_ms"].as_u64().expect("a number");
    assert!((59_000..=60_000).contains(&left), "{answer}");
    let lost = json!({"lease": "never-was", "ok": false, "code": "lease_lost"});
    assert_eq!(answer["settled"][1], lost);
    let waited = api.lease(json!({"wait_ms": 1600})).await;
    assert_eq!(waited["state"], "waiting", "the first deadline is over");
    api.one(&held, "ack", ()).await.is(200);
}

#[tokio::test]
async fn an_extension_without_a_length_has_the_queues() {
    let api = Api::start();
    api.load(json!({"lease_ms": 40_000}), &["a"]).await;
    let held = api.take_with(json!({"lease_ms": 1000})).await;
    let answer = api
        .post("/v1/queues/q/extend", json!({"leases": [held.lease]}))
        .await
        .is(200)
        .json();
    let left = answer["settled"][0]["lease_ms"].as_u64().expect("a number");
    assert!((39_000..=40_000).contains(&left), "{answer}");
}

#[tokio::test]
async fn no_extension_moves_the_hard_end_of_an_attempt() {
    let api = Api::start();
    api.load(json!({"max_lease_ms": 2000}), &["a"]).await;
    let held = api.take_with(json!({"lease_ms": 1500})).await;
    let extend = json!({"leases": [held.lease], "lease_ms": 60_000});
    let answer = api.post("/v1/queues/q/extend", extend).await.is(200).json();
    let left = answer["settled"][0]["lease_ms"].as_u64().expect("a number");
    assert!(left <= 2000, "{answer}");
    let again = api.take_with(json!({"wait_ms": 30_000})).await;
    assert_eq!((again.id.as_str(), again.attempt), (held.id.as_str(), 2));
}

#[rstest]
#[case::no_list(json!({}), "leases")]
#[case::short(json!({"leases": [], "lease_ms": 99}), "99")]
#[case::unknown_field(json!({"leases": [], "ms": 1}), "ms")]
#[case::too_many(json!({"leases": vec!["x"; 10_001]}), "10000")]
#[tokio::test]
async fn what_is_no_extension_is_refused(#[case] request: Value, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let detail = api
        .post("/v1/queues/q/extend", request)
        .await
        .problem(400, "bad_request");
    assert!(detail.contains(named), "{named} in {detail}");
}
