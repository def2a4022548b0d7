//! What is there again after the end of a server, in order and not.

use std::time::Duration;

use queue_server::{Config, DiskStorage, Machine, Server, Storage};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, Held, Program, client, until};

/// A real program with a directory that outlives it.
struct Lives {
    directory: tempfile::TempDir,
    program: Option<Program>,
}

impl Lives {
    fn begin() -> Self {
        let mut lives = Self {
            directory: tempfile::tempdir().expect("a directory"),
            program: None,
        };
        lives.next(&[]);
        lives
    }

    fn next(&mut self, args: &[&str]) {
        let data = self.directory.path().join("data");
        let data = data.to_str().expect("text");
        self.program = Some(Program::start(&[&["--data-dir", data], args].concat()));
    }

    async fn call(&self, method: &str, path: &str, body: impl Into<String>) -> Answer {
        let address = self.program.as_ref().expect("it runs").address();
        client::call(address, method, path, &[], body.into().into()).await
    }

    /// Ends it without a word, and starts it again.
    async fn kill(&mut self) {
        let program = self.program.take().expect("it runs");
        program.signal(Signal::KILL);
        program.ended().await;
        self.next(&[]);
    }

    async fn lease(&self) -> Held {
        let answer = self.call("POST", "/v1/queues/q/lease", "").await.is(200);
        Held::of(&answer.json())
    }

