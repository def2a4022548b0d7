//! The log of a program: to standard error, for people or as JSON, filtered by `MEMQ_LOG` or `RUST_LOG`.

use std::env;
use std::io::{IsTerminal, stderr};

use clap::ValueEnum as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::human;

/// The variables that hold the filter; the first one that is set decides.
const VARIABLES: [&str; 2] = ["MEMQ_LOG", "RUST_LOG"];
/// The filter when neither is set.
const DEFAULT: &str = "info";
/// The variable that holds the form, where there is no flag for it.
const FORM: &str = "MEMQ_LOG_FORMAT";

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
    let filter = filter(DEFAULT, variable)?;
    start(format, filter, stderr);
    Ok(())
}

/// Starts the log of a program that goes on where a filter makes no sense: it may be one that was meant for another
/// program. That is told of, and counts as not set.
pub fn start_log_anyway(format: LogFormat) {
    start_anyway(format, DEFAULT, stderr);
}

/// The same for a command whose answers are no log: it says as much as this filter lets through unless a variable asks
/// for something else, and writes to standard error in its own way.
pub fn start_log_of_command(
    default: &str,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) {
    let format = variable(FORM).and_then(|form| LogFormat::from_str(&form, true).ok());
    start_anyway(format.unwrap_or_default(), default, writer);
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn start_anyway(
    format: LogFormat,
    default: &str,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) {
    match filter(default, variable) {
        Ok(filter) => start(format, filter, writer),
        Err(error) => {
            start(format, EnvFilter::new(default), writer);
            tracing::warn!(error.message = %error, "the log is as it would be without that");
        }
    }
}

fn start(
    format: LogFormat,
    filter: EnvFilter,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A reader that went away is no reason to end: told of on standard error, which is what went away, it would be.
        .log_internal_errors(false)
        .with_writer(writer);
    let colour = stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
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

fn filter(default: &str, variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, LogError> {
    let set = VARIABLES.into_iter().find_map(|name| {
        variable(name)
            .filter(|text| !text.is_empty())
            .map(|text| (name, text))
    });
    let Some((variable, value)) = set else {
        return Ok(EnvFilter::new(default));
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
        let filter = |variable: &dyn Fn(&str) -> Option<String>| {
            let filter = filter("warn", variable).expect("a filter");
            filter.to_string()
        };
        assert_eq!(filter(&both), "debug");
        let second = |name: &str| (name == "RUST_LOG").then(|| "error".to_owned());
        assert_eq!(filter(&second), "error");
        assert_eq!(filter(&|_| None), "warn");
        assert_eq!(filter(&|_| Some(String::new())), "warn");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = filter(DEFAULT, |_| Some("queue_server=loud".to_owned()));
        let error = error.expect_err("no such level");
        assert!(
            error
                .to_string()
                .contains("MEMQ_LOG is \"queue_server=loud\""),
            "{error}"
        );
    }
}
