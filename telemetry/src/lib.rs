//! What memq's programs say of themselves while they run: their logs, and the spans of traces.
//!
//! It owns the form of a log line and the names of its fields, and how spans leave a program. It does not
//! know what is worth a line or a span: each program says that where it happens. Metrics are elsewhere.

#![forbid(unsafe_code)]

mod chain;
pub mod fields;
mod human;
mod log;
#[cfg(feature = "otlp")]
mod otlp;
mod span;

pub use chain::chain;
pub use log::{LogError, LogFormat, start_log, start_log_anyway, start_log_of_command};
#[cfg(feature = "otlp")]
pub use otlp::Exporting;
#[cfg(not(feature = "otlp"))]
pub use span::Exporting;
pub use span::{Kind, Span, export, is_exporting};
