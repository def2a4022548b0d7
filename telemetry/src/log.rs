//! The log of a program: to standard error, for people or as JSON, filtered by `MEMQ_LOG` or `RUST_LOG`.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt;

use crate::human;

/// The variables that hold the filter; the first one that is set decides.
const VARIABLES: [&str; 2] = ["MEMQ_LOG", "RUST_LOG"];
/// The filter when neither is set.
const DEFAULT: &str = "info";

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A filter that cannot be read. Write levels and modules: `info,queue_server=debug`.
    #[error(
        "{variable} is {value:?}, which is not a log filter such as info or info,queue_server=debug"
    )]
    Filter {
        /// Which variable holds it.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        source: ParseError,
    },
}

/// Starts the log. One that the process has started already stays as it is.
pub fn start_log(format: LogFormat) -> Result<(), LogError> {
    let filter = filter(|variable| std::env::var(variable).ok())?;
    start(format, filter);
    Ok(())
}

/// Starts the log as if nobody had asked for any other.
pub fn start_default_log(format: LogFormat) {
    start(format, EnvFilter::new(DEFAULT));
}

fn start(format: LogFormat, filter: EnvFilter) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    let colour =
        stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    // The only failure is a log that stands already: ours was embedded, and theirs will do.
    let _standing = match format {
        LogFormat::Human => builder
            .fmt_fields(human::fields())
            .with_ansi(colour)
            .with_target(false)
            .finish()
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
}

fn filter(variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, LogError> {
    let set = VARIABLES.into_iter().find_map(|name| {
        variable(name)
            .filter(|text| !text.is_empty())
            .map(|text| (name, text))
    });
    let Some((variable, value)) = set else {
        return Ok(EnvFilter::new(DEFAULT));
    };
    EnvFilter::try_new(&value).map_err(|source| LogError::Filter {
        variable,
        value,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let both = |name: &str| Some(if name == "MEMQ_LOG" { "debug" } else { "error" }.to_owned());
        assert_eq!(filter(both).expect("a filter").to_string(), "debug");
        let second = |name: &str| (name == "RUST_LOG").then(|| "error".to_owned());
        assert_eq!(filter(second).expect("a filter").to_string(), "error");
        assert_eq!(filter(|_| None).expect("a filter").to_string(), "info");
        assert_eq!(
            filter(|_| Some(String::new()))
                .expect("a filter")
                .to_string(),
            "info"
        );
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = filter(|_| Some("queue_server=loud".to_owned())).expect_err("no such level");
        assert!(
            error
                .to_string()
                .contains("MEMQ_LOG is \"queue_server=loud\""),
            "{error}"
        );
    }
}
