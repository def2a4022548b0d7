//! How a worker ends, and the exit code that says so to a shell, a Job or an orchestrator.

use std::process::ExitCode;

/// Why the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The queue is finished as asked, and the server has every result.
    Finished,
    /// The command line makes no sense.
    Usage,
    /// The queue has more dead items than it may.
    TooManyDead,
    /// The server could not be reached for too long, or the queue never came to be.
    Unavailable,
    /// Told to stop before the end.
    Stopped,
    /// The server refuses this worker, or the queue was deleted.
    Refused,
    /// The set-up is wrong: a command that cannot be run, a setting the server does not take.
    Misconfigured,
}

impl Exit {
    /// The code, after sysexits.h where it has one.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Finished => 0,
            Self::Usage => 64,
            Self::TooManyDead => 65,
            Self::Unavailable => 69,
            Self::Stopped => 75,
            Self::Refused => 77,
            Self::Misconfigured => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
