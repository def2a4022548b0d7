//! `memq-server`: the queue service as a program of its own.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A work queue that knows when it is drained.
#[derive(Debug, Parser)]
#[command(name = "memq-server", version)]
struct Cli {
    #[command(flatten)]
    args: queue_server::Args,
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => queue_server::run(cli.args),
        Err(error) => {
            // Help and version are answers, not errors. A closed pipe is no reason to fail at either.
            let _printed = error.print();
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        }
    }
}
