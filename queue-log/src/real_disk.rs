//! A directory of the file system as a disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::FallocateFlags;

use crate::disk::{Disk, DiskFile};

/// The file whose lock says that the directory is in use.
const LOCK: &str = "lock";
/// How the name of a file ends that is not whole yet.
const UNFINISHED: &str = ".new";
/// Bytes of zeros that are written before they are synced: what a writer's sync may have to wait for.
const ZEROED_AT_ONCE: u64 = 4 << 20;

/// A directory of the file system.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    directory: File,
    /// It leaves nothing behind that was not there.
    read_only: bool,
    /// Open for as long as the lock is held.
    lock: Mutex<Option<File>>,
}

impl RealDisk {
    /// The directory, made if it is not there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        if !directory.is_dir() {
            fs::create_dir_all(directory)?;
            // Its own name must survive as well, or a loss of power takes the log with it.
            if let Some(parent) = directory.canonicalize()?.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        Self::new(directory, false)
    }

    /// The directory as it is, for looking only: nothing is made, not even the file that is locked.
    pub fn existing(directory: &Path) -> io::Result<Self> {
        Self::new(directory, true)
    }

    fn new(directory: &Path, read_only: bool) -> io::Result<Self> {
        Ok(Self {
            path: directory.to_path_buf(),
            directory: File::open(directory)?,
            read_only,
            lock: Mutex::new(None),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn zeroed(&self, unfinished: &Path, bytes: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(unfinished)?;
        // Takes the space at once, so that a full disk is known before anything is written.
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        // Allocated extents are converted when they are first written, which costs a journal commit:
        // here, and not when the log waits for it.
        let zeros = vec![0; (256 << 10).min(bytes) as usize];
        let mut at = 0;
        while at < bytes {
            let upto = (at + ZEROED_AT_ONCE).min(bytes);
            while at < upto {
                let step = (upto - at).min(zeros.len() as u64);
                file.write_all_at(&zeros[..step as usize], at)?;
                at += step;
            }
            file.sync_all()?;
        }
        Ok(file)
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not text is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        let unfinished = self.path(&format!("{name}{UNFINISHED}"));
        let made = self.zeroed(&unfinished, bytes).and_then(|file| {
            fs::rename(&unfinished, self.path(name))?;
            self.directory.sync_all()?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Box::new(RealFile(file))),
            Err(error) => {
                // Its space is wanted elsewhere; the failure that led here is the one to tell of.
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(!self.read_only)
            .open(self.path(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))?;
        self.directory.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))?;
        self.directory.sync_all()
    }

    fn lock(&self) -> io::Result<()> {
        let mut held = self
            .lock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let opened = OpenOptions::new()
            .read(true)
            .write(!self.read_only)
            .create(!self.read_only)
            .open(self.path(LOCK));
        let file = match opened {
            // Nobody ever used it, so nobody does.
            Err(error) if self.read_only && error.kind() == io::ErrorKind::NotFound => {
                return Ok(());
            }
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => {
                *held = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn free(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn size(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.directory)?;
        Ok(space.f_blocks.saturating_mul(space.f_frsize))
    }
}

/// A file of the file system.
#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
