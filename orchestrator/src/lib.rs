//! `memq`: runs, queues and the programs of a work queue in one command.
//!
//! A run is described by a [`spec`], decided by the [`plan`], and carried out by processes on this
//! machine.

#![forbid(unsafe_code)]

pub mod joblog;
pub mod plan;
pub mod spec;
pub mod tally;
