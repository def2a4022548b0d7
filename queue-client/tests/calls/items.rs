//! Enqueues that break off, and looking at items page by page.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use futures_util::TryStreamExt as _;
use queue_api::{Code, ItemState, NewItem, Options, Redrive};
use queue_client::{EnqueueOptions, Look};

use crate::{hang_up, json, problem, serve};

/// What was asked, as `path?query key`.
type Asked = Arc<Mutex<Vec<String>>>;

fn note(asked: &Asked, request: &Request) {
    let key = request.headers().get("idempotency-key");
    let key = key.map_or("-", |key| key.to_str().unwrap());
    let query = request.uri().path_and_query().unwrap().as_str();
    asked.lock().unwrap().push(format!("{query} {key}"));
}

#[tokio::test]
async fn an_enqueue_that_may_have_arrived_is_sent_again_under_the_same_key() {
    let asked = Asked::default();
    let noted = asked.clone();
    let (queue, _) = serve(move |number, request| {
        note(&noted, &request);
        async move {
            match number % 2 {
                0 => (StatusCode::BAD_GATEWAY, "").into_response(),
                _ => json(r#"{"count":1}"#),
            }
        }
    })
    .await;
    for _ in 0..2 {
        let options = EnqueueOptions::default();
        assert_eq!(queue.enqueue("x", options).await.unwrap().count, 1);
    }
    let mut asked = std::mem::take(&mut *asked.lock().unwrap());
    assert_eq!(
        (asked.len(), &asked[0], &asked[2]),
        (4, &asked[1], &asked[3])
    );
    asked.dedup();
    assert_eq!(asked.len(), 2, "another enqueue has another key: {asked:?}");
    assert!(!asked[0].ends_with('-'), "{asked:?}");
}

#[tokio::test]
async fn who_gives_up_at_once_needs_no_key_and_whoever_has_one_keeps_it() {
    let asked = Asked::default();
    let noted = asked.clone();
    let (queue, _) = serve(move |_, request| {
        note(&noted, &request);
        async { json(r#"{"count":1}"#) }
    })
    .await;
    let hasty = queue.with_give_up_after(Duration::ZERO);
    let own = EnqueueOptions {
        idempotency_key: Some("mine".into()),
        seal: true,
        lease: Some("token".parse().unwrap()),
        item: Options {
            priority: Some(-2),
            key: Some("a&b ü".into()),
            delay_ms: Some(5),
            ..Options::default()
        },
        ..EnqueueOptions::default()
    };
    hasty.enqueue("x", EnqueueOptions::default()).await.unwrap();
    hasty.enqueue("x", own).await.unwrap();
    let query = "ids=false&seal=true&lease=token&delay_ms=5&priority=-2&key=a%26b+%C3%BC";
    let path = "/v1/queues/q/items";
    assert_eq!(
        *asked.lock().unwrap(),
        [
            format!("{path}?ids=false -"),
            format!("{path}?{query} mine")
        ]
    );
    let (gone, calls) = hang_up().await;
    let gone = gone.with_give_up_after(Duration::ZERO);
    let once = gone.enqueue("x", EnqueueOptions::default()).await;
    assert!(once.unwrap_err().is_transient());
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test]
async fn items_go_as_lines_with_their_options() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let (queue, _) = serve(move |_, request| {
        let seen = seen.clone();
        async move {
            let kind = request.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = axum::body::to_bytes(request.into_body(), 1_000)
                .await
                .unwrap();
            seen.lock().unwrap().push((kind, body));
            json(r#"{"count":2}"#)
        }
    })
    .await;
    let urgent = NewItem {
        options: Options {
            priority: Some(9),
            ..Options::default()
        },
        ..NewItem::from("a\nb")
    };
    let items = [urgent, NewItem::from(vec![0xff])];
    let options = EnqueueOptions::default();
    queue.enqueue_items(items, options).await.unwrap();
    let lines = "{\"body\":\"a\\nb\",\"priority\":9}\n{\"body_base64\":\"/w==\"}\n";
    let sent = ("application/x-ndjson".to_owned(), lines.into());
    assert_eq!(*bodies.lock().unwrap(), [sent]);
}

#[tokio::test]
async fn pages_are_asked_for_one_after_the_other() {
    let asked = Asked::default();
    let noted = asked.clone();
    let (queue, _) = serve(move |number, request| {
        note(&noted, &request);
        let item = |n: usize| {
            format!(r#"{{"id":"{n:032x}","state":"dead","body":"{n}","attempts":1,"enqueued":"2026-01-02T03:04:05Z"}}"#)
        };
        let page = match number {
            0 => format!(r#"{{"items":[{},{}],"next":"{:032x}"}}"#, item(1), item(2), 2),
            // A page that found nothing is not the end.
            1 => format!(r#"{{"items":[],"next":"{:032x}"}}"#, 7),
            _ => format!(r#"{{"items":[{}]}}"#, item(9)),
        };
        async { json(page) }
    })
    .await;
    let look = Look {
        state: Some(ItemState::Dead),
        group: Some("g h".into()),
        limit: Some(2),
        ..Look::default()
    };
    let items: Vec<_> = queue.items(look).try_collect().await.unwrap();
    let bodies: Vec<_> = items
        .iter()
        .map(|item| item.body.as_text().unwrap())
        .collect();
    assert_eq!(bodies, ["1", "2", "9"]);
    let first = "/v1/queues/q/items?state=dead&group=g+h&limit=2";
    assert_eq!(
        *asked.lock().unwrap(),
        [
            format!("{first} -"),
            format!("{first}&after={:032x} -", 2),
            format!("{first}&after={:032x} -", 7),
        ]
    );
}

#[tokio::test]
async fn a_cancel_cut_off_on_its_way_back_is_a_cancel() {
    let (queue, _) = serve(|number, _| async move {
        match number {
            0 => (StatusCode::BAD_GATEWAY, "").into_response(),
            _ => problem(Code::NoSuchItem, None),
        }
    })
    .await;
    let id = "00000000000000000000000000000001".parse().unwrap();
    queue.cancel(&id).await.unwrap();
    let never = queue.cancel(&id).await.unwrap_err();
    assert_eq!(never.code(), Some(Code::NoSuchItem));
}

#[tokio::test]
async fn a_cancel_that_was_never_taken_is_none() {
    // Busy for as long as the client is patient; then there is no such item.
    let (queue, calls) = serve(|number, _| async move {
        match number {
            0 => problem(Code::Overloaded, Some("1")),
            _ => problem(Code::NoSuchItem, None),
        }
    })
    .await;
    let id = "00000000000000000000000000000001".parse().unwrap();
    let hasty = queue.with_give_up_after(Duration::from_millis(500));
    let busy = hasty.cancel(&id).await.unwrap_err();
    assert_eq!(
        (busy.code(), calls.load(SeqCst)),
        (Some(Code::Overloaded), 1)
    );
}

#[tokio::test]
async fn a_proxy_that_is_busy_may_have_sent_a_redrive_on() {
    let (queue, calls) =
        serve(|_, _| async { (StatusCode::SERVICE_UNAVAILABLE, "busy\n").into_response() }).await;
    let error = queue.redrive(&Redrive::default()).await.unwrap_err();
    assert_eq!((error.status(), calls.load(SeqCst)), (Some(503), 1));
}
