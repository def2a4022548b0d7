//! What to run for each item: found and checked before the first one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// A directory in memory, which containers have even where their root is read-only and has no /tmp.
const IN_MEMORY: &str = "/dev/shm";
/// The whole argument that stands for the item.
const PLACEHOLDER: &str = "{}";

/// A command that can not be run. Correct it and start the worker again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRunnable {
    #[error("command `{name}` is not found in PATH")]
    NotFound { name: String },
    #[error("command `{path}` is not there", path = path.display())]
    NoSuchFile { path: PathBuf },
    #[error("command `{path}` is not an executable file", path = path.display())]
    NotExecutable { path: PathBuf },
    #[error("no directory for the files of items can be made in `{dir}`: mount a volume there, or set TMPDIR to a directory that is writable", dir = dir.display())]
    NoDirectory {
        dir: PathBuf,
        source: std::io::Error,
    },
}

/// A command, its arguments, and what its environment says about the worker.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) path: PathBuf,
    /// The name as it was given, which some programs go by.
    pub(super) name: OsString,
    arguments: Vec<OsString>,
    /// The same for every item.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Exit codes that mean that the item can never work.
    pub(super) dead_on: Vec<i32>,
    /// Holds the files of running items; removed at the end.
    pub(super) files: tempfile::TempDir,
}

impl Program {
    /// Finds the command, as a shell would, and sees that it can be run.
    pub(crate) fn find(
        command: &[OsString],
        environment: Vec<(&'static str, String)>,
        dead_on: Vec<i32>,
    ) -> Result<Self, NotRunnable> {
        let (name, arguments) = command.split_first().ok_or_else(|| NotRunnable::NotFound {
            name: String::new(),
        })?;
        let path = resolve(name)?;
        let files = directory_for_files(std::env::var_os("TMPDIR").map(PathBuf::from))?;
        Ok(Self {
            path,
            name: name.clone(),
            arguments: arguments.to_vec(),
            environment,
            dead_on,
            files,
        })
    }

    /// The arguments for an item. The item is put only where it is a whole argument: inside another
    /// one it could change what that one means.
    pub(super) fn arguments_for<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = &'a OsStr> {
        self.arguments
            .iter()
            .map(move |argument| match argument == PLACEHOLDER {
                true => OsStr::from_bytes(body),
                false => argument.as_os_str(),
            })
    }

    /// An argument that has the placeholder inside and will be passed as it is.
    pub(crate) fn misplaced(&self) -> Option<&OsStr> {
        let inside = |argument: &&OsString| {
            let bytes = argument.as_bytes();
            *argument != PLACEHOLDER && bytes.windows(2).any(|pair| pair == PLACEHOLDER.as_bytes())
        };
        self.arguments.iter().find(inside).map(OsString::as_os_str)
    }

    /// Whether the item goes into the arguments.
    pub(super) fn takes_item_as_argument(&self) -> bool {
        self.arguments
            .iter()
            .any(|argument| argument == PLACEHOLDER)
    }
}

/// A directory of our own for the files of items. One that was asked for is taken or none.
fn directory_for_files(asked: Option<PathBuf>) -> Result<tempfile::TempDir, NotRunnable> {
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
            "`{}` cannot be written: the files of items lie in memory, in {IN_MEMORY}",
            dir.display()
        );
        return Ok(made);
    }
    Err(NotRunnable::NoDirectory { dir, source })
}

fn resolve(name: &OsStr) -> Result<PathBuf, NotRunnable> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match is_executable(&path) {
            true => Ok(path),
            false if path.exists() => Err(NotRunnable::NotExecutable { path }),
            false => Err(NotRunnable::NoSuchFile { path }),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut candidates = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .filter(|_| !name.is_empty());
    let mut found = None;
    candidates
        .find(|path| {
            if path.is_file() {
                found.get_or_insert_with(|| path.clone());
            }
            is_executable(path)
        })
        .ok_or_else(|| match found.take() {
            Some(path) => NotRunnable::NotExecutable { path },
            None => NotRunnable::NotFound {
                name: name.to_string_lossy().into_owned(),
            },
        })
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(command: &[&str]) -> Result<Program, NotRunnable> {
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        Program::find(&command, Vec::new(), vec![65])
    }

    #[test]
    fn a_command_is_found_as_a_shell_finds_it() {
        assert!(find(&["sh"]).expect("sh").path.is_absolute());
        assert!(find(&["/bin/sh"]).is_ok());
        let message = |command: &str| find(&[command]).expect_err(command).to_string();
        assert_eq!(
            message("no-such-command-9"),
            "command `no-such-command-9` is not found in PATH"
        );
        assert_eq!(
            message("/no/such/file"),
            "command `/no/such/file` is not there"
        );
        assert_eq!(
            message("/etc/passwd"),
            "command `/etc/passwd` is not an executable file"
        );
        assert_eq!(message("/tmp"), "command `/tmp` is not an executable file");
        assert!(matches!(find(&[""]), Err(NotRunnable::NotFound { .. })));
    }

    #[test]
    fn a_directory_that_was_asked_for_is_taken_or_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = directory_for_files(Some(dir.path().to_owned())).expect("room");
        assert!(made.path().starts_with(dir.path()));
        let error = directory_for_files(Some("/no/such/folder".into())).expect_err("not there");
        assert!(error.to_string().contains("`/no/such/folder`"), "{error}");
        assert!(error.to_string().contains("TMPDIR"), "{error}");
    }

    #[test]
    fn the_item_is_put_only_where_it_is_a_whole_argument() {
        let program = find(&["sh", "-c", "echo {}", "{}", "x{}"]).expect("sh");
        let arguments: Vec<_> = program.arguments_for(b"; rm -rf /").collect();
        assert_eq!(arguments, ["-c", "echo {}", "; rm -rf /", "x{}"]);
        assert!(program.takes_item_as_argument());
        assert!(
            !find(&["sh", "-c", "echo {}"])
                .expect("sh")
                .takes_item_as_argument()
        );
    }
}
