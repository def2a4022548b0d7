//! Runs in a cluster: what Kubernetes is told, what is seen of it, and what is done next.
//!
//! From pure to outside: `status` (what is kept), `render` (objects from a spec), `plan` (what to do next), and the shells around them.

mod act;
pub(crate) mod clock;
mod cluster;
pub(crate) mod controller;
mod election;
mod health;
mod held;
mod home;
mod keeper;
mod known;
mod leader;
mod load;
pub mod metrics;
pub(crate) mod nodes;
pub mod object;
mod observe;
mod office;
pub(crate) mod outside;
mod patience;
pub mod plan;
mod quota;
mod refused;
pub mod render;
mod report;
mod sight;
pub mod status;
mod stuck;
#[cfg(test)]
mod tests;
mod watches;

use std::error::Error;
use std::fmt::Write as _;

/// An error with its causes, on one line.
pub(crate) fn say(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some put their cause into their own text.
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}
