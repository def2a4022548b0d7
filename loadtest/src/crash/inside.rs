//! Servers inside this process, on a disk in memory that fails on demand: one after the other, on
//! what the one before left behind.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use queue_log::Disk;
use queue_log::faulty::FaultyDisk;
use queue_server::{Config, DiskStorage, Machine, Server, Storage};

use super::load::{BODY, Crew};
use crate::target::Target;
use crate::wire::{Connection, request};

/// Small files, so that a short load goes through many of them.
const SEGMENT: u64 = 1024 * 1024;
/// The wall clock of a life, where nothing else is asked for: some day in 2026.
pub(super) const TODAY: Duration = Duration::from_secs(1_780_000_000);
/// A small load, since every image of it is read again.
pub(super) const CREW: Crew = Crew {
    putters: 2,
    workers: 3,
    lease: Duration::from_millis(300),
    body: BODY,
};
/// How soon a server whose disk has failed must have noticed.
const NOTICES: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// One life of a server.
pub(super) struct Life {
    server: Server,
    pub(super) target: Target,
    /// From its start until it was ready.
    pub(super) recovery: Duration,
}

impl Life {
    /// Starts a server on this disk and waits until it is ready.
    pub(super) async fn start(disk: Arc<dyn Disk>, wall_clock: Duration) -> Result<Self> {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Disk(DiskStorage {
                segment_bytes: SEGMENT,
                ..DiskStorage::default()
            }),
            ..Config::default()
        };
        let machine = Machine {
            disk: Some(disk),
            wall_clock,
        };
        let begun = Instant::now();
        let mut server = Server::start_on(config, machine).await?;
        server
            .recovered()
            .await
            .context("a server did not recover")?;
        let recovery = begun.elapsed();
        let target = Target::resolve(&server.url(), false).await?;
        Ok(Self {
            server,
            target,
            recovery,
        })
    }

    /// Waits until the server has noticed that its disk failed, and says that it is not ready.
    pub(super) async fn fails(&self) -> Result<()> {
        let begun = Instant::now();
        while self.ready().await {
            ensure!(
                begun.elapsed() < NOTICES,
                "a server whose disk failed still says that it is ready"
            );
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn ready(&self) -> bool {
        // One that takes no calls any more is not ready either.
        let Ok(mut connection) = Connection::open(&self.target).await else {
            return false;
        };
        let mut bytes = Vec::new();
        request(&mut bytes, "GET", &self.target, "/readyz", b"");
        let answer = connection.exchange(&bytes).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Ends it without a chance to put anything on its disk, which has no power any more.
    pub(super) fn drop_dead(self, disk: &FaultyDisk) {
        disk.power_off_after(0);
        drop(self.server);
    }

    /// Ends it in order.
    pub(super) async fn end(self) -> Result<()> {
        self.server.stop().await.context("a server panicked")?;
        Ok(())
    }
}
