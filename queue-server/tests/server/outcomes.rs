//! Outcomes: the log of what became of each item.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, until};

/// Leases the next item and ends it.
async fn finish(api: &Api, verdict: &str, said: &str) {
    let held = api.take_with(json!({"worker": "w"})).await;
    api.one(&held, verdict, said).await.is(200);
}

async fn page(api: &Api, query: &str) -> Vec<Value> {
    let answer = api
        .get(&format!("/v1/queues/q/outcomes{query}"))
        .await
        .is(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = answer.text();
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "each line is ended"
    );
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn bodies(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["body"].as_str().expect("text"))
        .collect()
}

#[tokio::test]
async fn an_outcome_tells_the_whole_story_of_an_item() {
    let api = Api::start();
    api.load(json!({"max_attempts": 2}), &["good", "bad"]).await;
    finish(&api, "ack", "result").await;
    finish(&api, "nack?delay_ms=0", "first").await;
    finish(&api, "nack?delay_ms=0&exit_code=9", "second").await;
    let lines = page(&api, "").await;
    let [good, bad] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&good["state"], &good["result"]),
        (&json!("done"), &json!("result"))
    );
    assert_eq!(
        (&good["attempts"], &good["worker"]),
        (&json!(1), &json!("w"))
    );
    assert_eq!(good.get("error"), None);
    assert_eq!(
        (&bad["state"], &bad["error"]),
        (&json!("dead"), &json!("second"))
    );
    assert_eq!(
        (&bad["attempts"], &bad["exit_code"]),
        (&json!(2), &json!(9))
    );
    assert_eq!(bad.get("result"), None);
    for line in &lines {
        let time = |name: &str| {
            line[name]
                .as_str()
                .expect(name)
                .parse::<jiff::Timestamp>()
                .expect("RFC 3339")
        };
        assert!(
            time("enqueued") <= time("started") && time("started") <= time("ended"),
            "{line}"
        );
        assert_eq!(line["id"].as_str().map(str::len), Some(32));
    }
}

#[tokio::test]
async fn outcomes_are_numbered_in_the_order_they_came_about() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    let (a, b, c) = (api.take().await, api.take().await, api.take().await);
    for held in [&b, &c, &a] {
        api.one(held, "ack", ()).await.is(200);
    }
    let lines = page(&api, "").await;
    assert_eq!(bodies(&lines), ["b", "c", "a"]);
    let numbers: Vec<_> = lines
        .iter()
        .map(|line| line["outcome"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn outcomes_are_read_page_by_page() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    for _ in 0..3 {
        finish(&api, "ack", "").await;
    }
    let first = page(&api, "?limit=2").await;
    assert_eq!(bodies(&first), ["a", "b"]);
    let after = format!("?limit=2&after={}", first[1]["outcome"]);
    assert_eq!(bodies(&page(&api, &after).await), ["c"]);
    assert!(page(&api, "?after=3").await.is_empty());
    assert!(
        page(&api, "?after=99").await.is_empty(),
        "that is yet to come"
    );
}

#[rstest]
#[case::limit("limit=10001")]
#[case::no_number("after=first")]
#[case::negative("after=-1")]
#[case::no_flag("follow=perhaps")]
#[case::unknown("form=csv")]
#[tokio::test]
async fn a_page_that_cannot_be_is_refused(#[case] query: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    api.get(&format!("/v1/queues/q/outcomes?{query}"))
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn following_shows_each_outcome_as_it_comes_and_ends_when_the_queue_is_drained() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    finish(&api, "ack", "").await;
    let mut lines = api.lines("/v1/queues/q/outcomes?follow=true").await;
    assert_eq!(lines.next().await.expect("the first")["body"], "a");
    finish(&api, "dead", "poison").await;
    assert_eq!(lines.next().await.expect("the second")["state"], "dead");
    api.post("/v1/queues/q/seal", ()).await.is(200);
    finish(&api, "ack", "").await;
    assert_eq!(lines.next().await.expect("the third")["body"], "c");
    assert_eq!(lines.next().await, None, "drained");
}

#[tokio::test]
async fn following_a_drained_queue_shows_what_there_is_and_ends() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    finish(&api, "ack", "").await;
    finish(&api, "ack", "").await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    assert_eq!(bodies(&page(&api, "?follow=true&after=1").await), ["b"]);
}

#[tokio::test]
async fn following_breaks_off_when_the_queue_is_deleted_for_an_orderly_end_would_mean_drained() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    finish(&api, "ack", "").await;
    let mut lines = api.lines("/v1/queues/q/outcomes?follow=true").await;
    lines.next().await.expect("the first");
    api.delete("/v1/queues/q").await.is(204);
    lines.breaks_off().await;
}

#[tokio::test]
async fn many_outcomes_are_followed_without_a_gap() {
    let api = Api::start();
    api.make(json!({})).await;
    let many = 5000;
    let lines: String = (0..many).map(|n| format!("{n}\n")).collect();
    api.post("/v1/queues/q/items?lines=true&seal=true&ids=false", lines)
        .await
        .is(201);
    let work = async {
        loop {
            let leased = api.lease(json!({"max": 500})).await;
            let acks: Vec<_> = leased["items"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| json!({"lease": item["lease"], "as": "ack"}))
                .collect();
            if acks.is_empty() {
                break;
            }
            api.post("/v1/queues/q/settle", json!({"settle": acks}))
                .await
                .is(200);
        }
    };
    let follow = async {
        let mut lines = api.lines("/v1/queues/q/outcomes?follow=true").await;
        let mut next = 1;
        while let Some(line) = lines.next().await {
            assert_eq!(line["outcome"], next);
            next += 1;
        }
        next - 1
    };
    let (followed, ()) = tokio::join!(follow, work);
    assert_eq!(followed, many);
}

#[tokio::test]
async fn a_cursor_past_retention_is_gone_and_told_where_to_go_on() {
    let api = Api::start();
    api.load(json!({"done_retention_items": 2}), &["a", "b", "c", "d"])
        .await;
    for _ in 0..4 {
        finish(&api, "ack", "").await;
    }
    until("the oldest are forgotten", async || {
        api.get("/v1/queues/q/outcomes?after=1").await.status == 410
    })
    .await;
    let detail = api
        .get("/v1/queues/q/outcomes?after=1")
        .await
        .problem(410, "outcomes_gone");
    assert!(detail.contains('2'), "{detail}");
    assert_eq!(bodies(&page(&api, "?after=2").await), ["c", "d"]);
    assert_eq!(
        api.queue().await["counts"]["done"],
        4,
        "what is forgotten still counts"
    );
}

#[tokio::test]
async fn what_kuards_consumer_took_is_done() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/memq/server/queues/q/dequeue", ()).await.is(200);
    let line = page(&api, "").await.remove(0);
    assert_eq!(
        (&line["body"], &line["state"]),
        (&json!("a"), &json!("done"))
    );
    assert_eq!(
        (line.get("worker"), line.get("started")),
        (None, None),
        "it was never leased"
    );
}

#[tokio::test]
async fn thrown_away_items_have_no_outcome() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/v1/queues/q/purge", ()).await.is(200);
    assert!(page(&api, "").await.is_empty());
}
