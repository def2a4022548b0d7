//! What a handler says became of an item, before anyone knows of leases or wires.

use std::time::Duration;

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, perhaps with a result.
    Ack { result: Option<String> },
    /// Failed: to be tried again.
    Nack(Failure),
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
    /// For people: what happened, with the output of the command if it was one.
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

    /// The first line, for a log.
    pub(crate) fn headline(&self) -> &str {
        self.error.lines().next().unwrap_or_default()
    }
}

/// A result as it is sent: an item's own words, refused rather than cut where they are too long,
/// because half a result looks like a whole one.
pub(crate) fn ack_with(result: &[u8]) -> Verdict {
    if result.len() > MAX_RESULT_BYTES {
        let length = result.len();
        return Verdict::Nack(Failure::new(format!(
            "the result of {length} bytes is over the limit of {MAX_RESULT_BYTES}: store it elsewhere and give its place as the result"
        )));
    }
    Verdict::Ack {
        result: Some(String::from_utf8_lossy(result).into_owned()),
    }
}

/// Largest result in bytes: what a queue takes by default.
pub(crate) const MAX_RESULT_BYTES: usize = 64 * 1024;
