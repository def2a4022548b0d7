//! What a handler says became of an item, before anyone knows of leases or wires.

use std::time::Duration;

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, perhaps with a result; the log is what the handler printed meanwhile.
    Ack { result: Option<String>, log: String },
    /// Failed: to be tried again, at a time of the queue's choosing or after so long.
    Nack(Failure, Option<Duration>),
    /// Can never work.
    Dead(Failure),
    /// Given back: it is not the item's fault.
    Release(Failure, Option<Duration>),
    /// The lease is lost: whatever became of it is no longer ours to say.
    Lost,
    /// The handler cannot be run at all: the item is given back and the worker ends.
    Broken(Failure),
}

/// Why an item is not done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Failure {
    /// For people: what happened, with what the handler printed.
    pub(crate) error: String,
    /// The exit code of the command, if it had one.
    pub(crate) exit_code: Option<i32>,
}

impl Failure {
    pub(crate) fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            exit_code: None,
        }
    }

    /// With what the handler printed, below what happened.
    pub(crate) fn with_output(mut self, output: &str) -> Self {
        if !output.is_empty() {
            self.error.push('\n');
            self.error.push_str(output);
        }
        self
    }

    /// The first line, for a log.
    pub(crate) fn headline(&self) -> &str {
        self.error.lines().next().unwrap_or_default()
    }
}

impl Verdict {
    /// Failed.
    pub(crate) fn nack(failure: Failure) -> Self {
        Self::Nack(failure, None)
    }

    /// Done, without a result.
    pub(crate) fn done() -> Self {
        Self::Ack {
            result: None,
            log: String::new(),
        }
    }

    /// With what the handler printed: the log of an ack, part of the error of anything else.
    pub(crate) fn with_output(self, output: String) -> Self {
        match self {
            Self::Ack { result, .. } => Self::Ack {
                result,
                log: output,
            },
            Self::Nack(failure, delay) => Self::Nack(failure.with_output(&output), delay),
            Self::Dead(failure) => Self::Dead(failure.with_output(&output)),
            Self::Release(failure, delay) => Self::Release(failure.with_output(&output), delay),
            other @ (Self::Lost | Self::Broken(_)) => other,
        }
    }

    /// Saying nothing is no result.
    pub(crate) fn or_no_result(self) -> Self {
        match self {
            Self::Ack { result, log } => Self::Ack {
                result: result.filter(|text| !text.is_empty()),
                log,
            },
            other => other,
        }
    }
}

/// A result as it is sent: an item's own words, refused rather than cut where they are too long,
/// because half a result looks like a whole one.
pub(crate) fn ack_with(result: &[u8]) -> Verdict {
    if result.len() > MAX_RESULT_BYTES {
        return Verdict::nack(Failure::new(format!(
            "the result is over the limit of {MAX_RESULT_BYTES} bytes: store it elsewhere and give its place as the result"
        )));
    }
    Verdict::Ack {
        result: Some(String::from_utf8_lossy(result).into_owned()),
        log: String::new(),
    }
}

/// Largest result in bytes: what a queue takes by default.
pub(crate) const MAX_RESULT_BYTES: usize = 64 * 1024;
