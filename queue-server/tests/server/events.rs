//! Server-sent events: a snapshot, then what changes, as those hear it who watch.

use std::time::Instant;

use queue_api::limits::MAX_EVENT_STREAMS;
use serde_json::{Value, json};

use crate::harness::{Api, Events, until};

#[tokio::test]
async fn a_stream_begins_with_all_queues_and_goes_on_with_what_changes() {
    let api = Api::start();
    api.put("/v1/queues/other", ()).await.is(201);
    api.make(json!({})).await;
    let mut events = Events::open(&api, "").await;
    let (name, snapshot) = events.next().await;
    assert_eq!(name, "snapshot");
    let listed = api.get("/v1/queues").await.is(200).json();
    assert_eq!(snapshot["queues"], listed["queues"]);

    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert_eq!(events.next().await, ("queue".into(), api.queue().await));
    api.put("/v1/queues/new", ()).await.is(201);
    let (name, queue) = events.next().await;
    assert_eq!((name.as_str(), &queue["name"]), ("queue", &json!("new")));
    api.delete("/v1/queues/new").await.is(204);
    let deleted = ("deleted".to_owned(), json!({"name": "new"}));
    assert_eq!(events.next().await, deleted);
}

#[tokio::test]
async fn a_server_without_queues_tells_of_none() {
    let api = Api::start();
    let mut events = Events::open(&api, "").await;
    let none = ("snapshot".to_owned(), json!({"queues": [], "runs": []}));
    assert_eq!(events.next().await, none);
}

#[tokio::test]
async fn one_who_asks_for_a_queue_hears_of_that_alone_and_may_be_early() {
    let api = Api::start();
    let mut events = Events::open(&api, "?queue=q").await;
    let none = ("snapshot".to_owned(), json!({"queues": []}));
    assert_eq!(events.next().await, none);
    api.put("/v1/queues/other", ()).await.is(201);
    api.make(json!({})).await;
    assert_eq!(events.next().await.1["name"], "q");
    api.post("/v1/queues/other/pause", ()).await.is(200);
    api.enqueue("a").await;
    let (_, queue) = events.next().await;
    assert_eq!(
        (&queue["name"], &queue["counts"]["ready"]),
        (&json!("q"), &json!(1))
    );
    let mut events = Events::open(&api, "?queue=q").await;
    let (_, snapshot) = events.next().await;
    assert_eq!(snapshot["queues"].as_array().map(Vec::len), Some(1));
    api.get("/v1/events?queue=-q")
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn many_changes_are_told_of_at_most_four_times_a_second() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut events = Events::open(&api, "").await;
    events.next().await;
    let begin = Instant::now();
    for item in 0..300 {
        api.enqueue(item.to_string()).await;
    }
    let mut told = 0;
    loop {
        let (_, queue) = events.next().await;
        told += 1;
        if queue["counts"]["ready"] == 300 {
            break;
        }
    }
    let most = begin.elapsed().as_millis() / 250 + 1;
    assert!(told <= most, "{told} in {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let api = Api::start();
    for queue in 0..300 {
        api.put(&format!("/v1/queues/q{queue}"), ()).await.is(201);
    }
    // It asks, and never reads.
    let mut deaf = api.wire().await;
    deaf.send("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let mut events = Events::open(&api, "?queue=q7").await;
    events.next().await;
    for _ in 0..3 {
        api.post("/v1/queues/q7/pause", ()).await.is(200);
        assert_eq!(events.next().await.1["paused"], true);
        api.post("/v1/queues/q7/resume", ()).await.is(200);
        assert_eq!(events.next().await.1["paused"], false);
    }
}

#[tokio::test]
async fn streams_end_in_order_when_the_server_stops() {
    let mut api = Api::start();
    let mut events = Events::open(&api, "").await;
    events.next().await;
    api.tell_to_stop();
    events.ends().await;
    assert_eq!(api.stopped().await.cut, 0);
}

#[tokio::test]
async fn streams_are_bounded_and_a_place_comes_back_with_its_client() {
    let api = Api::start();
    let mut streams = Vec::new();
    for _ in 0..MAX_EVENT_STREAMS {
        streams.push(Events::open(&api, "").await);
    }
    api.get("/v1/events").await.problem(429, "overloaded");
    drop(streams.pop());
    until("the place is free", async || {
        Events::try_open(&api, "").await.is_some()
    })
    .await;
}

#[tokio::test]
async fn of_many_queues_a_stream_tells_of_the_one_that_changed() {
    let api = Api::start();
    for queue in 0..500 {
        api.put(&format!("/v1/queues/q{queue}"), ()).await.is(201);
    }
    let mut events = Events::open(&api, "").await;
    let (_, snapshot) = events.next().await;
    assert_eq!(snapshot["queues"].as_array().map(Vec::len), Some(500));
    api.post("/v1/queues/q100/pause", ()).await.is(200);
    let (_, queue) = events.next().await;
    assert_eq!(queue["name"], "q100");
    // Nothing else was told, so that the next is the next change.
    api.delete("/v1/queues/q99").await.is(204);
    let (_, deleted): (_, Value) = events.next().await;
    assert_eq!(deleted, json!({"name": "q99"}));
}
