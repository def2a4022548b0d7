//! Parked calls: who is woken by what, in which order, and what becomes of those who left.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;

use crate::harness::{Api, BOUND, Held};

#[tokio::test]
async fn an_item_reaches_the_one_who_waits_for_it() {
    let api = Api::start();
    api.make(json!({})).await;
    let parked = api.lease(json!({"wait_ms": 30_000, "worker": "w"}));
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.enqueue("late").await;
    });
    assert_eq!(Held::of(&answer).body, "late");
    api.until_parked(0).await;
}

#[tokio::test]
async fn those_who_wait_are_served_in_their_order() {
    let api = Api::start();
    api.make(json!({})).await;
    let wait = async |turn: usize| {
        api.until_parked(turn).await;
        Held::of(&api.lease(json!({"wait_ms": 30_000})).await).body
    };
    let (first, second, third, ()) = tokio::join!(wait(0), wait(1), wait(2), async {
        api.until_parked(3).await;
        api.post("/v1/queues/q/items?lines=true", "a\nb\nc\n")
            .await
            .is(201);
    });
    assert_eq!([first, second, third], ["a", "b", "c"]);
}

#[tokio::test]
async fn one_new_item_wakes_one_of_a_thousand_who_wait() {
    let api = Api::start();
    api.make(json!({})).await;
    let many = 1000;
    let waiters: Vec<_> = (0..many)
        .map(|_| Box::pin(api.lease(json!({"wait_ms": 60_000}))))
        .collect();
    let waiting = futures_util::future::join_all(waiters);
    let (answers, ()) = tokio::join!(waiting, async {
        api.until_parked(many).await;
        api.enqueue("only").await;
        api.until_parked(many - 1).await;
        assert_eq!(api.queue().await["counts"]["leased"], 1);
        // Nothing more to lend and nobody to lend it: the rest hear so at once.
        let held = json!({"max_attempts": 5});
        api.put("/v1/queues/q", held).await.is(200);
        assert_eq!(api.queue().await["totals"]["leased"], 1);
        api.post(
            "/v1/queues/q/items?lines=true&ids=false",
            "x\n".repeat(many - 1),
        )
        .await
        .is(201);
    });
    let mut bodies: Vec<_> = answers.iter().map(|answer| Held::of(answer).body).collect();
    bodies.sort_unstable();
    assert_eq!(bodies.iter().filter(|body| *body == "only").count(), 1);
    assert_eq!(bodies.len(), many);
}

#[tokio::test]
async fn the_end_of_the_work_wakes_all_who_wait() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let parked = (0..10).map(|_| Box::pin(api.lease(json!({"wait_ms": 60_000}))));
    let parked = futures_util::future::join_all(parked);
    let (answers, since) = tokio::join!(parked, async {
        api.until_parked(10).await;
        api.post("/v1/queues/q/seal", ()).await.is(200);
        api.until_parked(10).await;
        api.one(&held, "ack", ()).await.is(200);
        Instant::now()
    });
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    for answer in answers {
        assert_eq!(answer, json!({"items": [], "state": "drained"}));
    }
}

#[tokio::test]
async fn sealing_a_queue_with_nothing_left_wakes_all_who_wait() {
    let api = Api::start();
    api.make(json!({})).await;
    let (answer, ()) = tokio::join!(api.lease(json!({"wait_ms": 60_000})), async {
        api.until_parked(1).await;
        api.post("/v1/queues/q/seal", ()).await.is(200);
    });
    assert_eq!(answer["state"], "drained");
}

#[tokio::test]
async fn who_waits_until_empty_hears_when_the_queue_was_left_alone_for_a_while() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 300}), &["a"]).await;
    let begin = Instant::now();
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    let answer = api
        .lease(json!({"wait_ms": 60_000, "until": "empty"}))
        .await;
    assert_eq!(answer["state"], "empty");
    assert!(begin.elapsed() < BOUND, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn who_waits_for_items_alone_stays_while_the_queue_is_empty() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 0}), &["a"]).await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    let (answer, ()) = tokio::join!(api.lease(json!({"wait_ms": 60_000})), async {
        api.until_parked(1).await;
        assert_eq!(api.queue().await["empty"], true);
        api.enqueue("b").await;
    });
    assert_eq!(Held::of(&answer).body, "b");
}

