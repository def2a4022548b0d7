//! Python environments below the target folder, made once for each list of packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{say, step, target_folder};

/// Written last into an environment, with the packages it has: one that was interrupted, or is for another
/// list, is made anew.
const COMPLETE: &str = "complete";

/// A Python called `name` that has the packages of a list with one a line.
pub(super) fn listed(name: &str, list: &Path) -> Result<PathBuf> {
    let text =
        fs::read_to_string(list).with_context(|| format!("{} cannot be read", list.display()))?;
    let packages: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    environment(&target_folder()?.join("tools").join(name), &packages)
}

/// A Python that has these packages, each with its version, fetched from PyPI if they are not there.
pub(super) fn environment(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let mark = folder.join(COMPLETE);
    let wanted = packages.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|has| has == wanted) {
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
    fs::write(&mark, wanted).with_context(|| format!("{} cannot be written", mark.display()))?;
    Ok(python)
}
