//! A full disk refuses what makes it fuller, lets items end, and has room again when they have ended.

use queue_log::faulty::FaultyDisk;
use queue_server::{Config, DiskStorage, Storage};
use serde_json::json;

use crate::harness::{Api, until};

const MIB: u64 = 1024 * 1024;

/// The smallest log one may ask for.
fn small_disk() -> Api {
    Api::start_with(|config: &mut Config| {
        if let Storage::Disk(storage) = &mut config.storage {
            *storage = DiskStorage {
                max_data_bytes: Some(64 * MIB),
                ..storage.clone()
            };
        }
    })
}

fn size(api: &Api) -> u64 {
    let entries = std::fs::read_dir(api.data_dir()).expect("a directory");
    entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum()
}

/// Enqueues until that is refused; how many came in.
async fn fill(api: &Api, body: &str) -> u64 {
    let mut came = 0;
    loop {
        let answer = api.post("/v1/queues/q/items", body.to_owned()).await;
        if answer.status != 201 {
            let detail = answer.problem(507, "storage_full");
            assert!(detail.contains("--max-data-bytes"), "{detail}");
            assert_eq!(answer.header("retry-after"), "1");
            return came;
        }
        came += 1;
        assert!(came < 200, "it is never full");
    }
}

async fn takes_items_again(api: &Api) {
    until("there is room again", async || {
        api.post("/v1/queues/q/items", "new").await.status == 201
    })
    .await;
}

#[tokio::test]
async fn what_is_acknowledged_on_a_full_disk_is_kept_and_can_be_finished() {
    let mut api = small_disk();
    // What is done goes at once, so that finishing items makes room.
    api.make(json!({"done_retention_items": 0, "lease_ms": 600_000}))
        .await;
    let body = "x".repeat(900 * 1024);
    let came = fill(&api, &body).await;
    assert!(came * 900 * 1024 > 15 * MIB, "{came} items fill it");
    assert!(size(&api) <= 64 * MIB, "{}", size(&api));
    api.restart().await;
    assert_eq!(api.queue().await["counts"]["ready"], came);
    for _ in 0..came {
        let held = api.take().await;
        assert_eq!(held.body.len(), body.len());
        api.one(&held, "ack", "result").await.is(200);
    }
    takes_items_again(&api).await;
    assert!(size(&api) <= 64 * MIB, "{}", size(&api));
    let mut again = 0;
    // As much as before, but for segments that are full of both.
    until("there is room again for nearly as many", async || {
        again += fill(&api, &body).await;
        again * 3 >= came * 2
    })
    .await;
}

#[tokio::test]
async fn a_purge_and_a_deletion_make_room_on_a_full_disk() {
    let mut api = small_disk();
    let body = "x".repeat(900 * 1024);
    api.make(json!({})).await;
    let came = fill(&api, &body).await;
    let purged = api.post("/v1/queues/q/purge", ()).await.is(200).json();
    assert_eq!(purged["affected"], came);
    takes_items_again(&api).await;
    fill(&api, &body).await;
    api.restart().await;
    api.delete("/v1/queues/q").await.is(204);
    until("a queue can be made again", async || {
        api.put("/v1/queues/q", ()).await.status == 201
    })
    .await;
    fill(&api, &body).await;
    assert!(size(&api) <= 64 * MIB, "{}", size(&api));
}

/// Attempts leave records, and errors that are kept: they must not fill what room is left.
#[tokio::test]
async fn work_goes_on_and_on_on_a_full_disk() {
    let api = small_disk();
    api.make(json!({"lease_ms": 600_000, "max_attempts": 1000}))
        .await;
    let came = fill(&api, &"x".repeat(900 * 1024)).await;
    assert!(came > 5);
    let error = "e".repeat(100 * 1024);
    for _ in 0..400 {
        let held = api.take().await;
        let settle = json!({"lease": held.lease, "as": "nack", "delay_ms": 0, "error": error});
        // A long error is cut where there is no room for it: failing must not fail.
        let settled = api.settle(settle).await;
        assert_eq!(settled["ok"], true, "{settled}");
    }
    assert!(size(&api) <= 64 * MIB, "{}", size(&api));
    assert_eq!(api.queue().await["counts"]["ready"], came);
}

