//! A program as a child of the worker: finding and starting it, what it says, ending it with all that
//! it started.
//!
//! Whether it lives for one item (`command`) or for many (`process`) is not known here, nor how it
//! answers.

mod group;
mod output;
mod program;
mod said;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

pub(crate) use group::Group;
pub(crate) use program::{Environment, NotRunnable, Program, no_room, not_started};
pub(crate) use said::{Said, Which};

/// How a child ended, in words.
pub(crate) fn headline(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("ended oddly: {status}"),
    }
}
