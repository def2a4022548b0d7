//! The run's own server: in this process, on a port and in a directory of its own, gone with the run.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use queue_server::{Config, DiskStorage, Server, Storage};

use super::place::{self, Place};

/// How long it may take to stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// A server of our own.
pub(super) struct OwnServer {
    /// Before its directory: it is stopped first.
    server: Server,
    place: Place,
}

impl OwnServer {
    /// Starts it; it serves.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        let place = Place::make(&parent).with_context(|| {
            let parent = parent.display();
            format!("cannot make a directory for the queue in `{parent}` (TMPDIR names another)")
        })?;
        // Beside the run: a large log takes its time to go.
        tokio::task::spawn_blocking(move || place::sweep(&parent));
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Disk(DiskStorage {
                data_dir: place.path().to_owned(),
                ..DiskStorage::default()
            }),
            ..Config::default()
        };
        let mut server = Server::start(config)
            .await
            .context("cannot start a server")?;
        let recovered = server.recovered().await;
        recovered.with_context(|| format!("cannot keep a queue {}", within(place.path())))?;
        Ok(Self { server, place })
    }

    /// The address workers are told.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Where the queue lies, for people.
    pub(super) fn within(&self) -> String {
        within(self.place.path())
    }

    /// Resolves if it cannot go on, and says why; not to be asked again after that.
    pub(super) async fn broken(&mut self) -> String {
        let why = anyhow::Error::new(self.server.broken().await);
        format!("the run's server failed {}: {why:#}", self.within())
    }

    /// Stops it and removes its directory. The queue ends with the run, so nothing is lost by not
    /// waiting long.
    pub(super) async fn end(self) {
        let _stopped = tokio::time::timeout(FAREWELL, self.server.stop()).await;
    }
}

fn within(directory: &Path) -> String {
    format!("in `{}` (TMPDIR names another place)", directory.display())
}
