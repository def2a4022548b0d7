//! `memq-loadtest`: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    loadtest::run(loadtest::Args::parse())
}
