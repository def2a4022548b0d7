//! How calls behave when the server refuses, breaks off or is not there. The servers here are a few
//! lines each, made to misbehave in one way; what a real one answers is tested with the worker.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]

mod items;
mod tls;
mod tokens;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use queue_api::{
    Code, Handling, LeaseRequest, Leased, PROBLEM_JSON, Problem, Redrive, SettleAs, Settlement,
};
use queue_client::{Client, EnqueueOptions, Error, QueueClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a TLS handshake begins with, and no HTTP.
const HANDSHAKE: u8 = 0x16;

/// A server that answers every call by this function of the call's number, from 0, and the request.
async fn serve<F, A>(answer: F) -> (QueueClient, Arc<AtomicUsize>)
where
    F: Fn(usize, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send,
{
    let (url, calls) = serve_at(answer).await;
    (queue(&url), calls)
}

/// The same, by its address.
async fn serve_at<F, A>(answer: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(usize, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let app = Router::new().fallback(move |request: Request| {
        let (answer, number) = (answer.clone(), counted.fetch_add(1, SeqCst));
        async move { answer(number, request).await }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, calls)
}

/// A server that reads each request and closes the connection without a word.
async fn hang_up() -> (QueueClient, Arc<AtomicUsize>) {
    let (url, calls) = hang_up_at().await;
    (queue(&url), calls)
}

/// The same, by its address.
async fn hang_up_at() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            // A handshake is no call: it asks whether there is TLS here.
            if read > 0 && bytes[0] != HANDSHAKE {
                counted.fetch_add(1, SeqCst);
            }
        }
    });
    (url, calls)
}

fn queue(url: &str) -> QueueClient {
    Client::builder(url)
        .give_up_after(Duration::from_secs(3))
        .build()
        .unwrap()
        .queue("q".parse().unwrap())
}

fn problem(code: Code, retry_after: Option<&'static str>) -> Response {
    let body = serde_json::to_string(&Problem::new(code, "said the server")).unwrap();
    let status = StatusCode::from_u16(code.status()).unwrap();
    let mut response = (status, [("content-type", PROBLEM_JSON)], body).into_response();
    if let Some(seconds) = retry_after {
        let value = axum::http::HeaderValue::from_static(seconds);
        response.headers_mut().insert("retry-after", value);
    }
    response
}

fn json(text: impl Into<String>) -> Response {
    ([("content-type", "application/json")], text.into()).into_response()
}

fn ack(token: &str) -> Settlement {
    Settlement::new(token.parse().unwrap(), SettleAs::Ack)
}

fn leased(token: &str, lease_ms: u64) -> Leased {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Leased {
        id: "00000000000000000000000000000001".parse().unwrap(),
        body: "a body".into(),
        attempt: 1,
        lease: token.parse().unwrap(),
        lease_ms,
        lease_expires: now,
        enqueued: now,
        key: None,
        group: None,
        priority: 0,
        traceparent: None,
        tracestate: None,
    }
}

