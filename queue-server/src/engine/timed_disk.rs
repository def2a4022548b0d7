//! A disk whose syncs are timed. It knows nothing of what is synced.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use metrics::Timing;
use queue_log::{Disk, DiskFile};

/// A disk, and how long syncs of its files took.
#[derive(Debug)]
pub(super) struct TimedDisk {
    disk: Arc<dyn Disk>,
    syncs: Arc<Timing>,
}

#[derive(Debug)]
struct TimedFile {
    file: Box<dyn DiskFile>,
    syncs: Arc<Timing>,
}

impl TimedDisk {
    /// The same disk, whose syncs are counted there.
    pub(super) fn new(disk: Arc<dyn Disk>, syncs: Arc<Timing>) -> Arc<Self> {
        Arc::new(Self { disk, syncs })
    }

    fn timed(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let syncs = Arc::clone(&self.syncs);
        Box::new(TimedFile { file, syncs })
    }
}

impl Disk for TimedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(name, bytes).map(|file| self.timed(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.timed(file))
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

    fn free(&self) -> io::Result<u64> {
        self.disk.free()
    }

    fn size(&self) -> io::Result<u64> {
        self.disk.size()
    }
}

impl DiskFile for TimedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn is_empty(&self) -> io::Result<bool> {
        self.file.is_empty()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let begun = Instant::now();
        self.file.sync()?;
        self.syncs.add(begun.elapsed());
        Ok(())
    }
}
