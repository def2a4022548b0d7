//! Spans, as a collector gets them: one trace from whoever loads an item to whoever settles it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::collector::Collector;
use crate::support::{PARENT, PATIENCE, Server, memq, said};

fn exporting(words: &[&str], to: &str) -> std::process::Command {
    let mut command = memq(words);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", to);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_through_all_three_programs() {
    let collector = Collector::default();
    let to = collector.start().await;
    let words = ["server", "--listen", "127.0.0.1:0", "--storage", "memory"];
    let server = Server::start(exporting(&words, &to));
    let (url, there) = (server.url.clone(), to.clone());
    let programs = tokio::task::spawn_blocking(move || {
        let mut load = exporting(
            &["load", "q", "-", "--server", &url, "--create", "--seal"],
            &there,
        );
        load.stdin(one_item());
        said(load);
        let worker = [
            "worker", "--server", &url, "--queue", "q", "--until", "drained", "--", "true",
        ];
        said(exporting(&worker, &there))
    });
    programs.await.unwrap();
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();

    let spans = collector.spans.lock().unwrap();
    let named: Vec<(&str, &str)> = spans
        .iter()
        .map(|(from, it)| (from.as_str(), it.name.as_str()))
        .collect();
    let find = |service: &str, name: &str| {
        let found = spans
            .iter()
            .find(|(from, span)| from == service && span.name == name);
        &found
            .unwrap_or_else(|| panic!("no {name} of {service} in {named:?}"))
            .1
    };
    let load = find("memq", "load q");
    let enqueue = find("memq-server", "POST /v1/queues/{queue}/items");
    let attempt = find("memq-worker", "attempt q");
    let settle = spans
        .iter()
        .find(|(_, span)| span.parent_span_id == attempt.span_id);
    let (from, settle) = settle.unwrap_or_else(|| panic!("nothing settles in {named:?}"));
    assert!(from == "memq-server" && settle.name.starts_with("POST /v1/queues/{queue}/"));
    assert!(load.parent_span_id.is_empty(), "it begins the trace");
    assert_eq!(enqueue.parent_span_id, load.span_id);
    assert_eq!(attempt.parent_span_id, load.span_id);
    for span in [enqueue, attempt, settle] {
        assert_eq!(span.trace_id, load.trace_id);
    }
    let said: HashMap<&str, _> = attempt
        .attributes
        .iter()
        .map(|it| (it.key.as_str(), &it.value))
        .collect();
    assert!(
        said.contains_key("item.id") && said.contains_key("queue.name"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_nobody_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", silent.local_addr().unwrap());
    let words = ["server", "--listen", "127.0.0.1:0", "--storage", "memory"];
    let server = Server::start(exporting(&words, &to));
    let url = server.url.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let mut load = exporting(
            &["load", "q", "-", "--server", &url, "--create", "--seal"],
            &to,
        );
        load.stdin(one_item());
        said(load);
        let worker = [
            "worker", "--server", &url, "--queue", "q", "--until", "drained", "--", "true",
        ];
        let lines = said(exporting(&worker, &to));
        assert!(
            lines
                .iter()
                .any(|line| line.contains("the queue is finished")),
            "{lines:#?}"
        );
        server.stop();
        began.elapsed()
    });
    // Three programs, each of which waits three seconds for its last spans.
    let ended = ended.await.unwrap();
    assert!(ended < PATIENCE / 2, "{ended:?}");
    assert!(
        ended > Duration::from_secs(1),
        "spans were to be sent: {ended:?}"
    );
    drop(silent);
}

/// How long a call waits in vain.
const WAIT: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_settles_and_then_waits_is_part_of_the_trace_until_it_waits() {
    let collector = Collector::default();
    let to = collector.start().await;
    let words = ["server", "--listen", "127.0.0.1:0", "--storage", "memory"];
    let server = tokio::task::spawn_blocking(move || Server::start(exporting(&words, &to))).await;
    let server = server.unwrap();
    let queue = server.queue("q");
    queue
        .create(&queue_api::SettingsPatch::default())
        .await
        .unwrap();
    let url = format!("{}/v1/queues/q", server.url);
    let http = reqwest::Client::new();
    let post = async |call: &str, body: String, trace: Option<&str>| {
        let request = http.post(format!("{url}/{call}")).body(body);
        let request = match trace {
            Some(parent) => request.header("traceparent", parent),
            None => request,
        };
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.text().await.unwrap()
    };
    post("items", "an item".into(), None).await;
    let leased = post("lease", "{}".into(), None).await;
    let leased: serde_json::Value = serde_json::from_str(&leased).unwrap();
    let lease = &leased["items"][0]["lease"];

    let wait = WAIT.as_millis();
    let settling =
        format!(r#"{{"settle": [{{"lease": {lease}, "as": "ack"}}], "wait_ms": {wait}}}"#);
    let settles = PARENT.replace("b7ad6b7169203331", "00000000000000aa");
    let only_waits = PARENT.replace("b7ad6b7169203331", "00000000000000bb");
    let waiting = format!(r#"{{"wait_ms": {wait}}}"#);
    let (answer, _) = tokio::join!(
        post("lease", settling, Some(&settles)),
        post("lease", waiting, Some(&only_waits)),
    );
    assert!(answer.contains(r#""ok":true"#), "{answer}");
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();

    let spans = collector.spans.lock().unwrap();
    let lasted = |behind: u8| {
        let of = |(_, span): &&(String, Span)| span.parent_span_id.last() == Some(&behind);
        let (_, span) = spans.iter().find(of).expect("a span of the call");
        Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano)
    };
    assert!(lasted(0xaa) < WAIT / 2, "{:?}", lasted(0xaa));
    assert!(lasted(0xbb) >= WAIT, "{:?}", lasted(0xbb));
}

/// A line of items on standard input.
fn one_item() -> std::process::Stdio {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"an item\n").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file.into()
}
