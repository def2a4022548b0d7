//! `memq` as people run it: the real program, its own server, its own workers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

mod backup;
mod examples;
mod failures;
mod fixture;
mod given_server;
mod items;
mod kuard;
mod loads;
mod own_server;
mod queues;
mod reports;
mod resume;
mod retry;
mod review;
mod shells;
mod steps;
mod steps_each;
mod steps_stopped;
mod stopping;
mod support;
mod tokens;
mod usage;
