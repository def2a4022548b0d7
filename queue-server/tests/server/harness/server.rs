//! The server under test, in a runtime of its own so that it can be judged when the test is over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::body::Bytes;
use queue_log::faulty::FaultyDisk;
use queue_server::{Config, DiskStorage, Machine, Server, Stopped, Storage};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::client::{self, IntoBody, Lines, Wire};
use super::{Answer, until, within};

/// A token that every server with tokens must know as an admin's: its tests end by asking for all queues.
pub(crate) const OPERATOR: &str = "operator-of-the-tests";

/// A running server and the calls a test makes of it.
pub(crate) struct Api {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Stopped>>,
    /// To start it again as it was.
    config: Config,
    /// A disk of the test's own, in place of the directory.
    disk: Option<FaultyDisk>,
    _data_dir: TempDir,
}

/// An item in a test's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) lease: String,
    pub(crate) attempt: u64,
    pub(crate) body: String,
}

impl Api {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(Machine::default(), change)
    }

    /// The same, on a machine whose clock, say, tells another time.
    pub(crate) fn start_at(machine: Machine, change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let mut config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage: Storage::Disk(DiskStorage {
                data_dir: data_dir.path().join("data"),
                ..DiskStorage::default()
            }),
            ..Config::default()
        };
        change(&mut config);
        raise_open_files();
        let (address, stop, thread) = run_on(config.clone(), machine);
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
            config,
            disk: None,
            _data_dir: data_dir,
        }
    }

    /// A server on a disk of the test's own.
    pub(crate) fn start_on(disk: &FaultyDisk, change: impl FnOnce(&mut DiskStorage)) -> Self {
        let mut storage = DiskStorage::default();
        change(&mut storage);
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage: Storage::Disk(storage),
            ..Config::default()
        };
        let (address, stop, thread) = run_on(config.clone(), on(disk.clone()));
        let mut api = Self::of(address);
        api.stop = Some(stop);
        api.thread = Some(thread);
        api.config = config;
        api.disk = Some(disk.clone());
        api
    }

    /// The calls, on a server that runs elsewhere.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self {
            address,
            stop: None,
            thread: None,
            config: Config::default(),
            disk: None,
            _data_dir: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Ends the server in order and starts it again on what it left on disk.
    pub(crate) async fn restart(&mut self) {
        self.tell_to_stop();
        self.stopped().await;
        self.disk = self.disk.as_ref().map(FaultyDisk::kill);
        let machine = self.disk.clone().map_or_else(Machine::default, on);
        self.start_again(machine).await;
    }

    /// The same, on a machine whose clock, say, was put back meanwhile.
    pub(crate) async fn restart_on(&mut self, machine: Machine) {
        self.tell_to_stop();
        self.stopped().await;
        self.start_again(machine).await;
    }

    async fn start_again(&mut self, machine: Machine) {
        let config = self.config.clone();
        let started = tokio::task::spawn_blocking(|| run_on(config, machine)).await;
        let (address, stop, thread) = started.expect("a server");
        self.address = address;
        self.stop = Some(stop);
        self.thread = Some(thread);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its log lies.
    pub(crate) fn data_dir(&self) -> &Path {
        match &self.config.storage {
            Storage::Disk(storage) => &storage.data_dir,
            Storage::Memory => panic!("it keeps nothing on disk"),
        }
    }

    /// Tells the server to stop, and does not wait for it.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop
            .take()
            .expect("told once")
            .send(())
            .expect("a server that runs");
    }

    /// Waits for a server that was told to stop.
    pub(crate) async fn stopped(&mut self) -> Stopped {
        let thread = self.thread.take().expect("waited for once");
        let ended = tokio::task::spawn_blocking(|| thread.join());
        within(ended)
            .await
            .expect("joined")
            .expect("the server does not panic")
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: impl IntoBody) -> Answer {
        client::call(self.address, method, path, &[], body.into_body()).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl IntoBody,
    ) -> Answer {
        client::call(self.address, method, path, headers, body.into_body()).await
    }

    /// The status of an answer, whose body nobody waits for: it may never end.
    pub(crate) async fn status_of(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> u16 {
        let answer = client::open(self.address, method, path, headers, Bytes::new());
        within(answer).await.status().as_u16()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, ()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl IntoBody) -> Answer {
        self.call("PUT", path, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl IntoBody) -> Answer {
        self.call("POST", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, ()).await
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// A stream of JSON lines.
    pub(crate) async fn lines(&self, path: &str) -> Lines {
        let response = within(client::open(self.address, "GET", path, &[], Bytes::new())).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Lines::new(response.into_body())
    }

    /// Makes the queue `q` with these settings.
    pub(crate) async fn make(&self, settings: Value) {
        self.put("/v1/queues/q", settings).await.is(201);
    }

    /// Makes the queue `q` and puts these items in.
    pub(crate) async fn load(&self, settings: Value, items: &[&str]) {
        self.make(settings).await;
        for item in items {
            self.enqueue(*item).await;
        }
    }

    /// Puts an item into `q` and gives its id.
    pub(crate) async fn enqueue(&self, item: impl IntoBody) -> String {
        let answer = self.post("/v1/queues/q/items", item).await.is(201).json();
        answer["items"][0]["id"].as_str().expect("an id").to_owned()
    }

    /// Enqueues lines of JSON into `q`, with this query.
    pub(crate) async fn ndjson(&self, query: &str, lines: impl IntoBody) -> Answer {
        let path = format!("/v1/queues/q/items{query}");
        let headers = [("content-type", "application/x-ndjson")];
        self.call_with("POST", &path, &headers, lines).await
    }

    /// An item of `q` as it is looked at.
    pub(crate) async fn item(&self, id: &str) -> Value {
        let path = format!("/v1/queues/q/items/{id}");
        self.get(&path).await.is(200).json()
    }

    /// All outcomes of `q`, up to a thousand.
    pub(crate) async fn outcomes(&self) -> Vec<Value> {
        let text = self.get("/v1/queues/q/outcomes").await.is(200).text();
        let outcome = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(outcome).collect()
    }

    /// `q` as it is.
    pub(crate) async fn queue(&self) -> Value {
        self.get("/v1/queues/q").await.is(200).json()
    }

    /// A lease call on `q`.
    pub(crate) async fn lease(&self, request: Value) -> Value {
        self.post("/v1/queues/q/lease", request)
            .await
            .is(200)
            .json()
    }

    /// Leases one item of `q`, which must have one.
    pub(crate) async fn take(&self) -> Held {
        self.take_with(json!({})).await
    }

    /// Leases one item of `q`, which must have one or get one in time.
    pub(crate) async fn take_with(&self, request: Value) -> Held {
        Held::of(&self.lease(request).await)
    }

    /// Settles one lease of `q` and gives what became of it.
    pub(crate) async fn settle(&self, settlement: Value) -> Value {
        let answer = self
            .post("/v1/queues/q/settle", json!({"settle": [settlement]}))
            .await;
        answer.is(200).json()["settled"][0].clone()
    }

    /// A call about one lease, such as `ack`.
    pub(crate) async fn one(&self, held: &Held, what: &str, body: impl IntoBody) -> Answer {
        self.post(&format!("/v1/leases/{}/{what}", held.lease), body)
            .await
    }

    /// Waits until so many calls are parked on the server.
    pub(crate) async fn until_parked(&self, calls: usize) {
        until(&format!("{calls} calls are parked"), async || {
            let text = self.get("/metrics").await.is(200).text();
            text.lines()
                .any(|line| line == format!("memq_parked_calls {calls}"))
        })
        .await;
    }

    /// Waits until the queue `q` has so many items of a state.
    pub(crate) async fn until_count(&self, state: &str, count: u64) {
        until(&format!("{count} items are {state}"), async || {
            self.queue().await["counts"][state] == count
        })
        .await;
    }
}

impl Held {
    /// The one item of a lease's answer.
    #[track_caller]
    pub(crate) fn of(answer: &Value) -> Self {
        assert_eq!(
            answer["items"].as_array().map(Vec::len),
            Some(1),
            "{answer}"
        );
        let item = &answer["items"][0];
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("id"),
            lease: text("lease"),
            attempt: item["attempt"].as_u64().expect("a number"),
            body: text("body"),
        }
    }
}

impl Api {
    /// A server that starts on what this one left must tell of the same queues.
    fn assert_the_disk_tells_the_same(&self, left: &[Value]) {
        let disk = self.disk.as_ref().map(FaultyDisk::kill);
        let machine = disk.map_or_else(Machine::default, on);
        let (address, stop, thread) = run_on(self.config.clone(), machine);
        let found = queues(address);
        stop.send(()).expect("a server that runs");
        thread.join().expect("the server does not panic");
        let names = |queues: &[Value]| -> Vec<Value> {
            queues.iter().map(|queue| queue["name"].clone()).collect()
        };
        assert_eq!(names(&found), names(left));
        for (found, left) in found.iter().zip(left) {
            for lasting in LASTING {
                assert_eq!(
                    found.pointer(lasting),
                    left.pointer(lasting),
                    "{lasting} after a start: {found}, before it: {left}"
                );
            }
        }
    }
}

/// What neither time nor a restart changes.
const LASTING: [&str; 14] = [
    "/settings",
    "/sealed",
    "/paused",
    "/totals/enqueued",
    "/totals/duplicates",
    "/totals/cancelled",
    "/totals/redriven",
    "/totals/acked",
    "/totals/nacked",
    "/totals/released",
    "/totals/purged",
    "/totals/taken",
    "/totals/leased",
    "/counts/done",
];

impl Drop for Api {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if thread::panicking() {
            return;
        }
        let mut left = Vec::new();
        if let Some(stop) = self.stop.take() {
            left = queues(self.address);
            left.iter().for_each(assert_numbers_add_up);
            stop.send(()).expect("a server that runs");
        }
        let stopped = thread.join().expect("the server does not panic");
        assert_eq!(stopped.cut, 0, "{stopped}");
        if !left.is_empty() && self.config.storage != Storage::Memory {
            self.assert_the_disk_tells_the_same(&left);
        }
    }
}

