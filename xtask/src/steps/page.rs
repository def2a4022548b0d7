//! The server's web page in a real browser.
//!
//! Owns where the browser comes from. What is looked at stands in `queue-server/ui-test`, and which packages that needs,
//! in its `requirements.txt`; the first of them brings what drives the browser.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::python::listed;
use super::results::Results;
use super::{say, starts, step, step_with_results, target_folder};

/// Names the browser.
const NAMED: &str = "MEMQ_TEST_CHROMIUM";
/// What a browser that does is called, in the order in which it is looked for.
const CALLED: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// What to do where none can be had.
const ADVICE: &str = "the web page cannot be tested without Chromium: install it (Debian: `apt-get install chromium`), or name \
                      your own in MEMQ_TEST_CHROMIUM";

/// Runs the tests. The programs must have been built.
pub(super) fn test() -> Result<Results> {
    let mut run = python()?;
    run.arg(root().join("manifests/test/run.py")).arg(folder());
    let name = "test the web page";
    let results = step_with_results(name, &mut run)?;
    ensure!(results.passed > 0, "step `{name}` ran no test");
    Ok(results)
}

/// Takes the pictures of the page that the docs show. The programs must have been built.
///
/// # Errors
///
/// Names the step that failed.
pub fn pictures() -> Result<()> {
    let mut run = python()?;
    run.arg(folder().join("pictures.py"))
        .arg(root().join("docs/images"));
    step("take pictures of the web page", &mut run)
}

/// A Python that finds a browser, what drives it, and the programs.
fn python() -> Result<Command> {
    let python = listed("page", &folder().join("requirements.txt"))?;
    let paths = ["clients/test", "clients/python"].map(|path| root().join(path));
    let mut command = Command::new(python);
    command
        .env(NAMED, browser()?)
        .env("MEMQ_PROGRAMS", target_folder()?.join("debug"))
        .env("PYTHONPATH", std::env::join_paths(paths)?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The browser: the one that is named, else one that is installed, else Debian's, where it can be installed.
fn browser() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(NAMED) {
        return Ok(named.into());
    }
    if let Some(installed) = installed() {
        return Ok(installed);
    }
    let root = fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0);
    ensure!(root && Path::new("/etc/debian_version").exists(), ADVICE);
    say(format_args!(
        "==> no Chromium is in PATH: installing Debian's, which the tests of the web page need"
    ));
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(words)
            .args(["--quiet", "--quiet"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let package = ["install", "--yes", "--no-install-recommends", "chromium"];
    if step("install chromium", &mut apt(&package)).is_err() {
        // The machine's lists may be missing, or too old.
        step("update the lists of packages", &mut apt(&["update"])).context(ADVICE)?;
        step("install chromium", &mut apt(&package)).context(ADVICE)?;
    }
    installed().context(ADVICE)
}

/// The first that is in `PATH` and starts, by its whole path.
fn installed() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = |name| {
        std::env::split_paths(&folders)
            .map(|folder| folder.join(name))
            .find(|program| program.is_file() && starts(program))
    };
    CALLED.into_iter().find_map(found)
}

fn folder() -> PathBuf {
    root().join("queue-server/ui-test")
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