/// A server with small segments on a disk on which nothing new can be made any more, and whose room is
/// used up so far that nothing is lent.
async fn used_up(disk: &FaultyDisk) -> Api {
    let api = Api::start_on(disk, |storage| storage.segment_bytes = 64 * 1024);
    api.make(json!({"lease_ms": 600_000, "max_attempts": 1000, "quiet_ms": 600_000}))
        .await;
    for n in 0..20 {
        api.enqueue(format!("{n}:{}", "x".repeat(10_000))).await;
    }
    disk.fill_up(0);
    loop {
        let answer = api.post("/v1/queues/q/lease", ()).await;
        if answer.status != 200 {
            answer.problem(507, "storage_full");
            return api;
        }
        let lease = answer.json()["items"][0]["lease"].clone();
        // Nothing of what is lent ends: what was written for it stays.
        let settle = json!({"lease": lease, "as": "nack", "delay_ms": 0, "error": "e".repeat(900)});
        let settled = api.settle(settle).await;
        assert_eq!(settled["ok"], true, "{settled}");
    }
}

#[tokio::test]
async fn a_parked_call_is_served_when_there_is_room_to_lend_again() {
    let disk = FaultyDisk::new();
    let api = used_up(&disk).await;
    let parked = async { api.take_with(json!({"wait_ms": 25_000})).await };
    let room = async {
        api.until_parked(1).await;
        disk.make_room();
    };
    let (held, ()) = tokio::join!(parked, room);
    api.one(&held, "ack", ()).await.is(200);
    takes_items_again(&api).await;
}

#[tokio::test]
async fn without_room_to_lend_items_end_and_are_counted_and_starts_go_on() {
    let disk = FaultyDisk::new();
    let mut api = used_up(&disk).await;
    // An empty queue is told as such, full disk or not.
    let answer = api.lease(json!({"max": 0})).await;
    assert_eq!(answer["state"], "waiting");
    for _ in 0..20 {
        api.restart().await;
    }
    assert_eq!(api.queue().await["counts"]["ready"], 20);
    let purged = api.post("/v1/queues/q/purge", ()).await.is(200).json();
    assert_eq!(purged["affected"], 20);
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
    takes_items_again(&api).await;
}

#[tokio::test]
async fn a_full_disk_keeps_no_answer_about_duplicates_back() {
    let mut api = small_disk();
    api.make(json!({"lease_ms": 600_000})).await;
    let path = "/v1/queues/q/items?key=k";
    let first = api.post(path, "first").await.is(201).json();
    for bytes in [900 * 1024, 60 * 1024, 4 * 1024, 256, 1] {
        fill(&api, &"x".repeat(bytes)).await;
    }
    // Until there is no room even to count them.
    let mut counted = 0;
    loop {
        let again = api.post(path, "again").await.is(201).json();
        let item = json!({"id": first["items"][0]["id"], "duplicate": true});
        assert_eq!(again, json!({"items": [item], "count": 1}));
        if api.queue().await["totals"]["duplicates"] == counted {
            break;
        }
        counted += 1;
        assert!(counted < 100, "it is never full");
    }
    // What must be remembered must be written down.
    let headers = [("idempotency-key", "once")];
    let answer = api.call_with("POST", path, &headers, "again").await;
    answer.problem(507, "storage_full");
    let sealed = api.post(&format!("{path}&seal=true"), "again").await;
    assert_eq!(sealed.is(201).json()["items"][0]["duplicate"], true);
    let before = api.queue().await;
    assert_eq!(
        (&before["sealed"], &before["totals"]["duplicates"]),
        (&json!(true), &json!(counted))
    );
    api.restart().await;
    let after = api.queue().await;
    assert_eq!(
        (&after["sealed"], &after["totals"]),
        (&before["sealed"], &before["totals"])
    );
}
