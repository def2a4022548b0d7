//! The folder of a run below `./.memq/runs`, and those of its steps: joblog, scripts, logs.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Where all that memq keeps by itself lies, below the folder the command was given in.
const ROOT: &str = ".memq";
/// Where the folders of runs lie.
pub(super) const RUNS: &str = ".memq/runs";
/// How much of the end of a log is looked at for its last lines.
const TAIL_BYTES: u64 = 8 * 1024;
/// How many last lines are shown.
const TAIL_LINES: usize = 8;

/// The folder of one run, or of one step in it.
#[derive(Debug, Clone)]
pub(super) struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a folder of its own for this run: `NAME`, or `NAME.2` if there is one already.
    pub(super) fn make(name: &str) -> io::Result<Self> {
        let runs = Path::new(RUNS);
        fs::create_dir_all(runs)?;
        // What lies here is nobody's source; a folder that says so itself needs no one to remember.
        let ignore = Path::new(ROOT).join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n")?;
        }
        let mut number = 1_u32;
        loop {
            let path = match number {
                1 => runs.join(name),
                n => runs.join(format!("{name}.{n}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the folder of a step in it.
    pub(super) fn within(&self, step: &str) -> io::Result<Self> {
        let path = self.path.join(step);
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Takes the folder away again if nothing came to lie in it.
    pub(super) fn remove_if_empty(&self) {
        let _in_use = fs::remove_dir(&self.path);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the joblog lies if nobody says otherwise.
    pub(super) fn joblog(&self) -> PathBuf {
        self.path.join("joblog.ndjson")
    }

    /// The log of a worker, counted from 0 here and from 1 for people.
    pub(super) fn worker_log(&self, worker: usize) -> PathBuf {
        self.path.join(format!("worker-{}.log", worker + 1))
    }

    /// The log of one try of a process.
    pub(super) fn try_log(&self, what: &str, number: u32) -> PathBuf {
        self.path.join(format!("{what}try-{number}.log"))
    }

    /// Writes a script of the step and gives its full path: handlers run in another folder.
    pub(super) fn write_script(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::path::absolute(self.path.join(name))?;
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

/// The last lines of a log.
pub(super) fn last_lines(log: &Path) -> Vec<String> {
    let Ok(mut file) = fs::File::open(log) else {
        return Vec::new();
    };
    let length = file.metadata().map_or(0, |m| m.len());
    let from = length.saturating_sub(TAIL_BYTES);
    let mut bytes = Vec::new();
    if file
        .seek(SeekFrom::Start(from))
        .and_then(|_| file.read_to_end(&mut bytes))
        .is_err()
    {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines[first..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}
