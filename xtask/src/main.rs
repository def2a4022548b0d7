//! `cargo xtask`: the commands that a person or a CI types.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::steps;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build every program and run every test, on nothing but Rust and a C compiler.
    Test {
        /// Handed to the test programs: part of a test's name, `--nocapture` and the like.
        #[arg(last = true)]
        passed_on: Vec<String>,
    },
    /// Check formatting, clippy, documentation, licences, banned crates and sources.
    Lint,
    /// Write the files made from the code: the CRD, the editor's schema, the tables of the docs, the API's description.
    Generate {
        /// Only say whether they are as the code makes them.
        #[arg(long)]
        check: bool,
    },
    /// Write the container image as one archive, with no registry and no daemon.
    Image(steps::image::Args),
    /// Try on a cluster what memq promises on Kubernetes.
    E2e(Box<steps::e2e::Args>),
    /// Take the pictures of the web page that the docs show.
    Pictures,
    /// Render manifests/install.yaml and the chart's CRD from manifests/base.
    Manifests,
}

fn main() -> ExitCode {
    let Args { task } = Args::parse();
    let done = match task {
        Task::Test { passed_on } => steps::test(&passed_on),
        Task::Lint => steps::lint(),
        Task::Generate { check } => steps::generate(check),
        Task::Image(args) => steps::image::run(args),
        Task::E2e(args) => steps::e2e::run(*args),
        Task::Pictures => steps::pictures(),
        Task::Manifests => steps::render_manifests(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::say(format_args!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
