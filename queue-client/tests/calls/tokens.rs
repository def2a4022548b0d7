//! Tokens: what is shown to the server, and what a refusal means.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use queue_api::{LeaseRequest, PROBLEM_JSON, Redrive};
use queue_client::{Client, EnqueueOptions, Error, QueueClient, Token, TokenFrom};

use crate::{json, serve, serve_at};

/// What the server lets in.
type Known = Arc<Mutex<&'static str>>;

fn shown(request: &Request) -> String {
    let values = request.headers().get_all("authorization");
    let values: Vec<_> = values
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    values.join(" and ")
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = format!(
        r#"{{"type":"t","title":"t","status":{},"code":"{code}","detail":"the token is for read, and this call needs work"}}"#,
        status.as_u16()
    );
    (status, [("content-type", PROBLEM_JSON)], body).into_response()
}

/// A server that knows one token, and that answers this.
async fn guarded(known: &Known, answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let known = known.clone();
    serve_at(move |_, request| {
        let known = *known.lock().unwrap() == shown(&request);
        async move {
            match known {
                true => json(answer),
                false => refused(StatusCode::UNAUTHORIZED, "unauthenticated"),
            }
        }
    })
    .await
}

fn queue(url: &str, token: Option<Token>) -> QueueClient {
    let client = Client::builder(url).token(token);
    let client = client.give_up_after(Duration::from_secs(3)).build();
    client.unwrap().queue("q".parse().unwrap())
}

fn write(path: &Path, token: &str) {
    std::fs::write(path, token).unwrap();
}

#[tokio::test]
async fn a_token_is_shown_with_each_call() {
    let known = Known::new(Mutex::new("Bearer of-tests"));
    let (url, _) = guarded(&known, r#"{"count":1}"#).await;
    let token = Token::from_text("of-tests", "a test").unwrap();
    let placed = queue(&url, Some(token.clone()))
        .enqueue("x", EnqueueOptions::default())
        .await;
    assert_eq!(placed.unwrap().count, 1);
}

#[tokio::test]
async fn a_refusal_says_which_token_was_refused_and_is_not_repeated() {
    let known = Known::new(Mutex::new("Bearer other"));
    let (url, calls) = guarded(&known, "{}").await;
    let error = queue(&url, None).show().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot show queue q: the server asks for a token, and none was given"
    );
    assert!(error.is_refusal() && !error.is_transient());
    let token = Token::from_text("of-tests", "MEMQ_TOKEN").unwrap();
    let error = queue(&url, Some(token)).show().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot show queue q: the server does not know the token in MEMQ_TOKEN"
    );
    assert_eq!((error.status(), calls.load(SeqCst)), (Some(401), 2));
    assert!(!format!("{error:?}").contains("of-tests"));
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_said_in_the_servers_words() {
    let (queue, calls) = serve(|_, _| async { refused(StatusCode::FORBIDDEN, "forbidden") }).await;
    let error = queue.seal().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "may not seal queue q: the token is for read, and this call needs work"
    );
    assert!(error.is_refusal() && !error.is_transient());
    assert_eq!((error.status(), calls.load(SeqCst)), (Some(403), 1));
}

#[tokio::test]
async fn a_token_that_was_changed_in_its_file_is_used_from_the_first_refusal_on() {
    let known = Known::new(Mutex::new("Bearer one"));
    let (url, calls) = guarded(&known, r#"{"count":1,"affected":1}"#).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "one\n");
    let queue = queue(&url, Some(Token::from_file(&path).unwrap()));
    let clone = queue.clone();
    let enqueue = async |queue: &QueueClient| {
        let placed = queue.enqueue("x", EnqueueOptions::default()).await;
        placed.map(|placed| placed.count)
    };
    assert_eq!(enqueue(&queue).await.unwrap(), 1);

    write(&path, "two\n");
    assert_eq!(enqueue(&queue).await.unwrap(), 1);
    assert_eq!(
        calls.load(SeqCst),
        2,
        "it is not read while the old one works"
    );
    *known.lock().unwrap() = "Bearer two";
    assert_eq!(enqueue(&queue).await.unwrap(), 1);
    assert_eq!(calls.load(SeqCst), 4, "one refusal, one repetition");
    assert_eq!(enqueue(&clone).await.unwrap(), 1);
    assert_eq!(calls.load(SeqCst), 5, "clones go on with the new one");

    // Neither may be done twice, and neither was done when it was refused.
    write(&path, "three\n");
    *known.lock().unwrap() = "Bearer three";
    let error = queue.redrive(&Redrive::default()).await.unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. }),
        "it was let in: {error}"
    );
    write(&path, "four\n");
    *known.lock().unwrap() = "Bearer four";
    let client = Client::builder(&url).token(Some(Token::from_file(&path).unwrap()));
    write(&path, "five\n");
    *known.lock().unwrap() = "Bearer five";
    assert!(client.build().unwrap().backup().await.is_ok());
}