    async fn queue(&self) -> Value {
        self.call("GET", "/v1/queues/q", "").await.is(200).json()
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_with_every_item_in_its_state() {
    let mut lives = Lives::begin();
    let settings = r#"{"max_attempts":2,"max_body_bytes":99,"backoff":{"min_ms":200000}}"#;
    lives.call("PUT", "/v1/queues/q", settings).await.is(201);
    let lines = "done\ndead\ndelayed\nleased\nready\n";
    let enqueue = "/v1/queues/q/items?lines=true&seal=true";
    lives.call("POST", enqueue, lines).await.is(201);
    let (done, dead, delayed, leased) = (
        lives.lease().await,
        lives.lease().await,
        lives.lease().await,
        lives.lease().await,
    );
    for (held, what) in [(&done, "ack"), (&dead, "dead"), (&delayed, "nack")] {
        let path = format!("/v1/leases/{}/{what}", held.lease);
        lives
            .call("POST", &path, format!("said of {}", held.body))
            .await
            .is(200);
    }
    let before = lives.queue().await;
    let outcomes = lives.call("GET", "/v1/queues/q/outcomes", "").await.text();
    for _ in 0..3 {
        lives.kill().await;
    }
    let after = lives.queue().await;
    for same in ["counts", "totals", "settings", "sealed"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(
        after["counts"],
        json!({"ready":1,"leased":1,"delayed":1,"dead":1,"done":1})
    );
    let again = lives.call("GET", "/v1/queues/q/outcomes", "").await.text();
    assert_eq!(again, outcomes);

    let ack = format!("/v1/leases/{}/ack", leased.lease);
    let settled = lives.call("POST", &ack, "kept").await.is(200).json();
    assert_eq!(settled["repeated"], Value::Null, "the lease survived");
    lives.kill().await;
    let settled = lives.call("POST", &ack, "kept").await.is(200).json();
    assert_eq!(settled["repeated"], true, "so did its settlement");
    let late = format!("/v1/leases/{}/ack", delayed.lease);
    lives
        .call("POST", &late, "")
        .await
        .problem(409, "lease_lost");
    assert_eq!(lives.lease().await.body, "ready");
}

#[tokio::test]
async fn a_lease_that_ran_out_while_the_server_was_away_gets_its_whole_length_again() {
    let mut api = Api::start();
    api.load(json!({"lease_ms": 30_000}), &["item"]).await;
    let held = api.take_with(json!({"lease_ms": 200})).await;
    api.restart().await;
    // Whatever the restart took, the lease is younger than its length when the server is ready, or it
    // has run out by now in any case; what must not be is that it ended while nobody could renew it.
    let answer = api.one(&held, "extend?lease_ms=60000", "").await;
    if answer.status == 200 {
        api.restart().await;
        api.one(&held, "ack", "").await.is(200);
    } else {
        answer.problem(409, "lease_lost");
        assert_eq!(api.queue().await["totals"]["lease_expired"], 1);
    }
}

#[tokio::test]
async fn a_queue_that_was_deleted_stays_so_and_its_name_begins_anew() {
    let mut lives = Lives::begin();
    let enqueue = "/v1/queues/q/items?create=true";
    lives.call("POST", enqueue, "old").await.is(201);
    let old = lives.lease().await;
    lives
        .call("DELETE", "/v1/queues/q?force=true", "")
        .await
        .is(204);
    lives.kill().await;
    lives
        .call("GET", "/v1/queues/q", "")
        .await
        .problem(404, "no_such_queue");
    lives.call("POST", enqueue, "new").await.is(201);
    lives.kill().await;
    let ack = format!("/v1/leases/{}/ack", old.lease);
    lives
        .call("POST", &ack, "")
        .await
        .problem(409, "lease_lost");
    assert_eq!(lives.lease().await.body, "new");
}

fn small(storage: &mut Storage) {
    if let Storage::Disk(storage) = storage {
        storage.segment_bytes = 64 * 1024;
        storage.body_memory = 0;
    }
}

#[tokio::test]
async fn bodies_that_memory_has_no_room_for_are_read_from_disk() {
    let mut api = Api::start_with(|config| small(&mut config.storage));
    api.make(json!({})).await;
    let body = |n: usize| format!("{n}-{}", "x".repeat(5_000));
    for n in 0..40 {
        api.enqueue(body(n)).await;
    }
    let parked = api.lease(json!({"max": 10})).await;
    for (n, item) in parked["items"]
        .as_array()
        .expect("items")
        .iter()
        .enumerate()
    {
        assert_eq!(item["body"], body(n));
    }
    api.restart().await;
    let held = api.take().await;
    assert_eq!(held.body, body(10));
    api.one(&held, "ack", "r".repeat(6_000)).await.is(200);
    let taken = api.post("/memq/server/queues/q/dequeue", "").await.is(200);
    assert_eq!(taken.json()["body"], body(11));
    let lines = api.get("/v1/queues/q/outcomes").await.is(200).text();
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["body"], body(10));
    assert_eq!(first["result"], "r".repeat(6_000));
}

/// Bytes of the files in a server's directory.
fn size_of(directory: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(directory).expect("a directory");
    let sizes = files.map(|file| {
        file.expect("a file")
            .metadata()
            .map_or(0, |meta| meta.len())
    });
    sizes.sum()
}

#[tokio::test]
async fn ten_old_items_do_not_keep_the_log_of_all_that_came_after_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut api = Api::start_with(|config| {
        config.storage = Storage::Disk(DiskStorage {
            data_dir: data.clone(),
            segment_bytes: 1024 * 1024,
            ..DiskStorage::default()
        });
    });
    let old = json!({"done_retention_items": 0});
    api.put("/v1/queues/old", old.clone()).await.is(201);
    for n in 0..10 {
        api.post("/v1/queues/old/items", format!("old {n}"))
            .await
            .is(201);
    }
    api.put("/v1/queues/q", old).await.is(201);
    // A hundred times what the log may be long at most.
    let batch = format!("{}\n", "x".repeat(1_000)).repeat(1_000);
    let mut longest = 0;
    for _ in 0..200 {
        let path = "/v1/queues/q/items?lines=true&ids=false";
        api.post(path, batch.clone()).await.is(201);
        api.post("/v1/queues/q/purge", "").await.is(200);
        longest = longest.max(size_of(&data));
    }
    // Slack of compaction and what it has not come round to, segments that wait to be used again.
    assert!(longest < 80 * 1024 * 1024, "{longest} bytes of disk");
    api.restart().await;
    let left = api
        .post("/v1/queues/old/lease", r#"{"max":100}"#)
        .await
        .json();
    let items = left["items"].as_array().expect("items");
    let bodies: Vec<_> = items.iter().map(|item| item["body"].clone()).collect();
    let expected: Vec<_> = (0..10).map(|n| json!(format!("old {n}"))).collect();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_second_server_on_a_directory_is_refused_and_the_first_goes_on() {
    let lives = Lives::begin();
    lives.call("PUT", "/v1/queues/q", "").await.is(201);
    let data = lives.directory.path().join("data");
    let second = Program::command(&["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .output()
        .expect("it ends");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another process uses it"), "{said}");
    assert!(said.contains(data.to_str().expect("text")), "{said}");
    lives.queue().await;
}

#[tokio::test]
async fn a_damaged_log_is_refused_with_its_place_and_can_be_given_up() {
    let mut lives = Lives::begin();
    lives.call("PUT", "/v1/queues/q", "").await.is(201);
    for n in 0..10 {
        lives
            .call("POST", "/v1/queues/q/items", format!("item {n}"))
            .await
            .is(201);
    }
    let program = lives.program.take().expect("it runs");
    program.signal(Signal::TERM);
    program.ended().await;
    let data = lives.directory.path().join("data");
    let files = std::fs::read_dir(&data)
        .expect("a directory")
        .map(|file| file.expect("a file").path());
    let log = files
        .filter(|file| file.extension().is_some_and(|kind| kind == "log"))
        .find(|file| {
            let bytes = std::fs::read(file).expect("bytes");
            bytes.windows(6).any(|window| window == b"item 5")
        });
    let log = log.expect("the item is in the log");
    let mut bytes = std::fs::read(&log).expect("bytes");
    let at = bytes
        .windows(6)
        .position(|window| window == b"item 5")
        .expect("the item");
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).expect("damaged");

    let refused = Program::command(&["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .output()
        .expect("it ends");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    for word in [
        "damaged",
        log.file_name()
            .and_then(|name| name.to_str())
            .expect("a name"),
        "fsck",
    ] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    lives.next(&["--accept-loss"]);
    assert_eq!(
        lives.queue().await["counts"]["ready"],
        5,
        "what came before the damage"
    );
}

#[tokio::test]
async fn a_wall_clock_that_is_put_back_moves_no_due_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        storage: Storage::Disk(DiskStorage {
            data_dir: directory.path().join("data"),
            ..DiskStorage::default()
        }),
        ..Config::default()
    };
    let life = async |wall_clock: u64| {
        let machine = Machine {
            wall_clock: Duration::from_secs(wall_clock),
            ..Machine::default()
        };
        let mut server = Server::start_on(config.clone(), machine)
            .await
            .expect("a server");
        server.recovered().await.expect("a log that reads");
        server
    };
    let call = async |server: &Server, path: &str, body: &str| {
        let body = body.to_owned().into();
        client::call(server.local_addr(), "POST", path, &[], body).await
    };
    let server = life(2_000_000_000).await;
    call(&server, "/v1/queues/q/items?create=true", "item")
        .await
        .is(201);
    let held = Held::of(&call(&server, "/v1/queues/q/lease", "").await.is(200).json());
    let nack = format!("/v1/leases/{}/nack?delay_ms=300", held.lease);
    call(&server, &nack, "").await.is(200);
    server.stop().await.expect("no panic");
    // Thirty years back: the item would be due in thirty years.
    let server = life(1_000_000_000).await;
    until("the item is due", async || {
        let answer = call(&server, "/v1/queues/q/lease", "").await.is(200).json();
        answer["items"]
            .as_array()
            .is_some_and(|items| items.len() == 1)
    })
    .await;
    server.stop().await.expect("no panic");
}