#[tokio::test]
async fn who_waits_until_empty_stays_while_others_hold_items() {
    let api = Api::start();
    api.load(json!({"quiet_ms": 0}), &["a"]).await;
    let held = api.take().await;
    let (answer, ()) = tokio::join!(
        api.lease(json!({"wait_ms": 60_000, "until": "empty"})),
        async {
            api.until_parked(1).await;
            api.one(&held, "release", ()).await.is(200);
        }
    );
    assert_eq!(Held::of(&answer).id, held.id);
}

#[tokio::test]
async fn the_item_of_a_worker_that_died_goes_to_the_one_who_waits() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let died = api.take_with(json!({"lease_ms": 200})).await;
    let answer = api
        .lease(json!({"wait_ms": 60_000, "until": "empty"}))
        .await;
    assert_eq!(Held::of(&answer).id, died.id);
}

#[tokio::test]
async fn who_left_is_not_lent_anything() {
    let api = Api::start();
    api.make(json!({})).await;
    let mut ghost = api.wire().await;
    let body = r#"{"wait_ms":60000,"worker":"ghost"}"#;
    let head = format!(
        "POST /v1/queues/q/lease HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    ghost.send(head + body).await;
    api.until_parked(1).await;
    drop(ghost);
    api.until_parked(0).await;
    api.enqueue("a").await;
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["ready"], &queue["totals"]["leased"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(api.take().await.attempt, 1);
}

#[tokio::test]
async fn an_item_for_one_who_left_goes_to_the_next_in_line() {
    let api = Api::start();
    api.make(json!({})).await;
    for _ in 0..20 {
        let mut ghost = api.wire().await;
        let body = r#"{"wait_ms":60000}"#;
        let head = format!(
            "POST /v1/queues/q/lease HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        ghost.send(head + body).await;
        api.until_parked(1).await;
        let next = api.lease(json!({"wait_ms": 60_000}));
        let (answer, ()) = tokio::join!(next, async {
            api.until_parked(2).await;
            // Gone in the same moment as the item comes: either order must do.
            drop(ghost);
            api.enqueue("a").await;
        });
        let held = Held::of(&answer);
        assert_eq!(held.body, "a");
        api.one(&held, "ack", ()).await.is(200);
    }
    assert_eq!(api.queue().await["counts"]["done"], 20);
}

#[rstest]
#[case::drained("drained")]
#[case::empty("empty")]
#[tokio::test]
async fn one_may_wait_for_the_end_without_taking_part(#[case] end: &str) {
    let api = Api::start();
    api.load(json!({"quiet_ms": 0}), &["a"]).await;
    let held = api.take().await;
    let path = format!("/v1/queues/q/wait?for={end}&wait_ms=60s");
    let (answer, ()) = tokio::join!(api.get(&path), async {
        api.until_parked(1).await;
        if end == "drained" {
            api.post("/v1/queues/q/seal", ()).await.is(200);
        }
        api.one(&held, "ack", ()).await.is(200);
    });
    let queue = answer.is(200).json();
    assert_eq!((&queue["name"], &queue[end]), (&json!("q"), &json!(true)));
    assert_eq!(
        api.get(&format!("/v1/queues/q/wait?for={end}"))
            .await
            .is(200)
            .json()["name"],
        "q"
    );
}

#[tokio::test]
async fn who_waits_for_empty_is_content_with_drained() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    assert_eq!(
        api.get("/v1/queues/q/wait?for=empty").await.is(200).json()["drained"],
        true
    );
}

#[tokio::test]
async fn a_wait_that_runs_out_of_time_says_nothing() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    for query in [
        "for=drained",
        "for=drained&wait_ms=50",
        "for=empty&wait_ms=50ms",
    ] {
        let answer = api.get(&format!("/v1/queues/q/wait?{query}")).await.is(204);
        assert!(answer.body.is_empty());
    }
}

#[rstest]
#[case::for_what("for=friday")]
#[case::nothing("wait_ms=1")]
#[case::how_long("for=drained&wait_ms=300001")]
#[case::how_long_in_words("for=drained&wait_ms=5m1s")]
#[case::no_time("for=drained&wait_ms=soon")]
#[case::unknown("for=drained&wiat_ms=1")]
#[tokio::test]
async fn what_cannot_be_waited_for_is_refused(#[case] query: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    api.get(&format!("/v1/queues/q/wait?{query}"))
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn one_parked_call_past_the_limit_is_refused_and_others_go_on() {
    let api = Api::start_with(|config| config.max_waiters = 2);
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let park = || api.lease(json!({"wait_ms": 60_000}));
    let (first, second, ()) = tokio::join!(park(), park(), async {
        api.until_parked(2).await;
        let refused = api
            .post("/v1/queues/q/lease", json!({"wait_ms": 1000}))
            .await;
        assert!(refused.problem(429, "overloaded").contains('2'));
        api.get("/v1/queues/q/wait?for=drained&wait_ms=1000")
            .await
            .problem(429, "overloaded");
        assert_eq!(
            api.lease(json!({})).await["state"],
            "waiting",
            "who does not park is served"
        );
        api.one(&held, "ack", ()).await.is(200);
        api.post("/v1/queues/q/seal", ()).await.is(200);
    });
    assert_eq!(
        (&first["state"], &second["state"]),
        (&json!("drained"), &json!("drained"))
    );
}

#[tokio::test]
async fn settlements_are_applied_even_where_there_is_no_room_to_park() {
    let api = Api::start_with(|config| config.max_waiters = 1);
    api.load(json!({"quiet_ms": 60_000}), &["a"]).await;
    let held = api.take().await;
    let (_, ()) = tokio::join!(api.lease(json!({"wait_ms": 60_000})), async {
        api.until_parked(1).await;
        let settle = json!([{"lease": held.lease, "as": "ack"}]);
        let carried = json!({"wait_ms": 1000, "settle": settle});
        let _answer = api.post("/v1/queues/q/lease", carried).await;
        assert_eq!(
            api.queue().await["counts"]["done"],
            1,
            "whatever becomes of the lease"
        );
        api.post("/v1/queues/q/seal", ()).await.is(200);
    });
}

#[tokio::test]
async fn stopping_answers_everyone_who_waits() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let url = api.address();
    let call = |path: &'static str, body: &'static str| async move {
        let mut wire = crate::harness::Wire::connect(url).await;
        let (method, length) = if body.is_empty() {
            ("GET", 0)
        } else {
            ("POST", body.len())
        };
        wire.send(format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
        wire.read_to_end().await
    };
    let lease = tokio::spawn(call("/v1/queues/q/lease", r#"{"wait_ms":300000}"#));
    let wait = tokio::spawn(call("/v1/queues/q/wait?for=drained&wait_ms=300000", ""));
    // Following parks nothing that the metrics count: its head says that it was taken in.
    let mut following = crate::harness::Wire::connect(url).await;
    following
        .send("GET /v1/queues/q/outcomes?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let head = following.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    api.until_parked(2).await;
    api.tell_to_stop();
    let lease = lease.await.expect("answered");
    assert!(lease.starts_with("HTTP/1.1 200 OK\r\n"), "{lease}");
    assert!(
        lease.ends_with("{\"items\":[],\"state\":\"waiting\"}\n"),
        "{lease}"
    );
    let wait = wait.await.expect("answered");
    assert!(wait.starts_with("HTTP/1.1 204 No Content\r\n"), "{wait}");
    let follow = following.read_to_end().await;
    assert!(
        !follow.ends_with("0\r\n\r\n"),
        "an orderly end would mean drained: {follow}"
    );
    let stopped = api.stopped().await;
    assert_eq!(stopped.cut, 0, "{stopped}");
    assert!(stopped.took < Duration::from_secs(5), "{stopped}");
}
