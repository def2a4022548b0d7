//! What a run's folder remembers of how it was started, so that it can be gone on with by name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::rundir::{RUNS, RunDir};

/// The file in the run's folder.
const FILE: &str = "run.json";

/// How a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The spec, as a full path.
    pub(crate) spec: PathBuf,
    /// What ended its name.
    pub(crate) suffix: String,
    /// The parameters that were given.
    pub(crate) params: Vec<(String, String)>,
    /// Workers of each step, if somebody said how many.
    pub(crate) workers: Option<u32>,
    /// The file of variables.
    pub(crate) env_file: Option<PathBuf>,
    /// The server, if it was not its own.
    pub(crate) server: Option<String>,
    /// The file of its token, as a full path.
    #[serde(default)]
    pub(crate) token_file: Option<PathBuf>,
    /// The joblog, as a full path; filled in when it is written.
    #[serde(default)]
    pub(crate) joblog: PathBuf,
}

/// A run that was found, and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// How it was started.
    pub(crate) memory: Memory,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

impl Memory {
    /// Writes it into a run's folder.
    pub(super) fn write(&self, folder: &RunDir, joblog: &Path) -> io::Result<()> {
        let mut memory = self.clone();
        memory.joblog = std::path::absolute(joblog)?;
        let text = serde_json::to_vec_pretty(&memory).map_err(io::Error::other)?;
        fs::write(folder.path().join(FILE), text)
    }
}

/// Finds the last run by this name, or of this spec, below the folder the command was given in.
pub(crate) fn find(named: &str) -> io::Result<Option<Remembered>> {
    let spec = std::path::absolute(named)?;
    let is_meant = |run: &Remembered| {
        let of_spec = run.memory.spec == spec || run.memory.spec.parent() == Some(&spec);
        let name = run.folder.file_name().unwrap_or_default().to_string_lossy();
        let of_name = name.rsplit_once('.').is_some_and(|(run, number)| {
            run == named && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        of_spec || of_name || name == named
    };
    Ok(all()?.into_iter().rfind(is_meant))
}

/// The folders of all runs that wrote into this joblog, the last one at the end.
pub(crate) fn folders_of(joblog: &Path) -> io::Result<Vec<PathBuf>> {
    let runs = all()?.into_iter();
    let runs = runs.filter(|run| run.memory.joblog == joblog);
    Ok(runs.map(|run| run.folder).collect())
}

/// All runs that were started from here, the last one at the end.
fn all() -> io::Result<Vec<Remembered>> {
    let entries = match fs::read_dir(RUNS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let file = folder.join(FILE);
        // A folder without it is of a run that is being made, or of an older memq.
        let Ok(text) = fs::read(&file) else { continue };
        let Ok(memory) = serde_json::from_slice::<Memory>(&text) else {
            continue;
        };
        let made = fs::metadata(&file)?.modified()?;
        found.push((made, Remembered { memory, folder }));
    }
    found.sort_by(|(a, one), (b, other)| (a, &one.folder).cmp(&(b, &other.folder)));
    Ok(found.into_iter().map(|(_, run)| run).collect())
}
