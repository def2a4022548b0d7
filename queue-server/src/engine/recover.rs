//! Opening an engine: its queues are what the log tells of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use queue_log::{Disk, OpenError, Opened, Options};
use tracing::info;

use super::Engine;
use super::fault::Fault;
use super::live::LiveQueue;
use super::store::{Replay, Store};
use super::timed_disk::TimedDisk;
use crate::metrics;

/// How often a recovery says how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// A log may be longer than what lives by a part of a segment: 16 MiB with segments of 64.
const SEGMENT_PARTS_OF_SLACK: u64 = 4;

/// Where an engine keeps its queues.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    /// In memory, until the process ends.
    Memory,
    /// In a log.
    Log {
        /// Where the log is.
        disk: Arc<dyn Disk>,
        /// How it is kept.
        options: Options,
        /// Bytes of bodies that are kept in memory too.
        body_memory: u64,
    },
}

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    /// The log cannot be read or written.
    #[error("the log cannot be opened")]
    Log(#[from] OpenError),
    /// It failed as soon as it was written.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Engine {
    /// Reads the log, if there is one, and lets commands come. Blocks on the disk.
    pub(crate) fn open(&self, storage: Storage) -> Result<(), RecoverError> {
        match storage {
            Storage::Memory => self.keep_in(Store::in_memory()),
            Storage::Log {
                disk,
                options,
                body_memory,
            } => self.recover(disk, options, body_memory)?,
        }
        self.shared.ready.store(true, Ordering::Release);
        Ok(())
    }

    fn recover(
        &self,
        disk: Arc<dyn Disk>,
        options: Options,
        body_memory: u64,
    ) -> Result<(), RecoverError> {
        let begun = Instant::now();
        let mut said = begun;
        let mut replay = Replay::new(body_memory);
        let mut bytes = 0;
        let slack = options.segment_bytes / SEGMENT_PARTS_OF_SLACK;
        let meter = &self.shared.meters.log;
        let disk = TimedDisk::new(disk, Arc::clone(&meter.syncs));
        let opened = Opened::read(disk, options, &mut |at, frame| {
            bytes += frame.len();
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                let mib = bytes >> 20;
                info!(
                    queue.count = replay.len(),
                    "recovering: {mib} MiB of log read"
                );
            }
            replay.frame(at, frame)
        })?;
        let recovery = opened.recovery;
        self.shared.clock.not_before(replay.latest());
        let records = replay.read();
        let queues = replay.finish();
        self.keep_in(Store::on_log(opened, body_memory, slack)?);
        let found = queues.len();
        for queue in queues {
            let queue = Arc::new(LiveQueue::recovered(queue, Arc::clone(&self.shared)));
            self.list(&queue);
            // Once it is listed, or a wake-up that it asks for finds no queue to wake.
            queue.renew_leases();
        }
        meter.recovered(metrics::Recovery {
            took: begun.elapsed(),
            records,
            bytes: recovery.bytes,
            lost: recovery.lost,
            max_bytes: options.max_bytes,
        });
        if recovery.lost > 0 {
            tracing::warn!(
                log.lost_bytes = recovery.lost,
                "damaged bytes of the log were given up, as --accept-loss says"
            );
        }
        info!(
            queue.count = found,
            log.bytes = recovery.bytes,
            duration_ms = begun.elapsed().as_millis() as u64,
            "recovered"
        );
        Ok(())
    }

    fn keep_in(&self, store: Store) {
        let kept = self.shared.store.set(store);
        kept.expect("an engine is opened once");
    }

    /// Moves what was changed to disk and answers to their callers. Comes back when the log failed.
    pub(crate) async fn run_store(self: Arc<Self>) -> Fault {
        self.shared.store().run().await.into()
    }

    /// Puts what may have trailed on disk.
    pub(crate) async fn flush(&self) -> Result<(), Fault> {
        Ok(self.shared.store().flush().await?)
    }

    /// Bytes of bodies, results and errors in memory.
    pub(crate) fn body_memory(&self) -> u64 {
        self.shared.store.get().map_or(0, Store::body_memory)
    }
}
