//! Dashboards and alert rules, tried with a real Prometheus on real programs.
//!
//! Owns where Prometheus and promtool come from. What is tried stands in `manifests/monitoring/test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::python::listed;
use super::results::Results;
use super::{say, starts, step, step_with_results, target_folder};

/// Written last into a folder of programs: one that was interrupted has none.
const COMPLETE: &str = "complete";
/// What to do where the programs cannot be had.
const ADVICE: &str = "dashboards and alert rules cannot be tried without Prometheus and promtool: install them (Debian: `apt-get \
                      install prometheus`), or name your own in MEMQ_PROMETHEUS and MEMQ_PROMTOOL";

/// Runs the tests. The programs must have been built.
pub(super) fn test() -> Result<Results> {
    let (prometheus, promtool) = programs()?;
    let root = root();
    let folder = root.join("manifests/monitoring/test");
    let python = listed("monitoring", &folder.join("requirements.txt"))?;
    let paths = ["manifests", "clients/test", "clients/python"].map(|path| root.join(path));
    let mut run = Command::new(python);
    run.arg(root.join("manifests/test/run.py"))
        .arg(&folder)
        .env("MEMQ_PROMETHEUS", prometheus)
        .env("MEMQ_PROMTOOL", promtool)
        .env("MEMQ_PROGRAMS", target_folder()?.join("debug"))
        .env("PYTHONPATH", std::env::join_paths(paths)?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let name = "try dashboards and alerts";
    let results = step_with_results(name, &mut run)?;
    ensure!(results.passed > 0, "step `{name}` ran no test");
    Ok(results)
}

/// Prometheus and promtool: those that are named, else those that are installed, else Debian's.
fn programs() -> Result<(PathBuf, PathBuf)> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from);
    if let (Some(prometheus), Some(promtool)) = (named("MEMQ_PROMETHEUS"), named("MEMQ_PROMTOOL")) {
        return Ok((prometheus, promtool));
    }
    let installed = ["prometheus", "promtool"].map(PathBuf::from);
    if installed.iter().all(|program| starts(program)) {
        let [prometheus, promtool] = installed;
        return Ok((prometheus, promtool));
    }
    let folder = target_folder()?.join("tools/prometheus");
    if !folder.join(COMPLETE).exists() {
        fetch(&folder).context(ADVICE)?;
    }
    let bin = folder.join("usr/bin");
    Ok((bin.join("prometheus"), bin.join("promtool")))
}

/// Debian's package, unpacked into a folder and not installed: that takes no rights.
fn fetch(folder: &Path) -> Result<()> {
    say(format_args!(
        "==> prometheus is neither installed nor in {}: fetching it",
        folder.display()
    ));
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    // apt wants a folder for what it is about to fetch.
    let lists = folder.join("apt/lists/partial");
    fs::create_dir_all(&lists).with_context(|| format!("{} cannot be made", lists.display()))?;
    if !apt(folder, &["download", "prometheus"])?.success() {
        // The machine's own lists may be missing, or too old.
        let own = format!("Dir::State::lists={}", folder.join("apt/lists").display());
        let cache = format!("Dir::Cache={}", folder.join("apt").display());
        let own = ["-o", &own, "-o", &cache];
        let update = [&own[..], &["update"]].concat();
        let again = [&own[..], &["download", "prometheus"]].concat();
        ensure!(
            apt(folder, &update)?.success() && apt(folder, &again)?.success(),
            "apt-get finds no package prometheus"
        );
    }
    let package = fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get left no package")?;
    let mut unpack = Command::new("dpkg");
    unpack.arg("-x").arg(&package).arg(folder);
    step("unpack prometheus", &mut unpack)?;
    let mark = folder.join(COMPLETE);
    fs::remove_file(&package)
        .and_then(|()| fs::remove_dir_all(folder.join("apt")))
        .and_then(|()| fs::write(&mark, ""))
        .with_context(|| format!("{} cannot be tidied", folder.display()))
}

fn apt(folder: &Path, words: &[&str]) -> Result<std::process::ExitStatus> {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet", "--quiet"])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null());
    command.status().context("apt-get does not start")
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