#[tokio::test]
async fn a_backup_or_a_restore_that_breaks_off_is_not_begun_again() {
    let (url, calls) = hang_up_at().await;
    let client = Client::new(&url).unwrap();
    assert!(client.backup().await.err().unwrap().is_transient());
    let bytes = stream::iter([Ok("a backup".into())]);
    assert!(client.restore(bytes).await.unwrap_err().is_transient());
    assert_eq!(calls.load(SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_comes_with_its_code_and_is_not_repeated() {
    let (queue, calls) = serve(|_, _| async { problem(Code::QueueSealed, None) }).await;
    let error = queue
        .enqueue("x", EnqueueOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(Code::QueueSealed));
    assert!(error.to_string().contains("said the server"), "{error}");
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test]
async fn an_answer_of_something_else_is_shown_as_such() {
    let (queue, _) =
        serve(|_, _| async { (StatusCode::FORBIDDEN, "No entry\n").into_response() }).await;
    let error = queue.show().await.unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert_eq!(
        error.to_string(),
        "cannot show queue q: the answer was 403 Forbidden: No entry"
    );

    let (queue, _) = serve(|_, _| async {
        let body = r#"{"type":"t","title":"t","status":422,"code":"of_tomorrow","detail":"later"}"#;
        let problem = [("content-type", PROBLEM_JSON)];
        (StatusCode::UNPROCESSABLE_ENTITY, problem, body).into_response()
    })
    .await;
    let error = queue.show().await.unwrap_err();
    assert!(error.to_string().ends_with(": later"), "{error}");

    let (queue, _) = serve(|_, _| async { json("[]") }).await;
    assert!(matches!(
        queue.show().await,
        Err(Error::Protocol { status: 200, .. })
    ));
}

#[tokio::test]
async fn an_unready_server_is_asked_again_when_it_said() {
    let (queue, calls) = serve(|number, _| async move {
        match number {
            0 => problem(Code::NotReady, Some("1")),
            _ => json(r#"{"count":1}"#),
        }
    })
    .await;
    let start = Instant::now();
    let enqueued = queue.enqueue("x", EnqueueOptions::default()).await.unwrap();
    assert_eq!((enqueued.count, calls.load(SeqCst)), (1, 2));
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn patience_ends_and_the_last_refusal_is_given() {
    let (queue, calls) = serve(|_, _| async { problem(Code::Overloaded, Some("60")) }).await;
    let error = queue.show().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::Overloaded));
    assert_eq!(calls.load(SeqCst), 1, "a minute is more than it has");

    let (queue, calls) = serve(|_, _| async { problem(Code::Overloaded, None) }).await;
    let queue = queue.with_give_up_after(Duration::from_millis(500));
    queue.show().await.unwrap_err();
    assert!(
        (2..=6).contains(&calls.load(SeqCst)),
        "{calls:?} tries in half a second"
    );
}

#[tokio::test]
async fn a_purge_that_may_have_arrived_is_not_sent_twice() {
    let (queue, calls) = hang_up().await;
    let error = queue.purge().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(calls.load(SeqCst), 1);
    queue.redrive(&Redrive::default()).await.unwrap_err();
    assert_eq!(calls.load(SeqCst), 2, "nor is a redrive");
}

#[tokio::test]
async fn a_settle_that_may_have_arrived_is_sent_again() {
    let (queue, calls) = hang_up().await;
    let queue = queue.with_give_up_after(Duration::from_millis(400));
    queue.settle(vec![ack("a")]).await.unwrap_err();
    assert!(calls.load(SeqCst) > 1);
    let before = calls.load(SeqCst);
    queue.lease(&LeaseRequest::default()).await.unwrap_err();
    assert!(calls.load(SeqCst) > before + 1);
}

#[tokio::test]
async fn an_enqueue_waits_for_a_server_that_is_not_up_yet() {
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let queue = queue(&format!("http://{address}"));
    let enqueue = tokio::spawn(async move { queue.enqueue("x", EnqueueOptions::default()).await });
    // The call meets a server that is not there for a while: being refused leaves no trace here.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let app = Router::new().fallback(|| async { json(r#"{"count":1}"#) });
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(enqueue.await.unwrap().unwrap().count, 1);
}

#[tokio::test]
async fn a_delete_cut_off_on_its_way_back_is_a_delete() {
    let (queue, _) = serve(|number, _| async move {
        match number {
            0 => (StatusCode::BAD_GATEWAY, "").into_response(),
            _ => problem(Code::NoSuchQueue, None),
        }
    })
    .await;
    queue.delete(false).await.unwrap();
    let never = queue.delete(false).await.unwrap_err();
    assert_eq!(
        never.code(),
        Some(Code::NoSuchQueue),
        "a queue that never was is an error"
    );
}

#[tokio::test]
async fn an_answer_that_skips_a_lease_is_not_believed() {
    let (queue, _) = serve(|_, _| async { json(r#"{"settled":[]}"#) }).await;
    let error = queue.settle(vec![ack("a")]).await.unwrap_err();
    assert!(
        error.to_string().contains("0 answers to 1 leases"),
        "{error}"
    );
}

fn outcome(number: u64) -> String {
    format!(
        r#"{{"outcome":{number},"id":"{number:032x}","body":"b","state":"done","attempts":1,"enqueued":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:00:00Z"}}"#
    ) + "\n"
}

/// A queue as the server shows it; only `drained` matters here.
fn shown(drained: bool) -> String {
    let zero = r#"{"enqueued":0,"leased":0,"acked":0,"nacked":0,"released":0,"lease_expired":0,"dead":0,"purged":0,"taken":0}"#;
    let settings = serde_json::to_string(&queue_api::Settings::default()).unwrap();
    format!(
        r#"{{"name":"q","sealed":true,"paused":false,"drained":{drained},"empty":false,"counts":{{"ready":0,"leased":0,"delayed":0,"dead":0,"done":3}},"backlog":0,"unfinished":0,"rate_per_s":0,"totals":{zero},"settings":{settings}}}"#
    )
}

#[tokio::test]
async fn a_queue_tells_how_long_its_items_take_where_the_server_does() {
    let (queue, _) = serve(|number, _| async move {
        let told = r#""handling":{"completions":20,"mean_ms":12.25,"p95_ms":31},"rate_per_s""#;
        match number {
            0 => json(shown(false).replace(r#""rate_per_s""#, told)),
            _ => json(shown(false)),
        }
    })
    .await;
    let told = Handling {
        completions: 20,
        mean_ms: Some(12.25),
        p95_ms: Some(31),
        running_mean_age_ms: None,
    };
    assert_eq!(queue.show().await.unwrap().handling, told);
    let silent = queue.show().await.unwrap().handling;
    assert_eq!(silent, Handling::default(), "an older server");
}

#[tokio::test]
async fn a_followed_queue_has_no_gap_where_the_connection_broke() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap();
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let answer = if request.contains("after=0&follow=true") {
                // Two outcomes, the second cut off in its middle.
                head.to_owned() + &chunk(&outcome(1)) + &chunk(&outcome(2)[..40])
            } else if request.contains("after=1&follow=true") {
                head.to_owned() + &chunk(&(outcome(2) + &outcome(3))) + "0\r\n\r\n"
            } else {
                let body = shown(true);
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let outcomes = all(queue(&url).follow(0)).await;
    let numbers: Vec<_> = outcomes.into_iter().map(|o| o.unwrap().outcome).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn following_goes_on_where_a_server_stopped_before_the_end() {
    let (queue, _) = serve(|number, request| async move {
        match (number, request.uri().path()) {
            (0, _) => outcome(1).into_response(),
            (1, _) => json(shown(false)),
            (2, _) => outcome(2).into_response(),
            _ => json(shown(true)),
        }
    })
    .await;
    let outcomes = all(queue.follow(0)).await;
    let numbers: Vec<_> = outcomes.into_iter().map(|o| o.unwrap().outcome).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn a_quiet_stream_that_breaks_off_now_and_then_is_opened_anew_each_time() {
    let (queue, calls) = serve(|number, request| async move {
        match (number, request.uri().path()) {
            (0..3, _) => Body::from_stream(stream::once(async {
                // It says nothing for longer than the follower's patience, and breaks off.
                tokio::time::sleep(Duration::from_millis(1_100)).await;
                Err::<String, _>(std::io::Error::other("the server is gone"))
            }))
            .into_response(),
            (3, _) => outcome(1).into_response(),
            _ => json(shown(true)),
        }
    })
    .await;
    let queue = queue.with_give_up_after(Duration::from_millis(500));
    let outcomes = all(queue.follow(0)).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].as_ref().unwrap().outcome, 1);
    assert_eq!(calls.load(SeqCst), 5);
}

#[tokio::test]
async fn streams_that_break_off_at_once_are_not_opened_for_ever() {
    let (queue, _) = serve(|_, _| async {
        let gone = async { Err::<String, _>(std::io::Error::other("the server is gone")) };
        Body::from_stream(stream::once(gone)).into_response()
    })
    .await;
    let queue = queue.with_give_up_after(Duration::from_millis(500));
    let outcomes = all(queue.follow(0)).await;
    assert_eq!(outcomes.len(), 1);
    assert!(matches!(outcomes[0], Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn outcomes_past_retention_are_an_error_and_not_an_end() {
    let (queue, _) = serve(|_, _| async { problem(Code::OutcomesGone, None) }).await;
    let outcomes = all(queue.follow(7)).await;
    assert_eq!(outcomes.len(), 1);
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!(error.code(), Some(Code::OutcomesGone));
}

/// All that a stream gives until it ends, which it must.
async fn all<T>(stream: impl Stream<Item = T>) -> Vec<T> {
    // More than any of these has, so that one that repeats itself ends as well.
    let collect = stream.take(10).collect();
    tokio::time::timeout(Duration::from_secs(20), collect)
        .await
        .expect("the stream ends")
}

/// Answers an extend call: `lease_lost` for the tokens named, the length asked for to the others.
async fn extend(request: Request, lost: &[&str]) -> Response {
    let bytes = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    let request: queue_api::ExtendRequest = serde_json::from_slice(&bytes).unwrap();
    let settled: Vec<_> = request
        .leases
        .iter()
        .map(|lease| match lost.contains(&lease.as_str()) {
            true => format!(r#"{{"lease":"{lease}","ok":false,"code":"lease_lost"}}"#),
            false => format!(r#"{{"lease":"{lease}","ok":true,"lease_ms":1000}}"#),
        })
        .collect();
    json(format!(r#"{{"settled":[{}]}}"#, settled.join(",")))
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn leases_taken_together_are_renewed_together_until_they_are_dropped() {
    let (queue, calls) = serve(|_, request| async { extend(request, &[]).await }).await;
    let renewer = queue.renewer(None);
    let leases: Vec<_> = ["a", "b", "c"]
        .map(|t| renewer.hold(leased(t, 1000)))
        .into();
    // Five renewals outlast the first length.
    until("five renewals", || calls.load(SeqCst) >= 5).await;
    assert!(leases.iter().all(|lease| !lease.is_lost()));
    assert_eq!(leases[0].body.as_text(), Some("a body"));
    drop(leases);
    assert!(renewer.is_empty());
    let after = calls.load(SeqCst);
    // That nothing more is renewed has no event: several renewals' time passes.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(
        calls.load(SeqCst) <= after + 1,
        "one call may have been under way"
    );
}

#[tokio::test]
async fn the_holder_of_a_lost_lease_is_told_and_the_others_are_kept() {
    let (queue, calls) = serve(|_, request| async { extend(request, &["b"]).await }).await;
    let renewer = queue.renewer(Some(Duration::from_millis(1000)));
    let (a, b) = (
        renewer.hold(leased("a", 1000)),
        renewer.hold(leased("b", 1000)),
    );
    tokio::time::timeout(Duration::from_secs(5), b.lost())
        .await
        .unwrap();
    until("more renewals", || calls.load(SeqCst) >= 6).await;
    assert!(!a.is_lost());
    assert_eq!(renewer.len(), 1);
}

#[tokio::test]
async fn a_lease_is_lost_when_its_time_passes_and_the_server_is_silent() {
    let (queue, calls) = hang_up().await;
    let renewer = queue.renewer(None);
    let lease = renewer.hold(leased("a", 400));
    let start = Instant::now();
    tokio::time::timeout(Duration::from_secs(5), lease.lost())
        .await
        .unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );
    assert!(calls.load(SeqCst) >= 2, "it tried more than once");
}
