//! What was acknowledged is there after a restart, in order or by `kill -9`: the real program, one
//! directory, two lives.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, End, Held, Lives, Program, lasting, until};

async fn outcomes(api: &Api) -> String {
    api.get("/v1/queues/q/outcomes").await.is(200).text()
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_queue_is_after_a_restart_as_it_was_before(#[case] end: End) {
    let mut lives = Lives::begin();
    let api = &lives.api;
    let settings = json!({"lease_ms": 60_000, "max_attempts": 3, "max_items": 50});
    api.load(settings, &["done", "dead", "delayed", "leased", "ready"])
        .await;
    // The half of the settings that the core does not know.
    api.put("/v1/queues/q", json!({"max_body_bytes": 1234}))
        .await
        .is(200);
    let [done, dead, delayed, leased] = [
        api.take().await,
        api.take().await,
        api.take().await,
        api.take_with(json!({"worker": "ada"})).await,
    ];
    api.settle(json!({"lease": done.lease, "as": "ack", "result": "its result", "exit_code": 0}))
        .await;
    api.settle(json!({"lease": dead.lease, "as": "dead", "error": "its error", "exit_code": 9}))
        .await;
    api.settle(json!({"lease": delayed.lease, "as": "nack", "delay_ms": 3_600_000}))
        .await;
    let (before, joblog) = (api.queue().await, outcomes(api).await);
    assert_eq!(
        before["counts"],
        json!({"ready": 1, "leased": 1, "delayed": 1, "dead": 1, "done": 1})
    );

    let api = lives.again(end).await;
    assert_eq!(lasting(&api.queue().await), lasting(&before));
    assert_eq!(api.queue().await["settings"]["max_body_bytes"], 1234);
    assert_eq!(outcomes(api).await, joblog);
    let after_first = api
        .get("/v1/queues/q/outcomes?after=1")
        .await
        .is(200)
        .text();
    assert_eq!(
        after_first,
        joblog.lines().nth(1).expect("two").to_owned() + "\n"
    );
    // A token means what it meant: of the item that is held, and of those that were settled.
    let settled = api
        .settle(json!({"lease": done.lease, "as": "ack", "result": "its result"}))
        .await;
    assert_eq!(settled["repeated"], true, "{settled}");
    let settled = api.settle(json!({"lease": dead.lease, "as": "dead"})).await;
    assert_eq!(settled["repeated"], true, "{settled}");
    let settled = api
        .settle(json!({"lease": leased.lease, "as": "ack"}))
        .await;
    assert_eq!(settled, json!({"lease": leased.lease, "ok": true}));
    let ready = api.take().await;
    assert_eq!((ready.body.as_str(), ready.attempt), ("ready", 1));
    let answer = outcomes(api).await;
    let last: Value = serde_json::from_str(answer.lines().last().expect("three")).expect("JSON");
    assert_eq!(last["outcome"], 3);
    assert_eq!(last["id"], leased.id.as_str());
    assert_eq!(last["worker"], "ada");
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_lease_lasts_its_whole_length_from_the_restart(#[case] end: End) {
    let mut lives = Lives::begin();
    let api = &lives.api;
    api.load(json!({"lease_ms": 4_000}), &["own", "extended"])
        .await;
    let (own, extended) = (api.take().await, api.take().await);
    api.one(&extended, "extend?lease_ms=60000", ())
        .await
        .is(200);

    lives.end(end).await;
    let begin = Instant::now();
    let program = Program::start_in(lives.data_dir(), &[]);
    let api = Api::of(program.address());
    // Parked until the first lease ends, which is a lease's length after the start.
    let again = api.take_with(json!({"wait_ms": 20_000})).await;
    assert_eq!((again.id, again.attempt), (own.id.clone(), 2));
    assert!(
        begin.elapsed() >= Duration::from_millis(4_000),
        "{:?}",
        begin.elapsed()
    );
    api.one(&own, "ack", ()).await.problem(409, "lease_lost");
    let settled = api
        .settle(json!({"lease": extended.lease, "as": "ack"}))
        .await;
    assert_eq!(settled["ok"], true, "{settled}");
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn what_is_delayed_falls_due_at_its_time_whatever_restarts(#[case] end: End) {
    let mut lives = Lives::begin();
    let api = &lives.api;
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let begin = Instant::now();
    api.settle(json!({"lease": held.lease, "as": "nack", "delay_ms": 2_500}))
        .await;
    for _ in 0..2 {
        lives.again(end).await;
    }
    let again = lives.api.take_with(json!({"wait_ms": 20_000})).await;
    assert_eq!((again.id, again.attempt), (held.id, 2));
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(2_500), "{took:?}");
    assert!(
        took < Duration::from_secs(15),
        "its time began anew: {took:?}"
    );
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn sealed_paused_drained_and_empty_are_so_after_a_restart(#[case] end: End) {
    let mut lives = Lives::begin();
    let api = &lives.api;
    api.load(json!({"quiet_ms": 100}), &["a"]).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    api.put("/v1/queues/paused", ()).await.is(201);
    api.post("/v1/queues/paused/items", "x").await.is(201);
    api.post("/v1/queues/paused/pause", ()).await.is(200);
    api.put("/v1/queues/over", json!({"quiet_ms": 100}))
        .await
        .is(201);
    api.post("/v1/queues/over/items", "x").await.is(201);
    api.post("/v1/queues/over/purge", ()).await.is(200);

    let api = lives.again(end).await;
    api.post("/v1/queues/q/items", "late")
        .await
        .problem(409, "queue_sealed");
    let held = api.take().await;
    assert_eq!(api.queue().await["drained"], false);
    api.one(&held, "ack", ()).await.is(200);
    let answer = api.post("/v1/queues/paused/lease", ()).await.is(200).json();
    assert_eq!(answer["state"], "paused");
    let empty = "/v1/queues/over/wait?for=empty&wait_ms=20000";
    api.get(empty).await.is(200);

    let api = lives.again(end).await;
    api.get("/v1/queues/q/wait?for=drained").await.is(200);
    assert_eq!(api.lease(json!({})).await["state"], "drained");
    let answer = api
        .post("/v1/queues/over/lease", json!({"until": "empty"}))
        .await;
    assert_eq!(answer.is(200).json()["state"], "empty");
    api.post("/v1/queues/paused/resume", ()).await.is(200);
    let answer = api.post("/v1/queues/paused/lease", ()).await.is(200).json();
    assert_eq!(answer["items"][0]["body"], "x");
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_deleted_queue_stays_deleted_and_its_successor_has_nothing_of_it(#[case] end: End) {
    let mut lives = Lives::begin();
    let api = &lives.api;
    api.load(json!({"max_attempts": 9}), &["a", "b"]).await;
    let held = api.take().await;
    api.one(&held, "ack", "result").await.is(200);
    let old = api.take().await;
    api.put("/v1/queues/gone", ()).await.is(201);
    api.delete("/v1/queues/gone").await.is(204);
    api.delete("/v1/queues/q?force=true").await.is(204);
    api.load(json!({}), &["new"]).await;
    let before = api.queue().await;

    let api = lives.again(end).await;
    api.get("/v1/queues/gone")
        .await
        .problem(404, "no_such_queue");
    assert_eq!(lasting(&api.queue().await), lasting(&before));
    assert_eq!(api.queue().await["settings"]["max_attempts"], 5);
    assert_eq!(outcomes(api).await, "");
    api.one(&old, "ack", ()).await.problem(409, "lease_lost");
    let new = api.take().await;
    assert_eq!(new.body, "new");
    assert_ne!(new.lease, old.lease);
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn no_token_and_no_id_is_given_twice_over_restarts(#[case] end: End) {
    let mut lives = Lives::begin();
    lives.api.make(json!({"lease_ms": 600_000})).await;
    let mut seen = std::collections::HashSet::new();
    for life in 0..4 {
        let api = &lives.api;
        let id = api.enqueue(format!("{life}")).await;
        let held = api.take().await;
        assert_eq!(held.id, id);
        assert!(seen.insert(id) && seen.insert(held.lease.clone()));
        // Given back and lent again, with a lease record that nobody waited for.
        api.one(&held, "release", ()).await.is(200);
        let again = api.take().await;
        assert!(seen.insert(again.lease));
        lives.again(end).await;
    }
    until("all four are still in hands", async || {
        lives.api.queue().await["counts"]["leased"] == 4
    })
    .await;
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn kuards_queues_are_there_after_a_restart(#[case] end: End) {
    let mut lives = Lives::begin();
    let queue = |call: &str| format!("/memq/server/queues/{call}");
    let api = &lives.api;
    api.put(&queue("keys"), ()).await.is(200);
    for body in ["a", "b", "c"] {
        api.post(&queue("keys/enqueue"), body).await.is(200);
    }
    let first = api.post(&queue("keys/dequeue"), ()).await.is(200).json();
    assert_eq!(first["body"], "a");
    let before = api.get("/memq/server/stats").await.is(200).text();

    let api = lives.again(end).await;
    assert_eq!(api.get("/memq/server/stats").await.is(200).text(), before);
    let second = api.post(&queue("keys/dequeue"), ()).await.is(200).json();
    assert_eq!(second["body"], "b");
    api.post(&queue("keys/drain"), ()).await.is(200);

    let api = lives.again(end).await;
    api.post(&queue("keys/dequeue"), ()).await.is(204);
    api.delete(&queue("keys")).await.is(200);
    let api = lives.again(end).await;
    let stats = api.get("/memq/server/stats").await.is(200).text();
    assert!(!stats.contains("keys"), "{stats}");
}

/// A parked call is answered when the next life has an item, and a held item is worth its lease, though
/// every life ends by force.
#[tokio::test]
async fn a_worker_that_comes_back_after_every_kill_finishes_everything_once() {
    let mut lives = Lives::begin();
    lives.api.make(json!({"lease_ms": 600_000})).await;
    let items = 12;
    for n in 0..items {
        lives.api.enqueue(format!("{n}")).await;
    }
    lives.api.post("/v1/queues/q/seal", ()).await.is(200);
    let mut held: Option<Held> = None;
    loop {
        let api = lives.again(End::Killed).await;
        let settle: Vec<_> = held
            .iter()
            .map(|held| json!({"lease": held.lease, "as": "ack", "result": held.body}))
            .collect();
        let answer = api.lease(json!({"settle": settle})).await;
        if answer["state"] == "drained" {
            break;
        }
        assert!(
            held.is_none() || answer["settled"][0]["ok"] == true,
            "{answer}"
        );
        held = Some(Held::of(&answer));
    }
    let joblog = outcomes(&lives.api).await;
    let results: Vec<String> = joblog
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(
                (&line["attempts"], &line["body"]),
                (&json!(1), &line["result"])
            );
            line["result"].as_str().expect("text").to_owned()
        })
        .collect();
    let all: Vec<String> = (0..items).map(|n| n.to_string()).collect();
    assert_eq!(results, all);
}
