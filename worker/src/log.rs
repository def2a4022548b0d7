//! Logs go to standard error, for people or as JSON; `MEMQ_LOG` says how much.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::LogFormat;

/// The environment variable that holds the filter, in the form of `RUST_LOG`.
const FILTER_ENV: &str = "MEMQ_LOG";

/// Starts logging. Where a program around this one already does, its choice stands.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env(FILTER_ENV).unwrap_or_else(|_| EnvFilter::new("info"));
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Human => {
            let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer = stderr.with_target(false).with_ansi(color);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(stderr.json().flatten_event(true)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log is already being kept");
    }
}
