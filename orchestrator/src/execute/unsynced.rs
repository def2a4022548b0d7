//! A disk that is not waited for.
//!
//! The queue of a run's own server ends with the run, and the run with its process: what survives both
//! is the joblog. Nobody would read what a sync had saved from a loss of power, and each item would
//! wait for one. All else is as on any disk: what does not fit into memory is read from it, and a disk
//! that is full or cannot be written is told of.

use std::io;
use std::path::Path;

use queue_server::{Disk, DiskFile, RealDisk};

/// A directory of the file system.
#[derive(Debug)]
pub(super) struct Unsynced(RealDisk);

impl Unsynced {
    /// This directory.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        RealDisk::open(directory).map(Self)
    }
}

impl Disk for Unsynced {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        self.0.create(name, bytes).map(unsynced)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Disk::open(&self.0, name).map(unsynced)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn lock(&self) -> io::Result<()> {
        self.0.lock()
    }

    fn free(&self) -> io::Result<u64> {
        self.0.free()
    }
}

fn unsynced(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
    Box::new(UnsyncedFile(file))
}

#[derive(Debug)]
struct UnsyncedFile(Box<dyn DiskFile>);

impl DiskFile for UnsyncedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
