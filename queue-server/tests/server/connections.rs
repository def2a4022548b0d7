//! Connections that misbehave: half requests, endless ones, too many of them.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Api, until};

#[tokio::test]
async fn half_a_head_left_open_is_answered_and_closed() {
    let api = Api::start_with(|config| config.connections.head_timeout = Duration::from_secs(1));
    let mut wire = api.wire().await;
    wire.send("POST /v1/queues/q/items?create=true HTTP/1.1\r\nhost: localhost\r\ncontent-le")
        .await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    assert_eq!(
        api.get("/v1/queues").await.is(200).json()["queues"],
        json!([])
    );
}

#[tokio::test]
async fn half_a_body_left_open_is_answered_and_enqueues_nothing() {
    let api = Api::start_with(|config| config.connections.body_timeout = Duration::from_secs(1));
    api.make(json!({})).await;
    for path in ["/v1/queues/q/items?lines=true", "/v1/queues/q/lease"] {
        let mut wire = api.wire().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\na\nb\nc\n"
        ))
        .await;
        let answer = wire.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    }
    let mut wire = api.wire().await;
    wire.send(
        "POST /memq/server/queues/q/enqueue HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nabc",
    )
    .await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("text/plain; charset=utf-8"), "{answer}");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_enqueues_nothing() {
    let api = Api::start();
    api.make(json!({})).await;
    for framing in [
        "content-length: 100\r\n\r\na\nb\n",
        "transfer-encoding: chunked\r\n\r\n4\r\na\nb\n\r\n",
    ] {
        let mut wire = api.wire().await;
        wire.send(format!(
            "POST /v1/queues/q/items?lines=true HTTP/1.1\r\nhost: localhost\r\n{framing}"
        ))
        .await;
        drop(wire);
    }
    let mut wire = api.wire().await;
    wire.send(
        "POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    )
    .await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_chunked_body_is_an_item_like_any_other() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut wire = api.wire().await;
    let chunks = "POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    wire.send(chunks).await;
    assert!(
        wire.read_to_end()
            .await
            .starts_with("HTTP/1.1 201 Created\r\n")
    );
    assert_eq!(api.take().await.body, "abcde");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut wire = api.wire().await;
    wire.send("POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
    wire.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    wire.send("hello").await;
    wire.read_until("HTTP/1.1 201 Created\r\n").await;
    assert_eq!(api.take().await.body, "hello");
}

#[tokio::test]
async fn requests_may_follow_each_other_without_waiting_for_answers() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut wire = api.wire().await;
    let one = |body: &str| {
        format!(
            "POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n{body}"
        )
    };
    let last = "GET /v1/queues/q HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    wire.send(one("a") + &one("b") + &one("c") + last).await;
    let answers = wire.read_to_end().await;
    assert_eq!(
        answers.matches("HTTP/1.1 201 Created").count(),
        3,
        "{answers}"
    );
    assert!(answers.contains("\"ready\":3"), "{answers}");
}

#[tokio::test]
async fn a_client_that_would_rather_speak_another_protocol_is_answered_in_this_one() {
    let api = Api::start();
    let mut wire = api.wire().await;
    // What Java's client sends with every first request.
    wire.send("GET /v1/queues HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n").await;
    let answer = wire.read_until("{\"queues\":[]}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    wire.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn garbage_is_refused_and_forgotten() {
    let api = Api::start();
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /v1/queues HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let mut wire = api.wire().await;
        wire.send(garbage).await;
        let answer = wire.read_to_end().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{garbage:?}: {answer}"
        );
    }
    api.get("/healthz").await.is(200);
}

#[tokio::test]
async fn smuggled_framing_is_refused() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut wire = api.wire().await;
    wire.send("POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde").await;
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn one_connection_past_the_limit_is_told_so() {
    let api = Api::start_with(|config| {
        config.connections.max_connections = 8;
        config.max_waiters = 8;
    });
    let mut kept = Vec::new();
    for _ in 0..8 {
        let mut wire = api.wire().await;
        wire.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await;
        wire.read_until("ok").await;
        kept.push(wire);
    }
    let detail = api.get("/v1/queues").await.problem(429, "overloaded");
    assert!(detail.contains('8'), "{detail}");
    drop(kept);
    until("there is room again", async || {
        api.get("/healthz").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_the_server_stops() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let mut wire = api.wire().await;
    wire.send("POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n")
        .await;
    // Asked for its body: the request is under way.
    wire.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    wire.send("ab").await;
    api.tell_to_stop();
    until("nobody listens", async || {
        tokio::net::TcpStream::connect(api.address()).await.is_err()
    })
    .await;
    wire.send("cd").await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    let stopped = api.stopped().await;
    assert_eq!(stopped.cut, 0, "{stopped}");
}