/// A machine with this disk.
fn on(disk: FaultyDisk) -> Machine {
    Machine {
        disk: Some(Arc::new(disk)),
        ..Machine::default()
    }
}

/// Runs a server until it is told to stop.
fn run_on(
    config: Config,
    machine: Machine,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<Stopped>) {
    let (started, address) = std::sync::mpsc::channel();
    let (stop, stopping) = oneshot::channel();
    let run = async move {
        let started_on = Server::start_on(config, machine).await;
        let mut server = started_on.expect("a server");
        server.recovered().await.expect("a log that reads");
        started
            .send(server.local_addr())
            .expect("a test that waits");
        // A test that panicked drops its end: stopping is right then too.
        let _told = stopping.await;
        server.stop().await.expect("no task of it panicked")
    };
    let thread = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(run)
    });
    (address.recv().expect("a server"), stop, thread)
}

/// Both ends of every connection are files of this one process, more than the usual soft limit.
fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit one may");
}

/// All queues, asked for without a runtime.
fn queues(address: SocketAddr) -> Vec<Value> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    stream
        .write_all(
            format!(
                "GET /v1/queues HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {OPERATOR}\r\nconnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
        .expect("the connection takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let list: Value = serde_json::from_str(body).expect("JSON");
    list["queues"].as_array().expect("a list").clone()
}

/// What is always so.
fn assert_numbers_add_up(queue: &Value) {
    let number = |pointer: &str| {
        queue
            .pointer(pointer)
            .and_then(Value::as_u64)
            .expect(pointer)
    };
    let count = |state: &str| number(&format!("/counts/{state}"));
    let total = |what: &str| number(&format!("/totals/{what}"));
    let unfinished = count("ready") + count("leased") + count("delayed");
    let finished = count("done") + total("item_expired") + total("cancelled");
    let all = unfinished + count("dead") + finished + total("purged");
    assert_eq!(total("enqueued"), all, "{queue}");
    assert_eq!(number("/unfinished"), unfinished, "{queue}");
    assert_eq!(count("done"), total("acked") + total("taken"), "{queue}");
    let ended = total("acked") + total("nacked") + total("released") + total("lease_expired");
    assert!(ended + count("leased") <= total("leased"), "{queue}");
    let drained = queue["sealed"] == true && unfinished == 0;
    assert_eq!(queue["drained"], drained, "{queue}");
}
