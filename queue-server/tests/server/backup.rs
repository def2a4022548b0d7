//! Backups of a live server, and what comes back of them.

use queue_server::{Config, Storage};
use rstest::rstest;
use serde_json::json;

use crate::durability_whole_life::WholeLife;
use crate::harness::{Answer, Api, Held};

/// A queue with an item in each state, one of which a worker holds.
async fn in_every_state(api: &Api) -> Held {
    let settings = json!({"max_attempts": 1, "max_body_bytes": 2000});
    api.load(settings, &["done", "dead", "leased"]).await;
    let done = api.take().await;
    api.one(&done, "ack", "the result").await.is(200);
    let dead = api.take().await;
    api.one(&dead, "dead", "the error").await.is(200);
    let held = api.take().await;
    api.enqueue("ready").await;
    api.enqueue("x".repeat(1500)).await;
    api.post("/v1/queues/q/pause", ()).await.is(200);
    api.put("/v1/queues/empty", ()).await.is(201);
    held
}

async fn backup(api: &Api) -> Answer {
    api.get("/v1/backup").await.is(200)
}

async fn outcomes(api: &Api) -> String {
    api.get("/v1/queues/q/outcomes").await.is(200).text()
}

fn without_memory_for_bodies(config: &mut Config) {
    if let Storage::Disk(storage) = &mut config.storage {
        storage.body_memory = 0;
        storage.segment_bytes = 64 * 1024;
    }
}

#[rstest]
#[case::in_memory_too(|_: &mut Config| ())]
#[case::on_disk_alone(without_memory_for_bodies)]
#[case::in_memory_alone(|config: &mut Config| config.storage = Storage::Memory)]
#[tokio::test]
async fn a_backup_brings_every_queue_back_as_it_was(#[case] into: fn(&mut Config)) {
    let original = Api::start();
    let held = in_every_state(&original).await;
    let bytes = backup(&original).await.body;

    let copy = Api::start_with(into);
    let restored = copy.post("/v1/restore", bytes).await.is(200).json();
    assert_eq!(restored, json!({"queues": 2, "unfinished": 3}));
    let (mut was, mut is) = (original.queue().await, copy.queue().await);
    for queue in [&mut was, &mut is] {
        let fields = queue.as_object_mut().expect("a queue");
        // These are a matter of time, or of what the server itself has seen.
        for passing in ["rate_per_s", "eta_ms", "oldest_ready_ms", "handling"] {
            fields.remove(passing);
        }
    }
    assert_eq!(is, was);
    assert_eq!(outcomes(&copy).await, outcomes(&original).await);
    let settled = copy.one(&held, "ack", ()).await.is(200).json();
    assert_eq!(settled["ok"], true, "the worker goes on with the copy");
    copy.post("/v1/queues/q/resume", ()).await.is(200);
    assert_eq!(copy.take().await.body, "ready");
    assert_eq!(copy.take().await.body, "x".repeat(1500));
}

#[rstest]
#[case::in_memory_too(|_: &mut Config| ())]
#[case::on_disk_alone(without_memory_for_bodies)]
#[tokio::test]
async fn a_backup_has_all_that_items_were_given_and_all_that_became_of_them(
    #[case] into: fn(&mut Config),
) {
    let original = Api::start();
    let life = WholeLife::live(&original).await;
    let bytes = backup(&original).await.body;
    let mut copy = Api::start_with(into);
    copy.post("/v1/restore", bytes).await.is(200);
    copy.restart().await;
    life.assert_goes_on(&copy).await;
}

