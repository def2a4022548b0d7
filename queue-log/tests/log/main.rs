//! A log's life on a real directory and on one that fails.

#![allow(
    clippy::print_stderr,
    reason = "a failing seed must be told to whoever runs the tests"
)]

mod support;

mod damage;
mod fault;
mod life;
mod look;
mod model;
mod simulation;
mod world;
