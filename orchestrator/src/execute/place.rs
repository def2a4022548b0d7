//! The directory of a run's own server, below the system's directory for temporary files.
//!
//! It goes with the run. A run that was killed leaves its directory behind, for a later run to remove:
//! one that is ours by its name and its owner, and that nobody holds. Whoever uses a directory, or
//! removes it, holds its lock, so none is taken away under its run. What lies in it is not known here.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What the names of our directories begin with.
const PREFIX: &str = "memq-run-";
/// How often the removal is tried: a thread of the server may just be putting a file there.
const REMOVALS: u32 = 20;

/// A directory of our own, removed when dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Says that it is in use, for as long as it is open.
    _lock: File,
}

impl Place {
    /// Makes one below this directory.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        loop {
            let made = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            if let Some(lock) = hold(made.path())? {
                let path = made.keep();
                return Ok(Self { path, _lock: lock });
            }
            // A sweep came between the directory and its lock; the next name is another.
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for _ in 0..REMOVALS {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => std::thread::yield_now(),
                _ => return,
            }
        }
        // Once its lock is free a later run removes it.
    }
}

/// Removes what killed runs left below this directory, as far as that is possible.
pub(super) fn sweep(parent: &Path) {
    let me = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|found| found.is_dir() && found.uid() == me);
        if ours && let Ok(Some(_lock)) = hold(&entry.path()) {
            // What cannot be removed now is found again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a directory; `None` if another has it, or had it and removed the directory.
fn hold(directory: &Path) -> io::Result<Option<File>> {
    let lock = match File::open(directory) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    // The lock of a directory that is gone is worth nothing.
    let there = match fs::metadata(directory) {
        Ok(found) => found.ino() == lock.metadata()?.ino(),
        Err(_) => false,
    };
    Ok(there.then_some(lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).expect("a directory");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_goes_with_all_that_lies_in_it() {
        let parent = tempfile::tempdir().expect("a directory");
        let place = Place::make(parent.path()).expect("a place");
        fs::write(place.path().join("log-1"), "x").expect("a file");
        let mode = fs::metadata(place.path()).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700, "the items are nobody else's");
        drop(place);
        assert_eq!(names(parent.path()), [""; 0]);
    }

    #[test]
    fn what_nobody_holds_any_more_is_swept_and_all_else_is_left() {
        let parent = tempfile::tempdir().expect("a directory");
        let at = |name: &str| parent.path().join(name);
        let held = Place::make(parent.path()).expect("a place");
        fs::create_dir_all(at("memq-run-left/within")).expect("a directory");
        fs::write(at("memq-run-left/log-1"), "x").expect("a file");
        fs::create_dir(at("memq-data")).expect("a directory");
        fs::write(at("memq-run-file"), "x").expect("a file");
        std::os::unix::fs::symlink(at("memq-data"), at("memq-run-link")).expect("a link");
        sweep(parent.path());
        let held_name = held.path().file_name().expect("a name").to_string_lossy();
        let mut left = ["memq-data", "memq-run-file", "memq-run-link", &held_name];
        left.sort_unstable();
        assert_eq!(names(parent.path()), left);
    }

    #[test]
    fn one_that_was_swept_before_it_was_held_is_not_held() {
        let parent = tempfile::tempdir().expect("a directory");
        let at = parent.path().join("memq-run-new");
        fs::create_dir(&at).expect("a directory");
        let sweeper = hold(&at).expect("it is there").expect("nobody has it");
        assert!(hold(&at).expect("it is there").is_none());
        fs::remove_dir(&at).expect("it is empty");
        drop(sweeper);
        assert!(hold(&at).expect("it is gone").is_none());
    }
}
