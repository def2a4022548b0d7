//! `memq worker install DIR`: this program's own file, copied to where another image can run it.
//!
//! It is linked statically in our image, so that it runs in any other. Knows nothing of queues.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the copy is called, whatever this program's file was renamed to.
const NAME: &str = "memq";
/// The program that is a worker and nothing else keeps its name: it takes another command line.
const WORKER_NAME: &str = "memq-worker";

/// Where to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Directory to copy to; it must exist, such as a volume that another container mounts too
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Why there is no copy. Nothing of it is left behind, and a copy that was there stays as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// Mount a volume there, or name another directory.
    #[error("cannot install into `{}`: there is no such directory", .0.display())]
    Missing(PathBuf),
    /// Name the directory, without the file's name.
    #[error("cannot install into `{}`: it is no directory", .0.display())]
    NotADirectory(PathBuf),
    /// Give the volume to this user (fsGroup), or mount it writable.
    #[error("cannot install into `{}`: this user may not write there", .0.display())]
    NotWritable(PathBuf, #[source] io::Error),
    /// Make room: the program needs as many bytes.
    #[error("cannot install into `{}`: no room for {bytes} bytes", directory.display())]
    NoRoom {
        directory: PathBuf,
        bytes: u64,
        source: io::Error,
    },
    /// The system's own words say what.
    #[error("cannot install into `{}`", .0.display())]
    Other(PathBuf, #[source] io::Error),
}

/// Copies this program, and tells where to.
pub(crate) fn install(args: &Args) -> Result<PathBuf, InstallError> {
    let directory = &args.directory;
    let failed = |source| InstallError::Other(directory.clone(), source);
    // The file itself, even if another one lies under its name by now.
    let program = std::env::current_exe().map_err(failed)?;
    let name = match program.file_name() {
        Some(name) if name == WORKER_NAME => WORKER_NAME,
        _ => NAME,
    };
    let mut source = File::open(&program).map_err(failed)?;
    let bytes = source.metadata().map_err(failed)?.len();
    let to = directory.join(name);
    copy(&mut source, directory, &to).map_err(|source| {
        use io::ErrorKind::{
            NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
            StorageFull,
        };
        let directory = directory.clone();
        match source.kind() {
            NotFound => InstallError::Missing(directory),
            NotADirectory => InstallError::NotADirectory(directory),
            PermissionDenied | ReadOnlyFilesystem => InstallError::NotWritable(directory, source),
            StorageFull | QuotaExceeded => InstallError::NoRoom {
                directory,
                bytes,
                source,
            },
            _ => InstallError::Other(directory, source),
        }
    })?;
    Ok(to)
}

/// Another container may start it in any moment, and must never find half of it.
fn copy(program: &mut File, directory: &Path, to: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".memq-")
        .permissions(Permissions::from_mode(0o700))
        .tempfile_in(directory)?;
    io::copy(program, &mut file)?;
    file.flush()?;
    // Past the umask, and only now: whoever finds it under the other name finds it whole.
    file.as_file()
        .set_permissions(Permissions::from_mode(0o755))?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install_into(directory: &Path) -> Result<PathBuf, InstallError> {
        let directory = directory.to_owned();
        install(&Args { directory })
    }

    #[test]
    fn the_copy_is_whole_and_anybody_may_run_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = install_into(folder.path()).expect("room");
        assert_eq!(copy, folder.path().join("memq"));
        let itself = std::env::current_exe().expect("this test");
        assert_eq!(
            std::fs::metadata(&copy).expect("the copy").len(),
            std::fs::metadata(itself).expect("this test").len()
        );
        let mode = std::fs::metadata(&copy).expect("the copy").permissions();
        assert_eq!(mode.mode() & 0o7777, 0o755);
        // A container that is started again installs again.
        install_into(folder.path()).expect("room");
        let names = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(names.count(), 1, "nothing else is left");
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |path: &Path| install_into(path).expect_err("refused").to_string();
        let missing = folder.path().join("missing");
        assert!(message(&missing).ends_with("there is no such directory"));
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("room");
        assert!(message(&file).ends_with("it is no directory"));
        if cfg!(target_os = "linux") {
            // Nobody makes files there, not even root.
            let error = message(Path::new("/proc/self/fdinfo"));
            assert!(error.contains("`/proc/self/fdinfo`"), "{error}");
        }
    }
}
