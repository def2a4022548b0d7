//! Each line of the logs of a server and its workers, at `debug`, through a story with all that may befall an item.

use queue_api::{LeaseRequest, SettingsPatch, Trace};
use queue_client::EnqueueOptions;
use serde_json::Value;
use telemetry::fields;

use crate::support::{PARENT, Server, TRACE_ID, memq, said};

/// Stands in every body, and in no line but those that a handler prints.
const SECRET: &str = "b0dy-text";

/// Ends each item in its own way, and says its body.
const HANDLER: &str = r#"read -r body; echo "told $body" >&2
case "$body" in *dead) exit 65;; *back) exit 75;; *fails) exit 3;; esac
echo "$TRACEPARENT""#;

#[tokio::test]
async fn each_line_has_known_fields_and_ids_and_no_body() {
    let server = Server::start(memq(&[
        "server",
        "--listen",
        "127.0.0.1:0",
        "--storage",
        "memory",
    ]));
    let queue = server.queue("story");
    let settings: SettingsPatch =
        serde_json::from_str(r#"{"max_attempts":2,"backoff":{"min_ms":1,"max_ms":1}}"#).unwrap();
    queue.create(&settings).await.unwrap();
    let traced = queue.with_trace(Trace::new(PARENT, Some("a=1")));
    for end in ["good", "dead", "fails"] {
        let body = format!("{SECRET} {end}");
        traced
            .enqueue(body.into_bytes(), EnqueueOptions::default())
            .await
            .unwrap();
    }
    let plain = format!("{SECRET} plain");
    queue
        .enqueue(plain.into_bytes(), EnqueueOptions::default())
        .await
        .unwrap();
    // One that somebody else holds and gives back under a token that must not be told.
    let leased = queue.lease(&LeaseRequest::default()).await.unwrap();
    let token = leased.items[0].lease.to_string();
    let http = reqwest::Client::new();
    let release = format!("{}/v1/leases/{token}/release", server.url);
    http.post(release)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let refused = format!("{}/v1/queues/nobody/items?key={SECRET}", server.url);
    assert_eq!(
        http.post(refused)
            .body(SECRET)
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    queue.seal().await.unwrap();

    let url = server.url.clone();
    let worker = tokio::task::spawn_blocking(move || {
        let mut words = vec![
            "worker", "--server", &url, "--queue", "story", "--until", "drained",
        ];
        words.extend(["--", "sh", "-c", HANDLER]);
        said(memq(&words))
    });
    let worker = worker.await.unwrap();
    let outcomes = queue.outcomes(0, 100).await.unwrap();
    let good = outcomes
        .iter()
        .find(|it| it.body.0.ends_with(b"good"))
        .unwrap();
    assert_eq!(
        good.result.as_deref(),
        Some(PARENT),
        "the handler is in the trace"
    );
    let item = queue.item(&good.id).await.unwrap();
    assert_eq!(
        (item.traceparent.as_deref(), item.tracestate.as_deref()),
        (Some(PARENT), Some("a=1"))
    );

    let server = server.stop();
    let (told_server, told_worker) = (read(&server), read(&worker));
    for (line, text) in told_server
        .iter()
        .zip(&server)
        .chain(told_worker.iter().zip(&worker))
    {
        check(line, text, &token);
    }
    let count =
        |lines: &[Value], is: &dyn Fn(&Value) -> bool| lines.iter().filter(|it| is(it)).count();
    let in_trace = |line: &Value| line["trace.id"] == TRACE_ID;
    // Three enqueues, and of what settles one item alone at least one.
    let answered = |line: &Value| line["message"] == "answered" && in_trace(line);
    assert!(count(&told_server, &answered) >= 4);
    let attempts = |line: &Value| line["item.attempt"].is_u64() && in_trace(line);
    assert_eq!(
        count(&told_worker, &attempts),
        4,
        "one, one and two attempts"
    );
    let printed = |line: &Value| line["target"] == "handler" && in_trace(line);
    assert!(count(&told_worker, &printed) >= 4);
    let failures = |line: &Value| line["message"] == "failed";
    assert_eq!(count(&told_worker, &failures), 2, "one line per failure");
}

fn read(lines: &[String]) -> Vec<Value> {
    let json = |line: &String| serde_json::from_str(line);
    let read: Result<Vec<Value>, _> = lines.iter().map(json).collect();
    read.unwrap_or_else(|error| panic!("{error}: {lines:#?}"))
}

fn check(line: &Value, text: &str, token: &str) {
    let handlers = line["target"] == "handler";
    assert!(handlers || !text.contains(SECRET), "a body: {text}");
    assert!(!text.contains(token), "a token: {text}");
    for (name, value) in line.as_object().unwrap() {
        assert!(fields::is_known(name), "{name} is not in the table: {text}");
        let Value::Object(span) = value else { continue };
        assert_eq!(name, "span", "{text}");
        let known = |name: &String| name == "name" || fields::is_known(name);
        assert!(span.keys().all(known), "{text}");
    }
    for (name, _) in text.match_indices("\"message\":") {
        assert_eq!(
            text.find("\"message\":"),
            Some(name),
            "a field twice: {text}"
        );
    }
    if line["item.attempt"].is_u64() || handlers {
        assert!(line["item.id"].is_string(), "{text}");
    }
    if line["http.response.status_code"].is_u64() {
        assert!(line["http.request.id"].is_string(), "{text}");
        assert!(line["duration_ms"].is_u64(), "{text}");
    }
}
