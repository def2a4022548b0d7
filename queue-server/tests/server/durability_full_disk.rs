//! A full disk refuses what makes it fuller, lets items end, and has room again when they have ended.

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
    until("there is as much room as before", async || {
        again += fill(&api, &body).await;
        again + 3 >= came
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
