//! memq-worker: drains one queue. All it does is in the library, which `memq worker` shares.

use std::process::ExitCode;

use clap::Parser;

/// Leases items of a memq queue, runs a handler for each, and ends when the queue is finished.
#[derive(Debug, Parser)]
#[command(name = "memq-worker", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: worker::Args,
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => worker::run(cli.args),
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            // Nothing is left to tell if the terminal is gone.
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}
