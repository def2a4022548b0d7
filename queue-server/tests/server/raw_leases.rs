//! Leasing and settling from a shell: the body as it is, the token in a header, one call a verdict.

use rstest::rstest;
use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn the_body_comes_as_it_is_and_its_token_in_a_header() {
    let api = Api::start();
    api.make(json!({})).await;
    let body = [0xff, 0x00, b'\n', b'"'];
    let id = api.enqueue(body.to_vec()).await;
    let answer = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert_eq!(answer.body, body.as_slice());
    assert_eq!(answer.header("memq-item-id"), id);
    assert_eq!(answer.header("memq-attempt"), "1");
    let token = answer.header("memq-lease");
    api.post(&format!("/v1/leases/{token}/ack"), ())
        .await
        .is(200);
    assert_eq!(api.queue().await["counts"]["done"], 1);
}

#[tokio::test]
async fn nothing_yet_is_204_and_nothing_ever_is_410() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 0}), &["a"]).await;
    let held = api.take().await;
    let nothing = api.post("/v1/queues/q/lease?raw=true", ()).await.is(204);
    assert!(nothing.body.is_empty());
    api.one(&held, "ack", ()).await.is(200);
    api.post("/v1/queues/q/lease?raw=true", ()).await.is(204);
    api.post("/v1/queues/q/lease?raw=true&until=empty", ())
        .await
        .problem(410, "gone");
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.post("/v1/queues/q/lease?raw=true", ())
        .await
        .problem(410, "gone");
}

#[tokio::test]
async fn a_shell_waits_as_others_do() {
    let api = Api::start();
    api.make(json!({})).await;
    let parked = api.post(
        "/v1/queues/q/lease?raw=true&wait_ms=30s&lease_ms=1m&worker=sh",
        (),
    );
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.enqueue("late").await;
    });
    assert_eq!(answer.is(200).text(), "late");
}

#[tokio::test]
async fn a_shell_that_waits_hears_of_the_end() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    let parked = api.post("/v1/queues/q/lease?raw=true&wait_ms=30000", ());
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.one(&held, "ack", ()).await.is(200);
    });
    answer.problem(410, "gone");
}

#[rstest]
#[case::ack("ack", "done", json!({"state": "done", "result": "said"}))]
#[case::dead("dead", "dead", json!({"state": "dead", "error": "said"}))]
#[case::nack("nack?delay_ms=0&exit_code=3", "dead", json!({"state": "dead", "error": "said", "exit_code": 3}))]
#[tokio::test]
async fn the_raw_body_of_a_verdict_is_the_result_or_the_error(
    #[case] call: &str,
    #[case] state: &str,
    #[case] kept: serde_json::Value,
) {
    let api = Api::start();
    api.load(json!({"max_attempts": 1}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, call, "said").await.is(200);
    assert_eq!(api.queue().await["counts"][state], 1);
    let outcome = api.get("/v1/queues/q/outcomes").await.is(200).parse();
    for (field, value) in kept.as_object().expect("fields") {
        assert_eq!(&outcome[field], value, "{outcome}");
    }
}

#[tokio::test]
async fn a_release_gives_the_item_back_unspent() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "release", "busy").await.is(200);
    let again = api.take().await;
    assert_eq!((again.id.as_str(), again.attempt), (held.id.as_str(), 1));
    api.one(&again, "release?delay_ms=1m", ()).await.is(200);
    assert_eq!(api.queue().await["counts"]["delayed"], 1);
}

#[tokio::test]
async fn an_extension_is_answered_with_what_remains() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let answer = api
        .one(&held, "extend?lease_ms=2m", ())
        .await
        .is(200)
        .json();
    let left = answer["lease_ms"].as_u64().expect("a number");
    assert!((119_000..=120_000).contains(&left), "{answer}");
}

#[rstest]
#[case::ack("ack")]
#[case::nack("nack")]
#[case::release("release")]
#[case::dead("dead")]
#[case::extend("extend")]
#[tokio::test]
async fn a_lease_that_is_lost_is_409(#[case] call: &str) {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take_with(json!({"lease_ms": 100})).await;
    api.until_count("ready", 1).await;
    let before = api.queue().await;
    api.one(&held, call, "late")
        .await
        .problem(409, "lease_lost");
    api.post(&format!("/v1/leases/never-was/{call}"), ())
        .await
        .problem(409, "lease_lost");
    let after = api.queue().await;
    assert_eq!(
        (&before["counts"], &before["totals"]),
        (&after["counts"], &after["totals"])
    );
}

#[rstest]
#[case::blank("a%20b/ack", 400)]
#[case::too_long(&format!("{}/ack", "a".repeat(65)), 400)]
#[case::longest(&format!("{}/ack", "a".repeat(64)), 409)]
#[case::dots("..%2F..%2Fack/ack", 400)]
#[tokio::test]
async fn what_is_no_token_is_refused_as_such(#[case] path: &str, #[case] status: u16) {
    let api = Api::start();
    let code = if status == 400 {
        "bad_request"
    } else {
        "lease_lost"
    };
    api.post(&format!("/v1/leases/{path}"), ())
        .await
        .problem(status, code);
}

#[tokio::test]
async fn an_eight_line_shell_worker_drains_a_queue() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    let mut done = Vec::new();
    loop {
        let answer = api
            .post("/v1/queues/q/lease?raw=true&wait_ms=30s", ())
            .await;
        match answer.status {
            200 => {
                done.push(answer.text());
                let token = answer.header("memq-lease");
                api.post(&format!("/v1/leases/{token}/ack"), "ok")
                    .await
                    .is(200);
            }
            204 => {}
            _ => {
                answer.problem(410, "gone");
                break;
            }
        }
    }
    assert_eq!(done, ["a", "b", "c"]);
}
