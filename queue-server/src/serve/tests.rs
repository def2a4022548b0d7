//! The accept loop over real sockets, with a toy router behind it and limits short enough to wait
//! for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::routing::{get, post};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

/// Longer than anything here takes on a busy machine; reached only when something hangs.
const BOUND: Duration = Duration::from_secs(20);
/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// A limit that a test must not reach.
const LONG: Duration = Duration::from_secs(60);

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Stopped>,
}

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        head_timeout: LONG,
        body_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        grace: LONG,
        ..ConnectionLimits::default()
    }
}

async fn echo(request: Request) -> Result<Bytes, ApiError> {
    let body = to_bytes(request.into_body(), 1024 * 1024).await;
    body.map_err(|error| ApiError::from(BoxError::from(error)))
}

fn router() -> Router {
    let pending = || async { std::future::pending::<()>().await };
    let slow = || async {
        tokio::time::sleep(SHORT).await;
        "slow"
    };
    Router::new()
        .route("/echo", post(echo))
        .route(
            "/refuse",
            post(|_: Request| async { ApiError::bad_request("refused unread") }),
        )
        .route("/huge", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
        .route("/pending", get(pending))
        .route("/slow", get(slow))
        .route("/hello", get(|| async { "hello" }))
}

async fn start(limits: ConnectionLimits, router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let serving = tokio::spawn(async move {
        serve(listener, router, &limits, &Connections::default(), stopping).await
    });
    Served {
        address,
        stop,
        serving,
    }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("a connection")
    }

    async fn stop(self) -> Stopped {
        self.stop.cancel();
        within(self.serving).await.expect("serving does not panic")
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(BOUND, future).await.expect("it hangs")
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream
        .write_all(text.as_bytes())
        .await
        .expect("the connection takes it");
}

/// Everything until the server closes.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes))
        .await
        .expect("an orderly close");
    String::from_utf8(bytes).expect("text")
}

/// Everything until this text has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let mut bytes = [0; 1024];
        let count = within(stream.read(&mut bytes))
            .await
            .expect("an open connection");
        assert!(count > 0, "closed after {read:?}");
        read.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    read
}

