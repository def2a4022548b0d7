//! The files of one item: its body, and where its result may be written.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::child::NotRunnable;
use crate::verdict::MAX_RESULT_BYTES;

/// A directory in memory, which containers have even where their root is read-only and has no /tmp.
const IN_MEMORY: &str = "/dev/shm";
/// Bodies up to this are written to their file on the spot; larger ones on a thread that may block.
const SMALL: usize = 64 * 1024;

/// A directory of our own for the files of items; removed at the end.
#[derive(Debug)]
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    /// Makes one below TMPDIR, or in the usual places.
    pub(super) fn make() -> Result<Self, NotRunnable> {
        make_in(std::env::var_os("TMPDIR").map(PathBuf::from)).map(Self)
    }
}

/// One that was asked for is taken or none.
fn make_in(asked: Option<PathBuf>) -> Result<tempfile::TempDir, NotRunnable> {
    let usual = asked.is_none();
    let dir = asked.unwrap_or_else(|| "/tmp".into());
    let make = |dir: &Path| {
        tempfile::Builder::new()
            .prefix("memq-worker-")
            .tempdir_in(dir)
    };
    let source = match make(&dir) {
        Ok(made) => return Ok(made),
        Err(source) => source,
    };
    if usual && let Ok(made) = make(Path::new(IN_MEMORY)) {
        tracing::info!(
            file.path = %dir.display(),
            "it cannot be written: the files of items lie in memory, in {IN_MEMORY}"
        );
        return Ok(made);
    }
    Err(NotRunnable::NoDirectory { dir, source })
}

/// Gone when dropped.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) item: PathBuf,
    pub(super) result: PathBuf,
}

impl Files {
    pub(super) async fn write(folder: &Folder, body: &[u8]) -> io::Result<Self> {
        // Not the item's id: the same item may still be ending in another slot.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let dir = folder.0.path();
        let files = Self {
            item: dir.join(format!("{number}.item")),
            result: dir.join(format!("{number}.result")),
        };
        if body.len() <= SMALL {
            std::fs::write(&files.item, body)?;
        } else {
            tokio::fs::write(&files.item, body).await?;
        }
        Ok(files)
    }

    /// What was written as the result, if anything.
    pub(super) fn result(&self) -> io::Result<Option<Vec<u8>>> {
        match std::fs::metadata(&self.result) {
            // Opening a pipe would wait for whoever writes into it.
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::other("it is not a regular file"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = std::fs::File::open(&self.result)?;
        // One more than the limit shows that it is over it.
        let mut bytes = Vec::new();
        file.take(MAX_RESULT_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [&self.item, &self.result] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!(file.path = %path.display(), error.message = %error, "cannot remove a file");
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_asked_for_is_taken_or_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = make_in(Some(dir.path().to_owned())).expect("room");
        assert!(made.path().starts_with(dir.path()));
        let error = make_in(Some("/no/such/folder".into())).expect_err("not there");
        assert!(error.to_string().contains("`/no/such/folder`"), "{error}");
        assert!(error.to_string().contains("TMPDIR"), "{error}");
    }
}