#[tokio::test]
async fn what_was_restored_survives_a_restart() {
    let original = Api::start();
    in_every_state(&original).await;
    let bytes = backup(&original).await.body;
    let mut copy = Api::start_with(without_memory_for_bodies);
    copy.post("/v1/restore", bytes).await.is(200);
    let outcomes_before = outcomes(&copy).await;
    copy.restart().await;
    assert_eq!(copy.queue().await["counts"]["ready"], 2);
    assert_eq!(outcomes(&copy).await, outcomes_before);
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_cut_off_changes_nothing() {
    let original = Api::start();
    in_every_state(&original).await;
    let whole = backup(&original).await.body;
    let mut copy = Api::start();
    let mut damaged = whole.to_vec();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for bytes in [
        b"hello".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        damaged,
    ] {
        let refused = copy.post("/v1/restore", bytes).await;
        let detail = refused.problem(400, "bad_request");
        assert!(detail.contains("nothing of it restored"), "{detail}");
        let queues = copy.get("/v1/queues").await.is(200).json();
        assert_eq!(queues, json!({"queues": []}));
    }
    copy.restart().await;
    copy.post("/v1/restore", whole).await.is(200);
    assert_eq!(copy.queue().await["counts"]["ready"], 2);
}

#[tokio::test]
async fn a_server_with_queues_is_not_restored_over() {
    let original = Api::start();
    in_every_state(&original).await;
    let bytes = backup(&original).await.body;
    let refused = original.post("/v1/restore", bytes).await;
    refused.problem(409, "not_empty");
    original.get("/readyz").await.is(200);
}

#[tokio::test]
async fn a_backup_of_a_server_that_works_is_of_one_moment() {
    let original = Api::start();
    original.make(json!({})).await;
    let enqueue = async {
        for batch in 0..50 {
            let lines: String = (0..20).map(|n| format!("{batch}-{n}\n")).collect();
            let path = "/v1/queues/q/items?lines=true&ids=false";
            original.post(path, lines).await.is(201);
        }
    };
    let copies = async {
        let mut copies = Vec::new();
        for _ in 0..5 {
            let before = original.queue().await["totals"]["enqueued"].as_u64();
            copies.push((before.expect("a number"), backup(&original).await.body));
        }
        copies
    };
    let ((), copies) = tokio::join!(enqueue, copies);
    for (before, bytes) in copies {
        let copy = Api::start();
        copy.post("/v1/restore", bytes).await.is(200);
        let ready = copy.queue().await["counts"]["ready"].as_u64();
        let ready = ready.expect("a number");
        assert!(
            ready >= before,
            "{before} were acknowledged, {ready} are there"
        );
        assert_eq!(ready % 20, 0, "a request is all or nothing");
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_restore_that_its_client_gave_up() {
    let original = Api::start();
    in_every_state(&original).await;
    let whole = backup(&original).await.body;
    let copy = Api::start();
    let mut wire = copy.wire().await;
    let head = format!(
        "POST /v1/restore HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        whole.len()
    );
    wire.send(head).await;
    wire.send(&whole[..whole.len() / 2]).await;
    drop(wire);
    // Refused for as long as the server has not noticed.
    crate::harness::until("the server restores", async || {
        copy.post("/v1/restore", whole.clone()).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_server_in_memory_has_nothing_to_back_up() {
    let api = Api::start_with(|config| config.storage = Storage::Memory);
    api.get("/v1/backup").await.problem(400, "bad_request");
}

#[tokio::test]
async fn what_was_delayed_wakes_a_waiting_call_of_the_copy_when_its_time_comes() {
    let original = Api::start();
    original.load(json!({}), &["overdue", "later"]).await;
    for delay in ["nack?delay_ms=300", "nack?delay_ms=3000"] {
        let held = original.take().await;
        original.one(&held, delay, ()).await.is(200);
    }
    let bytes = backup(&original).await.body;
    original.until_count("ready", 1).await;
    let copy = Api::start();
    copy.post("/v1/restore", bytes).await.is(200);
    assert_eq!(copy.take().await.body, "overdue");
    // Nothing else happens to the queue: time alone brings it.
    let held = copy.take_with(json!({"wait_ms": 20_000})).await;
    assert_eq!(held.body, "later");
}
