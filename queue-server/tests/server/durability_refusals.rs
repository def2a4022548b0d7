//! When a server does not start, or not yet, it says why and what to do.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Condvar, Mutex};

use queue_log::{Disk, DiskFile, RealDisk};
use queue_server::{Config, Machine, Server};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Api, Program, within};

/// Runs the program on a directory it cannot start on.
fn fails(data_dir: &Path, args: &[&str], words: &[&str]) {
    let mut all = vec!["--listen", "127.0.0.1:0"];
    all.extend(args);
    let mut command = Program::command(&all);
    command.env("MEMQ_DATA_DIR", data_dir);
    let Output { status, stderr, .. } = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[tokio::test]
async fn a_second_server_on_a_directory_is_refused_and_the_first_unharmed() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let first = Program::start_in(data_dir.path(), &[]);
    let api = Api::of(first.address());
    api.load(json!({}), &["a"]).await;
    let directory = data_dir.path().display().to_string();
    fails(
        data_dir.path(),
        &[],
        &[&directory, "another process uses it", "--data-dir"],
    );
    api.enqueue("b").await;
    first.signal(Signal::TERM);
    assert_eq!(first.ended().await.code, Some(0));
    // And its successor finds the directory free.
    let next = Program::start_in(data_dir.path(), &[]);
    let api = Api::of(next.address());
    assert_eq!(
        (api.take().await.body, api.take().await.body),
        ("a".into(), "b".into())
    );
}

#[tokio::test]
async fn a_server_that_stopped_leaves_its_directory_to_the_next_of_its_process() {
    let data_dir = tempfile::tempdir().expect("a directory");
    for life in 0..5 {
        let (config, machine) = on(Arc::new(
            RealDisk::open(data_dir.path()).expect("a directory"),
        ));
        let mut server = Server::start_on(config, machine).await.expect("a server");
        server.recovered().await.expect("nobody else has it");
        let api = Api::of(server.local_addr());
        api.put(&format!("/v1/queues/q-{life}"), ()).await.is(201);
        let stopped = within(server.stop()).await.expect("no panic");
        assert_eq!(stopped.cut, 0);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let file = data_dir.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    let below = file.join("data");
    fails(&below, &[], &[&below.display().to_string()]);
}

/// The file in a directory that holds a text, and where.
fn find(data_dir: &Path, text: &str) -> (PathBuf, usize) {
    let entries = std::fs::read_dir(data_dir).expect("a directory");
    let found = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let bytes = std::fs::read(&path).ok()?;
        let at = bytes
            .windows(text.len())
            .position(|part| part == text.as_bytes())?;
        Some((path, at))
    });
    found.last().expect("it is in the log")
}

#[tokio::test]
async fn a_damaged_log_is_refused_with_its_place_until_its_loss_is_accepted() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let program = Program::start_in(data_dir.path(), &[]);
    let api = Api::of(program.address());
    api.load(json!({}), &["first", "second", "third", "fourth"])
        .await;
    program.signal(Signal::KILL);
    program.ended().await;
    // The medium forgets a byte of what was synced.
    let (file, at) = find(data_dir.path(), "third");
    let mut bytes = std::fs::read(&file).expect("a file");
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).expect("a file");

    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    for _ in 0..2 {
        let words = [
            name.as_str(),
            "at byte",
            "memq-server fsck",
            "--accept-loss",
        ];
        fails(data_dir.path(), &[], &words);
    }
    let program = Program::start_in(data_dir.path(), &["--accept-loss"]);
    let api = Api::of(program.address());
    assert_eq!(
        (api.take().await.body, api.take().await.body),
        ("first".into(), "second".into())
    );
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
    api.enqueue("fifth").await;
    program.signal(Signal::TERM);
    program.ended().await.has("were given up");
    // The loss is over: nobody has to accept it again.
    let program = Program::start_in(data_dir.path(), &[]);
    assert_eq!(Api::of(program.address()).take().await.body, "fifth");
}

/// Holds a disk back until it is dropped.
#[derive(Default)]
struct HeldBack(Arc<(Mutex<bool>, Condvar)>);

impl Drop for HeldBack {
    fn drop(&mut self) {
        let (may_answer, changed) = &*self.0;
        *may_answer.lock().expect("no panic") = true;
        changed.notify_all();
    }
}

/// A disk that answers nothing while it is held back.
#[derive(Debug)]
struct SlowDisk {
    disk: RealDisk,
    may_answer: Arc<(Mutex<bool>, Condvar)>,
}

impl SlowDisk {
    fn new(data_dir: &Path, held_back: &HeldBack) -> Arc<Self> {
        Arc::new(Self {
            disk: RealDisk::open(data_dir).expect("a directory"),
            may_answer: Arc::clone(&held_back.0),
        })
    }

    fn wait(&self) {
        let (may_answer, changed) = &*self.may_answer;
        let guard = may_answer.lock().expect("no panic");
        drop(changed.wait_while(guard, |may| !*may).expect("no panic"));
    }
}

impl Disk for SlowDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.wait();
        self.disk.list()
    }
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(name, bytes)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn lock(&self) -> io::Result<()> {
        self.disk.lock()
    }
}

fn on(disk: Arc<dyn Disk>) -> (Config, Machine) {
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    };
    let machine = Machine {
        disk: Some(disk),
        ..Machine::default()
    };
    (config, machine)
}

#[tokio::test]
async fn while_it_recovers_it_is_alive_and_not_ready() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let held_back = HeldBack::default();
    let (config, machine) = on(SlowDisk::new(data_dir.path(), &held_back));
    let mut server = Server::start_on(config, machine).await.expect("a server");
    let api = Api::of(server.local_addr());
    api.get("/healthz").await.is(200);
    api.get("/readyz").await.problem(503, "not_ready");
    api.put("/v1/queues/q", ()).await.problem(503, "not_ready");
    api.get("/v1/queues").await.problem(503, "not_ready");
    api.post("/v1/queues/q/items?create=true", "a")
        .await
        .problem(503, "not_ready");
    api.post("/v1/queues/q/lease", ())
        .await
        .problem(503, "not_ready");
    let kuard = api.post("/memq/server/queues/q/dequeue", ()).await.is(503);
    assert_eq!(kuard.header("retry-after"), "1");
    api.get("/metrics").await.is(200);

    drop(held_back);
    within(server.recovered()).await.expect("a log that reads");
    api.get("/readyz").await.is(200);
    api.put("/v1/queues/q", ()).await.is(201);
    within(server.stop()).await.expect("no panic");
}

#[tokio::test]
async fn told_to_stop_while_it_recovers_it_stops() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let held_back = HeldBack::default();
    let (config, machine) = on(SlowDisk::new(data_dir.path(), &held_back));
    let server = Server::start_on(config, machine).await.expect("a server");
    let address = server.local_addr();
    Api::of(address).get("/healthz").await.is(200);
    let stopping = tokio::spawn(server.stop());
    drop(held_back);
    within(stopping).await.expect("a task").expect("no panic");
}
