//! Servers to measure, in the test's own process.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use loadtest::target::Target;
use queue_server::{Access, Config, DiskStorage, Server, Storage};

/// A memq server whose log goes with it.
pub(crate) struct Served {
    server: Server,
    data_dir: DataDir,
}

/// A directory that is removed when dropped.
struct DataDir(PathBuf);

impl Drop for DataDir {
    fn drop(&mut self) {
        // A server that is dropped and not stopped may still put a file there.
        let _in_use = std::fs::remove_dir_all(&self.0);
    }
}

impl Deref for Served {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A memq server on a free port, with a log of its own.
pub(crate) async fn server() -> Served {
    server_with(Access::default()).await
}

/// The same, for whom this lets in.
pub(crate) async fn server_with(access: Access) -> Served {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let name = format!("served-{}-{number}", std::process::id());
    let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Of a test that failed, long ago.
    let _nothing_there = std::fs::remove_dir_all(&data_dir);
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        storage: Storage::Disk(DiskStorage {
            data_dir: data_dir.clone(),
            ..DiskStorage::default()
        }),
        access,
        ..Config::default()
    };
    let mut server = Server::start(config).await.expect("the server starts");
    server.recovered().await.expect("an empty log can be read");
    let data_dir = DataDir(data_dir);
    Served { server, data_dir }
}

/// Stops a server that has nothing left to do.
pub(crate) async fn stop(served: Served) {
    let Served { server, data_dir } = served;
    server.stop().await.expect("the server stops");
    drop(data_dir);
}

/// A target on this machine.
pub(crate) async fn target(url: &str) -> Target {
    Target::resolve(url, false).await.expect("on this machine")
}
