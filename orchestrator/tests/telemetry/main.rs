//! What the programs say of themselves, looked at from outside: real processes, the lines of their logs, and
//! the spans they export.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod commands;
mod lines;
#[cfg(feature = "otlp")]
mod spans;
mod support;
#[cfg(feature = "otlp")]
mod trust;
