//! A directory for the data of servers under test: on the disk that is to be measured, and gone
//! afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A directory of our own, removed with all that is in it when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new one inside `parent`, which is made too if it is not there.
    pub(crate) fn new(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the directory `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// A directory in it, for one server. It is made if it is not there.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the directory `{}`", path.display()))?;
        Ok(path)
    }

    /// Removes a directory in it, to have the room back.
    pub(crate) fn clear(&self, name: &str) {
        let _ = std::fs::remove_dir_all(self.0.join(name));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        // The parent goes too if we were the last in it.
        if let Some(parent) = self.0.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

/// Asks the system to forget what it holds of these files in memory, so that the next read comes
/// from the disk. They must be synced. False where it cannot be asked.
pub(crate) fn forget_cached(directory: &Path) -> Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Advice, fadvise};
        for entry in std::fs::read_dir(directory).context("cannot list the data directory")? {
            let path = entry.context("cannot list the data directory")?.path();
            if path.is_dir() {
                forget_cached(&path)?;
                continue;
            }
            let file = std::fs::File::open(&path);
            let file = file.with_context(|| format!("cannot open `{}`", path.display()))?;
            file.sync_all().context("cannot sync a data file")?;
            if fadvise(&file, 0, None, Advice::DontNeed).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        Ok(false)
    }
}
