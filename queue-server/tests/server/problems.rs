//! What is wrong with a request, told so that a program can decide and a person can mend it.

use rstest::rstest;
use serde_json::json;

use crate::harness::Api;

#[rstest]
#[case::settings("PUT", "/v1/queues/q")]
#[case::lease("POST", "/v1/queues/q/lease")]
#[case::settle("POST", "/v1/queues/q/settle")]
#[case::extend("POST", "/v1/queues/q/extend")]
#[tokio::test]
async fn malformed_json_is_told_with_its_place(#[case] method: &str, #[case] path: &str) {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    for body in ["{", "nonsense", "[1,2]", "\"text\"", "{\"a\":}", "{} {}"] {
        let detail = api
            .call(method, path, body)
            .await
            .problem(400, "bad_request");
        assert!(
            detail.contains("line 1"),
            "{method} {path} {body}: {detail}"
        );
    }
    api.call(method, path, vec![0xff, 0xfe])
        .await
        .problem(400, "bad_request");
    assert_eq!(api.queue().await["counts"]["leased"], 0);
}

#[tokio::test]
async fn a_problem_does_not_repeat_all_it_stumbled_over() {
    let api = Api::start();
    let answer = api
        .put("/v1/queues/q", json!({ "x".repeat(1_000_000): 1 }))
        .await;
    assert!(answer.problem(400, "bad_request").contains("xxx"));
    assert!(answer.body.len() < 10_000, "{}", answer.body.len());
}

#[rstest]
#[case::curl("application/x-www-form-urlencoded")]
#[case::text("text/plain")]
#[case::right("application/json; charset=utf-8")]
#[tokio::test]
async fn json_is_read_whatever_its_type(#[case] content_type: &str) {
    let api = Api::start();
    let headers = [("content-type", content_type)];
    let made = api
        .call_with("PUT", "/v1/queues/q", &headers, json!({"lease_ms": 1000}))
        .await
        .is(201);
    assert_eq!(made.json()["settings"]["lease_ms"], 1000);
    let lease = json!({"max": 2});
    api.call_with("POST", "/v1/queues/q/lease", &headers, lease)
        .await
        .is(200);
}

#[rstest]
#[case::version("/v1")]
#[case::typo("/v1/queue/q")]
#[case::deeper("/v1/queues/q/items/x/y/z")]
#[case::elsewhere("/admin")]
#[case::other_version("/v2/queues")]
#[case::closing_slash("/v1/queues/")]
#[tokio::test]
async fn an_unknown_path_is_told_as_such(#[case] path: &str) {
    let api = Api::start();
    for method in ["GET", "POST", "PUT", "DELETE"] {
        api.call(method, path, ()).await.problem(404, "not_found");
    }
}

#[rstest]
#[case::queues("POST", "/v1/queues", &["GET"])]
#[case::queue("POST", "/v1/queues/q", &["GET", "PUT", "DELETE"])]
#[case::items("DELETE", "/v1/queues/q/items", &["POST", "PUT", "GET"])]
#[case::item("POST", "/v1/queues/q/items/x", &["GET", "DELETE"])]
#[case::log("DELETE", "/v1/queues/q/items/x/log", &["GET"])]
#[case::redrive("GET", "/v1/queues/q/redrive", &["POST"])]
#[case::lease("GET", "/v1/queues/q/lease", &["POST"])]
#[case::settle("PUT", "/v1/queues/q/settle", &["POST"])]
#[case::extend("GET", "/v1/queues/q/extend", &["POST"])]
#[case::seal("GET", "/v1/queues/q/seal", &["POST"])]
#[case::purge("DELETE", "/v1/queues/q/purge", &["POST"])]
#[case::wait("POST", "/v1/queues/q/wait", &["GET"])]
#[case::outcomes("POST", "/v1/queues/q/outcomes", &["GET"])]
#[case::one_lease("GET", "/v1/leases/x/ack", &["POST"])]
#[case::metrics("POST", "/metrics", &["GET"])]
#[case::health("DELETE", "/healthz", &["GET"])]
#[case::no_method("BREW", "/v1/queues/q", &["GET", "PUT", "DELETE"])]
#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones(
    #[case] method: &str,
    #[case] path: &str,
    #[case] allowed: &[&str],
) {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api.call(method, path, ()).await;
    answer.problem(405, "method_not_allowed");
    let allow: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
    for one in allowed {
        assert!(allow.contains(one), "{one} in {allow:?}");
    }
    assert!(!allow.contains(&method), "{allow:?}");
}

#[tokio::test]
async fn every_answer_has_an_id_and_a_sane_one_is_the_callers() {
    let api = Api::start();
    for (path, status) in [
        ("/v1/queues", 200),
        ("/nowhere", 404),
        ("/v1/queues/no", 404),
        ("/memq/server/stats", 200),
    ] {
        let answer = api.get(path).await.is(status);
        assert!(!answer.header("x-request-id").is_empty());
        let answer = api
            .call_with("GET", path, &[("x-request-id", "mine-1")], ())
            .await;
        assert_eq!(answer.header("x-request-id"), "mine-1");
        let answer = api
            .call_with("GET", path, &[("x-request-id", "not sane")], ())
            .await;
        assert_ne!(answer.header("x-request-id"), "not sane");
    }
}

#[tokio::test]
async fn a_refused_request_does_not_end_its_connection() {
    let api = Api::start();
    let mut wire = api.wire().await;
    wire.send("GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    wire.read_until("not_found").await;
    wire.send("PUT /v1/queues/q HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n{")
        .await;
    wire.read_until("bad_request").await;
    wire.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    assert!(wire.read_to_end().await.contains("HTTP/1.1 200 OK"));
}
