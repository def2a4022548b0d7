//! Runs the programs that build, test and judge the workspace, one named step after the other.
//!
//! Knows which commands there are and in which order; what they find is theirs to print.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build command talks to a person"
)]

mod clients;
mod deny;
pub mod e2e;
pub mod image;
mod manifests;
mod page;
mod prometheus;
mod python;
mod results;
mod schemathesis;

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

pub use manifests::render as render_manifests;
pub use page::pictures;
use results::Results;

/// The feature that programs may have. Tests are built with it, all of them, and so is what writes files, so that
/// nothing is built twice; what clippy judges and what is shipped is without.
const EXPORT: &str = "otlp";

/// Builds every program, runs every test and prints the sum.
///
/// # Errors
///
/// Names the step that failed.
pub fn test(passed_on: &[String]) -> Result<()> {
    find_c_compiler()?;
    step(
        "build the programs",
        &mut cargo(&["build", "--workspace", "--bins", "--features", EXPORT]),
    )?;
    let all = &[
        "test",
        "--workspace",
        "--no-fail-fast",
        "--features",
        EXPORT,
    ];
    let mut tests = cargo(all);
    if !passed_on.is_empty() {
        tests.arg("--").args(passed_on);
    }
    let mut results = step_with_results("run the tests", &mut tests)?;
    ensure!(
        results.passed > 0,
        "step `run the tests` ran no test: {}",
        shown(&tests)
    );
    // They are not Rust's, so that what was passed on is not for them.
    if passed_on.is_empty() {
        results += manifests::test()?;
        results += clients::test()?;
        results += page::test()?;
        results += prometheus::test()?;
        schemathesis::test()?;
    }
    let told = if passed_on.is_empty() {
        e2e::test()?
    } else {
        None
    };
    if let Some(told) = &told {
        results += told.results();
    }
    println!("{results}");
    ensure!(
        told.is_none_or(|told| told.is_well()),
        "step `try it on a cluster` failed"
    );
    Ok(())
}

/// Checks everything that needs no test to run.
///
/// # Errors
///
/// Names the step that failed.
pub fn lint() -> Result<()> {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let clippy = &[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
    ];
    step("clippy", cargo(clippy).args(["--", "-D", "warnings"]))?;
    let export = &["clippy", "--quiet", "--package", "telemetry", "--locked"];
    step(
        "clippy, with the export of spans",
        cargo(export).args([
            "--all-targets",
            "--features",
            EXPORT,
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    let docs = &["doc", "--quiet", "--workspace", "--no-deps", "--locked"];
    step(
        "documentation",
        cargo(docs).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    generate(true)?;
    clients::check()?;
    deny::check()
}

/// Writes the files that are made from the code: those of the schema of a run spec, what is made from those,
/// and the description of the API. Or only says whether they are up to date.
///
/// # Errors
///
/// Names the step that failed; the files that are stale stand above it.
pub fn generate(check: bool) -> Result<()> {
    for (package, example) in [("orchestrator", "generate"), ("queue-server", "describe")] {
        let program = &["run", "--quiet", "--package", package, "--features", EXPORT];
        let mut command = cargo(program);
        command.args(["--example", example]);
        if check {
            step("generated files", command.args(["--", "--check"]))?;
        } else {
            step("generate files", &mut command)?;
        }
    }
    if check {
        return Ok(());
    }
    manifests::render()
}

/// Prints a line for the person at the terminal.
pub fn say(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// The cargo that runs us, with these arguments.
fn cargo(args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Asked of cargo, because an environment variable or a configuration file may have moved it.
fn target_folder() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cargo metadata does not say where the target folder is")?;
    Ok(metadata.target_directory.into())
}

/// Says what it does, does it, and fails by its name.
fn step(name: &str, command: &mut Command) -> Result<()> {
    announce(name, command);
    let status = command
        .status()
        .with_context(|| format!("step `{name}` cannot start"))?;
    ensure!(
        status.success(),
        "step `{name}` failed ({status}): {}",
        shown(command)
    );
    Ok(())
}

/// The same for a run of tests, whose result lines are added up: a workspace has dozens of test
/// programs, and nobody sums them by eye. The sum of a run that failed is printed here: nobody gets it.
fn step_with_results(name: &str, command: &mut Command) -> Result<Results> {
    announce(name, command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("step `{name}` cannot start"))?;
    let mut results = Results::default();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let line = line.with_context(|| format!("step `{name}`: its output cannot be read"))?;
        results.add(&line);
        println!("{line}");
    }
    let status = child
        .wait()
        .with_context(|| format!("step `{name}` cannot be waited for"))?;
    if !status.success() {
        println!("{results}");
    }
    ensure!(
        status.success(),
        "step `{name}` failed ({status}): {}",
        shown(command)
    );
    Ok(results)
}

/// Some dependencies compile C; their build scripts say less clearly what is missing.
fn find_c_compiler() -> Result<()> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    Command::new(&compiler)
        .arg("--version")
        .output()
        .map(drop)
        .with_context(|| {
            format!(
                "no C compiler: `{}` does not start; install one (Debian: `apt-get install gcc \
             libc6-dev`) or name it in CC",
                compiler.display()
            )
        })
}

/// Whether a program is found in `PATH`, or where it is said to be, and starts.
fn starts(program: &Path) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn announce(name: &str, command: &Command) {
    say(format_args!("==> {name}: {}", shown(command)));
}

/// The command as one would type it; the program without its folder.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_named_with_its_command() {
        let error = step("refuse", &mut cargo(&["no-such-subcommand"])).expect_err("cargo refuses");
        let text = format!("{error:#}");
        assert!(text.starts_with("step `refuse` failed"), "{text}");
        assert!(text.ends_with("cargo no-such-subcommand"), "{text}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named_by_its_step() {
        let mut missing = Command::new("memq-no-such-program");
        let error = step("look", &mut missing).expect_err("there is no such program");
        assert!(
            format!("{error:#}").starts_with("step `look` cannot start"),
            "{error:#}"
        );
    }
}
