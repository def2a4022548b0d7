//! The clients that are not Rust's, and what the docs say about clients: held to types and style, and run
//! against the real programs.
//!
//! What is tested stands in `clients/test`; which packages that needs, in its `requirements.txt`, and which judge it, in
//! its `lint.txt`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::python::listed;
use super::results::Results;
use super::{cargo, step, step_with_results, target_folder};

/// Runs the tests. The programs must have been built.
pub(super) fn test() -> Result<Results> {
    let example = &["build", "--package", "queue-client", "--example", "drain"];
    step("build the example of a worker", &mut cargo(example))?;
    let python = listed("clients", &list("requirements.txt"))?;
    let mut run = Command::new(python);
    run.arg(root().join("manifests/test/run.py"))
        .arg(root().join("clients/test"))
        .env("MEMQ_PROGRAMS", target_folder()?.join("debug"))
        .env("PYTHONPATH", root().join("clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let results = step_with_results("test the clients", &mut run)?;
    ensure!(results.passed > 0, "step `test the clients` ran no test");
    Ok(results)
}

/// Checks types and style of the Python client and its tests, and that the client needs no newer Python than it says.
pub(super) fn check() -> Result<()> {
    let programs = listed("clients-lint", &list("lint.txt"))?;
    let ruff = [
        "--config",
        "pyproject.toml",
        ".",
        "../test",
        "../../docs/migrate",
        "../../queue-server/ui-test",
    ];
    let style = [&["ruff", "check", "--no-cache"][..], &ruff].concat();
    let format = [&["ruff", "format", "--check", "--no-cache"][..], &ruff].concat();
    let python = [
        "vermin",
        "--no-config-file",
        "--target=3.9-",
        "--violations",
        "--quiet",
    ];
    for (name, words) in [
        ("style of Python", style),
        ("format of Python", format),
        ("types of Python", vec!["mypy", "--cache-dir=/dev/null"]),
        (
            "oldest Python",
            [&python[..], &["--feature=union-types", "memq.py"]].concat(),
        ),
    ] {
        let mut command = Command::new(programs.with_file_name(words[0]));
        command
            .args(&words[1..])
            .current_dir(root().join("clients/python"));
        step(name, &mut command)?;
    }
    Ok(())
}

fn list(name: &str) -> PathBuf {
    root().join("clients/test").join(name)
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
