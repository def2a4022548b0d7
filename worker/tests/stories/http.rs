//! Servers as handlers: what is sent to them, and what their answers mean.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use queue_api::Finish;
use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::bench::{Bench, Running, until};
use crate::proxy::Proxy;

/// What the server was sent: headers and body, in order.
type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A server that answers each item so, by its body and how often it was asked.
struct Sidecar {
    seen: Seen,
    url: String,
    task: tokio::task::JoinHandle<()>,
}

type Answer = fn(&str, usize) -> Response;

impl Sidecar {
    async fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answer)
    }

    fn on(listener: TcpListener, answer: Answer) -> Self {
        let seen = Seen::default();
        let url = format!("http://{}/item", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/item", post(handle))
            .with_state((seen.clone(), answer));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { seen, url, task }
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    State((seen, answer)): State<(Seen, Answer)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (text, times) = {
        let mut seen = seen.lock().unwrap();
        seen.push((headers, body.clone()));
        (String::from_utf8_lossy(&body).into_owned(), seen.len())
    };
    if text == "slow" {
        std::future::pending::<()>().await;
    }
    answer(&text, times)
}

async fn run(bench: &Bench, url: &str) -> Running {
    let mut worker = bench.worker().args(["--http", url]).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    worker
}

#[tokio::test]
async fn the_answer_is_the_result_and_the_item_arrives_as_it_is() {
    let bench = Bench::new("{}").await;
    bench.add(b"a\0b\xff").await;
    let server = Sidecar::new(|_, _| "the result\n".into_response()).await;
    let args = ["--run", "r1", "--step", "s1", "--http", &server.url];
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let done = bench.done().await;
    assert_eq!(done.result.as_deref(), Some("the result\n"));
    let seen = server.seen.lock().unwrap();
    let (headers, body) = &seen[0];
    assert_eq!(&body[..], b"a\0b\xff");
    for (name, value) in [
        ("memq-item-id", done.id.to_string().as_str()),
        ("memq-attempt", "1"),
        ("memq-priority", "0"),
        ("memq-queue", "q"),
        ("memq-run", "r1"),
        ("memq-step", "s1"),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(!headers.contains_key("memq-item-key"));
}

#[tokio::test]
async fn each_status_says_what_becomes_of_the_item() {
    let bench = Bench::with(
        r#"{"max_attempts":1}"#,
        &["200", "204", "422", "500", "302", "404"],
    )
    .await;
    let server = Sidecar::new(|item, _| {
        let status = StatusCode::from_bytes(item.as_bytes()).unwrap();
        match item {
            "204" => status.into_response(),
            "302" => (status, [("location", "/elsewhere")], "").into_response(),
            _ => (status, format!("says {item}")).into_response(),
        }
    })
    .await;
    run(&bench, &server.url).await;
    let ends: Vec<_> = bench
        .outcomes()
        .await
        .into_iter()
        .map(|o| (o.state, o.result.or(o.error)))
        .collect();
    let dead = |text: &str| (Finish::Dead, Some(text.to_owned()));
    let expected = [
        (Finish::Done, Some("says 200".into())),
        (Finish::Done, None),
        dead("answered 422 Unprocessable Entity\nsays 422"),
        dead("answered 500 Internal Server Error\nsays 500"),
        dead("answered 302 Found, and redirects are not followed"),
        dead("answered 404 Not Found\nsays 404"),
    ];
    assert_eq!(ends, expected);
    assert_eq!(server.asked(), 6, "nothing was asked of /elsewhere");
}

#[tokio::test]
async fn a_server_that_is_busy_gets_the_item_again_when_it_says() {
    for (status, header) in [
        (StatusCode::TOO_MANY_REQUESTS, "1"),
        (StatusCode::SERVICE_UNAVAILABLE, "1"),
    ] {
        let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
        let server = Sidecar::new(match status {
            StatusCode::TOO_MANY_REQUESTS => |_, times| match times {
                1 => (
                    StatusCode::TOO_MANY_REQUESTS,
                    [("retry-after", "1")],
                    "busy",
                )
                    .into_response(),
                _ => "ok".into_response(),
            },
            _ => |_, times| match times {
                1 => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    [("retry-after", "1")],
                    "busy",
                )
                    .into_response(),
                _ => "ok".into_response(),
            },
        })
        .await;
        let start = std::time::Instant::now();
        run(&bench, &server.url).await;
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "{status} {header}"
        );
        assert_eq!(bench.done().await.attempts, 1, "no attempt is spent");
        assert_eq!(bench.queue.show().await.unwrap().totals.released, 1);
    }
}

