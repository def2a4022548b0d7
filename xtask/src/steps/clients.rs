//! The clients that are not Rust's, and what the docs say about clients: held to types and style, and run
//! against the real programs.
//!
//! What is tested stands in `clients/test`; which packages it needs, in its `requirements.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::python::environment;
use super::results::Results;
use super::{cargo, step, step_with_results, target_folder};

/// Runs the tests. The programs must have been built.
pub(super) fn test() -> Result<Results> {
    let example = &["build", "--package", "queue-client", "--example", "drain"];
    step("build the example of a worker", &mut cargo(example))?;
    let mut run = Command::new(python()?);
    run.arg(root().join("manifests/test/run.py"))
        .arg(root().join("clients/test"))
        .env("MEMQ_PROGRAMS", target_folder()?.join("debug"))
        .env("PYTHONPATH", root().join("clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let results = step_with_results("test the clients", &mut run)?;
    ensure!(results.passed > 0, "step `test the clients` ran no test");
    Ok(results)
}

/// Checks types and style of the Python client and its tests.
pub(super) fn check() -> Result<()> {
    let python = python()?;
    for (name, words) in [
        ("style of Python", &["ruff", "check", "--no-cache"][..]),
        (
            "format of Python",
            &["ruff", "format", "--check", "--no-cache"],
        ),
        (
            "types of Python, by mypy",
            &["mypy", "--cache-dir=/dev/null"],
        ),
        ("types of Python, by pyright", &["pyright"]),
    ] {
        let mut command = Command::new(&python);
        command.arg("-m").args(words);
        if words[0] == "ruff" {
            command.args([
                "--config",
                "pyproject.toml",
                ".",
                "../test",
                "../../docs/migrate",
            ]);
        }
        // pyright brings its own program along the first time.
        let cache = target_folder()?.join("tools/pyright");
        command
            .current_dir(root().join("clients/python"))
            .env("PYRIGHT_PYTHON_CACHE_DIR", cache)
            .env("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1");
        step(name, &mut command)?;
    }
    Ok(())
}

fn python() -> Result<PathBuf> {
    let list = root().join("clients/test/requirements.txt");
    let text = std::fs::read_to_string(&list)
        .with_context(|| format!("{} cannot be read", list.display()))?;
    let packages: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    environment(&target_folder()?.join("tools/clients"), &packages)
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
