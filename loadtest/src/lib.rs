//! Measures a queue server: how many items a second go through it, how long each call takes, and
//! what both are beside the floor, a bare axum server that answers the same sizes.
//!
//! It knows the two APIs from the outside only, as a client on one core; the server under test and
//! the floor are processes of their own. It judges nothing: it prints figures and their ratio, and
//! fails only where the server's own counts contradict what it was answered.

#![forbid(unsafe_code)]

mod args;
pub mod bench;
pub mod closed_loop;
mod crash;
pub mod floor;
pub mod ledger;
mod machine;
pub mod open_loop;
pub mod peers;
pub mod process;
pub mod report;
mod run;
mod scratch;
pub mod setup;
pub mod side;
mod sync_time;
pub mod talk;
pub mod target;
pub mod waiters;
pub mod wire;

use std::process::ExitCode;

pub use args::Args;

/// Does what the arguments say, and ends with 0 if every answer was as expected.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match run::dispatch(args) {
        Ok(code) => code,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
