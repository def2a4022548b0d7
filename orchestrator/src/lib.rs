//! `memq`: runs, queues and the programs of a work queue in one command.
//!
//! A run is described by a [`spec`], ordered by the [`flow`] and decided by the [`plan`], carried out
//! by processes on this machine, counted in a [`tally`] and written down in a [`joblog`]. Layers, from
//! pure to outside: `spec`, `flow`, `plan` and `tally` do no input or output of their own beyond reading the spec's file;
//! `feed` and `joblog` know files; `reporter` tells a server how far a run is; `execute` knows processes
//! and servers; `cli` knows people.

#![forbid(unsafe_code)]

mod cli;
mod execute;
pub mod feed;
pub mod flow;
pub mod joblog;
pub mod kube;
pub mod lint;
pub mod plan;
mod reporter;
pub mod size;
pub mod spec;
pub mod tally;
mod view;

pub use cli::main;
