//! The server under test, in a runtime of its own so that it can be judged when the test is over.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use queue_log::faulty::FaultyDisk;
use queue_server::{Config, DiskStorage, Machine, Server, Stopped, Storage};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{books, within};

/// A running server. The calls that a test makes of it are in `calls`.
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
        Self::start_on_as(disk, |config| config.storage = Storage::Disk(storage))
    }

    /// The same, with other settings than those of the disk.
    pub(crate) fn start_on_as(disk: &FaultyDisk, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage: Storage::Disk(DiskStorage::default()),
            ..Config::default()
        };
        change(&mut config);
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

    /// A server that starts on what this one left must tell of the same queues.
    fn assert_the_disk_tells_the_same(&self, left: &[Value]) {
        let disk = self.disk.as_ref().map(FaultyDisk::kill);
        let machine = disk.map_or_else(Machine::default, on);
        let (address, stop, thread) = run_on(self.config.clone(), machine);
        let found = books::queues(address);
        stop.send(()).expect("a server that runs");
        thread.join().expect("the server does not panic");
        books::assert_nothing_is_lost(&found, left);
    }
}

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
            left = books::queues(self.address);
            left.iter().for_each(books::assert_numbers_add_up);
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