/// Waits for every connection's task to end.
async fn until_no_connection_is_left() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let begin = Instant::now();
    while metrics.num_alive_tasks() > 1 {
        assert!(
            begin.elapsed() < BOUND,
            "{} tasks are left",
            metrics.num_alive_tasks()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_its_requests_may_be_pipelined() {
    let served = start(limits(), router()).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut client, "hello").await;
    let two = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    send(&mut client, two).await;
    let answers = read_all(&mut client).await;
    assert!(answers.find("slow") < answers.find("hello"), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("x-request-id: ").count(), 2, "{answers}");
}

#[rstest]
#[case::before_any_other("")]
#[case::on_a_kept_connection("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")]
#[tokio::test]
async fn half_a_request_is_told_that_it_is_late_and_leaves_nothing_behind(#[case] before: &str) {
    let limits = ConnectionLimits {
        head_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    if !before.is_empty() {
        send(&mut client, before).await;
        read_until(&mut client, "hello").await;
    }
    send(&mut client, "GET /hello HTTP/1.1\r\nhos").await;
    let answer = read_all(&mut client).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    drop(client);
    until_no_connection_is_left().await;
}

#[tokio::test]
async fn a_connection_that_never_says_anything_is_closed_without_a_word() {
    let limits = ConnectionLimits {
        head_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    assert_eq!(read_all(&mut served.connect().await).await, "");
    until_no_connection_is_left().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let limits = ConnectionLimits {
        idle_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut client, "hello").await;
    assert_eq!(read_all(&mut client).await, "");
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_taken_for_an_idle_connection() {
    let brief = Duration::from_millis(20);
    let limits = ConnectionLimits {
        head_timeout: brief,
        idle_timeout: brief,
        body_timeout: brief,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut client, "slow").await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_time_out_and_the_connection_ends() {
    let limits = ConnectionLimits {
        body_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    send(
        &mut client,
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf",
    )
    .await;
    let answer = read_all(&mut client).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    drop(client);
    until_no_connection_is_left().await;
}

#[tokio::test]
async fn a_long_body_gets_its_time_for_each_mebibyte() {
    let bound = Duration::from_secs(2);
    let limits = ConnectionLimits {
        body_timeout: bound,
        ..limits()
    };
    let count = post(async |body: Bytes| body.len().to_string());
    let router = Router::new().route("/count", count);
    let router = router.layer(DefaultBodyLimit::disable());
    let served = start(limits, router).await;
    let mut client = served.connect().await;
    let portion = vec![b'x'; 1024 * 1024];
    let head =
        "POST /count HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4194304\r\n\r\n";
    send(&mut client, head).await;
    let begin = Instant::now();
    for _ in 0..4 {
        client.write_all(&portion).await.expect("it is taken");
        tokio::time::sleep(bound / 3).await;
    }
    assert!(begin.elapsed() > bound, "longer than the time of one");
    let answer = read_all(&mut client).await;
    assert!(answer.ends_with("\r\n\r\n4194304"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_in_gets_no_more_time_for_it() {
    let limits = ConnectionLimits {
        body_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let (mut reads, mut writes) = served.connect().await.into_split();
    writes
        .write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        .await
        .expect("the connection takes it");
    let trickle = tokio::spawn(async move {
        while writes.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut answer = [0; 12];
    within(reads.read_exact(&mut answer))
        .await
        .expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    within(trickle).await.expect("the connection ends");
}

#[tokio::test]
async fn a_client_that_still_sends_a_refused_body_reads_the_refusal() {
    let served = start(limits(), router()).await;
    for _ in 0..20 {
        let mut client = served.connect().await;
        send(
            &mut client,
            "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n",
        )
        .await;
        let body = vec![b'x'; 4_000_000];
        // A reset here is what makes many clients give up without reading.
        client.write_all(&body).await.expect("no reset");
        let answer = read_all(&mut client).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.contains("refused unread"), "{answer}");
    }
}

#[rstest]
#[case::garbage("\x01\x02 garbage\r\n\r\n".into(), "400 Bad Request")]
#[case::most_headers(headers(100), "200 OK")]
#[case::one_header_more(headers(101), "431 Request Header Fields Too Large")]
#[case::a_long_header(format!("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\na: {}\r\n\r\n", "a".repeat(12_000)), "200 OK")]
#[case::too_long_a_header(format!("GET /hello HTTP/1.1\r\nhost: x\r\na: {}", "a".repeat(200_000)), "431 Request Header Fields Too Large")]
#[tokio::test]
async fn heads_are_bounded(#[case] request: String, #[case] status: &str) {
    let served = start(limits(), router()).await;
    let mut client = served.connect().await;
    // The server may answer and close before it has it all.
    let _sent = client.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 9 + status.len()];
    within(client.read_exact(&mut answer))
        .await
        .expect("an answer");
    assert_eq!(
        String::from_utf8_lossy(&answer),
        format!("HTTP/1.1 {status}")
    );
}

/// A request with so many headers.
fn headers(count: usize) -> String {
    let others: String = (2..count).map(|n| format!("x-{n}: y\r\n")).collect();
    format!("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{others}\r\n")
}

#[tokio::test]
async fn one_connection_past_the_limit_is_told_so_and_the_next_finds_room_again() {
    let limits = ConnectionLimits {
        max_connections: 2,
        ..limits()
    };
    let served = start(limits, router()).await;
    let request = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = served.connect().await;
        send(&mut client, request).await;
        read_until(&mut client, "hello").await;
        kept.push(client);
    }
    let mut third = served.connect().await;
    send(&mut third, request).await;
    let answer = read_all(&mut third).await;
    assert!(
        answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
        "{answer}"
    );
    assert!(answer.contains("retry-after: "), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");

    kept.pop();
    let begin = Instant::now();
    loop {
        let mut client = served.connect().await;
        send(
            &mut client,
            "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await;
        if read_all(&mut client)
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
        {
            break;
        }
        assert!(begin.elapsed() < BOUND, "the place was not given back");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let limits = ConnectionLimits {
        write_timeout: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    within(client.read_exact(&mut [0; 12]))
        .await
        .expect("the answer begins");
    until_no_connection_is_left().await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(tokio::sync::Notify::new());
    let (tell, began) = (Arc::clone(&gone), Arc::clone(&begun));
    let parked = get(move || async move {
        let _gone = Gone(tell);
        began.notify_one();
        std::future::pending::<()>().await;
    });
    let served = start(limits(), Router::new().route("/parked", parked)).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /parked HTTP/1.1\r\nhost: x\r\n\r\n").await;
    within(begun.notified()).await;
    drop(client);
    until_no_connection_is_left().await;
    assert!(gone.load(Ordering::SeqCst), "the handler was not told");
}

#[tokio::test]
async fn on_stop_idle_connections_end_at_once_and_requests_under_way_are_finished() {
    let served = start(limits(), router()).await;
    let (mut idle, mut new, mut busy) = (
        served.connect().await,
        served.connect().await,
        served.connect().await,
    );
    send(&mut idle, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut idle, "hello").await;
    send(
        &mut busy,
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n12",
    )
    .await;
    // Both sides of a loopback are in order: the server has seen the others once it answers this.
    let mut last = served.connect().await;
    send(&mut last, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut last, "slow").await;

    served.stop.cancel();
    assert_eq!(read_all(&mut idle).await, "");
    assert_eq!(read_all(&mut new).await, "");
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "nobody listens any more"
    );
    send(&mut busy, "34").await;
    let answer = read_all(&mut busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("1234"),
        "{answer}"
    );
    let stopped = served.stop().await;
    assert_eq!(stopped.cut, 0, "{stopped}");
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_cut_and_counted() {
    let limits = ConnectionLimits {
        grace: SHORT,
        ..limits()
    };
    let served = start(limits, router()).await;
    let mut client = served.connect().await;
    send(&mut client, "GET /pending HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut other = served.connect().await;
    send(&mut other, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut other, "slow").await;
    drop(other);
    let stopped = served.stop().await;
    assert_eq!(stopped.cut, 1, "{stopped}");
    assert!(stopped.took >= SHORT, "{stopped}");
    assert!(stopped.to_string().contains("cut"), "{stopped}");
}