#[tokio::test]
async fn a_server_that_starts_after_the_worker_is_waited_for() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    // An address that is ours, and that nobody listens on yet.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}/item", socket.local_addr().unwrap());
    let args = ["--item-timeout", "300ms", "--http", &url];
    let mut worker = bench.worker().args(args).start();
    worker.says("takes no connections").await;
    let late = Sidecar::on(socket.listen(16).unwrap(), |_, _| "ok".into_response());
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("ok"));
    assert_eq!(late.asked(), 1);
}

#[tokio::test]
async fn an_answer_too_large_is_an_error_and_is_not_read_to_its_end() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["ok", "no"]).await;
    let server = Sidecar::new(|item, _| {
        let status = match item {
            "ok" => StatusCode::OK,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, "x".repeat(10_000_000)).into_response()
    })
    .await;
    run(&bench, &server.url).await;
    let outcomes = bench.outcomes().await;
    let error = outcomes[0].error.as_deref().unwrap();
    assert!(error.contains("over the limit of 65536"), "{error}");
    let error = outcomes[1].error.as_deref().unwrap();
    assert!(
        error.starts_with("answered 400 Bad Request\nxxx"),
        "{error}"
    );
    assert!(error.len() < 5_000, "{}", error.len());
}

#[tokio::test]
async fn a_server_past_the_time_limit_has_failed_the_item() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["slow"]).await;
    let server = Sidecar::new(|_, _| "never".into_response()).await;
    let args = ["--item-timeout", "200ms", "--http", &server.url];
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let error = bench.dead().await.error.unwrap();
    assert_eq!(error, "stopped at its time limit of 0.2 s");
}

#[tokio::test]
async fn a_server_that_breaks_off_has_failed_the_item() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["slow"]).await;
    let server = Sidecar::new(|_, _| "never".into_response()).await;
    let proxy = Proxy::to(server.url.strip_suffix("/item").unwrap()).await;
    let url = format!("{}/item", proxy.url());
    let mut worker = bench.worker().args(["--http", &url]).start();
    until("the server has the item", async || server.asked() == 1).await;
    proxy.cut();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let error = bench.dead().await.error.unwrap();
    assert!(error.contains("cannot get the answer of"), "{error}");
}

#[tokio::test]
async fn a_password_in_the_address_is_shown_nowhere() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    // A server that takes connections and breaks them.
    let proxy = Proxy::to("http://127.0.0.1:1").await;
    let address = proxy.url();
    let host = address.strip_prefix("http://").unwrap();
    let url = format!("http://clerk:hush@{host}/item");
    let worker = run(&bench, &url).await;
    let error = bench.dead().await.error.unwrap();
    assert!(
        error.starts_with(&format!("cannot get the answer of http://{host}/item: ")),
        "{error}"
    );
    for told in [error, worker.log()] {
        assert!(!told.contains("hush") && !told.contains("clerk"), "{told}");
    }
}

#[tokio::test]
async fn an_item_at_a_server_is_given_back_when_the_grace_is_over() {
    let bench = Bench::with("{}", &["slow"]).await;
    let server = Sidecar::new(|_, _| "never".into_response()).await;
    let args = ["--grace", "100ms", "--http", &server.url];
    let mut worker = bench.worker().args(args).start();
    until("the server has the item", async || server.asked() == 1).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    assert_eq!(bench.take().await.attempt, 1, "the attempt is not spent");
}

#[tokio::test]
async fn one_connection_serves_item_after_item() {
    let bench = Bench::with("{}", &["x"; 50]).await;
    let server = Sidecar::new(|_, _| "ok".into_response()).await;
    let proxy = Proxy::to(server.url.strip_suffix("/item").unwrap()).await;
    run(&bench, &format!("{}/item", proxy.url())).await;
    assert_eq!((server.asked(), proxy.connections()), (50, 1));
}