#[tokio::test]
async fn a_token_that_was_never_let_in_is_refused_at_once() {
    let known = Known::new(Mutex::new("Bearer new"));
    let (url, calls) = guarded(&known, "{}").await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "old");
    let client = Client::builder(&url).token(Some(Token::from_file(&path).unwrap()));
    // What anybody may ask says nothing of a token.
    let client = client.build().unwrap();
    assert!(client.ready().await.is_err());
    let queue = client.queue("q".parse().unwrap());
    for text in ["old", ""] {
        write(&path, text);
        let error = queue.show().await.unwrap_err();
        let file = TokenFrom::File(path.clone());
        assert!(
            matches!(&error, Error::Unauthenticated { token, .. } if *token == file),
            "{error}"
        );
    }
    assert_eq!(calls.load(SeqCst), 3);
}

#[tokio::test]
async fn a_refusal_is_waited_out_where_the_file_or_the_server_is_late() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("token"), dir.path().join("known"));
    write(&ours, "one");
    write(&theirs, "Bearer one");
    let refusals = Arc::new(AtomicUsize::new(0));
    let late = Arc::new(Mutex::new((ours.clone(), "")));
    let (server, refused_by_then, change) = (theirs.clone(), refusals.clone(), late.clone());
    let (url, _) = serve_at(move |_, request| {
        let known = std::fs::read_to_string(&server).unwrap() == shown(&request);
        if !known && refused_by_then.fetch_add(1, SeqCst) == 2 {
            let (file, text) = &*change.lock().unwrap();
            write(file, text);
        }
        async move {
            match known {
                true => json(r#"{"count":1}"#),
                false => refused(StatusCode::UNAUTHORIZED, "unauthenticated"),
            }
        }
    })
    .await;
    let queue = queue(&url, Some(Token::from_file(&ours).unwrap()));
    let enqueue = async || queue.enqueue("x", EnqueueOptions::default()).await;
    assert_eq!(enqueue().await.unwrap().count, 1);

    write(&theirs, "Bearer two");
    *late.lock().unwrap() = (ours.clone(), "two");
    assert_eq!(enqueue().await.unwrap().count, 1, "the file was late");
    assert_eq!(refusals.swap(0, SeqCst), 3);

    write(&theirs, "Bearer nobody's");
    write(&ours, "three");
    *late.lock().unwrap() = (theirs.clone(), "Bearer three");
    // It may not be done twice, and is not done when it is refused.
    let error = queue.redrive(&Redrive::default()).await.unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. }),
        "the server was late, and let it in: {error}"
    );
    assert_eq!(refusals.load(SeqCst), 3);
}

#[tokio::test]
async fn a_call_that_was_parked_before_it_was_refused_had_a_token_that_was_good() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "one");
    let (url, calls) = serve_at(move |call, _| async move {
        match call {
            0 => {
                let mut refusal = refused(StatusCode::UNAUTHORIZED, "unauthenticated");
                let soon = HeaderValue::from_static("1");
                refusal.headers_mut().insert(RETRY_AFTER, soon);
                refusal
            }
            1 | 2 => refused(StatusCode::UNAUTHORIZED, "unauthenticated"),
            _ => json(r#"{"items":[],"state":"waiting"}"#),
        }
    })
    .await;
    let queue = queue(&url, Some(Token::from_file(&path).unwrap()));
    let answer = queue.lease(&LeaseRequest::default()).await;
    assert!(answer.unwrap().items.is_empty());
    assert_eq!(calls.load(SeqCst), 4);
}

#[tokio::test]
async fn a_refusal_that_comes_late_says_nothing_of_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "one");
    let (url, calls) = serve_at(|_, _| async {
        // A slow way, and no wait.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        refused(StatusCode::UNAUTHORIZED, "unauthenticated")
    })
    .await;
    let queue = queue(&url, Some(Token::from_file(&path).unwrap()));
    let error = queue.lease(&LeaseRequest::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_that_does_not_pass_is_told_when_the_patience_is_over() {
    let known = Known::new(Mutex::new("Bearer one"));
    let (url, calls) = guarded(&known, r#"{"count":1}"#).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "one");
    let token = Token::from_file(&path).unwrap();
    let queue = queue(&url, Some(token)).with_give_up_after(Duration::from_millis(500));
    let enqueue = async || queue.enqueue("x", EnqueueOptions::default()).await;
    enqueue().await.unwrap();
    *known.lock().unwrap() = "Bearer other";
    let error = enqueue().await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    assert!(calls.load(SeqCst) > 3, "it asked again");
    let before = calls.load(SeqCst);
    let report = queue.follow(0).next().await.unwrap();
    assert!(report.is_err());
    assert!(calls.load(SeqCst) > before + 1, "followers ask again, too");
}

#[tokio::test]
async fn a_file_that_has_another_token_each_time_is_not_followed_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    write(&path, "t0");
    let file = path.clone();
    let (url, calls) = serve_at(move |call, _| {
        write(&file, &format!("t{}", call + 1));
        async { refused(StatusCode::UNAUTHORIZED, "unauthenticated") }
    })
    .await;
    let token = Some(Token::from_file(&path).unwrap());
    let queue = queue(&url, token).with_give_up_after(Duration::ZERO);
    assert!(queue.show().await.is_err());
    assert_eq!(calls.load(SeqCst), 2, "once, and once more");
    let client = Client::builder(&url).token(Some(Token::from_file(&path).unwrap()));
    assert!(client.build().unwrap().backup().await.is_err());
    assert_eq!(calls.load(SeqCst), 4);
}
