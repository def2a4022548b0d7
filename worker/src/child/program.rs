//! A program to run: found and checked before the first item is leased.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::Access;
use rustix::io::Errno;
use tokio::process::Command;

use crate::verdict::{Failure, Verdict};

/// How long an item waits that could not be started for want of memory or processes.
const NO_ROOM_DELAY: Duration = Duration::from_secs(1);

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
    NoDirectory { dir: PathBuf, source: io::Error },
}

/// A program, its arguments, and what its environment says about the worker.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The name as it was given, which some programs go by.
    name: OsString,
    arguments: Vec<OsString>,
    /// The same for every item.
    environment: Environment,
}

/// Variables for a program.
pub(crate) type Environment = Vec<(&'static str, OsString)>;

impl Program {
    /// Finds the program, as a shell would, and sees that it can be run.
    pub(crate) fn find(
        command: &[OsString],
        environment: Environment,
    ) -> Result<Self, NotRunnable> {
        let (name, arguments) = command.split_first().ok_or_else(|| NotRunnable::NotFound {
            name: String::new(),
        })?;
        Ok(Self {
            path: resolve(name)?,
            name: name.clone(),
            arguments: arguments.to_vec(),
            environment,
        })
    }

    /// The program with these arguments, in a group of its own, its streams ours.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// The arguments as they were given.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.arguments.iter().map(OsString::as_os_str)
    }
}

/// What a program that could not be started means for the item that it was started for.
pub(crate) fn not_started(program: &Program, error: &io::Error) -> Verdict {
    let text = format!("cannot start `{}`: {error}", program.path.display());
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => no_room(&text),
        Some(Errno::TOOBIG) => Verdict::Dead(Failure::new(text)),
        _ => Verdict::Broken(Failure::new(text)),
    }
}

/// Not the item's fault, and it may be better in a moment.
pub(crate) fn no_room(text: &str) -> Verdict {
    tracing::warn!(error.message = text, "giving an item back");
    Verdict::Release(Failure::new(text), Some(NO_ROOM_DELAY))
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
        Program::find(&command, Vec::new())
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
}
