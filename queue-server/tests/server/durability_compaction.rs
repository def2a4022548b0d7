//! What lives decides how long the log is, and not what happened.

use std::path::Path;
use std::time::Duration;

use queue_server::{Config, DiskStorage, Storage};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Api, Program, until};

const KIB: u64 = 1024;
const SEGMENT: u64 = 64 * KIB;

fn small_segments() -> Api {
    Api::start_with(|config: &mut Config| {
        if let Storage::Disk(storage) = &mut config.storage {
            *storage = DiskStorage {
                segment_bytes: SEGMENT,
                ..storage.clone()
            };
        }
    })
}

/// What a directory takes of its disk.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum()
}

/// Puts an item into a queue and has it done.
async fn pass(api: &Api, queue: &str, body: &str) {
    api.post(&format!("/v1/queues/{queue}/items"), body.to_owned())
        .await
        .is(201);
    let lease = api.post(&format!("/v1/queues/{queue}/lease"), ()).await;
    let answer = lease.is(200).json();
    assert_eq!(answer["items"][0]["body"], body);
    let lease = answer["items"][0]["lease"].as_str().expect("a lease");
    api.post(&format!("/v1/leases/{lease}/ack"), ())
        .await
        .is(200);
}

/// Twice what lives, slack of a quarter of a segment, and whole segments: what is written, what is
/// begun, two that are spare, and one that is on its way out.
fn bound(live: u64) -> u64 {
    2 * live + SEGMENT / 4 + 5 * SEGMENT
}

#[tokio::test]
async fn ten_old_items_do_not_pin_what_came_after_them() {
    let mut api = small_segments();
    let old: Vec<String> = (0..10).map(|n| format!("old {n}")).collect();
    let names: Vec<&str> = old.iter().map(String::as_str).collect();
    api.load(json!({"lease_ms": 600_000}), &names).await;
    let held = api.take().await;
    let passing = json!({"done_retention_items": 0});
    api.put("/v1/queues/passing", passing).await.is(201);
    let body = "x".repeat(16 * 1024);
    // More than thirty times the bound.
    for _ in 0..900 {
        pass(&api, "passing", &body).await;
    }
    let live = 20 * KIB;
    until("the directory is small", async || {
        size(api.data_dir()) <= bound(live)
    })
    .await;
    api.restart().await;
    assert!(size(api.data_dir()) <= bound(live));
    api.one(&held, "ack", ()).await.is(200);
    for old in &old[1..] {
        assert_eq!(api.take().await.body, *old);
    }
}

#[tokio::test]
async fn a_thousand_queues_are_compacted_and_those_that_are_deleted_let_go() {
    let mut api = small_segments();
    for n in 0..1_000 {
        api.put(&format!("/v1/queues/q-{n}"), ()).await.is(201);
    }
    for n in (0..1_000).step_by(100) {
        api.post(&format!("/v1/queues/q-{n}/items"), format!("{n}"))
            .await
            .is(201);
    }
    let passing = json!({"done_retention_items": 0});
    api.put("/v1/queues/passing", passing).await.is(201);
    let body = "x".repeat(64 * 1024);
    let traffic = async {
        for _ in 0..150 {
            pass(&api, "passing", &body).await;
        }
    };
    let deletions = async {
        for n in 500..1_000 {
            api.delete(&format!("/v1/queues/q-{n}")).await.is(204);
        }
    };
    tokio::join!(traffic, deletions);
    // About a kibibyte for each queue, settings and all.
    let live = 501 * 2 * KIB;
    until("the directory is small", async || {
        size(api.data_dir()) <= bound(live)
    })
    .await;
    api.restart().await;
    let list = api.get("/v1/queues").await.is(200).json();
    assert_eq!(list["queues"].as_array().map(Vec::len), Some(501));
    for n in (0..500).step_by(100) {
        let answer = api.post(&format!("/v1/queues/q-{n}/lease"), ()).await;
        assert_eq!(answer.is(200).json()["items"][0]["body"], format!("{n}"));
    }
}

/// Deletes and makes queues while others are written down, and stops the server in the middle of it.
#[tokio::test]
async fn traffic_restarts_and_deletions_during_compactions_lose_nothing() {
    let mut api = small_segments();
    api.make(json!({"lease_ms": 600_000})).await;
    let large = "y".repeat(8 * 1024);
    for n in 0..40 {
        api.enqueue(format!("{n}:{large}")).await;
    }
    let mut settled = 0;
    for life in 0..6 {
        let passing = format!("passing-{life}");
        let made = json!({"done_retention_items": 0});
        api.put(&format!("/v1/queues/{passing}"), made)
            .await
            .is(201);
        let traffic = async {
            for n in 0..40 {
                pass(&api, &passing, &format!("{n}{large}{large}")).await;
            }
            if life % 2 == 0 {
                api.delete(&format!("/v1/queues/{passing}")).await.is(204);
            }
        };
        let work = async {
            for _ in 0..5 {
                let held = api.take().await;
                let (n, rest) = held.body.split_once(':').expect("a number");
                assert_eq!(rest, large);
                api.one(&held, "ack", n.to_owned()).await.is(200);
            }
        };
        tokio::join!(traffic, work);
        settled += 5;
        api.restart().await;
        let queue = api.queue().await;
        assert_eq!(queue["counts"]["done"], settled, "{queue}");
        assert_eq!(queue["counts"]["ready"], 40 - settled, "{queue}");
    }
    let joblog = api.get("/v1/queues/q/outcomes").await.is(200).text();
    let results: Vec<u64> = joblog
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let result = line["result"].as_str().expect("a result");
            result.parse().expect("a number")
        })
        .collect();
    assert_eq!(results, (0..settled).collect::<Vec<_>>());
}

/// The real program, killed again and again while it writes a large queue down.
#[tokio::test]
async fn killed_in_the_middle_of_a_snapshot_it_starts_on_the_one_before() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let items = 3_000;
    let old = "o".repeat(2 * 1024);
    let mut program = Program::start_in(data_dir.path(), &[]);
    let api = Api::of(program.address());
    api.make(json!({})).await;
    let lines: Vec<String> = (0..items).map(|n| format!("{n}:{old}")).collect();
    for lines in lines.chunks(500) {
        api.post("/v1/queues/q/items?lines=true&ids=false", lines.join("\n"))
            .await
            .is(201);
    }
    let passing = json!({"done_retention_items": 0});
    api.put("/v1/queues/passing", passing).await.is(201);
    let mut killed = 0;
    for life in 0..5 {
        let api = Api::of(program.address());
        // Past twice what lives and 16 MiB a compaction begins; it is killed a little later each time.
        let traffic = tokio::spawn(async move {
            let large = "x".repeat(900 * 1024);
            for _ in 0..40 {
                pass(&api, "passing", &large).await;
            }
        });
        let deadline = Duration::from_millis(400 + 350 * life);
        let cut = tokio::time::timeout(deadline, traffic).await;
        killed += u32::from(cut.is_err());
        program.signal(Signal::KILL);
        program.ended().await;
        program = Program::start_in(data_dir.path(), &[]);
        let api = Api::of(program.address());
        let queue = api.queue().await;
        assert_eq!(queue["counts"]["ready"], items, "{queue}");
        // What the killed life left in hands.
        api.delete("/v1/queues/passing?force=true").await.is(204);
        api.put("/v1/queues/passing", json!({"done_retention_items": 0}))
            .await
            .is(201);
    }
    assert!(killed > 0, "no life was cut short");
    let api = Api::of(program.address());
    for n in 0..10 {
        assert_eq!(api.take().await.body, format!("{n}:{old}"));
    }
}
