//! What the programs say of themselves, looked at from outside: real processes, the lines of their logs, and
//! the spans they export.

mod lines;
#[cfg(feature = "otlp")]
mod spans;
mod support;
