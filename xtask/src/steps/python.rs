//! Python environments below the target folder, made once for each list of packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{say, step};

/// Written last into an environment, with the packages it has: one that was interrupted, or is for another
/// list, is made anew.
const COMPLETE: &str = "complete";

/// A Python that has these packages, each with its version, fetched from PyPI if they are not there.
pub(super) fn environment(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let mark = folder.join(COMPLETE);
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|has| has == wanted) {
        return Ok(python);
    }
    say(format_args!(
        "==> making a Python environment in {} with {}",
        folder.display(),
        packages.join(" ")
    ));
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(folder);
    step("make a Python environment", &mut make)
        .context("Python 3 with venv is needed (Debian: `apt-get install python3-venv`)")?;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    install.args(packages);
    step("install Python packages", &mut install).context("they come from PyPI")?;
    std::fs::write(&mark, wanted)
        .with_context(|| format!("{} cannot be written", mark.display()))?;
    Ok(python)
}
