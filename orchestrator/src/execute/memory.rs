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
    let is_of_spec = |memory: &Memory| memory.spec == spec || memory.spec.parent() == Some(&spec);
    let entries = match fs::read_dir(RUNS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut found: Option<(std::time::SystemTime, Remembered)> = None;
    for entry in entries {
        let folder = entry?.path();
        let file = folder.join(FILE);
        // A folder without it is of a run that is being made, or of an older memq.
        let Ok(text) = fs::read(&file) else { continue };
        let Ok(memory) = serde_json::from_slice::<Memory>(&text) else {
            continue;
        };
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let exact = name == named;
        let of_name = name.rsplit_once('.').is_some_and(|(run, number)| {
            run == named && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !exact && !of_name && !is_of_spec(&memory) {
            continue;
        }
        let made = fs::metadata(&file)?.modified()?;
        if found.as_ref().is_none_or(|(before, _)| *before <= made) {
            found = Some((made, Remembered { memory, folder }));
        }
    }
    Ok(found.map(|(_, run)| run))
}
