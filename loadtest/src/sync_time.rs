//! What one sync costs on a disk: the floor of every durable answer.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Bytes of the file, written before so that overwriting it allocates nothing.
const FILE: usize = 1024 * 1024;
/// Bytes of one write: a frame of a few items.
const WRITE: usize = 4096;
/// Writes that are timed.
const WRITES: usize = 400;

/// What syncs took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SyncTime {
    /// Half took at most this.
    pub(crate) median: Duration,
    /// 99 in a hundred took at most this.
    pub(crate) p99: Duration,
}

/// Writes and syncs in a new file of this directory, one after the other.
pub(crate) fn measure(directory: &Path) -> Result<SyncTime> {
    let path = directory.join("sync-time");
    let what = || format!("cannot time syncs in `{}`", directory.display());
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .with_context(what)?;
    file.write_all_at(&vec![0; FILE], 0).with_context(what)?;
    file.sync_all().with_context(what)?;
    let bytes = [7; WRITE];
    let mut times = Vec::with_capacity(WRITES);
    for number in 0..WRITES {
        let offset = (number * WRITE) % FILE;
        let begun = Instant::now();
        file.write_all_at(&bytes, offset as u64)
            .with_context(what)?;
        file.sync_data().with_context(what)?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(&path).with_context(what)?;
    times.sort_unstable();
    Ok(SyncTime {
        median: times[WRITES / 2],
        p99: times[WRITES * 99 / 100],
    })
}
