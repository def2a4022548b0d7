//! The life of items in a queue, told as stories in virtual time: one module a noun.
//!
//! Each story ends with the shell's own account: counts recounted, log folded, bytes balanced.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[path = "../support/mod.rs"]
mod support;

mod cancel;
mod deadline;
mod finish;
mod format;
mod key;
mod lease;
mod limit;
mod order;
mod outcome;
mod pace;
mod purge;
mod retry;
mod settle;
mod snapshot;
mod storage;
mod story;
mod turns;
mod wanted;
